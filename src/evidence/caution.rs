//! Where an answer must not be relied on: fixed words of ours, whatever a model says.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::Labels;
use crate::pattern::{Pattern, words};

/// What is said under an answer of a kind that people come to harm by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caution {
    /// The kind, for programs: `eating`, `plants`, `medicine`, `electricity`, `weapons`, `animals`
    /// or `identity`.
    pub id: String,
    /// The words.
    pub text: String,
    /// Asked with one of these, whatever the picture shows.
    #[serde(default, skip_serializing)]
    asked: Vec<Pattern>,
    /// Where one of these is answered, seen or asked about.
    #[serde(default, skip_serializing)]
    named: Vec<Pattern>,
    /// Asked with one of the first while one of the second is asked about, answered or seen.
    #[serde(default, skip_serializing)]
    both: Vec<Both>,
    /// What reads like one of them and is none.
    #[serde(default, skip_serializing)]
    unless: Vec<Pattern>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Both {
    asked: Vec<Pattern>,
    named: Vec<Pattern>,
}

static CAUTIONS: LazyLock<Vec<Caution>> =
    LazyLock::new(|| serde_json::from_str(include_str!("cautions.json")).unwrap_or_default());

/// The chance from which a label counts where none is sure.
const LEAST: f32 = 0.2;

/// The caution that belongs under `answer`, where one does: the first of those that apply. What the
/// label encoder sees counts as the answer does.
#[must_use]
pub fn caution(question: &str, answer: &str, labels: &Labels) -> Option<&'static Caution> {
    let question = words(question);
    let sure = labels.sure.as_ref();
    let perhaps =
        labels.perhaps.iter().filter(|label| sure.is_none() && label.probability >= LEAST);
    let likely = sure.into_iter().chain(perhaps);
    let names = likely.flat_map(|label| [Some(&*label.name), label.kind.as_deref()]).flatten();
    let seen: Vec<Vec<String>> = names.chain([answer]).map(words).collect();
    CAUTIONS.iter().find(|caution| caution.applies(&question, &seen))
}

impl Caution {
    fn applies(&self, question: &[String], seen: &[Vec<String>]) -> bool {
        let without = |text: &[String]| self.without(text);
        let question = without(question);
        let seen: Vec<Vec<String>> = seen.iter().map(|text| without(text)).collect();
        let asked = |patterns: &[Pattern]| patterns.iter().any(|one| one.find(&question).is_some());
        let named = |patterns: &[Pattern]| {
            patterns.iter().any(|one| seen.iter().any(|text| one.find(text).is_some()))
        };
        let both = |both: &Both| asked(&both.asked) && (asked(&both.named) || named(&both.named));
        asked(&self.asked) || named(&self.named) || self.both.iter().any(both)
    }

    /// `text` with what reads like one of the words, and is none, left out.
    fn without(&self, text: &[String]) -> Vec<String> {
        let mut text = text.to_vec();
        for pattern in &self.unless {
            while let Some(at) = pattern.find(&text) {
                text.drain(at..at + pattern.words.len());
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Label;

    /// Question, answer, labels and the caution that belongs there.
    #[derive(Deserialize)]
    struct Case {
        question: String,
        answer: String,
        #[serde(default)]
        labels: Vec<String>,
        caution: Option<String>,
    }

    fn label(name: &str, probability: f32) -> Label {
        Label { name: name.to_owned(), kind: None, probability }
    }

    #[test]
    fn what_is_hardly_likely_needs_no_caution() {
        let seen = |probability| {
            let labels = Labels { sure: None, perhaps: vec![label("revolver", probability)] };
            caution("What is that?", "A hair dryer.", &labels).map(|found| &*found.id)
        };
        assert_eq!((seen(0.1), seen(0.3)), (None, Some("weapons")));
        let sure = Some(label("hair dryer", 0.6));
        let labels = Labels { sure, perhaps: vec![label("revolver", 0.3)] };
        assert_eq!(caution("What is that?", "A hair dryer.", &labels), None);
    }

    #[test]
    fn each_question_has_its_caution_or_none() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("cautions.cases.json")).unwrap();
        let mut wrong = Vec::new();
        for case in &cases {
            let label = |name: &String| label(name, 0.9);
            let labels = Labels { sure: None, perhaps: case.labels.iter().map(label).collect() };
            let found = caution(&case.question, &case.answer, &labels);
            let found = found.map(|found| found.id.clone());
            if found != case.caution {
                wrong.push(format!("{}: {found:?}, not {:?}", case.question, case.caution));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let with = cases.iter().filter(|case| case.caution.is_some()).count();
        assert_eq!((with, cases.len() - with), (40, 40));
    }
}
