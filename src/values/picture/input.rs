//! How a model is shown pictures.

use image::RgbImage;

use super::{Filter, Look, resize};
use crate::region::Region;

/// Longest side, in pixels, handed to models whose own preprocessor does the resizing: above it
/// nothing is gained and encoding takes minutes.
const LONGEST_SIDE: u32 = 2048;
/// Shortest side that those preprocessors can cut patches from.
const SHORTEST_SIDE: u32 = 28;

/// How a model is shown pictures, and what it makes of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInput {
    size: Size,
    patches: Option<Patches>,
}

/// The size that pictures are given.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Size {
    /// Squashed to a square of this side, in pixels.
    Square(u32),
    /// Within bounds: the model's own preprocessor does the rest.
    Bounded,
}

/// The tokens of a picture, each of them a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Patches {
    rows: usize,
    columns: usize,
    token: u32,
}

impl ImageInput {
    /// For an encoder that is shown squares of `side` pixels and whose projector makes a grid of
    /// `rows` and `columns` of it, each the token `image_token` in the prompt.
    #[must_use]
    pub fn square(side: u32, (rows, columns): (usize, usize), image_token: u32) -> Self {
        let patches = Some(Patches { rows, columns, token: image_token });
        Self { size: Size::Square(side), patches }
    }

    /// For a model that sizes pictures itself, and whose picture tokens are not told apart.
    #[must_use]
    pub fn bounded() -> Self {
        Self { size: Size::Bounded, patches: None }
    }

    /// The pixels that the model is given for `look`, and the part of the frame that they cover.
    #[must_use]
    pub fn prepare(&self, look: &Look) -> (RgbImage, Region) {
        match self.size {
            Size::Square(side) => look.squashed(side),
            Size::Bounded => {
                let whole = &*look.frame.pixels;
                let part = look.region.map(|region| region.crop(whole));
                let pixels = part.as_ref().unwrap_or(whole);
                let (width, height) = bounded(pixels.width(), pixels.height());
                let pixels = resize(pixels, width, height, Filter::Lanczos);
                (pixels, look.region.unwrap_or(Region::WHOLE))
            }
        }
    }

    /// Tokens that a picture takes, where each takes as many.
    #[must_use]
    pub fn tokens(&self) -> Option<usize> {
        self.grid().map(|(rows, columns)| rows * columns)
    }

    /// Rows and columns that a picture's tokens lie in; without them there are no maps.
    #[must_use]
    pub fn grid(&self) -> Option<(usize, usize)> {
        self.patches.as_ref().map(|patches| (patches.rows, patches.columns))
    }

    /// The token that stands for a part of a picture.
    #[must_use]
    pub fn image_token(&self) -> Option<u32> {
        self.patches.as_ref().map(|patches| patches.token)
    }
}

/// The size nearest to this one whose sides lie between the shortest and the longest.
fn bounded(width: u32, height: u32) -> (u32, u32) {
    let (long, short) = (f64::from(width.max(height)), f64::from(width.min(height)));
    let shrink = (f64::from(LONGEST_SIDE) / long).min(1.0);
    let scale = shrink.max(f64::from(SHORTEST_SIDE) / short);
    let side =
        |side: u32| ((f64::from(side) * scale).round() as u32).clamp(SHORTEST_SIDE, LONGEST_SIDE);
    (side(width), side(height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Frame, Source};

    #[test]
    fn a_square_is_a_grid_of_tokens_and_what_is_bounded_is_not() {
        let frame = Frame::new(RgbImage::new(640, 480), Source::Memory("black".into()));
        let region = Region::new(0.5, 0.5, 0.25, 0.25).ok();
        let (whole, part) = (Look { frame: frame.clone(), region: None }, Look { frame, region });
        let square = ImageInput::square(224, (8, 8), 3);
        let (pixels, area) = square.prepare(&part);
        assert_eq!(pixels.dimensions(), (224, 224));
        assert!(area.x() < 0.5 && area.x() > 0.3, "the surroundings of the part: {area}");
        assert_eq!((square.tokens(), square.image_token()), (Some(64), Some(3)));
        let other = ImageInput::bounded();
        assert_eq!(other.prepare(&whole).0.dimensions(), (640, 480));
        assert_eq!(Some(other.prepare(&part).1), region);
        assert_eq!((other.tokens(), other.grid(), other.image_token()), (None, None, None));
    }

    #[test]
    fn sizes_stay_within_bounds() {
        assert_eq!(bounded(640, 480), (640, 480));
        assert_eq!(bounded(4096, 2048), (2048, 1024));
        assert_eq!(bounded(1, 1), (28, 28));
        assert_eq!(bounded(10_000, 10), (2048, 28));
    }
}
