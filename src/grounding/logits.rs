//! What the language model's head says at every position of a prompt that ends in its own answer.

use std::ops::Range;

/// Logits of a few tokens at every position of one teacher-forced prefill.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenLogits {
    /// The whole sequence, image tokens expanded.
    pub tokens: Vec<u32>,
    /// Positions of each picture's patch tokens.
    pub image: Vec<Range<usize>>,
    /// Positions of the prompt's text tokens after the pictures.
    pub prompt: Vec<usize>,
    /// Positions of the answer's tokens.
    pub answer: Range<usize>,
    /// Distinct tokens of prompt and answer: the columns of `logits`.
    pub columns: Vec<u32>,
    /// Raw logits, row by row: one row a position, one column a token of `columns`.
    pub logits: Vec<f32>,
    /// ln softmax of each token of the answer, at the position before it.
    pub logprobs: Vec<f32>,
}
