//! The pointing game: does a map's strongest cell lie on the thing?
//!
//! Zhang et al., "Top-down Neural Attention by Excitation Backprop" (2018); by mass instead of the
//! peak, the energy-based pointing game of Wang et al., "Score-CAM" (2020). A picture with several
//! things of one name counts as right where the peak lies on any of them.

use encoder::DualEncoder;
use evidence::Witness;
use values::heatmap::Heatmap;
use values::picture::Look;

use super::dataset::Boxed;
use super::table::{Row, Tally};
use super::{EvalError, Looker};

/// Points a side at which a map is looked at for its mass.
const POINTS: usize = 64;

/// Where the things are, in fractions of the frame.
#[derive(Debug, Clone)]
pub struct Target(Vec<[f32; 4]>);

impl Target {
    /// The boxes of `boxed` in a picture of this size.
    pub fn new(boxed: &Boxed, width: u32, height: u32) -> Self {
        let (width, height) = (width as f32, height as f32);
        let fractions =
            |[x0, y0, x1, y1]: &[f32; 4]| [x0 / width, y0 / height, x1 / width, y1 / height];
        Self(boxed.boxes.iter().map(fractions).collect())
    }

    /// Whether the point lies in one of the boxes.
    pub fn holds(&self, x: f32, y: f32) -> bool {
        self.0.iter().any(|[x0, y0, x1, y1]| (*x0..*x1).contains(&x) && (*y0..*y1).contains(&y))
    }

    /// The share of the frame that the boxes cover together.
    pub fn area(&self) -> f64 {
        let inside = points().filter(|(x, y)| self.holds(*x, *y)).count();
        inside as f64 / (POINTS * POINTS) as f64
    }

    /// The share of a map's positive mass that lies in the boxes.
    pub fn energy(&self, map: &Heatmap) -> f64 {
        let (mut inside, mut all) = (0.0, 0.0);
        for (x, y) in points() {
            let value = f64::from(map.nearest(x, y).unwrap_or(0.0).max(0.0));
            all += value;
            if self.holds(x, y) {
                inside += value;
            }
        }
        // A map without mass points nowhere more than anywhere.
        if all > 0.0 { inside / all } else { self.area() }
    }

    fn judge(&self, map: &Heatmap, tally: &mut Tally) {
        let (x, y) = map.peak();
        tally.add(self.holds(x, y), self.energy(map));
    }
}

fn points() -> impl Iterator<Item = (f32, f32)> {
    let at = |n: usize| (n as f32 + 0.5) / POINTS as f32;
    (0..POINTS * POINTS).map(move |n| (at(n % POINTS), at(n / POINTS)))
}

/// Plays the game on every picture: the label encoder's map, and with a `looker` the others; `told` is
/// called after each.
///
/// # Errors
/// A picture that cannot be read, a specialist that fails, or the engine's.
pub fn play(
    set: &[Boxed],
    witness: &Witness,
    mut looker: Option<&mut Looker<'_>>,
    mut dual: Option<Box<dyn DualEncoder>>,
    told: &mut dyn FnMut(usize, &Boxed),
) -> Result<Vec<Row>, EvalError> {
    let [mut random, mut centre, mut label, mut rollout, mut word, mut seen, mut phrase] =
        std::array::from_fn(|_| Tally::default());
    let mut chance = 0.0;
    for (index, boxed) in set.iter().enumerate() {
        let frame = capture::load(&boxed.file).map_err(|error| EvalError::File {
            file: boxed.file.display().to_string(),
            reason: error.to_string(),
        })?;
        let target = Target::new(boxed, frame.width(), frame.height());
        let picture = Look { frame, region: None };
        let area = target.area();
        chance += area;
        centre.add(target.holds(0.5, 0.5), area);
        // Points spread evenly stand for a random one: the golden ratio spreads them.
        let (x, y) = (0.618_034 * (index + 1) as f32, 0.381_966 * (index * index + 1) as f32);
        random.add(target.holds(x.fract(), y.fract()), area);
        match witness.sighting(&picture)?.maps.find(&boxed.label) {
            Some(found) => target.judge(&found.map, &mut label),
            // What has no name there is not found.
            None => label.add(false, area),
        }
        if let Some(looker) = &mut looker {
            target.judge(&looker.vision.attention(&picture)?.rollout, &mut rollout);
            let found = looker.look(&picture, &boxed.label, true)?;
            target.judge(&found.map, &mut word);
            found.seen.iter().for_each(|map| target.judge(map, &mut seen));
        }
        if let Some(dual) = &mut dual {
            target.judge(&dual.find(&picture, &boxed.label)?.map, &mut phrase);
        }
        told(index + 1, boxed);
    }
    let mut rows = vec![
        Row { energy: Some(chance / set.len().max(1) as f64), ..random.row("random point") },
        centre.row("centre point"),
        label.row("label map"),
    ];
    if looker.is_some() {
        rows.extend([
            seen.row("seen alone"),
            word.row("word map"),
            rollout.row("encoder attention"),
        ]);
    }
    if dual.is_some() {
        rows.push(phrase.row("phrase map"));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn target() -> Target {
        let boxes = vec![[0.0, 0.0, 50.0, 100.0], [25.0, 0.0, 75.0, 50.0]];
        let apples = Boxed { file: PathBuf::new(), label: "apple".into(), boxes };
        Target::new(&apples, 100, 200)
    }

    #[test]
    fn boxes_that_overlap_count_once() {
        let target = target();
        assert!(target.holds(0.1, 0.4) && target.holds(0.7, 0.1) && !target.holds(0.7, 0.4));
        assert!((target.area() - (0.25 + 0.0625)).abs() < 0.01, "{}", target.area());
    }

    #[test]
    fn peaks_and_mass_are_judged() {
        let map = |values: Vec<f32>| Heatmap::new(2, 2, values).unwrap();
        let target = target();
        let mut tally = Tally::default();
        target.judge(&map(vec![3.0, 0.0, 0.0, 1.0]), &mut tally);
        target.judge(&map(vec![0.0, 0.0, -5.0, 1.0]), &mut tally);
        let row = tally.row("map");
        assert!((row.pointing.share - 0.5).abs() < 1e-9);
        // All of the upper left quarter is covered, and none of the lower right one.
        assert!((row.energy.unwrap() - 0.375).abs() < 1e-6, "{:?}", row.energy);
        let flat = target.energy(&map(vec![0.0; 4]));
        assert!((flat - target.area()).abs() < 1e-9);
    }
}
