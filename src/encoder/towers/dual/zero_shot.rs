//! Which of some words fits a picture best, without training for them.
//!
//! Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision",
//! section 3.1.4: each choice is put into several prompts; its vector is the mean of their unit
//! vectors, made a unit vector again (`open_clip`'s `zero_shot_classifier.py`).

use std::sync::PoisonError;

use super::embedding::Embedding;
use super::{DualEncoder, EncodedImage, Readout, sigmoid};
use crate::error::TowerError;

/// The prompts of a choice, which takes the place of `{}`.
pub const TEMPLATES: [&str; 4] = [
    "a photo of a {}.",
    "a photo of the {}.",
    "a close-up photo of a {}.",
    "there is a {} in the scene.",
];

/// Most choices whose embeddings are kept.
const MOST_CHOICES: usize = 4096;

impl DualEncoder {
    /// The embedding of a choice or a phrase, over the prompts of [`TEMPLATES`]. Kept for the next
    /// time, so that a live picture costs the vision tower alone.
    ///
    /// # Errors
    /// Only for weights that do not fit each other.
    pub fn embed_choice(&self, choice: &str) -> Result<Embedding, TowerError> {
        let choice = choice.trim();
        let choices = || self.choices.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = choices().get(choice) {
            return Ok(known.clone());
        }
        let mut sum: Vec<f32> = Vec::new();
        for template in TEMPLATES {
            let prompt = self.embed_text(&template.replace("{}", choice))?;
            sum.resize(prompt.values().len(), 0.0);
            sum.iter_mut().zip(prompt.values()).for_each(|(sum, value)| *sum += value);
        }
        let embedding = Embedding::along(sum)?;
        let mut choices = choices();
        if choices.len() >= MOST_CHOICES {
            choices.clear();
        }
        choices.insert(choice.to_owned(), embedding.clone());
        Ok(embedding)
    }

    /// Each choice with its share, in the order given.
    ///
    /// CLIP: softmax(scale · cosine) over the choices, which sums to 1. `SigLIP`:
    /// σ(scale · cosine + bias) of each alone, so that none or several may fit.
    ///
    /// # Errors
    /// [`TowerError::EmptyPhrase`] where a choice is empty.
    pub fn zero_shot(
        &self,
        image: &EncodedImage,
        choices: &[String],
    ) -> Result<Vec<(String, f32)>, TowerError> {
        let logits = choices.iter().map(|choice| {
            let cosine = image.embedding.cosine(&self.phrase(choice)?);
            Ok(self.scale * cosine)
        });
        let logits = logits.collect::<Result<Vec<f32>, TowerError>>()?;
        let shares = match self.readout {
            Readout::Clip { .. } => softmax(&logits),
            Readout::Siglip { logit_bias, .. } => {
                logits.iter().map(|logit| sigmoid(logit + logit_bias)).collect()
            }
        };
        Ok(choices.iter().cloned().zip(shares).collect())
    }
}

/// eˣ / Σ eˣ, after taking out the largest x.
fn softmax(logits: &[f32]) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exps: Vec<f32> = logits.iter().map(|logit| (logit - top).exp()).collect();
    let sum: f32 = exps.iter().sum();
    exps.into_iter().map(|exp| exp / sum).collect()
}
