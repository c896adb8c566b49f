//! Attention rollout, and what each patch receives.
//!
//! Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers", section 3; reference code
//! `attention_graph_util.py` (`compute_joint_attention`) of `samiraabnar/attention_flow`: each layer's
//! attention is averaged over its heads, the identity is added for the residual connection, rows
//! are normalised, and the layers are multiplied, later ones on the left. Only one row of the
//! product is wanted, so it is carried as a vector from the last layer to the first.

use candle_core::Tensor;

use super::error::TowerError;

/// What is kept of one layer's attention.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerAttention {
    /// Mean over the heads, `[queries, keys]`, row by row.
    pub mean: Vec<f32>,
    /// For each head, the attention each key receives, averaged over the queries.
    pub received: Vec<Vec<f32>>,
}

impl LayerAttention {
    /// Summarises `weights`, `[heads, queries, keys]`.
    pub fn of(weights: &Tensor) -> Result<Self, TowerError> {
        let (heads, queries, keys) = weights.dims3()?;
        let values = weights.flatten_all()?.to_vec1::<f32>()?;
        let mut mean = vec![0.0; queries * keys];
        let mut received = vec![vec![0.0; keys]; heads];
        for (head, received) in values.chunks_exact(queries * keys).zip(&mut received) {
            for (sum, value) in mean.iter_mut().zip(head) {
                *sum += value;
            }
            for row in head.chunks_exact(keys) {
                for (sum, value) in received.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            for sum in received {
                *sum /= queries as f32;
            }
        }
        for sum in &mut mean {
            *sum /= heads as f32;
        }
        Ok(Self { mean, received })
    }
}

/// `start · Â_L · … · Â_1` with `Â = rownorm(A + I)`.
///
/// `start` has one weight a token, and `layers` hold each layer's head-averaged attention,
/// tokens × tokens row by row, first layer first. Where `start` and every row sum to 1, so does
/// the result. Summed in f64.
pub fn rollout<'a>(start: &[f64], layers: impl DoubleEndedIterator<Item = &'a [f32]>) -> Vec<f64> {
    let tokens = start.len();
    layers.rev().fold(start.to_vec(), |flow, layer| {
        let mut earlier = vec![0.0; tokens];
        for (query, (weight, row)) in flow.iter().zip(layer.chunks_exact(tokens)).enumerate() {
            let sum: f64 = 1.0 + row.iter().map(|value| f64::from(*value)).sum::<f64>();
            let share = weight / sum;
            for (flow, value) in earlier.iter_mut().zip(row) {
                *flow += share * f64::from(*value);
            }
            earlier[query] += share;
        }
        earlier
    })
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn of(start: &[f64], layers: &[Vec<f32>]) -> Vec<f64> {
        rollout(start, layers.iter().map(Vec::as_slice))
    }

    /// Rows of a softmax over numbers without a pattern.
    fn attention(tokens: usize, seed: usize) -> Vec<f32> {
        let rows = (0..tokens).flat_map(|row| {
            let raw = (0..tokens).map(|col| ((row * 7 + col * 5 + seed * 3) % 11) as f32);
            let raw: Vec<f32> = raw.map(|value| (0.4 * value).exp()).collect();
            let sum: f32 = raw.iter().sum();
            raw.into_iter().map(move |value| value / sum)
        });
        rows.collect()
    }

    #[test]
    fn attention_to_oneself_leaves_the_start_as_it_is() {
        let mut identity = vec![0.0; 9];
        (0..3).for_each(|token| identity[token * 4] = 1.0);
        let start = [0.5, 0.3, 0.2];
        let flow = of(&start, &[identity.clone(), identity]);
        assert!(flow.iter().zip(start).all(|(own, wanted)| (own - wanted).abs() < 1e-15));
    }

    #[test]
    fn a_permutation_sends_half_of_each_share_on() {
        // 0 looks at 1, 1 at 2, 2 at 0.
        let shift = vec![0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0];
        let one = of(&[1.0, 0.0, 0.0], std::slice::from_ref(&shift));
        assert_eq!(one, [0.5, 0.5, 0.0]);
        assert_eq!(of(&[1.0, 0.0, 0.0], &[shift.clone(), shift]), [0.25, 0.5, 0.25]);
    }

    #[test]
    fn later_layers_stand_on_the_left() {
        // The last layer looks at token 1; the first lets token 1 look at token 2.
        let last = vec![0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let first = vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0];
        assert_eq!(of(&[1.0, 0.0, 0.0], &[first.clone(), last.clone()]), [0.5, 0.25, 0.25]);
        assert_eq!(of(&[1.0, 0.0, 0.0], &[last, first]), [0.5, 0.5, 0.0]);
    }

    #[test]
    fn one_row_equals_that_row_of_the_whole_product() {
        let tokens = 6;
        let layers: Vec<Vec<f32>> = (0..4).map(|seed| attention(tokens, seed)).collect();
        let mut joint: Vec<f64> =
            (0..tokens * tokens).map(|i| if i % (tokens + 1) == 0 { 1.0 } else { 0.0 }).collect();
        for layer in &layers {
            joint = (0..tokens * tokens)
                .map(|cell| {
                    let (row, col) = (cell / tokens, cell % tokens);
                    let mixed = |k: usize| {
                        let own = if k == row { 1.0 } else { 0.0 };
                        (f64::from(layer[row * tokens + k]) + own) * joint[k * tokens + col]
                    };
                    let sum: f64 = (0..tokens).map(|k| f64::from(layer[row * tokens + k])).sum();
                    (0..tokens).map(mixed).sum::<f64>() / (sum + 1.0)
                })
                .collect();
        }
        for row in 0..tokens {
            let mut start = vec![0.0; tokens];
            start[row] = 1.0;
            let flow = of(&start, &layers);
            assert!((flow.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let wanted = &joint[row * tokens..(row + 1) * tokens];
            assert!(flow.iter().zip(wanted).all(|(own, wanted)| (own - wanted).abs() < 1e-12));
        }
    }

    #[test]
    fn a_layer_is_summarised_over_heads_and_over_queries() {
        let heads = [[0.9f32, 0.1, 0.4, 0.6], [0.5, 0.5, 1.0, 0.0]];
        let weights = Tensor::new(heads.as_flattened(), &Device::Cpu).unwrap();
        let layer = LayerAttention::of(&weights.reshape((2, 2, 2)).unwrap()).unwrap();
        let near = |own: &[f32], wanted: &[f32]| {
            own.iter().zip(wanted).all(|(own, wanted)| (own - wanted).abs() < 1e-6)
        };
        assert!(near(&layer.mean, &[0.7, 0.3, 0.7, 0.3]));
        assert!(near(&layer.received[0], &[0.65, 0.35]) && near(&layer.received[1], &[0.75, 0.25]));
    }
}
