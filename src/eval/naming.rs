//! Whether things are called what they are: by the label encoder, and in answers.

use std::path::{Path, PathBuf};

use evidence::Sighting;
use explain::{Claim, claims};
use serde::{Deserialize, Serialize};
use values::text::holds;

use super::EvalError;
use super::dataset::lines;
use super::table::Interval;

/// Bins of the reliability diagram.
const BINS: usize = 10;
/// What an answer that is not sure holds.
const HEDGES: [&str; 3] = ["not sure", "may be", "may show"];

/// A picture with the names that are accepted for what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The picture as the set names it.
    pub image: String,
    /// Its file.
    pub file: PathBuf,
    /// The names.
    pub accept: Vec<String>,
}

#[derive(Deserialize)]
struct Line {
    image: String,
    accept: Option<Vec<String>>,
}

/// The pictures of `file` that have accepted names. Paths are relative to it.
///
/// # Errors
/// A file that cannot be read, a line that is not as it should be, or no names at all.
pub fn read(file: &Path) -> Result<Vec<Item>, EvalError> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut all = Vec::new();
    for (_, Line { image, accept }) in lines(file)? {
        let accept: Vec<String> = accept.unwrap_or_default();
        if accept.iter().any(|name| name.chars().any(char::is_alphanumeric)) {
            all.push(Item { file: folder.join(&image), image, accept });
        }
    }
    if all.is_empty() {
        let reason = "no line of it has accepted names (\"accept\")".to_owned();
        return Err(EvalError::File { file: file.display().to_string(), reason });
    }
    Ok(all)
}

/// Whether `text` holds one of `names` as whole words, in singular or plural.
#[must_use]
pub fn is_named(text: &str, names: &[String]) -> bool {
    names.iter().any(|name| holds(text, name))
}

/// What became of one picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The picture.
    pub image: String,
    /// The names that are accepted.
    pub accept: Vec<String>,
    /// What the label encoder calls it, the likeliest, with its chance.
    pub label: Option<(String, f32)>,
    /// Whether that is accepted.
    pub label_right: bool,
    /// The answer.
    pub answer: String,
    /// Whether it holds an accepted name.
    pub named: bool,
    /// Whether it says that it is not sure.
    pub hedged: bool,
    /// The animals, vehicles and people that it says to be there, and how far they are borne out.
    pub claims: Vec<Claim>,
}

impl Outcome {
    /// Judges what was seen in `item`, and answered.
    #[must_use]
    pub fn new(item: &Item, seen: &Sighting, answer: String) -> Self {
        let label = seen.evidence.labels.iter().next();
        let label = label.map(|label| (label.name.clone(), label.probability));
        Self {
            image: item.image.clone(),
            accept: item.accept.clone(),
            label_right: label.as_ref().is_some_and(|(name, _)| is_named(name, &item.accept)),
            label,
            named: is_named(&answer, &item.accept),
            claims: claims(&answer, &seen.maps),
            hedged: HEDGES.iter().any(|hedge| holds(&answer, hedge)),
            answer,
        }
    }
}

/// How right all of it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Naming {
    /// Pictures.
    pub n: usize,
    /// How often the label encoder's best name is accepted.
    pub labels: Interval,
    /// How often the answer holds an accepted name.
    pub answers: Interval,
    /// Answers that say that they are not sure.
    pub hedged: usize,
    /// Answers that do not, and hold no accepted name.
    pub wrong: usize,
    /// How far the label encoder's chances can be relied on.
    pub reliability: Vec<Bin>,
    /// Every picture.
    pub outcomes: Vec<Outcome>,
}

/// Pictures whose best label has a chance in one tenth of 0 to 1: a point of a reliability diagram, as
/// in Murphy and Winkler, "Reliability of Subjective Probability Forecasts" (1977).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// From which chance on.
    pub from: f32,
    /// Pictures.
    pub n: usize,
    /// Their mean chance.
    pub chance: f64,
    /// The share of those that are right.
    pub right: f64,
}

impl Naming {
    /// Counts.
    #[must_use]
    pub fn of(outcomes: Vec<Outcome>) -> Self {
        let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|it| is(it)).count();
        let n = outcomes.len();
        Self {
            n,
            labels: Interval::of(count(|it| it.label_right), n),
            answers: Interval::of(count(|it| it.named), n),
            hedged: count(|it| it.hedged),
            wrong: count(|it| !it.hedged && !it.named),
            reliability: (0..BINS).filter_map(|bin| Bin::of(bin, &outcomes)).collect(),
            outcomes,
        }
    }
}

impl Bin {
    /// `None` where no picture falls into it.
    fn of(bin: usize, outcomes: &[Outcome]) -> Option<Self> {
        let within = |chance: f32| ((chance * BINS as f32) as usize).min(BINS - 1) == bin;
        let (mut n, mut chance, mut right) = (0, 0.0, 0);
        for outcome in outcomes {
            let Some((_, p)) = outcome.label.as_ref().filter(|(_, p)| within(*p)) else { continue };
            n += 1;
            chance += f64::from(*p);
            right += usize::from(outcome.label_right);
        }
        let all = n as f64;
        let from = bin as f32 / BINS as f32;
        (n > 0).then(|| Self { from, n, chance: chance / all, right: right as f64 / all })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use evidence::{Evidence, Label, LabelMaps, Labels};
    use values::region::Region;

    use super::*;

    fn outcome(label: Option<(&str, f32)>, answer: &str) -> Outcome {
        let accept = vec!["lynx".to_owned(), "wild cat".to_owned()];
        let item = Item { image: "a.jpg".into(), file: "a.jpg".into(), accept };
        let sure =
            label.map(|(name, probability)| Label { name: name.into(), kind: None, probability });
        let labels = Labels { sure, perhaps: Vec::new() };
        let names = [("lynx", Some("cat")), ("beagle", Some("dog"))];
        let maps = LabelMaps::of_names(&names, &[9.0, 0.0, 0.0], (1, 1), Region::WHOLE).unwrap();
        let evidence = Evidence { labels, ..Evidence::default() };
        Outcome::new(&item, &Sighting { evidence, maps: Arc::new(maps) }, answer.into())
    }

    #[test]
    fn names_and_hedges_are_counted() {
        let naming = Naming::of(vec![
            outcome(Some(("lynx", 0.95)), "A lynx."),
            outcome(Some(("lynx", 1.0)), "A dog."),
            outcome(Some(("dog", 0.31)), "It may be a dog."),
            outcome(None, "I'm not sure. It may be two wild cats."),
        ]);
        assert_eq!((naming.n, naming.hedged, naming.wrong), (4, 2, 1));
        let confirmed = |at: usize| naming.outcomes[at].claims[0].is_confirmed();
        assert!(confirmed(0) && !confirmed(1));
        assert!((naming.labels.share - 0.5).abs() < 1e-9);
        assert!((naming.answers.share - 0.5).abs() < 1e-9);
        let [low, high] = &naming.reliability[..] else { panic!("{:?}", naming.reliability) };
        assert_eq!((low.n, high.n), (1, 2));
        assert!((low.from - 0.3).abs() < 1e-6 && low.right.abs() < 1e-9);
        assert!((high.chance - 0.975).abs() < 1e-6 && (high.right - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_set_gives_pictures_with_names() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("set.jsonl");
        let text = r#"{"image": "a/1.jpg", "accept": ["lynx"], "boxes": null}

{"image": "2.jpg", "accept": null}
"#;
        std::fs::write(&file, text).unwrap();
        let all = read(&file).unwrap();
        assert_eq!((all.len(), &*all[0].image), (1, "a/1.jpg"));
        assert_eq!(all[0].file, folder.path().join("a/1.jpg"));
        std::fs::write(&file, r#"{"image": "2.jpg", "accept": ["-"]}"#).unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("accepted names"));
    }
}
