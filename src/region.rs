//! A region: the part of a frame that "that" means in "what is that?".
//!
//! A [`Region`] is kept as fractions of the frame, so that it means the same place on the full
//! picture, on a thumbnail and on the screen. A [`RegionSpec`] is what a person wrote, in fractions
//! or in pixels, before it is known how large the picture is.

use std::fmt;
use std::str::FromStr;

use image::RgbImage;
use image::imageops::{self, FilterType};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How much of the surroundings [`Region::crop`] adds on each side, as a fraction of the region's
/// own width or height.
///
/// A tight cut-out loses what the thing is standing on or fastened to, which is often what tells it
/// apart; much more than this and the model starts to speak of the neighbours.
pub const MARGIN: f64 = 0.15;

/// The least length in pixels of the longer side of a [`Region::crop`].
///
/// 224 is the smallest input side among common vision encoders. A smaller crop is enlarged here
/// with a good filter, and not left to whatever a model's own preprocessing does.
pub const MIN_CROP: u32 = 224;

/// Why a region was refused.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RegionError {
    /// The text is not four numbers.
    #[error(
        "\"{0}\" is not a region: give x,y,width,height, as fractions (0.25,0.25,0.5,0.5) or in \
         pixels (100,80,200,150)"
    )]
    Syntax(String),
    /// A number is NaN or infinite.
    #[error("the region's {0} is not a finite number")]
    NotFinite(&'static str),
    /// A number is below zero.
    #[error("the region's {name} is negative ({value})")]
    Negative {
        /// Which of the four numbers.
        name: &'static str,
        /// The number as given, in fractions or pixels.
        value: f64,
    },
    /// The width or the height is zero.
    #[error("the region has no area: its width and height must be above zero")]
    ZeroSize,
    /// The region starts beyond the right or the bottom edge.
    #[error("the region starts at {x},{y}, outside the picture")]
    Outside {
        /// The left edge as given, in fractions or pixels.
        x: f64,
        /// The top edge as given, in fractions or pixels.
        y: f64,
    },
    /// The picture itself has no pixels.
    #[error("an empty picture has no regions")]
    EmptyPicture,
}

/// A rectangle of whole pixels, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PixelBox {
    /// The leftmost column.
    pub x: u32,
    /// The topmost row.
    pub y: u32,
    /// The number of columns, at least 1.
    pub width: u32,
    /// The number of rows, at least 1.
    pub height: u32,
}

/// A part of a frame, as fractions of the frame's width and height from its top left corner.
///
/// Always lies inside the frame and always has an area: `0 <= x`, `0 < width`, `x + width <= 1`, and
/// the same downwards. Read back from JSON, these are checked again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fractions")]
pub struct Region {
    x: f32,
    y: f32,
    width: f32,
    height: f32,
}

/// The numbers of a region before they are checked.
#[derive(Deserialize)]
struct Fractions {
    x: f32,
    y: f32,
    width: f32,
    height: f32,
}

impl TryFrom<Fractions> for Region {
    type Error = RegionError;

    fn try_from(f: Fractions) -> Result<Self, RegionError> {
        Self::new(f.x, f.y, f.width, f.height)
    }
}

impl Region {
    /// The whole frame.
    pub const WHOLE: Self = Self {
        x: 0.0,
        y: 0.0,
        width: 1.0,
        height: 1.0,
    };

    /// A region from fractions of the frame. What lies beyond the right or the bottom edge is cut
    /// off.
    ///
    /// # Errors
    /// A number that is negative or not finite, no area, or no overlap with the frame.
    pub fn new(x: f32, y: f32, width: f32, height: f32) -> Result<Self, RegionError> {
        check(&[x, y, width, height].map(f64::from))?;
        let (width, height) = (width.min(1.0 - x), height.min(1.0 - y));
        if x >= 1.0 || y >= 1.0 {
            return Err(RegionError::Outside {
                x: x.into(),
                y: y.into(),
            });
        }
        Ok(Self {
            x,
            y,
            width,
            height,
        })
    }

    /// The left edge, from 0 to below 1.
    pub fn x(&self) -> f32 {
        self.x
    }

    /// The top edge, from 0 to below 1.
    pub fn y(&self) -> f32 {
        self.y
    }

    /// The width, above 0 and at most 1.
    pub fn width(&self) -> f32 {
        self.width
    }

    /// The height, above 0 and at most 1.
    pub fn height(&self) -> f32 {
        self.height
    }

    /// The whole pixels that the region covers in a picture of `width`×`height` pixels.
    ///
    /// Each edge goes to the nearest pixel edge, so that a region given in pixels comes back as
    /// given (on sides up to about four million pixels, where `f32` ends). Never empty: a region
    /// thinner than a pixel gives the pixel it lies on. Never outside the picture, which must have
    /// at least one pixel.
    pub fn pixels(&self, width: u32, height: u32) -> PixelBox {
        let (x, width) = span(self.x, self.width, width);
        let (y, height) = span(self.y, self.height, height);
        PixelBox {
            x,
            y,
            width,
            height,
        }
    }

    /// The pixels that [`Region::crop`] cuts out: the region with [`MARGIN`] of its surroundings on
    /// each side, as far as the picture reaches.
    ///
    /// What is found in the crop lies here in the picture.
    pub fn context(&self, width: u32, height: u32) -> PixelBox {
        let inner = self.pixels(width, height);
        let (x, width) = widen(inner.x, inner.width, width);
        let (y, height) = widen(inner.y, inner.height, height);
        PixelBox {
            x,
            y,
            width,
            height,
        }
    }

    /// The picture of the region that the model sees: [`Region::context`], enlarged with its
    /// aspect kept where the longer side is below [`MIN_CROP`].
    pub fn crop(&self, pixels: &RgbImage) -> RgbImage {
        let crop = cut(pixels, self.context(pixels.width(), pixels.height()));
        let longer = crop.width().max(crop.height());
        if longer == 0 || longer >= MIN_CROP {
            return crop;
        }
        let scale = f64::from(MIN_CROP) / f64::from(longer);
        let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
        imageops::resize(
            &crop,
            side(crop.width()),
            side(crop.height()),
            FilterType::Lanczos3,
        )
    }
}

/// In the form that [`RegionSpec`] reads: `x,y,width,height` as fractions, with every digit needed
/// to give back the same region.
impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{},{}", self.x, self.y, self.width, self.height)
    }
}

/// What the numbers of a [`RegionSpec`] count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Parts of the frame's width and height.
    Fractions,
    /// Pixels of the frame.
    Pixels,
}

/// A region as a person wrote it: `x,y,width,height`.
///
/// Four numbers none of which is above 1 are fractions of the picture; otherwise they are pixels.
/// (So `0,0,1,1` is the whole picture, and not its first pixel.)
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegionSpec {
    /// What the numbers count.
    pub unit: Unit,
    /// The left edge.
    pub x: f64,
    /// The top edge.
    pub y: f64,
    /// The width.
    pub width: f64,
    /// The height.
    pub height: f64,
}

impl RegionSpec {
    /// The region this means in a picture of `width`×`height` pixels. A part beyond the right or
    /// the bottom edge is cut off.
    ///
    /// # Errors
    /// A number that is negative or not finite, no area, or no overlap with the picture.
    pub fn resolve(&self, width: u32, height: u32) -> Result<Region, RegionError> {
        if width == 0 || height == 0 {
            return Err(RegionError::EmptyPicture);
        }
        // Checked as written, so that an error shows the numbers the person knows.
        check(&[self.x, self.y, self.width, self.height])?;
        let (full_width, full_height) = match self.unit {
            Unit::Fractions => (1.0, 1.0),
            Unit::Pixels => (f64::from(width), f64::from(height)),
        };
        if self.x >= full_width || self.y >= full_height {
            return Err(RegionError::Outside {
                x: self.x,
                y: self.y,
            });
        }
        Region::new(
            (self.x / full_width) as f32,
            (self.y / full_height) as f32,
            (self.width / full_width).min(1.0) as f32,
            (self.height / full_height).min(1.0) as f32,
        )
    }
}

impl FromStr for RegionSpec {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, RegionError> {
        let syntax = || RegionError::Syntax(text.trim().chars().take(80).collect());
        let mut numbers = [0.0; 4];
        let mut parts = text.split(',');
        for number in &mut numbers {
            let part = parts.next().ok_or_else(syntax)?;
            *number = part.trim().parse().map_err(|_| syntax())?;
        }
        if parts.next().is_some() {
            return Err(syntax());
        }
        let unit = if numbers.iter().any(|n| *n > 1.0) {
            Unit::Pixels
        } else {
            Unit::Fractions
        };
        let [x, y, width, height] = numbers;
        Ok(Self {
            unit,
            x,
            y,
            width,
            height,
        })
    }
}

/// Refuses numbers that are wrong whatever the size of the picture.
fn check(numbers: &[f64; 4]) -> Result<(), RegionError> {
    for (name, &value) in ["x", "y", "width", "height"].into_iter().zip(numbers) {
        if !value.is_finite() {
            return Err(RegionError::NotFinite(name));
        }
        if value < 0.0 {
            return Err(RegionError::Negative { name, value });
        }
    }
    if numbers[2] == 0.0 || numbers[3] == 0.0 {
        return Err(RegionError::ZeroSize);
    }
    Ok(())
}

/// The first pixel and the number of pixels of `start..start + length` (fractions) on a side of
/// `side` pixels.
fn span(start: f32, length: f32, side: u32) -> (u32, u32) {
    let side = side.max(1);
    let full = f64::from(side);
    let (start, length) = (f64::from(start), f64::from(length));
    let first = ((start * full).round() as u32).min(side);
    let end = (((start + length) * full).round() as u32).min(side);
    if first < end {
        (first, end - first)
    } else {
        // Thinner than a pixel: the pixel under the middle.
        let middle = ((start + length / 2.0) * full) as u32;
        (middle.min(side - 1), 1)
    }
}

/// `first..first + length` with [`MARGIN`] on both ends, kept within `0..side`.
fn widen(first: u32, length: u32, side: u32) -> (u32, u32) {
    let margin = (f64::from(length) * MARGIN).ceil() as u32;
    let start = first.saturating_sub(margin);
    let end = first
        .saturating_add(length)
        .saturating_add(margin)
        .min(side.max(1));
    (start, end - start)
}

/// Copies a box out of a picture, row by row.
fn cut(pixels: &RgbImage, at: PixelBox) -> RgbImage {
    if pixels.is_empty() {
        return RgbImage::new(0, 0);
    }
    let mut out = RgbImage::new(at.width, at.height);
    let stride = pixels.width() as usize * 3;
    let (left, row) = (at.x as usize * 3, at.width as usize * 3);
    let sources = pixels.chunks_exact(stride).skip(at.y as usize);
    for (to, from) in out.chunks_exact_mut(row).zip(sources) {
        to.copy_from_slice(&from[left..left + row]);
    }
    out
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn parse(text: &str) -> Result<RegionSpec, RegionError> {
        text.parse()
    }

    fn resolve(text: &str, width: u32, height: u32) -> Result<Region, RegionError> {
        parse(text)?.resolve(width, height)
    }

    /// Numbers without a pattern, the same in every run (Marsaglia, "Xorshift RNGs", 2003).
    fn random() -> impl FnMut(u32) -> u32 {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        move |below| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % u64::from(below)) as u32
        }
    }

    #[test]
    fn numbers_up_to_one_are_fractions_and_others_pixels() {
        let unit = |text| parse(text).map(|spec| spec.unit);
        assert_eq!(unit("0.25,0.25,0.5,0.5"), Ok(Unit::Fractions));
        assert_eq!(unit(" 0, 0, 1, 1 "), Ok(Unit::Fractions));
        assert_eq!(unit("0,0,1,2"), Ok(Unit::Pixels));
        assert_eq!(unit("100,80,200,150"), Ok(Unit::Pixels));
        assert_eq!(resolve("0,0,1,1", 640, 480), Ok(Region::WHOLE));
        assert_eq!(resolve("0,0,640,480", 640, 480), Ok(Region::WHOLE));
        assert_eq!(
            resolve("160,120,320,240", 640, 480),
            Region::new(0.25, 0.25, 0.5, 0.5)
        );
    }

    #[test]
    fn what_is_not_four_numbers_is_refused_with_an_example() {
        for text in [
            "",
            "1,2,3",
            "1,2,3,4,5",
            "a,b,c,d",
            "1;2;3;4",
            "1,2,3,",
            "10%,1,1,1",
        ] {
            assert_eq!(parse(text), Err(RegionError::Syntax(text.into())));
        }
        let message = parse("left half").unwrap_err().to_string();
        assert!(
            message.starts_with("\"left half\" is not a region: give x,y,width"),
            "{message}"
        );
        assert!(
            parse(&"9".repeat(10_000).replace('9', "9;"))
                .unwrap_err()
                .to_string()
                .len()
                < 300
        );
    }

    #[test]
    fn regions_that_mean_nothing_are_refused() {
        let refused = |text| resolve(text, 640, 480).unwrap_err();
        assert_eq!(refused("nan,0,0.5,0.5"), RegionError::NotFinite("x"));
        assert_eq!(refused("0,0,0.5,inf"), RegionError::NotFinite("height"));
        assert_eq!(
            refused("5,-3,20,20"),
            RegionError::Negative {
                name: "y",
                value: -3.0
            }
        );
        assert_eq!(
            refused("0,0,-20,20"),
            RegionError::Negative {
                name: "width",
                value: -20.0
            }
        );
        assert_eq!(refused("0.1,0.1,0,0.5"), RegionError::ZeroSize);
        assert_eq!(refused("5,5,20,0"), RegionError::ZeroSize);
        assert_eq!(refused("0.1,0.1,1e-60,0.5"), RegionError::ZeroSize);
        assert_eq!(
            refused("640,0,20,20"),
            RegionError::Outside { x: 640.0, y: 0.0 }
        );
        assert_eq!(
            refused("0,9000,20,20"),
            RegionError::Outside { x: 0.0, y: 9000.0 }
        );
        assert_eq!(
            refused("1,0,0.5,0.5"),
            RegionError::Outside { x: 1.0, y: 0.0 }
        );
        assert_eq!(resolve("0,0,1,1", 0, 480), Err(RegionError::EmptyPicture));
        assert_eq!(
            refused("640,0,20,20").to_string(),
            "the region starts at 640,0, outside the picture"
        );
    }

    #[test]
    fn a_part_outside_is_cut_off() {
        let clipped = resolve("600,400,1e9,5000", 640, 480).unwrap();
        let expected = PixelBox {
            x: 600,
            y: 400,
            width: 40,
            height: 80,
        };
        assert_eq!(clipped.pixels(640, 480), expected);
        assert_eq!(
            Region::new(0.5, 0.5, 9.0, 0.75),
            Region::new(0.5, 0.5, 0.5, 0.5)
        );
    }

    #[test]
    fn pixels_come_back_as_given() {
        let mut random = random();
        for _ in 0..20_000 {
            let (width, height) = (2 + random(65_534), 2 + random(65_534));
            let (x, y) = (random(width), random(height));
            let given = PixelBox {
                x,
                y,
                width: 1 + random(width - x),
                height: 1 + random(height - y),
            };
            let spec = RegionSpec {
                unit: Unit::Pixels,
                x: x.into(),
                y: y.into(),
                width: given.width.into(),
                height: given.height.into(),
            };
            let region = spec.resolve(width, height).unwrap();
            assert_eq!(region.pixels(width, height), given, "in {width}×{height}");
        }
    }

    #[test]
    fn any_region_is_inside_and_not_empty_at_any_size() {
        let mut random = random();
        let sizes = [1, 2, 3, 7, 100, 640, 1023, 4032, 65_535, 100_000_000];
        for _ in 0..20_000 {
            let mut fraction = || random(1 << 24) as f32 / (1 << 24) as f32;
            let (x, y) = (fraction(), fraction());
            // Small ones too: those are where rounding could leave nothing.
            let (w, h) = (fraction().powi(5), fraction().powi(5));
            let Ok(region) = Region::new(x, y, w, h) else {
                assert!(w == 0.0 || h == 0.0, "{x},{y},{w},{h}");
                continue;
            };
            assert!(region.x() + region.width() <= 1.0, "{region}");
            assert!(region.y() + region.height() <= 1.0, "{region}");
            let width = sizes[random(sizes.len() as u32) as usize];
            let height = sizes[random(sizes.len() as u32) as usize];
            let (inner, outer) = (region.pixels(width, height), region.context(width, height));
            for part in [inner, outer] {
                assert!(part.width > 0 && part.height > 0, "{region}: {part:?}");
                assert!(
                    part.x + part.width <= width,
                    "{region} in {width}: {part:?}"
                );
                assert!(
                    part.y + part.height <= height,
                    "{region} in {height}: {part:?}"
                );
            }
            assert!(
                outer.x <= inner.x && outer.y <= inner.y,
                "{outer:?} {inner:?}"
            );
            assert!(
                outer.x + outer.width >= inner.x + inner.width,
                "{outer:?} {inner:?}"
            );
            assert!(
                outer.y + outer.height >= inner.y + inner.height,
                "{outer:?} {inner:?}"
            );
        }
    }

    #[test]
    fn text_and_json_give_back_the_same_region() {
        let mut random = random();
        for _ in 0..5_000 {
            let mut fraction = || (1 + random(1 << 24)) as f32 / ((1 << 24) as f32 + 2.0);
            let region = Region::new(fraction(), fraction(), fraction(), fraction()).unwrap();
            assert_eq!(
                resolve(&region.to_string(), 640, 480),
                Ok(region),
                "{region}"
            );
            let json = serde_json::to_string(&region).unwrap();
            assert_eq!(
                serde_json::from_str::<Region>(&json).unwrap(),
                region,
                "{json}"
            );
        }
        let region = Region::new(0.25, 0.0, 0.5, 1.0).unwrap();
        assert_eq!(region.to_string(), "0.25,0,0.5,1");
        let json = r#"{"x":0.25,"y":0.0,"width":0.5,"height":1.0}"#;
        assert_eq!(serde_json::to_string(&region).unwrap(), json);
    }

    #[test]
    fn json_is_checked() {
        let read = |json| serde_json::from_str::<Region>(json);
        assert!(read(r#"{"x":0.25,"y":0,"width":0.5,"height":1}"#).is_ok());
        let error = read(r#"{"x":-1,"y":0,"width":0.5,"height":1}"#).unwrap_err();
        assert!(error.to_string().contains("x is negative"), "{error}");
        assert!(read(r#"{"x":2,"y":0,"width":0.5,"height":1}"#).is_err());
        assert!(read(r#"{"x":0,"y":0,"width":0,"height":1}"#).is_err());
        assert!(read(r#"{"x":0,"y":0,"width":1}"#).is_err());
    }

    /// A picture whose pixels tell where they are.
    fn ruled(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            Rgb([(x >> 8) as u8, x as u8, y as u8])
        })
    }

    #[test]
    fn a_large_region_is_cut_out_with_its_surroundings() {
        let picture = ruled(1000, 250);
        let region = resolve("400,50,400,100", 1000, 250).unwrap();
        let context = PixelBox {
            x: 340,
            y: 35,
            width: 520,
            height: 130,
        };
        assert_eq!(region.context(1000, 250), context);
        let crop = region.crop(&picture);
        assert_eq!(crop.dimensions(), (520, 130));
        for (x, y, pixel) in crop.enumerate_pixels() {
            assert_eq!(pixel, picture.get_pixel(x + 340, y + 35));
        }
        assert_eq!(Region::WHOLE.crop(&picture), picture);
    }

    #[test]
    fn surroundings_end_at_the_edge() {
        let region = resolve("0,200,400,50", 1000, 250).unwrap();
        let context = PixelBox {
            x: 0,
            y: 192,
            width: 460,
            height: 58,
        };
        assert_eq!(region.context(1000, 250), context);
    }

    #[test]
    fn a_small_region_is_enlarged_with_its_aspect() {
        let mut picture = RgbImage::from_pixel(640, 480, Rgb([10, 20, 30]));
        for (x, y) in (100..140).flat_map(|x| (100..120).map(move |y| (x, y))) {
            picture.put_pixel(x, y, Rgb([200, 100, 50]));
        }
        // 40×20, and with its margins 52×26.
        let crop = resolve("100,100,40,20", 640, 480).unwrap().crop(&picture);
        assert_eq!(crop.dimensions(), (224, 112));
        assert_eq!(*crop.get_pixel(112, 56), Rgb([200, 100, 50]));
        assert_eq!(*crop.get_pixel(2, 2), Rgb([10, 20, 30]));
    }

    #[test]
    fn crops_of_any_shape_have_pixels() {
        for (width, height) in [(1, 1), (1, 500), (500, 1), (3, 224), (223, 2)] {
            let crop = Region::WHOLE.crop(&ruled(width, height));
            assert!(crop.width() > 0 && crop.height() > 0);
            assert!(
                crop.width().max(crop.height()) >= MIN_CROP,
                "{width}×{height}"
            );
            let one = Region::new(0.99, 0.99, 0.001, 0.001)
                .unwrap()
                .crop(&ruled(width, height));
            assert_eq!(one.width().max(one.height()), MIN_CROP, "{width}×{height}");
        }
        let flat = Region::WHOLE.crop(&RgbImage::from_pixel(1, 1, Rgb([7, 8, 9])));
        assert_eq!(flat, RgbImage::from_pixel(224, 224, Rgb([7, 8, 9])));
        assert_eq!(
            Region::WHOLE.crop(&RgbImage::new(0, 0)).dimensions(),
            (0, 0)
        );
    }
}
