//! Idefics3's connector: from the tower's states to the tokens the language model reads.
//!
//! `Idefics3Connector` of `transformers`' `modeling_idefics3.py`: squares of patches become one
//! token each (pixel shuffle), then one linear map without bias.

use candle_core::Tensor;

use super::config::VisionConfig;
use super::error::TowerError;
use super::layers::Linear;
use super::weights::Weights;

/// Pixel shuffle and `model.connector.modality_projection.proj`.
#[derive(Debug, Clone)]
pub struct Connector {
    proj: Linear,
    scale_factor: usize,
}

impl Connector {
    /// Reads `model.connector`.
    pub fn read(weights: &Weights, config: &VisionConfig) -> Result<Self, TowerError> {
        let sizes = (config.hidden_size * config.scale_factor.pow(2), config.text_hidden_size);
        let name = "model.connector.modality_projection.proj";
        let proj = Linear::read(weights, name, sizes, false)?;
        Ok(Self { proj, scale_factor: config.scale_factor })
    }

    /// `states`: `[side², width]`, a square grid row by row; the result:
    /// `[(side / scale)², text width]`.
    pub fn forward(&self, states: &Tensor) -> Result<Tensor, TowerError> {
        self.proj.forward(&self.pixel_shuffle(states)?)
    }

    /// Sets the states of each square of `scale` × `scale` patches side by side, row by row.
    fn pixel_shuffle(&self, states: &Tensor) -> Result<Tensor, TowerError> {
        let (patches, width) = states.dims2()?;
        let scale = self.scale_factor;
        let side = patches.isqrt() / scale;
        let squares = states.reshape((side, scale, side, scale * width))?.transpose(1, 2)?;
        Ok(squares.reshape((side * side, scale * scale * width))?)
    }
}
