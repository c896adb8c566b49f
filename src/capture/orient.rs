//! Turning pictures upright.

use image::metadata::Orientation;
use image::{RgbImage, imageops};

/// The side of the square tiles in which a picture is turned, in pixels. A tile of source and one
/// of target fit a first-level cache together.
const TILE: u32 = 64;

/// Applies an orientation tag (EXIF tag 0x0112).
///
/// Phones write such a tag on nearly every upright photograph, so turning is on the way from the
/// shutter to the answer. It goes tile by tile, because pixel by pixel along the rows of one picture
/// means jumping down a column of the other, a cache miss for each.
pub(super) fn apply(mut pixels: RgbImage, orientation: Orientation) -> RgbImage {
    match orientation {
        Orientation::NoTransforms => pixels,
        Orientation::FlipHorizontal => {
            imageops::flip_horizontal_in_place(&mut pixels);
            pixels
        }
        Orientation::FlipVertical => {
            imageops::flip_vertical_in_place(&mut pixels);
            pixels
        }
        Orientation::Rotate180 => {
            imageops::rotate180_in_place(&mut pixels);
            pixels
        }
        // Rows become columns; what differs is from which end each is read.
        Orientation::Rotate90FlipH => transpose(&pixels, false, false),
        Orientation::Rotate90 => transpose(&pixels, false, true),
        Orientation::Rotate270 => transpose(&pixels, true, false),
        Orientation::Rotate270FlipH => transpose(&pixels, true, true),
    }
}

/// The picture with rows and columns exchanged: target pixel (x, y) is source pixel (y, x), with
/// the source's columns or rows counted from the far end where told.
fn transpose(source: &RgbImage, from_right: bool, from_bottom: bool) -> RgbImage {
    let (source_width, source_height) = source.dimensions();
    let (width, height) = (source_height, source_width);
    let mut target = RgbImage::new(width, height);
    let (from, to): (&[u8], &mut [u8]) = (source, &mut target);
    for top in (0..height).step_by(TILE as usize) {
        for left in (0..width).step_by(TILE as usize) {
            for y in top..height.min(top + TILE) {
                let column = if from_right { source_width - 1 - y } else { y };
                for x in left..width.min(left + TILE) {
                    let row = if from_bottom { source_height - 1 - x } else { x };
                    let read = (row as usize * source_width as usize + column as usize) * 3;
                    let write = (y as usize * width as usize + x as usize) * 3;
                    to[write..write + 3].copy_from_slice(&from[read..read + 3]);
                }
            }
        }
    }
    target
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, Rgb};

    use super::*;

    /// Pixels that all differ.
    fn card(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let n = y * width + x;
            Rgb([(n >> 16) as u8, (n >> 8) as u8, n as u8])
        })
    }

    #[test]
    fn turns_as_the_standard_says() {
        // Two columns, three rows; which source pixel (counted along the rows) each target shows.
        let expected: [(u8, u32, &[u8]); 8] = [
            (1, 2, &[0, 1, 2, 3, 4, 5]),
            (2, 2, &[1, 0, 3, 2, 5, 4]),
            (3, 2, &[5, 4, 3, 2, 1, 0]),
            (4, 2, &[4, 5, 2, 3, 0, 1]),
            (5, 3, &[0, 2, 4, 1, 3, 5]),
            (6, 3, &[4, 2, 0, 5, 3, 1]),
            (7, 3, &[5, 3, 1, 4, 2, 0]),
            (8, 3, &[1, 3, 5, 0, 2, 4]),
        ];
        for (tag, width, order) in expected {
            let turned = apply(card(2, 3), Orientation::from_exif(tag).unwrap());
            assert_eq!(turned.width(), width, "orientation {tag}");
            let shown: Vec<u8> = turned.pixels().map(|pixel| pixel.0[2]).collect();
            assert_eq!(shown, order, "orientation {tag}");
        }
    }

    #[test]
    fn sizes_around_the_tile_agree_with_the_image_crate() {
        let t = TILE;
        for (width, height) in [(1, 1), (1, 300), (300, 1), (t, t), (t + 1, t - 1), (3 * t, 200)] {
            for tag in 1..=8 {
                let orientation = Orientation::from_exif(tag).unwrap();
                let mut other = DynamicImage::ImageRgb8(card(width, height));
                other.apply_orientation(orientation);
                let same = apply(card(width, height), orientation) == other.into_rgb8();
                assert!(same, "{width}×{height}, orientation {tag}");
            }
        }
    }
}
