//! Which of some labels fits a picture best, without training for them.
//!
//! Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision",
//! section 3.1.4: each label is put into several prompts; its vector is the mean of their unit
//! vectors, made a unit vector again (`open_clip`'s `zero_shot_classifier.py`).

use std::sync::PoisonError;

use super::embedding::Embedding;
use super::{DualEncoder, EncodedImage, Readout, sigmoid};
use crate::error::TowerError;

/// The prompts of a label, which takes the place of `{}`.
pub const TEMPLATES: [&str; 4] = [
    "a photo of a {}.",
    "a photo of the {}.",
    "a close-up photo of a {}.",
    "there is a {} in the scene.",
];

/// Most labels whose embeddings are kept.
const MOST_LABELS: usize = 4096;

impl DualEncoder {
    /// The embedding of a label or a phrase, over the prompts of [`TEMPLATES`]. Kept for the next
    /// time, so that a live picture costs the vision tower alone.
    ///
    /// # Errors
    /// Only for weights that do not fit each other.
    pub fn embed_label(&self, label: &str) -> Result<Embedding, TowerError> {
        let label = label.trim();
        let labels = || self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = labels().get(label) {
            return Ok(known.clone());
        }
        let mut sum: Vec<f32> = Vec::new();
        for template in TEMPLATES {
            let prompt = self.embed_text(&template.replace("{}", label))?;
            sum.resize(prompt.values().len(), 0.0);
            sum.iter_mut().zip(prompt.values()).for_each(|(sum, value)| *sum += value);
        }
        let embedding = Embedding::along(sum)?;
        let mut labels = labels();
        if labels.len() >= MOST_LABELS {
            labels.clear();
        }
        labels.insert(label.to_owned(), embedding.clone());
        Ok(embedding)
    }

    /// Each label with its share, in the order given.
    ///
    /// CLIP: softmax(scale · cosine) over the labels, which sums to 1. `SigLIP`:
    /// σ(scale · cosine + bias) of each alone, so that none or several may fit.
    ///
    /// # Errors
    /// [`TowerError::EmptyPhrase`] where a label is empty.
    pub fn zero_shot(
        &self,
        image: &EncodedImage,
        labels: &[String],
    ) -> Result<Vec<(String, f32)>, TowerError> {
        let logits = labels.iter().map(|label| {
            let cosine = image.embedding.cosine(&self.phrase(label)?);
            Ok(self.scale * cosine)
        });
        let logits = logits.collect::<Result<Vec<f32>, TowerError>>()?;
        let shares = match self.readout {
            Readout::Clip { .. } => softmax(&logits),
            Readout::Siglip { logit_bias, .. } => {
                logits.iter().map(|logit| sigmoid(logit + logit_bias)).collect()
            }
        };
        Ok(labels.iter().cloned().zip(shares).collect())
    }
}

/// eˣ / Σ eˣ, after taking out the largest x.
fn softmax(logits: &[f32]) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exps: Vec<f32> = logits.iter().map(|logit| (logit - top).exp()).collect();
    let sum: f32 = exps.iter().sum();
    exps.into_iter().map(|exp| exp / sum).collect()
}
