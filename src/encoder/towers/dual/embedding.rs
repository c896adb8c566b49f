//! Unit vectors in the space that pictures and texts share.

use candle_core::{Device, Tensor};

use crate::error::TowerError;

/// What a text or a picture means to a dual encoder: a vector of length 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding(Vec<f32>);

impl Embedding {
    /// The direction of `values`, of any shape.
    pub(super) fn of(values: &Tensor) -> Result<Self, TowerError> {
        Self::along(values.flatten_all()?.to_vec1()?)
    }

    /// The direction of `values`.
    pub(super) fn along(mut values: Vec<f32>) -> Result<Self, TowerError> {
        let squares: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
        let norm = squares.sqrt();
        if !norm.is_normal() {
            return Err(TowerError::Compute("an embedding has no direction".to_owned()));
        }
        for value in &mut values {
            *value = (f64::from(*value) / norm) as f32;
        }
        Ok(Self(values))
    }

    /// The coordinates; their squares sum to 1.
    pub fn values(&self) -> &[f32] {
        &self.0
    }

    /// Cosine of the angle to `other`, of the same model: from -1 to 1.
    pub fn cosine(&self, other: &Self) -> f32 {
        self.0.iter().zip(&other.0).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>() as f32
    }

    /// As a column, `[width, 1]`.
    pub(super) fn column(&self) -> Result<Tensor, TowerError> {
        Ok(Tensor::from_slice(&self.0, (self.0.len(), 1), &Device::Cpu)?)
    }
}

/// One unit vector a token: CLIP's class token and the patches, or the patches alone.
#[derive(Debug, Clone)]
pub struct Features {
    /// `[tokens, width]`.
    pub(super) rows: Tensor,
    /// Tokens before the patches.
    pub(super) class_tokens: usize,
}

impl Features {
    /// The directions of `states`, `[tokens, width]`, row by row.
    pub(super) fn of(states: &Tensor, class_tokens: usize) -> Result<Self, TowerError> {
        let norms = states.sqr()?.sum_keepdim(1)?.sqrt()?;
        Ok(Self { rows: states.broadcast_div(&norms)?, class_tokens })
    }

    /// Each token's product with a `[width, 1]` column, the class token first.
    pub(super) fn products(&self, column: &Tensor) -> Result<Vec<f32>, TowerError> {
        Ok(self.rows.matmul(column)?.squeeze(1)?.to_vec1()?)
    }

    /// Each patch's cosine with `text`.
    pub(super) fn cosines(&self, text: &Embedding) -> Result<Vec<f32>, TowerError> {
        Ok(self.products(&text.column()?)?.split_off(self.class_tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_embedding_has_length_one_or_is_refused() {
        let embedding = Embedding::along(vec![3.0, 0.0, -4.0]).unwrap();
        assert_eq!(embedding.values(), [0.6, 0.0, -0.8]);
        assert!((embedding.cosine(&embedding) - 1.0).abs() < 1e-6);
        for bad in [vec![0.0, 0.0], vec![f32::NAN, 1.0], vec![f32::INFINITY]] {
            assert!(matches!(Embedding::along(bad), Err(TowerError::Compute(_))));
        }
    }

    #[test]
    fn cosines_leave_the_class_token_out() {
        let states = Tensor::new(&[[9.0f32, 0.0], [0.0, 2.0], [-3.0, 0.0]], &Device::Cpu).unwrap();
        let text = Embedding::along(vec![0.5, 0.0]).unwrap();
        assert_eq!(Features::of(&states, 1).unwrap().cosines(&text).unwrap(), [0.0, -1.0]);
        assert_eq!(Features::of(&states, 0).unwrap().cosines(&text).unwrap(), [1.0, 0.0, -1.0]);
    }
}
