//! Where lines of text are: `PaddleOCR`'s `DBPostProcess` on a map of probabilities ("Real-time
//! Scene Text Detection with Differentiable Binarization", Liao et al. 2020).

use std::path::Path;

use evidence::EvidenceError;
use image::RgbImage;
use rten::op_registry;
use rten_imageproc::{RetrievalMode, find_contours};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, NdTensorView};
use values::panics;

use super::Quad;
use super::pixels::bilinear;
use super::rectangle::{Rectangle, length};
use crate::network::{Network, tensor};

/// The network's file.
const FILE: &str = "detection.onnx";
/// The longer side at which the network sees a picture, at most.
pub const LONGEST: u32 = 960;
/// The network takes sides that are multiples of this.
const STEP: u32 = 32;
/// `ImageNet`'s means and deviations, in the order of its channels, though those here are blue,
/// green, red: as the network was trained.
const MEANS: [f32; 3] = [0.485, 0.456, 0.406];
const DEVIATIONS: [f32; 3] = [0.229, 0.224, 0.225];
/// A pixel above this is part of a text.
const TEXT: f32 = 0.2;
/// The least mean probability in a rectangle.
const LEAST_MEAN: f32 = 0.4;
/// Of the area over the perimeter of a rectangle, how much it grows on each side.
const GROWTH: f32 = 1.4;
/// The shorter side of a rectangle, in pixels of the map: at least this, and when it has grown this.
const LEAST_SIDE: f32 = 3.0;
const LEAST_GROWN: f32 = 5.0;
/// The shorter side of a line, in pixels of the picture, is more than this.
const TOO_THIN: f32 = 3.0;
/// The most lines of a picture.
const MOST: usize = 3000;

/// Finds lines.
pub struct Detection(Network<1>);

impl Detection {
    /// Reads the network in `folder`: input `x` [1, 3, height, width], output `fetch_name_0`
    /// [1, 1, height, width].
    ///
    /// # Errors
    /// The file is missing, damaged, or of another network.
    pub fn open(folder: &Path) -> Result<Self, EvidenceError> {
        let operators = op_registry!(
            Add,
            Concat,
            Conv,
            ConvTranspose,
            Div,
            Erf,
            GlobalAveragePool,
            HardSigmoid,
            Identity,
            MaxPool,
            Mul,
            ReduceMean,
            Relu,
            Resize,
            Sigmoid
        );
        Network::open(&folder.join(FILE), operators, "x", ["fetch_name_0"]).map(Self)
    }

    /// The lines of `picture`, which has pixels, in its pixels.
    ///
    /// # Errors
    /// The network fails.
    pub fn find(&self, picture: &RgbImage) -> Result<Vec<Quad>, EvidenceError> {
        let (width, height) = seen_at(picture.width(), picture.height());
        let seen = bilinear(picture, width, height);
        let shape = [1, 3, height as usize, width as usize];
        let input = NdTensor::from_fn(shape, |[_, channel, y, x]| {
            let value = seen.get_pixel(x as u32, y as u32).0[2 - channel];
            (f32::from(value) / 255.0 - MEANS[channel]) / DEVIATIONS[channel]
        });
        let [map] = self.0.run(input.view())?;
        let map = tensor::<4>(map)?;
        if map.shape() != [1, 1, shape[2], shape[3]] {
            let reason = format!("a map of {:?} for a picture of {shape:?}", map.shape());
            return Err(EvidenceError::Failed(reason));
        }
        panics::guard(|| quads(map.slice((0, 0)), picture.dimensions()))
            .map_err(EvidenceError::Failed)
    }
}

/// The size at which the network sees a picture.
fn seen_at(width: u32, height: u32) -> (u32, u32) {
    let longer = width.max(height).max(1);
    let scale = (f64::from(LONGEST) / f64::from(longer)).min(1.0);
    // Whole pixels first, and halves to even, as the reference.
    let side = |side: u32| {
        let whole = (f64::from(side) * scale).floor();
        (((whole / f64::from(STEP)).round_ties_even() as u32) * STEP).max(STEP)
    };
    (side(width), side(height))
}

/// The lines of a picture of `size` pixels by the map of its probabilities.
fn quads(map: NdTensorView<'_, f32, 2>, size: (u32, u32)) -> Vec<Quad> {
    let [rows, columns] = map.shape();
    let scale = (size.0 as f32 / columns as f32, size.1 as f32 / rows as f32);
    let is_text = map.map(|probability| *probability > TEXT);
    let contours = find_contours(is_text.view(), RetrievalMode::List);
    let mut quads = Vec::new();
    for contour in contours.iter().take(MOST) {
        let points = contour.iter().map(|point| (point.x as f32, point.y as f32));
        let Some(core) = Rectangle::around(points) else { continue };
        if core.shorter < LEAST_SIDE || mean(&map, &core.corners) < LEAST_MEAN {
            continue;
        }
        // The network marks the core of a line.
        let Some(whole) = core.grown(GROWTH).filter(|it| it.shorter >= LEAST_GROWN) else {
            continue;
        };
        let most = (size.0.saturating_sub(1) as f32, size.1.saturating_sub(1) as f32);
        let quad = whole.corners.map(|(x, y)| {
            let (x, y) = ((x * scale.0).round(), (y * scale.1).round());
            (x.clamp(0.0, most.0), y.clamp(0.0, most.1))
        });
        let [a, b, _, d] = quad;
        if length(a, b).floor() > TOO_THIN && length(a, d).floor() > TOO_THIN {
            quads.push(quad);
        }
    }
    quads
}

/// The mean of `map` in `quad`, its border included.
fn mean(map: &NdTensorView<'_, f32, 2>, quad: &Quad) -> f32 {
    let [rows, columns] = map.shape();
    let quad = quad.map(|(x, y)| (x.floor(), y.floor()));
    let span = |of: fn(&(f32, f32)) -> f32, size: usize| {
        let values = quad.iter().map(of);
        let least = values.clone().fold(f32::MAX, f32::min).max(0.0) as usize;
        let most = values.fold(0.0, f32::max) as usize;
        least.min(size)..(most + 1).min(size)
    };
    let is_inside = |x: f32, y: f32| {
        let sides = quad.iter().zip(quad.iter().cycle().skip(1));
        sides.into_iter().all(|(from, to)| {
            let (along, across) = (to.0 - from.0, to.1 - from.1);
            let side = along * (y - from.1) - across * (x - from.0);
            // Half a pixel: that is how far a drawn border may lie beside its line.
            side >= -0.5 * along.abs().max(across.abs())
        })
    };
    let (mut sum, mut count) = (0.0, 0.0);
    for y in span(|corner| corner.1, rows) {
        for x in span(|corner| corner.0, columns) {
            if is_inside(x as f32, y as f32) {
                sum += map[[y, x]];
                count += 1.0;
            }
        }
    }
    if count > 0.0 { sum / count } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_seen_at_multiples_of_32_and_never_enlarged_beyond() {
        for (size, wanted) in [
            ((1280, 720), (960, 544)),
            ((720, 1280), (544, 960)),
            ((224, 224), (224, 224)),
            ((100, 20), (96, 32)),
            ((48, 80), (64, 64)),
            ((1, 1), (32, 32)),
            ((4000, 3000), (960, 704)),
        ] {
            assert_eq!(seen_at(size.0, size.1), wanted, "{size:?}");
        }
    }

    #[test]
    fn a_bar_in_the_map_is_a_line_and_a_speck_or_a_haze_is_none() {
        let bar = |value: f32, height: usize| {
            NdTensor::from_fn([64, 128], |[y, x]| {
                if (20..20 + height).contains(&y) && (10..90).contains(&x) { value } else { 0.0 }
            })
        };
        let found = |map: &NdTensor<f32, 2>| quads(map.view(), (256, 128));
        let [quad] = found(&bar(0.9, 11)).try_into().unwrap();
        // The core is 79 × 10 pixels: it grows by 790 · 1.4 / 178 = 6.2, then everything is doubled.
        let wanted = [(8.0, 28.0), (190.0, 28.0), (190.0, 72.0), (8.0, 72.0)];
        for (ours, wanted) in quad.into_iter().zip(wanted) {
            assert!(length(ours, wanted) <= 1.5, "{ours:?} {wanted:?}");
        }
        assert!(found(&bar(0.9, 2)).is_empty());
        assert!(found(&bar(0.3, 11)).is_empty());
        assert!(found(&bar(f32::NAN, 11)).is_empty());
        // What reaches the border of the map is found, too.
        assert_eq!(found(&NdTensor::full([64, 128], 1.0)).len(), 1);
    }
}
