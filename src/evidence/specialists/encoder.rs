//! The label encoder: from a picture to names.

use std::path::Path;
use std::sync::Arc;

use evidence::labels::LabelSet;
use evidence::{EvidenceError, LabelEncoder, LabelMaps};
use image::RgbImage;
use rten::{ThreadPool, op_registry};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;
use values::picture::{Filter, Look, resize};

use crate::network::{Network, tensor};

/// The network's file, beside `labels.json`.
const FILE: &str = "labels.onnx";
/// Levels by which pixels of one colour may differ.
const NOISE: u8 = 3;

/// A label encoder: its network, and what its rows mean.
pub struct Encoder {
    set: Arc<LabelSet>,
    network: Network<2>,
    /// One thread, for the live picture.
    alone: Arc<ThreadPool>,
}

/// What the network says of a picture.
pub struct Output {
    /// The score of each row: [rows].
    pub logits: Vec<f32>,
    /// The scores of each row in each cell: [rows, height, width].
    pub maps: Vec<f32>,
    /// Cells: height and width.
    pub grid: (usize, usize),
}

/// Reads the label encoder in `folder`.
pub fn open(folder: &Path) -> Result<Box<dyn LabelEncoder>, EvidenceError> {
    Ok(Box::new(Encoder::open(folder)?))
}

impl Encoder {
    /// Reads the label encoder in `folder`.
    ///
    /// # Errors
    /// A file is missing or damaged.
    pub fn open(folder: &Path) -> Result<Self, EvidenceError> {
        let set = Arc::new(LabelSet::read(folder)?);
        let operators = op_registry!(Add, Clip, Conv, ReduceMean);
        let outputs = ["logits", "maps"];
        let network = Network::open(&folder.join(FILE), operators, "pixels", outputs)?;
        let alone = Arc::new(ThreadPool::with_num_threads(1));
        Ok(Self { set, network, alone })
    }

    /// What the rows of [`Encoder::run`] mean.
    pub fn set(&self) -> &LabelSet {
        &self.set
    }

    /// The size at which the network sees a picture.
    pub fn sized(&self, pixels: &RgbImage) -> RgbImage {
        let (width, height) = self.set.input.size(pixels.width(), pixels.height());
        resize(pixels, width, height, Filter::Bicubic)
    }

    /// What the network says of a picture of a size that it takes.
    ///
    /// # Errors
    /// The network fails.
    pub fn run(&self, sized: &RgbImage) -> Result<Output, EvidenceError> {
        self.run_on(sized, None)
    }

    /// The same, on the threads of `pool`, or on all.
    fn run_on(
        &self,
        sized: &RgbImage,
        pool: Option<&Arc<ThreadPool>>,
    ) -> Result<Output, EvidenceError> {
        let (mean, scale) = (self.set.input.mean, self.set.input.scale);
        let shape = [1, 3, sized.height() as usize, sized.width() as usize];
        let input = NdTensor::from_fn(shape, |[_, channel, y, x]| {
            (f32::from(sized.get_pixel(x as u32, y as u32).0[channel]) - mean) / scale
        });
        let [logits, maps] = self.network.run_on(input.view(), pool)?;
        let (logits, maps) = (tensor::<2>(logits)?, tensor::<4>(maps)?);
        let [_, _, rows, columns] = maps.shape();
        Ok(Output { logits: logits.into_data(), maps: maps.into_data(), grid: (rows, columns) })
    }
}

impl Encoder {
    fn see(
        &self,
        picture: &Look,
        pool: Option<&Arc<ThreadPool>>,
    ) -> Result<LabelMaps, EvidenceError> {
        let shown = picture.shown();
        if shown.is_empty() {
            return Err(EvidenceError::NoPixels);
        }
        let sized = self.sized(&shown);
        // What the network says of a bare surface is its habit ("daisy"), and no finding.
        if is_plain(&sized) {
            return Ok(LabelMaps::nothing(self.set.clone(), picture.area()));
        }
        let Output { logits, maps, grid } = self.run_on(&sized, pool)?;
        LabelMaps::new(self.set.clone(), logits, maps, grid, picture.area())
    }
}

impl LabelEncoder for Encoder {
    fn maps(&self, picture: &Look) -> Result<LabelMaps, EvidenceError> {
        self.see(picture, None)
    }

    fn glance(&self, picture: &Look) -> Result<LabelMaps, EvidenceError> {
        self.see(picture, Some(&self.alone))
    }
}

/// Whether no pixel differs from the first by more than what storing a picture may add.
fn is_plain(pixels: &RgbImage) -> bool {
    let first = pixels.pixels().next().map_or([0; 3], |pixel| pixel.0);
    let like = |pixel: &image::Rgb<u8>| {
        pixel.0.iter().zip(first).all(|(value, first)| value.abs_diff(first) <= NOISE)
    };
    pixels.pixels().all(like)
}
