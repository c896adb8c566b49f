//! What the engine can be told.

use model_store::ModelFolder;
use values::config::{Device, Folders, Precision};
use values::picture::Picture;

use super::error::EngineError;

/// Tells requests apart; every event carries the one it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A command with the id of the request it begins or concerns.
#[derive(Debug)]
pub enum EngineCommand {
    /// Load a model, in place of the one that is loaded.
    Load(RequestId, Box<LoadRequest>),
    /// Ask a question, in place of one that is being answered.
    Ask(RequestId, Box<Question>),
    /// Read an answer back, when nothing else is to be done.
    Score(RequestId, Box<ScoreRequest>),
    /// Forget readings that wait.
    ForgetScores,
    /// Stop the answer being given.
    Stop,
    /// Let go of the model and its memory.
    Unload(RequestId),
    /// End the worker.
    Shutdown,
}

/// Which model, and how it is to be held.
#[derive(Debug, Clone)]
pub struct LoadRequest {
    /// The model.
    pub model: ModelFolder,
    /// Where unpacked weights are kept.
    pub folders: Folders,
    /// Precision of the language model's matrices.
    pub weights: Weights,
    /// Where to compute.
    pub device: DeviceChoice,
}

/// Precision of the language model's matrices in memory. The encoder is always f32 on a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weights {
    /// 8-bit blocks with one scale for 32 weights, multiplied as integers.
    #[default]
    Q8_0,
    /// 32-bit floating point: four times the memory, the reference for parity.
    F32,
}

impl Weights {
    /// The name in settings and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Q8_0 => "q8_0",
            Self::F32 => "f32",
        }
    }
}

impl From<Precision> for Weights {
    fn from(setting: Precision) -> Self {
        match setting {
            Precision::Q8_0 => Self::Q8_0,
            Precision::F32 => Self::F32,
        }
    }
}

/// Where to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The graphics processor this build was made for where one answers, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
}

impl From<Device> for DeviceChoice {
    fn from(setting: Device) -> Self {
        match setting {
            Device::Auto => Self::Auto,
            Device::Cpu => Self::Cpu,
        }
    }
}

/// A conversation about pictures whose last turn wants an answer.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The turns so far, oldest first; the last one is the user's.
    pub turns: Vec<Turn>,
    /// How to answer.
    pub options: AnswerOptions,
}

impl Question {
    /// One question about some pictures.
    #[must_use]
    pub fn new(pictures: Vec<Picture>, text: impl Into<String>) -> Self {
        let turn = Turn { role: Role::User, text: text.into(), pictures };
        Self { turns: vec![turn], options: AnswerOptions::default() }
    }

    /// Refuses what no model could answer.
    ///
    /// # Errors
    /// [`EngineError::EmptyQuestion`] or [`EngineError::BadOption`].
    pub fn check(&self) -> Result<(), EngineError> {
        match self.turns.last() {
            Some(Turn { role: Role::User, text, .. }) if !text.trim().is_empty() => {}
            _ => return Err(EngineError::EmptyQuestion),
        }
        if self.options.max_tokens == 0 {
            return Err(EngineError::BadOption("the longest answer must be at least one token"));
        }
        let temperature = self.options.temperature;
        if !temperature.is_finite() || temperature < 0.0 {
            return Err(EngineError::BadOption("the temperature must be 0 or more"));
        }
        Ok(())
    }
}

/// An answer to be read back: how each of its tokens follows from what the model was shown.
#[derive(Debug, Clone)]
pub struct ScoreRequest {
    /// The conversation up to the question.
    pub question: Question,
    /// The answer, given in the model's place.
    pub answer: String,
    /// Its tokens as they were sampled; empty where the model did not say it.
    pub sampled: Vec<u32>,
}

/// One turn of the conversation.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub text: String,
    /// What is shown with it; only a user shows pictures.
    pub pictures: Vec<Picture>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnswerOptions {
    /// Longest answer, in tokens.
    pub max_tokens: usize,
    /// 0 takes the likeliest token each time; above it tokens are drawn from the softmax of
    /// logits / temperature.
    pub temperature: f64,
    /// Start of the random stream for a temperature above 0: the same seed, the same answer.
    pub seed: u64,
}

impl Default for AnswerOptions {
    fn default() -> Self {
        Self { max_tokens: 256, temperature: 0.0, seed: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused_before_the_model_sees_it() {
        let ask = |text: &str, max_tokens, temperature| {
            let mut question = Question::new(vec![], text);
            question.options = AnswerOptions { max_tokens, temperature, seed: 0 };
            question.check()
        };
        assert!(ask("What?", 1, 0.0).is_ok());
        assert!(matches!(ask("  \n", 1, 0.0), Err(EngineError::EmptyQuestion)));
        assert!(matches!(Question::default().check(), Err(EngineError::EmptyQuestion)));
        assert!(matches!(ask("What?", 0, 0.0), Err(EngineError::BadOption(_))));
        assert!(matches!(ask("What?", 1, -1.0), Err(EngineError::BadOption(_))));
        assert!(matches!(ask("What?", 1, f64::NAN), Err(EngineError::BadOption(_))));
    }
}
