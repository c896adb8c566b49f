//! Grounding: which words of an answer belong to which part of the picture.
//!
//! [`word_maps`] does it from one teacher-forced prefill ([`TokenLogits`]): the answer's words
//! ([`words`]) get Token Activation Maps ([`tam`]). [`phrases`] finds its noun phrases.

mod error;
mod logits;
pub mod phrases;
mod pieces;
pub mod tam;
mod word_maps;
pub mod words;

use std::ops::Range;

use values::heatmap::Heatmap;

pub use error::GroundingError;
pub use logits::TokenLogits;
pub use pieces::{Piece, tokens_at};
pub use word_maps::word_maps;

/// A word of an answer with its map.
#[derive(Debug, Clone, PartialEq)]
pub struct WordMap {
    /// Where the word stands, in bytes of the answer's text.
    pub bytes: Range<usize>,
    /// The word.
    pub text: String,
    /// Where its features are in the picture (TAM), filtered; from 0 to 1, where 1 is the strongest
    /// of patches and earlier text.
    pub map: Heatmap,
    /// The same in logits, before the filter.
    pub raw: Heatmap,
    /// How much more probable each part of the picture, seen alone, makes the word than nothing
    /// does, in nats; `None` until that was tried.
    pub seen: Option<Heatmap>,
}
