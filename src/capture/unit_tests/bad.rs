//! Files that must be refused: cut off, oversized, damaged.

use super::make::{png_chunk, tiff_file};
use super::*;

/// One file of each kind that is decoded in its own way.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    vec![
        ("baseline JPEG", encode(squares(), Jpeg)),
        ("progressive JPEG", PROGRESSIVE_JPEG.to_vec()),
        ("CMYK JPEG", CMYK_JPEG.to_vec()),
        ("PNG", encode(card(), Png)),
        ("lossless WebP", encode(card(), WebP)),
        ("lossy WebP", LOSSY_WEBP.to_vec()),
        ("animated WebP", ANIMATED_WEBP.to_vec()),
        ("GIF", encode(card(), Gif)),
        ("BMP", encode(card(), Bmp)),
        ("TIFF", encode(card(), Tiff)),
        ("fax TIFF", FAX_TIFF.to_vec()),
        ("PNM", [b"P6 13 7 255\n", card().as_raw().as_slice()].concat()),
        ("text PNM", b"P3\n2 1\n255\n1 2 3 4 5 6\n".to_vec()),
    ]
}

#[test]
fn a_file_cut_anywhere_is_refused_or_whole() {
    for (name, bytes) in samples() {
        let whole = load(&bytes).unwrap();
        let mut refused = 0;
        // Below a dozen bytes some formats cannot be told from others.
        for cut in 12..bytes.len() {
            match load(&bytes[..cut]) {
                // Only what follows the pixels was cut off.
                Ok(picture) => assert_eq!(picture, whole, "{name} cut at {cut}"),
                Err(reason) => {
                    assert_eq!(reason, Reason::EndsEarly, "{name} cut at {cut}");
                    refused += 1;
                }
            }
        }
        assert!(refused > 0, "{name}");
        let strict = ["JPEG", "WebP"].iter().any(|kind| name.ends_with(kind));
        assert!(!strict || refused == bytes.len() - 12, "{name}: {refused} of {}", bytes.len());
    }
}

#[test]
fn a_file_whose_tail_was_never_written_is_refused() {
    let mut jpeg = encode(squares(), ImageFormat::Jpeg);
    let half = jpeg.len() / 2;
    jpeg[half..].fill(0);
    assert_eq!(load(&jpeg), Err(Reason::EndsEarly));
}

/// The header of a PNG of any size, checksum and all, with a little of its data.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = [&size[..], &[8, 2, 0, 0, 0]].concat();
    let data = png_chunk(*b"IDAT", b"\x78\x01\x03\0\0\0\0\x01");
    [b"\x89PNG\r\n\x1A\n", &png_chunk(*b"IHDR", &header)[..], &data].concat()
}

#[test]
fn decompression_bombs_are_refused_by_their_size() {
    let jpeg = {
        let mut jpeg = encode(squares(), ImageFormat::Jpeg);
        let frame = jpeg.windows(2).position(|marker| marker == b"\xFF\xC0").unwrap();
        // Height and width, after the marker, the length and the sample depth.
        jpeg[frame + 5..frame + 9].copy_from_slice(b"\x75\x30\x75\x30");
        jpeg
    };
    let bmp = {
        let mut bmp = encode(card(), ImageFormat::Bmp);
        bmp[18..26].copy_from_slice(b"\x30\x75\0\0\x30\x75\0\0");
        bmp
    };
    let webp = {
        // The extended header: canvas sides less one, three bytes each.
        let canvas = b"VP8X\x0A\0\0\0\0\0\0\0\x2F\x75\0\x2F\x75\0";
        let simple = encode(card(), ImageFormat::WebP);
        let mut webp = [b"RIFF\0\0\0\0WEBP", &canvas[..], &simple[12..]].concat();
        let size = (webp.len() as u32 - 8).to_le_bytes();
        webp[4..8].copy_from_slice(&size);
        webp
    };
    let gif = b"GIF89a\x30\x75\x30\x75\0\0\0,\0\0\0\0\x30\x75\x30\x75\0\x02\x01\0\0;";
    let files = [
        ("PNG", png_header(30_000, 30_000)),
        ("JPEG", jpeg),
        ("BMP", bmp),
        ("WebP", webp),
        ("GIF", gif.to_vec()),
        ("TIFF", tiff_file(30_000, 30_000, [8, 8, 8], &[], &[])),
        ("PNM", b"P6 30000 30000 255\n".to_vec()),
    ];
    for (name, bytes) in files {
        let reason = Reason::TooManyPixels { width: 30_000, height: 30_000 };
        assert_eq!(load(&bytes), Err(reason), "{name}");
    }
    let widest = (1 << 31) - 1;
    let reason = Reason::TooManyPixels { width: widest, height: widest };
    assert_eq!(load(&png_header(widest, widest)), Err(reason));
}

#[test]
fn the_message_about_a_bomb_names_its_size() {
    let source = Source::Memory("bomb.png".into());
    let error = load_bytes(source, &png_header(30_000, 30_000)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "bomb.png: 30000×30000 (900 megapixels) is over the limit of 100 megapixels"
    );
}

#[test]
fn a_picture_within_the_limit_may_still_be_too_deep() {
    const FLOATS: u32 = 3;
    let deep = tiff_file(10_000, 10_000, [32, 32, 32], &[(339, FLOATS)], &[]);
    assert_eq!(load(&deep), Err(Reason::TooMuchMemory));
}

#[test]
fn pictures_without_pixels_are_refused() {
    for (name, bytes) in [
        ("PNG", png_header(0, 5)),
        ("GIF", b"GIF89a\0\0\0\0\0\0\0,\0\0\0\0\0\0\0\0\0\x02\x01\0\0;".to_vec()),
        ("PNM", b"P6 0 5 255\n".to_vec()),
    ] {
        assert_eq!(load(&bytes), Err(Reason::ZeroSized), "{name}");
    }
}

#[test]
fn damaged_data_are_refused() {
    let mut png = encode(card(), ImageFormat::Png);
    let data = png.windows(4).position(|kind| kind == b"IDAT").unwrap();
    png[data + 8] ^= 0x55;
    match load(&png) {
        Err(Reason::Damaged { format: "PNG", detail }) => {
            assert!(!detail.is_empty() && !detail.contains('\n'), "{detail:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_variant_that_the_decoder_lacks_is_called_unsupported() {
    const COMPRESSION: usize = 8 + 2 + 12 * 3 + 8;
    let mut odd = tiff_file(1, 1, [8, 8, 8], &[], &[1, 2, 3]);
    assert!(load(&odd).is_ok());
    // CCITT group 3: of the two kinds of fax only group 4 is decoded.
    odd[COMPRESSION..COMPRESSION + 2].copy_from_slice(&3_u16.to_le_bytes());
    match load(&odd) {
        Err(Reason::UnsupportedVariant { format: "TIFF", detail }) => {
            assert!(detail.contains("Fax3"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_a_camera_raw_file_the_preview_is_not_taken() {
    assert!(load(&tiff_file(1, 1, [8, 8, 8], &[(254, 0)], &[1, 2, 3])).is_ok());
    let raw = tiff_file(1, 1, [8, 8, 8], &[(254, 1)], &[1, 2, 3]);
    assert_eq!(load(&raw), Err(Reason::UnsupportedFormat("camera raw")));
}

/// Bytes changed here and there: any outcome is right but a panic that escapes, an empty picture or
/// a message of more than one line.
#[test]
fn damage_anywhere_ends_in_a_picture_or_a_reason() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move |below: usize| {
        // Xorshift: Marsaglia, "Xorshift RNGs", 2003.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for (name, bytes) in samples() {
        for _ in 0..300 {
            let mut damaged = bytes.clone();
            for _ in 0..=random(3) {
                // The headers are where the harm is.
                let reach = if random(2) == 0 { damaged.len().min(60) } else { damaged.len() };
                damaged[random(reach)] = random(256) as u8;
            }
            match load_bytes(Source::Memory(name.into()), &damaged) {
                Ok(frame) => assert!(frame.width() > 0 && frame.height() > 0, "{name}"),
                Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
            }
        }
    }
}
