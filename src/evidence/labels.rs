//! From a label encoder's scores to names with their chances, kinds and places.

use std::cmp::Ordering;
use std::path::Path;

use serde::{Deserialize, Serialize};
use values::heatmap::Heatmap;
use values::region::Region;
use values::text;

use crate::EvidenceError;

/// The file of a label encoder that says what its rows mean.
const FILE: &str = "labels.json";
/// Largest input that a label encoder may ask for, in pixels.
const MOST_PIXELS: f64 = 4_194_304.0;

/// What a picture shows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Labels {
    /// What it is, where that is likelier than not.
    pub sure: Option<Label>,
    /// What else it may be or show, the likeliest first.
    pub perhaps: Vec<Label>,
}

/// A name for what a picture shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// The name, such as "tabby cat".
    pub name: String,
    /// What kind of thing that is, such as "cat", where it is known.
    pub kind: Option<String>,
    /// How likely it is, 0 to 1, among all names.
    pub probability: f32,
    /// Where its score comes from: logits, whose mean is the score of the name's strongest row.
    /// `None` in what was kept: the picture gives it again.
    #[serde(skip)]
    pub map: Option<Heatmap>,
}

impl Labels {
    /// All of them, the likeliest first.
    pub fn iter(&self) -> impl Iterator<Item = &Label> {
        self.sure.iter().chain(&self.perhaps)
    }

    /// The one that `answer` names, by its name or else by its kind, as a whole word; the likeliest
    /// of those.
    #[must_use]
    pub fn named_in(&self, answer: &str) -> Option<&Label> {
        let by = |name: fn(&Label) -> Option<&str>| {
            self.iter().find(|label| name(label).is_some_and(|name| text::holds(answer, name)))
        };
        by(|label| Some(&label.name)).or_else(|| by(|label| label.kind.as_deref()))
    }
}

/// What the rows of a label encoder mean, and what it takes: its `labels.json`.
#[derive(Debug, Clone, Deserialize)]
pub struct LabelSet {
    /// The group of each row of its output.
    row_group: Vec<usize>,
    /// The names. Several rows may have one.
    groups: Vec<Group>,
    /// The chance from which the best name is sure.
    sure: f64,
    /// The chance from which a name is possible.
    #[serde(rename = "maybe")]
    perhaps: f64,
    /// How many possible names are shown.
    most: usize,
    /// What it is shown of a picture.
    pub input: Input,
}

/// A name, and the kind of thing it is.
#[derive(Debug, Clone, Deserialize)]
struct Group {
    name: String,
    kind: Option<String>,
}

/// The picture that a label encoder takes: RGB, (value - `mean`) / `scale`, bicubic.
#[derive(Debug, Clone, Deserialize)]
pub struct Input {
    /// Pixels that it has, about.
    area: f64,
    /// What its sides are multiples of.
    multiple: u32,
    /// The least and the greatest width by height.
    aspect: [f64; 2],
    /// Subtracted from each 8-bit value.
    pub mean: f32,
    /// What the rest is divided by.
    pub scale: f32,
}

impl Input {
    /// The width and height to which a picture of `width` × `height` pixels is resized: its aspect,
    /// within bounds, at the area, rounded as Python rounds (half to even).
    pub fn size(&self, width: u32, height: u32) -> (u32, u32) {
        let [least, greatest] = self.aspect;
        let aspect = (f64::from(width) / f64::from(height.max(1))).clamp(least, greatest);
        let side = |pixels: f64| {
            let steps = (pixels.sqrt() / f64::from(self.multiple)).round_ties_even() as u32;
            steps.max(1) * self.multiple
        };
        (side(self.area * aspect), side(self.area / aspect))
    }

    fn trouble(&self) -> Option<&'static str> {
        let [least, greatest] = self.aspect;
        let sides = f64::from(self.multiple).powi(2);
        let is_size = sides > 0.0 && sides <= self.area && self.area <= MOST_PIXELS;
        let is_aspect = 0.0 < least && least <= greatest && greatest.is_finite();
        let is_scale = self.mean.is_finite() && self.scale.is_finite() && self.scale != 0.0;
        let wrong = !(is_size && is_aspect && is_scale);
        wrong.then_some("its input is no size that a picture can have")
    }
}

impl LabelSet {
    /// Reads `labels.json` in `folder`.
    ///
    /// # Errors
    /// The file is missing, or says what cannot be.
    pub fn read(folder: &Path) -> Result<Self, EvidenceError> {
        let file = folder.join(FILE);
        let text = std::fs::read_to_string(&file).map_err(|e| EvidenceError::file(&file, &e))?;
        let set: Self = serde_json::from_str(&text).map_err(|e| EvidenceError::file(&file, &e))?;
        match set.trouble() {
            Some(trouble) => Err(EvidenceError::file(&file, &trouble)),
            None => Ok(set),
        }
    }

    fn trouble(&self) -> Option<&'static str> {
        if self.row_group.is_empty()
            || self.row_group.iter().any(|group| *group >= self.groups.len())
        {
            return Some("a row has no name");
        }
        let chance = |chance: f64| (0.0..=1.0).contains(&chance);
        if !chance(self.sure) || !chance(self.perhaps) {
            return Some("a threshold is no chance");
        }
        self.input.trouble()
    }

    /// Rows of the output.
    pub fn rows(&self) -> usize {
        self.row_group.len()
    }

    /// The names with their chances, the likeliest first: the softmax over all rows, summed over
    /// the rows of each name. `logits` has one value a row.
    pub fn chances(&self, logits: &[f32]) -> Vec<(&str, f64)> {
        let sums = self.sums(logits);
        self.ranked(&sums)
            .into_iter()
            .map(|group| (&*self.groups[group].name, sums[group]))
            .collect()
    }

    /// What is shown of an output: `logits` [rows] and `maps` [rows, height, width] on a `grid` of
    /// (height, width) cells, over the part `area` of the frame.
    ///
    /// # Errors
    /// An output of another shape, or with values that are no numbers.
    pub fn shown(
        &self,
        logits: &[f32],
        maps: &[f32],
        grid: (usize, usize),
        area: Region,
    ) -> Result<Labels, EvidenceError> {
        let cells = grid.0 * grid.1;
        if logits.len() != self.rows() || maps.len() != self.rows() * cells {
            let reason = "it has another number of rows than labels.json";
            return Err(EvidenceError::Failed(reason.into()));
        }
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err(EvidenceError::Failed("a score is not a finite number".into()));
        }
        let sums = self.sums(logits);
        let label = |group: usize| {
            let map = &maps[self.strongest(group, logits) * cells..][..cells];
            let map = Heatmap::new(grid.0, grid.1, map.to_vec())
                .map_err(|error| EvidenceError::Failed(error.to_string()))?;
            let Group { name, kind } = self.groups[group].clone();
            Ok(Label { name, kind, probability: sums[group] as f32, map: Some(map.over(area)) })
        };
        let ranked = self.ranked(&sums);
        let is_sure = |group: &usize| sums[*group] >= self.sure;
        let sure = ranked.first().copied().filter(is_sure);
        let others = ranked.into_iter().skip(usize::from(sure.is_some())).take(self.most);
        let perhaps = others.filter(|group| sums[*group] >= self.perhaps);
        Ok(Labels {
            sure: sure.map(label).transpose()?,
            perhaps: perhaps.map(label).collect::<Result<_, _>>()?,
        })
    }

    /// The chance of each group.
    fn sums(&self, logits: &[f32]) -> Vec<f64> {
        let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f64> = logits.iter().map(|x| f64::from(x - highest).exp()).collect();
        let total: f64 = powers.iter().sum();
        let mut sums = vec![0.0; self.groups.len()];
        for (group, power) in self.row_group.iter().zip(&powers) {
            sums[*group] += power / total;
        }
        sums
    }

    /// The groups, the likeliest first.
    fn ranked(&self, sums: &[f64]) -> Vec<usize> {
        let mut groups: Vec<usize> = (0..self.groups.len()).collect();
        groups.sort_by(|a, b| sums[*b].total_cmp(&sums[*a]));
        groups
    }

    /// The row of a group with the highest score, whose map is the group's.
    fn strongest(&self, group: usize, logits: &[f32]) -> usize {
        let own = (0..self.rows()).filter(|row| self.row_group[*row] == group);
        let by_score = |a: &usize, b: &usize| -> Ordering { logits[*a].total_cmp(&logits[*b]) };
        own.max_by(by_score).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> LabelSet {
        serde_json::from_str(
            r#"{"row_group": [0, 1, 1, 2, 3, 4, 5], "sure": 0.5, "maybe": 0.06, "most": 2,
                "groups": [{"name": "cat", "kind": null}, {"name": "lynx", "kind": "cat"},
                           {"name": "dog", "kind": null}, {"name": "fox", "kind": null},
                           {"name": "wolf", "kind": null}, {"name": "hyena", "kind": null}],
                "input": {"area": 82944, "multiple": 32, "aspect": [0.4, 2.5], "mean": 127,
                          "scale": 128}}"#,
        )
        .unwrap()
    }

    /// The labels where rows have these chances, on a grid of one row and two columns, the cells of
    /// a map being its row's number and 0.
    fn shown(chances: [f32; 7]) -> Labels {
        let logits = chances.map(f32::ln);
        let maps: Vec<f32> = (0..7).flat_map(|row| [row as f32, 0.0]).collect();
        let right = Region::new(0.5, 0.0, 0.5, 1.0).unwrap();
        set().shown(&logits, &maps, (1, 2), right).unwrap()
    }

    fn names(labels: &[Label]) -> Vec<&str> {
        labels.iter().map(|label| &*label.name).collect()
    }

    #[test]
    fn rows_of_one_name_are_summed_and_the_strongest_shows_where() {
        let labels = shown([0.3, 0.2, 0.4, 0.07, 0.01, 0.01, 0.01]);
        let sure = labels.sure.as_ref().unwrap();
        assert_eq!((&*sure.name, sure.kind.as_deref()), ("lynx", Some("cat")));
        assert!((sure.probability - 0.6).abs() < 1e-6);
        let map = sure.map.as_ref().unwrap();
        assert_eq!(map.values(), [2.0, 0.0]);
        assert!((map.area().x() - 0.5).abs() < f32::EPSILON);
        assert_eq!(names(&labels.perhaps), ["cat", "dog"]);
        assert_eq!(labels.iter().count(), 3);
    }

    #[test]
    fn what_is_not_sure_is_perhaps_and_no_more_than_the_most() {
        let labels = shown([0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]);
        assert_eq!(labels.sure, None);
        assert_eq!(names(&labels.perhaps), ["cat", "lynx"]);
        let even = shown([0.05, 0.02, 0.02, 0.05, 0.43, 0.43, 1e-9]);
        assert_eq!((even.sure.is_none(), names(&even.perhaps)), (true, vec!["fox", "wolf"]));
    }

    #[test]
    fn an_answer_names_a_label_by_its_name_or_else_by_its_kind() {
        let labels = shown([0.3, 0.2, 0.4, 0.07, 0.01, 0.01, 0.01]);
        let named = |answer: &str| labels.named_in(answer).map(|label| &*label.name);
        assert_eq!(named("Two lynxes and a dog."), Some("lynx"));
        assert_eq!(named("It may be a dog."), Some("dog"));
        // "cat" is a name here, before it is the kind of the lynx.
        assert_eq!(named("A cat."), Some("cat"));
        assert_eq!(named("A catalogue."), None);
        let kept = serde_json::to_string(&labels).unwrap();
        let read: Labels = serde_json::from_str(&kept).unwrap();
        assert!(!kept.contains("map") && read.sure.unwrap().map.is_none());
        assert_eq!(read.perhaps[0].name, "cat");
    }

    #[test]
    fn outputs_of_another_form_are_refused() {
        let set = set();
        assert!(set.shown(&[0.0; 6], &[0.0; 7], (1, 1), Region::WHOLE).is_err());
        assert!(set.shown(&[0.0; 7], &[0.0; 8], (1, 1), Region::WHOLE).is_err());
        assert!(set.shown(&[f32::NAN; 7], &[0.0; 7], (1, 1), Region::WHOLE).is_err());
        assert!(set.shown(&[0.0; 7], &[f32::NAN; 7], (1, 1), Region::WHOLE).is_err());
    }

    #[test]
    fn a_file_that_says_what_cannot_be_is_refused() {
        let mut wrong = set();
        wrong.row_group[3] = 6;
        assert_eq!(wrong.trouble(), Some("a row has no name"));
        for spoil in [
            (|set| set.sure = f64::NAN) as fn(&mut LabelSet),
            |set| set.perhaps = 1.5,
            |set| set.input.multiple = 0,
            |set| set.input.area = 1e12,
            |set| set.input.aspect = [0.0, 1.0],
            |set| set.input.scale = 0.0,
        ] {
            let mut wrong = set();
            spoil(&mut wrong);
            assert!(wrong.trouble().is_some(), "{wrong:?}");
        }
        assert_eq!(set().trouble(), None);
        let gone = LabelSet::read(Path::new("nowhere")).unwrap_err().to_string();
        assert!(
            gone.contains("labels.json") && gone.ends_with("install Lorgnette again"),
            "{gone}"
        );
    }
}
