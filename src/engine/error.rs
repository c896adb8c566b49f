//! What can go wrong in the engine, in words for the person who asked.

use model_store::ModelError;

/// Why a request came to nothing. Each message is one line that says what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The model's files.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A question before any model was loaded.
    #[error("no model is loaded: load one first")]
    NoModel,
    /// mistral.rs refused the model.
    #[error("the model could not be loaded ({0}): choose another model")]
    Load(String),
    /// Nothing to answer.
    #[error("the question is empty: type one")]
    EmptyQuestion,
    /// Nothing to ask about.
    #[error("the question shows no picture: show one")]
    NoPicture,
    /// A number that makes no sense.
    #[error("{0}")]
    BadOption(&'static str),
    /// The question alone is more than the model can hold.
    #[error(
        "the question takes {tokens} tokens and this model holds {limit}: shorten it or show fewer pictures"
    )]
    TooLong {
        /// What it takes, with room for an answer.
        tokens: usize,
        /// What the model holds.
        limit: usize,
    },
    /// mistral.rs gave an error for this question.
    #[error("the model could not answer ({0}): ask again or choose another picture")]
    Answer(String),
    /// mistral.rs panicked, or the worker did; the model is loaded again for the next question.
    #[error("the engine failed and was restarted ({0}): ask again")]
    Crashed(String),
    /// A reading that came too late.
    #[error("something newer was asked meanwhile")]
    Superseded,
    /// An answer without words has no maps.
    #[error("there is no answer to look into: ask first")]
    EmptyAnswer,
    /// The kind of model is one whose picture tokens are not understood here.
    #[error(
        "{0} does not tell which part of the picture its words come from: use a model of the SmolVLM kind"
    )]
    NoMaps(String),
    /// Another load or an unload took this load's place.
    #[error("another model was chosen meanwhile")]
    Replaced,
    /// Too many commands wait.
    #[error("the engine is busy: wait a moment and try again")]
    Busy,
    /// The worker is gone.
    #[error("the engine does not take commands: start Lorgnette again")]
    Unreachable,
}
