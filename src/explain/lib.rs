//! Why the model answered as it did: the maps of an answer, computed beside it and kept.
//!
//! [`Readback`] has an answer read back and finds what in the picture it stands on; [`Reader`] does
//! that on a thread. [`Explainer`] is the thread of the encoders' own maps. [`ShownMap`] is any of
//! them as it may be shown.

mod check;
mod claims;
mod explainer;
mod occlusion;
mod place;
mod readback;
mod reader;
mod shown;
mod sight;
#[cfg(test)]
mod testing;
mod ties;
mod told;

use values::config::Fill;
use values::heatmap::Heatmap;
use values::region::Region;

pub use claims::{Claim, claims, doubt, unconfirmed};
pub use explainer::{Explainer, MapNews};
pub use place::Place;
pub use readback::{Aim, Finding, Readback, read_all};
pub use reader::{ReadId, ReadNews, Reader};
pub use shown::ShownMap;
pub use sight::READINGS;
pub use ties::{Grounding, Phrase, Search, Tie};
pub use told::Told;

/// What the picture adds to the log-probability of a word or phrase that counts as seen in it, in
/// nats: it makes it twice as probable.
pub const LEAST_SUPPORT: f32 = std::f32::consts::LN_2;

/// A word that was put in the answer's place (teacher-forced).
#[derive(Debug, Clone, PartialEq)]
pub struct ForcedWord {
    /// The word.
    pub word: String,
    /// Where its features lie (TAM).
    pub map: Heatmap,
    /// How much more probable the picture makes it than nothing does, in nats.
    pub support: f32,
    /// The same of each window alone, a cell around its centre; `None` where that was not tried.
    pub seen: Option<Heatmap>,
}

impl ForcedWord {
    /// Whether the picture speaks for it.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.support >= LEAST_SUPPORT
    }
}

/// A causal check under way or ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Causal {
    /// Fall of the answer's log-probability when a cell is hidden; the grid refines as it goes on.
    pub map: Heatmap,
    /// What hidden cells are filled with.
    pub fill: Fill,
    /// Areas hidden so far.
    pub done: usize,
    /// Areas to be hidden in all.
    pub total: usize,
    /// Whether it goes on.
    pub running: bool,
    /// The area whose hiding made the answer fall most, once cells were hidden.
    pub area: Option<Region>,
    /// The greatest fall, in nats.
    pub greatest: f32,
    /// The greatest fall of six random areas as large as the one of the greatest fall, in nats;
    /// `None` before one was hidden.
    pub random: Option<f32>,
}
