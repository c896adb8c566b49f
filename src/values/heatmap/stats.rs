//! What can be said of a map in numbers.

use super::Heatmap;
use crate::region::Region;

/// Below this [`Stats::contrast`] a map is flat: its strongest cell is less than 1.22 times its
/// weakest.
///
/// Stretched to its own range, even rollout of an untrained ViT-B/16 looks like a finding; its
/// contrast is 0.04 to 0.06 (three seeds). That of the shipped encoder is 0.54 on an even grey and
/// 0.88 to 0.99 on the sample pictures.
pub const FLAT: f32 = 0.1;

/// A map in a few numbers, in the map's own unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stats {
    /// The weakest cell.
    pub min: f32,
    /// The strongest cell.
    pub max: f32,
    /// The mean of all cells.
    pub mean: f32,
    /// Their standard deviation (of the population).
    pub deviation: f32,
}

impl Stats {
    /// How far apart the strongest and the weakest cell are, for their size: from 0, where all are
    /// equal, to 1, where the weakest is 0 or has the other sign.
    ///
    /// (max − min) / (|max| + |min|): Michelson's contrast, "Studies in Optics" (1927), with signs
    /// allowed. It does not depend on the unit, and says nothing of how strong the map is.
    pub fn contrast(&self) -> f32 {
        let (min, max) = (f64::from(self.min), f64::from(self.max));
        let size = max.abs() + min.abs();
        if size > 0.0 { ((max - min) / size) as f32 } else { 0.0 }
    }

    /// How many standard deviations the strongest cell is above the mean; 0 where all are equal.
    pub fn prominence(&self) -> f32 {
        if self.deviation > 0.0 { (self.max - self.mean) / self.deviation } else { 0.0 }
    }
}

impl Heatmap {
    /// The map in a few numbers.
    pub fn stats(&self) -> Stats {
        let count = self.values.len() as f64;
        let mean = self.values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
        let square = |value: &f32| (f64::from(*value) - mean).powi(2);
        let deviation = (self.values.iter().map(square).sum::<f64>() / count).sqrt();
        Stats {
            min: self.values.iter().copied().fold(f32::INFINITY, f32::min),
            max: self.values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
            mean: mean as f32,
            deviation: deviation as f32,
        }
    }

    /// Whether the map says nothing: a [`Stats::contrast`] below [`FLAT`].
    pub fn is_flat(&self) -> bool {
        self.stats().contrast() < FLAT
    }

    /// The row and the column of the strongest cell; the first of equals.
    pub fn peak_cell(&self) -> (usize, usize) {
        let mut best = 0;
        for (cell, value) in self.values.iter().enumerate() {
            if *value > self.values[best] {
                best = cell;
            }
        }
        (best / self.cols, best % self.cols)
    }

    /// The centre of the strongest cell, in fractions of the frame: `(x, y)`.
    pub fn peak(&self) -> (f32, f32) {
        let (row, col) = self.peak_cell();
        let along = |cell: usize, cells: usize| (cell as f32 + 0.5) / cells as f32;
        (
            self.area.x() + self.area.width() * along(col, self.cols),
            self.area.y() + self.area.height() * along(row, self.rows),
        )
    }

    /// The share of the map's positive mass that lies in `region`, from 0 to 1; 0 where no cell is
    /// above 0. A cell that lies partly inside counts by the share of its area that does.
    ///
    /// The measure of the energy-based pointing game (Wang et al., "Score-CAM", 2020), to be read
    /// beside the share of the area that `region` takes.
    pub fn energy(&self, region: Region) -> f32 {
        let columns =
            shares(self.area.x(), self.area.width(), self.cols, region.x(), region.width());
        let rows =
            shares(self.area.y(), self.area.height(), self.rows, region.y(), region.height());
        let (mut inside, mut all) = (0.0, 0.0);
        for (cells, down) in self.values.chunks_exact(self.cols).zip(&rows) {
            for (value, across) in cells.iter().zip(&columns) {
                let mass = f64::from(value.max(0.0));
                all += mass;
                inside += mass * down * across;
            }
        }
        if all > 0.0 { (inside / all) as f32 } else { 0.0 }
    }
}

/// How much of each of `cells` equal parts of `start..start + length` lies in
/// `from..from + width`.
fn shares(start: f32, length: f32, cells: usize, from: f32, width: f32) -> Vec<f64> {
    let (start, length) = (f64::from(start), f64::from(length));
    let (from, to) = (f64::from(from), f64::from(from) + f64::from(width));
    let side = length / cells as f64;
    (0..cells)
        .map(|cell| {
            let first = start + side * cell as f64;
            (((first + side).min(to) - first.max(from)) / side).clamp(0.0, 1.0)
        })
        .collect()
}

/// Spearman's rank correlation of two maps with the same grid, from −1 to 1: whether they order
/// the cells alike. Equal values share the mean of their ranks.
///
/// `None` where the grids differ or all cells of one map are equal.
pub fn spearman(one: &Heatmap, other: &Heatmap) -> Option<f32> {
    if (one.rows, one.cols) != (other.rows, other.cols) {
        return None;
    }
    let (one, other) = (ranks(&one.values), ranks(&other.values));
    // Ranks always have this mean.
    let mean = (one.len() - 1) as f64 / 2.0;
    let product = |a: &[f64], b: &[f64]| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum()
    };
    let size = (product(&one, &one) * product(&other, &other)).sqrt();
    (size > 0.0).then(|| (product(&one, &other) / size) as f32)
}

/// The rank of each value, from 0; equals share the mean of theirs.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    // `total_cmp` tells −0 from 0; they are equals here. Values are sorted, and finite.
    for equals in order.chunk_by(|a, b| values[*a] >= values[*b]) {
        let rank = first as f64 + (equals.len() - 1) as f64 / 2.0;
        for cell in equals {
            ranks[*cell] = rank;
        }
        first += equals.len();
    }
    ranks
}
