//! What a question asks for.

use std::sync::LazyLock;

use crate::pattern::{Pattern, words};

static TEXT: LazyLock<Vec<Pattern>> =
    LazyLock::new(|| serde_json::from_str(include_str!("text_questions.json")).unwrap_or_default());

/// Whether `question` asks for what is written in the picture, so that it is worth waiting for.
#[must_use]
pub fn asks_for_text(question: &str) -> bool {
    let question = words(question);
    TEXT.iter().any(|pattern| pattern.find(&question).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_for_text_wait_for_it_and_others_do_not() {
        for question in [
            "What is the name of that hotel?",
            "Read the text",
            "What does it say?",
            "Which bus is that?",
            "How much does it cost?",
            "What's written there?",
            "What is the expiry date?",
        ] {
            assert!(asks_for_text(question), "{question}");
        }
        for question in [
            "What is that?",
            "Describe the image.",
            "What colour is it?",
            "Is there a person in the picture?",
            "Is it a lynx?",
            "How many are there?",
        ] {
            assert!(!asks_for_text(question), "{question}");
        }
    }
}
