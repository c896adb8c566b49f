//! What the engine says.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use conversation::{Answer, ModelCard, ModelInfo, Token};
use evidence::EvidenceWords;
use grounding::{Piece, TokenLogits};
use model_store::Step;
use values::picture::ImageInput;

use super::command::RequestId;
use super::error::EngineError;

/// Something happened to a request.
#[derive(Debug, Clone)]
pub enum EngineEvent {
    /// A model is on its way.
    Loading(RequestId, LoadProgress),
    /// A model is loaded; questions are answered from now on.
    Ready(RequestId, LoadedModel),
    /// The next piece of an answer.
    Token(RequestId, Token),
    /// The answer is complete, or was stopped.
    Done(RequestId, Box<Answer>),
    /// An answer was read back.
    Scored(RequestId, Box<Scores>),
    /// What a question would begin with was looked at.
    LookedAhead(RequestId),
    /// The request came to nothing. The engine goes on.
    Failed(RequestId, EngineError),
    /// The model was let go.
    Unloaded(RequestId),
}

impl EngineEvent {
    /// The request this belongs to.
    #[must_use]
    pub fn request(&self) -> RequestId {
        match self {
            Self::Loading(request, _)
            | Self::Ready(request, _)
            | Self::Token(request, _)
            | Self::Done(request, _)
            | Self::Scored(request, _)
            | Self::LookedAhead(request)
            | Self::Failed(request, _)
            | Self::Unloaded(request) => *request,
        }
    }
}

/// How far a load has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadProgress {
    /// Its files are being checked or unpacked.
    Files(Step),
    /// The weights are read into memory.
    Weights,
}

/// A loaded model.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedModel {
    /// Which it is, as it is noted beside its answers.
    pub info: ModelInfo,
    /// What is said of it; nothing of a folder that did not come with Lorgnette.
    pub card: Option<Arc<ModelCard>>,
    /// Longest prompt and answer together, in tokens.
    pub context: usize,
    /// How it is shown pictures.
    pub input: ImageInput,
    /// The folder its files were read from.
    pub folder: PathBuf,
    /// From the command to now.
    pub load_time: Duration,
}

impl LoadedModel {
    /// The words in which it is told what specialists see; `None` where it takes none.
    #[must_use]
    pub fn evidence_words(&self) -> Option<&EvidenceWords> {
        self.card.as_ref()?.evidence.as_ref()
    }
}

/// An answer read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// Raw logits at every position, of the tokens of prompt and answer.
    pub logits: TokenLogits,
    /// The answer's tokens with their places in its text.
    pub pieces: Vec<Piece>,
    /// Seconds from the start of the reading to its end.
    pub took: f64,
}
