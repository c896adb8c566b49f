//! The one entry: from an answer that was read back to its words and phrases in the picture.

use std::ops::Range;

use values::heatmap::Heatmap;
use values::region::Region;

use super::error::GroundingError;
use super::logits::TokenLogits;
use super::phrases::{self, Chunk};
use super::regions::{self, Evidence};
use super::tam::{self, Activation, Tam};
use super::words::{self, Word};
use super::{Phrase, WordMap};

/// The weight of a phrase's modifier where its head has 1: "red" is wherever something is red.
const MODIFIER: f32 = 0.5;

/// The words and the noun phrases of an answer with their maps.
///
/// `tokens` are the answer's, each with the bytes of `text` that it completes. The maps are of the
/// last picture before the answer, laid over `area` of the frame: the part that the encoder was
/// shown.
///
/// # Errors
/// Logits or tokens that do not fit together or to the text, or a picture whose tokens are no
/// square.
pub fn ground(
    text: &str,
    tokens: &[(u32, Range<usize>)],
    logits: &TokenLogits,
    area: Region,
) -> Result<(Vec<WordMap>, Vec<Phrase>), GroundingError> {
    let words = word_maps(text, tokens, logits, area)?;
    let phrases = phrases::chunks(text)
        .into_iter()
        .filter_map(|chunk| phrase(text, &chunk, &words).transpose())
        .collect::<Result<_, _>>()?;
    Ok((words, phrases))
}

/// The words of an answer with their maps, as [`ground`] has them.
///
/// A word of several tokens has in each cell the strongest of these: `tam.py` keeps them apart, and
/// where its evaluation needs one of them it takes the best.
///
/// # Errors
/// As [`ground`].
pub fn word_maps(
    text: &str,
    tokens: &[(u32, Range<usize>)],
    logits: &TokenLogits,
    area: Region,
) -> Result<Vec<WordMap>, GroundingError> {
    let reader = Reader::new(logits, area)?;
    let said = &logits.tokens[logits.answer.clone()];
    if !tokens.iter().map(|(id, _)| id).eq(said) {
        return Err(GroundingError::OtherAnswer);
    }
    let bytes: Vec<Range<usize>> = tokens.iter().map(|(_, bytes)| bytes.clone()).collect();
    words::words(text, &bytes)?.iter().map(|word| reader.word(text, word)).collect()
}

/// Makes maps of the last picture.
struct Reader<'a> {
    logits: &'a TokenLogits,
    tam: Tam<'a>,
    /// The last picture's patches among all pictures'.
    patches: Range<usize>,
    side: usize,
    area: Region,
}

impl<'a> Reader<'a> {
    fn new(logits: &'a TokenLogits, area: Region) -> Result<Self, GroundingError> {
        let tam = Tam::new(logits)?;
        let last = logits.image.last().ok_or(GroundingError::NoPicture)?.len();
        let all: usize = logits.image.iter().map(Range::len).sum();
        let side = last.isqrt();
        if side * side != last {
            return Err(GroundingError::NotSquare(last));
        }
        Ok(Self { logits, tam, patches: all - last..all, side, area })
    }

    fn map(&self, values: &[f64]) -> Result<Heatmap, GroundingError> {
        let values = values.iter().map(|value| *value as f32).collect();
        Ok(Heatmap::new(self.side, self.side, values)?.over(self.area))
    }

    fn word(&self, text: &str, word: &Word) -> Result<WordMap, GroundingError> {
        let tokens: Vec<Activation> =
            word.tokens.iter().filter_map(|token| self.tam.activation(*token)).collect();
        let here = |values: &[f64]| values[self.patches.clone()].to_vec();
        let filtered =
            |token: &Activation| tam::rank_gaussian(&here(&token.normal), self.side, self.side);
        let map = self.map(&strongest(&tokens, filtered))?;
        let raw = self.map(&strongest(&tokens, |token| here(&token.denoised)))?;
        let margin = self.map(&strongest(&tokens, |token| here(&token.margin)))?;
        let most =
            |values: &mut dyn Iterator<Item = f64>| values.fold(f64::NEG_INFINITY, f64::max) as f32;
        let (patches, lead) = (raw.stats(), margin.stats());
        let evidence = Evidence {
            peak: patches.max,
            mean: patches.mean,
            deviation: patches.deviation,
            raw: most(&mut strongest(&tokens, |token| here(&token.raw)).into_iter()),
            text: most(&mut tokens.iter().flat_map(|token| &token.text).copied()).max(0.0),
            own: most(&mut tokens.iter().map(|token| token.own)),
            margin: lead.max,
            margin_mean: lead.mean,
            logprob: word.tokens.iter().filter_map(|token| self.logits.logprobs.get(*token)).sum(),
        };
        let (bytes, text) = (word.bytes.clone(), text[word.bytes.clone()].to_owned());
        Ok(WordMap { bytes, text, map, raw, margin, evidence, seen: None })
    }
}

/// The greatest in each place of what `of` gives for each token.
fn strongest(tokens: &[Activation], of: impl Fn(&Activation) -> Vec<f64>) -> Vec<f64> {
    let greater = |a: Vec<f64>, b: Vec<f64>| a.iter().zip(b).map(|(a, b)| a.max(b)).collect();
    tokens.iter().map(of).reduce(greater).unwrap_or_default()
}

/// A phrase with its words' maps taken together: the mean, in which each modifier counts half.
///
/// What is said of one word (`text`, `own`, `logprob`) is said of the head. `None` where the head
/// has no tokens.
fn phrase(text: &str, chunk: &Chunk, words: &[WordMap]) -> Result<Option<Phrase>, GroundingError> {
    let find = |bytes: &Range<usize>| words.iter().find(|word| word.bytes == *bytes);
    let Some(head) = find(&chunk.head) else { return Ok(None) };
    let parts: Vec<(&WordMap, f32)> = std::iter::once((head, 1.0))
        .chain(chunk.modifiers.iter().filter_map(find).map(|word| (word, MODIFIER)))
        .collect();
    let together = |of: fn(&WordMap) -> &Heatmap| {
        Heatmap::mean(&parts.iter().map(|(word, weight)| (of(word), *weight)).collect::<Vec<_>>())
    };
    let map = together(|word| &word.map)?;
    let (patches, lead) =
        (together(|word| &word.raw)?.stats(), together(|word| &word.margin)?.stats());
    let evidence = Evidence {
        peak: patches.max,
        mean: patches.mean,
        deviation: patches.deviation,
        margin: lead.max,
        margin_mean: lead.mean,
        ..head.evidence
    };
    let strength = evidence.strength();
    let strong = strength >= regions::MIN_STRENGTH;
    let place = strong.then(|| regions::locate(&map, strength)).flatten();
    let (bytes, text) = (chunk.bytes.clone(), text[chunk.bytes.clone()].to_owned());
    Ok(Some(Phrase { bytes, text, map, place, evidence }))
}

#[cfg(test)]
mod tests;
