//! Vision encoders run by candle code of our own, so that their attention can be seen.
//!
//! mistral.rs answers, but shows nothing of what it computes. [`Tower`] reads the vision tower out
//! of the very files the answering model was loaded from, computes the same states, and keeps the
//! attention on the way: [`Tower::attention`] gives the rollout and what each patch received, by
//! layer and head. [`Tower::features`] is what the language model reads, by which the parity with
//! the engine is tested.
//!
//! | file | what is in it |
//! |---|---|
//! | [`config`], [`weights`] | what a model's files say, and its tensors |
//! | [`preprocess`] | from a picture to numbers |
//! | [`layers`], [`head`], [`connector`] | the parts of a tower |
//! | [`tower`] | the towers: Idefics3, `SigLIP`, CLIP |
//! | [`rollout`] | attention through all layers |
//! | [`dual`] | CLIP and `SigLIP` with their text towers: phrase maps, zero-shot choices |
//! | `shown` | what they are shown of a picture, and what they say of it |

pub mod config;
pub mod connector;
pub mod dual;
mod error;
pub mod head;
pub mod layers;
pub mod preprocess;
pub mod rollout;
mod shown;
pub mod tower;
pub mod weights;

use encoder::Encoders;

pub use error::TowerError;
pub use tower::{Attention, Tower};

/// Encoders computed by candle.
pub const ENCODERS: Encoders = Encoders { vision: shown::vision, dual: shown::dual };
