//! From a phrase's map to a place in the picture, and how much speaks for it.

use crate::heatmap::Heatmap;
use crate::region::Region;

/// A place takes in the cells around the peak that reach this share of the map's range.
pub const SHARE: f32 = 0.5;

/// A phrase whose [`Evidence::strength`] is below this has no place.
pub const MIN_STRENGTH: f32 = 0.1;

/// A place in the picture that a phrase was found at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// The box, in fractions of the frame.
    pub region: Region,
    /// How strongly the phrase points there, from 0 to 1.
    pub strength: f32,
}

/// How much speaks for a word or a phrase in the picture. Logits and their differences, but for
/// `logprob`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// The strongest patch, interference subtracted.
    pub peak: f32,
    /// The mean of the patches, likewise.
    pub mean: f32,
    /// Their standard deviation.
    pub deviation: f32,
    /// The strongest patch before anything is subtracted (ReLU'd).
    pub raw: f32,
    /// The strongest of the text before the word (ReLU'd).
    pub text: f32,
    /// The word's logit where it was predicted.
    pub own: f32,
    /// How far the word is above the mean of the other tokens of prompt and answer, at the patch
    /// where it is most. Not ReLU'd.
    pub margin: f32,
    /// The same as a mean over the patches.
    pub margin_mean: f32,
    /// ln of the word's probability where it was predicted, summed over its tokens. Of an answer's
    /// own words it is high whatever the picture shows; of a word put in, it is the best witness.
    pub logprob: f32,
}

impl Evidence {
    /// How strongly the picture speaks for the word, from 0 to 1: σ(`margin`), the chance that at
    /// the patch where it does most, the head takes the word over its neighbours in the text.
    pub fn strength(&self) -> f32 {
        1.0 / (1.0 + (-self.margin).exp())
    }

    /// `peak` on one scale with the text before, as TAM shows it: from 0 to 1.
    pub fn relative(&self) -> f32 {
        let most = self.peak.max(self.text);
        if most > 0.0 { self.peak / most } else { 0.0 }
    }

    /// How many standard deviations the peak is above the mean of the patches.
    pub fn prominence(&self) -> f32 {
        if self.deviation > 0.0 { (self.peak - self.mean) / self.deviation } else { 0.0 }
    }
}

/// The box around the peak of a map: the cells joined to it, side to side, that reach [`SHARE`] of
/// the map's range. `None` where the map is flat or `strength` below [`MIN_STRENGTH`].
pub fn locate(map: &Heatmap, strength: f32) -> Option<Place> {
    // Asked this way round, NaN has no place either.
    let strong = strength >= MIN_STRENGTH;
    if !strong || map.is_flat() {
        return None;
    }
    let stats = map.stats();
    let least = stats.min + SHARE * (stats.max - stats.min);
    let (rows, cols) = (map.rows(), map.cols());
    let (row, col) = map.peak_cell();
    let (mut top, mut bottom, mut left, mut right) = (row, row, col, col);
    let mut seen = vec![false; rows * cols];
    let mut waiting = vec![(row, col)];
    while let Some((row, col)) = waiting.pop() {
        let cell = row * cols + col;
        if seen[cell] || map.values()[cell] < least {
            continue;
        }
        seen[cell] = true;
        (top, bottom) = (top.min(row), bottom.max(row));
        (left, right) = (left.min(col), right.max(col));
        waiting.extend(row.checked_sub(1).map(|row| (row, col)));
        waiting.extend(col.checked_sub(1).map(|col| (row, col)));
        waiting.extend((row + 1 < rows).then_some((row + 1, col)));
        waiting.extend((col + 1 < cols).then_some((row, col + 1)));
    }
    let area = map.area();
    let (width, height) = (area.width() / cols as f32, area.height() / rows as f32);
    let region = Region::new(
        area.x() + left as f32 * width,
        area.y() + top as f32 * height,
        (right + 1 - left) as f32 * width,
        (bottom + 1 - top) as f32 * height,
    );
    region.ok().map(|region| Place { region, strength })
}
