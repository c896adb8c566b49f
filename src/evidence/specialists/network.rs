//! A network of convolutions from an ONNX file, run by rten.

use std::path::Path;

use evidence::EvidenceError;
use image::RgbImage;
use rten::{Model, ModelOptions, NodeId, op_registry};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;
use values::panics;

/// A network with its weights.
pub struct Network {
    model: Model,
    pixels: NodeId,
    logits: NodeId,
    maps: NodeId,
}

/// What a network says of a picture.
pub struct Output {
    /// The score of each row: [rows].
    pub logits: Vec<f32>,
    /// The scores of each row in each cell: [rows, height, width].
    pub maps: Vec<f32>,
    /// Cells: height and width.
    pub grid: (usize, usize),
}

impl Network {
    /// Reads `file`: input `pixels` [1, 3, height, width], outputs `logits` [1, rows] and `maps`
    /// [1, rows, height, width], all f32.
    ///
    /// # Errors
    /// The file is missing, damaged, or of another network.
    pub fn open(file: &Path) -> Result<Self, EvidenceError> {
        let bytes = std::fs::read(file).map_err(|error| EvidenceError::file(file, &error))?;
        // The operators of the label encoder: what is not named is not linked.
        let mut options = ModelOptions::with_ops(op_registry!(Add, Clip, Conv, ReduceMean));
        options.prepack_weights(true);
        let opened = panics::guard(|| {
            let model = options.load(bytes).map_err(|error| error.to_string())?;
            let node = |name| model.node_id(name).map_err(|error| error.to_string());
            let (pixels, logits, maps) = (node("pixels")?, node("logits")?, node("maps")?);
            Ok(Self { model, pixels, logits, maps })
        });
        opened.flatten().map_err(|reason: String| EvidenceError::file(file, &reason))
    }

    /// Runs it on `sized`, whose values are (value - `mean`) / `scale`.
    pub fn run(&self, sized: &RgbImage, mean: f32, scale: f32) -> Result<Output, EvidenceError> {
        let (width, height) = (sized.width() as usize, sized.height() as usize);
        let input = NdTensor::from_fn([1, 3, height, width], |[_, channel, y, x]| {
            (f32::from(sized.get_pixel(x as u32, y as u32).0[channel]) - mean) / scale
        });
        let outputs = [self.logits, self.maps];
        let ran = panics::guard(|| {
            let inputs = vec![(self.pixels, input.view().into())];
            let [logits, maps] = self.model.run_n(inputs, outputs, None)?;
            let logits: NdTensor<f32, 2> = logits.try_into()?;
            let maps: NdTensor<f32, 4> = maps.try_into()?;
            let [_, _, rows, columns] = maps.shape();
            let (logits, maps) = (logits.into_data(), maps.into_data());
            Ok(Output { logits, maps, grid: (rows, columns) })
        });
        let ran: Result<Output, String> =
            ran.and_then(|ran| ran.map_err(|error: Box<dyn std::error::Error>| error.to_string()));
        ran.map_err(EvidenceError::Failed)
    }
}
