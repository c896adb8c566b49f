//! `SigLIP`'s pooling head: a learned probe attends to the patches, and an MLP follows.
//!
//! `SiglipMultiheadAttentionPoolingHead` of `transformers`' `modeling_siglip.py`.

use candle_core::Tensor;

use super::error::TowerError;
use super::layers::{LayerNorm, LayerSizes, Linear, Mlp, SelfAttention};
use super::weights::Weights;

/// The head's parameters; the names are the checkpoint's.
#[derive(Debug, Clone)]
pub struct PoolingHead {
    /// The probe's query, `[heads, 1, head width]`, not yet scaled.
    pub query: Tensor,
    /// The keys' map, a third of `in_proj`.
    pub k_proj: Linear,
    /// The values' map, a third of `in_proj`.
    pub v_proj: Linear,
    /// The map from the heads' outputs, side by side.
    pub out_proj: Linear,
    /// Before the MLP.
    pub layernorm: LayerNorm,
    /// The MLP.
    pub mlp: Mlp,
    heads: usize,
}

impl PoolingHead {
    /// Reads `{name}.{probe,attention,layernorm,mlp}`.
    pub fn read(weights: &Weights, name: &str, sizes: LayerSizes) -> Result<Self, TowerError> {
        let LayerSizes { width, inner, heads, activation, eps } = sizes;
        let part = |part: &str| format!("{name}.{part}");
        let weight = weights.get(&part("attention.in_proj_weight"), &[3 * width, width])?;
        let bias = weights.get(&part("attention.in_proj_bias"), &[3 * width])?;
        let third = |index: usize| -> Result<Linear, TowerError> {
            Ok(Linear {
                weight: weight.narrow(0, index * width, width)?,
                bias: Some(bias.narrow(0, index * width, width)?),
            })
        };
        let probe = weights.get(&part("probe"), &[1, 1, width])?.reshape((1, width))?;
        let query = third(0)?.forward(&probe)?;
        Ok(Self {
            query: split(&query, heads)?,
            k_proj: third(1)?,
            v_proj: third(2)?,
            out_proj: Linear::read(weights, &part("attention.out_proj"), (width, width), true)?,
            layernorm: LayerNorm::read(weights, &part("layernorm"), width, eps)?,
            mlp: Mlp::read(weights, &part("mlp"), (width, inner), activation)?,
            heads,
        })
    }

    /// The probe's attention, `[heads, 1, tokens]`, to `states`: `[tokens, width]` after
    /// `post_layernorm`.
    pub fn weights(&self, states: &Tensor) -> Result<Tensor, TowerError> {
        let keys = split(&self.k_proj.forward(states)?, self.heads)?;
        SelfAttention::weights(&self.query, &keys, None)
    }

    /// The same averaged over the heads: one share a token.
    pub fn attention(&self, states: &Tensor) -> Result<Vec<f64>, TowerError> {
        let mean = self.weights(states)?.mean(0)?.squeeze(0)?.to_vec1::<f32>()?;
        Ok(mean.into_iter().map(f64::from).collect())
    }

    /// The values, `[heads, tokens, head width]`.
    pub fn values(&self, states: &Tensor) -> Result<Tensor, TowerError> {
        split(&self.v_proj.forward(states)?, self.heads)
    }

    /// The picture's embedding, `[1, width]`.
    pub fn forward(&self, states: &Tensor) -> Result<Tensor, TowerError> {
        let mixed = self.weights(states)?.matmul(&self.values(states)?)?;
        let pooled = self.out_proj.forward(&mixed.transpose(0, 1)?.flatten_from(1)?)?;
        Ok((&pooled + self.mlp.forward(&self.layernorm.forward(&pooled)?)?)?)
    }
}

/// `[tokens, width]` as `[heads, tokens, head width]`.
fn split(x: &Tensor, heads: usize) -> Result<Tensor, TowerError> {
    let (tokens, width) = x.dims2()?;
    Ok(x.reshape((tokens, heads, width / heads))?.transpose(0, 1)?)
}
