//! Whether what the camera shows has changed and come to rest, told cheaply enough for every frame.
//!
//! In live mode a question is asked again only when there is something new to see, and never about
//! the blur on the way to it.

use std::time::{Duration, Instant};

use values::frame::{Frame, FrameId};

/// The change above which a scene is taken for another one.
///
/// Measured with the sample pictures, most of them smaller than a camera's (`cargo test scene`
/// measures again). What must stay below it:
///
/// | the same picture with | largest change |
/// |---|---|
/// | noise of sigma 8 | 0.0000 |
/// | 15 % less or more light | 0.0000 |
/// | a shift of 1 pixel | 0.0003 |
/// | a shift of 2 pixels both ways, of 348 | 0.0075 |
/// | JPEG compression, quality 30 | 0.0000 |
///
/// What must lie above it:
///
/// | the picture against | smallest change |
/// |---|---|
/// | another one | 0.31 |
/// | itself, moved by a fifth of its width | 0.047 |
/// | itself, with an object on 4 % of its area | 0.0068; 0.012 in 99 of 100 |
///
/// An object that is missed has the colours of what it covers.
pub const DEFAULT_THRESHOLD: f32 = 0.01;

/// The change from which on a frame is not at rest with another one.
const STILL: f32 = 0.01;
/// How long a scene has to be at rest.
const REST: Duration = Duration::from_millis(300);

const COLUMNS: usize = 32;
const ROWS: usize = 18;
const CELLS: usize = COLUMNS * ROWS;
/// About as many pixels of a cell are looked at along each of its sides.
const SAMPLES: u32 = 16;
/// Added to a brightness of 0 to 255, so that the noise of a dark picture does not become a change.
const DARK: f32 = 24.0;
/// How far towards its neighbours a cell may go for a small shift of the picture.
const REACH: f32 = 0.3;
/// The difference of two cells (of logarithms of brightness) up to which it counts for nothing,
/// and from which it counts in full.
const COUNTS: (f32, f32) = (0.15, 0.4);

/// The colours of a frame on a grid of 32×18 cells.
#[derive(Debug, Clone, PartialEq)]
pub struct SceneSignature {
    /// The logarithm of the brightness of each cell, by channel: more light adds the same to all.
    channels: [[f32; CELLS]; 3],
}

impl SceneSignature {
    /// The signature of a frame of any size.
    ///
    /// Took 0.3 ms for 1280×720 pixels on one core of a server; a comparison takes 0.06 ms.
    pub fn of(frame: &Frame) -> Self {
        let pixels = frame.pixels.as_raw();
        let mut channels = [[0.0; CELLS]; 3];
        for row in 0..ROWS {
            let (top, bottom) = span(row, ROWS, frame.height());
            let down = ((bottom - top) / SAMPLES).max(1) as usize;
            for column in 0..COLUMNS {
                let (left, right) = span(column, COLUMNS, frame.width());
                let along = ((right - left) / SAMPLES).max(1) as usize;
                let mut sums = [0_u32; 3];
                let mut count = 0_u32;
                for y in (top..bottom).step_by(down) {
                    let line = y as usize * frame.width() as usize;
                    for x in (left..right).step_by(along) {
                        let at = (line + x as usize) * 3;
                        for (sum, value) in sums.iter_mut().zip(&pixels[at..at + 3]) {
                            *sum += u32::from(*value);
                        }
                        count += 1;
                    }
                }
                for (channel, sum) in channels.iter_mut().zip(sums) {
                    let mean = sum as f32 / count as f32;
                    channel[row * COLUMNS + column] = (mean + DARK).ln();
                }
            }
        }
        Self { channels }
    }

    /// How much of the scene is different, from 0 (the same) to 1 (all of it).
    ///
    /// Does not see noise, the brightness and tint of the whole, or a shift far below a cell.
    pub fn change(&self, other: &Self) -> f32 {
        let mut differences = [0.0_f32; CELLS];
        for (ours, theirs) in self.channels.iter().zip(&other.channels) {
            let light = light(ours, theirs);
            for (cell, difference) in differences.iter_mut().enumerate() {
                let there = beyond(ours[cell] + light, theirs, cell);
                let back = beyond(theirs[cell] - light, ours, cell);
                *difference = difference.max(there).max(back);
            }
        }
        let (nothing, full) = COUNTS;
        let counts = |difference: f32| ((difference - nothing) / (full - nothing)).clamp(0.0, 1.0);
        differences.into_iter().map(counts).sum::<f32>() / CELLS as f32
    }
}

/// How much brighter `theirs` is as a whole: the median, on which an object has no hold.
fn light(ours: &[f32; CELLS], theirs: &[f32; CELLS]) -> f32 {
    let mut steps: [f32; CELLS] = std::array::from_fn(|cell| theirs[cell] - ours[cell]);
    *steps.select_nth_unstable_by(CELLS / 2, f32::total_cmp).1
}

/// How far `value` lies beyond the values that a small shift could bring to `cell`.
fn beyond(value: f32, cells: &[f32; CELLS], cell: usize) -> f32 {
    let (row, column) = (cell / COLUMNS, cell % COLUMNS);
    let own = cells[cell];
    let (mut low, mut high) = (own, own);
    for y in row.saturating_sub(1)..(row + 2).min(ROWS) {
        for x in column.saturating_sub(1)..(column + 2).min(COLUMNS) {
            low = low.min(cells[y * COLUMNS + x]);
            high = high.max(cells[y * COLUMNS + x]);
        }
    }
    let (low, high) = (own + (low - own) * REACH, own + (high - own) * REACH);
    (value - high).max(low - value).max(0.0)
}

/// The pixels of one of `cells` along a side of `length` pixels; at least one.
fn span(cell: usize, cells: usize, length: u32) -> (u32, u32) {
    let edge = |cell: usize| (cell as u64 * u64::from(length) / cells as u64) as u32;
    let first = edge(cell).min(length - 1);
    (first, edge(cell + 1).max(first + 1))
}

/// What a camera shows at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// It moves, or has not been at rest for long.
    Moving,
    /// It is at rest.
    Settled {
        /// Whether it is another scene than the one that was asked about last.
        changed: bool,
    },
}

/// Watches a camera's frames for a scene worth a question.
#[derive(Debug)]
pub struct SceneWatch {
    threshold: f32,
    /// The frame seen last.
    last: Option<(FrameId, SceneSignature)>,
    rest: Option<Rest>,
    asked: Option<SceneSignature>,
    glanced: Option<SceneSignature>,
}

/// A scene at rest, or on the way to it.
#[derive(Debug)]
struct Rest {
    /// The frame it began with. A slow movement leaves it behind, where it would stay close to the
    /// frame before.
    first: SceneSignature,
    since: Instant,
    /// Whether it has lasted.
    settled: bool,
}

impl SceneWatch {
    /// Takes a scene for another one from a change of `threshold` on, 0 to 1. See
    /// [`DEFAULT_THRESHOLD`].
    pub fn new(threshold: f32) -> Self {
        Self { threshold, last: None, rest: None, asked: None, glanced: None }
    }

    /// Changes the threshold; what was seen and asked is kept.
    pub fn set_threshold(&mut self, threshold: f32) {
        self.threshold = threshold;
    }

    /// Takes in the newest frame, which came at `now`. One that was seen already changes nothing.
    pub fn see(&mut self, frame: &Frame, now: Instant) -> Scene {
        if self.last.as_ref().is_none_or(|(id, _)| *id != frame.id) {
            let signature = SceneSignature::of(frame);
            match &mut self.rest {
                Some(rest) if rest.first.change(&signature) < STILL => {
                    rest.settled |= now.saturating_duration_since(rest.since) >= REST;
                }
                moved => {
                    *moved = Some(Rest { first: signature.clone(), since: now, settled: false });
                }
            }
            self.last = Some((frame.id, signature));
        }
        let Some((_, signature)) = self.last.as_ref().filter(|_| self.is_settled()) else {
            return Scene::Moving;
        };
        let other = |asked: &SceneSignature| asked.change(signature) >= self.threshold;
        Scene::Settled { changed: self.asked.as_ref().is_none_or(other) }
    }

    fn is_settled(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| rest.settled)
    }

    /// The frame seen last is being asked about.
    pub fn asked(&mut self) {
        self.asked = self.last.as_ref().map(|(_, signature)| signature.clone());
    }

    /// The frame seen last is being glanced at.
    pub fn glanced(&mut self) {
        self.glanced = self.last.as_ref().map(|(_, signature)| signature.clone());
    }

    /// Whether the frame seen last is another scene than the one that was glanced at last, at rest or
    /// not.
    pub fn has_moved(&self) -> bool {
        let Some((_, signature)) = &self.last else { return false };
        self.glanced.as_ref().is_none_or(|glanced| glanced.change(signature) >= self.threshold)
    }
}

#[cfg(test)]
mod tests;
