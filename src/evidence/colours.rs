//! The basic colour terms of a picture: which of eleven words (and beige) cover most of it.

use image::{RgbImage, imageops};
use serde::{Deserialize, Serialize};
use values::picture::{Filter, Look, resize};

/// Side of the square in which pixels are counted: what the language model's tuning counted in.
const SIDE: u32 = 224;
/// The share from which a second term is named.
const SECOND: f32 = 0.25;

/// A colour term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are the terms")]
pub enum Term {
    Black,
    White,
    Gray,
    Beige,
    Brown,
    Red,
    Orange,
    Yellow,
    Green,
    Blue,
    Purple,
    Pink,
}

/// All terms, in the order in which equal shares are named.
const TERMS: [Term; 12] = [
    Term::Black,
    Term::White,
    Term::Gray,
    Term::Beige,
    Term::Brown,
    Term::Red,
    Term::Orange,
    Term::Yellow,
    Term::Green,
    Term::Blue,
    Term::Purple,
    Term::Pink,
];

/// A colour term with how much of the picture it covers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Colour {
    /// The term.
    pub term: Term,
    /// Its share of the pixels, 0 to 1.
    pub share: f32,
}

impl Term {
    /// The term, as it is said.
    pub fn name(self) -> &'static str {
        match self {
            Self::Black => "black",
            Self::White => "white",
            Self::Gray => "gray",
            Self::Beige => "beige",
            Self::Brown => "brown",
            Self::Red => "red",
            Self::Orange => "orange",
            Self::Yellow => "yellow",
            Self::Green => "green",
            Self::Blue => "blue",
            Self::Purple => "purple",
            Self::Pink => "pink",
        }
    }

    /// The term for a pixel. The rules are tried in order; their bounds are those with which the
    /// language model was tuned.
    fn of(pixel: [u8; 3]) -> Self {
        let [r, g, b] = pixel.map(|channel| f32::from(channel) / 255.0);
        let value = r.max(g).max(b);
        let chroma = value - r.min(g).min(b);
        let saturation = if value > 0.0 { chroma / value.max(1e-6) } else { 0.0 };
        if value < 0.2 {
            return Self::Black;
        }
        if saturation < 0.12 && value > 0.8 {
            return Self::White;
        }
        if saturation < 0.15 {
            return if value < 0.28 { Self::Black } else { Self::Gray };
        }
        // A chroma of 0 has ended above: it is no saturation.
        let most = pixel.into_iter().max();
        let sixth = if most == Some(pixel[0]) {
            ((g - b) / chroma).rem_euclid(6.0)
        } else if most == Some(pixel[1]) {
            (b - r) / chroma + 2.0
        } else {
            (r - g) / chroma + 4.0
        };
        let hue = sixth * 60.0;
        if (15.0..60.0).contains(&hue) && saturation < 0.38 && value > 0.65 {
            return Self::Beige;
        }
        if (8.0..50.0).contains(&hue) && value < 0.62 {
            return Self::Brown;
        }
        if !(15.0..330.0).contains(&hue) && saturation < 0.5 && value > 0.72 {
            return Self::Pink;
        }
        match hue {
            hue if !(14.0..345.0).contains(&hue) => Self::Red,
            hue if hue < 42.0 => Self::Orange,
            hue if hue < 68.0 => Self::Yellow,
            hue if hue < 168.0 => Self::Green,
            hue if hue < 258.0 => Self::Blue,
            hue if hue < 295.0 => Self::Purple,
            _ => Self::Pink,
        }
    }
}

/// The colours of `picture`: of the middle half of the whole, or of all of the marked part (without
/// its surroundings, which nobody pointed at). None where it has no pixels.
pub fn of(picture: &Look) -> Vec<Colour> {
    let (width, height) = picture.frame.pixels.dimensions();
    if width == 0 || height == 0 {
        return Vec::new();
    }
    let Some(region) = picture.region else {
        return counted(&squashed(&picture.frame.pixels), SIDE / 4);
    };
    let at = region.pixels(width, height);
    let part = imageops::crop_imm(&*picture.frame.pixels, at.x, at.y, at.width, at.height);
    counted(&squashed(&part.to_image()), 0)
}

/// The pixels as a square of [`SIDE`]. Of a large picture every few pixels are enough: their colours
/// are those of all, and the rest would take longer than the labels.
fn squashed(pixels: &RgbImage) -> RgbImage {
    let (width, height) = pixels.dimensions();
    let step = width.min(height) / (2 * SIDE);
    if step < 2 {
        return resize(pixels, SIDE, SIDE, Filter::Lanczos);
    }
    let few = resize(pixels, width / step, height / step, Filter::Nearest);
    resize(&few, SIDE, SIDE, Filter::Lanczos)
}

/// Up to two terms that cover a quarter each of what lies inside a border of `border` pixels, the
/// larger first; where none does, the largest.
fn counted(pixels: &RgbImage, border: u32) -> Vec<Colour> {
    let (width, height) = pixels.dimensions();
    let mut counts = [0_u32; TERMS.len()];
    for y in border..height.saturating_sub(border) {
        for x in border..width.saturating_sub(border) {
            counts[Term::of(pixels.get_pixel(x, y).0) as usize] += 1;
        }
    }
    let all = counts.iter().sum::<u32>().max(1) as f32;
    let mut colours: Vec<Colour> = TERMS
        .into_iter()
        .map(|term| Colour { term, share: counts[term as usize] as f32 / all })
        .collect();
    colours.sort_by(|a, b| b.share.total_cmp(&a.share));
    let named = colours.iter().take(2).filter(|colour| colour.share >= SECOND).count();
    colours.truncate(named.max(1));
    colours
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use values::frame::{Frame, Source};
    use values::region::Region;

    use super::*;

    fn look(pixels: RgbImage, region: Option<Region>) -> Look {
        Look { frame: Frame::new(pixels, Source::Memory("made".into())), region }
    }

    fn names(colours: &[Colour]) -> Vec<&str> {
        colours.iter().map(|colour| colour.term.name()).collect()
    }

    #[test]
    fn each_term_has_its_colour() {
        for (term, pixel) in [
            ("black", [10, 10, 10]),
            ("black", [60, 60, 60]),
            ("gray", [128, 128, 128]),
            ("white", [250, 250, 250]),
            ("beige", [220, 200, 160]),
            ("brown", [120, 70, 30]),
            ("red", [200, 20, 20]),
            ("red", [200, 20, 40]),
            ("orange", [240, 130, 20]),
            ("yellow", [240, 220, 30]),
            ("green", [40, 160, 60]),
            ("blue", [30, 80, 200]),
            ("purple", [130, 40, 200]),
            ("pink", [250, 170, 180]),
            ("pink", [230, 40, 180]),
        ] {
            assert_eq!(Term::of(pixel).name(), term, "{pixel:?}");
        }
        for (place, term) in TERMS.into_iter().enumerate() {
            assert_eq!(term as usize, place);
            assert_eq!(serde_json::to_value(term).unwrap(), term.name());
        }
    }

    #[test]
    fn the_middle_counts_or_the_marked_part_alone() {
        // A red middle half on green, in which a thin blue part is marked.
        let mut pixels = RgbImage::from_pixel(400, 200, Rgb([40, 160, 60]));
        for (x, y, pixel) in pixels.enumerate_pixels_mut() {
            if (100..300).contains(&x) && (50..150).contains(&y) {
                *pixel = Rgb([200, 20, 20]);
            }
            if x < 20 && y < 20 {
                *pixel = Rgb([30, 80, 200]);
            }
        }
        let whole = of(&look(pixels.clone(), None));
        assert_eq!(names(&whole), ["red"]);
        assert!(whole[0].share > 0.97, "{whole:?}");
        let large = resize(&pixels, 4000, 2000, Filter::Nearest);
        assert_eq!(names(&of(&look(large, None))), ["red"]);
        let part = Region::new(0.0, 0.0, 0.05, 0.1).unwrap();
        assert_eq!(names(&of(&look(pixels, Some(part)))), ["blue"]);
        assert!(of(&look(RgbImage::new(0, 0), None)).is_empty());
    }

    #[test]
    fn two_terms_at_most_and_one_at_least() {
        let stripes = |colours: &[[u8; 3]]| {
            let pixels =
                RgbImage::from_fn(240, 10, |x, _| Rgb(colours[x as usize * colours.len() / 240]));
            counted(&pixels, 0)
        };
        let (red, green, blue) = ([200, 20, 20], [40, 160, 60], [30, 80, 200]);
        assert_eq!(names(&stripes(&[red, green, green])), ["green", "red"]);
        let many = [[10; 3], [250; 3], red, green, blue, [240, 220, 30]];
        assert_eq!(names(&stripes(&many)), ["black"]);
    }
}
