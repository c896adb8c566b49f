//! What an answer says to be there and nothing bears out.
//!
//! A language model invents: it puts a person into a street that is empty. Whether an animal, a
//! vehicle or a person is there at all can be read off the label encoder's maps; things among things
//! cannot, and nothing is said of them.

use std::ops::Range;

use evidence::{Class, LabelMaps, Support};
use grounding::phrases;
use serde::Serialize;

use super::ties::{LEAST_CHANCE, nouns};

/// Words after which a sentence says that something is not there, or may not be.
const DENIED: &[&str] =
    &["not", "no", "without", "never", "nor", "neither", "cannot", "unless", "if"];

/// A phrase of an answer that says something to be there which the label encoder can tell to be absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Claim {
    /// Where it stands, in bytes of the answer's text.
    pub bytes: Range<usize>,
    /// What it says to be there, such as "dog".
    pub noun: String,
    /// What that is.
    pub class: Class,
    /// How far the picture bears it out: see [`Support::chance`].
    pub chance: f32,
}

impl Claim {
    /// Whether the picture bears it out.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.chance >= LEAST_CHANCE
    }
}

/// What the answer `text` claims, held against `maps`.
#[must_use]
pub fn claims(text: &str, maps: &LabelMaps) -> Vec<Claim> {
    let chunks = phrases::chunks(text);
    let claims = chunks.iter().filter(|chunk| !is_denied(&text[..chunk.bytes.start]));
    let claims = claims.filter_map(|chunk| {
        let noun = nouns(text, chunk).find(|noun| maps.knows(noun))?;
        let Support { class, chance } = maps.support(noun)?;
        Some(Claim { bytes: chunk.bytes.clone(), noun: noun.to_lowercase(), class, chance })
    });
    claims.collect()
}

/// Those that `maps` do not bear out.
#[must_use]
pub fn unconfirmed(text: &str, maps: &LabelMaps) -> Vec<Claim> {
    let mut claims = claims(text, maps);
    claims.retain(|claim| !claim.is_confirmed());
    claims
}

/// What there is to say of these claims in one sentence.
#[must_use]
pub fn doubt(claims: &[Claim]) -> Option<String> {
    let mut nouns: Vec<&str> = Vec::new();
    for claim in claims {
        if !nouns.contains(&&*claim.noun) {
            nouns.push(&claim.noun);
        }
    }
    let (last, before) = nouns.split_last()?;
    let all = if before.is_empty() {
        format!("no {last}")
    } else {
        format!("no {} and no {last}", before.join(", no "))
    };
    Some(format!("Not confirmed: the label encoder sees {all} here."))
}

/// Whether the sentence that ends in `before` says so far that something is not there.
fn is_denied(before: &str) -> bool {
    let sentence =
        before.rsplit(['.', '!', '?', ';', '\n']).next().unwrap_or(before).to_lowercase();
    let mut words = sentence.split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '’'));
    words.any(|word| DENIED.contains(&word) || word.ends_with("n't") || word.ends_with("n’t"))
}

#[cfg(test)]
mod tests {
    use values::region::Region;

    use super::*;

    /// A cat at the left, nothing else.
    fn maps() -> LabelMaps {
        let names = [
            ("tabby cat", Some("cat")),
            ("beagle", Some("dog")),
            ("person", None),
            ("lemon", None),
        ];
        let values = [9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 6.0];
        LabelMaps::of_names(&names, &values, (1, 2), Region::WHOLE).unwrap()
    }

    fn nouns(text: &str) -> Vec<String> {
        unconfirmed(text, &maps()).into_iter().map(|claim| claim.noun).collect()
    }

    #[test]
    fn what_nothing_bears_out_is_found() {
        let text = "A cat and two dogs sit beside a woman. The dog has a lemon.";
        let found = unconfirmed(text, &maps());
        assert_eq!(nouns(text), ["dogs", "woman", "dog"]);
        assert_eq!(&text[found[0].bytes.clone()], "two dogs");
        assert_eq!(
            doubt(&found).unwrap(),
            "Not confirmed: the label encoder sees no dogs, no woman and no dog here."
        );
        assert_eq!(
            doubt(&found[2..]).unwrap(),
            "Not confirmed: the label encoder sees no dog here."
        );
        assert_eq!(doubt(&[]), None);
    }

    #[test]
    fn what_is_denied_or_cannot_be_told_is_left_alone() {
        assert_eq!(nouns("There is no dog. It isn't a dog."), Vec::<String>::new());
        assert_eq!(nouns("It is not a cat, and without a person. A dog."), ["dog"]);
        // A lemon is a thing among things; dog food is no dog; a robot is no label.
        assert_eq!(nouns("A lemon, some dog food and a robot."), Vec::<String>::new());
        assert_eq!(nouns(""), Vec::<String>::new());
    }
}
