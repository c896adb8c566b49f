//! A small Llama in f32, written to be read: what the language model of an Idefics3 checkpoint
//! says to embeddings, greedily.
//!
//! After `modeling_llama.py` of Hugging Face transformers.

use std::path::Path;

use candle_core::{D, Device, IndexOp, Result, Tensor};
use candle_nn::ops::{rms_norm, silu, softmax_last_dim};
use lorgnette_encoder_towers::weights::Weights;
use serde::Deserialize;

#[derive(Deserialize)]
struct Config {
    text_config: TextConfig,
}

#[derive(Deserialize)]
struct TextConfig {
    hidden_size: usize,
    intermediate_size: usize,
    vocab_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: usize,
    rms_norm_eps: f32,
    rope_theta: f64,
}

struct Layer {
    input_layernorm: Tensor,
    q_proj: Tensor,
    k_proj: Tensor,
    v_proj: Tensor,
    o_proj: Tensor,
    post_attention_layernorm: Tensor,
    gate_proj: Tensor,
    up_proj: Tensor,
    down_proj: Tensor,
}

/// The language model, its word embeddings tied to its output.
pub struct Llama {
    config: TextConfig,
    embed_tokens: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
}

/// Keys and values so far, `[key-value heads, tokens, head width]`, by layer.
type Cache = Vec<Option<(Tensor, Tensor)>>;

impl Llama {
    pub fn open(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join("config.json")).unwrap();
        let config = serde_json::from_str::<Config>(&text).unwrap().text_config;
        let weights = Weights::open(folder).unwrap();
        let get = |name: &str, shape: &[usize]| {
            weights.get(&format!("model.text_model.{name}"), shape).unwrap()
        };
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let shared = width / config.num_attention_heads * config.num_key_value_heads;
        let layer = |index: usize| {
            let get =
                |name: &str, shape: &[usize]| get(&format!("layers.{index}.{name}.weight"), shape);
            Layer {
                input_layernorm: get("input_layernorm", &[width]),
                q_proj: get("self_attn.q_proj", &[width, width]),
                k_proj: get("self_attn.k_proj", &[shared, width]),
                v_proj: get("self_attn.v_proj", &[shared, width]),
                o_proj: get("self_attn.o_proj", &[width, width]),
                post_attention_layernorm: get("post_attention_layernorm", &[width]),
                gate_proj: get("mlp.gate_proj", &[inner, width]),
                up_proj: get("mlp.up_proj", &[inner, width]),
                down_proj: get("mlp.down_proj", &[width, inner]),
            }
        };
        Self {
            embed_tokens: get("embed_tokens.weight", &[config.vocab_size, width]),
            layers: (0..config.num_hidden_layers).map(layer).collect(),
            norm: get("norm.weight", &[width]),
            config,
        }
    }

    /// Embeddings of `tokens`, `[tokens, width]`, with the rows of `features` in the places of
    /// `image` tokens, in order.
    pub fn embed(&self, tokens: &[u32], image: u32, features: &Tensor) -> Result<Tensor> {
        let mut next = 0;
        let rows = tokens.iter().map(|&token| {
            if token != image {
                return self.embed_tokens.i(token as usize);
            }
            next += 1;
            features.i(next - 1)
        });
        Tensor::stack(&rows.collect::<Result<Vec<_>>>()?, 0)
    }

    /// The likeliest tokens after `prompt`, `[tokens, width]`, until `end` or `limit`.
    pub fn greedy(&self, prompt: &Tensor, end: u32, limit: usize) -> Result<Vec<u32>> {
        let mut cache: Cache = self.layers.iter().map(|_| None).collect();
        let mut answer = Vec::new();
        let mut input = prompt.clone();
        while answer.len() < limit {
            let last = self.forward(&input, &mut cache)?;
            let logits = last.matmul(&self.embed_tokens.t()?)?;
            let token = logits.argmax(D::Minus1)?.to_vec1::<u32>()?[0];
            if token == end {
                break;
            }
            answer.push(token);
            input = self.embed_tokens.i(token as usize)?.unsqueeze(0)?;
        }
        Ok(answer)
    }

    /// The last token's state, `[1, width]`, after `x` follows what the cache holds.
    fn forward(&self, x: &Tensor, cache: &mut Cache) -> Result<Tensor> {
        let eps = self.config.rms_norm_eps;
        let mut x = x.clone();
        for (layer, cache) in self.layers.iter().zip(cache) {
            let attended =
                self.attend(layer, &rms_norm(&x, &layer.input_layernorm, eps)?, cache)?;
            x = (x + attended)?;
            let normed = rms_norm(&x, &layer.post_attention_layernorm, eps)?;
            let gate = silu(&normed.matmul(&layer.gate_proj.t()?)?)?;
            let inner = (gate * normed.matmul(&layer.up_proj.t()?)?)?;
            x = (x + inner.matmul(&layer.down_proj.t()?)?)?;
        }
        let last = x.narrow(0, x.dim(0)? - 1, 1)?.contiguous()?;
        rms_norm(&last, &self.norm, eps)
    }

    fn attend(
        &self,
        layer: &Layer,
        x: &Tensor,
        cache: &mut Option<(Tensor, Tensor)>,
    ) -> Result<Tensor> {
        let (new, width) = x.dims2()?;
        let heads = self.config.num_attention_heads;
        let head_width = width / heads;
        let split = |weight: &Tensor| {
            x.matmul(&weight.t()?)?.reshape((new, (), head_width))?.transpose(0, 1)?.contiguous()
        };
        let past = cache.as_ref().map_or(Ok(0), |(keys, _)| keys.dim(1))?;
        let queries = self.rotate(&split(&layer.q_proj)?, past)?;
        let (mut keys, mut values) =
            (self.rotate(&split(&layer.k_proj)?, past)?, split(&layer.v_proj)?);
        if let Some((old_keys, old_values)) = cache {
            keys = Tensor::cat(&[&*old_keys, &keys], 1)?;
            values = Tensor::cat(&[&*old_values, &values], 1)?;
        }
        *cache = Some((keys.clone(), values.clone()));

        // Each head of keys and values serves `groups` heads of queries that lie side by side.
        let shared = self.config.num_key_value_heads;
        let groups = heads / shared;
        let queries = queries.reshape((shared, groups * new, head_width))?;
        let logits = (queries.matmul(&keys.t()?)? / (head_width as f64).sqrt())?;
        let logits =
            logits.reshape((heads, new, past + new))?.broadcast_add(&causal(new, past)?)?;
        let weights = softmax_last_dim(&logits)?.reshape((shared, groups * new, past + new))?;
        let mixed = weights.matmul(&values)?.reshape((heads, new, head_width))?;
        mixed.transpose(0, 1)?.reshape((new, width))?.matmul(&layer.o_proj.t()?)
    }

    /// Rotary position embedding (Su et al. 2021) of `x`, `[heads, tokens, head width]`, whose
    /// first token is the `past`th: element i turns with element i + half.
    fn rotate(&self, x: &Tensor, past: usize) -> Result<Tensor> {
        let (_, tokens, width) = x.dims3()?;
        let half = width / 2;
        let angles = (past..past + tokens).flat_map(|position| {
            (0..half).map(move |i| {
                let turns = self.config.rope_theta.powf(-2.0 * i as f64 / width as f64);
                position as f64 * turns
            })
        });
        let angles: Vec<f64> = angles.collect();
        let table = |of: fn(f64) -> f64| {
            let values = angles.iter().map(|angle| of(*angle) as f32).collect::<Vec<_>>();
            Tensor::from_vec(values, (1, tokens, half), &Device::Cpu)
        };
        let (cos, sin) = (table(f64::cos)?, table(f64::sin)?);
        let (first, second) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
        let turned_first = (first.broadcast_mul(&cos)? - second.broadcast_mul(&sin)?)?;
        let turned_second = (second.broadcast_mul(&cos)? + first.broadcast_mul(&sin)?)?;
        Tensor::cat(&[&turned_first, &turned_second], 2)
    }
}

/// `[new, past + new]`: minus infinity where a token would look at a later one.
fn causal(new: usize, past: usize) -> Result<Tensor> {
    let value = |row: usize, col: usize| if col > past + row { f32::NEG_INFINITY } else { 0.0 };
    let values = (0..new).flat_map(|row| (0..past + new).map(move |col| value(row, col)));
    Tensor::from_vec(values.collect::<Vec<_>>(), (new, past + new), &Device::Cpu)
}
