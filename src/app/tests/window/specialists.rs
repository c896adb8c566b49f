//! Specialists that see and read what a test wants, and a model that is told of it.

use std::time::Duration;

use conversation::{ModelCard, Sizes};
use evidence::{
    EvidenceError, EvidenceWords, LabelEncoder, LabelMaps, Line, Specialists, TextReader,
};
use values::job::Progress;
use values::picture::Look;

/// Specialists that see a tabby cat in every picture, which may be a lynx.
pub const SPECIALISTS: Specialists =
    Specialists { labels: |_| Ok(Box::new(SeesCats)), reader: |_| Ok(Box::new(ReadsNothing)) };

/// The same, but they take their time.
pub const SLOW_SPECIALISTS: Specialists = Specialists {
    labels: |_| {
        std::thread::sleep(Duration::from_millis(400));
        Ok(Box::new(SeesCats))
    },
    reader: |_| Ok(Box::new(ReadsNothing)),
};

/// What is said of a model that is told what specialists see.
pub fn card_with_evidence() -> ModelCard {
    let [line, seen, perhaps, text, colours] =
        ["[{}]\n", "Seen: {}.", "Perhaps: {}.", "Text: {}.", "Colours: {}."].map(str::to_owned);
    ModelCard {
        sentence: "A model made up.".into(),
        cannot: vec!["fly".into()],
        questions: vec!["Who?".into(), "Where?".into()],
        evidence: Some(EvidenceWords { line, seen, perhaps, text, colours }),
        boxes: None,
        licence: "MIT".into(),
        sizes: Sizes { parameters: 1, shipped: 2, unpacked: 3 },
    }
}

/// Specialists that were not installed.
pub const NO_SPECIALISTS: Specialists = Specialists {
    labels: |folder| Err(EvidenceError::file(&folder.join("labels.json"), &"it is not there")),
    reader: |folder| Err(EvidenceError::file(&folder.join("detection.onnx"), &"it is not there")),
};

/// Specialists that read nine lines in every picture, the first in its upper left quarter.
pub const READING_SPECIALISTS: Specialists =
    Specialists { labels: |_| Ok(Box::new(SeesCats)), reader: |_| Ok(Box::new(ReadsLines)) };

struct ReadsLines;

impl TextReader for ReadsLines {
    fn lines(
        &self,
        _: &Look,
        go_on: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Vec<Line>, EvidenceError> {
        for done in 0..40 {
            std::thread::sleep(Duration::from_millis(10));
            if !go_on(Progress::new(done, 40)) {
                return Ok(Vec::new());
            }
        }
        let line = |text: String, (x, y): (f32, f32), side: f32| Line {
            text,
            probability: 0.9,
            place: [(x, y), (x + side, y), (x + side, y + side), (x, y + side)],
        };
        let hotel = line("HOTEL".to_owned(), (0.1, 0.1), 0.3);
        let small = (1..9).map(|row| line(format!("row {row}"), (0.6, 0.1 * row as f32), 0.05));
        Ok(std::iter::once(hotel).chain(small).collect())
    }
}

struct ReadsNothing;

impl TextReader for ReadsNothing {
    fn lines(
        &self,
        _: &Look,
        _: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Vec<Line>, EvidenceError> {
        Ok(Vec::new())
    }
}

struct SeesCats;

impl LabelEncoder for SeesCats {
    /// A tabby cat at the upper left (62 %), perhaps a lynx at the lower right (21 %), no dog.
    fn maps(&self, picture: &Look) -> Result<LabelMaps, EvidenceError> {
        let rest = ["beagle", "horse", "person", "lemon"];
        let names = [("tabby cat", Some("cat")), ("lynx", Some("cat"))];
        let names: Vec<_> = names.into_iter().chain(rest.map(|name| (name, None))).collect();
        let map = |chance: f32, at: usize| {
            (0..4).map(move |cell| chance.ln() + if cell == at { 3.0 } else { -1.0 })
        };
        let rest = std::iter::repeat_n(0.034f32.ln(), 5 * 4);
        let maps: Vec<f32> = map(0.62, 0).chain(map(0.21, 3)).chain(rest).collect();
        LabelMaps::of_names(&names, &maps, (2, 2), picture.area())
    }
}
