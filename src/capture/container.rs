//! What has to be read from the files themselves, before or beside the decoders.

use image::metadata::Orientation;

/// Whether a JPEG (ITU-T T.81, annex B) reaches its end-of-image marker.
///
/// The decoder fills what is missing with grey and reports success, so this has to be known from the
/// file. Looking at the last two bytes would not do: other data may follow the picture, and a
/// thumbnail within it has an end marker of its own.
pub(super) fn is_complete_jpeg(bytes: &[u8]) -> bool {
    let mut at = 2;
    loop {
        // Within a scan this skips the coded data: there a 0xFF is followed by 0x00.
        let Some(rest) = bytes.get(at..) else {
            return false;
        };
        let Some(skip) = rest.iter().position(|&byte| byte == 0xFF) else {
            return false;
        };
        at += skip + 1;
        let Some(&code) = bytes.get(at) else {
            return false;
        };
        match code {
            0xD9 => return true,
            // A fill byte: the code comes after it.
            0xFF => {}
            // Markers with a segment: frame, tables, scan, application data, comment.
            0xC0..=0xCF | 0xDA..=0xFE => {
                let Some(length) = bytes.get(at + 1..at + 3) else {
                    return false;
                };
                at += 1 + usize::from(u16::from_be_bytes([length[0], length[1]]));
            }
            // A stuffed zero, a restart, or nothing with a length.
            _ => at += 1,
        }
    }
}

/// Whether a WebP has as many bytes as its RIFF header says.
///
/// What is missing may be the EXIF data at the end, and with them the orientation: the decoder does
/// not need those and would not complain.
pub(super) fn is_complete_webp(bytes: &[u8]) -> bool {
    bytes.get(4..8).is_some_and(|size| {
        let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]);
        bytes.len() as u64 >= u64::from(size) + 8
    })
}

/// The width and height in the header of a PNG.
pub(super) fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let (kind, header) = png_chunks(bytes).next()?;
    let size = header.get(..8)?;
    let number = |b: &[u8]| u32::from_be_bytes([b[0], b[1], b[2], b[3]]);
    (kind == *b"IHDR").then(|| (number(&size[..4]), number(&size[4..])))
}

/// The orientation in the `eXIf` chunk of a PNG, which may come after the pixels.
pub(super) fn png_orientation(bytes: &[u8]) -> Option<Orientation> {
    let (_, exif) = png_chunks(bytes).find(|(kind, _)| kind == b"eXIf")?;
    exif_orientation(exif)
}

/// The orientation in a block of EXIF data, with or without the prefix it has in a JPEG.
pub(super) fn exif_orientation(exif: &[u8]) -> Option<Orientation> {
    Orientation::from_exif_chunk(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))
}

/// The chunks of a PNG: name and data. Ends at the first that is not whole.
fn png_chunks(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (kind, after) = after.split_first_chunk::<4>()?;
        let (data, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        // Past the checksum.
        rest = after.get(4..)?;
        Some((*kind, data))
    })
}

/// Whether the first picture in a TIFF says of itself that it is a reduced copy of another one in
/// the file. So do the previews in camera raw files built on TIFF (DNG, NEF, ARW): decoding those
/// would answer about a thumbnail.
pub(super) fn tiff_is_preview(bytes: &[u8]) -> bool {
    const NEW_SUBFILE_TYPE: u32 = 254;
    const REDUCED: u32 = 1;
    let big_endian = bytes.starts_with(b"MM");
    // `N` bytes at `at` as a number in the file's byte order.
    let number = |at: usize, length: usize| {
        let bytes = bytes.get(at..at.checked_add(length)?)?;
        let shift = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
        Some(if big_endian {
            bytes.iter().fold(0, shift)
        } else {
            bytes.iter().rev().fold(0, shift)
        })
    };
    let subfile_type = || {
        let directory = number(4, 4)? as usize;
        let entries = number(directory, 2)? as usize;
        // Entries of 12 bytes: tag, type, count, value.
        let at = |entry: usize| directory.checked_add(2 + 12 * entry);
        let entry =
            (0..entries).map_while(at).find(|at| number(*at, 2) == Some(NEW_SUBFILE_TYPE))?;
        number(entry + 8, 4)
    };
    subfile_type().is_some_and(|kind| kind & REDUCED != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A comment segment whose data look like an end marker, then a scan with a stuffed zero and a
    /// restart, then the end.
    const JPEG: &[u8] = b"\xFF\xD8\xFF\xFE\0\x04\xFF\xD9\xFF\xDA\0\x02ab\xFF\0c\xFF\xD0d\xFF\xD9";

    #[test]
    fn a_jpeg_is_complete_at_its_own_end_marker_only() {
        assert!(is_complete_jpeg(JPEG));
        assert!(is_complete_jpeg(&[JPEG, b"anything"].concat()));
        for cut in 0..JPEG.len() {
            assert!(!is_complete_jpeg(&JPEG[..cut]), "cut at {cut}");
        }
        // A file whose tail was never written.
        assert!(!is_complete_jpeg(&[&JPEG[..JPEG.len() - 2], &[0; 100]].concat()));
        // Fill bytes before the marker, and a length that leads past the end.
        assert!(is_complete_jpeg(b"\xFF\xD8\xFF\xFF\xD9"));
        assert!(is_complete_jpeg(b"\xFF\xD8\xFF\xFF\xFF\xD9"));
        assert!(!is_complete_jpeg(b"\xFF\xD8\xFF\xE0\xFF\xFF\xFF\xD9"));
        assert!(!is_complete_jpeg(b"\xFF\xD8\xFF\xE0\0\0"));
    }

    #[test]
    fn a_webp_is_complete_at_its_declared_size() {
        let webp = b"RIFF\x06\0\0\0WEBPxy";
        assert!(is_complete_webp(webp));
        assert!(is_complete_webp(b"RIFF\x06\0\0\0WEBPxyz"));
        for cut in 0..webp.len() {
            assert!(!is_complete_webp(&webp[..cut]), "cut at {cut}");
        }
        assert!(!is_complete_webp(b"RIFF\xFF\xFF\xFF\xFFWEBPxy"));
    }

    #[test]
    fn png_chunks_end_where_the_file_does() {
        let header = b"\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\x75\x30\0\0\0\x02\x08\x02\0\0\0CRC4";
        assert_eq!(png_size(header), Some((30_000, 2)));
        assert_eq!(png_chunks(header).count(), 1);
        for cut in 0..header.len() {
            assert_eq!(png_size(&header[..cut]), None, "cut at {cut}");
        }
        let endless = [&header[..8], b"\xFF\xFF\xFF\xFFIHDR"].concat();
        assert_eq!(png_size(&endless), None);
    }

    #[test]
    fn a_preview_in_a_tiff_is_known_in_both_byte_orders() {
        let little = |kind: u8| {
            [
                &b"II*\0\x08\0\0\0\x02\0"[..],
                b"\0\x01\x03\0\x01\0\0\0\x01\0\0\0",
                b"\xFE\0\x04\0\x01\0\0\0",
                &[kind],
                b"\0\0\0",
            ]
            .concat()
        };
        assert!(tiff_is_preview(&little(1)));
        assert!(!tiff_is_preview(&little(0)));
        // One page of many is no preview.
        assert!(!tiff_is_preview(&little(2)));
        let big = b"MM\0*\0\0\0\x08\0\x01\0\xFE\0\x04\0\0\0\x01\0\0\0\x01";
        assert!(tiff_is_preview(big));
        for cut in 0..big.len() {
            assert!(!tiff_is_preview(&big[..cut]), "cut at {cut}");
        }
        assert!(!tiff_is_preview(b"II*\0\xFF\xFF\xFF\xFF"));
    }
}
