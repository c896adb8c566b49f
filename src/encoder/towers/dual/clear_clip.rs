//! `ClearCLIP`: patches that mean what their own place shows.
//!
//! Lan et al. 2024, "`ClearCLIP`: Decomposing CLIP Representations for Dense Vision-Language
//! Inference"; `mc-lan/ClearCLIP`, `open_clip/transformer.py` (`VisionTransformer.forward` with
//! `ignore_residual`, `custom_attn`). Of the last block only the attention's output is kept,
//! out(softmax(QQᵀ/√d)·V), with neither the residual nor the MLP; then `post_layernorm` and
//! `visual_projection`. A patch's value is its cosine with the text.

use candle_core::Tensor;

use super::embedding::Features;
use crate::error::TowerError;
use crate::layers::{Linear, Qkv, SelfAttention};
use crate::tower::Tower;

/// Features of the class token and the patches; `layers` end with the states before and after the
/// last block, each `[tokens, width]`.
pub(super) fn features(
    tower: &Tower,
    visual_projection: &Linear,
    layers: &[Tensor],
) -> Result<Features, TowerError> {
    let (Some(layer), [.., before, _]) = (tower.layers().last(), layers) else {
        return Err(TowerError::Compute("the tower has no layers".to_owned()));
    };
    let Qkv { q, v, .. } = layer.self_attn.qkv(&layer.layer_norm1.forward(before)?)?;
    let weights = SelfAttention::weights(&q, &q, None)?;
    let out = tower.post_layernorm().forward(&layer.self_attn.mix(&weights, &v)?)?;
    Features::of(&visual_projection.forward(&out)?, tower.config().class_tokens())
}
