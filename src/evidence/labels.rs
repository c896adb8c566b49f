//! From a label encoder's scores to names with their chances and kinds.

use std::path::Path;

use serde::{Deserialize, Serialize};
use values::text;

use crate::EvidenceError;
use crate::vocabulary::{Class, Key, Lookup};

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
    /// The names as words are looked up among them.
    #[serde(skip)]
    lookup: Lookup,
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
            None => Ok(set.with_lookup()),
        }
    }

    /// A set of these names and kinds, with a row each in this order and one more for whatever else
    /// there is.
    #[must_use]
    pub fn of_names(names: &[(&str, Option<&str>)]) -> Self {
        let rest = ("something else", None);
        let groups = names
            .iter()
            .chain([&rest])
            .map(|(name, kind)| Group { name: (*name).to_owned(), kind: kind.map(str::to_owned) });
        let groups: Vec<Group> = groups.collect();
        let row_group = (0..groups.len()).collect();
        let input =
            Input { area: 1024.0, multiple: 32, aspect: [1.0, 1.0], mean: 127.0, scale: 128.0 };
        let (sure, perhaps, most, lookup) = (0.5, 0.06, 4, Lookup::default());
        Self { row_group, groups, sure, perhaps, most, input, lookup }.with_lookup()
    }

    fn with_lookup(self) -> Self {
        let key = |group: &Group| Key::new(&group.name, group.kind.as_deref());
        Self { lookup: Lookup::new(self.groups.iter().map(key).collect()), ..self }
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

    /// What is shown of an output: `logits` [rows], finite.
    pub(crate) fn shown(&self, logits: &[f32]) -> Labels {
        let sums = self.sums(logits);
        let ranked = self.ranked(&sums);
        let is_sure = |group: &usize| sums[*group] >= self.sure;
        let sure = ranked.first().copied().filter(is_sure);
        let others = ranked.into_iter().skip(usize::from(sure.is_some())).take(self.most);
        let perhaps = others.filter(|group| sums[*group] >= self.perhaps);
        let label = |group| self.group_label(group, &sums);
        Labels { sure: sure.map(label), perhaps: perhaps.map(label).collect() }
    }

    /// The label of this row.
    pub(crate) fn label(&self, row: usize, logits: &[f32]) -> Option<Label> {
        let group = *self.row_group.get(row)?;
        Some(self.group_label(group, &self.sums(logits)))
    }

    /// The label of a name that has these chances.
    pub(crate) fn group_label(&self, group: usize, sums: &[f64]) -> Label {
        let Group { name, kind } = self.groups[group].clone();
        Label { name, kind, probability: sums[group] as f32 }
    }

    /// The number of the name of a row.
    pub(crate) fn group_of(&self, row: usize) -> usize {
        self.row_group[row]
    }

    /// The numbers of the names that `noun` names.
    pub(crate) fn called(&self, noun: &str) -> Vec<usize> {
        self.lookup.called(noun)
    }

    /// Those that may be meant by it, and their class: see [`Lookup::may_be`].
    pub(crate) fn may_be(&self, noun: &str) -> Option<(Class, Vec<usize>)> {
        self.lookup.may_be(noun)
    }

    /// The chances from which a name is sure, and possible.
    pub(crate) fn thresholds(&self) -> (f64, f64) {
        (self.sure, self.perhaps)
    }

    /// How many possible names are shown.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// The chance of each group.
    pub(crate) fn sums(&self, logits: &[f32]) -> Vec<f64> {
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

    /// The labels where rows have these chances.
    fn shown(chances: [f32; 7]) -> Labels {
        set().shown(&chances.map(f32::ln))
    }

    fn names(labels: &[Label]) -> Vec<&str> {
        labels.iter().map(|label| &*label.name).collect()
    }

    #[test]
    fn rows_of_one_name_are_summed() {
        let labels = shown([0.3, 0.2, 0.4, 0.07, 0.01, 0.01, 0.01]);
        let sure = labels.sure.as_ref().unwrap();
        assert_eq!((&*sure.name, sure.kind.as_deref()), ("lynx", Some("cat")));
        assert!((sure.probability - 0.6).abs() < 1e-6);
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
        assert_eq!(read, labels);
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
