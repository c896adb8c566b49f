//! The vision towers against `PyTorch`: tiny random ones of every kind, and the shipped one, whose
//! features must make the language model say the very tokens it says to transformers'.

use std::collections::HashMap;
use std::path::PathBuf;

use candle_core::{Device, Tensor};
use image::RgbImage;
use lorgnette_encoder_towers::{Attention, Tower, TowerError};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde::Deserialize;

use crate::llama::Llama;
use crate::{root, shipped};

/// What `tests/reference/golden_encoder.py` writes.
struct Golden(HashMap<String, Tensor>);

impl Golden {
    fn read(name: &str) -> Self {
        let file = root().join("tests/golden/encoder").join(name);
        Self(candle_core::safetensors::load(file, &Device::Cpu).unwrap())
    }

    fn values(&self, name: &str) -> Vec<f32> {
        values(&self.0[name])
    }

    /// `[height, width, 3]`, u8.
    fn picture(&self, name: &str) -> RgbImage {
        let (height, width, _) = self.0[name].dims3().unwrap();
        let bytes = self.0[name].flatten_all().unwrap().to_vec1::<u8>().unwrap();
        RgbImage::from_raw(width as u32, height as u32, bytes).unwrap()
    }
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()
}

/// Greatest absolute difference.
fn off(own: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(own.len(), wanted.len());
    assert!(own.iter().all(|value| value.is_finite()));
    own.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn folder(kind: &str) -> PathBuf {
    root().join("tests/golden/encoder").join(kind)
}

fn received(attention: &Attention) -> Vec<f32> {
    attention.heads.iter().flatten().flat_map(|map| map.values().to_vec()).collect()
}

fn sum(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value)).sum()
}

#[test]
fn tiny_towers_of_every_kind_compute_what_transformers_does() {
    for kind in ["idefics3", "siglip", "clip"] {
        let golden = Golden::read(&format!("{kind}/expected.safetensors"));
        let tower = Tower::open(&folder(kind)).unwrap();
        let picture = golden.picture("picture");
        let pixels = tower.preprocessor().pixels(&picture).unwrap();

        let states = tower.states(&pixels).unwrap();
        let all = Tensor::stack(&states.layers, 0).unwrap();
        let layers = off(&values(&all), &golden.values("states"));
        let last = off(&values(&states.last), &golden.values("last"));
        let features = tower.features(&pixels).unwrap();
        assert_eq!(features.dims(), golden.0["features"].dims(), "{kind}");
        let features = off(&values(&features), &golden.values("features"));

        let attention = tower.attention(&picture).unwrap();
        let flow = off(attention.rollout.values(), &golden.values("rollout"));
        let heads = off(&received(&attention), &golden.values("received"));
        eprintln!(
            "{kind}: layers {layers:.1e}, last {last:.1e}, features {features:.1e}, \
             rollout {flow:.1e}, received {heads:.1e}"
        );
        assert!(layers < 1e-4 && last < 1e-4 && features < 1e-5, "{kind}");
        assert!(flow < 1e-6 && heads < 1e-6, "{kind}");
        assert_eq!((attention.rollout.rows(), attention.rollout.cols()), (4, 4));
        if kind != "clip" {
            // Where there is no class token, nothing flows anywhere but to patches.
            assert!((sum(attention.rollout.values()) - 1.0).abs() < 1e-6, "{kind}");
        }
    }
}

#[test]
fn the_pooling_heads_attention_equals_pytorchs_by_head() {
    let golden = Golden::read("siglip/expected.safetensors");
    let tower = Tower::open(&folder("siglip")).unwrap();
    let pixels = tower.preprocessor().pixels(&golden.picture("picture")).unwrap();
    let weights = tower.head().unwrap().weights(&tower.last_state(&pixels).unwrap()).unwrap();
    assert!(off(&values(&weights), &golden.values("probe")) < 1e-6);
}

#[test]
fn larger_pictures_are_sized_as_transformers_does_it() {
    // One level of 255, in normalised units.
    for (kind, level) in [("siglip", 1.0 / 255.0 / 0.5), ("clip", 1.0 / 255.0 / 0.26)] {
        let golden = Golden::read(&format!("{kind}/expected.safetensors"));
        let tower = Tower::open(&folder(kind)).unwrap();
        let picture = golden.picture("large");
        let pixels = tower.preprocessor().pixels(&picture).unwrap();
        let wanted = golden.values("large_pixels");
        let worst = off(&pixels.values, &wanted) / level;
        let pairs = pixels.values.iter().zip(&wanted);
        let far = pairs.filter(|(a, b)| (*a - *b).abs() > 1.1 * level).count();
        eprintln!("{kind}: within {worst:.1} levels, {far} of {} above 1", wanted.len());
        // Both round to 8 bits between width and height, but not the same way.
        assert!(worst < 2.1 && far * 500 < wanted.len(), "{kind}");
        let area = pixels.area;
        let rollout = tower.attention(&picture).unwrap().rollout;
        assert_eq!(rollout.area(), area);
        if kind == "clip" {
            // 75 by 50 becomes 42 by 28, of which the middle 28 columns stay.
            let wanted = [7.0 / 42.0, 0.0, 28.0 / 42.0, 1.0];
            let found = [area.x(), area.y(), area.width(), area.height()];
            assert!(off(&found, &wanted) < 1e-6, "{area}");
        } else {
            assert_eq!(area, values::region::Region::WHOLE);
        }
    }
}

#[test]
fn a_picture_of_another_size_is_refused_where_the_engine_has_sized_it() {
    let tower = Tower::open(&folder("idefics3")).unwrap();
    let error = tower.attention(&RgbImage::new(28, 27)).unwrap_err();
    assert_eq!(error, TowerError::PictureSize { width: 28, height: 27, side: 28 });
}

/// The tiny CLIP with one line of its configuration changed.
fn changed(from: &str, to: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for name in ["config.json", "preprocessor_config.json", "model.safetensors"] {
        std::fs::copy(folder("clip").join(name), home.path().join(name)).unwrap();
    }
    let config = std::fs::read_to_string(home.path().join("config.json")).unwrap();
    assert!(config.contains(from));
    std::fs::write(home.path().join("config.json"), config.replace(from, to)).unwrap();
    home
}

#[test]
fn a_tower_that_cannot_be_run_says_why() {
    let home = changed("\"intermediate_size\": 32", "\"intermediate_size\": 33");
    let error = Tower::open(home.path()).unwrap_err();
    assert!(matches!(error, TowerError::Damaged { .. }) && error.to_string().contains("fc1"));
    let home = changed("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4");
    let error = Tower::open(home.path()).unwrap_err().to_string();
    assert!(error.contains("encoder.layers.3.layer_norm1.weight"), "{error}");
    let home = changed("\"model_type\": \"clip\"", "\"model_type\": \"mllama\"");
    assert!(matches!(Tower::supports(home.path()), Err(TowerError::Unsupported { .. })));
    // 16385 tokens, each of which attends to all.
    let home = changed("\"image_size\": 28", "\"image_size\": 896");
    std::fs::write(home.path().join("preprocessor_config.json"), "{}").unwrap();
    let error = Tower::supports(home.path()).unwrap_err();
    assert!(matches!(error, TowerError::TooLarge { tokens: 16_385, .. }), "{error}");
}

fn png(name: &str) -> RgbImage {
    image::open(root().join("tests/golden/answers").join(name)).unwrap().to_rgb8()
}

#[test]
fn the_shipped_tower_computes_what_transformers_does() {
    let golden = Golden::read("shipped.safetensors");
    let folder = shipped();
    assert_eq!(Tower::supports(&folder).unwrap().tokens(), 256);
    let tower = Tower::open(&folder).unwrap();
    let picture = png("cat.png");
    let pixels = tower.preprocessor().pixels(&picture).unwrap();
    let row = |tensor: &Tensor, step: usize| {
        let rows: Vec<u32> = (0..tensor.dim(0).unwrap() as u32).step_by(step).collect();
        let rows = Tensor::new(rows, &Device::Cpu).unwrap();
        values(&tensor.index_select(&rows, 0).unwrap())
    };

    let states = tower.states(&pixels).unwrap();
    let layers = states.layers.iter().flat_map(|layer| values(&layer.get(100).unwrap()));
    let layers = off(&layers.collect::<Vec<_>>(), &golden.values("states"));
    let last = off(&row(&states.last, 32), &golden.values("last"));
    let features = tower.features(&pixels).unwrap();
    assert_eq!(features.dims(), [64, 576]);
    let features = off(&row(&features, 8), &golden.values("features"));

    let attention = tower.attention(&picture).unwrap();
    let flow = off(attention.rollout.values(), &golden.values("rollout"));
    let first_heads = attention.heads.iter().flat_map(|heads| heads[0].values().to_vec());
    let heads = off(&first_heads.collect::<Vec<_>>(), &golden.values("received"));
    eprintln!(
        "layers {layers:.1e}, last {last:.1e}, features {features:.1e}, rollout {flow:.1e}, \
         received {heads:.1e}"
    );
    assert!(layers < 1e-3 && last < 1e-3 && features < 1e-3);
    assert!(flow < 1e-6 && heads < 1e-6);
    assert!((sum(attention.rollout.values()) - 1.0).abs() < 1e-6);
    assert_eq!((attention.heads.len(), attention.heads[0].len()), (12, 6));
    for map in attention.heads.iter().flatten() {
        assert!((sum(map.values()) - 1.0).abs() < 1e-4, "rows of a softmax sum to 1");
    }
}

/// What `tests/reference/golden_answers.py` writes.
#[derive(Deserialize)]
struct Answers {
    end_token: u32,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    images: Vec<String>,
    max_new_tokens: usize,
    prompt_tokens: Vec<u32>,
    answer_tokens: Vec<u32>,
}

/// The features are the ones the answers came from: read by the same language model, they make it
/// say the same.
#[test]
fn our_features_lead_to_the_golden_answers_token_by_token() {
    let text = std::fs::read_to_string(root().join("tests/golden/answers/answers.json")).unwrap();
    let answers: Answers = serde_json::from_str(&text).unwrap();
    let folder = shipped();
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let image = config["image_token_id"].as_u64().unwrap() as u32;
    let (tower, llama) = (Tower::open(&folder).unwrap(), Llama::open(&folder));
    assert!(answers.cases.len() >= 7);
    for case in answers.cases {
        let features = case
            .images
            .iter()
            .map(|name| tower.features(&tower.preprocessor().pixels(&png(name)).unwrap()).unwrap());
        let features = Tensor::cat(&features.collect::<Vec<_>>(), 0).unwrap();
        let places = case.prompt_tokens.iter().filter(|token| **token == image).count();
        assert_eq!(places, features.dim(0).unwrap(), "{}", case.name);
        let prompt = llama.embed(&case.prompt_tokens, image, &features).unwrap();
        let answer = llama.greedy(&prompt, answers.end_token, case.max_new_tokens).unwrap();
        assert_eq!(answer, case.answer_tokens, "{}", case.name);
    }
}

/// Ranks from 0, equal values sharing the mean of theirs.
fn ranks(values: &[f32]) -> Vec<f64> {
    let below = |value: f32| values.iter().filter(|other| **other < value).count();
    let equal = |value: f32| values.iter().filter(|other| other.total_cmp(&value).is_eq()).count();
    values.iter().map(|v| below(*v) as f64 + (equal(*v) as f64 - 1.0) / 2.0).collect()
}

/// Spearman's rank correlation.
fn spearman(a: &[f32], b: &[f32]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let middle = (a.len() as f64 - 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum()
    };
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

/// The check of Adebayo et al. 2018 ("Sanity Checks for Saliency Maps"): a map that looks the same
/// whatever the weights says nothing of the model.
#[test]
fn shuffled_weights_give_another_rollout() {
    let folder = shipped();
    let file = folder.join("model.safetensors");
    let home = tempfile::tempdir().unwrap();
    for name in ["config.json", "preprocessor_config.json"] {
        std::fs::copy(folder.join(name), home.path().join(name)).unwrap();
    }
    // Each tensor keeps its numbers, but in another order.
    let weights = lorgnette_encoder_towers::weights::Weights::open(&folder).unwrap();
    let mut random = StdRng::seed_from_u64(11);
    let mut names: Vec<(String, Vec<usize>)> = header(&file);
    names.sort();
    let shuffled = names.into_iter().map(|(name, shape)| {
        let mut numbers = values(&weights.get(&name, &shape).unwrap());
        if name.contains("encoder.layers") {
            numbers.shuffle(&mut random);
        }
        let tensor = Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap();
        (name, tensor)
    });
    let shuffled: HashMap<String, Tensor> = shuffled.collect();
    candle_core::safetensors::save(&shuffled, home.path().join("model.safetensors")).unwrap();

    let (true_tower, shuffled) = (Tower::open(&folder).unwrap(), Tower::open(home.path()).unwrap());
    let names = ["cat.png", "coffee.png", "dahlia.png", "lemon.png", "t-shirt.png"];
    let correlations = names.map(|name| {
        let [a, b] = [&true_tower, &shuffled].map(|tower| tower.attention(&png(name)).unwrap());
        let correlation = spearman(a.rollout.values(), b.rollout.values());
        eprintln!("{name}: Spearman {correlation:.3}");
        correlation
    });
    // Measured over five orders and these pictures: -0.62 to 0.63 for one map, since patches that
    // look alike attend to each other whatever the weights; -0.22 to 0.10 for the mean of five.
    let mean = correlations.iter().sum::<f64>() / correlations.len() as f64;
    assert!(correlations.iter().all(|correlation| correlation.abs() < 0.8), "{correlations:?}");
    assert!(mean.abs() < 0.35, "{mean}");
}

/// Names and shapes of the tower's and the connector's tensors.
fn header(file: &std::path::Path) -> Vec<(String, Vec<usize>)> {
    use std::io::Read;

    let mut source = std::fs::File::open(file).unwrap();
    let mut length = [0; 8];
    source.read_exact(&mut length).unwrap();
    let mut header = vec![0; u64::from_le_bytes(length) as usize];
    source.read_exact(&mut header).unwrap();
    let metadata: safetensors::tensor::Metadata = serde_json::from_slice(&header).unwrap();
    let tensors = metadata.tensors().into_iter().filter(|(name, _)| !name.contains("text_model"));
    tensors.map(|(name, info)| (name, info.shape.clone())).collect()
}
