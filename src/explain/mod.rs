//! Why the model answered as it did: the maps of an answer, computed beside it and kept.

mod check;
mod grounder;
mod occlusion;
mod sight;
mod told;
mod worker;

use std::time::Duration;

pub use crate::config::Fill;
use crate::heatmap::Heatmap;
use crate::region::Region;
pub use check::Check;
pub use grounder::{Grounder, LEAST_SUPPORT};
pub use occlusion::Curtain;
pub use sight::{Sight, Support};
pub use told::{Told, as_answer};
pub use worker::{About, Explainer, MapNews, attention, find, look};

/// Where the attention of the vision encoder went.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderMaps {
    /// Attention rollout through all layers.
    pub rollout: Heatmap,
    /// What each patch received on average, by layer and head.
    pub heads: Vec<Vec<Heatmap>>,
    /// Whether the picture is of one colour: then the maps show the encoder's habits and nothing
    /// else.
    pub plain: bool,
    /// How long it took.
    pub took: Duration,
}

/// Where a dual encoder finds a phrase.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Where it is.
    pub map: Heatmap,
    /// Whether it is in the picture at all.
    pub present: bool,
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
