//! What a line says: a network whose steps each have a chance for every character, decoded as
//! Connectionist Temporal Classification (Graves et al. 2006) by the best class of each step.

use std::path::Path;

use evidence::EvidenceError;
use image::RgbImage;
use rten::op_registry;
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, NdTensorView};

use super::pixels::bilinear;
use crate::network::{Network, tensor};

/// The network's file.
const FILE: &str = "recognition.onnx";
/// Where the file says which characters it knows, one a line.
const CHARACTERS: &str = "character";
/// The height at which the network sees a line, and the least width.
const HEIGHT: u32 = 48;
const LEAST_WIDTH: u32 = 320;
/// The most: a hundred times as wide as high, which no line is that can be read.
const MOST_WIDTH: u32 = 4800;

/// Reads lines.
pub struct Recognition {
    network: Network<1>,
    /// Those of the classes from 1 on: 0 is the blank.
    characters: Vec<char>,
}

impl Recognition {
    /// Reads the network in `folder`: input `x` [1, 3, 48, width], output `fetch_name_0`
    /// [1, steps, classes], and its characters.
    ///
    /// # Errors
    /// The file is missing, damaged, or of another network.
    pub fn open(folder: &Path) -> Result<Self, EvidenceError> {
        let file = folder.join(FILE);
        let operators = op_registry!(
            Add,
            AveragePool,
            BatchNormalization,
            Concat,
            Conv,
            Div,
            Erf,
            HardSigmoid,
            Identity,
            MatMul,
            MaxPool,
            Mul,
            Pow,
            ReduceMean,
            Relu,
            Reshape,
            Shape,
            Sigmoid,
            Slice,
            Softmax,
            Sqrt,
            Squeeze,
            Sub,
            Transpose,
            Unsqueeze
        );
        let network = Network::open(&file, operators, "x", ["fetch_name_0"])?;
        let named = network.metadata(CHARACTERS).unwrap_or_default();
        // After those that the file names comes the space.
        let characters: Option<Vec<char>> =
            named.split('\n').map(only).chain([Some(' ')]).collect();
        let Some(characters) = characters else {
            return Err(EvidenceError::file(&file, &"it does not say which characters it knows"));
        };
        Ok(Self { network, characters })
    }

    /// What an upright `line` with pixels says, and the mean chance of its characters.
    ///
    /// # Errors
    /// The network fails.
    pub fn read(&self, line: &RgbImage) -> Result<(String, f32), EvidenceError> {
        let (width, padded) = seen_at(line.width(), line.height());
        let seen = bilinear(line, width, HEIGHT);
        let shape = [1, 3, HEIGHT as usize, padded as usize];
        let input = NdTensor::from_fn(shape, |[_, channel, y, x]| {
            let pixel = seen.get_pixel_checked(x as u32, y as u32);
            pixel.map_or(0.0, |pixel| f32::from(pixel.0[2 - channel]) / 127.5 - 1.0)
        });
        let [steps] = self.network.run(input.view())?;
        let steps = tensor::<3>(steps)?;
        let [_, _, classes] = steps.shape();
        if classes != self.characters.len() + 1 {
            let reason = format!("{classes} classes for {} characters", self.characters.len());
            return Err(EvidenceError::Failed(reason));
        }
        Ok(decoded(steps.slice(0), &self.characters))
    }
}

/// The only character of `line`.
fn only(line: &str) -> Option<char> {
    let mut characters = line.chars();
    characters.next().filter(|_| characters.next().is_none())
}

/// The width at which the network sees a line of this size, and that width with its padding.
fn seen_at(width: u32, height: u32) -> (u32, u32) {
    let ratio = f64::from(width) / f64::from(height.max(1));
    let wide = (f64::from(HEIGHT) * ratio).ceil();
    let padded = ((f64::from(HEIGHT) * ratio) as u32).clamp(LEAST_WIDTH, MOST_WIDTH);
    ((wide as u32).clamp(1, padded), padded)
}

/// The text of `steps` [steps, classes], and the mean chance of its characters: the best class of
/// each step, repeats joined, blanks left out.
fn decoded(steps: NdTensorView<'_, f32, 2>, characters: &[char]) -> (String, f32) {
    let (mut text, mut sum, mut kept) = (String::new(), 0.0, 0.0);
    let mut before = 0;
    for step in 0..steps.size(0) {
        let chances = steps.slice(step);
        let best = chances.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        let (class, chance) = best.unwrap_or_default();
        if class != before
            && let Some(character) = characters.get(class.wrapping_sub(1))
        {
            text.push(*character);
            sum += chance;
            kept += 1.0;
        }
        before = class;
    }
    let mean = if kept > 0.0 { sum / kept } else { 0.0 };
    (text, mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_joined_and_blanks_part_them() {
        let characters = ['a', 'b', ' '];
        let read = |classes: &[usize]| {
            let steps = NdTensor::from_fn([classes.len(), 4], |[step, class]| {
                // The third step is less sure than the others.
                let sure = if step == 2 { 0.5 } else { 0.9 };
                if class == classes[step] { sure } else { (1.0 - sure) / 3.0 }
            });
            decoded(steps.view(), &characters)
        };
        for (classes, text, mean) in [
            (&[1, 1, 2, 2, 0][..], "ab", 0.7),
            (&[1, 0, 1, 3, 2][..], "aa b", (0.9 + 0.5 + 0.9 + 0.9) / 4.0),
            // Of a repeated step the first counts.
            (&[0, 2, 2][..], "b", 0.9),
            (&[0, 0, 0][..], "", 0.0),
            (&[][..], "", 0.0),
        ] {
            let ours = read(classes);
            assert_eq!(ours.0, text, "{classes:?}");
            assert!((ours.1 - mean).abs() < 1e-6, "{classes:?}: {}", ours.1);
        }
    }

    #[test]
    fn lines_keep_their_ratio_and_are_padded() {
        for (size, wanted) in [
            ((100, 48), (100, 320)),
            ((96, 20), (231, 320)),
            ((500, 25), (960, 960)),
            ((3, 100), (2, 320)),
            ((9000, 4), (4800, 4800)),
        ] {
            assert_eq!(seen_at(size.0, size.1), wanted, "{size:?}");
        }
    }

    #[test]
    fn a_line_of_the_list_is_one_character() {
        assert_eq!(
            ["é", "", "ab", "\u{3000}"].map(only),
            [Some('é'), None, None, Some('\u{3000}')]
        );
    }
}
