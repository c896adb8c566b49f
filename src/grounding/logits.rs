//! What the language model's head says at every position of a prompt that ends in its own answer.

use std::ops::Range;

use super::error::GroundingError;

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

impl TokenLogits {
    /// The parts, checked ([`TokenLogits::check`]).
    ///
    /// # Errors
    /// Parts that do not fit together.
    pub fn new(
        tokens: Vec<u32>,
        image: Vec<Range<usize>>,
        prompt: Vec<usize>,
        answer: Range<usize>,
        columns: Vec<u32>,
        logits: Vec<f32>,
        logprobs: Vec<f32>,
    ) -> Result<Self, GroundingError> {
        let parts = Self { tokens, image, prompt, answer, columns, logits, logprobs };
        parts.check()?;
        Ok(parts)
    }

    /// Whether the parts fit together: pictures in order before prompt and answer, an answer that
    /// is not empty and has something before it, a column for each token of prompt and answer, and
    /// as many finite numbers as that takes.
    ///
    /// # Errors
    /// Parts that do not fit together.
    pub fn check(&self) -> Result<(), GroundingError> {
        let length = self.tokens.len();
        let position = |what| Err(GroundingError::Position(what, length));
        let count = |what, given, needed| Err(GroundingError::Count { what, given, needed });
        if self.answer.start == 0 || self.answer.is_empty() || self.answer.end > length {
            return position("answer");
        }
        let mut end = 0;
        for picture in &self.image {
            if picture.start < end || picture.is_empty() || picture.end > self.answer.start {
                return position("picture");
            }
            end = picture.end;
        }
        if self.image.is_empty() {
            return Err(GroundingError::NoPicture);
        }
        if !self.prompt.is_sorted() || self.prompt.iter().any(|at| *at >= self.answer.start) {
            return position("prompt");
        }
        if Some(self.logits.len()) != length.checked_mul(self.columns.len()) {
            let needed = length.saturating_mul(self.columns.len());
            return count("logits", self.logits.len(), needed);
        }
        if self.logprobs.len() != self.answer.len() {
            return count("log-probabilities", self.logprobs.len(), self.answer.len());
        }
        if self.logits.iter().chain(&self.logprobs).any(|value| !value.is_finite()) {
            return Err(GroundingError::NotFinite);
        }
        let mut text = self.prompt.iter().copied().chain(self.answer.clone());
        match text.find(|at| self.column(self.tokens[*at]).is_none()) {
            Some(at) => Err(GroundingError::NoColumn(self.tokens[at])),
            None => Ok(()),
        }
    }

    /// The raw logit of the token `id` at a position; `None` beyond the sequence or where `id` has
    /// no column.
    pub fn logit(&self, position: usize, id: u32) -> Option<f32> {
        let column = self.column(id)?;
        self.logits.chunks_exact(self.columns.len()).nth(position).map(|row| row[column])
    }

    /// The column of the token `id`.
    pub(super) fn column(&self, id: u32) -> Option<usize> {
        self.columns.iter().position(|column| *column == id)
    }

    /// The raw logits of one column at `positions` of the sequence.
    pub(super) fn at(&self, column: usize, positions: impl Iterator<Item = usize>) -> Vec<f64> {
        let width = self.columns.len();
        positions.map(|at| f64::from(self.logits[at * width + column])).collect()
    }

    /// Positions of all pictures' patch tokens.
    pub(super) fn patches(&self) -> impl Iterator<Item = usize> + Clone {
        self.image.iter().flat_map(Clone::clone)
    }
}
