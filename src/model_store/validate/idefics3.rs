//! What an Idefics3 checkpoint must hold for mistral.rs to run it.
//!
//! Tensor names and shapes as in Hugging Face `transformers`' `modeling_idefics3.py`.

use std::path::Path;

use serde_json::Value;

use super::{Architecture, Shapes};
use crate::model_store::ModelError;

/// The sizes of one Idefics3 model; the names are the configuration's.
pub struct Layout {
    vision: Tower,
    text: Text,
    scale_factor: usize,
    tied: bool,
    image_seq_len: usize,
    needs_overlay: bool,
}

struct Tower {
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_channels: usize,
    image_size: usize,
    patch_size: usize,
}

struct Text {
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    vocab_size: usize,
    key_value_size: usize,
}

impl Layout {
    /// Reads and cross-checks the sizes.
    pub fn read(
        file: &Path,
        config: &Value,
        preprocessor: &Value,
        processor: Option<&Value>,
    ) -> Result<Self, ModelError> {
        let size = |pointer: &str| size_at(file, config, pointer);
        let heads = size("/text_config/num_attention_heads")?;
        let key_value_heads = size("/text_config/num_key_value_heads")?;
        for number in [
            "/text_config/rms_norm_eps",
            "/text_config/rope_theta",
            "/vision_config/layer_norm_eps",
        ] {
            if !config.pointer(number).is_some_and(Value::is_number) {
                return Err(ModelError::damaged(file, format!("{number} must be a number")));
            }
        }
        size("/image_token_id")?;
        let text = Text {
            hidden_size: size("/text_config/hidden_size")?,
            intermediate_size: size("/text_config/intermediate_size")?,
            num_hidden_layers: size("/text_config/num_hidden_layers")?,
            vocab_size: size("/text_config/vocab_size")?,
            key_value_size: size("/text_config/hidden_size")? / heads * key_value_heads,
        };
        let vision = Tower {
            hidden_size: size("/vision_config/hidden_size")?,
            intermediate_size: size("/vision_config/intermediate_size")?,
            num_hidden_layers: size("/vision_config/num_hidden_layers")?,
            num_channels: size("/vision_config/num_channels")?,
            image_size: size("/vision_config/image_size")?,
            patch_size: size("/vision_config/patch_size")?,
        };
        let scale_factor = size("/scale_factor")?;
        let tower_heads = size("/vision_config/num_attention_heads")?;
        let grid = vision.image_size / vision.patch_size;
        let divides = text.hidden_size.is_multiple_of(heads)
            && heads.is_multiple_of(key_value_heads)
            && vision.hidden_size.is_multiple_of(tower_heads)
            && vision.image_size.is_multiple_of(vision.patch_size)
            && grid.is_multiple_of(scale_factor);
        if !divides {
            let reason = "heads, patches and scale_factor do not divide the sizes they belong to";
            return Err(ModelError::damaged(file, reason));
        }

        let image_tokens = (grid / scale_factor).pow(2);
        let length = processor.and_then(|processor| {
            processor.get("image_seq_len").or_else(|| processor.get("image_seq_length"))
        });
        // 169 is what mistral.rs assumes where the file is silent.
        let image_seq_len = length.and_then(Value::as_u64).map_or(169, |length| length as usize);
        if image_seq_len != image_tokens {
            let reason = format!(
                "image_seq_len is {image_seq_len}, but the projector gives {image_tokens} tokens"
            );
            return Err(ModelError::damaged(&file.with_file_name("processor_config.json"), reason));
        }
        let is = |name: &str, wanted: bool| {
            preprocessor.get(name).and_then(Value::as_bool) == Some(wanted)
        };
        let edge = preprocessor.pointer("/max_image_size/longest_edge").and_then(Value::as_u64);
        let needs_overlay = !(is("do_image_splitting", false)
            && is("do_pad", true)
            && is("do_resize", false)
            && edge == Some(vision.image_size as u64));
        let tied = config
            .pointer("/text_config/tie_word_embeddings")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        Ok(Self { vision, text, scale_factor, tied, image_seq_len, needs_overlay })
    }

    pub fn architecture(&self) -> Architecture {
        Architecture::Idefics3 {
            image_side: u32::try_from(self.vision.image_size).unwrap_or(u32::MAX),
            image_tokens: self.image_seq_len,
            needs_overlay: self.needs_overlay,
        }
    }

    /// Compares every tensor that will be read with the shape it must have.
    pub fn check_tensors(&self, folder: &Path, found: &Shapes) -> Result<(), ModelError> {
        let mut trouble = None;
        self.for_each_tensor(|name, wanted| {
            if trouble.is_some() {
                return;
            }
            trouble = match found.get(name) {
                None => Some(format!("the tensor {name} is missing from its weights")),
                Some(shape) if shape.as_slice() != wanted => Some(format!(
                    "the tensor {name} has the shape {shape:?}, config.json says {wanted:?}"
                )),
                Some(_) => None,
            };
        });
        match trouble {
            None => Ok(()),
            Some(reason) => Err(ModelError::damaged(folder, reason)),
        }
    }

    fn for_each_tensor(&self, mut visit: impl FnMut(&str, &[usize])) {
        let Tower { hidden_size: width, intermediate_size: inner, .. } = self.vision;
        let patches = (self.vision.image_size / self.vision.patch_size).pow(2);
        let tower = "model.vision_model";
        let embeddings = format!("{tower}.embeddings");
        let patch = self.vision.patch_size;
        visit(
            &format!("{embeddings}.patch_embedding.weight"),
            &[width, self.vision.num_channels, patch, patch],
        );
        visit(&format!("{embeddings}.patch_embedding.bias"), &[width]);
        visit(&format!("{embeddings}.position_embedding.weight"), &[patches, width]);
        for layer in 0..self.vision.num_hidden_layers {
            let layer = format!("{tower}.encoder.layers.{layer}");
            for norm in ["layer_norm1", "layer_norm2"] {
                visit(&format!("{layer}.{norm}.weight"), &[width]);
                visit(&format!("{layer}.{norm}.bias"), &[width]);
            }
            for projection in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                visit(&format!("{layer}.self_attn.{projection}.weight"), &[width, width]);
                visit(&format!("{layer}.self_attn.{projection}.bias"), &[width]);
            }
            visit(&format!("{layer}.mlp.fc1.weight"), &[inner, width]);
            visit(&format!("{layer}.mlp.fc1.bias"), &[inner]);
            visit(&format!("{layer}.mlp.fc2.weight"), &[width, inner]);
            visit(&format!("{layer}.mlp.fc2.bias"), &[width]);
        }
        visit(&format!("{tower}.post_layernorm.weight"), &[width]);
        visit(&format!("{tower}.post_layernorm.bias"), &[width]);

        let Text { hidden_size: hidden, intermediate_size: inner, key_value_size, .. } = self.text;
        visit(
            "model.connector.modality_projection.proj.weight",
            &[hidden, width * self.scale_factor.pow(2)],
        );
        visit("model.text_model.embed_tokens.weight", &[self.text.vocab_size, hidden]);
        visit("model.text_model.norm.weight", &[hidden]);
        if !self.tied {
            visit("lm_head.weight", &[self.text.vocab_size, hidden]);
        }
        for layer in 0..self.text.num_hidden_layers {
            let layer = format!("model.text_model.layers.{layer}");
            visit(&format!("{layer}.input_layernorm.weight"), &[hidden]);
            visit(&format!("{layer}.post_attention_layernorm.weight"), &[hidden]);
            visit(&format!("{layer}.self_attn.q_proj.weight"), &[hidden, hidden]);
            visit(&format!("{layer}.self_attn.k_proj.weight"), &[key_value_size, hidden]);
            visit(&format!("{layer}.self_attn.v_proj.weight"), &[key_value_size, hidden]);
            visit(&format!("{layer}.self_attn.o_proj.weight"), &[hidden, hidden]);
            visit(&format!("{layer}.mlp.gate_proj.weight"), &[inner, hidden]);
            visit(&format!("{layer}.mlp.up_proj.weight"), &[inner, hidden]);
            visit(&format!("{layer}.mlp.down_proj.weight"), &[hidden, inner]);
        }
    }
}

/// A positive whole number of the configuration.
fn size_at(file: &Path, config: &Value, pointer: &str) -> Result<usize, ModelError> {
    config
        .pointer(pointer)
        .and_then(Value::as_u64)
        .and_then(|size| usize::try_from(size).ok())
        .filter(|size| *size > 0)
        .ok_or_else(|| ModelError::damaged(file, format!("{pointer} must be a positive number")))
}
