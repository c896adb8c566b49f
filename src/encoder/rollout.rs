//! Attention rollout, and what each patch receives.
//!
//! Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers", section 3; reference code
//! `attention_graph_util.py` (`compute_joint_attention`) of `samiraabnar/attention_flow`: each layer's
//! attention is averaged over its heads, the identity is added for the residual connection, rows
//! are normalised, and the layers are multiplied, later ones on the left. Only one row of the
//! product is wanted, so it is carried as a vector from the last layer to the first.

use candle_core::Tensor;

use super::error::EncoderError;

/// What is kept of one layer's attention.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerAttention {
    /// Mean over the heads, `[queries, keys]`, row by row.
    pub mean: Vec<f32>,
    /// For each head, the attention each key receives, averaged over the queries.
    pub received: Vec<Vec<f32>>,
}

impl LayerAttention {
    /// Summarises `weights`, `[heads, queries, keys]`.
    pub fn of(weights: &Tensor) -> Result<Self, EncoderError> {
        let (heads, queries, keys) = weights.dims3()?;
        let values = weights.flatten_all()?.to_vec1::<f32>()?;
        let mut mean = vec![0.0; queries * keys];
        let mut received = vec![vec![0.0; keys]; heads];
        for (head, received) in values.chunks_exact(queries * keys).zip(&mut received) {
            for (sum, value) in mean.iter_mut().zip(head) {
                *sum += value;
            }
            for row in head.chunks_exact(keys) {
                for (sum, value) in received.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            for sum in received {
                *sum /= queries as f32;
            }
        }
        for sum in &mut mean {
            *sum /= heads as f32;
        }
        Ok(Self { mean, received })
    }
}

/// `start · Â_L · … · Â_1` with `Â = rownorm(A + I)`.
///
/// `start` has one weight a token, and `layers` hold each layer's head-averaged attention,
/// tokens × tokens row by row, first layer first. Where `start` and every row sum to 1, so does
/// the result. Summed in f64.
pub fn rollout<'a>(start: &[f64], layers: impl DoubleEndedIterator<Item = &'a [f32]>) -> Vec<f64> {
    let tokens = start.len();
    layers.rev().fold(start.to_vec(), |flow, layer| {
        let mut earlier = vec![0.0; tokens];
        for (query, (weight, row)) in flow.iter().zip(layer.chunks_exact(tokens)).enumerate() {
            let sum: f64 = 1.0 + row.iter().map(|value| f64::from(*value)).sum::<f64>();
            let share = weight / sum;
            for (flow, value) in earlier.iter_mut().zip(row) {
                *flow += share * f64::from(*value);
            }
            earlier[query] += share;
        }
        earlier
    })
}
