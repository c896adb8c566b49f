//! What is kept of a conversation: plain values, written and read as they stand.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use values::frame::one_line;
use values::region::Region;

use super::error::shorten;
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
        let title = shorten(&words(title), MAX_TITLE);
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
    shorten(&title, DEFAULT_TITLE)
}

/// The words of `text` on one line.
fn words(text: &str) -> String {
    one_line(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A question with its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// Its number within the conversation: from 1, growing.
    pub id: u32,
    /// When it was asked, in milliseconds since 1970.
    pub asked: u64,
    /// The pictures it is about, also where an earlier question has shown them already.
    pub pictures: Vec<PictureRecord>,
    /// The question as it was typed.
    pub question: String,
    /// How the answer was asked for.
    pub options: OptionsRecord,
    /// The model that was asked; `None` where none was loaded.
    pub model: Option<ModelRecord>,
    /// The answer.
    pub answer: AnswerRecord,
}

/// A picture of a conversation, or the part of it that a question means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PictureRecord {
    /// The file in the conversation's folder: `pictures/0001.png`.
    pub file: String,
    /// The name to show, such as `cat.jpg`: never a path.
    pub name: String,
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// The part to look at, or all of it.
    pub region: Option<Region>,
    /// SHA-256, in hexadecimal, over the width and the height as 32-bit little-endian numbers and
    /// the RGB bytes, rows from the top. It names the pixels, whatever file they are in.
    pub sha256: String,
}

impl PictureRecord {
    /// Whether both show the model the same thing.
    pub fn shows_the_same(&self, other: &Self) -> bool {
        self.sha256 == other.sha256 && self.region == other.region
    }
}

/// How an answer was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OptionsRecord {
    /// Longest answer, in tokens.
    pub max_tokens: usize,
    /// 0 takes the likeliest token each time.
    #[serde(deserialize_with = "null_is_zero")]
    pub temperature: f64,
    /// Start of the random stream for a temperature above 0.
    pub seed: u64,
}

/// A model, as precisely as it takes to ask the same one again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// What the user calls it.
    pub name: String,
    /// Which edition.
    pub revision: String,
    /// Precision of its language model's matrices: `q8_0`, `f32`.
    pub weights: String,
    /// Where it computed: `CPU`, `CUDA`.
    pub device: String,
}

/// A token of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Its number in the vocabulary.
    pub id: u32,
    /// The text it completes; empty where a character needs further tokens.
    pub text: String,
    /// Natural logarithm of its probability. JSON has no infinity: `null` there.
    #[serde(deserialize_with = "null_is_impossible")]
    pub logprob: f32,
}

/// Why an answer ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// It is still coming.
    #[default]
    Pending,
    /// The model ended it.
    End,
    /// It reached the longest length asked for, or the model's own.
    Length,
    /// It began to repeat itself; the repetition was cut off.
    Repetition,
    /// It was stopped.
    Stopped,
    /// The program ended before the answer did.
    Interrupted,
    /// The engine gave an error.
    Failed,
}

/// An answer with how it came about.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AnswerRecord {
    /// The whole text, as far as it came.
    pub text: String,
    /// Its tokens, without the one that ends it.
    pub tokens: Vec<TokenRecord>,
    /// Why it ended.
    pub finish: Finish,
    /// The engine's words, where it failed.
    pub error: Option<String>,
    /// How long it took.
    pub timings: TimingsRecord,
    /// Tokens of the prompt, pictures included; 0 where that is not known.
    pub prompt_tokens: usize,
    /// Earlier turns left out because the model could not have held them.
    pub dropped_turns: usize,
}

impl AnswerRecord {
    /// Ends an answer of which no more will come.
    pub(super) fn interrupt(&mut self) {
        let text = self.text.trim().to_owned();
        self.text = text;
        self.finish = Finish::Interrupted;
    }
}

/// Times of one answer, in seconds. Written to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct TimingsRecord {
    /// Cutting out and resizing the pictures, and counting the words.
    #[serde(serialize_with = "microseconds", deserialize_with = "null_is_zero")]
    pub prepare: f64,
    /// Encoder, projector and the pass over the prompt, to the first token.
    #[serde(serialize_with = "microseconds", deserialize_with = "null_is_zero")]
    pub prefill: f64,
    /// From the first token to the last.
    #[serde(serialize_with = "microseconds", deserialize_with = "null_is_zero")]
    pub decode: f64,
}

/// Rounded, so that what is read back and written again stays the same to the last digit.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn microseconds<S: Serializer>(seconds: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((seconds * 1e6).round() / 1e6)
}

/// What is not finite is written as `null`; it must not make the file unreadable.
fn null_is_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(0.0))
}

fn null_is_impossible<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f32::NEG_INFINITY))
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

    #[test]
    fn numbers_that_json_cannot_write_do_not_make_a_file_unreadable() {
        let token = TokenRecord { id: 1, text: "a".into(), logprob: f32::NEG_INFINITY };
        let text = serde_json::to_string(&token).unwrap();
        assert_eq!(serde_json::from_str::<TokenRecord>(&text).unwrap(), token);
        let timings = TimingsRecord { prepare: f64::NAN, prefill: 0.123_456_789, decode: 1.0 };
        let read: TimingsRecord =
            serde_json::from_str(&serde_json::to_string(&timings).unwrap()).unwrap();
        assert_eq!(read, TimingsRecord { prepare: 0.0, prefill: 0.123_457, decode: 1.0 });
    }

    #[test]
    fn log_probabilities_come_back_to_the_last_bit() {
        for bits in (0..2000).map(|i| 0x8000_0000_u32 + i * 1_060_013) {
            let logprob = f32::from_bits(bits);
            if logprob.is_finite() {
                let token = TokenRecord { id: 0, text: String::new(), logprob };
                let text = serde_json::to_string(&token).unwrap();
                assert_eq!(serde_json::from_str::<TokenRecord>(&text).unwrap(), token, "{text}");
            }
        }
    }
}
