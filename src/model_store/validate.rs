//! Reads everything in a model folder that mistral.rs would panic over, before it sees it.
//!
//! mistral.rs 0.8.1 unwraps what it parses (`pipeline/multimodal.rs`, `utils/tokenizer.rs`), so a
//! damaged file would take the engine's thread with it. The checks follow what it reads: the
//! configuration, the tokenizer, the preprocessor, the chat template, and the header of each
//! safetensors file, for Idefics3 with the shape of every tensor.

mod idefics3;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde_json::Value;
use values::picture::ImageInput;
use values::safetensors::{Header, HeaderError};

use super::ModelError;

/// `architectures` entries that mistral.rs 0.8.1 runs with pictures.
const SUPPORTED: [&str; 12] = [
    "Gemma3ForConditionalGeneration",
    "Gemma3nForConditionalGeneration",
    "Gemma4ForConditionalGeneration",
    IDEFICS2,
    IDEFICS3,
    "Llama4ForConditionalGeneration",
    "MiniCPMO",
    "Mistral3ForConditionalGeneration",
    "Phi3VForCausalLM",
    "Phi4MMForCausalLM",
    "Qwen3VLForConditionalGeneration",
    "Qwen3VLMoeForConditionalGeneration",
];

/// `architectures` entries that mistral.rs 0.8.1 loads and does not answer rightly with, and why.
const WRONG: [(&str, &str); 7] = [
    ("LlavaForConditionalGeneration", "gives wrong answers"),
    ("LlavaNextForConditionalGeneration", "gives wrong answers"),
    ("MllamaForConditionalGeneration", "forgets the picture after its first word"),
    ("Qwen2VLForConditionalGeneration", "fails after its first word"),
    ("Qwen2_5_VLForConditionalGeneration", "loses its place after its first word"),
    ("Qwen3_5ForConditionalGeneration", "fails on a processor"),
    ("Qwen3_5MoeForConditionalGeneration", "fails on a processor"),
];

/// The kind that is shown one picture where its files ask for tiles.
const IDEFICS2: &str = "Idefics2ForConditionalGeneration";

/// The kind whose pictures Lorgnette prepares itself.
const IDEFICS3: &str = "Idefics3ForConditionalGeneration";

/// No model reads more tokens than this.
const MAX_POSITIONS: u64 = 1 << 24;

/// Files that mistral.rs must be given in place of the folder's own, by name.
pub type Replacements = BTreeMap<&'static str, Value>;

/// What a model's files say of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFacts {
    /// How it is shown pictures.
    pub input: ImageInput,
    /// Longest prompt and answer together, in tokens.
    pub max_positions: usize,
    /// Tokens that end an answer; at least one.
    pub eos_tokens: Vec<u32>,
}

/// Checks `folder`, a checkpoint in Hugging Face's layout, and reads its facts.
///
/// # Errors
/// The first trouble found, as a [`ModelError`] that names the file.
pub fn validate(folder: &Path) -> Result<(ModelFacts, Replacements), ModelError> {
    let config_file = folder.join("config.json");
    if folder.join("params.json").exists() {
        let reason = "it has a params.json, which this engine reads in place of config.json: \
                      choose the model's edition for transformers";
        return Err(unsupported(folder, reason.into()));
    }
    let mut config = read_object(folder, "config.json")?;
    let renamed = idefics3::rename(&mut config);
    let architecture = architecture(folder, &config)?;
    let tokenizer = read_object(folder, "tokenizer.json")?;
    check_tokenizer(&folder.join("tokenizer.json"), &tokenizer)?;
    let processor = read_optional_object(folder, "processor_config.json")?;
    let own = read_optional_object(folder, "preprocessor_config.json")?;
    let has_own = own.is_some();
    // Newer checkpoints have all of it in one file.
    let within = || processor.as_ref()?.get("image_processor").filter(|it| it.is_object()).cloned();
    let file = "preprocessor_config.json";
    let missing = || ModelError::Missing { folder: folder.to_path_buf(), file: file.to_owned() };
    let mut preprocessor = own.or_else(within).ok_or_else(missing)?;
    check_preprocessor(&folder.join(file), &preprocessor)?;
    let generation = read_optional_object(folder, "generation_config.json")?;
    let templates = templates(folder, processor.as_ref())?;

    let mut replacements = Replacements::new();
    // Over the tiles of this kind, too, mistral.rs panics (`vision_models/idefics2`).
    let untiled = architecture == IDEFICS2 && preprocessor["do_image_splitting"] != false;
    if untiled {
        preprocessor["do_image_splitting"] = false.into();
    }
    if untiled || !has_own {
        replacements.insert(file, preprocessor.clone());
    }
    if let Some(once) = beginning_once(&tokenizer, &templates) {
        replacements.insert("tokenizer.json", once);
    }
    if architecture == IDEFICS3 {
        if idefics3::complete_config(&mut config) || renamed {
            replacements.insert("config.json", config.clone());
        }
        if idefics3::adapt_preprocessor(&mut preprocessor, &config) {
            replacements.insert(file, preprocessor.clone());
        }
    }
    let text = config.get("text_config").filter(|text| text.is_object()).unwrap_or(&config);
    let eos_tokens = [generation.as_ref(), Some(text), Some(&config)]
        .into_iter()
        .flatten()
        .map(|source| token_ids(source.get("eos_token_id")))
        .find(|ids| !ids.is_empty())
        .ok_or_else(|| {
            ModelError::damaged(&config_file, "no eos_token_id: answers would not end")
        })?;
    let max_positions = match text.get("max_position_embeddings").map(Value::as_u64) {
        None => 2048,
        // mistral.rs makes tables of this length, and the process ends where there is no room.
        Some(Some(positions @ 1..=MAX_POSITIONS)) => positions as usize,
        Some(_) => {
            let reason = format!("max_position_embeddings must be from 1 to {MAX_POSITIONS}");
            return Err(ModelError::damaged(&config_file, reason));
        }
    };

    let tensors = read_weights(folder)?;
    let input = if architecture == IDEFICS3 {
        let layout = idefics3::Layout::read(&config_file, &config, processor.as_ref())?;
        layout.check_tensors(&folder.join("config.json"), &tensors)?;
        layout.input()
    } else {
        ImageInput::bounded()
    };
    Ok((ModelFacts { input, max_positions, eos_tokens }, replacements))
}

fn unsupported(folder: &Path, reason: String) -> ModelError {
    ModelError::Unsupported { folder: folder.to_path_buf(), reason }
}

fn architecture(folder: &Path, config: &Value) -> Result<String, ModelError> {
    let file = folder.join("config.json");
    let names = config.get("architectures").and_then(Value::as_array);
    let [name] = names.map_or(&[][..], Vec::as_slice) else {
        return Err(ModelError::damaged(&file, "\"architectures\" must name exactly one"));
    };
    let name = name.as_str().unwrap_or_default();
    if SUPPORTED.contains(&name) {
        return Ok(name.to_owned());
    }
    let wrong = WRONG.iter().find(|(wrong, _)| *wrong == name);
    let reason = wrong.map_or_else(
        || format!("{name:?} is no picture model that this engine knows: choose another model"),
        |(_, why)| {
            format!("{name} {why} in this engine: choose another model, such as one of Qwen3-VL")
        },
    );
    Err(unsupported(folder, reason))
}

/// The tokenizer without what it puts before each text, where the chat template brings that as well:
/// mistral.rs always asks for it, and a model that is told twice that a text begins answers otherwise.
fn beginning_once(tokenizer: &Value, templates: &[String]) -> Option<Value> {
    let processors = tokenizer.get("post_processor")?;
    let all = processors.get("processors").and_then(Value::as_array);
    let mut all = all.map_or(std::slice::from_ref(processors), Vec::as_slice).iter();
    let first = all.find_map(|one| one.pointer("/single/0/SpecialToken/id")?.as_str())?;
    let brings = |template: &String| {
        let start = template.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '<');
        start.starts_with("bos_token") || template.trim_start().starts_with(first)
    };
    if !templates.iter().any(brings) {
        return None;
    }
    let mut once = tokenizer.clone();
    once["post_processor"] = Value::Null;
    Some(once)
}

fn token_ids(value: Option<&Value>) -> Vec<u32> {
    let one = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Some(Value::Array(ids)) => ids.iter().filter_map(one).collect(),
        Some(id) => one(id).into_iter().collect(),
        None => Vec::new(),
    }
}

fn read_text(folder: &Path, name: &str) -> Result<Option<String>, ModelError> {
    let file = folder.join(name);
    match std::fs::read_to_string(&file) {
        Ok(text) if text.trim().is_empty() => Err(ModelError::damaged(&file, "the file is empty")),
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(ModelError::damaged(&file, "not a text file"))
        }
        Err(error) => Err(ModelError::io(&file, &error)),
    }
}

fn read_optional_object(folder: &Path, name: &str) -> Result<Option<Value>, ModelError> {
    let Some(text) = read_text(folder, name)? else {
        return Ok(None);
    };
    let file = folder.join(name);
    match serde_json::from_str::<Value>(&text) {
        Ok(value) if value.is_object() => Ok(Some(value)),
        Ok(_) => Err(ModelError::damaged(&file, "not a JSON object")),
        Err(error) => Err(ModelError::damaged(&file, format!("not JSON ({error})"))),
    }
}

fn read_object(folder: &Path, name: &str) -> Result<Value, ModelError> {
    read_optional_object(folder, name)?
        .ok_or_else(|| ModelError::Missing { folder: folder.to_path_buf(), file: name.to_owned() })
}

/// mistral.rs indexes `added_tokens` and `model.vocab` without looking.
fn check_tokenizer(file: &Path, tokenizer: &Value) -> Result<(), ModelError> {
    let vocabulary = tokenizer.pointer("/model/vocab").is_some_and(Value::is_object);
    let added = tokenizer.get("added_tokens").and_then(Value::as_array);
    let added_are_tokens = added.is_some_and(|added| {
        added.iter().all(|token| {
            token.get("content").is_some_and(Value::is_string)
                && token.get("id").is_some_and(Value::is_u64)
        })
    });
    if vocabulary && added_are_tokens {
        Ok(())
    } else {
        Err(ModelError::damaged(file, "no tokenizer with a vocabulary and added tokens"))
    }
}

/// The entries that mistral.rs parses with a fixed type, and unwraps.
fn check_preprocessor(file: &Path, preprocessor: &Value) -> Result<(), ModelError> {
    type Fits = fn(&Value) -> bool;
    let three_numbers: Fits =
        |value| value.as_array().is_some_and(|v| v.len() == 3 && v.iter().all(Value::is_number));
    let sizes: Fits = |value| value.as_object().is_some_and(|v| v.values().all(Value::is_u64));
    let table: [(&[&str], Fits, &str); 4] = [
        (
            &[
                "do_convert_rgb",
                "do_image_splitting",
                "do_normalize",
                "do_pad",
                "do_rescale",
                "do_resize",
            ],
            Value::is_boolean,
            "true or false",
        ),
        (&["image_mean", "image_std"], three_numbers, "three numbers"),
        (&["rescale_factor"], Value::is_number, "a number"),
        (&["size", "max_image_size", "crop_size"], sizes, "sizes in pixels"),
    ];
    for (names, fits, kind) in table {
        for name in names {
            if preprocessor.get(name).is_some_and(|value| !value.is_null() && !fits(value)) {
                return Err(ModelError::damaged(file, format!("{name:?} must be {kind}")));
            }
        }
    }
    Ok(())
}

/// Without a chat template the first question would panic (`pipeline/processing.rs`), and with one
/// of the Harmony kind it would ask the network for a vocabulary (`engine/add_request.rs`).
fn templates(folder: &Path, processor: Option<&Value>) -> Result<Vec<String>, ModelError> {
    let tokenizer_config = read_optional_object(folder, "tokenizer_config.json")?;
    let own_file = read_optional_object(folder, "chat_template.json")?;
    let mut templates: Vec<String> = [processor, tokenizer_config.as_ref(), own_file.as_ref()]
        .into_iter()
        .flatten()
        .filter_map(|file| file.get("chat_template"))
        .filter(|template| template.is_string() || template.is_array())
        .map(|template| template.as_str().map_or_else(|| template.to_string(), str::to_owned))
        .collect();
    templates.extend(read_text(folder, "chat_template.jinja")?);
    let is_harmony = |template: &String| {
        template.contains("<|channel|>")
            || ["<|start|>", "<|message|>", "<|end|>"].iter().all(|mark| template.contains(mark))
    };
    if templates.iter().any(is_harmony) {
        let reason = "its chat template is of the Harmony kind, for which this engine would need \
                      the network: choose another model";
        return Err(unsupported(folder, reason.into()));
    }
    match (templates.is_empty(), tokenizer_config) {
        (false, _) => Ok(templates),
        (true, None) => Err(ModelError::Missing {
            folder: folder.to_path_buf(),
            file: "tokenizer_config.json".into(),
        }),
        (true, Some(_)) => Err(ModelError::damaged(
            &folder.join("tokenizer_config.json"),
            "no chat template: the model cannot be asked questions",
        )),
    }
}

/// Shape of every tensor by name.
type Shapes = HashMap<String, Vec<usize>>;

/// Reads the headers of all weight files and checks that the data they promise is there.
fn read_weights(folder: &Path) -> Result<Shapes, ModelError> {
    let entries = std::fs::read_dir(folder).map_err(|error| ModelError::io(folder, &error))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"))
        .collect();
    files.sort();
    // An index names files that a copy may have left behind.
    if let Some(index) = read_optional_object(folder, "model.safetensors.index.json")? {
        let named = index.get("weight_map").and_then(Value::as_object);
        for name in named.into_iter().flat_map(|map| map.values()).filter_map(Value::as_str) {
            if !folder.join(name).is_file() {
                let folder = folder.to_path_buf();
                return Err(ModelError::Missing { folder, file: name.to_owned() });
            }
        }
    }
    if files.is_empty() {
        let file = "its weights (*.safetensors)".to_owned();
        return Err(ModelError::Missing { folder: folder.to_path_buf(), file });
    }
    let mut shapes = Shapes::new();
    for file in &files {
        read_header(file, &mut shapes)?;
    }
    Ok(shapes)
}

fn read_header(file: &Path, shapes: &mut Shapes) -> Result<(), ModelError> {
    let header = Header::read(file).map_err(|error| match error {
        HeaderError::Io(error) => ModelError::io(file, &error),
        wrong => ModelError::damaged(file, wrong.to_string()),
    })?;
    for (name, info) in header.metadata.tensors() {
        shapes.insert(name, info.shape.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_begins_once() {
        let before = json!({"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<bos>"}}, {"Sequence": {"id": "A"}}]});
        let tokenizer = |processor: &Value| json!({"post_processor": processor, "model": {}});
        let once = |processor: &Value, template: &str| {
            beginning_once(&tokenizer(processor), &[template.to_owned()])
        };
        for template in ["{{ bos_token }}\n{%- if", "{{- bos_token }}{%-", "<bos>{% for"] {
            let found = once(&before, template).unwrap();
            assert_eq!(found, json!({"post_processor": null, "model": {}}), "{template}");
        }
        let two =
            json!({"type": "Sequence", "processors": [{"type": "ByteLevel"}, before.clone()]});
        assert!(once(&two, "{{ bos_token }}").is_some());
        // Where only one of them brings it, it stays.
        assert_eq!(once(&before, "{% for message in messages %}"), None);
        let after =
            json!({"single": [{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "</s>"}}]});
        assert_eq!(once(&after, "{{ bos_token }}"), None);
        assert_eq!(once(&Value::Null, "{{ bos_token }}"), None);
    }
}
