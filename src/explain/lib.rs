//! Why the model answered as it did: the maps of an answer, computed beside it and kept.

mod check;
mod grounder;
mod occlusion;
mod sight;
mod told;
mod worker;

use values::config::Fill;
use values::heatmap::Heatmap;
use values::region::Region;

pub use check::Check;
pub use grounder::{Grounder, LEAST_SUPPORT};
pub use occlusion::Curtain;
pub use sight::{Sight, Support};
pub use told::{Told, as_answer};
pub use worker::{Explainer, MapNews};

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
