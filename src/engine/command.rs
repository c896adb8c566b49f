//! What the engine can be told.

use conversation::{Exchange, Options, Picture, Role, Turn, turns_for};
use evidence::Evidence;
use model_store::ModelFolder;
use values::config::{Device, Folders, Precision};
use values::picture::Look;

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
    /// Look at what a question would begin with, when nothing at all is to be done.
    LookAhead(RequestId, Box<Question>),
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
    pub weights: Precision,
    /// Where to compute.
    pub device: Device,
}

/// A conversation about pictures whose last turn wants an answer.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The turns so far, oldest first; the last one is the user's.
    pub turns: Vec<Turn>,
    /// How to answer.
    pub options: Options,
}

impl Question {
    /// One question about some pictures, told as [`turns_for`] has it.
    #[must_use]
    pub fn new(pictures: &[Look], text: impl Into<String>) -> Self {
        Self::told(pictures, &[], text)
    }

    /// The same, told what specialists see in each picture: `evidence` in their order.
    #[must_use]
    pub fn told(pictures: &[Look], evidence: &[Evidence], text: impl Into<String>) -> Self {
        let mut seen = evidence.iter().cloned();
        let named = pictures.iter().map(|look| Picture {
            evidence: seen.next().unwrap_or_default(),
            ..Picture::of(&look.frame, look.region)
        });
        let options = Options::default();
        let exchange = Exchange::new(text, named.collect(), options, None);
        let pixels = |picture: &Picture| {
            let look = pictures.iter().find(|look| **look.frame.sha256() == picture.sha256);
            look.map(|look| look.frame.clone()).ok_or(EngineError::NoPicture)
        };
        // Each picture is one of those it was named after.
        let turns = turns_for([].iter(), &exchange, pixels).unwrap_or_default();
        Self { turns, options }
    }

    /// Refuses what no model could answer.
    ///
    /// # Errors
    /// [`EngineError::EmptyQuestion`], [`EngineError::NoPicture`] or [`EngineError::BadOption`].
    pub fn check(&self) -> Result<(), EngineError> {
        match self.turns.last() {
            Some(Turn { role: Role::User, text, .. }) if !text.trim().is_empty() => {}
            _ => return Err(EngineError::EmptyQuestion),
        }
        self.check_pictures()?;
        if self.options.max_tokens == 0 {
            return Err(EngineError::BadOption("the longest answer must be at least one token"));
        }
        let temperature = self.options.temperature;
        if !temperature.is_finite() || temperature < 0.0 {
            return Err(EngineError::BadOption("the temperature must be 0 or more"));
        }
        Ok(())
    }

    /// Refuses what no question could begin with.
    ///
    /// # Errors
    /// [`EngineError::EmptyQuestion`] where the last turn is not the person's, or
    /// [`EngineError::NoPicture`].
    pub fn check_ahead(&self) -> Result<(), EngineError> {
        match self.turns.last() {
            Some(Turn { role: Role::User, .. }) => self.check_pictures(),
            _ => Err(EngineError::EmptyQuestion),
        }
    }

    fn check_pictures(&self) -> Result<(), EngineError> {
        if self.turns.iter().all(|turn| turn.pictures.is_empty()) {
            return Err(EngineError::NoPicture);
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

#[cfg(test)]
mod tests {
    use image::RgbImage;
    use values::frame::{Frame, Source};

    use super::*;

    #[test]
    fn nonsense_is_refused_before_the_model_sees_it() {
        let ask = |text: &str, max_tokens, temperature| {
            let frame = Frame::new(RgbImage::new(1, 1), Source::Stdin);
            let mut question = Question::new(&[Look { frame, region: None }], text);
            question.options = Options { max_tokens, temperature, seed: 0 };
            question.check()
        };
        assert!(ask("What?", 1, 0.0).is_ok());
        assert!(matches!(ask("  \n", 1, 0.0), Err(EngineError::EmptyQuestion)));
        assert!(matches!(Question::default().check(), Err(EngineError::EmptyQuestion)));
        assert!(matches!(Question::new(&[], "What?").check(), Err(EngineError::NoPicture)));
        assert!(matches!(ask("What?", 0, 0.0), Err(EngineError::BadOption(_))));
        assert!(matches!(ask("What?", 1, -1.0), Err(EngineError::BadOption(_))));
        assert!(matches!(ask("What?", 1, f64::NAN), Err(EngineError::BadOption(_))));
    }

    #[test]
    fn what_has_no_picture_is_not_looked_at_ahead() {
        let frame = Frame::new(RgbImage::new(1, 1), Source::Stdin);
        let look = Look { frame, region: None };
        assert!(Question::new(&[look], "").check_ahead().is_ok());
        assert!(matches!(Question::new(&[], "").check_ahead(), Err(EngineError::NoPicture)));
        assert!(matches!(Question::default().check_ahead(), Err(EngineError::EmptyQuestion)));
    }
}
