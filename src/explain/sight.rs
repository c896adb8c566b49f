//! Which part of the picture is enough for the model to say a phrase.
//!
//! All of the picture is hidden but one window at a time, and the answer is read back: where a
//! phrase becomes probable again, there is what the model says it about. With the picture hidden
//! altogether it is read back as well: what is probable even then was not seen.

use std::ops::Range;

use image::RgbImage;
use values::heatmap::Heatmap;
use values::region::Region;

use super::occlusion::{Area, Curtain, GRID, sum};
use super::told::Left;

/// Side of a window, in cells of the finest grid; windows lie half a window apart.
const WINDOW: usize = 4;
/// Windows a side.
const WINDOWS: usize = (GRID - WINDOW) / (WINDOW / 2) + 1;
/// How often an answer is read back for the places of its phrases: as it was given, about nothing, and
/// about each window.
pub const READINGS: u64 = (2 + WINDOWS * WINDOWS) as u64;
/// From the edge of the square to the first window's centre, less half the distance of centres: the
/// map has one cell around each window's centre.
const EDGE: f32 = 0.125;

/// What the model says of an answer while it sees one window at a time. It computes nothing itself:
/// [`Sight::picture`] is what the model is to be shown next, [`Sight::take`] takes how probable
/// each token of the answer was then.
#[derive(Debug, Clone)]
pub struct Sight {
    curtain: Curtain,
    windows: Vec<Area>,
    /// ln p of each token about the whole picture.
    open: Vec<f32>,
    /// The same about nothing.
    closed: Option<Vec<f32>>,
    /// The same about each window.
    seen: Vec<Vec<f32>>,
}

impl Sight {
    /// A look at what lies behind `curtain`; `open` is ln p of each token of the answer about all
    /// of it.
    pub fn new(curtain: Curtain, open: Vec<f32>) -> Self {
        let windows = Area::squares(WINDOW, WINDOW / 2).collect();
        Self { curtain, windows, open, closed: None, seen: Vec::new() }
    }

    /// The same without windows: whether it is seen, and not where.
    pub fn without_windows(self) -> Self {
        Self { windows: Vec::new(), ..self }
    }

    /// The picture that the model is to be shown next; `None` at the end.
    pub fn picture(&self) -> Option<RgbImage> {
        if self.closed.is_none() {
            return Some(self.curtain.closed());
        }
        Some(self.curtain.only(*self.windows.get(self.seen.len())?))
    }

    /// What is left to be seen in it.
    pub fn left(&self) -> Left {
        let window = self.closed.as_ref().and_then(|_| self.windows.get(self.seen.len()));
        let part = window.and_then(|area| area.region(self.curtain.shown));
        part.map_or(Left::Nothing, Left::Part)
    }

    /// Takes ln p of each token of the answer about the last picture.
    pub fn take(&mut self, logprobs: &[f32]) {
        match &self.closed {
            None => self.closed = Some(logprobs.to_vec()),
            Some(_) => self.seen.push(logprobs.to_vec()),
        }
    }

    /// The part of the frame that the encoder was shown.
    pub fn shown(&self) -> Region {
        self.curtain.shown
    }

    /// How many pictures are still to be shown.
    pub fn left_over(&self) -> usize {
        usize::from(self.closed.is_none()) + self.windows.len() - self.seen.len()
    }

    /// Whether nothing and every window was shown.
    pub fn is_over(&self) -> bool {
        self.closed.is_some() && self.seen.len() >= self.windows.len()
    }

    /// How much more probable the whole picture makes the tokens in `tokens` than nothing does, in
    /// nats; `None` before that was tried.
    pub fn support(&self, tokens: &Range<usize>) -> Option<f32> {
        Some(sum(&self.open, tokens) - sum(self.closed.as_ref()?, tokens))
    }

    /// The same of the best window; `None` before the end.
    pub fn best(&self, tokens: &Range<usize>) -> Option<f32> {
        let closed = sum(self.closed.as_ref()?, tokens);
        let best = self.seen.iter().map(|seen| sum(seen, tokens)).max_by(f32::total_cmp)?;
        self.is_over().then_some(best - closed)
    }

    /// How much more probable each window alone makes the tokens in `tokens` than nothing does, in
    /// nats: one cell a window, around its centre. `None` before the end.
    pub fn map(&self, tokens: &Range<usize>) -> Option<Heatmap> {
        let closed = sum(self.closed.as_ref()?, tokens);
        let gains = self.seen.iter().map(|seen| sum(seen, tokens) - closed).collect();
        let inner = Region::new(EDGE, EDGE, 1.0 - 2.0 * EDGE, 1.0 - 2.0 * EDGE).ok()?;
        let map = Heatmap::new(WINDOWS, WINDOWS, gains).ok()?;
        Some(map.over(inner.within(self.curtain.shown)))
    }

    /// [`Sight::map`] for the eye: all of what the encoder was shown, interpolated between the
    /// windows' centres and going on as it is beyond the outer ones.
    pub fn smooth(&self, tokens: &Range<usize>) -> Option<Heatmap> {
        let shown = self.curtain.shown;
        let map = self.map(tokens)?;
        let values = (0..GRID * GRID).map(|cell| {
            let at = |cell: usize| {
                let centre = (cell as f32 + 0.5) / GRID as f32;
                centre.clamp(2.0 * EDGE, 1.0 - 2.0 * EDGE)
            };
            let (x, y) = (at(cell % GRID), at(cell / GRID));
            map.bilinear(shown.x() + x * shown.width(), shown.y() + y * shown.height())
        });
        let values = values.collect::<Option<Vec<f32>>>()?;
        Heatmap::new(GRID, GRID, values).ok().map(|map| map.over(shown))
    }

    /// The windows whose centres lie in `centres`, a box of [`Sight::map`]'s cells, as a part of
    /// the frame.
    pub fn windows(&self, centres: Region) -> Region {
        let shown = self.curtain.shown;
        let (dx, dy) = (EDGE * shown.width(), EDGE * shown.height());
        let (x, y) = ((centres.x() - dx).max(shown.x()), (centres.y() - dy).max(shown.y()));
        let right = (centres.x() + centres.width() + dx).min(shown.x() + shown.width());
        let bottom = (centres.y() + centres.height() + dy).min(shown.y() + shown.height());
        Region::new(x, y, right - x, bottom - y).unwrap_or(centres)
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use values::config::Fill;

    use super::super::place::locate;
    use super::*;

    /// A red square at the upper left, a blue one at the lower right.
    fn picture() -> RgbImage {
        RgbImage::from_fn(64, 64, |x, y| match (x, y) {
            (4..12, 4..12) => Rgb([255, 0, 0]),
            (50..58, 50..58) => Rgb([0, 0, 255]),
            _ => Rgb([0; 3]),
        })
    }

    /// "Red", "blue" and a word that no picture changes.
    fn logprobs(shown: &RgbImage) -> [f32; 3] {
        let bright = |channel: usize| {
            let count = shown.pixels().filter(|pixel| pixel.0[channel] > 100).count();
            -4.0 + 4.0 * count as f32 / 64.0
        };
        [bright(0), bright(2), -0.2]
    }

    #[test]
    fn each_word_is_found_where_it_is_seen() {
        let shown = Region::new(0.25, 0.25, 0.5, 0.5).unwrap();
        let curtain = Curtain::new(picture(), shown, Fill::Mean);
        let mut sight = Sight::new(curtain, logprobs(&picture()).to_vec());
        let mut steps = 0;
        assert!(sight.support(&(0..1)).is_none());
        while let Some(picture) = sight.picture() {
            sight.take(&logprobs(&picture));
            steps += 1;
        }
        assert_eq!(steps, 10);
        let peak = |tokens: Range<usize>| {
            let map = sight.map(&tokens).unwrap();
            map.peak()
        };
        // The first and the last window's centres, in the middle half of the frame.
        assert_eq!((peak(0..1), peak(1..2)), ((0.375, 0.375), (0.625, 0.625)));
        let place = locate(&sight.map(&(0..1)).unwrap(), 1.0).unwrap();
        let window = sight.windows(place.region);
        assert_eq!(Some(window), Region::new(0.25, 0.25, 0.25, 0.25).ok());
        let smooth = sight.smooth(&(0..1)).unwrap();
        assert_eq!((smooth.rows(), smooth.area()), (GRID, shown));
        let corner = sight.map(&(0..1)).unwrap().values()[0];
        assert!((smooth.values()[0] - corner).abs() < 1e-4);
        let whole = sight.support(&(0..1)).unwrap();
        assert!(whole > 2.0 && (whole - sight.best(&(0..1)).unwrap()).abs() < 0.5, "{whole}");
        let blind = (sight.support(&(2..3)).unwrap(), sight.best(&(2..3)).unwrap());
        assert!(blind.0.abs() < 1e-6 && blind.1.abs() < 1e-6);
    }

    #[test]
    fn whether_a_word_is_seen_takes_one_look_at_nothing() {
        let curtain = Curtain::new(picture(), Region::WHOLE, Fill::Mean);
        let mut sight = Sight::new(curtain, logprobs(&picture()).to_vec()).without_windows();
        assert!(!sight.is_over());
        sight.take(&logprobs(&sight.picture().unwrap()));
        assert!(sight.is_over() && sight.picture().is_none());
        assert!(sight.support(&(0..1)).unwrap() > 2.0);
        assert_eq!((sight.best(&(0..1)), sight.map(&(0..1))), (None, None));
    }
}
