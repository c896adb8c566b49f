//! The causal check: parts of the picture are hidden one after another, and the same answer is
//! read back each time. What matters to the answer makes it less probable when it is hidden.
//!
//! Occlusion as in Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks"
//! (2014), with the answer's log-probability in the class score's place. Windows first, of half
//! the picture's side and overlapping; then cells; then those cells that mattered most, quartered.
//! Between them, areas at random places, as large as a cell: what hiding anything would do.

use std::collections::VecDeque;
use std::ops::Range;

use image::{Rgb, RgbImage, imageops};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Causal, Fill};
use crate::heatmap::Heatmap;
use crate::region::Region;

/// Cells a side of the finest grid.
const GRID: usize = 8;
/// Side of a window, in cells of the finest grid.
const WINDOW: usize = 4;
/// Side of a cell of the second round, likewise.
const CELL: usize = 2;
/// Cells of the second round that are quartered.
const REFINED: usize = 6;
/// Areas at random places.
const RANDOM: usize = 6;
/// Blur that leaves nothing to be told, as a share of the picture's side.
const BLUR: f32 = 0.09;

/// A square of cells of the finest grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    row: usize,
    col: usize,
    side: usize,
}

impl Area {
    /// The area as a part of the square that the encoder is shown.
    fn pixels(self, side: u32) -> (u32, u32, u32, u32) {
        let edge = |cell: usize| (cell as u64 * u64::from(side) / GRID as u64) as u32;
        let (x, y) = (edge(self.col), edge(self.row));
        (x, y, edge(self.col + self.side) - x, edge(self.row + self.side) - y)
    }

    fn covers(self, row: usize, col: usize) -> bool {
        (self.row..self.row + self.side).contains(&row)
            && (self.col..self.col + self.side).contains(&col)
    }

    /// The area as a part of the frame, where the square shows `shown` of it.
    fn region(self, shown: Region) -> Option<Region> {
        let share = |cells: usize| cells as f32 / GRID as f32;
        Region::new(
            shown.x() + share(self.col) * shown.width(),
            shown.y() + share(self.row) * shown.height(),
            share(self.side) * shown.width(),
            share(self.side) * shown.height(),
        )
        .ok()
    }
}

/// What hiding an area did.
#[derive(Debug, Clone, PartialEq)]
struct Probe {
    area: Area,
    /// Fall of the log-probability of each token of the answer, in nats.
    falls: Vec<f32>,
}

/// How far a check goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Windows alone: enough to tell which part of the picture a phrase needs.
    Windows,
    /// All rounds.
    Full,
}

/// What is to be hidden next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Nothing,
    Probe(Area),
    Random(Area),
}

/// A causal check of one answer about one picture. It computes nothing itself: [`Check::picture`]
/// is what the model is to be shown next, [`Check::take`] takes how probable the answer was then.
#[derive(Debug, Clone)]
pub struct Check {
    input: RgbImage,
    filled: RgbImage,
    fill: Fill,
    shown: Region,
    base: Vec<f32>,
    probes: Vec<Probe>,
    randoms: Vec<f32>,
    steps: VecDeque<Step>,
    refines: bool,
    done: usize,
}

impl Check {
    /// A check of an answer about `input`, the square that the encoder was shown, which covers
    /// `shown` of the frame.
    pub fn new(input: RgbImage, shown: Region, fill: Fill, depth: Depth) -> Self {
        let filled = match fill {
            Fill::Blur => {
                let sigma = (input.width() as f32 * BLUR).max(1.0);
                imageops::fast_blur(&input, sigma)
            }
            Fill::Mean => RgbImage::from_pixel(input.width(), input.height(), mean(&input)),
        };
        let squares = |side: usize, stride: usize| {
            let at = move |cell: usize| cell * stride;
            let count = (GRID - side) / stride + 1;
            (0..count * count).map(move |n| Area { row: at(n / count), col: at(n % count), side })
        };
        let mut steps = VecDeque::from([Step::Nothing]);
        steps.extend(squares(WINDOW, WINDOW / 2).map(Step::Probe));
        if depth == Depth::Full {
            // The same places each time, so that a check can be repeated.
            let mut random = StdRng::seed_from_u64(0);
            for (index, cell) in squares(CELL, CELL).enumerate() {
                steps.push_back(Step::Probe(cell));
                if index % 2 == 1 && index / 2 < RANDOM {
                    let mut place = || random.random_range(0..=GRID - CELL);
                    let area = Area { row: place(), col: place(), side: CELL };
                    steps.push_back(Step::Random(area));
                }
            }
        }
        Self {
            input,
            filled,
            fill,
            shown,
            base: Vec::new(),
            probes: Vec::new(),
            randoms: Vec::new(),
            steps,
            refines: depth == Depth::Full,
            done: 0,
        }
    }

    /// The square that the model is to be shown next; `None` at the end.
    pub fn picture(&self) -> Option<RgbImage> {
        let area = match self.steps.front()? {
            Step::Nothing => return Some(self.input.clone()),
            Step::Probe(area) | Step::Random(area) => *area,
        };
        let (x, y, width, height) = area.pixels(self.input.width());
        let patch = imageops::crop_imm(&self.filled, x, y, width, height).to_image();
        let mut hidden = self.input.clone();
        imageops::replace(&mut hidden, &patch, i64::from(x), i64::from(y));
        Some(hidden)
    }

    /// Takes ln p of each token of the answer about the last picture.
    pub fn take(&mut self, logprobs: &[f32]) {
        let Some(step) = self.steps.pop_front() else { return };
        self.done += 1;
        let falls: Vec<f32> =
            self.base.iter().zip(logprobs).map(|(base, hidden)| base - hidden).collect();
        match step {
            Step::Nothing => self.base = logprobs.to_vec(),
            Step::Probe(area) => self.probes.push(Probe { area, falls }),
            Step::Random(_) => self.randoms.push(falls.iter().sum()),
        }
        if self.refines && self.steps.is_empty() {
            self.refines = false;
            let mut cells: Vec<&Probe> =
                self.probes.iter().filter(|probe| probe.area.side == CELL).collect();
            let total = |probe: &Probe| probe.falls.iter().sum::<f32>();
            cells.sort_by(|a, b| total(b).total_cmp(&total(a)));
            for Probe { area, .. } in cells.into_iter().take(REFINED) {
                let quarters = [(0, 0), (0, 1), (1, 0), (1, 1)];
                self.steps.extend(quarters.map(|(row, col)| {
                    Step::Probe(Area { row: area.row + row, col: area.col + col, side: 1 })
                }));
            }
        }
    }

    /// Whether nothing is left to be hidden.
    pub fn is_over(&self) -> bool {
        self.steps.is_empty()
    }

    /// Fall of the log-probability of the tokens in `tokens` for each cell: the mean over the
    /// smallest areas that were hidden there, and 0 where none was yet.
    pub fn map(&self, tokens: &Range<usize>) -> Option<Heatmap> {
        let values = (0..GRID * GRID).map(|cell| {
            let over = |probe: &&Probe| probe.area.covers(cell / GRID, cell % GRID);
            let smallest =
                self.probes.iter().filter(over).map(|probe| probe.area.side).min().unwrap_or(0);
            let falls = self.probes.iter().filter(over).filter(|p| p.area.side == smallest);
            let falls: Vec<f32> = falls.map(|probe| fall(probe, tokens)).collect();
            if falls.is_empty() { 0.0 } else { falls.iter().sum::<f32>() / falls.len() as f32 }
        });
        Heatmap::new(GRID, GRID, values.collect()).ok().map(|map| map.over(self.shown))
    }

    /// The window whose hiding made the tokens in `tokens` least probable, that fall, and the mean
    /// fall over all windows, in nats.
    pub fn window(&self, tokens: &Range<usize>) -> Option<(Region, f32, f32)> {
        let windows = self.probes.iter().filter(|probe| probe.area.side == WINDOW);
        let falls: Vec<(Area, f32)> =
            windows.map(|probe| (probe.area, fall(probe, tokens))).collect();
        let mean = falls.iter().map(|(_, fall)| fall).sum::<f32>() / falls.len().max(1) as f32;
        let (area, greatest) = falls.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some((area.region(self.shown)?, greatest, mean))
    }

    /// What is to be shown of the check.
    pub fn state(&self, running: bool) -> Option<Causal> {
        let all = 0..self.base.len();
        let cells = self.probes.iter().filter(|probe| probe.area.side == CELL);
        let greatest = cells.max_by(|a, b| fall(a, &all).total_cmp(&fall(b, &all)));
        let to_come = if self.refines { REFINED * 4 } else { 0 };
        Some(Causal {
            map: self.map(&all)?,
            fill: self.fill,
            done: self.done,
            total: self.done + self.steps.len() + to_come,
            running,
            area: greatest.and_then(|probe| probe.area.region(self.shown)),
            greatest: greatest.map_or(0.0, |probe| fall(probe, &all)),
            random: (!self.randoms.is_empty())
                .then(|| self.randoms.iter().sum::<f32>() / self.randoms.len() as f32),
        })
    }
}

fn fall(probe: &Probe, tokens: &Range<usize>) -> f32 {
    let end = tokens.end.min(probe.falls.len());
    probe.falls[tokens.start.min(end)..end].iter().sum()
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

    /// A white square in the middle of the lower right quarter, on black.
    fn picture() -> RgbImage {
        RgbImage::from_fn(64, 64, |x, y| {
            let inside = (44..52).contains(&x) && (44..52).contains(&y);
            if inside { Rgb([255; 3]) } else { Rgb([0; 3]) }
        })
    }

    /// An answer whose second token needs the white square, and whose first needs nothing.
    fn logprobs(shown: &RgbImage) -> [f32; 2] {
        let bright: f32 = shown.pixels().map(|pixel| f32::from(pixel.0[0])).sum();
        [-0.5, -3.0 + 3.0 * bright / (64.0 * 255.0)]
    }

    fn run(check: &mut Check) {
        while let Some(shown) = check.picture() {
            check.take(&logprobs(&shown));
        }
    }

    #[test]
    fn the_map_points_to_what_the_answer_needs() {
        for fill in [Fill::Blur, Fill::Mean] {
            let mut check = Check::new(picture(), Region::WHOLE, fill, Depth::Full);
            run(&mut check);
            let causal = check.state(false).unwrap();
            let values = causal.map.values();
            let peak = (0..GRID * GRID).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap();
            assert!([5, 6].contains(&(peak / GRID)) && [5, 6].contains(&(peak % GRID)), "{peak}");
            assert_eq!((causal.done, causal.total), (1 + 9 + 16 + 6 + 24, 56));
            assert!(causal.greatest > causal.random.unwrap());
            let first = check.map(&(0..1)).unwrap();
            assert!(first.values().iter().all(|fall| fall.abs() < 1e-6));
        }
    }

    #[test]
    fn a_window_is_found_for_the_tokens_that_need_it() {
        let area = Region::new(0.5, 0.0, 0.5, 1.0).unwrap();
        let mut check = Check::new(picture(), area, Fill::Mean, Depth::Windows);
        run(&mut check);
        assert!(check.is_over());
        let (window, greatest, mean) = check.window(&(1..2)).unwrap();
        assert!(greatest > 2.0 * mean, "{greatest} beside {mean}");
        // The square covers the right half of the frame alone.
        assert!(window.x() >= 0.5 && window.y() > 0.2, "{window}");
        assert_eq!(check.map(&(1..2)).unwrap().area(), area);
    }

    #[test]
    fn what_is_shown_first_is_the_picture_itself_and_then_parts_are_hidden() {
        let mut check = Check::new(picture(), Region::WHOLE, Fill::Mean, Depth::Full);
        assert_eq!(check.picture().unwrap(), picture());
        let total = check.state(true).unwrap().total;
        check.take(&[-1.0]);
        let hidden = check.picture().unwrap();
        let changed = hidden.pixels().zip(picture().pixels()).filter(|(a, b)| a.0 != b.0).count();
        assert_eq!(changed, 32 * 32);
        assert_eq!(check.state(true).unwrap().total, total);
    }

    #[test]
    fn a_picture_of_one_colour_moves_nothing() {
        let grey = RgbImage::from_pixel(64, 64, Rgb([90, 91, 92]));
        let mut check = Check::new(grey.clone(), Region::WHOLE, Fill::Blur, Depth::Windows);
        while let Some(shown) = check.picture() {
            assert_eq!(shown, grey);
            check.take(&[-1.0]);
        }
        assert!(check.map(&(0..1)).unwrap().values().iter().all(|fall| *fall == 0.0));
    }
}
