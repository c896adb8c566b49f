//! Damaged models give a clear error and leave the engine usable.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use values::config::{DEFAULT_MODEL, Precision};

use engine::EngineError;
use model_store::{ModelError, ModelFolder};
use serde_json::{Value, json};

use crate::listener::{Listener, request, seeing};
use crate::support::{FIRST, folders, picture, sample, shipped};

/// The shipped model, unpacked.
static WHOLE: LazyLock<PathBuf> = LazyLock::new(|| shipped(FIRST));

/// A copy of the shipped model's first revision, which answers without being told what is seen, to
/// damage; the weights are linked.
struct Copy {
    home: tempfile::TempDir,
}

impl Copy {
    fn new() -> Self {
        // Beside the cache, so that the weights can be linked instead of copied.
        let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for entry in fs::read_dir(&*WHOLE).unwrap() {
            let entry = entry.unwrap();
            let target = home.path().join(entry.file_name());
            if entry.path().extension().is_some_and(|extension| extension == "safetensors") {
                fs::hard_link(entry.path(), target).unwrap();
            } else {
                fs::copy(entry.path(), target).unwrap();
            }
        }
        Self { home }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        // A linked file must not be written through.
        let _ = fs::remove_file(self.path(name));
        fs::write(self.path(name), content).unwrap();
    }

    fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut value = serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap();
        change(&mut value);
        self.write(name, value.to_string());
    }

    fn folder(&self) -> ModelFolder {
        ModelFolder { name: "copy".into(), path: self.home.path().to_path_buf(), revision: None }
    }

    /// Loads the copy, which must fail with one line that names `place` and holds `reason`, and
    /// then asks the shipped model on the same engine.
    fn must_fail(&self, engine: &Listener, place: &str, reason: &str) {
        let error = engine.load(self.folder(), Precision::Q8_0).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(place) && message.contains(reason), "{message}");
        assert!(!message.contains('\n') && !message.contains("panicked"), "{message}");
        assert!(
            matches!(error, EngineError::Model(_)),
            "found before mistral.rs saw it: {message}"
        );
    }
}

fn still_works(engine: &Listener) {
    engine.load_default(Precision::Q8_0).unwrap();
    assert_eq!(engine.what_is("cat.jpg"), "An Egyptian cat.");
}

#[test]
fn each_required_file_missing_empty_or_not_json() {
    let engine = Listener::start();
    for name in
        ["config.json", "tokenizer.json", "preprocessor_config.json", "tokenizer_config.json"]
    {
        let copy = Copy::new();
        fs::remove_file(copy.path(name)).unwrap();
        copy.must_fail(&engine, name, "lacks");
        copy.write(name, "");
        copy.must_fail(&engine, name, "empty");
        copy.write(name, "{\"half\": ");
        copy.must_fail(&engine, name, "not JSON");
        copy.write(name, [0xff, 0xfe, 0x00]);
        copy.must_fail(&engine, name, "not a text file");
    }
    for name in ["processor_config.json", "generation_config.json"] {
        let copy = Copy::new();
        copy.write(name, "[1, 2]");
        copy.must_fail(&engine, name, "not a JSON object");
    }
    still_works(&engine);
}

#[test]
fn weights_missing_empty_cut_short_or_of_wrong_shape() {
    let engine = Listener::start();
    let name = "model.safetensors";
    let whole = fs::read(WHOLE.join(name)).unwrap();
    let copy = Copy::new();
    fs::remove_file(copy.path(name)).unwrap();
    copy.must_fail(&engine, "copy", "weights");
    copy.write(name, "");
    copy.must_fail(&engine, name, "empty or cut short");
    copy.write(name, &whole[..5000]);
    copy.must_fail(&engine, name, "cut short");
    copy.write(name, &whole[..whole.len() / 2]);
    copy.must_fail(&engine, name, "bytes long where its header says");
    copy.write(name, "<html>not found</html> and some more text");
    copy.must_fail(&engine, name, "not a safetensors file");

    let wrong_shape = Copy::new();
    wrong_shape.edit("config.json", |config| {
        config["text_config"]["hidden_size"] = json!(567);
    });
    wrong_shape.must_fail(
        &engine,
        "config.json",
        "has the shape [576, 1536] in the weights, not [567, 1536]",
    );
    let more_layers = Copy::new();
    more_layers.edit("config.json", |config| {
        config["vision_config"]["num_hidden_layers"] = json!(13);
    });
    more_layers.must_fail(
        &engine,
        "config.json",
        "encoder.layers.12.layer_norm1.weight is missing",
    );
    let endless = Copy::new();
    endless.edit("config.json", |config| {
        config["vision_config"]["num_hidden_layers"] = json!(1_000_000);
    });
    endless.must_fail(&engine, "config.json", "encoder.layers.12.layer_norm1.weight is missing");
    still_works(&engine);
}

#[test]
fn kinds_of_model_that_cannot_be_run() {
    let engine = Listener::start();
    let copy = Copy::new();
    for (name, reason) in [
        ("BertModel", "no picture model that this engine knows"),
        ("LlavaForConditionalGeneration", "gives wrong answers in this engine"),
        ("Qwen2VLForConditionalGeneration", "fails after its first word"),
        ("Qwen2_5_VLForConditionalGeneration", "choose another model, such as one of Qwen3-VL"),
        ("MllamaForConditionalGeneration", "forgets the picture"),
    ] {
        copy.edit("config.json", |config| {
            config["architectures"] = json!([name]);
        });
        copy.must_fail(&engine, name, reason);
    }
    copy.edit("config.json", |config| {
        config["architectures"] = json!(["A", "B"]);
    });
    copy.must_fail(&engine, "config.json", "must name exactly one");
    still_works(&engine);
}

#[test]
fn settings_that_would_make_the_engine_panic() {
    let engine = Listener::start();
    let cases: [(&str, &str, Value, &str); 9] = [
        ("tokenizer.json", "/model/vocab", json!(null), "vocabulary"),
        ("tokenizer.json", "/added_tokens", json!("none"), "added tokens"),
        ("tokenizer_config.json", "/chat_template", json!(null), "no chat template"),
        ("preprocessor_config.json", "/image_mean", json!([0.5]), "three numbers"),
        ("preprocessor_config.json", "/do_rescale", json!("yes"), "true or false"),
        ("processor_config.json", "/image_seq_len", json!(65), "gives 64 tokens"),
        ("config.json", "/vision_config/patch_size", json!(0), "positive number"),
        ("config.json", "/text_config/vocab_size", json!(9_000_000_000_u64), "positive number"),
        ("config.json", "/text_config/max_position_embeddings", json!(1 << 30), "must be from 1"),
    ];
    for (name, place, value, reason) in cases {
        let copy = Copy::new();
        copy.edit(name, |file| *file.pointer_mut(place).unwrap() = value);
        copy.must_fail(&engine, name, reason);
    }
    still_works(&engine);
}

/// What a Hugging Face download of this kind asks for and leaves out, and mistral.rs cannot do:
/// tiles, sizes by default; and its files are relative links into another folder.
#[test]
#[cfg(unix)]
fn a_download_that_mistral_rs_would_panic_over_is_overlaid() {
    let engine = Listener::start();
    let copy = Copy::new();
    copy.edit("preprocessor_config.json", |file| {
        file["do_image_splitting"] = json!(true);
        file["do_resize"] = json!(true);
        file["max_image_size"] = json!({ "longest_edge": 364 });
        file.as_object_mut().unwrap().remove("do_rescale");
    });
    copy.edit("config.json", |file| {
        let vision = file["vision_config"].as_object_mut().unwrap();
        assert!(vision.remove("num_hidden_layers").is_some());
        assert!(vision.remove("num_channels").is_some());
    });
    let snapshot = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let blobs = copy.home.path().file_name().unwrap();
    for entry in fs::read_dir(copy.home.path()).unwrap() {
        let name = entry.unwrap().file_name();
        let target = Path::new("..").join(blobs).join(&name);
        std::os::unix::fs::symlink(target, snapshot.path().join(name)).unwrap();
    }
    let before = fs::read(copy.path("preprocessor_config.json")).unwrap();
    let path = snapshot.path().to_path_buf();
    let folder = ModelFolder { name: "snapshot".into(), path, revision: None };
    for _ in 0..2 {
        engine.load(folder.clone(), Precision::Q8_0).unwrap();
        assert_eq!(engine.what_is("cat.jpg"), "A cat.");
    }
    assert_eq!(fs::read(copy.path("preprocessor_config.json")).unwrap(), before);
}

/// mistral.rs would fetch a vocabulary for such a template, and reads `params.json` unchecked.
#[test]
fn a_model_for_which_the_network_would_be_asked_is_refused() {
    let engine = Listener::start();
    let copy = Copy::new();
    copy.write("chat_template.jinja", "<|start|>user<|message|>hello<|end|>");
    copy.must_fail(&engine, "", "Harmony");
    let copy = Copy::new();
    copy.write("params.json", "{}");
    copy.must_fail(&engine, "", "params.json");
    still_works(&engine);
}

/// A checkpoint whose end of an answer only the tokenizer's files name.
#[test]
fn an_end_that_only_mistral_rs_knows_ends_the_answer() {
    let engine = Listener::start();
    let copy = Copy::new();
    fs::remove_file(copy.path("generation_config.json")).unwrap();
    copy.edit("config.json", |file| {
        file["eos_token_id"] = json!(0);
        file["text_config"]["eos_token_id"] = json!(0);
    });
    engine.load(copy.folder(), Precision::Q8_0).unwrap();
    assert_eq!(engine.what_is("cat.jpg"), "A cat.");
}

/// A template that forgets the picture makes mistral.rs panic on its own thread.
#[test]
fn a_panic_inside_becomes_an_error_and_the_engine_goes_on() {
    crate::alone("damaged_models::panic_inside");
}

#[test]
#[ignore = "why a foreign thread panicked is known to the process, so it has one for itself"]
fn panic_inside() {
    let engine = Listener::start();
    let copy = Copy::new();
    copy.edit("tokenizer_config.json", |file| {
        file["chat_template"] = json!("{% for m in messages %}hello{% endfor %}");
    });
    engine.load(copy.folder(), Precision::Q8_0).unwrap();
    let question = || seeing(&[picture(&sample("cat.jpg"))], "What is that?");
    for _ in 0..2 {
        let error = engine.ask(question()).unwrap_err();
        assert!(
            matches!(&error, EngineError::Crashed(why) if why.contains("chat template")),
            "{error}"
        );
    }
    still_works(&engine);
}

#[test]
fn a_damaged_container_is_named() {
    let engine = Listener::start();
    let home = tempfile::tempdir().unwrap();
    let shipped = folders().models.join(DEFAULT_MODEL);
    for entry in fs::read_dir(shipped).unwrap() {
        let entry = entry.unwrap();
        // The folders are of later revisions.
        if entry.path().is_file() {
            fs::copy(entry.path(), home.path().join(entry.file_name())).unwrap();
        }
    }
    let part = home.path().join("model.q8_0.gguf.2");
    let whole = fs::read(&part).unwrap();
    fs::write(&part, &whole[..whole.len() - 1]).unwrap();
    let path = home.path().to_path_buf();
    let model = ModelFolder { name: "cut".into(), path, revision: Some("1".into()) };
    // A cache of its own, or the whole copy there would serve.
    let mut request = request(model, Precision::Q8_0);
    request.folders.cache = home.path().join("cache");
    let loading = engine.engine.load(request).unwrap();
    let error = engine.answer(loading).unwrap_err();
    let is_named = |file: &Path| file.ends_with("model.q8_0.gguf.2");
    let EngineError::Model(ModelError::Damaged { file, .. }) = &error else { panic!("{error}") };
    assert!(is_named(file), "{error}");
    still_works(&engine);
}
