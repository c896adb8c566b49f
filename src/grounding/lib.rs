//! Grounding: which words and phrases of an answer belong to which part of the picture.
//!
//! [`ground`] does it all from one teacher-forced prefill ([`TokenLogits`]): the answer's words
//! ([`words`]) get Token Activation Maps ([`tam`]), its noun phrases ([`phrases`]) their words' maps
//! together, and a place in the picture ([`regions`]) where these are strong enough.

mod error;
mod ground;
mod logits;
pub mod phrases;
pub mod regions;
pub mod tam;
pub mod words;

use std::ops::Range;

use values::heatmap::Heatmap;

pub use error::GroundingError;
pub use ground::{ground, word_maps};
pub use logits::TokenLogits;
pub use regions::{Evidence, Place};

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
    /// How far the word's logit is above the mean of the other tokens' (in logits, may be below 0).
    pub margin: Heatmap,
    /// How much speaks for the word in the picture.
    pub evidence: Evidence,
    /// How much more probable each part of the picture, seen alone, makes the word than nothing
    /// does, in nats; `None` until that was tried.
    pub seen: Option<Heatmap>,
}

/// A noun phrase of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Phrase {
    /// Where it stands, in bytes of the answer's text.
    pub bytes: Range<usize>,
    /// The phrase.
    pub text: String,
    /// Its map: its words' maps taken together.
    pub map: Heatmap,
    /// Where it is in the picture; `None` where its map is too weak to say.
    pub place: Option<Place>,
    /// How much speaks for it in the picture.
    pub evidence: Evidence,
}
