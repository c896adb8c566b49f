//! Where in a picture each label's score comes from.

use std::cmp::Ordering;
use std::sync::Arc;

use values::heatmap::Heatmap;
use values::region::Region;

use crate::labels::LabelSet;
use crate::vocabulary::Class;
use crate::{EvidenceError, Label, Labels};

/// All that a label encoder says of a picture: the scores of its rows, each the mean of a map.
#[derive(Debug, Clone)]
pub struct LabelMaps {
    set: Arc<LabelSet>,
    /// One a row; none of a bare surface.
    logits: Vec<f32>,
    /// [rows, height, width].
    maps: Vec<f32>,
    /// The logarithm of the sum of all rows' powers in each cell.
    totals: Vec<f32>,
    /// Cells: height and width.
    grid: (usize, usize),
    /// The part of the frame that they cover.
    area: Region,
}

/// Where the score of a name comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelMap {
    /// The label.
    pub label: Label,
    /// Logits, whose mean is the score of the label's strongest row.
    pub map: Heatmap,
    /// The highest chance of what the noun names at any place, 0 to 1: see [`Support::chance`].
    pub chance: f32,
}

/// What a noun of an answer says to be there, and how far that is borne out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Support {
    /// What it is.
    pub class: Class,
    /// The highest chance at any place of a label that may be meant, 0 to 1: a softmax over all rows
    /// at that place. Of the whole picture, one large thing would hide the others.
    pub chance: f32,
}

impl LabelMaps {
    /// What an output says: `logits` [rows] and `maps` [rows, height, width] on a `grid` of (height,
    /// width) cells, over the part `area` of the frame.
    ///
    /// # Errors
    /// An output of another shape, or with values that are no numbers.
    pub fn new(
        set: Arc<LabelSet>,
        logits: Vec<f32>,
        maps: Vec<f32>,
        grid: (usize, usize),
        area: Region,
    ) -> Result<Self, EvidenceError> {
        let cells = grid.0 * grid.1;
        if cells == 0 || logits.len() != set.rows() || maps.len() != set.rows() * cells {
            let reason = "it has another number of rows than labels.json";
            return Err(EvidenceError::Failed(reason.into()));
        }
        if logits.iter().chain(&maps).any(|logit| !logit.is_finite()) {
            return Err(EvidenceError::Failed("a score is not a finite number".into()));
        }
        let total = |cell: usize| {
            let values = || maps.iter().skip(cell).step_by(cells);
            let highest = values().copied().fold(f32::NEG_INFINITY, f32::max);
            highest + values().map(|value| (value - highest).exp()).sum::<f32>().ln()
        };
        let totals = (0..cells).map(total).collect();
        Ok(Self { set, logits, maps, totals, grid, area })
    }

    /// Nothing: what is said of a bare surface is a network's habit, and no finding.
    #[must_use]
    pub fn nothing(set: Arc<LabelSet>, area: Region) -> Self {
        let (logits, maps, totals) = (Vec::new(), Vec::new(), Vec::new());
        Self { set, logits, maps, totals, grid: (0, 0), area }
    }

    /// What an encoder of these names and kinds would say whose `maps` are those of
    /// [`LabelSet::of_names`]: for tests of what stands on it.
    ///
    /// # Errors
    /// Another number of maps.
    pub fn of_names(
        names: &[(&str, Option<&str>)],
        maps: &[f32],
        grid: (usize, usize),
        area: Region,
    ) -> Result<Self, EvidenceError> {
        let cells = (grid.0 * grid.1).max(1);
        let logits = maps.chunks(cells).map(|map| map.iter().sum::<f32>() / cells as f32);
        let set = Arc::new(LabelSet::of_names(names));
        Self::new(set, logits.collect(), maps.to_vec(), grid, area)
    }

    /// What is shown of it.
    #[must_use]
    pub fn labels(&self) -> Labels {
        if self.logits.is_empty() { Labels::default() } else { self.set.shown(&self.logits) }
    }

    /// The names and the chance of each; no chances of a bare surface.
    pub(crate) fn chances(&self) -> (&LabelSet, Vec<f64>) {
        let bare = self.logits.is_empty();
        (&self.set, if bare { Vec::new() } else { self.set.sums(&self.logits) })
    }

    /// Where the score of what `noun` names comes from, one word or several: of all labels that are
    /// called so, the one with the highest score. `None` where no label is.
    #[must_use]
    pub fn find(&self, noun: &str) -> Option<LabelMap> {
        let groups = self.set.called(noun);
        let row = self.rows_of(&groups).max_by(|a, b| self.by_score(*a, *b))?;
        let (rows, columns) = self.grid;
        let map = Heatmap::new(rows, columns, self.row(row).to_vec()).ok()?.over(self.area);
        let chance = self.best_chance(&groups);
        Some(LabelMap { label: self.set.label(row, &self.logits)?, map, chance })
    }

    /// Whether a label is called what `noun` says.
    #[must_use]
    pub fn knows(&self, noun: &str) -> bool {
        !self.set.called(noun).is_empty()
    }

    /// How far the picture bears out what `noun` names; `None` of a noun that names nothing whose
    /// absence can be told, or names several things.
    #[must_use]
    pub fn support(&self, noun: &str) -> Option<Support> {
        let (class, groups) = self.set.may_be(noun)?;
        Some(Support { class, chance: self.best_chance(&groups) })
    }

    /// The highest chance of a row of these names at any place.
    fn best_chance(&self, groups: &[usize]) -> f32 {
        let best = |row| {
            let chances = self.row(row).iter().zip(&self.totals);
            chances.map(|(logit, total)| (logit - total).exp()).fold(0.0, f32::max)
        };
        self.rows_of(groups).map(best).fold(0.0, f32::max)
    }

    fn row(&self, row: usize) -> &[f32] {
        let cells = self.grid.0 * self.grid.1;
        &self.maps[row * cells..][..cells]
    }

    /// The rows of these names.
    fn rows_of(&self, groups: &[usize]) -> impl Iterator<Item = usize> {
        (0..self.logits.len()).filter(|row| groups.contains(&self.set.group_of(*row)))
    }

    fn by_score(&self, a: usize, b: usize) -> Ordering {
        self.logits[a].total_cmp(&self.logits[b])
    }
}

impl PartialEq for LabelMaps {
    fn eq(&self, other: &Self) -> bool {
        (&self.logits, &self.maps, self.grid, self.area)
            == (&other.logits, &other.maps, other.grid, other.area)
    }
}

#[cfg(test)]
impl LabelMaps {
    /// What is said of a bare surface.
    pub(crate) fn nothing_like(&self) -> Self {
        Self::nothing(self.set.clone(), self.area)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Maps on one row of two cells, over the right half of the frame: a cat on the left of it, a dog
    /// on the right, weakly a person.
    fn maps() -> LabelMaps {
        let names = [("tabby cat", Some("cat")), ("beagle", Some("dog")), ("person", None)];
        let maps = vec![8.0, 0.0, 0.0, 6.0, 1.0, 2.0, 1.0, 1.0];
        let right = Region::new(0.5, 0.0, 0.5, 1.0).unwrap();
        LabelMaps::of_names(&names, &maps, (1, 2), right).unwrap()
    }

    #[test]
    fn the_mean_of_a_map_is_the_score() {
        let maps = maps();
        for (noun, name) in [("cat", "tabby cat"), ("dogs", "beagle"), ("a".repeat(3).as_str(), "")]
        {
            let found = maps.find(noun);
            assert_eq!(found.as_ref().map_or("", |found| &*found.label.name), name);
            let Some(LabelMap { label, map, .. }) = found else { continue };
            let row = ["tabby cat", "beagle"].iter().position(|one| *one == label.name).unwrap();
            assert!((map.stats().mean - maps.logits[row]).abs() < 1e-6);
            assert!((map.area().x() - 0.5).abs() < f32::EPSILON);
        }
    }

    #[test]
    fn what_stands_anywhere_is_borne_out() {
        let maps = maps();
        let support =
            |noun: &str| maps.support(noun).map(|support| (support.class, support.chance));
        let (class, cat) = support("cat").unwrap();
        assert!(class == Class::Animal && cat > 0.99);
        // The whole picture's chance of a dog is 0.26: the cat hides it.
        assert!(support("puppy").unwrap().1 > 0.9);
        let (class, person) = support("woman").unwrap();
        assert!(class == Class::Person && person < 0.02, "{person}");
        assert_eq!(support("elephant"), None, "no label of this set is one");
        let nothing = LabelMaps::nothing(maps.set.clone(), Region::WHOLE);
        assert!(nothing.support("dog").unwrap().chance < f32::MIN_POSITIVE);
        assert!(nothing.find("dog").is_none() && nothing.labels().iter().next().is_none());
    }

    #[test]
    fn outputs_of_another_form_are_refused() {
        let set = || maps().set;
        let new = |logits: Vec<f32>, maps: Vec<f32>, grid| {
            LabelMaps::new(set(), logits, maps, grid, Region::WHOLE)
        };
        assert!(new(vec![0.0; 4], vec![0.0; 4], (1, 1)).is_ok());
        assert!(new(vec![0.0; 3], vec![0.0; 4], (1, 1)).is_err());
        assert!(new(vec![0.0; 4], vec![0.0; 5], (1, 1)).is_err());
        assert!(new(vec![0.0; 4], Vec::new(), (0, 1)).is_err());
        assert!(new(vec![f32::NAN; 4], vec![0.0; 4], (1, 1)).is_err());
        assert!(new(vec![0.0; 4], vec![f32::NAN; 4], (1, 1)).is_err());
    }
}
