//! The label encoder, the colours and the reader against ONNX Runtime, Pillow and `RapidOCR`
//! (`tests/reference`), and the reader on text that is drawn here.
//!
//! What needs the pictures beside the repository, in `../shared` or where [`SHARED`] says, is
//! ignored where they are lacking: the usual harness can ignore a test only when it is compiled.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "how a test fails")]

mod files;
mod reading;
mod shared;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use evidence::{EvidenceWords, LABEL_ENCODER, Label, Sighting};
use libtest_mimic::{Arguments, Trial};
use lorgnette_evidence_specialists::Encoder;
use safetensors::SafeTensors;
use serde::Deserialize;
use values::frame::Frame;
use values::picture::Look;

/// Names the folder with the data that does not come with the source.
const SHARED: &str = "LORGNETTE_SHARED";

/// A chance this near a threshold may fall on either side of it: pixels are rounded to 8 bits.
const NEAR: f64 = 0.02;

fn main() -> ExitCode {
    let always = |name: &str, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    let folder = shared();
    let lacking = folder.as_ref().is_none_or(|folder| !folder.join("evidence").is_dir());
    let needing = |name: &str, test: fn()| {
        let kind = if lacking { "skipped, because ../shared/evidence is not there" } else { "" };
        always(name, test).with_kind(kind).with_ignored_flag(lacking)
    };
    let mut tests = vec![
        always("sizes_are_those_of_the_reference", files::sizes),
        always("logits_and_maps_are_those_of_the_reference", files::probes),
        always("samples_are_named_as_the_reference_names_them", files::samples),
        always("a_bare_surface_has_no_label", files::bare),
        always("a_marked_part_is_seen_alone_and_its_maps_lie_there", files::marked),
        always("damaged_files_are_told", files::damaged),
        always("the_samples_are_read_as_the_reference_reads_them", reading::samples),
        always("the_hotel_sign_is_read_whole_and_in_part", reading::hotel),
        always("a_page_is_read", reading::a_page),
        always("a_page_that_is_turned_is_read", reading::a_page_that_is_turned),
        always("what_runs_far_or_downwards_is_one_line", reading::what_runs_far),
        always("a_receipt_is_read", reading::a_receipt),
        always("a_long_screenshot_is_read", reading::a_long_screenshot),
        always("a_sign_that_lies_askew_is_read", reading::a_sign_that_lies_askew),
        always("reading_tells_how_far_it_is_and_can_be_stopped", reading::stopping),
        always("a_damaged_reader_is_told", reading::damaged),
        needing("stored_pixels_give_the_stored_logits", shared::pixels),
        needing("sixty_pictures_give_the_stored_lists_and_colours", shared::lists),
        needing("twenty_scenes_are_read_as_the_reference_reads_them", reading::scenes),
    ];
    // Measurements, and no tests: `--ignored` runs them.
    let measurements =
        [("time", files::time as fn()), ("time_reading", reading::time), ("words", reading::words)];
    for (name, test) in measurements {
        tests.push(always(name, test).with_kind("a measurement").with_ignored_flag(true));
    }
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// The folder of the data that does not come with the source.
fn shared() -> Option<PathBuf> {
    let named = std::env::var_os(SHARED).map(PathBuf::from);
    let folder = named.unwrap_or_else(|| root().join("../shared"));
    folder.is_dir().then_some(folder)
}

fn encoder() -> Encoder {
    Encoder::open(&root().join("models").join(LABEL_ENCODER)).unwrap()
}

/// The tensors of a safetensors file.
fn tensors(file: &Path) -> HashMap<String, Vec<f32>> {
    let bytes = std::fs::read(file).unwrap();
    let floats = |bytes: &[u8]| -> Vec<f32> {
        bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
    };
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let is_f32 = |dtype| dtype == safetensors::Dtype::F32;
    let wanted = tensors.iter().filter(|(_, tensor)| is_f32(tensor.dtype()));
    wanted.map(|(name, tensor)| (name.to_owned(), floats(tensor.data()))).collect()
}

fn greatest_difference(ours: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(ours.len(), wanted.len());
    ours.iter().zip(wanted).map(|(ours, wanted)| (ours - wanted).abs()).fold(0.0, f32::max)
}

/// How many pictures have the same lists, and how many the same colours.
fn agree(compared: impl Iterator<Item = (bool, bool)>) -> (usize, usize) {
    compared.fold((0, 0), |(lists, colours), (same, like)| {
        (lists + usize::from(same), colours + usize::from(like))
    })
}

/// What the reference says of a picture.
#[derive(Deserialize)]
struct Expected {
    image: String,
    /// The likeliest names with their chances.
    #[serde(alias = "labels")]
    best: Vec<(String, f64)>,
    sure: Option<String>,
    perhaps: Vec<String>,
    colours: Vec<String>,
    line: String,
}

/// The words of the shipped model that takes evidence.
fn words() -> EvidenceWords {
    let text = std::fs::read(root().join("models/lorgnette-tiny/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let revision = manifest["revisions"].as_array().unwrap().last().unwrap();
    serde_json::from_value(revision["card"]["evidence"].clone()).unwrap()
}

impl Expected {
    /// Asserts that `frame` is named as the reference names it, and returns whether without the
    /// exception of what is near a threshold, and whether it has the same colours.
    fn compare(&self, frame: Frame, encoder: &Encoder) -> (bool, bool) {
        let ours = Sighting::of(&Look { frame, region: None }, encoder).unwrap().evidence;
        let chance = |name: &str| {
            self.best.iter().find(|(other, _)| other == name).map(|(_, chance)| *chance)
        };
        let is_near = |name: &str, threshold: f64| {
            chance(name).is_none_or(|chance| (chance - threshold).abs() <= NEAR)
        };
        let names: Vec<&str> = ours.labels.iter().map(|label| &*label.name).collect();
        let sure = ours.labels.sure.as_ref().map(|label| &*label.name);
        let wanted: Vec<&str> = self.sure.iter().chain(&self.perhaps).map(|name| &**name).collect();
        let same = sure == self.sure.as_deref() && names == wanted;
        if sure != self.sure.as_deref() {
            assert!(is_near(&self.best[0].0, 0.5), "{}: {sure:?}", self.image);
        }
        let only = |these: &[&'_ str], those: &[&str]| -> Vec<String> {
            these.iter().filter(|name| !those.contains(name)).map(|&name| name.to_owned()).collect()
        };
        for name in only(&names, &wanted).iter().chain(&only(&wanted, &names)) {
            assert!(is_near(name, 0.06), "{}: {name} {:?}", self.image, chance(name));
        }
        for Label { name, probability, .. } in ours.labels.iter() {
            let apart = chance(name).map(|chance| (f64::from(*probability) - chance).abs());
            assert!(apart.is_none_or(|apart| apart <= 0.1), "{}: {name} {apart:?}", self.image);
        }
        let colours: Vec<&str> = ours.colours.iter().map(|colour| colour.term.name()).collect();
        if same && colours == self.colours {
            assert_eq!(ours.told(&words(), &[]), self.line, "{}", self.image);
        }
        (same, colours == self.colours)
    }
}
