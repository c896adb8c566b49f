//! An answer with how it came about.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::null_is_zero;

/// An answer with how it came about.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Answer {
    /// The whole text, as far as it came.
    pub text: String,
    /// Its tokens, without the one that ends it.
    pub tokens: Vec<Token>,
    /// Why it ended.
    pub finish: Finish,
    /// The engine's words, where it failed.
    pub error: Option<String>,
    /// How long it took.
    pub timings: Timings,
    /// Tokens of the prompt, pictures included; 0 where that is not known.
    pub prompt_tokens: usize,
    /// Earlier turns left out because the model could not have held them.
    pub dropped_turns: usize,
}

impl Answer {
    /// One that came to nothing, for this reason.
    #[must_use]
    pub fn failed(reason: String) -> Self {
        Self { finish: Finish::Failed, error: Some(reason), ..Self::default() }
    }

    /// Takes in the next token of an answer that is coming.
    pub fn push(&mut self, token: Token) {
        self.text.push_str(&token.text);
        self.tokens.push(token);
    }

    /// Ends an answer that was coming: `answer` takes the place of what came, but one that failed
    /// or was interrupted without tokens of its own keeps those that came.
    pub fn end(&mut self, answer: Self) {
        let came = std::mem::replace(self, answer);
        let broke_off =
            matches!(self.finish, Finish::Failed | Finish::Interrupted | Finish::Pending);
        if broke_off && self.tokens.is_empty() && self.text.is_empty() {
            self.tokens = came.tokens;
            came.text.trim().clone_into(&mut self.text);
        }
        if self.finish == Finish::Pending {
            self.finish = Finish::Interrupted;
        }
    }

    /// Ends an answer of which no more will come.
    pub fn interrupt(&mut self) {
        let text = self.text.trim().to_owned();
        self.text = text;
        self.finish = Finish::Interrupted;
    }

    /// Whether a model is told of it when it is asked again: it has ended, and said something.
    #[must_use]
    pub fn is_told(&self) -> bool {
        let ended = !matches!(self.finish, Finish::Pending | Finish::Failed);
        ended && !self.text.trim().is_empty()
    }

    /// The geometric mean of the tokens' probabilities, 0 to 1; `None` without tokens.
    #[must_use]
    pub fn certainty(&self) -> Option<f32> {
        let count = self.tokens.len() as f32;
        let sum: f32 = self.tokens.iter().map(|token| token.logprob).sum();
        (count > 0.0).then(|| (sum / count).exp())
    }

    /// Seconds from the question to the first word; `None` where that is not known.
    #[must_use]
    pub fn first_word(&self) -> Option<f64> {
        let first = self.timings.prepare + self.timings.prefill;
        (first > 0.0).then_some(first)
    }

    /// Tokens a second after the first one; `None` for answers too short to say.
    #[must_use]
    pub fn decode_rate(&self) -> Option<f64> {
        let steps = self.tokens.len().saturating_sub(1) as f64;
        let decode = self.timings.decode;
        (steps >= 1.0 && decode > 0.0).then(|| steps / decode)
    }
}

/// A token of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// Its number in the vocabulary.
    pub id: u32,
    /// The text it completes; empty where a character needs further tokens.
    pub text: String,
    /// Natural logarithm of its probability: ln softmax of the raw logits, at temperature 1. JSON
    /// has no infinity: `null` there.
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
    /// It was stopped, or another question took its place.
    Stopped,
    /// The program ended before the answer did.
    Interrupted,
    /// The engine gave an error.
    Failed,
}

/// Times of one answer, in seconds. Written to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Timings {
    /// Cutting out and resizing the pictures, and counting the words.
    #[serde(serialize_with = "microseconds", deserialize_with = "null_is_zero")]
    pub prepare: f64,
    /// Encoder, projector and the language model's pass over the prompt, to the first token.
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

fn null_is_impossible<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f32::NEG_INFINITY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_cannot_write_do_not_make_a_file_unreadable() {
        let token = Token { id: 1, text: "a".into(), logprob: f32::NEG_INFINITY };
        let text = serde_json::to_string(&token).unwrap();
        assert_eq!(serde_json::from_str::<Token>(&text).unwrap(), token);
        let timings = Timings { prepare: f64::NAN, prefill: 0.123_456_789, decode: 1.0 };
        let read: Timings =
            serde_json::from_str(&serde_json::to_string(&timings).unwrap()).unwrap();
        assert_eq!(read, Timings { prepare: 0.0, prefill: 0.123_457, decode: 1.0 });
    }

    #[test]
    fn log_probabilities_come_back_to_the_last_bit() {
        for bits in (0..2000).map(|i| 0x8000_0000_u32 + i * 1_060_013) {
            let logprob = f32::from_bits(bits);
            if logprob.is_finite() {
                let token = Token { id: 0, text: String::new(), logprob };
                let text = serde_json::to_string(&token).unwrap();
                assert_eq!(serde_json::from_str::<Token>(&text).unwrap(), token, "{text}");
            }
        }
    }

    #[test]
    fn the_speed_is_of_the_tokens_after_the_first() {
        let timings = Timings { prepare: 0.25, prefill: 0.5, decode: 2.0 };
        let mut answer = Answer { timings, ..Answer::default() };
        assert_eq!((answer.first_word(), answer.decode_rate()), (Some(0.75), None));
        let token = Token { id: 1, text: "a".into(), logprob: 0.0 };
        answer.tokens = vec![token; 5];
        assert_eq!(answer.decode_rate(), Some(2.0));
        assert_eq!(Answer::default().first_word(), None);
    }
}
