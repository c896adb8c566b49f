//! What is said of a model.
//!
//! It lies here because what a model is told depends on it, and because the rooms that keep models,
//! load them and show them all stand above this one.

use evidence::EvidenceWords;
use serde::{Deserialize, Serialize};

/// All that is said of a model, to its user and to what asks it. A shipped model's manifest carries
/// one for each revision; nothing else describes a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCard {
    /// What it is and how good at it, in one honest sentence.
    pub sentence: String,
    /// What it cannot do, each in words that can follow "It cannot".
    pub cannot: Vec<String>,
    /// Questions worth asking it, offered to those who have none of their own.
    pub questions: Vec<String>,
    /// The words in which it is told what specialists saw in a picture; `None` where it takes none.
    pub evidence: Option<EvidenceWords>,
    /// How it writes a place in a picture into its answer, by an example; `None` where it writes
    /// none.
    pub boxes: Option<String>,
    /// Under which licence it may be used: an SPDX expression, or words.
    pub licence: String,
    /// How large it is.
    pub sizes: Sizes,
}

/// How large a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Its numbers, all parts together.
    pub parameters: u64,
    /// Bytes of its files as they come.
    pub shipped: u64,
    /// Bytes of its weights as they are unpacked in the cache.
    pub unpacked: u64,
}

impl ModelCard {
    /// What it cannot do, as one sentence; empty where nothing is known.
    #[must_use]
    pub fn limits(&self) -> String {
        match self.cannot.split_last() {
            None => String::new(),
            Some((only, [])) => format!("It cannot {only}."),
            Some((last, others)) => format!("It cannot {}, or {last}.", others.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_one_sentence() {
        let limits = |cannot: &[&str]| {
            let sizes = Sizes { parameters: 0, shipped: 0, unpacked: 0 };
            let cannot = cannot.iter().map(|&what| what.to_owned()).collect();
            let (sentence, licence) = (String::new(), String::new());
            ModelCard {
                sentence,
                cannot,
                questions: vec![],
                evidence: None,
                boxes: None,
                licence,
                sizes,
            }
            .limits()
        };
        assert_eq!(limits(&[]), "");
        assert_eq!(limits(&["count"]), "It cannot count.");
        assert_eq!(limits(&["count", "read", "fly"]), "It cannot count, read, or fly.");
    }
}
