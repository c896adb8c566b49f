//! What the engine says.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use conversation::{Answer, ModelInfo, Token};
use grounding::TokenLogits;
use model_store::Step;

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
    /// Longest prompt and answer together, in tokens.
    pub context: usize,
    /// Tokens that one picture takes, where the model has one number for it.
    pub picture_tokens: Option<usize>,
    /// Side of the square in pixels that its encoder is shown, where it has one.
    pub image_side: Option<u32>,
    /// The folder its files were read from.
    pub folder: PathBuf,
    /// From the command to now.
    pub load_time: Duration,
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

/// A token of an answer with its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its number in the vocabulary.
    pub id: u32,
    /// The bytes of the answer's text that it completes; none where a character needs more.
    pub bytes: Range<usize>,
}

/// The tokens that some of `bytes` belong to.
#[must_use]
pub fn tokens_at(pieces: &[Piece], bytes: &Range<usize>) -> Range<usize> {
    let inside = |piece: &Piece| piece.bytes.start < bytes.end && piece.bytes.end > bytes.start;
    let mut start = pieces.iter().position(inside).unwrap_or(0);
    // A character's first tokens complete nothing by themselves.
    while start > 0 && pieces[start - 1].bytes.is_empty() {
        start -= 1;
    }
    let end = pieces.iter().rposition(inside).map_or(start, |last| last + 1);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_belong_to_the_tokens_that_complete_them() {
        // "A lemon" in three tokens, the second without text of its own.
        let piece = |id, bytes| Piece { id, bytes };
        let pieces = [piece(1, 0..1), piece(2, 1..1), piece(3, 1..7)];
        assert_eq!(tokens_at(&pieces, &(2..7)), 1..3);
        assert_eq!(tokens_at(&pieces, &(0..7)), 0..3);
        assert!(tokens_at(&pieces, &(9..12)).is_empty());
    }
}
