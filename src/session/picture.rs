//! The pictures of a conversation: PNG made from the pixels alone, so that nothing else a camera
//! wrote into its file (place, time, owner) comes along.

use std::io::Cursor;
use std::path::Path;

use conversation::Picture;
use image::codecs::png::{CompressionType, FilterType, PngDecoder, PngEncoder};
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, Limits, RgbImage};
use values::frame::{Frame, Source};
use values::panics;

use super::error::SessionError;
use super::files;

/// The most pixels a picture may have: 100 million, as where pictures are taken in.
pub const MAX_PIXELS: u64 = 100_000_000;
/// The most bytes a picture's file may have: 512 MiB, more than any PNG of [`MAX_PIXELS`].
pub const MAX_BYTES: u64 = 512 << 20;
/// Longest side of a thumbnail, in pixels.
pub const THUMBNAIL_SIDE: u32 = 192;

/// The folder of pictures within a conversation's.
pub const FOLDER: &str = "pictures";

/// The file with the number `number`: `pictures/0001.png`.
pub fn file_name(number: u32) -> String {
    format!("{FOLDER}/{number:04}.png")
}

/// The number in a file's name; `None` where it is no name that [`file_name`] gives, so that no
/// other file can be meant.
pub fn number(file: &str) -> Option<u32> {
    let digits = file.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(".png")?;
    let number = digits.parse().ok()?;
    (file_name(number) == file).then_some(number)
}

/// Writes pixels as PNG, quickly.
pub fn write(path: &Path, pixels: &RgbImage) -> Result<(), SessionError> {
    // Encoded first: the encoder would hide whether it was the disk that is full.
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Up)
        .write_image(pixels.as_raw(), pixels.width(), pixels.height(), ExtendedColorType::Rgb8)
        .map_err(|error| SessionError::damaged(path, error.to_string()))?;
    files::write_bytes(path, &png)
}

/// Decodes the PNG of `record` and checks that it is the picture that was kept. `name` is for
/// messages.
pub fn decode(name: &Path, bytes: &[u8], record: &Picture) -> Result<Frame, SessionError> {
    let damaged = |reason: &str| SessionError::damaged(name, reason);
    if u64::from(record.width) * u64::from(record.height) > MAX_PIXELS {
        return Err(damaged("it has too many pixels"));
    }
    let pixels = panics::guard(|| decode_png(bytes, (record.width, record.height)))
        .unwrap_or_else(Err)
        .map_err(|reason| damaged(&reason))?;
    let frame = Frame::new(pixels, Source::Memory(record.name.clone()));
    if **frame.sha256() == record.sha256 {
        Ok(frame)
    } else {
        Err(damaged("its pixels are not the ones that were asked about"))
    }
}

fn decode_png(bytes: &[u8], size: (u32, u32)) -> Result<RgbImage, String> {
    let mut limits = Limits::no_limits();
    // As RGB, with room for the decoder's own rows.
    limits.max_alloc = Some(MAX_PIXELS * 3 + (64 << 20));
    let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits).map_err(|e| e.to_string())?;
    if decoder.dimensions() != size {
        return Err("it has another size than was noted".to_owned());
    }
    if decoder.color_type() != image::ColorType::Rgb8 {
        return Err("it is not 8-bit RGB".to_owned());
    }
    DynamicImage::from_decoder(decoder).map(DynamicImage::into_rgb8).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit_tests::pixels;

    fn record(pixels: &RgbImage) -> Picture {
        Picture {
            file: file_name(1),
            name: "a.png".into(),
            width: pixels.width(),
            height: pixels.height(),
            region: None,
            sha256: Frame::new(pixels.clone(), Source::Stdin).sha256().to_string(),
            evidence: <_>::default(),
        }
    }

    #[test]
    fn pixels_come_back_as_they_went() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        for (width, height) in [(1, 1), (300, 7), (17, 200)] {
            let pixels = pixels(width, height, 3);
            write(&path, &pixels).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(*decode(&path, &bytes, &record(&pixels)).unwrap().pixels, pixels);
        }
    }

    #[test]
    fn another_picture_does_not_pass_for_the_one_that_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let (own, other) = (pixels(8, 8, 1), pixels(8, 8, 2));
        write(&path, &other).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let reason = |bytes: &[u8], record| decode(&path, bytes, &record).unwrap_err().to_string();
        assert!(reason(&bytes, record(&own)).contains("not the ones"));
        assert!(reason(&bytes, Picture { width: 9, ..record(&own) }).contains("another size"));
        let huge = Picture { width: 20_000, height: 20_000, ..record(&own) };
        assert!(reason(&bytes, huge).contains("too many pixels"));
        assert!(decode(&path, &bytes[..bytes.len() / 2], &record(&other)).is_err());
        assert!(decode(&path, b"GIF89a", &record(&other)).is_err());
    }

    #[test]
    fn only_the_names_of_pictures_pass() {
        assert_eq!(number("pictures/0001.png"), Some(1));
        assert_eq!(number(&file_name(123_456)), Some(123_456));
        for file in [
            "pictures/1.png",
            "pictures/+001.png",
            "pictures/../0001.png",
            "/pictures/0001.png",
            "pictures\\0001.png",
            "pictures/0001.png/",
            "0001.png",
            "pictures/9999999999.png",
        ] {
            assert_eq!(number(file), None, "{file}");
        }
    }
}
