//! CLIP Surgery: a path of its own through the last blocks, and what all texts share taken out.
//!
//! Li et al. 2023, "CLIP Surgery for Better Explainability with Enhancement in Open-Vocabulary
//! Tasks"; `xmed-lab/CLIP_Surgery`, `clip/clip_surgery_model.py` (the path) and `clip/clip.py`
//! (`clip_feature_surgery`).
//!
//! Beside the last [`DEPTH`] blocks a second state x̂ starts from the first one's input and takes up
//! x̂ ← x̂ + out(softmax(VVᵀ/√d)·V) of each, where V comes from the block's usual input, and no MLP. The class token is the usual one. Then `post_layernorm` and `visual_projection`.

use candle_core::Tensor;

use super::embedding::{Embedding, Features};
use crate::error::TowerError;
use crate::layers::{Linear, Qkv, SelfAttention};
use crate::tower::Tower;

/// Blocks that the path runs beside, or all of them in a tower with fewer.
pub const DEPTH: usize = 6;

/// Features of the class token and the patches; `layers` are the states before the last
/// [`DEPTH`] blocks and after them, each `[tokens, width]`.
pub(super) fn features(
    tower: &Tower,
    visual_projection: &Linear,
    layers: &[Tensor],
) -> Result<Features, TowerError> {
    let Some((last, before)) = layers.split_last().filter(|(_, before)| !before.is_empty()) else {
        return Err(TowerError::Compute("the tower has no layers".to_owned()));
    };
    let blocks = &tower.layers()[tower.layers().len() - before.len()..];
    let mut side = before[0].clone();
    for (block, state) in blocks.iter().zip(before) {
        let Qkv { v, .. } = block.self_attn.qkv(&block.layer_norm1.forward(state)?)?;
        let weights = SelfAttention::weights(&v, &v, None)?;
        side = (side + block.self_attn.mix(&weights, &v)?)?;
    }
    let class_tokens = tower.config().class_tokens();
    let patches = side.dim(0)? - class_tokens;
    let class = last.narrow(0, 0, class_tokens)?;
    let side = Tensor::cat(&[&class, &side.narrow(0, class_tokens, patches)?], 0)?;
    let out = visual_projection.forward(&tower.post_layernorm().forward(&side)?)?;
    Features::of(&out, class_tokens)
}

/// The map of one text: each patch's product with text − redundant, where `redundant` is the
/// embedding of no words at all. A difference of two cosines, from -2 to 2.
pub(super) fn without(
    features: &Features,
    text: &Embedding,
    redundant: &Embedding,
) -> Result<Vec<f32>, TowerError> {
    let difference = (text.column()? - redundant.column()?)?;
    Ok(features.products(&difference)?.split_off(features.class_tokens))
}

/// The maps of several texts: `w_t·cos_it` − `mean_t'(w_t'·cos_it')` for patch i and text t, where
/// w = softmax(2·cos(class token, t)) over the texts, divided by its mean. They sum to 0 at every
/// patch.
pub(super) fn among(features: &Features, texts: &[Embedding]) -> Result<Vec<Vec<f32>>, TowerError> {
    let columns = texts.iter().map(Embedding::column).collect::<Result<Vec<_>, _>>()?;
    let mut cosines =
        columns.iter().map(|column| features.products(column)).collect::<Result<Vec<_>, _>>()?;
    // softmax(x) / mean(softmax(x)) = count · softmax(x); nothing overflows, as |x| is at most 2.
    let exps: Vec<f32> = cosines.iter().map(|cosines| (2.0 * cosines[0]).exp()).collect();
    let sum: f32 = exps.iter().sum();
    let count = texts.len() as f32;
    for (cosines, exp) in cosines.iter_mut().zip(&exps) {
        *cosines = cosines.split_off(features.class_tokens);
        for cosine in cosines.iter_mut() {
            *cosine *= count * exp / sum;
        }
    }
    let patches = cosines.first().map_or(0, Vec::len);
    for patch in 0..patches {
        let mean = cosines.iter().map(|cosines| cosines[patch]).sum::<f32>() / count;
        for cosines in &mut cosines {
            cosines[patch] -= mean;
        }
    }
    Ok(cosines)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn features() -> Features {
        let states = [[1.0f32, 0.0], [0.0, 5.0], [3.0, 4.0]];
        Features::of(&Tensor::new(&states, &Device::Cpu).unwrap(), 1).unwrap()
    }

    fn texts() -> [Embedding; 2] {
        [[1.0, 0.0], [0.0, 1.0]].map(|values| Embedding::along(values.to_vec()).unwrap())
    }

    #[test]
    fn one_text_loses_what_no_words_have() {
        let [text, redundant] = texts();
        let map = without(&features(), &text, &redundant).unwrap();
        assert!((map[0] + 1.0).abs() < 1e-6 && (map[1] + 0.2).abs() < 1e-6, "{map:?}");
        assert_eq!(without(&features(), &text, &text).unwrap(), [0.0, 0.0]);
    }

    #[test]
    fn several_texts_share_the_patches_by_what_the_class_token_sees() {
        // The class token sees the first text alone: its weight is 2e²/(e² + 1), the other's the
        // rest of 2.
        let first = 2.0 * 2f32.exp() / (2f32.exp() + 1.0);
        let weights = [first, 2.0 - first];
        let maps = among(&features(), &texts()).unwrap();
        for (patch, cosines) in [[0.0, 1.0], [0.6, 0.8]].into_iter().enumerate() {
            let half = (weights[0] * cosines[0] - weights[1] * cosines[1]) / 2.0;
            assert!((maps[0][patch] - half).abs() < 1e-6);
            assert!((maps[1][patch] + half).abs() < 1e-6);
        }
        let alone = among(&features(), &texts()[..1]).unwrap();
        assert_eq!(alone, [[0.0, 0.0]], "one text shares everything with itself");
    }
}
