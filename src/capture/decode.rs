//! From the bytes of a picture file to RGB pixels.

use std::error::Error;
use std::io;
use std::io::Cursor;

use image::error::{LimitErrorKind, UnsupportedErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits, RgbImage, RgbaImage};
use values::panics;
use values::text::brief;

use super::error::Reason;
use super::sniff::{self, Format};
use super::{container, orient};

/// The most pixels a picture may have: 100 million.
///
/// Above the 50 megapixels of today's cameras and phones; as RGB it is 300 MB.
pub const MAX_PIXELS: u64 = 100_000_000;

/// The most bytes a decoder may hold at once: [`MAX_PIXELS`] of 16-bit RGBA.
const MAX_ALLOC: u64 = MAX_PIXELS * 8;

/// Decodes a whole picture file into upright RGB pixels.
pub(super) fn decode(bytes: &[u8]) -> Result<RgbImage, Reason> {
    let format = sniff::recognise(bytes)?;
    guard(format, || decode_as(format, bytes))
}

/// Runs a decoder and turns a panic within it into a reason: a hostile file must not end the
/// program.
fn guard<T>(format: Format, decoder: impl FnOnce() -> Result<T, Reason>) -> Result<T, Reason> {
    panics::guard(decoder).unwrap_or(Err(Reason::DecoderFailed { format: format.name() }))
}

fn decode_as(format: Format, bytes: &[u8]) -> Result<RgbImage, Reason> {
    let reason = |error| explain(format, error);
    check_container(format, bytes)?;

    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_ALLOC);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format.into());
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(reason)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    limits.reserve(decoder.total_bytes()).map_err(reason)?;

    let orientation = orientation(format, bytes, &mut decoder);
    let picture = DynamicImage::from_decoder(decoder).map_err(reason)?;
    // Turned last, when a pixel has become three bytes whatever it was before.
    Ok(orient::apply(flatten(picture), orientation))
}

/// Checks what the decoders would not notice, or would notice too late.
fn check_container(format: Format, bytes: &[u8]) -> Result<(), Reason> {
    let complete = match format {
        Format::Jpeg => container::is_complete_jpeg(bytes),
        Format::WebP => container::is_complete_webp(bytes),
        _ => true,
    };
    if !complete {
        return Err(Reason::EndsEarly);
    }
    // The PNG decoder makes room for a row before its size can be asked.
    match container::png_size(bytes) {
        Some((width, height)) if format == Format::Png => check_size(width, height),
        _ => Ok(()),
    }
}

fn check_size(width: u32, height: u32) -> Result<(), Reason> {
    if width == 0 || height == 0 {
        return Err(Reason::ZeroSized);
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Reason::TooManyPixels { width, height });
    }
    Ok(())
}

/// How the picture has to be turned. A tag that cannot be read is no reason to refuse a picture.
fn orientation(format: Format, bytes: &[u8], decoder: &mut impl ImageDecoder) -> Orientation {
    match format {
        Format::Jpeg | Format::Tiff => decoder.orientation().ok(),
        Format::Png => container::png_orientation(bytes),
        Format::WebP => {
            let exif = decoder.exif_metadata().ok().flatten();
            exif.and_then(|exif| container::exif_orientation(&exif))
        }
        Format::Gif | Format::Bmp | Format::Pnm => None,
    }
    .unwrap_or(Orientation::NoTransforms)
}

/// Whatever the samples are, as 8-bit RGB.
fn flatten(picture: DynamicImage) -> RgbImage {
    if picture.color().has_alpha() {
        over_white(&picture.into_rgba8())
    } else {
        // Moves the pixels where they are 8-bit RGB already.
        picture.into_rgb8()
    }
}

/// Lays a picture over white: why white is said in the documentation of [`super`].
fn over_white(picture: &RgbaImage) -> RgbImage {
    let mut out = RgbImage::new(picture.width(), picture.height());
    let (to, _) = out.as_chunks_mut::<3>();
    let (from, _) = picture.as_chunks::<4>();
    for (to, &[r, g, b, alpha]) in to.iter_mut().zip(from) {
        // Many a screenshot has an alpha channel and nothing transparent in it.
        if alpha == 255 {
            *to = [r, g, b];
            continue;
        }
        let alpha = u32::from(alpha);
        let white = 255 * (255 - alpha);
        *to = [r, g, b].map(|sample| ((u32::from(sample) * alpha + white + 127) / 255) as u8);
    }
    out
}

/// A decoder's error as a reason.
fn explain(format: Format, error: ImageError) -> Reason {
    let detail = match error.source() {
        Some(source) => brief(source),
        None => brief(&error),
    };
    if is_end_of_data(&error) || END_OF_DATA.iter().any(|words| detail.contains(words)) {
        return Reason::EndsEarly;
    }
    let format = format.name();
    match error {
        ImageError::Unsupported(what) => {
            let detail = match what.kind() {
                UnsupportedErrorKind::GenericFeature(feature) => brief(&feature),
                _ => "its way of storing colours".to_owned(),
            };
            Reason::UnsupportedVariant { format, detail }
        }
        ImageError::Limits(limit) if limit.kind() == LimitErrorKind::InsufficientMemory => {
            Reason::TooMuchMemory
        }
        _ => Reason::Damaged { format, detail },
    }
}

/// The words of those decoders (GIF, PNM) that have their own errors for data that run out, with
/// types that are not reachable from here.
const END_OF_DATA: [&str; 2] = ["Unexpected End of File", "Not enough data was provided"];

/// Whether an error was, at the bottom, that the bytes ran out.
fn is_end_of_data(error: &ImageError) -> bool {
    let ran_out = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
    if let ImageError::IoError(error) = error {
        return ran_out(error);
    }
    let mut next = error.source();
    while let Some(error) = next {
        if error.downcast_ref::<io::Error>().is_some_and(ran_out) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_a_decoder_becomes_an_error() {
        let outcome: Result<(), _> = guard(Format::Tiff, || panic!("index out of bounds"));
        assert_eq!(outcome, Err(Reason::DecoderFailed { format: "TIFF" }));
        assert_eq!(guard(Format::Tiff, || Ok(7)), Ok(7));
    }

    #[test]
    fn transparency_is_laid_over_white() {
        let over =
            |rgba| over_white(&RgbaImage::from_raw(1, 1, Vec::from(rgba)).unwrap()).into_raw();
        assert_eq!(over([10, 20, 30, 255]), [10, 20, 30]);
        assert_eq!(over([10, 20, 30, 0]), [255, 255, 255]);
        assert_eq!(over([0, 0, 0, 128]), [127, 127, 127]);
        // To the nearest: 158.9.
        assert_eq!(over([10, 10, 10, 100]), [159, 159, 159]);
        assert_eq!(over([255, 255, 255, 77]), [255, 255, 255]);
    }

    #[test]
    fn the_limit_on_pixels_is_inclusive_and_does_not_overflow() {
        assert_eq!(check_size(10_000, 10_000), Ok(()));
        assert_eq!(check_size(1, 1), Ok(()));
        let refused = [(10_001, 10_000), (u32::MAX, u32::MAX), (1, 100_000_001)];
        for (width, height) in refused {
            let reason = Reason::TooManyPixels { width, height };
            assert_eq!(check_size(width, height), Err(reason));
        }
        assert_eq!(check_size(0, 5), Err(Reason::ZeroSized));
        assert_eq!(check_size(5, 0), Err(Reason::ZeroSized));
    }

    #[test]
    fn data_that_run_out_are_told_from_damaged_ones_through_wrapped_errors() {
        let io_error = |kind| io::Error::new(kind, "inner");
        let wrapped = |kind| {
            let hint = image::error::ImageFormatHint::Unknown;
            ImageError::Decoding(image::error::DecodingError::new(hint, io_error(kind)))
        };
        assert!(is_end_of_data(&ImageError::IoError(io_error(io::ErrorKind::UnexpectedEof))));
        assert!(is_end_of_data(&wrapped(io::ErrorKind::UnexpectedEof)));
        assert!(!is_end_of_data(&wrapped(io::ErrorKind::InvalidData)));
    }
}
