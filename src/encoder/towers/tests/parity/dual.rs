//! Dual encoders against `PyTorch`: tiny random CLIP and `SigLIP` folders in `golden/dual`, made by
//! `reference/golden_dual.py`.

use std::collections::HashMap;
use std::path::PathBuf;

use candle_core::{Device, Tensor};
use image::RgbImage;
use lorgnette_encoder_towers::TowerError;
use lorgnette_encoder_towers::config::Family;
use lorgnette_encoder_towers::dual::tokenizer::PhraseTokenizer;
use lorgnette_encoder_towers::dual::{DualEncoder, EncodedImage, PhraseMethod, zero_shot};
use serde_json::Value;
use tempfile::TempDir;
use values::heatmap::Heatmap;
use values::region::Region;

const TOLERANCE: f32 = 1e-5;

fn folder(kind: &str) -> PathBuf {
    crate::root().join("tests/golden/dual").join(kind)
}

/// A golden folder, the model in it and what is expected of it.
struct Golden {
    model: DualEncoder,
    image: EncodedImage,
    tensors: HashMap<String, Tensor>,
    facts: Value,
}

impl Golden {
    fn open(kind: &str) -> Self {
        let folder = folder(kind);
        let model = DualEncoder::load(&folder).unwrap();
        let image = model.embed_image(&picture(kind)).unwrap();
        let tensors = folder.join("expected.safetensors");
        let tensors = candle_core::safetensors::load(tensors, &Device::Cpu).unwrap();
        let facts = std::fs::read_to_string(folder.join("expected.json")).unwrap();
        Self { model, image, tensors, facts: serde_json::from_str(&facts).unwrap() }
    }

    fn row(&self, name: &str, row: usize) -> Vec<f32> {
        self.tensors[name].get(row).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    fn all(&self, name: &str) -> Vec<f32> {
        self.tensors[name].flatten_all().unwrap().to_vec1().unwrap()
    }

    fn texts(&self, name: &str) -> Vec<String> {
        serde_json::from_value(self.facts[name].clone()).unwrap()
    }

    /// Checks the maps of every label by `method` against the golden ones.
    fn check_maps(&self, method: PhraseMethod, name: &str, area: Region) {
        for (row, label) in self.texts("labels").iter().enumerate() {
            let map = self.model.phrase_map_by(method, &self.image, label).unwrap();
            assert_close(map.heatmap.values(), &self.row(name, row), name);
            assert_area(&map.heatmap, area);
            assert_eq!(map.method, method);
            assert_eq!(map.presence, self.model.presence(&self.image, label).unwrap());
        }
    }
}

fn picture(kind: &str) -> RgbImage {
    image::open(folder(kind).join("picture.png")).unwrap().to_rgb8()
}

fn distance(found: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(found.len(), wanted.len());
    found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn assert_close(found: &[f32], wanted: &[f32], what: &str) {
    let off = distance(found, wanted);
    println!("{what}: {off:e}");
    assert!(off <= TOLERANCE, "{what} is off by {off:e}");
}

fn assert_area(map: &Heatmap, wanted: Region) {
    let sides = |area: Region| [area.x(), area.y(), area.width(), area.height()];
    assert!(distance(&sides(map.area()), &sides(wanted)) < 1e-6, "{}", map.area());
}

/// A copy of a golden folder in which `change` was made to `config.json`.
fn changed(kind: &str, change: impl FnOnce(&mut Value)) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder(kind)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let file = copy.path().join("config.json");
    let mut config = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    change(&mut config);
    std::fs::write(file, config.to_string()).unwrap();
    copy
}

#[test]
fn a_model_and_its_pictures_go_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<DualEncoder>();
    check::<EncodedImage>();
}

#[test]
fn embeddings_are_those_of_transformers() {
    for kind in ["clip", "siglip"] {
        let golden = Golden::open(kind);
        assert_eq!(golden.model.name(), kind);
        // Upper case, accents, punctuation, more than the context holds, nothing at all.
        for (row, phrase) in golden.texts("phrases").iter().enumerate() {
            let found = golden.model.embed_text(phrase).unwrap();
            assert_close(found.values(), &golden.row("text_embeds", row), "text_embeds");
        }
        let image = golden.image.embedding();
        assert_close(image.values(), &golden.row("image_embeds", 0), "image_embeds");
    }
}

#[test]
fn tokens_are_those_of_transformers() {
    for (kind, family) in [("clip", Family::Clip), ("siglip", Family::Siglip)] {
        let golden = Golden::open(kind);
        let config = std::fs::read_to_string(folder(kind).join("config.json")).unwrap();
        let config: Value = serde_json::from_str(&config).unwrap();
        let vocabulary = config["text_config"]["vocab_size"].as_u64().unwrap() as usize;
        let tokenizer = PhraseTokenizer::read(&folder(kind), family, 16, vocabulary).unwrap();
        let tokens: Vec<Vec<u32>> = serde_json::from_value(golden.facts["tokens"].clone()).unwrap();
        for (phrase, wanted) in golden.texts("phrases").iter().zip(tokens) {
            assert_eq!(tokenizer.tokens(phrase).unwrap(), wanted, "{phrase:?}");
        }
        let error = PhraseTokenizer::read(&folder(kind), family, 16, vocabulary - 1).unwrap_err();
        assert!(matches!(error, TowerError::Damaged { .. }), "{error}");
    }
}

#[test]
fn a_siglip_2_folder_keeps_punctuation_and_its_own_marks() {
    let copy = changed("siglip", |_| ());
    let settings = r#"{"tokenizer_class": "GemmaTokenizer", "padding_side": "left",
        "eos_token": {"content": "</s>"}, "pad_token": "<pad>"}"#;
    std::fs::write(copy.path().join("tokenizer_config.json"), settings).unwrap();
    let tokenizer = PhraseTokenizer::read(copy.path(), Family::Siglip, 12, 88).unwrap();
    let plain = PhraseTokenizer::read(&folder("siglip"), Family::Siglip, 12, 88).unwrap();
    let (found, without) = (tokenizer.tokens("A Cat!").unwrap(), plain.tokens("A Cat!").unwrap());
    // <pad> is 0, </s> 1 and <unk>, which the exclamation mark is here, 2.
    let words: Vec<u32> = without.into_iter().take_while(|token| *token != 1).collect();
    let wanted = [vec![0; 12 - words.len() - 2], words, vec![2, 1]].concat();
    assert_eq!(found, wanted);
}

#[test]
fn the_text_tower_obeys_its_configuration() {
    let golden = Golden::open("clip");
    let phrase = &golden.texts("phrases")[0];
    let usual = golden.row("text_embeds", 0);
    for (field, name, fact) in
        [("hidden_act", "text_gelu", "gelu"), ("eos_token_id", "text_end_a", "end_a")]
    {
        let value = golden.facts[fact].clone();
        let copy = changed("clip", |config| config["text_config"][field] = value);
        let found = DualEncoder::load(copy.path()).unwrap().embed_text(phrase).unwrap();
        assert_close(found.values(), &golden.row(name, 0), name);
        assert!(distance(found.values(), &usual) > 100.0 * TOLERANCE, "{name} tells them apart");
    }
    // Where the older `text_config_dict` is there, it counts.
    let copy = changed("clip", |config| {
        config["text_config_dict"] = config["text_config"].clone();
        config["text_config"]["hidden_act"] = "gelu".into();
    });
    let found = DualEncoder::load(copy.path()).unwrap().embed_text(phrase).unwrap();
    assert_close(found.values(), &usual, "text_config_dict");
}

#[test]
fn labels_are_prompted_and_shared_out_as_the_papers_do() {
    for kind in ["clip", "siglip"] {
        let golden = Golden::open(kind);
        assert_eq!(golden.texts("templates"), zero_shot::TEMPLATES);
        let labels = golden.texts("labels");
        // Twice: the second time from what was kept.
        for _ in 0..2 {
            for (row, label) in labels.iter().enumerate() {
                let found = golden.model.embed_choice(label).unwrap();
                assert_close(found.values(), &golden.row("label_embeds", row), "label_embeds");
            }
            let (names, shares): (Vec<_>, Vec<_>) =
                golden.model.zero_shot(&golden.image, &labels).unwrap().into_iter().unzip();
            assert_eq!(names, labels);
            assert_close(&shares, &golden.all("shares"), "shares");
        }
        for (label, share) in labels.iter().zip(golden.all("shares")) {
            let presence = golden.model.presence(&golden.image, label).unwrap();
            match kind {
                "clip" => assert_eq!(presence.probability, None),
                _ => assert_close(&[presence.probability.unwrap()], &[share], "presence"),
            }
        }
        assert!(golden.model.zero_shot(&golden.image, &[]).unwrap().is_empty());
    }
    let clip = Golden::open("clip").all("shares");
    assert!((clip.iter().sum::<f32>() - 1.0).abs() < TOLERANCE);
}

#[test]
fn clip_maps_are_those_of_the_reference_repositories() {
    let golden = Golden::open("clip");
    assert_eq!(golden.model.methods(), [PhraseMethod::ClearClip, PhraseMethod::ClipSurgery]);
    // 60 × 40 pixels, of which the middle 40 × 40 are seen.
    let middle = Region::new(10.0 / 60.0, 0.0, 40.0 / 60.0, 1.0).unwrap();
    golden.check_maps(PhraseMethod::ClearClip, "clear_clip", middle);
    golden.check_maps(PhraseMethod::ClipSurgery, "surgery_single", middle);
    let maps = golden.model.surgery_maps(&golden.image, &golden.texts("labels")).unwrap();
    assert_eq!(maps.len(), 4);
    for (row, map) in maps.iter().enumerate() {
        assert_close(map.values(), &golden.row("surgery", row), "surgery");
        assert_area(map, middle);
    }
}

#[test]
fn siglip_maps_are_those_of_autograd() {
    let golden = Golden::open("siglip");
    assert_eq!(golden.model.methods(), [PhraseMethod::MapGrad, PhraseMethod::MapMaskClip]);
    // Four patches of 7 pixels on a side of 30.
    let seen = Region::new(0.0, 0.0, 28.0 / 30.0, 28.0 / 30.0).unwrap();
    golden.check_maps(PhraseMethod::MapGrad, "map_grad", seen);
    golden.check_maps(PhraseMethod::MapMaskClip, "map_mask_clip", seen);
    for (label, wanted) in golden.texts("labels").iter().zip(golden.all("map_grad_sum")) {
        let map = golden.model.phrase_map(&golden.image, label).unwrap();
        assert_eq!(map.method, PhraseMethod::MapGrad, "the first method is the default");
        assert_close(&[map.heatmap.values().iter().sum()], &[wanted], "map_grad_sum");
    }
}

#[test]
fn an_empty_phrase_is_refused_but_can_be_embedded() {
    let golden = Golden::open("clip");
    for phrase in ["", " \t"] {
        let error = golden.model.phrase_map(&golden.image, phrase).unwrap_err();
        assert_eq!(error, TowerError::EmptyPhrase);
        assert!(golden.model.presence(&golden.image, phrase).is_err());
        assert!(golden.model.zero_shot(&golden.image, &["cat".into(), phrase.into()]).is_err());
        golden.model.embed_text(phrase).unwrap();
    }
    assert_eq!(golden.model.surgery_maps(&golden.image, &[]).unwrap_err(), TowerError::EmptyPhrase);
    let empty = golden.model.embed_image(&RgbImage::new(0, 5)).unwrap_err();
    assert!(matches!(empty, TowerError::PictureSize { .. }), "{empty}");
}

#[test]
fn a_method_of_the_other_family_is_refused() {
    let (clip, siglip) = (Golden::open("clip"), Golden::open("siglip"));
    for method in siglip.model.methods() {
        let error = clip.model.phrase_map_by(*method, &clip.image, "cat").unwrap_err();
        assert!(error.to_string().contains("does not work with clip"), "{error}");
    }
    for method in clip.model.methods() {
        let error = siglip.model.phrase_map_by(*method, &siglip.image, "cat").unwrap_err();
        assert!(matches!(error, TowerError::Method { .. }), "{error}");
    }
    let error = siglip.model.surgery_maps(&siglip.image, &["cat".into()]).unwrap_err();
    assert!(matches!(error, TowerError::Method { method: "CLIP Surgery", .. }), "{error}");
}

#[test]
fn a_folder_that_is_neither_is_refused_with_what_to_do() {
    for kind in ["idefics3", "clip_vision_model", ""] {
        let copy = changed("clip", |config| config["model_type"] = kind.into());
        let error = DualEncoder::load(copy.path()).unwrap_err();
        assert!(matches!(error, TowerError::NotDual { .. }), "{error}");
        let text = error.to_string();
        assert!(text.ends_with("choose a CLIP or SigLIP folder") && text.lines().count() == 1);
    }
    let empty = tempfile::tempdir().unwrap();
    let error = DualEncoder::load(empty.path()).unwrap_err();
    assert!(error.to_string().contains("lacks config.json"), "{error}");
}

#[test]
fn missing_and_damaged_files_are_named() {
    for kind in ["clip", "siglip"] {
        for name in ["tokenizer.json", "model.safetensors", "preprocessor_config.json"] {
            let copy = changed(kind, |_| ());
            std::fs::remove_file(copy.path().join(name)).unwrap();
            let error = DualEncoder::load(copy.path()).unwrap_err();
            assert!(error.to_string().contains(&format!("lacks {name}")), "{error}");
        }
        let copy = changed(kind, |_| ());
        std::fs::write(copy.path().join("tokenizer.json"), "{\"model\": 1}").unwrap();
        let error = DualEncoder::load(copy.path()).unwrap_err();
        let TowerError::Damaged { file, .. } = &error else { panic!("{error}") };
        assert!(file.ends_with("tokenizer.json"));
        assert_eq!(error.to_string().lines().count(), 1);
        // A field the weights do not bear out; sizes that do not divide each other.
        for (field, value) in
            [("intermediate_size", 41), ("num_attention_heads", 5), ("vocab_size", 9)]
        {
            let copy = changed(kind, |config| config["text_config"][field] = value.into());
            let error = DualEncoder::load(copy.path()).unwrap_err();
            assert!(matches!(error, TowerError::Damaged { .. }), "{field}: {error}");
        }
        let copy = changed(kind, |config| config["text_config"]["hidden_act"] = "swish-ish".into());
        let error = DualEncoder::load(copy.path()).unwrap_err();
        assert!(matches!(error, TowerError::Unsupported { .. }), "{error}");
    }
    // The small files do not have to be there.
    let copy = changed("clip", |_| ());
    std::fs::remove_file(copy.path().join("tokenizer_config.json")).unwrap();
    DualEncoder::load(copy.path()).unwrap();
}
