//! The causal check: parts of the picture are hidden one after another, and the same answer is
//! read back each time. What matters to the answer makes it less probable when it is hidden.
//!
//! Windows first, of half the picture's side and overlapping; then cells; then those cells that
//! mattered most, quartered. Between them, areas at random places, as large as a cell: what hiding
//! anything would do.

use std::collections::VecDeque;

use image::RgbImage;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use values::heatmap::Heatmap;

use super::Causal;
use super::occlusion::{Area, Curtain, GRID};

/// Side of a window, in cells of the finest grid.
const WINDOW: usize = 4;
/// Side of a cell of the second round, likewise.
const CELL: usize = 2;
/// Cells of the second round that are quartered.
const REFINED: usize = 6;
/// Areas at random places.
const RANDOM: usize = 6;

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
    curtain: Curtain,
    /// ln p of the answer about the picture as it is.
    base: Option<f32>,
    /// Hidden areas with the fall of ln p, in nats.
    probes: Vec<(Area, f32)>,
    randoms: Vec<f32>,
    steps: VecDeque<Step>,
    refined: bool,
    done: usize,
}

impl Check {
    /// A check of an answer about what lies behind `curtain`.
    pub fn new(curtain: Curtain) -> Self {
        let mut steps = VecDeque::from([Step::Nothing]);
        steps.extend(Area::squares(WINDOW, WINDOW / 2).map(Step::Probe));
        // The same places each time, so that a check can be repeated.
        let mut random = StdRng::seed_from_u64(0);
        for (index, cell) in Area::squares(CELL, CELL).enumerate() {
            steps.push_back(Step::Probe(cell));
            if index % 2 == 1 && index / 2 < RANDOM {
                let mut place = || random.random_range(0..=GRID - CELL);
                let area = Area { row: place(), col: place(), side: CELL };
                steps.push_back(Step::Random(area));
            }
        }
        let (probes, randoms) = (Vec::new(), Vec::new());
        Self { curtain, base: None, probes, randoms, steps, refined: false, done: 0 }
    }

    /// The square that the model is to be shown next; `None` at the end.
    pub fn picture(&self) -> Option<RgbImage> {
        Some(match self.steps.front()? {
            Step::Nothing => self.curtain.open(),
            Step::Probe(area) | Step::Random(area) => self.curtain.without(*area),
        })
    }

    /// Takes ln p of the whole answer about the last picture.
    pub fn take(&mut self, logprob: f32) {
        let Some(step) = self.steps.pop_front() else { return };
        self.done += 1;
        let fall = self.base.get_or_insert(logprob).to_owned() - logprob;
        match step {
            Step::Nothing => {}
            Step::Probe(area) => self.probes.push((area, fall)),
            Step::Random(_) => self.randoms.push(fall),
        }
        if self.steps.is_empty() && !self.refined {
            self.refined = true;
            let mut cells = self.of_side(CELL);
            cells.sort_by(|a, b| b.1.total_cmp(&a.1));
            for (area, _) in cells.into_iter().take(REFINED) {
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

    fn of_side(&self, side: usize) -> Vec<(Area, f32)> {
        self.probes.iter().filter(|(area, _)| area.side == side).copied().collect()
    }

    /// Fall of ln p for each cell: the mean over the smallest areas that were hidden there, and 0
    /// where none was yet.
    fn map(&self) -> Option<Heatmap> {
        let values = (0..GRID * GRID).map(|cell| {
            let over = |(area, _): &&(Area, f32)| area.covers(cell / GRID, cell % GRID);
            let smallest = self.probes.iter().filter(over).map(|(area, _)| area.side).min();
            let falls = self.probes.iter().filter(over);
            let falls = falls.filter(|(area, _)| Some(area.side) == smallest).map(|(_, fall)| fall);
            let count = falls.clone().count().max(1);
            falls.sum::<f32>() / count as f32
        });
        Heatmap::new(GRID, GRID, values.collect()).ok().map(|map| map.over(self.curtain.shown))
    }

    /// What is to be shown of the check; `None` before the first picture.
    pub fn state(&self) -> Option<Causal> {
        self.base?;
        let greatest = self.of_side(CELL).into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
        let to_come = if self.refined { 0 } else { REFINED * 4 };
        Some(Causal {
            map: self.map()?,
            fill: self.curtain.fill,
            done: self.done,
            total: self.done + self.steps.len() + to_come,
            running: !self.is_over(),
            area: greatest.and_then(|(area, _)| area.region(self.curtain.shown)),
            greatest: greatest.map_or(0.0, |(_, fall)| fall),
            random: self.randoms.iter().copied().reduce(f32::max),
        })
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use values::config::Fill;
    use values::region::Region;

    use super::*;

    /// A white square in the lower right quarter, on black.
    fn picture() -> RgbImage {
        RgbImage::from_fn(64, 64, |x, y| {
            let inside = (50..58).contains(&x) && (50..58).contains(&y);
            if inside { Rgb([255; 3]) } else { Rgb([0; 3]) }
        })
    }

    /// An answer that needs the white square.
    fn logprob(shown: &RgbImage) -> f32 {
        let bright: f32 = shown.pixels().map(|pixel| f32::from(pixel.0[0])).sum();
        -3.0 + 3.0 * bright / (64.0 * 255.0)
    }

    #[test]
    fn the_map_points_to_what_the_answer_needs() {
        let area = Region::new(0.5, 0.0, 0.5, 1.0).unwrap();
        for (fill, shown) in [(Fill::Blur, Region::WHOLE), (Fill::Mean, area)] {
            let mut check = Check::new(Curtain::new(picture(), shown, fill));
            assert!(check.state().is_none());
            assert_eq!(check.picture().unwrap(), picture());
            while let Some(picture) = check.picture() {
                check.take(logprob(&picture));
                let state = check.state().unwrap();
                assert_eq!((state.total, state.running), (56, !check.is_over()));
            }
            let causal = check.state().unwrap();
            let values = causal.map.values();
            let peak = (0..GRID * GRID).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap();
            assert!(peak / GRID >= 6 && peak % GRID >= 6, "{peak}");
            assert_eq!(causal.done, 1 + 9 + 16 + 6 + 24);
            assert!(causal.greatest > causal.random.unwrap());
            assert_eq!(causal.map.area(), shown);
            assert!(causal.area.unwrap().x() >= shown.x() + shown.width() / 2.0);
        }
    }

    #[test]
    fn a_picture_of_one_colour_moves_nothing() {
        let grey = RgbImage::from_pixel(64, 64, Rgb([90, 91, 92]));
        let mut check = Check::new(Curtain::new(grey.clone(), Region::WHOLE, Fill::Blur));
        while let Some(shown) = check.picture() {
            assert_eq!(shown, grey);
            check.take(-1.0);
        }
        assert!(check.map().unwrap().values().iter().all(|fall| *fall == 0.0));
    }
}
