//! What comes with the source: `tests/golden/evidence` and the samples.

use std::time::Instant;

use evidence::{EvidenceError, LABEL_ENCODER, LabelEncoder};
use image::{Rgb, RgbImage};
use lorgnette_evidence_specialists::Encoder;
use serde::Deserialize;
use values::frame::{Frame, Source};
use values::picture::Look;
use values::region::Region;

use crate::{Expected, agree, encoder, greatest_difference, root, tensors};

#[derive(Deserialize)]
struct Golden {
    /// Width and height of a picture, and of what it is resized to.
    sizes: Vec<[u32; 4]>,
    pictures: Vec<Expected>,
}

fn golden() -> Golden {
    let text = std::fs::read_to_string(root().join("tests/golden/evidence/expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn sample(name: &str) -> Frame {
    capture::load(&root().join("assets/samples").join(name)).unwrap()
}

fn made(pixels: RgbImage) -> Frame {
    Frame::new(pixels, Source::Memory("made".into()))
}

pub fn sizes() {
    let encoder = encoder();
    for [width, height, wide, high] in golden().sizes {
        let ours = encoder.set().input.size(width, height);
        assert_eq!(ours, (wide, high), "{width} x {height}");
    }
}

pub fn probes() {
    let (encoder, folder) = (encoder(), root().join("tests/golden/evidence"));
    let wanted = tensors(&folder.join("expected.safetensors"));
    for (name, sample) in [("high", "cat"), ("wide", "coffee")] {
        let file = folder.join(format!("{name}.{sample}.png"));
        let output = encoder.run(&image::open(file).unwrap().into_rgb8()).unwrap();
        let apart = greatest_difference(&output.logits, &wanted[&format!("{name}.logits")]);
        assert!(apart <= 1e-3, "{name}: {apart}");
        let by_score = |a: &usize, b: &usize| output.logits[*a].total_cmp(&output.logits[*b]);
        let row = (0..output.logits.len()).max_by(by_score).unwrap();
        let cells = output.grid.0 * output.grid.1;
        let map = &output.maps[row * cells..][..cells];
        let apart = greatest_difference(map, &wanted[&format!("{name}.map")]);
        assert!(apart <= 1e-3, "{name}: {apart}");
        // A label's score is the mean of its map.
        let mean = map.iter().sum::<f32>() / cells as f32;
        assert!((mean - output.logits[row]).abs() <= 1e-3, "{name}");
    }
}

pub fn samples() {
    let encoder = encoder();
    let pictures = golden().pictures;
    let compared = pictures.iter().map(|it| it.compare(sample(&it.image), &encoder));
    let (lists, colours) = agree(compared);
    assert_eq!(pictures.len(), 20);
    assert!(lists >= 19 && colours >= 19, "{lists} have the same lists, {colours} colours");
}

/// The network alone is not sure of one either, whatever the grey.
pub fn bare() {
    let encoder = encoder();
    for value in (0..=255).step_by(15) {
        let pixels = RgbImage::from_pixel(96, 96, Rgb([value; 3]));
        let best = encoder.set().chances(&encoder.run(&pixels).unwrap().logits)[0].1;
        assert!(best < 0.5, "{value}: {best}");
        let look = Look { frame: made(pixels), region: None };
        assert_eq!(encoder.maps(&look).unwrap().labels().iter().count(), 0, "{value}");
    }
    let empty = Look { frame: made(RgbImage::new(0, 0)), region: None };
    assert_eq!(encoder.maps(&empty), Err(EvidenceError::NoPixels));
}

pub fn marked() {
    let encoder = encoder();
    let frame = sample("two-objects.jpg");
    let (width, height) = frame.pixels.dimensions();
    for region in [(0.5, 0.5, 0.5, 0.5), (0.0, 0.0, 0.4, 0.9)] {
        let region = Region::new(region.0, region.1, region.2, region.3).unwrap();
        let look = Look { frame: frame.clone(), region: Some(region) };
        let part = encoder.maps(&look).unwrap();
        let alone = Look { frame: made(look.shown().into_owned()), region: None };
        let logits = encoder.run(&encoder.sized(&alone.frame.pixels)).unwrap().logits;
        let chances = encoder.set().chances(&logits);
        let alone = encoder.maps(&alone).unwrap();
        assert!(part.labels().iter().count() > 0);
        assert_eq!(part.labels(), alone.labels());
        for label in part.labels().iter() {
            let [part, alone] = [&part, &alone].map(|maps| maps.find(&label.name).unwrap());
            assert_eq!((&part.label, part.map.values()), (label, alone.map.values()));
            assert_eq!(part.map.area(), region.surroundings(width, height));
            assert_eq!(alone.map.area(), Region::WHOLE);
            // The map is where the score comes from: its mean is a row's, up to rounding.
            let mean = part.map.stats().mean;
            let row = logits.iter().map(|logit| (logit - mean).abs()).fold(f32::MAX, f32::min);
            assert!(row < 1e-4, "{}: {mean}", label.name);
            let chance = chances.iter().find(|(name, _)| *name == label.name).unwrap().1;
            assert!((chance - f64::from(label.probability)).abs() < 1e-6);
        }
    }
}

pub fn damaged() {
    let folder = tempfile::tempdir().unwrap();
    let told = |wanted: &str| {
        let error = Encoder::open(folder.path()).err().unwrap().to_string();
        let is_told = error.contains(wanted) && error.ends_with("install Lorgnette again");
        assert!(is_told && !error.contains('\n'), "{error}");
    };
    told("labels.json");
    let shipped = root().join("models").join(LABEL_ENCODER);
    let json = folder.path().join("labels.json");
    std::fs::copy(shipped.join("labels.json"), &json).unwrap();
    told("labels.onnx");
    let whole = std::fs::read(shipped.join("labels.onnx")).unwrap();
    let other = b"{}".as_slice();
    for bytes in [&[], other, &whole[..1000], &whole[..whole.len() / 2]] {
        std::fs::write(folder.path().join("labels.onnx"), bytes).unwrap();
        told("labels.onnx");
    }
    std::fs::write(&json, "{\"rows\": 1339}").unwrap();
    told("labels.json");
}

/// Seconds to open the encoder, and to find labels and colours in a sample.
pub fn time() {
    let started = Instant::now();
    let encoder = encoder();
    println!("opened in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    let large = image::imageops::resize(
        &*sample("cat.jpg").pixels,
        4000,
        3000,
        image::imageops::FilterType::Nearest,
    );
    for (name, frame) in [("cat.jpg", sample("cat.jpg")), ("12 megapixels", made(large))] {
        let look = Look { frame, region: None };
        let median = |work: &mut dyn FnMut()| {
            let mut times: Vec<f64> = (0..21)
                .map(|_| {
                    let started = Instant::now();
                    work();
                    started.elapsed().as_secs_f64() * 1e3
                })
                .collect();
            times.sort_by(f64::total_cmp);
            (times[0], times[10])
        };
        let labels = median(&mut || drop(encoder.maps(&look).unwrap()));
        let colours = median(&mut || drop(evidence::colours::of(&look)));
        println!("{name}: least and median ms: labels {labels:.1?}, colours {colours:.1?}");
    }
}
