//! What an Idefics3 checkpoint must hold for mistral.rs to run it.
//!
//! Tensor names and shapes as in Hugging Face `transformers`' `modeling_idefics3.py`.

use std::path::Path;

use serde_json::{Value, json};
use values::picture::ImageInput;

use super::Shapes;
use crate::ModelError;

/// Above any size of a known model, and small enough that products of sizes stay in range.
const MAX_SIZE: usize = 1 << 20;

/// Calls `SmolVLM`, which is the same under another name, by the name that mistral.rs knows. Whether it
/// was one.
pub fn rename(config: &mut Value) -> bool {
    let is = config.pointer("/architectures/0") == Some(&json!("SmolVLMForConditionalGeneration"));
    if is {
        config["architectures"] = json!([super::IDEFICS3]);
        config["model_type"] = json!("idefics3");
    }
    is
}

/// Adds the sizes that published configurations leave out because they are the defaults of
/// `transformers`' `configuration_idefics3.py`; mistral.rs asks for each. Whether any was missing.
pub fn complete_config(config: &mut Value) -> bool {
    let defaults = [
        ("vision_config", "intermediate_size", json!(3072)),
        ("vision_config", "num_hidden_layers", json!(12)),
        ("vision_config", "num_attention_heads", json!(16)),
        ("vision_config", "num_channels", json!(3)),
        ("vision_config", "hidden_act", json!("gelu_pytorch_tanh")),
        ("vision_config", "layer_norm_eps", json!(1e-6)),
        ("text_config", "hidden_act", json!("silu")),
    ];
    let mut added = false;
    for (part, name, default) in defaults {
        if let Some(part) = config.get_mut(part).and_then(Value::as_object_mut)
            && !part.contains_key(name)
        {
            part.insert(name.to_owned(), default);
            added = true;
        }
    }
    added
}

/// Asks for one square picture that Lorgnette has sized, where the file asks for tiles, over which
/// mistral.rs panics (`vision_models/idefics3/mod.rs`), or leaves out what mistral.rs takes for
/// "no" and transformers for "yes". Whether anything had to be changed.
pub fn adapt_preprocessor(preprocessor: &mut Value, config: &Value) -> bool {
    let side = config.pointer("/vision_config/image_size").cloned().unwrap_or_default();
    let needed = [
        ("do_image_splitting", json!(false)),
        ("do_pad", json!(true)),
        ("do_resize", json!(false)),
        ("max_image_size", json!({ "longest_edge": side })),
    ];
    let defaults = [
        ("do_convert_rgb", json!(true)),
        ("do_rescale", json!(true)),
        ("rescale_factor", json!(1.0 / 255.0)),
        ("do_normalize", json!(true)),
        ("image_mean", json!([0.5, 0.5, 0.5])),
        ("image_std", json!([0.5, 0.5, 0.5])),
    ];
    let before = preprocessor.clone();
    for (name, value) in needed {
        preprocessor[name] = value;
    }
    for (name, value) in defaults {
        if preprocessor.get(name).is_none_or(Value::is_null) {
            preprocessor[name] = value;
        }
    }
    *preprocessor != before
}

/// The sizes of one Idefics3 model; the names are the configuration's.
pub struct Layout {
    vision: Tower,
    text: Text,
    scale_factor: usize,
    tied: bool,
    image_token: u32,
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
        for name in ["/vision_config/hidden_act", "/text_config/hidden_act"] {
            if !config.pointer(name).is_some_and(Value::is_string) {
                return Err(ModelError::damaged(file, format!("{name} must be a name")));
            }
        }
        size("/text_config/max_position_embeddings")?;
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
        let tied = config
            .pointer("/text_config/tie_word_embeddings")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let image_token = u32::try_from(size("/image_token_id")?)
            .map_err(|_| ModelError::damaged(file, "image_token_id is no token"))?;
        Ok(Self { vision, text, scale_factor, tied, image_token })
    }

    /// The square that the encoder is shown, and the grid that the projector makes of its patches.
    pub fn input(&self) -> ImageInput {
        let side = u32::try_from(self.vision.image_size).unwrap_or(u32::MAX);
        let cells = self.vision.image_size / self.vision.patch_size / self.scale_factor;
        ImageInput::square(side, (cells, cells), self.image_token)
    }

    /// Compares every tensor that will be read with the shape `config_file` gives it.
    pub fn check_tensors(&self, config_file: &Path, found: &Shapes) -> Result<(), ModelError> {
        self.for_each_tensor(|name, wanted| {
            let reason = match found.get(name) {
                Some(shape) if shape.as_slice() == wanted => return Ok(()),
                Some(shape) => {
                    format!(
                        "the tensor {name} has the shape {shape:?} in the weights, not {wanted:?}"
                    )
                }
                None => format!("the tensor {name} is missing from the weights"),
            };
            Err(ModelError::damaged(config_file, reason))
        })
    }

    fn for_each_tensor(
        &self,
        visit: impl Fn(&str, &[usize]) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        let Tower { hidden_size: width, intermediate_size: inner, .. } = self.vision;
        let patches = (self.vision.image_size / self.vision.patch_size).pow(2);
        let tower = "model.vision_model";
        let embeddings = format!("{tower}.embeddings");
        let patch = self.vision.patch_size;
        visit(
            &format!("{embeddings}.patch_embedding.weight"),
            &[width, self.vision.num_channels, patch, patch],
        )?;
        visit(&format!("{embeddings}.patch_embedding.bias"), &[width])?;
        visit(&format!("{embeddings}.position_embedding.weight"), &[patches, width])?;
        for layer in 0..self.vision.num_hidden_layers {
            let layer = format!("{tower}.encoder.layers.{layer}");
            for norm in ["layer_norm1", "layer_norm2"] {
                visit(&format!("{layer}.{norm}.weight"), &[width])?;
                visit(&format!("{layer}.{norm}.bias"), &[width])?;
            }
            for projection in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                visit(&format!("{layer}.self_attn.{projection}.weight"), &[width, width])?;
                visit(&format!("{layer}.self_attn.{projection}.bias"), &[width])?;
            }
            visit(&format!("{layer}.mlp.fc1.weight"), &[inner, width])?;
            visit(&format!("{layer}.mlp.fc1.bias"), &[inner])?;
            visit(&format!("{layer}.mlp.fc2.weight"), &[width, inner])?;
            visit(&format!("{layer}.mlp.fc2.bias"), &[width])?;
        }
        visit(&format!("{tower}.post_layernorm.weight"), &[width])?;
        visit(&format!("{tower}.post_layernorm.bias"), &[width])?;

        let Text { hidden_size: hidden, intermediate_size: inner, key_value_size, .. } = self.text;
        visit(
            "model.connector.modality_projection.proj.weight",
            &[hidden, width * self.scale_factor.pow(2)],
        )?;
        visit("model.text_model.embed_tokens.weight", &[self.text.vocab_size, hidden])?;
        visit("model.text_model.norm.weight", &[hidden])?;
        if !self.tied {
            visit("lm_head.weight", &[self.text.vocab_size, hidden])?;
        }
        for layer in 0..self.text.num_hidden_layers {
            let layer = format!("model.text_model.layers.{layer}");
            visit(&format!("{layer}.input_layernorm.weight"), &[hidden])?;
            visit(&format!("{layer}.post_attention_layernorm.weight"), &[hidden])?;
            visit(&format!("{layer}.self_attn.q_proj.weight"), &[hidden, hidden])?;
            visit(&format!("{layer}.self_attn.k_proj.weight"), &[key_value_size, hidden])?;
            visit(&format!("{layer}.self_attn.v_proj.weight"), &[key_value_size, hidden])?;
            visit(&format!("{layer}.self_attn.o_proj.weight"), &[hidden, hidden])?;
            visit(&format!("{layer}.mlp.gate_proj.weight"), &[inner, hidden])?;
            visit(&format!("{layer}.mlp.up_proj.weight"), &[inner, hidden])?;
            visit(&format!("{layer}.mlp.down_proj.weight"), &[hidden, inner])?;
        }
        Ok(())
    }
}

/// A positive whole number of the configuration.
fn size_at(file: &Path, config: &Value, pointer: &str) -> Result<usize, ModelError> {
    config
        .pointer(pointer)
        .and_then(Value::as_u64)
        .and_then(|size| usize::try_from(size).ok())
        .filter(|size| (1..=MAX_SIZE).contains(size))
        .ok_or_else(|| {
            let reason = format!("{pointer} must be a positive number up to {MAX_SIZE}");
            ModelError::damaged(file, reason)
        })
}
