//! Orientation tags in every format that has them.

use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::make::{png_chunk, tiff_file};
use super::*;

/// EXIF data with nothing but an orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
    exif[19] = orientation;
    exif
}

/// The squares, turned as EXIF says. Told by where the corners go: first white, second blue, third
/// black, last grey.
fn expected_corners(orientation: u8) -> [u8; 4] {
    // Of the stored picture: a b above, c d below.
    *[b"abcd", b"badc", b"dcba", b"cdab", b"acbd", b"cadb", b"dbca", b"bdac"]
        [usize::from(orientation) - 1]
}

fn assert_upright(name: &str, bytes: &[u8], orientation: u8) {
    let picture = load(bytes).unwrap();
    let turned = orientation >= 5;
    let size = if turned { (16, 32) } else { (32, 16) };
    assert_eq!(picture.dimensions(), size, "{name}, orientation {orientation}");
    let (right, bottom) = (size.0 - 4, size.1 - 4);
    let corners = [(3, 3), (right, 3), (3, bottom), (right, bottom)];
    let letters = corners.map(|(x, y)| {
        let pixel = picture.get_pixel(x, y).0;
        let near =
            |square: usize| pixel.iter().zip(SQUARES[square]).all(|(a, b)| a.abs_diff(b) < 9);
        match [0, 3, 4, 7].into_iter().position(near) {
            Some(corner) => b"abcd"[corner],
            None => panic!("{name}, orientation {orientation}: {pixel:?} at {x},{y}"),
        }
    });
    assert_eq!(letters, expected_corners(orientation), "{name}, orientation {orientation}");
}

#[test]
fn jpeg() {
    let plain = encode(squares(), ImageFormat::Jpeg);
    for orientation in 1..=8 {
        let exif = exif(orientation);
        let length = (2 + 6 + exif.len()) as u16;
        let segment = [&b"\xFF\xE1"[..], &length.to_be_bytes(), b"Exif\0\0", &exif].concat();
        let tagged = [&plain[..2], &segment, &plain[2..]].concat();
        assert_upright("JPEG", &tagged, orientation);
    }
}

#[test]
fn png_with_the_tag_before_or_after_the_pixels() {
    let plain = encode(squares(), ImageFormat::Png);
    let after_header = 8 + 25;
    let before_end = plain.len() - 12;
    for orientation in 1..=8 {
        let chunk = png_chunk(*b"eXIf", &exif(orientation));
        for (name, at) in [("tag before", after_header), ("tag after", before_end)] {
            let tagged = [&plain[..at], &chunk, &plain[at..]].concat();
            assert_upright(name, &tagged, orientation);
        }
    }
}

#[test]
fn webp_with_bare_or_prefixed_exif() {
    for orientation in 1..=8 {
        let bare = exif(orientation);
        let prefixed = [b"Exif\0\0", bare.as_slice()].concat();
        for (name, exif) in [("bare", bare), ("prefixed", prefixed)] {
            let mut bytes = Vec::new();
            let mut encoder = WebPEncoder::new_lossless(&mut bytes);
            encoder.set_exif_metadata(exif).unwrap();
            encoder.write_image(&squares(), 32, 16, ExtendedColorType::Rgb8).unwrap();
            assert_upright(name, &bytes, orientation);
        }
    }
}

#[test]
fn tiff() {
    for orientation in 1..=8 {
        let bytes = tiff_file(32, 16, [8, 8, 8], &[(274, u32::from(orientation))], &squares());
        assert_upright("TIFF", &bytes, orientation);
    }
}

#[test]
fn a_broken_tag_does_not_spoil_the_picture() {
    let plain = encode(card(), ImageFormat::Png);
    for exif in [&b""[..], b"MM\0*", &exif(0), &exif(9), b"garbage garbage garbage"] {
        let tagged = [&plain[..33], &png_chunk(*b"eXIf", exif), &plain[33..]].concat();
        assert_eq!(load(&tagged), Ok(card()), "{}", exif.escape_ascii());
    }
}
