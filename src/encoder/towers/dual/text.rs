//! The text towers of CLIP and `SigLIP`.
//!
//! `CLIPTextModel` of `transformers`' `modeling_clip.py`: each token attends to those before it,
//! and the end mark's state, through `text_projection`, is the text's embedding. `SiglipTextModel`
//! of `modeling_siglip.py`: all tokens attend to all, padding among them, and the last one's
//! state goes through `head`.

use std::path::Path;

use candle_core::{Device, Tensor};
use serde_json::{Map, Value};

use super::tokenizer::PhraseTokenizer;
use crate::config::{Activation, Family, Fields};
use crate::error::TowerError;
use crate::layers::{Layer, LayerNorm, LayerSizes, Linear};
use crate::weights::Weights;

/// The end mark's number in configurations of before it was the tokenizer's: the end is then the
/// largest token (`CLIPTextModel.forward`).
const OLD_END: usize = 2;

/// A text tower; field names are the checkpoint's keys.
#[derive(Debug)]
pub struct TextTower {
    tokenizer: PhraseTokenizer,
    /// `[vocabulary, width]`.
    token_embedding: Tensor,
    /// `[context, width]`.
    position_embedding: Tensor,
    layers: Vec<Layer>,
    final_layer_norm: LayerNorm,
    /// `text_projection` or `head`.
    projection: Linear,
    pooling: Pooling,
}

/// Which token's state stands for the text.
#[derive(Debug, Clone, Copy)]
enum Pooling {
    /// CLIP: the first of this token; the first of all where it does not occur.
    First(u32),
    /// CLIP: the first of the largest token.
    Largest,
    /// `SigLIP`: the last one.
    Last,
}

impl TextTower {
    /// Reads `text_model` and the tokenizer; `config` is the whole of `config.json`.
    ///
    /// # Errors
    /// What is missing, damaged or not known.
    pub fn read(
        folder: &Path,
        config: &Map<String, Value>,
        family: Family,
        weights: &Weights,
    ) -> Result<Self, TowerError> {
        let empty = Map::new();
        // Where an older folder has `text_config_dict`, it is what counts (`CLIPConfig`).
        let part = |name| config.get(name).and_then(Value::as_object);
        let text = part("text_config_dict").or_else(|| part("text_config")).unwrap_or(&empty);
        let file = folder.join("config.json");
        let fields = Fields { file: &file, folder };
        // Defaults of `configuration_clip.py` and `configuration_siglip.py`.
        let (width, inner, heads, vocab, context, act, eps) = match family {
            Family::Clip => (512, 2048, 8, 49408, 77, "quick_gelu", 1e-5),
            _ => (768, 3072, 12, 32000, 64, "gelu_pytorch_tanh", 1e-6),
        };
        let act = text.get("hidden_act").and_then(Value::as_str).unwrap_or(act);
        let activation = Activation::by_name(act).ok_or_else(|| {
            TowerError::unsupported(folder, format!("its activation {act:?} is not known"))
        })?;
        let width = fields.size(text, "hidden_size", width)?;
        let sizes = LayerSizes {
            width,
            inner: fields.size(text, "intermediate_size", inner)?,
            heads: fields.size(text, "num_attention_heads", heads)?,
            activation,
            eps: text.get("layer_norm_eps").and_then(Value::as_f64).unwrap_or(eps),
        };
        if !width.is_multiple_of(sizes.heads) {
            let reason = "num_attention_heads does not divide hidden_size of its text_config";
            return Err(TowerError::damaged(&file, reason));
        }
        let vocab = fields.size(text, "vocab_size", vocab)?;
        let context = fields.size(text, "max_position_embeddings", context)?;
        let layers = fields.size(text, "num_hidden_layers", 12)?;
        let (projection, out, pooling) = if family == Family::Clip {
            let pooling = match fields.size(text, "eos_token_id", 49407)? {
                OLD_END => Pooling::Largest,
                end => Pooling::First(end as u32),
            };
            ("text_projection", fields.size(config, "projection_dim", 512)?, pooling)
        } else {
            let out = fields.size(text, "projection_size", width)?;
            ("text_model.head", out, Pooling::Last)
        };
        let tokenizer = PhraseTokenizer::read(folder, family, context, vocab)?;
        let embeddings = |name: &str, count| {
            weights.get(&format!("text_model.embeddings.{name}.weight"), &[count, width])
        };
        let layer =
            |index| Layer::read(weights, &format!("text_model.encoder.layers.{index}"), sizes);
        let norm = "text_model.final_layer_norm";
        Ok(Self {
            tokenizer,
            token_embedding: embeddings("token_embedding", vocab)?,
            position_embedding: embeddings("position_embedding", context)?,
            layers: (0..layers).map(layer).collect::<Result<_, _>>()?,
            final_layer_norm: LayerNorm::read(weights, norm, width, sizes.eps)?,
            projection: Linear::read(weights, projection, (width, out), family != Family::Clip)?,
            pooling,
        })
    }

    /// The embedding of `text`, `[1, width]`, not normalised.
    pub fn forward(&self, text: &str) -> Result<Tensor, TowerError> {
        let tokens = self.tokenizer.tokens(text)?;
        let count = tokens.len();
        let place = self.place(&tokens);
        let tokens = Tensor::from_vec(tokens, count, &Device::Cpu)?;
        let positions = self.position_embedding.narrow(0, 0, count)?;
        let mut state = (self.token_embedding.index_select(&tokens, 0)? + positions)?;
        let mask = match self.pooling {
            Pooling::Last => None,
            Pooling::First(_) | Pooling::Largest => Some(causal(count)?),
        };
        for layer in &self.layers {
            state = layer.forward(&state, mask.as_ref())?.0;
        }
        let pooled = self.final_layer_norm.forward(&state.narrow(0, place, 1)?)?;
        self.projection.forward(&pooled)
    }

    /// Where the token stands whose state is the text's.
    fn place(&self, tokens: &[u32]) -> usize {
        let wanted = match self.pooling {
            Pooling::Last => return tokens.len() - 1,
            Pooling::First(end) => Some(end),
            Pooling::Largest => tokens.iter().max().copied(),
        };
        tokens.iter().position(|token| Some(*token) == wanted).unwrap_or(0)
    }
}

/// `[tokens, tokens]`: 0 where a query may attend, −∞ at the keys after it.
fn causal(tokens: usize) -> Result<Tensor, TowerError> {
    let value = |at: usize| if at % tokens > at / tokens { f32::NEG_INFINITY } else { 0.0 };
    let values: Vec<f32> = (0..tokens * tokens).map(value).collect();
    Ok(Tensor::from_vec(values, (tokens, tokens), &Device::Cpu)?)
}
