//! How right answers and maps are, on pictures where the answer is known.
//!
//! [`naming`] counts how often a picture's thing is called what it is, and how often the chances say
//! so, [`reading`] how much of what is written is read. Of maps,
//! [`pointing`] asks each map where a named thing is, on photographs with boxes; [`composites`]
//! puts four pictures into one and asks for each of them by name. Both set every map beside what
//! a centre point, a random point or a map that ignores the word would reach.

pub mod composites;
pub mod dataset;
pub mod naming;
pub mod pointing;
pub mod reading;
mod table;

use encoder::{EncoderError, VisionEncoder};
use engine::{EngineError, Question, ScoreRequest, Scores};
use evidence::{EvidenceError, Witness};
use explain::{Aim, ForcedWord, Readback, Told, read_all};
use grounding::GroundingError;
use values::config::DEFAULT_QUESTION;
use values::picture::{ImageInput, Look};

pub use table::{Interval, Row};

/// Why an evaluation came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The data set.
    #[error("{file}: line {line}: {reason}")]
    Line {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The data set cannot be read or has nothing to ask about.
    #[error("{file}: {reason}")]
    File {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An answer could not be looked into.
    #[error(transparent)]
    Grounding(#[from] GroundingError),
    /// The vision encoder could not be run.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// A specialist could not be run.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

/// Whatever reads answers back: the engine, waited for.
pub type Reader<'a> = dyn FnMut(ScoreRequest) -> Result<Scores, EvalError> + 'a;

/// What the maps of one word in one picture are made with.
pub struct Looker<'a> {
    /// Reads answers back.
    pub read: &'a mut Reader<'a>,
    /// How the answering model is shown pictures.
    pub input: &'a ImageInput,
    /// Its vision encoder.
    pub vision: &'a dyn VisionEncoder,
    /// Who says what is to be seen in a picture.
    pub witness: &'a Witness,
    /// Whether the model is told of it.
    pub told: bool,
}

impl Looker<'_> {
    /// `word` in `picture`, put in the answer's place: eleven readings with `windows`, two without.
    ///
    /// # Errors
    /// The engine's.
    pub fn look(
        &mut self,
        picture: &Look,
        word: &str,
        windows: bool,
    ) -> Result<ForcedWord, EvalError> {
        let evidence = if self.told { vec![self.witness.evidence(picture)?] } else { Vec::new() };
        let pictures = std::slice::from_ref(picture);
        let question = Question::told(pictures, &evidence, DEFAULT_QUESTION);
        let (answer, sampled) = (String::new(), Vec::new());
        let told = Told { question, picture: picture.clone(), answer, sampled };
        let aim = Aim::Word { word: word.to_owned(), windows };
        let mut readback = Readback::new(told, self.input, aim, self.witness);
        let found = read_all(&mut readback, &mut *self.read)?;
        Ok(found.word().ok_or(GroundingError::OtherAnswer)?)
    }
}
