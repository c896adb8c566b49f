//! Phrase maps by `SigLIP`'s pooling head.
//!
//! The head's probe attends to the patches: of each head o = `Σ_i a_i·v_i`, with attention a and the
//! patches' values v; then z = out(o), and y = z + MLP(LN(z)) is the picture's embedding
//! (`SiglipMultiheadAttentionPoolingHead` of `transformers`' `modeling_siglip.py`).
//!
//! **MAP-Grad**: `h_i = Σ g·a_i·v_i` over heads and their width, where g = ∂cos(y, t)/∂o for the
//! text t: the gradient at a patch's values times the values. The same is `a_i·∂cos/∂a_i` summed
//! over the heads, as in Chefer, Gur & Wolf 2021, "Generic Attention-Model Explainability",
//! equation 5, without its cut at zero; so that the map sums to g·o and patches may speak against
//! the text.
//!
//! **MAP-MaskCLIP**: the cosine of the text with each patch pooled alone, as if the probe saw
//! nothing else: Zhou et al. 2022, "Extract Free Dense Labels from CLIP" (`MaskCLIP`), carried over
//! to this head.

use candle_core::{D, Tensor};

use super::embedding::{Embedding, Features};
use crate::config::Activation;
use crate::error::TowerError;
use crate::head::PoolingHead;
use crate::layers::LayerNorm;

/// h of each patch; `states`: `[patches, width]` after `post_layernorm`.
pub(super) fn map_grad(
    head: &PoolingHead,
    states: &Tensor,
    text: &Embedding,
) -> Result<Vec<f32>, TowerError> {
    let (weights, values) = (head.weights(states)?, head.values(states)?);
    let mixed = weights.matmul(&values)?;
    let (heads, _, head_width) = mixed.dims3()?;
    let mixed = mixed.reshape((1, heads * head_width))?;
    let gradient = gradient(head, &mixed, text)?.reshape((heads, 1, head_width))?;
    let products = values.broadcast_mul(&gradient)?.sum(D::Minus1)?;
    Ok((products * weights.squeeze(1)?)?.sum(0)?.to_vec1()?)
}

/// The cosine of `text` with each patch pooled alone; `states` as above.
pub(super) fn map_mask_clip(
    head: &PoolingHead,
    states: &Tensor,
    text: &Embedding,
) -> Result<Vec<f32>, TowerError> {
    let alone = head.out_proj.forward(&head.v_proj.forward(states)?)?;
    let pooled = (&alone + head.mlp.forward(&head.layernorm.forward(&alone)?)?)?;
    Features::of(&pooled, 0)?.cosines(text)
}

/// ∂cos(y, text)/∂o, `[1, width]`, at `mixed`, which is o with the heads side by side.
///
/// In closed form: what runs fast in candle has no backward pass.
fn gradient(head: &PoolingHead, mixed: &Tensor, text: &Embedding) -> Result<Tensor, TowerError> {
    let mlp = &head.mlp;
    let z = head.out_proj.forward(mixed)?;
    let inner = mlp.fc1.forward(&head.layernorm.forward(&z)?)?;
    let y = (&z + mlp.forward(&head.layernorm.forward(&z)?)?)?;
    // ∂(ŷ·t)/∂y = (t − (ŷ·t)·ŷ) / |y| with ŷ = y/|y|.
    let norm = y.sqr()?.sum_keepdim(1)?.sqrt()?;
    let direction = y.broadcast_div(&norm)?;
    let text = text.column()?.t()?;
    let cosine = (&direction * &text)?.sum_keepdim(1)?;
    let at_y = (text - direction.broadcast_mul(&cosine)?)?.broadcast_div(&norm)?;
    // Back through fc2, the activation and fc1, whose weights are [out, in].
    let at_inner = (at_y.matmul(&mlp.fc2.weight)? * derivative(mlp.activation, &inner)?)?;
    let at_norm = at_inner.matmul(&mlp.fc1.weight)?;
    let at_z = (at_y + through_norm(&head.layernorm, &z, &at_norm)?)?;
    Ok(at_z.matmul(&head.out_proj.weight)?)
}

/// The gradient at a layer norm's input `x` from the one at its output, both `[1, width]`:
/// (g − mean(g) − x̂·mean(g·x̂)) / σ with g = weight · gradient and x̂ = (x − mean(x)) / σ.
fn through_norm(norm: &LayerNorm, x: &Tensor, gradient: &Tensor) -> Result<Tensor, TowerError> {
    let centred = x.broadcast_sub(&x.mean_keepdim(1)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(1)? + norm.0.eps())?.sqrt()?;
    let x = centred.broadcast_div(&deviation)?;
    let g = gradient.broadcast_mul(norm.0.weight())?;
    let along = (&g * &x)?.mean_keepdim(1)?;
    let rest = g.broadcast_sub(&g.mean_keepdim(1)?)?;
    Ok((rest - x.broadcast_mul(&along)?)?.broadcast_div(&deviation)?)
}

/// The derivative of the activation at `x`, element by element.
fn derivative(activation: Activation, x: &Tensor) -> Result<Tensor, TowerError> {
    const ROOT: f64 = 0.797_884_560_802_865_4; // √(2/π)
    Ok(match activation {
        // Φ(x) + x·φ(x)
        Activation::Gelu => {
            let below = (((x / std::f64::consts::SQRT_2)?.erf()? + 1.0)? * 0.5)?;
            let density = ((x.sqr()? * -0.5)?.exp()? * (ROOT / 2.0))?;
            (below + (x * density)?)?
        }
        // (1 + t)/2 + x/2·(1 − t²)·√(2/π)·(1 + 3·0.044715·x²) with t the hyperbolic tangent
        Activation::GeluTanh => {
            let square = x.sqr()?;
            let t = ((x * ((&square * 0.044_715)? + 1.0)?)? * ROOT)?.tanh()?;
            let slope = (((square * (3.0 * 0.044_715))? + 1.0)? * (0.5 * ROOT))?;
            let bend = (x * (slope * (1.0 - t.sqr()?)?)?)?;
            (((t + 1.0)? * 0.5)? + bend)?
        }
        // s·(1 + 1.702·x·(1 − s)) with s = σ(1.702 x)
        Activation::QuickGelu => {
            let scaled = (x * 1.702)?;
            let s = candle_nn::ops::sigmoid(&scaled)?;
            let bend = (scaled * (1.0 - &s)?)?;
            (s * (bend + 1.0)?)?
        }
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::Device;

    use super::*;
    use crate::layers::LayerSizes;
    use crate::weights::Weights;

    const WIDTH: usize = 24;

    fn head(activation: Activation) -> PoolingHead {
        let golden =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/golden/dual/siglip");
        let weights = Weights::open(&golden).unwrap();
        let sizes = LayerSizes { width: WIDTH, inner: 40, heads: 3, activation, eps: 1e-6 };
        PoolingHead::read(&weights, "vision_model.head", sizes).unwrap()
    }

    /// Numbers between -1 and 1 without a pattern.
    fn waves(count: usize) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * 1.7).sin() * (i as f32 * 0.31).cos()).collect()
    }

    fn cosine(head: &PoolingHead, mixed: &[f32], text: &Embedding) -> f32 {
        let mixed = Tensor::from_slice(mixed, (1, WIDTH), &Device::Cpu).unwrap();
        let z = head.out_proj.forward(&mixed).unwrap();
        let mlp = head.mlp.forward(&head.layernorm.forward(&z).unwrap()).unwrap();
        Embedding::of(&(z + mlp).unwrap()).unwrap().cosine(text)
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        for activation in [Activation::Gelu, Activation::GeluTanh, Activation::QuickGelu] {
            let head = head(activation);
            let text = Embedding::along(waves(WIDTH).into_iter().rev().collect()).unwrap();
            let mixed = waves(WIDTH);
            let at = Tensor::from_slice(&mixed, (1, WIDTH), &Device::Cpu).unwrap();
            let found = gradient(&head, &at, &text).unwrap().flatten_all().unwrap();
            let found = found.to_vec1::<f32>().unwrap();
            let largest = found.iter().fold(0.0f32, |most, value| most.max(value.abs()));
            assert!(largest > 0.01, "there is something to compare: {largest}");
            for (index, found) in found.iter().enumerate() {
                let moved = |by: f32| {
                    let mut moved = mixed.clone();
                    moved[index] += by;
                    cosine(&head, &moved, &text)
                };
                // Fourth order, so that a step wide enough for f32 is still fine enough.
                let step = 0.02;
                let near = moved(step) - moved(-step);
                let far = moved(2.0 * step) - moved(-2.0 * step);
                let wanted = (8.0 * near - far) / (12.0 * step);
                assert!((found - wanted).abs() < 1e-4, "{activation:?}: {found} and {wanted}");
            }
        }
    }

    #[test]
    fn the_map_sums_to_the_gradient_along_what_was_pooled() {
        let head = head(Activation::GeluTanh);
        let text = Embedding::along(waves(WIDTH)).unwrap();
        let states = Tensor::from_vec(waves(16 * WIDTH), (16, WIDTH), &Device::Cpu).unwrap();
        let map = map_grad(&head, &states, &text).unwrap();
        let mixed = head.weights(&states).unwrap().matmul(&head.values(&states).unwrap()).unwrap();
        let mixed = mixed.reshape((1, WIDTH)).unwrap();
        let along = (gradient(&head, &mixed, &text).unwrap() * mixed).unwrap();
        let along = along.sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert!((map.iter().sum::<f32>() - along).abs() < 1e-6);
        assert!(along.abs() > 1e-3, "{along}");
    }
}
