//! Four pictures in one: swapping the word must move the peak.
//!
//! Each picture fills a quarter, and each is asked for by its name. A map that follows the word
//! points into that quarter; one that ignores it does so once in four. Names that belong to none of
//! the four say how an absent word shows.

use evidence::Witness;
use image::{RgbImage, imageops};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde::Serialize;
use values::frame::{Frame, Source};
use values::heatmap::Heatmap;
use values::picture::{Filter, Look, resize};
use values::region::Region;

use super::table::{Interval, Row, Tally};
use super::{EvalError, Looker};

/// Side of a quarter, in pixels.
const QUARTER: u32 = 224;
/// Pictures in a composite.
const FOUR: usize = 4;
/// Absent names asked for in each composite.
const ABSENT: usize = 2;

/// A picture with its name.
#[derive(Debug, Clone)]
pub struct Named {
    /// What it shows, and what else it may be called.
    pub names: Vec<String>,
    /// The picture.
    pub pixels: RgbImage,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// How each map did.
    pub rows: Vec<Row>,
    /// How often a name that is there had more support from the picture than one that is not, over
    /// all pairs within a composite: 0.5 where support says nothing. `None` where nothing was asked.
    pub presence: Option<f64>,
    /// Those pairs.
    pub pairs: usize,
}

impl Named {
    /// What it is asked for as.
    fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }
}

/// Four pictures as one; quarters are numbered row by row.
pub fn compose(four: &[&Named]) -> RgbImage {
    let mut whole = RgbImage::new(2 * QUARTER, 2 * QUARTER);
    for (index, named) in four.iter().take(FOUR).enumerate() {
        let quarter = resize(&named.pixels, QUARTER, QUARTER, Filter::Lanczos);
        let (x, y) = (index as u32 % 2 * QUARTER, index as u32 / 2 * QUARTER);
        imageops::replace(&mut whole, &quarter, i64::from(x), i64::from(y));
    }
    whole
}

/// Which quarter a map's peak lies in.
fn quarter(map: &Heatmap) -> usize {
    let (x, y) = map.peak();
    usize::from(y >= 0.5) * 2 + usize::from(x >= 0.5)
}

fn judge(map: &Heatmap, wanted: usize, tally: &mut Tally) {
    let (x, y) = ((wanted % 2) as f32 / 2.0, (wanted / 2) as f32 / 2.0);
    let energy = Region::new(x, y, 0.5, 0.5).map_or(0.0, |region| map.energy(region));
    tally.add(quarter(map) == wanted, f64::from(energy));
}

/// Asks for every name in `count` composites of four pictures drawn from `pictures`: where the label
/// encoder sees it, by the first of its names that is a label's, and with a `looker` the other maps.
/// `told` is called after each composite.
///
/// # Errors
/// Fewer than six pictures, a specialist that fails, or the engine's.
pub fn play(
    pictures: &[Named],
    count: usize,
    seed: u64,
    witness: &Witness,
    mut looker: Option<&mut Looker<'_>>,
    told: &mut dyn FnMut(usize),
) -> Result<Outcome, EvalError> {
    if pictures.len() < FOUR + ABSENT {
        let reason = format!("{} pictures where {} are needed", pictures.len(), FOUR + ABSENT);
        return Err(EvalError::File { file: "the samples".into(), reason });
    }
    let mut random = StdRng::seed_from_u64(seed);
    let [mut label, mut rollout, mut word, mut alone] = std::array::from_fn(|_| Tally::default());
    let (mut right, mut pairs) = (0.0, 0);
    for number in 0..count {
        let mut drawn: Vec<&Named> = pictures.iter().collect();
        drawn.shuffle(&mut random);
        let frame = Frame::new(compose(&drawn), Source::Memory("four pictures".into()));
        let picture = Look { frame, region: None };
        let labels = witness.sighting(&picture)?.maps;
        for (wanted, named) in drawn[..FOUR].iter().enumerate() {
            match named.names.iter().find_map(|name| labels.find(name)) {
                Some(found) => judge(&found.map, wanted, &mut label),
                None => label.add(false, 0.25),
            }
        }
        let Some(looker) = &mut looker else {
            told(number + 1);
            continue;
        };
        let attention = looker.vision.attention(&picture)?.rollout;
        let mut present = Vec::new();
        for (wanted, named) in drawn[..FOUR].iter().enumerate() {
            let found = looker.look(&picture, named.name(), true)?;
            judge(&attention, wanted, &mut rollout);
            judge(&found.map, wanted, &mut word);
            found.seen.iter().for_each(|map| judge(map, wanted, &mut alone));
            present.push(found.support);
        }
        for absent in &drawn[FOUR..FOUR + ABSENT] {
            let support = looker.look(&picture, absent.name(), false)?.support;
            for present in &present {
                pairs += 1;
                right += match present.total_cmp(&support) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                };
            }
        }
        told(number + 1);
    }
    let n = count * FOUR;
    let chance = Row {
        name: "chance",
        n,
        pointing: Interval { share: 0.25, low: 0.25, high: 0.25 },
        energy: Some(0.25),
    };
    let mut rows = vec![chance, label.row("label map")];
    if looker.is_some() {
        rows.extend([
            alone.row("seen alone"),
            word.row("word map"),
            rollout.row("encoder attention"),
        ]);
    }
    let presence = (pairs > 0).then(|| right / f64::from(pairs));
    Ok(Outcome { rows, presence, pairs: pairs as usize })
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn quarters_are_filled_row_by_row() {
        let grey = |value: u8| Named {
            names: vec![value.to_string()],
            pixels: RgbImage::from_pixel(30, 40, Rgb([value; 3])),
        };
        let four = [grey(10), grey(20), grey(30), grey(40)];
        let whole = compose(&four.iter().collect::<Vec<_>>());
        let at = |x, y| whole.get_pixel(x, y).0[0];
        assert_eq!([at(5, 5), at(440, 5), at(5, 440), at(440, 440)], [10, 20, 30, 40]);
    }

    #[test]
    fn a_peak_is_judged_by_its_quarter() {
        let mut values = vec![0.0; 16];
        values[2 * 4 + 1] = 4.0;
        values[3] = 1.0;
        let map = Heatmap::new(4, 4, values).unwrap();
        assert_eq!(quarter(&map), 2);
        let mut tally = Tally::default();
        judge(&map, 2, &mut tally);
        judge(&map, 1, &mut tally);
        let row = tally.row("map");
        assert!((row.pointing.share - 0.5).abs() < 1e-9);
        assert!((row.energy.unwrap() - 0.5).abs() < 1e-6);
    }
}
