//! Token Activation Map: which patches speak for a token of the answer, beyond what they say for
//! the text before it.
//!
//! Li et al., "Token Activation Map to Visually Explain Multimodal LLMs" (ICCV 2025); formulas as
//! in `tam.py` of xmed-lab/TAM, in `f64`. It differs from `tam.py` in four points:
//! - The first token of the prompt and of the answer stand for themselves. `tam.py` takes for the
//!   one what the model would say next, and for the other the token before it, though its comment
//!   says that the answer's is meant.
//! - The scale of the interference is the least-squares solution itself, not searched for.
//! - Where nothing but repeats of the token comes before it, nothing is subtracted.
//! - The filter gives the mean of a window whose values are all equal, not 0 / 0.

use std::collections::HashMap;

use super::error::GroundingError;
use super::logits::TokenLogits;

/// Keeps the weights finite where all are 0 (`tam.py`).
const EPSILON: f64 = 1e-8;

/// What the patches say for one token of the answer. All maps have one value a patch of all
/// pictures, in the order of the sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Activation {
    /// Logits of the token, negative ones as 0.
    pub raw: Vec<f64>,
    /// What is left of them when the interference is subtracted, negative
    /// values as 0; in logits.
    pub denoised: Vec<f64>,
    /// `denoised` on one scale from 0 to 1 with `text`.
    pub normal: Vec<f64>,
    /// The token's logits at the text before it, repeats included, negative ones as 0.
    pub text: Vec<f64>,
}

/// Token Activation Maps of one answer.
pub struct Tam<'a> {
    logits: &'a TokenLogits,
    text: Vec<TextToken>,
    /// Raw logits at the patches, by column.
    patches: HashMap<usize, Vec<f64>>,
}

/// A token of prompt or answer.
struct TextToken {
    column: usize,
    /// Where it is read: a token of the prompt at its own position, one of the answer where it was
    /// predicted, one before.
    position: usize,
}

impl<'a> Tam<'a> {
    /// Maps of the answer in `logits`.
    ///
    /// # Errors
    /// Logits that do not fit together.
    pub fn new(logits: &'a TokenLogits) -> Result<Self, GroundingError> {
        logits.check()?;
        let prompt = logits.prompt.iter().map(|at| (*at, *at));
        let answer = logits.answer.clone().map(|at| (at, at - 1));
        let text = prompt
            .chain(answer)
            .map(|(at, position)| {
                let id = logits.tokens[at];
                let column = logits.column(id).ok_or(GroundingError::NoColumn(id))?;
                Ok(TextToken { column, position })
            })
            .collect::<Result<Vec<_>, GroundingError>>()?;
        let patches: HashMap<usize, Vec<f64>> = (0..logits.columns.len())
            .map(|column| (column, logits.at(column, logits.patches())))
            .collect();
        Ok(Self { logits, text, patches })
    }

    /// The maps of one token of the answer, counted from 0; `None` beyond its end.
    pub fn activation(&self, token: usize) -> Option<Activation> {
        let which = self.logits.prompt.len().checked_add(token)?;
        let target = self.text.get(which)?;
        let logits = self.patches.get(&target.column)?;
        let earlier = &self.text[..which];
        let raw = relu(logits);
        let text = relu(&self.logits.at(target.column, earlier.iter().map(|t| t.position)));
        let denoised = subtract(&raw, &self.interference(target, earlier, &text));
        let normal = normalise(&denoised, &text);
        Some(Activation { raw, denoised, normal, text })
    }

    /// What the patches say for the text before: the mean of its tokens' maps, weighted by how much
    /// each of these speaks for the target. The target's own repeats are left out.
    fn interference(&self, target: &TextToken, earlier: &[TextToken], text: &[f64]) -> Vec<f64> {
        let others = || earlier.iter().zip(text).filter(|(other, _)| other.column != target.column);
        let total: f64 = others().map(|(_, weight)| weight).sum();
        let mut sum = vec![0.0; self.logits.patches().count()];
        for (other, weight) in others() {
            if let Some(map) = self.patches.get(&other.column) {
                add(&mut sum, &relu(map), weight / (total + EPSILON));
            }
        }
        sum
    }
}

fn relu(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value.max(0.0)).collect()
}

fn add(sum: &mut [f64], map: &[f64], weight: f64) {
    for (sum, value) in sum.iter_mut().zip(map) {
        *sum += value * weight;
    }
}

/// `map` less as much of `interference` as explains it best (least squares), negative values as
/// 0.
fn subtract(map: &[f64], interference: &[f64]) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let norm = dot(interference, interference);
    let scale = if norm > 0.0 { dot(map, interference) / norm } else { 0.0 };
    map.iter().zip(interference).map(|(value, other)| (value - scale * other).max(0.0)).collect()
}

/// `map` from 0 to 1 on the scale from the least to the greatest of map and text together.
fn normalise(map: &[f64], text: &[f64]) -> Vec<f64> {
    let all = || map.iter().chain(text).copied();
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    let span = if high > low { high - low } else { 1.0 };
    map.iter().map(|value| (value - low) / span).collect()
}

/// The 3 × 3 rank-Gaussian filter: each window is sorted and weighted by a Gaussian over its ranks,
/// whose deviation is the window's coefficient of variation. So noise gives way to the median, and
/// a window with a strong edge is averaged more widely. Edges are mirrored without being repeated.
///
/// Values must not be negative; `values` has `rows` × `cols` of them.
pub fn rank_gaussian(values: &[f64], rows: usize, cols: usize) -> Vec<f64> {
    (0..values.len()).map(|cell| window(values, rows, cols, cell / cols, cell % cols)).collect()
}

fn window(values: &[f64], rows: usize, cols: usize, row: usize, col: usize) -> f64 {
    let mut sorted = [0.0; 9];
    for (at, value) in sorted.iter_mut().enumerate() {
        let (row, col) = (mirror(row + at / 3, rows), mirror(col + at % 3, cols));
        *value = values[row * cols + col];
    }
    sorted.sort_by(f64::total_cmp);
    let mean = sorted.iter().sum::<f64>() / 9.0;
    if mean <= 0.0 || sorted[0] >= sorted[8] {
        return mean.max(0.0);
    }
    let variance = sorted.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 9.0;
    let spread = 2.0 * variance / (mean * mean);
    let (mut sum, mut total) = (0.0, 0.0);
    for (rank, value) in sorted.iter().enumerate() {
        let weight = (-(rank as f64 - 4.0).powi(2) / spread).exp();
        sum += value * weight;
        total += weight;
    }
    sum / total
}

/// The cell that stands at `at − 1`, which may lie one beyond either end of `0..cells`.
fn mirror(at: usize, cells: usize) -> usize {
    let last = cells - 1;
    match at {
        0 => last.min(1),
        at if at > cells => last.saturating_sub(1),
        at => at - 1,
    }
}

#[cfg(test)]
mod tests;
