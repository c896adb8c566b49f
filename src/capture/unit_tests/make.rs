//! Files made by hand, for what no encoder here writes.

/// A PNG chunk with its checksum.
pub(super) fn png_chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u32).to_be_bytes();
    let body = [&kind, data].concat();
    // CRC-32 as in the PNG specification, annex D.
    let crc = !body.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    });
    [&length[..], &body, &crc.to_be_bytes()].concat()
}

/// An uncompressed little-endian RGB TIFF with `more` short tags, which must come after 258 and
/// before 277 or after 279 in number.
pub(super) fn tiff_file(
    width: u32,
    height: u32,
    bits: [u16; 3],
    more: &[(u16, u32)],
    pixels: &[u8],
) -> Vec<u8> {
    const SHORT: u16 = 3;
    const LONG: u16 = 4;
    let count = 9 + more.len() as u32;
    let after_directory = 8 + 2 + 12 * count + 4;
    let mut entries = vec![
        (256, LONG, 1, width),
        (257, LONG, 1, height),
        (258, SHORT, 3, after_directory),
        (259, SHORT, 1, 1),
        (262, SHORT, 1, 2),
        (273, LONG, 1, after_directory + 6),
        (277, SHORT, 1, 3),
        (278, LONG, 1, height),
        (279, LONG, 1, pixels.len() as u32),
    ];
    entries.extend(more.iter().map(|(tag, value)| (*tag, SHORT, 1, *value)));
    entries.sort_unstable();
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    file.extend((count as u16).to_le_bytes());
    for (tag, kind, count, value) in entries {
        file.extend(u16::to_le_bytes(tag));
        file.extend(kind.to_le_bytes());
        file.extend(u32::to_le_bytes(count));
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    file.extend(bits.iter().flat_map(|bits| bits.to_le_bytes()));
    file.extend(pixels);
    file
}
