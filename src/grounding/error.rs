//! What stands in the way of grounding.

use thiserror::Error;
use values::heatmap::HeatmapError;

/// Why an answer could not be grounded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GroundingError {
    /// A position lies beyond the sequence, or parts of it come in the wrong order.
    #[error("the {0} does not fit the sequence of {1} tokens: read the answer back again")]
    Position(&'static str, usize),
    /// There is no picture, or none before the answer.
    #[error("the conversation has no picture before the answer: there is nothing to point at")]
    NoPicture,
    /// As many numbers are needed as positions times columns, or as the answer has tokens.
    #[error("{given} {what} where {needed} are needed: read the answer back again")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        given: usize,
        /// How many there should be.
        needed: usize,
    },
    /// A logit or a log-probability is NaN or infinite.
    #[error("the model computed a value that is not a finite number")]
    NotFinite,
    /// A token of the prompt or the answer has no column of logits.
    #[error("token {0} has no logits: read the answer back again")]
    NoColumn(u32),
    /// The tokens given with the text are not those of the answer that was read back.
    #[error("the tokens are not those of the answer that was read back")]
    OtherAnswer,
    /// A token's bytes do not lie in the text, between characters and in order.
    #[error("token {0} of the answer does not lie in its text")]
    Text(usize),
    /// The picture's tokens are not as many as its grid has cells.
    #[error(
        "the picture's {tokens} tokens are no grid of {rows} × {columns}: this model's words have \
         no maps"
    )]
    Grid {
        /// Tokens of the picture.
        tokens: usize,
        /// Rows of the grid; 0 where the model has none.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
    /// A map could not be made of what was computed.
    #[error(transparent)]
    Map(#[from] HeatmapError),
}
