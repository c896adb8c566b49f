//! What is kept of a conversation: plain values, written and read as they stand.

use conversation::{Exchange, Finish};
use serde::{Deserialize, Serialize};
use values::text::{one_line, shorten, words};

use super::id::SessionId;

/// The most characters of a title that is made from the conversation.
const DEFAULT_TITLE: usize = 60;
/// The most characters of a title that a person gives.
const MAX_TITLE: usize = 200;

/// One conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its name on disk.
    pub id: SessionId,
    /// What it is called in the list: one line.
    pub title: String,
    /// Whether a person gave the title. Until then it follows the first question.
    pub renamed: bool,
    /// When it began, in milliseconds since 1970.
    pub created: u64,
    /// When something was last asked or answered, in milliseconds since 1970.
    pub updated: u64,
    /// The questions with their answers, oldest first.
    pub exchanges: Vec<Exchange>,
}

impl Session {
    pub(super) fn new(id: SessionId, created: u64) -> Self {
        let title = String::new();
        Self { id, title, renamed: false, created, updated: created, exchanges: Vec::new() }
    }

    /// Makes the title follow the first exchange, unless a person gave one.
    pub(super) fn retitle(&mut self) {
        if self.renamed {
            return;
        }
        if let Some(first) = self.exchanges.first() {
            let ended = first.answer.finish != Finish::Pending;
            let answer = if ended { first.answer.text.as_str() } else { "" };
            self.title = default_title(&first.question, answer);
        }
    }

    /// Takes the title that a person gave; an empty one goes back to the title by default.
    pub(super) fn rename(&mut self, title: &str) {
        let title = shorten(&one_line(&words(title)), MAX_TITLE);
        self.renamed = !title.is_empty();
        if self.renamed {
            self.title = title;
        } else {
            self.retitle();
        }
    }
}

/// The first question with the beginning of its answer.
fn default_title(question: &str, answer: &str) -> String {
    // The marks of Markdown belong to no title.
    let (question, answer) = (words(question), words(&answer.replace(['*', '`', '#'], "")));
    let between =
        if question.ends_with(['?', '.', '!', '？', '。', '…']) { " " } else { " – " };
    let title = if answer.is_empty() { question } else { format!("{question}{between}{answer}") };
    shorten(&one_line(&title), DEFAULT_TITLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title(question: &str, answer: &str) -> String {
        default_title(question, answer)
    }

    #[test]
    fn a_title_is_the_question_with_the_beginning_of_its_answer() {
        assert_eq!(title("What is that?", "A cat."), "What is that? A cat.");
        assert_eq!(title("colour", "Red"), "colour – Red");
        assert_eq!(title("  What\n is\tthat? ", ""), "What is that?");
        let long = title("What is that?", &"very ".repeat(50));
        assert_eq!(long.chars().count(), 60);
        assert!(long.starts_with("What is that? very very") && long.ends_with('…'), "{long}");
        assert!(!title("a\u{202e}b\u{1b}[0m", "").contains('\u{1b}'));
    }

    #[test]
    fn a_given_title_stays_until_it_is_taken_back() {
        let mut session = Session::new(SessionId::new(0), 0);
        session.rename("  My\ncat ");
        assert_eq!((session.title.as_str(), session.renamed), ("My cat", true));
        session.retitle();
        assert_eq!(session.title, "My cat");
        session.rename(&"x".repeat(1000));
        assert_eq!(session.title.chars().count(), MAX_TITLE);
        session.rename(" ");
        assert!(!session.renamed);
    }
}
