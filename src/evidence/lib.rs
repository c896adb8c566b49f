//! Evidence: what small specialists see in a picture, as plain values.
//!
//! A language model of this size cannot hold a thousand names or read a sign. Specialists can, in a
//! fraction of a second on the processor. What they find is shown at once, and told to the language
//! model before the question.
//!
//! | module | what is in it |
//! |---|---|
//! | [`labels`] | from a label encoder's scores to names with their chances |
//! | [`LabelMaps`] | where each of these scores comes from, and what is not there |
//! | [`colours`] | the basic colour terms of a picture |
//! | [`reading`] | the order in which people read lines of text |
//! | [`live`] | the names of a live picture, held steady |
//! | [`told`] | the one line that a language model is told |
//! | [`Witness`] | who gives evidence: the specialists, shared by all that ask |
//! | [`Observer`] | the thread on which they look at what is shown |
//! | [`caution`] | where an answer must not be relied on |
//!
//! What runs the networks is handed in by `main` as [`Specialists`]: `evidence/specialists`, a crate
//! of its own, so that nothing here is compiled on top of it.

mod asked;
mod caution;
pub mod colours;
mod label_maps;
pub mod labels;
pub mod live;
mod observer;
mod pattern;
pub mod reading;
pub mod told;
mod vocabulary;
mod witness;

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use values::job::Progress;
use values::picture::Look;
use values::text::brief;

pub use asked::asks_for_text;
pub use caution::{Caution, caution};
pub use colours::Colour;
pub use label_maps::{LabelMap, LabelMaps, Support};
pub use labels::{Label, Labels};
pub use observer::{Glanced, Observed, Observer, ReadText, Seen};
pub use told::EvidenceWords;
pub use vocabulary::Class;
pub use witness::Witness;

/// The folder of the shipped label encoder, among those of the shipped models.
pub const LABEL_ENCODER: &str = "label-encoder";

/// The folder of the shipped reader, likewise.
pub const READER: &str = "reader";

/// Why a specialist could not be opened or run, in one line that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// A file of it cannot be read, or does not hold what it should.
    #[error("{file}: {reason}: install Lorgnette again")]
    File {
        /// The file, as one printable line.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The picture has no pixels.
    #[error("the picture has no pixels")]
    NoPixels,
    /// The network failed, or its answer has another form than its files promise.
    #[error("a specialist failed: {0}")]
    Failed(String),
}

impl EvidenceError {
    /// A damaged or missing file.
    pub fn file(file: &Path, reason: &impl ToString) -> Self {
        let file = brief(&file.display());
        Self::File { file, reason: brief(&reason.to_string()) }
    }
}

/// How specialists are read from their folders.
#[derive(Debug, Clone, Copy)]
pub struct Specialists {
    /// The label encoder in a folder.
    pub labels: fn(&Path) -> Result<Box<dyn LabelEncoder>, EvidenceError>,
    /// The reader in a folder.
    pub reader: fn(&Path) -> Result<Box<dyn TextReader>, EvidenceError>,
}

/// Names what is in a picture.
pub trait LabelEncoder: Send + Sync {
    /// What is in `picture`, and where; where a part is marked, in that part with its surroundings.
    ///
    /// # Errors
    /// A picture without pixels, or a network that fails.
    fn maps(&self, picture: &Look) -> Result<LabelMaps, EvidenceError>;

    /// The same on one thread alone, of a picture that goes on changing.
    ///
    /// # Errors
    /// Those of [`LabelEncoder::maps`].
    fn glance(&self, picture: &Look) -> Result<LabelMaps, EvidenceError> {
        self.maps(picture)
    }
}

/// Reads what is written in a picture.
pub trait TextReader: Send + Sync {
    /// What is written in `picture`, in the order in which people read; where a part is marked, in
    /// that part with its surroundings, at its own resolution.
    ///
    /// `go_on` is told how far it has come and says whether to go on. If not, what was read until
    /// then is returned.
    ///
    /// # Errors
    /// A picture without pixels, or a network that fails.
    fn lines(
        &self,
        picture: &Look,
        go_on: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Vec<Line>, EvidenceError>;
}

/// All that was found in a picture, or in the marked part of it. Its serde form is that of
/// `session.json` and of the command line's JSON.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// What it shows.
    pub labels: Labels,
    /// What is written in it, in the order in which people read.
    pub lines: Vec<Line>,
    /// Its colours, the most common first.
    pub colours: Vec<Colour>,
}

impl Evidence {
    /// Whether nothing was found, or nobody looked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.iter().next().is_none() && self.lines.is_empty() && self.colours.is_empty()
    }
}

/// What is to be seen in a picture, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// What is to be seen.
    pub evidence: Evidence,
    /// Where its labels are.
    pub maps: Arc<LabelMaps>,
}

impl Sighting {
    /// The labels and the colours of `picture`; reading its text takes longer: [`TextReader::lines`].
    ///
    /// # Errors
    /// See [`LabelEncoder::maps`].
    pub fn of(picture: &Look, encoder: &dyn LabelEncoder) -> Result<Self, EvidenceError> {
        Ok(Self::new(picture, encoder.maps(picture)?))
    }

    fn new(picture: &Look, maps: LabelMaps) -> Self {
        let (labels, lines, colours) = (maps.labels(), Vec::new(), colours::of(picture));
        Self { evidence: Evidence { labels, lines, colours }, maps: Arc::new(maps) }
    }
}

/// A line of text that was read in a picture. It is other people's words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What it says, as it was read.
    pub text: String,
    /// The mean chance of its characters, 0 to 1.
    pub probability: f32,
    /// Its corners in fractions of the frame: top left, top right, bottom right, bottom left, as they
    /// lie in the frame; of a line that stands on its head, as it is read.
    pub place: [(f32, f32); 4],
}
