//! What can go wrong with an encoder, in words for the person who wanted a map.

use std::path::{Path, PathBuf};

use encoder::EncoderError;
use values::heatmap::HeatmapError;
use values::text::first_line;

/// Why an encoder could not be opened or run. Each message is one line that says what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TowerError {
    /// A file or a tensor that every model of this kind has is not there.
    #[error("{}: the model lacks {what}: copy or download the model again", folder.display())]
    Missing {
        /// The model's folder.
        folder: PathBuf,
        /// What is missing, in words that name a file or a tensor.
        what: String,
    },
    /// A file is there, but is not what it should be.
    #[error("{}: {reason}: copy or download the model again", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The vision encoder is of a kind that is not run here.
    #[error("{}: {reason}: answers work, maps of the encoder do not", folder.display())]
    Unsupported {
        /// The model's folder.
        folder: PathBuf,
        /// Which kind it is.
        reason: String,
    },
    /// The picture does not have the size that the encoder takes.
    #[error("the picture is {width}x{height} pixels: resize it to {side}x{side} for this encoder")]
    PictureSize {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
        /// The side the encoder takes.
        side: u32,
    },
    /// Keeping the attention would take more memory than is allowed for it.
    #[error(
        "the attention of {tokens} patches in {layers} layers takes {} MB, above the limit of {}: \
         choose a model with fewer patches", bytes / 1_000_000, limit / 1_000_000
    )]
    TooLarge {
        /// Tokens of the encoder.
        tokens: usize,
        /// Its layers.
        layers: usize,
        /// Bytes that would be kept.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// The model does not compare pictures with phrases.
    #[error(
        "{}: a model of type {kind:?} does not compare pictures with phrases: choose a CLIP or \
         SigLIP folder", folder.display()
    )]
    NotDual {
        /// The model's folder.
        folder: PathBuf,
        /// The `model_type` it gives.
        kind: String,
    },
    /// There is nothing to look for.
    #[error("the phrase is empty: type what to look for in the picture")]
    EmptyPhrase,
    /// The way of making phrase maps belongs to models of another kind.
    #[error("{method} does not work with {name}: choose another kind of map")]
    Method {
        /// The way's name.
        method: &'static str,
        /// The model's name.
        name: String,
    },
    /// candle refused, or a value came out that is no number.
    #[error("the vision encoder could not run ({0}): choose another model")]
    Compute(String),
}

impl TowerError {
    pub(crate) fn missing(folder: &Path, what: impl Into<String>) -> Self {
        Self::Missing { folder: folder.to_path_buf(), what: what.into() }
    }

    pub(crate) fn damaged(file: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { file: file.to_path_buf(), reason: reason.into() }
    }

    pub(crate) fn unsupported(folder: &Path, reason: impl Into<String>) -> Self {
        Self::Unsupported { folder: folder.to_path_buf(), reason: reason.into() }
    }
}

impl From<candle_core::Error> for TowerError {
    fn from(error: candle_core::Error) -> Self {
        Self::Compute(first_line(&error))
    }
}

impl From<HeatmapError> for TowerError {
    fn from(error: HeatmapError) -> Self {
        Self::Compute(error.to_string())
    }
}

impl From<TowerError> for EncoderError {
    fn from(error: TowerError) -> Self {
        Self(error.to_string())
    }
}
