//! Specialists that see and read what a test wants, and a model that is told of it.

use std::time::Duration;

use conversation::{ModelCard, Sizes};
use evidence::{
    EvidenceError, EvidenceWords, Label, LabelEncoder, Labels, Line, Specialists, TextReader,
};
use values::heatmap::Heatmap;
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
    fn labels(&self, _: &Look) -> Result<Labels, EvidenceError> {
        let label = |name: &str, probability| Label {
            name: name.to_owned(),
            kind: Some("cat".to_owned()),
            probability,
            map: Heatmap::new(1, 1, vec![0.0]).ok(),
        };
        Ok(Labels { sure: Some(label("tabby cat", 0.62)), perhaps: vec![label("lynx", 0.21)] })
    }
}
