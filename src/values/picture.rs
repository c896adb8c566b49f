//! A picture as it is asked about: a frame, and the part of it that "that" means.

mod input;

use std::borrow::Cow;
use std::sync::Arc;

use image::RgbImage;
use image::imageops::{self, FilterType};

use crate::frame::Frame;
use crate::region::{Region, cut};

pub use input::ImageInput;

/// A frame, or the part of it that "that" means.
#[derive(Debug, Clone)]
pub struct Look {
    /// The whole frame.
    pub frame: Frame,
    /// The part to look at, or all of it.
    pub region: Option<Region>,
}

/// What something is about: these pixels, and the part of them.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// See [`Frame::sha256`].
    pub sha256: Arc<str>,
    /// The part, or all of it.
    pub region: Option<Region>,
}

impl Look {
    /// By which it is told from others.
    #[must_use]
    pub fn about(&self) -> About {
        About { sha256: Arc::clone(self.frame.sha256()), region: self.region }
    }

    /// What an encoder is shown: the marked part with its surroundings, or the whole frame.
    #[must_use]
    pub fn shown(&self) -> Cow<'_, RgbImage> {
        let whole = &*self.frame.pixels;
        let Some(region) = self.region else { return Cow::Borrowed(whole) };
        Cow::Owned(cut(whole, region.context(whole.width(), whole.height())))
    }

    /// The part of the frame that [`Look::shown`] covers.
    #[must_use]
    pub fn area(&self) -> Region {
        let (width, height) = self.frame.pixels.dimensions();
        self.region.map_or(Region::WHOLE, |region| region.surroundings(width, height))
    }

    /// [`Look::shown`] as a square of `side` × `side` pixels, and the part of the frame that it
    /// covers. The aspect is not kept, as in the training of Idefics3's encoder.
    #[must_use]
    pub fn squashed(&self, side: u32) -> (RgbImage, Region) {
        (resize(&self.shown(), side, side, Filter::Lanczos), self.area())
    }
}

/// A resampling filter, antialiased as Pillow's of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// The nearest pixel, as it is.
    Nearest,
    /// Three lobes of sinc.
    Lanczos,
    /// A triangle.
    Bilinear,
    /// Catmull and Rom's spline.
    Bicubic,
}

/// Resizes as Pillow does.
#[must_use]
pub fn resize(pixels: &RgbImage, width: u32, height: u32, filter: Filter) -> RgbImage {
    if pixels.dimensions() == (width, height) {
        return pixels.clone();
    }
    // Only sizes that no picture has are refused; the slower resizer takes any.
    quickly(pixels, width, height, filter).unwrap_or_else(|| {
        let filter = match filter {
            Filter::Nearest => FilterType::Nearest,
            Filter::Lanczos => FilterType::Lanczos3,
            Filter::Bilinear => FilterType::Triangle,
            Filter::Bicubic => FilterType::CatmullRom,
        };
        imageops::resize(pixels, width, height, filter)
    })
}

/// The picture with its longer side at most `longest`, each pixel the mean of those in its place.
#[must_use]
pub fn thumbnail(pixels: &RgbImage, longest: u32) -> RgbImage {
    let (width, height) = pixels.dimensions();
    let scale = (f64::from(longest) / f64::from(width.max(height).max(1))).min(1.0);
    let side = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    imageops::thumbnail(pixels, side(width), side(height))
}

fn quickly(pixels: &RgbImage, width: u32, height: u32, filter: Filter) -> Option<RgbImage> {
    use fast_image_resize::images::{Image, ImageRef};
    use fast_image_resize::pixels::U8x3;
    use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

    let algorithm = match filter {
        Filter::Nearest => ResizeAlg::Nearest,
        Filter::Lanczos => ResizeAlg::Convolution(FilterType::Lanczos3),
        Filter::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
        Filter::Bicubic => ResizeAlg::Convolution(FilterType::CatmullRom),
    };
    let options = ResizeOptions::new().resize_alg(algorithm);
    let (wide, high) = pixels.dimensions();
    let source = ImageRef::new(wide, high, pixels.as_raw(), PixelType::U8x3).ok()?;
    let mut target = Image::new(width, height, PixelType::U8x3);
    // For one kind of pixel: those that are never seen take two minutes to compile.
    let (from, mut to) = (source.typed_image::<U8x3>()?, target.typed_image_mut::<U8x3>()?);
    Resizer::new().resize_typed(&from, &mut to, &options).ok()?;
    RgbImage::from_raw(width, height, target.into_vec())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::frame::Source;

    #[test]
    fn pictures_are_squashed_to_the_square_and_regions_are_cut_out() {
        let mut pixels = RgbImage::from_pixel(200, 100, image::Rgb([255, 0, 0]));
        for (x, _, pixel) in pixels.enumerate_pixels_mut() {
            if x >= 100 {
                *pixel = image::Rgb([0, 0, 255]);
            }
        }
        let frame = Frame::new(pixels, Source::Memory("two halves".into()));
        let colour = |region: Option<Region>, x, y| {
            let (pixels, _) = Look { frame: frame.clone(), region }.squashed(224);
            assert_eq!(pixels.dimensions(), (224, 224));
            pixels.get_pixel(x, y).0
        };
        assert_eq!(colour(None, 10, 10), [255, 0, 0]);
        assert_eq!(colour(None, 210, 210), [0, 0, 255]);
        let right = Region::new(0.6, 0.2, 0.3, 0.6).unwrap();
        assert_eq!(colour(Some(right), 10, 10), [0, 0, 255]);
    }

    #[test]
    fn a_thumbnail_keeps_the_aspect_and_is_never_larger() {
        assert_eq!(thumbnail(&RgbImage::new(1000, 500), 192).dimensions(), (192, 96));
        assert_eq!(thumbnail(&RgbImage::new(10_000, 3), 192).dimensions(), (192, 1));
        assert_eq!(thumbnail(&RgbImage::new(20, 30), 192).dimensions(), (20, 30));
    }

    /// Pillow's results, made by `tests/reference/golden_resize.py`.
    #[test]
    fn resizing_agrees_with_pillow() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/resize");
        for name in ["shrunk", "enlarged", "wide"] {
            let read = |end: &str| {
                image::open(folder.join(format!("{name}.{end}.png"))).unwrap().into_rgb8()
            };
            let (ours, wanted) = (resize(&read("in"), 224, 224, Filter::Lanczos), read("out"));
            let differ = |bound: u8| {
                let pairs = ours.as_raw().iter().zip(wanted.as_raw());
                pairs.filter(|(ours, wanted)| ours.abs_diff(**wanted) > bound).count()
            };
            let values = ours.as_raw().len();
            assert_eq!(wanted.as_raw().len(), values);
            assert!(differ(1) * 1000 <= values * 3, "{name}: {} of {values}", differ(1));
        }
    }
}
