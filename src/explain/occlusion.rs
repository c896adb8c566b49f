//! Parts of the picture hidden from the model, or alone left to be seen.
//!
//! Occlusion as in Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks"
//! (2014), with the log-probability of the model's own answer in the class score's place.

use std::ops::Range;

use image::{Rgb, RgbImage, imageops};
use values::config::Fill;
use values::region::{PixelBox, Region};

/// Cells a side of the finest grid.
pub const GRID: usize = 8;
/// Blur that leaves nothing to be told, as a share of the picture's side.
const BLUR: f32 = 0.09;

/// An area of as many rows as columns of the finest grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// Its first row.
    pub row: usize,
    /// Its first column.
    pub col: usize,
    /// Its side, in cells.
    pub side: usize,
}

impl Area {
    /// All squares of `side` cells that lie `stride` cells apart, row by row.
    pub fn squares(side: usize, stride: usize) -> impl Iterator<Item = Self> {
        let count = (GRID - side) / stride + 1;
        let at = move |n: usize| (n / count * stride, n % count * stride);
        (0..count * count).map(at).map(move |(row, col)| Self { row, col, side })
    }

    /// Whether the cell lies in it.
    pub fn covers(self, row: usize, col: usize) -> bool {
        let within = |start: usize, at: usize| (start..start + self.side).contains(&at);
        within(self.row, row) && within(self.col, col)
    }

    /// The area as a part of the frame, where `shown` of it is shown.
    pub fn region(self, shown: Region) -> Option<Region> {
        let share = |cells: usize| cells as f32 / GRID as f32;
        Region::new(
            shown.x() + share(self.col) * shown.width(),
            shown.y() + share(self.row) * shown.height(),
            share(self.side) * shown.width(),
            share(self.side) * shown.height(),
        )
        .ok()
    }

    /// The area in a picture of `width` × `height` pixels.
    fn pixels(self, width: u32, height: u32) -> PixelBox {
        let edge =
            |cell: usize, length: u32| (cell as u64 * u64::from(length) / GRID as u64) as u32;
        let (x, y) = (edge(self.col, width), edge(self.row, height));
        let (right, bottom) =
            (edge(self.col + self.side, width), edge(self.row + self.side, height));
        PixelBox { x, y, width: right - x, height: bottom - y }
    }
}

/// What the encoder is shown, and what stands in for its hidden parts.
#[derive(Debug, Clone)]
pub struct Curtain {
    input: RgbImage,
    filled: RgbImage,
    /// The part of the frame that it shows.
    pub shown: Region,
    /// What hidden parts are filled with.
    pub fill: Fill,
}

impl Curtain {
    /// A curtain before `input`, which covers `shown` of the frame.
    pub fn new(input: RgbImage, shown: Region, fill: Fill) -> Self {
        let filled = match fill {
            Fill::Blur => imageops::fast_blur(&input, (input.width() as f32 * BLUR).max(1.0)),
            Fill::Mean => RgbImage::from_pixel(input.width(), input.height(), mean(&input)),
        };
        Self { input, filled, shown, fill }
    }

    /// All as it is.
    pub fn open(&self) -> RgbImage {
        self.input.clone()
    }

    /// With nothing left to be seen.
    pub fn closed(&self) -> RgbImage {
        self.filled.clone()
    }

    /// Without `area`.
    pub fn without(&self, area: Area) -> RgbImage {
        laid_over(&self.input, &self.filled, area)
    }

    /// Nothing but `area`.
    pub fn only(&self, area: Area) -> RgbImage {
        laid_over(&self.filled, &self.input, area)
    }
}

fn laid_over(below: &RgbImage, above: &RgbImage, area: Area) -> RgbImage {
    let PixelBox { x, y, width, height } = area.pixels(below.width(), below.height());
    let patch = imageops::crop_imm(above, x, y, width, height).to_image();
    let mut whole = below.clone();
    imageops::replace(&mut whole, &patch, i64::from(x), i64::from(y));
    whole
}

/// Sum of what belongs to the tokens in `tokens`, of one value a token.
pub fn sum(values: &[f32], tokens: &Range<usize>) -> f32 {
    let end = tokens.end.min(values.len());
    values[tokens.start.min(end)..end].iter().sum()
}

/// The mean colour.
fn mean(pixels: &RgbImage) -> Rgb<u8> {
    let count = (u64::from(pixels.width()) * u64::from(pixels.height())).max(1);
    let mut sums = [0_u64; 3];
    for pixel in pixels.pixels() {
        for (sum, value) in sums.iter_mut().zip(pixel.0) {
            *sum += u64::from(value);
        }
    }
    Rgb(sums.map(|sum| (sum / count) as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> RgbImage {
        RgbImage::from_fn(64, 64, |x, y| Rgb([(x * 3) as u8, (y % 2 * 200) as u8, 40]))
    }

    fn changed(a: &RgbImage, b: &RgbImage) -> usize {
        a.pixels().zip(b.pixels()).filter(|(a, b)| a.0 != b.0).count()
    }

    #[test]
    fn a_part_is_hidden_or_alone_is_left() {
        let curtain = Curtain::new(picture(), Region::WHOLE, Fill::Mean);
        let area = Area { row: 2, col: 4, side: 2 };
        assert_eq!(curtain.open(), picture());
        assert_eq!(changed(&curtain.without(area), &picture()), 16 * 16);
        assert_eq!(changed(&curtain.only(area), &curtain.closed()), 16 * 16);
        let grey = curtain.closed();
        assert!(grey.pixels().all(|pixel| pixel.0 == grey.get_pixel(0, 0).0));
        let blurred = Curtain::new(picture(), Region::WHOLE, Fill::Blur).closed();
        assert!(changed(&blurred, &picture()) > 3000 && changed(&blurred, &grey) > 3000);
    }

    #[test]
    fn squares_cover_the_grid() {
        assert_eq!(Area::squares(2, 2).count(), 16);
        let windows: Vec<Area> = Area::squares(4, 2).collect();
        assert_eq!(windows.len(), 9);
        assert_eq!(windows[8], Area { row: 4, col: 4, side: 4 });
        let over = |row, col| windows.iter().filter(|area| area.covers(row, col)).count();
        assert_eq!((over(0, 0), over(3, 3), over(7, 0)), (1, 4, 1));
        let wide = windows[8].pixels(80, 20);
        assert_eq!((wide.x, wide.y, wide.width, wide.height), (40, 10, 40, 10));
        let part = Region::new(0.5, 0.0, 0.5, 1.0).unwrap();
        let last = windows[8].region(part).unwrap();
        assert_eq!(Some(last), Region::new(0.75, 0.5, 0.25, 0.5).ok());
    }
}
