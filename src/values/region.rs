//! A region: the part of a frame that "that" means in "what is that?".
//!
//! A [`Region`] is kept as fractions of the frame, so that it means the same place on the full
//! picture, on a thumbnail and on the screen. A [`RegionSpec`] is what a person wrote, in fractions
//! or in pixels, before it is known how large the picture is.

use std::fmt;
use std::str::FromStr;

use image::RgbImage;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::picture::{Filter, resize};

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
    pub const WHOLE: Self = Self { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };

    /// A region from fractions of the frame. What lies beyond the right or the bottom edge is cut
    /// off.
    ///
    /// # Errors
    /// A number that is negative or not finite, no area, or no overlap with the frame.
    pub fn new(x: f32, y: f32, width: f32, height: f32) -> Result<Self, RegionError> {
        check(&[x, y, width, height].map(f64::from))?;
        let (width, height) = (width.min(1.0 - x), height.min(1.0 - y));
        if x >= 1.0 || y >= 1.0 {
            return Err(RegionError::Outside { x: x.into(), y: y.into() });
        }
        Ok(Self { x, y, width, height })
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
        PixelBox { x, y, width, height }
    }

    /// The pixels that [`Region::crop`] cuts out: the region with [`MARGIN`] of its surroundings on
    /// each side, as far as the picture reaches.
    ///
    /// What is found in the crop lies here in the picture.
    pub fn context(&self, width: u32, height: u32) -> PixelBox {
        let inner = self.pixels(width, height);
        let (x, width) = widen(inner.x, inner.width, width);
        let (y, height) = widen(inner.y, inner.height, height);
        PixelBox { x, y, width, height }
    }

    /// [`Region::context`] as a region of its own.
    #[must_use]
    pub fn surroundings(&self, width: u32, height: u32) -> Self {
        let PixelBox { x, y, width: w, height: h } = self.context(width, height);
        let (full_width, full_height) = (width.max(1) as f32, height.max(1) as f32);
        let (x, y) = (x as f32 / full_width, y as f32 / full_height);
        Self {
            x,
            y,
            width: (w as f32 / full_width).min(1.0 - x),
            height: (h as f32 / full_height).min(1.0 - y),
        }
    }

    /// This region of the part `outer` of a frame, as a region of the frame.
    #[must_use]
    pub fn within(&self, outer: Self) -> Self {
        let (x, y) = (outer.x + self.x * outer.width, outer.y + self.y * outer.height);
        // Rounding must not lead out of the frame.
        Self {
            x,
            y,
            width: (self.width * outer.width).min(1.0 - x),
            height: (self.height * outer.height).min(1.0 - y),
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
        let side = |length: u32| (f64::from(length) * scale).round() as u32;
        resize(&crop, side(crop.width()), side(crop.height()), Filter::Lanczos)
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
            return Err(RegionError::Outside { x: self.x, y: self.y });
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
        let unit = if numbers.iter().any(|n| *n > 1.0) { Unit::Pixels } else { Unit::Fractions };
        let [x, y, width, height] = numbers;
        Ok(Self { unit, x, y, width, height })
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
    let end = first.saturating_add(length).saturating_add(margin).min(side.max(1));
    (start, end - start)
}

/// Copies a box out of a picture, row by row.
pub(crate) fn cut(pixels: &RgbImage, at: PixelBox) -> RgbImage {
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
mod tests;
