//! How right the maps are, on pictures where the answer is known.
//!
//! [`pointing`] asks each map where a named thing is, on photographs with boxes; [`composites`]
//! puts four pictures into one and asks for each of them by name. Both set every map beside what
//! a centre point, a random point or a map that ignores the word would reach.

pub mod composites;
pub mod dataset;
pub mod pointing;
mod table;

use encoder::{EncoderError, VisionEncoder};
use engine::{EngineError, Question, ScoreRequest, Scores, tokens_at};
use explain::{Curtain, Sight, Told};
use grounding::GroundingError;
use values::config::{DEFAULT_QUESTION, Fill};
use values::heatmap::Heatmap;
use values::picture::Look;

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
}

/// Whatever reads answers back: the engine, waited for.
pub type Reader<'a> = dyn FnMut(ScoreRequest) -> Result<Scores, EvalError> + 'a;

/// What the maps of one word in one picture are made with.
pub struct Looker<'a> {
    /// Reads answers back.
    pub read: &'a mut Reader<'a>,
    /// The answering model's vision encoder.
    pub vision: &'a dyn VisionEncoder,
}

/// The maps of one word in one picture.
pub struct WordMaps {
    /// Which patches carry the word (TAM).
    pub word: Heatmap,
    /// Where the word is seen, one window at a time.
    pub seen: Heatmap,
    /// How much more probable the picture makes the word than nothing does, in nats.
    pub support: f32,
}

impl Looker<'_> {
    /// "What is that?" about `picture`, answered "A ‹word›."
    fn told(picture: &Look, word: &str) -> Told {
        let question = Question::new(std::slice::from_ref(picture), DEFAULT_QUESTION);
        let (answer, sampled) = (String::new(), Vec::new());
        Told { question, picture: picture.clone(), answer, sampled }.with_word(word)
    }

    /// The maps of `word` in `picture`: eleven readings.
    fn maps(&mut self, picture: &Look, word: &str) -> Result<WordMaps, EvalError> {
        let told = Self::told(picture, word);
        let (square, shown) = told.input(self.vision.side());
        let scores = (self.read)(told.as_given())?;
        let map = told.word_map(word, &scores, shown)?;
        let curtain = Curtain::new(square, shown, Fill::Blur);
        let mut sight = Sight::new(curtain, scores.logits.logprobs.clone());
        while let Some(square) = sight.picture() {
            sight.take(&(self.read)(told.about(square))?.logits.logprobs);
        }
        let tokens = tokens_at(&scores.pieces, &told.word_bytes(word));
        let unfinished = || GroundingError::OtherAnswer;
        let seen = sight.map(&tokens).ok_or_else(unfinished)?;
        let support = sight.support(&tokens).ok_or_else(unfinished)?.whole;
        Ok(WordMaps { word: map, seen, support })
    }

    /// How much more probable `picture` makes `word` than nothing does, in nats: two readings.
    ///
    /// # Errors
    /// The engine's.
    pub fn support(&mut self, picture: &Look, word: &str) -> Result<f32, EvalError> {
        let told = Self::told(picture, word);
        let (square, shown) = told.input(self.vision.side());
        let open = (self.read)(told.as_given())?;
        let closed = Curtain::new(square, shown, Fill::Blur).closed();
        let closed = (self.read)(told.about(closed))?;
        Ok(told.word_logprob(word, &open) - told.word_logprob(word, &closed))
    }
}
