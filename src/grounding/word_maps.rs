//! From an answer that was read back to a map for each of its words.

use std::ops::Range;

use values::heatmap::Heatmap;
use values::region::Region;

use super::error::GroundingError;
use super::logits::TokenLogits;
use super::tam::{self, Activation, Tam};
use super::words::{self, Word};
use super::{Piece, WordMap};

/// The words of an answer with their maps.
///
/// `pieces` are the answer's tokens, with the bytes of `text` that they complete. The maps are of
/// the last picture before the answer, whose tokens lie in the rows and columns of `grid`, and are
/// laid over `area` of the frame: the part that the encoder was shown.
///
/// A word of several tokens has in each cell the strongest of these: `tam.py` keeps them apart, and
/// where its evaluation needs one of them it takes the best.
///
/// # Errors
/// Logits or tokens that do not fit together or to the text, or a picture whose tokens are no such
/// grid.
pub fn word_maps(
    text: &str,
    pieces: &[Piece],
    logits: &TokenLogits,
    grid: (usize, usize),
    area: Region,
) -> Result<Vec<WordMap>, GroundingError> {
    let reader = Reader::new(logits, grid, area)?;
    let said = &logits.tokens[logits.answer.clone()];
    if !pieces.iter().map(|piece| &piece.id).eq(said) {
        return Err(GroundingError::OtherAnswer);
    }
    let bytes: Vec<Range<usize>> = pieces.iter().map(|piece| piece.bytes.clone()).collect();
    words::words(text, &bytes)?.iter().map(|word| reader.word(text, word)).collect()
}

/// Makes maps of the last picture.
struct Reader<'a> {
    tam: Tam<'a>,
    /// The last picture's patches among all pictures'.
    patches: Range<usize>,
    rows: usize,
    columns: usize,
    area: Region,
}

impl<'a> Reader<'a> {
    fn new(
        logits: &'a TokenLogits,
        (rows, columns): (usize, usize),
        area: Region,
    ) -> Result<Self, GroundingError> {
        let tam = Tam::new(logits)?;
        let last = logits.image.last().ok_or(GroundingError::NoPicture)?.len();
        let all: usize = logits.image.iter().map(Range::len).sum();
        if rows.checked_mul(columns) != Some(last) {
            return Err(GroundingError::Grid { tokens: last, rows, columns });
        }
        Ok(Self { tam, patches: all - last..all, rows, columns, area })
    }

    fn map(&self, values: &[f64]) -> Result<Heatmap, GroundingError> {
        let values = values.iter().map(|value| *value as f32).collect();
        Ok(Heatmap::new(self.rows, self.columns, values)?.over(self.area))
    }

    fn word(&self, text: &str, word: &Word) -> Result<WordMap, GroundingError> {
        let tokens: Vec<Activation> =
            word.tokens.iter().filter_map(|token| self.tam.activation(*token)).collect();
        let here = |values: &[f64]| values[self.patches.clone()].to_vec();
        let filtered =
            |token: &Activation| tam::rank_gaussian(&here(&token.normal), self.rows, self.columns);
        let map = self.map(&strongest(&tokens, filtered))?;
        let raw = self.map(&strongest(&tokens, |token| here(&token.denoised)))?;
        let (bytes, text) = (word.bytes.clone(), text[word.bytes.clone()].to_owned());
        Ok(WordMap { bytes, text, map, raw, seen: None })
    }
}

/// The greatest in each place of what `of` gives for each token.
fn strongest(tokens: &[Activation], of: impl Fn(&Activation) -> Vec<f64>) -> Vec<f64> {
    let greater = |a: Vec<f64>, b: Vec<f64>| a.iter().zip(b).map(|(a, b)| a.max(b)).collect();
    tokens.iter().map(of).reduce(greater).unwrap_or_default()
}

#[cfg(test)]
mod tests;
