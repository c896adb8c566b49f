//! A question with its answer.

use std::time::{SystemTime, UNIX_EPOCH};

use evidence::{Caution, Evidence, Label, caution};
use serde::{Deserialize, Serialize};
use values::frame::Frame;
use values::picture::About;
use values::region::Region;

use crate::{Answer, null_is_zero};

/// A question with its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// Its number within the conversation: from 1, growing.
    pub id: u32,
    /// When it was asked, in milliseconds since 1970.
    pub asked: u64,
    /// The pictures it is about, also where an earlier question has shown them already.
    pub pictures: Vec<Picture>,
    /// The question as it was typed.
    pub question: String,
    /// How the answer was asked for.
    pub options: Options,
    /// The model that was asked; `None` where none was loaded.
    pub model: Option<ModelInfo>,
    /// The answer.
    pub answer: Answer,
    /// Whether it was asked by itself, whatever was said before: so live mode asks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
}

impl Exchange {
    /// A question that is asked now, as yet without a number and without an answer.
    #[must_use]
    pub fn new(
        question: impl Into<String>,
        pictures: Vec<Picture>,
        options: Options,
        model: Option<ModelInfo>,
    ) -> Self {
        Self {
            id: 0,
            asked: now(),
            pictures,
            question: question.into(),
            options,
            model,
            answer: Answer::default(),
            alone: false,
        }
    }

    /// What the model was told of the picture that is asked about, which is the last one.
    #[must_use]
    pub fn evidence(&self) -> Option<&Evidence> {
        let evidence = &self.pictures.last()?.evidence;
        (!evidence.is_empty()).then_some(evidence)
    }

    /// How sure the answer is: this is the one place that decides it.
    ///
    /// Where the answer names what the label encoder sees, that label's chance; else the mean of its
    /// tokens'. `None` where there is neither.
    #[must_use]
    pub fn certainty(&self) -> Option<Certainty<'_>> {
        let named = self.evidence().and_then(|seen| seen.labels.named_in(&self.answer.text));
        let tokens = || self.answer.certainty().map(Certainty::Tokens);
        named.map(Certainty::Label).or_else(tokens)
    }

    /// The caution that belongs under the answer, where one does.
    #[must_use]
    pub fn caution(&self) -> Option<&'static Caution> {
        let nothing = Evidence::default();
        let labels = &self.evidence().unwrap_or(&nothing).labels;
        caution(&self.question, &self.answer.text, labels)
    }
}

/// How sure an answer is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Certainty<'a> {
    /// It names what the label encoder sees.
    Label(&'a Label),
    /// The geometric mean of its tokens' probabilities.
    Tokens(f32),
}

impl Certainty<'_> {
    /// The chance, 0 to 1.
    #[must_use]
    pub fn chance(self) -> f32 {
        match self {
            Self::Label(label) => label.probability,
            Self::Tokens(mean) => mean,
        }
    }
}

/// Milliseconds since 1970.
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A picture of a conversation, or the part of it that a question means: told by its pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
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
    /// [`Frame::sha256`]: it names the pixels, whatever file they are in.
    pub sha256: String,
    /// What the model was told that specialists see in it, or in the part; empty where it was told
    /// nothing.
    #[serde(default, skip_serializing_if = "Evidence::is_empty")]
    pub evidence: Evidence,
}

impl Picture {
    /// The part `region` of `frame`, or all of it. Who keeps it gives it a file.
    #[must_use]
    pub fn of(frame: &Frame, region: Option<Region>) -> Self {
        Self {
            file: String::new(),
            name: frame.source.kept_name(),
            width: frame.width(),
            height: frame.height(),
            region,
            sha256: frame.sha256().to_string(),
            evidence: Evidence::default(),
        }
    }

    /// By which it is told from others.
    #[must_use]
    pub fn about(&self) -> About {
        About { sha256: self.sha256.as_str().into(), region: self.region }
    }

    /// Whether both show the model the same thing.
    #[must_use]
    pub fn shows_the_same(&self, other: &Self) -> bool {
        self.sha256 == other.sha256 && self.region == other.region
    }
}

/// How an answer is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Longest answer, in tokens.
    pub max_tokens: usize,
    /// 0 takes the likeliest token each time; above it tokens are drawn from the softmax of
    /// logits / temperature.
    #[serde(deserialize_with = "null_is_zero")]
    pub temperature: f64,
    /// Start of the random stream for a temperature above 0: the same seed, the same answer.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_tokens: 256, temperature: 0.0, seed: 0 }
    }
}

/// A model, as precisely as it takes to ask the same one again.
///
/// Its precision and device are words, since what is read back may name some that are not known
/// here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// What the user calls it.
    pub name: String,
    /// Which edition.
    pub revision: String,
    /// Precision of its language model's matrices: `q8_0`, `f32`.
    pub weights: String,
    /// Where it computes: `CPU`, `CUDA`.
    pub device: String,
}

#[cfg(test)]
mod tests {
    use evidence::Labels;
    use image::RgbImage;
    use values::frame::Source;

    use super::*;
    use crate::Token;

    fn exchange(question: &str, answer: &str, evidence: Evidence) -> Exchange {
        let frame = Frame::new(RgbImage::new(2, 2), Source::Stdin);
        let picture = Picture { evidence, ..Picture::of(&frame, None) };
        let mut exchange = Exchange::new(question, vec![picture], Options::default(), None);
        exchange.answer.push(Token { id: 1, text: answer.into(), logprob: 0.25_f32.ln() });
        exchange
    }

    fn snake() -> Evidence {
        let (name, kind) = ("garter snake".to_owned(), Some("snake".to_owned()));
        let label = Label { name, kind, probability: 0.875 };
        let labels = Labels { sure: Some(label), perhaps: Vec::new() };
        Evidence { labels, ..Evidence::default() }
    }

    #[test]
    fn the_evidence_says_how_sure_an_answer_is_where_it_speaks_of_it() {
        let certainty = |answer: &str, evidence| {
            let exchange = exchange("What is that?", answer, evidence);
            exchange.certainty().map(Certainty::chance).unwrap()
        };
        let near = |a: f32, b: f32| (a - b).abs() < 1e-6;
        assert!(near(certainty("A garter snake.", snake()), 0.875));
        assert!(near(certainty("A snake.", snake()), 0.875));
        assert!(near(certainty("A rope.", snake()), 0.25));
        assert!(near(certainty("A snake.", Evidence::default()), 0.25));
    }

    #[test]
    fn a_caution_follows_from_question_answer_and_evidence() {
        let id = |question: &str, answer: &str, evidence| {
            exchange(question, answer, evidence).caution().map(|caution| &*caution.id)
        };
        assert_eq!(id("What is that?", "A rope.", Evidence::default()), None);
        assert_eq!(id("What is that?", "A rope.", snake()), Some("animals"));
        assert_eq!(id("May I eat it?", "A rope.", Evidence::default()), Some("eating"));
    }

    #[test]
    fn what_was_told_is_kept_and_nothing_where_nothing_was() {
        let kept = |evidence| {
            let exchange = exchange("What?", "This.", evidence);
            let json = serde_json::to_value(&exchange).unwrap();
            assert_eq!(serde_json::from_value::<Exchange>(json.clone()).unwrap(), exchange);
            json["pictures"][0].clone()
        };
        assert_eq!(kept(snake())["evidence"]["labels"]["sure"]["kind"], "snake");
        assert!(kept(Evidence::default()).get("evidence").is_none());
    }
}
