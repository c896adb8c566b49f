//! Why the model answered as it did: the maps of an answer, computed beside it and kept.

mod occlusion;

use std::time::Duration;

use crate::heatmap::Heatmap;
use crate::region::Region;
pub use occlusion::{Check, Depth};

/// Where the attention of the vision encoder went.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderMaps {
    /// Attention rollout through all layers.
    pub rollout: Heatmap,
    /// What each patch received on average, by layer and head.
    pub heads: Vec<Vec<Heatmap>>,
    /// How long it took.
    pub took: Duration,
}

/// What a hidden region is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fill {
    /// The picture itself, blurred until nothing can be told.
    #[default]
    Blur,
    /// The mean colour of the picture.
    Mean,
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
    /// The mean fall of random areas as large as the one of the greatest fall, in nats; `None`
    /// before one was hidden.
    pub random: Option<f32>,
}
