//! What vision encoders show, as the rest of the program knows it: plain values, no tensors.
//!
//! What computes them is handed in by `main` as [`Encoders`]: `encoder/towers`, a crate of its own,
//! so that nothing here is compiled on top of candle.

use std::path::Path;
use std::time::Duration;

use values::heatmap::Heatmap;
use values::picture::Look;

/// Why an encoder could not be opened or run, in one line that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EncoderError(pub String);

/// How encoders are read from a model's folder.
#[derive(Debug, Clone, Copy)]
pub struct Encoders {
    /// The vision encoder of an answering model.
    pub vision: fn(&Path) -> Result<Box<dyn VisionEncoder>, EncoderError>,
    /// A dual encoder, CLIP or `SigLIP`.
    pub dual: fn(&Path) -> Result<Box<dyn DualEncoder>, EncoderError>,
}

/// The vision encoder of an answering model, with its attention kept.
pub trait VisionEncoder: Send {
    /// Where its attention goes on what it is shown of `picture`.
    ///
    /// # Errors
    /// A picture of another size than it takes, or more patches than memory is allowed for.
    fn attention(&self, picture: &Look) -> Result<EncoderMaps, EncoderError>;
}

/// A model that compares pictures with phrases. It looks at a picture once, whatever it is then
/// asked about it.
pub trait DualEncoder: Send {
    /// The name by which a map says whose it is.
    fn name(&self) -> &str;

    /// Where `phrase` is in `picture`.
    ///
    /// It counts as present where it fits the picture better than a phrase that names nothing, and
    /// for a `SigLIP` model where that is as probable as not.
    ///
    /// # Errors
    /// An empty phrase, or a picture without pixels.
    fn find(&mut self, picture: &Look, phrase: &str) -> Result<Found, EncoderError>;

    /// Each of `words` with its share of `picture`, in the order given.
    ///
    /// # Errors
    /// An empty word, or a picture without pixels.
    fn shares(
        &mut self,
        picture: &Look,
        words: &[String],
    ) -> Result<Vec<(String, f32)>, EncoderError>;
}

/// Which attention of an encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Attention {
    /// Through all layers.
    #[default]
    Rollout,
    /// Of one layer, heads averaged.
    Layer(usize),
    /// Of one head of one layer.
    Head(usize, usize),
}

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

impl EncoderMaps {
    /// One of them; `None` where the encoder has no such layer or head.
    #[must_use]
    pub fn of(&self, attention: Attention) -> Option<Heatmap> {
        match attention {
            Attention::Rollout => Some(self.rollout.clone()),
            Attention::Layer(layer) => {
                let heads = self.heads.get(layer)?.iter().map(|head| (head, 1.0));
                Heatmap::mean(&heads.collect::<Vec<_>>()).ok()
            }
            Attention::Head(layer, head) => self.heads.get(layer)?.get(head).cloned(),
        }
    }
}

/// Where a dual encoder finds a phrase.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The phrase.
    pub phrase: String,
    /// Where it is.
    pub map: Heatmap,
    /// Whether it is in the picture at all.
    pub present: bool,
}
