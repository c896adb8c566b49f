//! The maps of the shipped model, from the outside: drawn, written down, and right more often than
//! chance where they claim to be.

use std::path::Path;
use std::process::Command;
use values::config::Precision;

use encoder::VisionEncoder;
use engine::{EngineEvent, ScoreRequest, Scores};
use eval::composites::{self, Named};
use eval::{EvalError, Looker};
use explain::LEAST_SUPPORT;
use image::{Rgb, RgbImage, imageops};
use serde_json::Value;
use towers::ENCODERS;
use values::frame::{Frame, Source};
use values::picture::{Filter, ImageInput, Look, resize};

use crate::listener::{Listener, WITNESS};
use crate::support::{cache, picture, sample};

/// Runs `lorgnette` with these arguments and gives what it wrote as JSON.
fn lorgnette(arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lorgnette"));
    let output = command.args(arguments).env("LORGNETTE_CACHE_DIR", cache()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_maps_of_a_marked_part_are_drawn_and_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("maps");
    let file = sample("two-objects.jpg");
    let arguments =
        ["ask", "--json", "--heatmap", text(&out), "--region", "350,0,350,350", text(&file)];
    let report = lorgnette(&arguments);
    let maps = &report["maps"];
    assert_eq!(maps["encoder_attention"]["rows"], 16);
    let words = maps["words"].as_array().unwrap();
    let answer = report["text"].as_str().unwrap();
    assert_eq!(words.len(), 2, "{answer}");
    for word in words {
        let bytes = |end: &str| word["bytes"][end].as_u64().unwrap() as usize;
        assert_eq!(&answer[bytes("start")..bytes("end")], word["text"]);
        assert_eq!(word["map"]["rows"], 4);
    }
    let phrases = maps["phrases"].as_array().unwrap();
    assert_eq!(phrases.len(), 1, "{phrases:?}");
    let phrase = &phrases[0];
    assert_eq!((&phrase["tied_by"], &phrase["label"]), (&"label".into(), &"lemon".into()));
    let place = &phrase["places"][0];
    assert!(place["strength"].as_f64().unwrap() > 0.5);
    // The right half with its surroundings, and nothing beyond them.
    let part = |name: &str| place["box"][name].as_f64().unwrap();
    assert!(part("x") >= 0.42 && part("x") + part("width") <= 1.0 + 1e-6, "{phrase}");

    let numbers = std::fs::read(out.join("maps.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&numbers).unwrap();
    assert_eq!(tensors.tensor("encoder").unwrap().shape(), [16, 16]);
    let drawn: Vec<String> = std::fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with("png"))
        .collect();
    assert_eq!(drawn.len(), tensors.names().len(), "a picture for each tensor: {drawn:?}");
    let picture = image::open(&file).unwrap().into_rgb8();
    let encoder = image::open(out.join("encoder.png")).unwrap().into_rgb8();
    assert_eq!(picture.dimensions(), encoder.dimensions());
    let beyond = |x: u32, y: u32| picture.get_pixel(x, y) == encoder.get_pixel(x, y);
    assert!((0..250).step_by(10).all(|x| beyond(x, 100)), "nothing is drawn beyond the part");
}

/// An engine with the model in f32, how that is shown pictures, and its encoder.
fn engine() -> (Listener, ImageInput, Box<dyn VisionEncoder>) {
    let listener = Listener::start();
    let model = listener.load_default(Precision::F32).unwrap();
    let vision = (ENCODERS.vision)(&model.folder).unwrap();
    (listener, model.input, vision)
}

fn read(listener: &Listener, wanted: ScoreRequest) -> Result<Scores, EvalError> {
    let asked = listener.engine.score(wanted)?;
    loop {
        match listener.next() {
            EngineEvent::Scored(id, scores) if id == asked => return Ok(*scores),
            EngineEvent::Failed(id, error) if id == asked => return Err(EvalError::from(error)),
            _ => {}
        }
    }
}

#[test]
fn an_absent_word_is_told_from_one_that_is_there() {
    let (listener, input, vision) = engine();
    let mut read = |wanted| read(&listener, wanted);
    let mut looker =
        Looker { read: &mut read, input: &input, vision: &*vision, witness: &WITNESS, told: true };
    let names = ["cat", "lemon", "orange", "cucumber", "t-shirt", "banana", "rocket", "hat"];
    let (mut there, mut absent) = (Vec::new(), Vec::new());
    for (index, name) in names.iter().enumerate() {
        let picture = picture(&sample(&format!("{name}.jpg")));
        let mut support = |name| looker.look(&picture, name, false).unwrap().support;
        there.push(support(name));
        for step in [2, 5] {
            let other = names[(index + step) % names.len()];
            absent.push(support(other));
        }
    }
    let pairs = there.iter().flat_map(|a| absent.iter().map(move |b| (a, b)));
    let right = pairs.filter(|(there, absent)| there > absent).count();
    let share = right as f32 / (there.len() * absent.len()) as f32;
    let counted = |all: &[f32]| all.iter().filter(|gain| **gain >= LEAST_SUPPORT).count();
    eprintln!(
        "{share:.2} of pairs; taken for there: {} of {}, and {} of {} that are not",
        counted(&there),
        there.len(),
        counted(&absent),
        absent.len()
    );
    eprintln!("there {there:.1?}\nabsent {absent:.1?}");
    assert!(share > 0.85, "{share}");
}

#[test]
fn swapping_the_word_moves_where_it_is_seen_and_not_the_encoders_attention() {
    let (listener, input, vision) = engine();
    let mut read = |wanted| read(&listener, wanted);
    let names = ["cat", "lemon", "rocket", "banana", "chair", "hat", "pineapple", "shoes"];
    let pictures: Vec<Named> = names
        .iter()
        .map(|name| Named {
            names: vec![name.trim_end_matches('s').to_owned()],
            pixels: (*picture(&sample(&format!("{name}.jpg"))).frame.pixels).clone(),
        })
        .collect();
    let mut looker =
        Looker { read: &mut read, input: &input, vision: &*vision, witness: &WITNESS, told: true };
    let outcome =
        composites::play(&pictures, 6, 1, &WITNESS, Some(&mut looker), &mut |_| ()).unwrap();
    for row in &outcome.rows {
        eprintln!("{}: {:?}, energy {:?}", row.name, row.pointing, row.energy);
    }
    eprintln!("presence {:?} of {} pairs", outcome.presence, outcome.pairs);
    let row = |name: &str| outcome.rows.iter().find(|row| row.name == name).unwrap();
    assert_eq!(row("seen alone").n, 24);
    // Fifteen: of these eight, a rocket has no name of its own, and a pineapple is seen in other fruit.
    let label = (row("label map").pointing.share * 24.0).round();
    assert!(label >= 14.0, "{label} of 24");
    // Each composite has one map of attention for its four names: it is right once in four.
    assert!((row("encoder attention").pointing.share - 0.25).abs() < 1e-9);
    // By chance, eleven or more of 24 are right once in fifty times.
    let right = (row("seen alone").pointing.share * 24.0).round();
    assert!(right >= 11.0, "{right} of 24");
    assert!(row("seen alone").energy.unwrap() > 0.25);
}

#[test]
fn a_blank_picture_has_no_phrase_and_maps_that_are_known_to_say_nothing() {
    let (_, _, vision) = engine();
    let contrast = |picture: &Look| {
        let maps = vision.attention(picture).unwrap();
        (maps.rollout.stats().contrast(), maps.plain)
    };
    let pixels = RgbImage::from_pixel(224, 224, Rgb([128, 128, 128]));
    let blank = Look { frame: Frame::new(pixels, Source::Memory("grey".into())), region: None };
    let (grey, cat) = (contrast(&blank), contrast(&picture(&sample("cat.jpg"))));
    eprintln!("contrast of rollout: grey {}, cat {}", grey.0, cat.0);
    assert!(grey.0 < cat.0 && grey.1 && !cat.1);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("grey.png");
    blank.frame.pixels.save(&file).unwrap();
    let report = lorgnette(&["ask", "--json", "--ground", text(&file)]);
    let maps = &report["maps"];
    let placed = |phrase: &&Value| phrase["places"] != serde_json::json!([]);
    let phrases = maps["phrases"].as_array().unwrap();
    assert_eq!(phrases.iter().filter(placed).count(), 0, "{report}");
    for word in maps["words"].as_array().unwrap() {
        let most = word["seen_alone"]["max"].as_f64().unwrap();
        assert!(most.abs() < 1e-3, "nothing of a blank picture is seen: {word}");
    }
}

#[test]
fn a_part_without_anything_in_it_supports_no_name() {
    let (listener, input, vision) = engine();
    let mut read = |wanted| read(&listener, wanted);
    let mut looker =
        Looker { read: &mut read, input: &input, vision: &*vision, witness: &WITNESS, told: true };
    for (name, file) in [("lemon", "lemon.jpg"), ("hammer", "hammer.jpg")] {
        // The thing on the left, and grey on the right: what is told of the whole names it.
        let thing = resize(&picture(&sample(file)).frame.pixels, 224, 224, Filter::Lanczos);
        let mut pixels = RgbImage::from_pixel(448, 224, Rgb([128; 3]));
        imageops::replace(&mut pixels, &thing, 0, 0);
        let frame = Frame::new(pixels, Source::Memory("half of it".into()));
        let picture = Look { frame, region: None };
        let seen = WITNESS.evidence(&picture).unwrap();
        assert!(seen.labels.iter().any(|label| label.name == name), "{:?}", seen.labels);
        let found = looker.look(&picture, name, true).unwrap();
        let map = found.seen.unwrap();
        // Three windows a side, half the picture each: those on the right see grey alone, and what is
        // next to impossible either way is a little likelier in one of them.
        let support: Vec<f32> =
            (0..map.rows()).map(|row| map.values()[row * map.cols() + map.cols() - 1]).collect();
        eprintln!("{name}: {:.1} at its best, {support:.2?} where all is grey", map.stats().max);
        let most = map.stats().max;
        assert!(support.iter().all(|gain| *gain < most / 10.0), "{support:?}");
        assert!(map.peak().0 < 0.6 && most > LEAST_SUPPORT, "{map:?}");
    }
}
