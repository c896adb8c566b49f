//! A model of the shipped one's kind that is small enough to be emulated: one layer each, narrow,
//! with weights drawn by chance. Its words mean nothing.

use std::collections::HashMap;
use std::path::Path;

use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};
use values::config::DEFAULT_MODEL;

/// Width of everything.
const WIDE: usize = 64;
const INNER: usize = 128;
const WORDS: usize = 49_152;

/// Writes the model into `folder`; what is not weights is the shipped model's.
pub fn write(folder: &Path) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(DEFAULT_MODEL);
    for entry in shipped.read_dir().unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if Path::new(&name).extension().is_some_and(|extension| extension == "json")
            && name != "manifest.json"
        {
            std::fs::copy(entry.path(), folder.join(name)).unwrap();
        }
    }
    let file = folder.join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    for (part, heads) in [("vision_config", 2), ("text_config", 2)] {
        config[part]["hidden_size"] = json!(WIDE);
        config[part]["intermediate_size"] = json!(INNER);
        config[part]["num_hidden_layers"] = json!(1);
        config[part]["num_attention_heads"] = json!(heads);
    }
    config["text_config"]["num_key_value_heads"] = json!(1);
    std::fs::write(&file, config.to_string()).unwrap();

    let mut chance = 1_u32;
    let tensors: HashMap<String, (Vec<usize>, Vec<u8>)> = shapes()
        .into_iter()
        .map(|(name, shape)| {
            let is_norm = name.contains("norm") && name.ends_with("weight");
            let value = || {
                // Numerical Recipes' generator: any would do, as long as it is the same each time.
                chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let even = (chance >> 8) as f32 / (1 << 24) as f32 - 0.5;
                if is_norm { 1.0 } else { even * 0.5 }
            };
            let values = std::iter::repeat_with(value).take(shape.iter().product());
            let bytes = values.flat_map(f32::to_le_bytes).collect();
            (name, (shape, bytes))
        })
        .collect();
    let views = tensors.iter().map(|(name, (shape, bytes))| {
        (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let target = folder.join("model.safetensors");
    safetensors::serialize_to_file(views, None, &target).unwrap();
}

fn shapes() -> Vec<(String, Vec<usize>)> {
    let mut shapes = vec![
        ("model.connector.modality_projection.proj.weight".to_owned(), vec![WIDE, WIDE * 4]),
        ("model.text_model.embed_tokens.weight".to_owned(), vec![WORDS, WIDE]),
        ("model.text_model.norm.weight".to_owned(), vec![WIDE]),
    ];
    let text = "model.text_model.layers.0";
    for (name, shape) in [
        ("input_layernorm", vec![WIDE]),
        ("post_attention_layernorm", vec![WIDE]),
        ("mlp.down_proj", vec![WIDE, INNER]),
        ("mlp.gate_proj", vec![INNER, WIDE]),
        ("mlp.up_proj", vec![INNER, WIDE]),
        ("self_attn.q_proj", vec![WIDE, WIDE]),
        ("self_attn.o_proj", vec![WIDE, WIDE]),
        ("self_attn.k_proj", vec![WIDE / 2, WIDE]),
        ("self_attn.v_proj", vec![WIDE / 2, WIDE]),
    ] {
        shapes.push((format!("{text}.{name}.weight"), shape));
    }
    let vision = "model.vision_model";
    let position = format!("{vision}.embeddings.position_embedding.weight");
    shapes.push((position, vec![256, WIDE]));
    for (name, shape) in [
        ("embeddings.patch_embedding", vec![WIDE, 3, 14, 14]),
        ("encoder.layers.0.layer_norm1", vec![WIDE]),
        ("encoder.layers.0.layer_norm2", vec![WIDE]),
        ("encoder.layers.0.mlp.fc1", vec![INNER, WIDE]),
        ("encoder.layers.0.mlp.fc2", vec![WIDE, INNER]),
        ("encoder.layers.0.self_attn.q_proj", vec![WIDE, WIDE]),
        ("encoder.layers.0.self_attn.k_proj", vec![WIDE, WIDE]),
        ("encoder.layers.0.self_attn.v_proj", vec![WIDE, WIDE]),
        ("encoder.layers.0.self_attn.out_proj", vec![WIDE, WIDE]),
        ("post_layernorm", vec![WIDE]),
    ] {
        let bias = vec![shape[0]];
        shapes.push((format!("{vision}.{name}.weight"), shape));
        shapes.push((format!("{vision}.{name}.bias"), bias));
    }
    shapes
}
