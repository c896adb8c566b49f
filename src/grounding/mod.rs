//! Grounding: which words and phrases of an answer belong to which part of the picture.

mod logits;

use std::ops::Range;

use crate::heatmap::Heatmap;
use crate::region::Region;
pub use logits::TokenLogits;

/// A word of an answer with its map.
#[derive(Debug, Clone, PartialEq)]
pub struct WordMap {
    /// Where the word stands, in bytes of the answer's text.
    pub bytes: Range<usize>,
    /// The word.
    pub text: String,
    /// Where its features are in the picture (TAM).
    pub map: Heatmap,
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
}

/// A place in the picture that a phrase was found at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// The box, in fractions of the frame.
    pub region: Region,
    /// How strongly the phrase points there, from 0 to 1.
    pub strength: f32,
}
