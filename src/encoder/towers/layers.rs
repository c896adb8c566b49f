//! The parts of a transformer layer: linear maps, layer norm, self-attention, MLP.
//!
//! States are `[tokens, width]`, one picture at a time. Nothing here keeps gradients: what is
//! computed in place has no backward pass.

use candle_core::{CpuStorage, D, InplaceOp2, Layout, Tensor};
use candle_nn::Module;
use candle_nn::ops::softmax_last_dim;
use rayon::prelude::{IndexedParallelIterator, ParallelIterator, ParallelSliceMut};

use super::config::Activation;
use super::error::TowerError;
use super::weights::Weights;

/// y = x·Wᵀ + b.
#[derive(Debug, Clone)]
pub struct Linear {
    /// W, `[out, in]`.
    pub weight: Tensor,
    /// b, `[out]`.
    pub bias: Option<Tensor>,
}

impl Linear {
    /// Reads `{name}.weight` and, where `bias` says so, `{name}.bias`.
    pub fn read(
        weights: &Weights,
        name: &str,
        (width, out): (usize, usize),
        bias: bool,
    ) -> Result<Self, TowerError> {
        let weight = weights.get(&format!("{name}.weight"), &[out, width])?;
        let bias = bias.then(|| weights.get(&format!("{name}.bias"), &[out])).transpose()?;
        Ok(Self { weight, bias })
    }

    /// `x`: `[tokens, in]`; the result: `[tokens, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TowerError> {
        self.activated(x, None)
    }

    /// The same with `activation` applied to the result.
    pub fn activated(
        &self,
        x: &Tensor,
        activation: Option<Activation>,
    ) -> Result<Tensor, TowerError> {
        let y = x.matmul(&self.weight.t()?)?;
        match &self.bias {
            Some(bias) => y.inplace_op2(bias, &BiasActivation(activation))?,
            None if activation.is_some() => {
                let none = Tensor::zeros(y.dim(D::Minus1)?, y.dtype(), y.device())?;
                y.inplace_op2(&none, &BiasActivation(activation))?;
            }
            None => {}
        }
        Ok(y)
    }
}

/// y ← activation(y + b), row by row on all cores; candle's own takes one core and a copy for each.
struct BiasActivation(Option<Activation>);

impl InplaceOp2 for BiasActivation {
    fn name(&self) -> &'static str {
        "bias-activation"
    }

    fn cpu_fwd(
        &self,
        y: &mut CpuStorage,
        y_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> candle_core::Result<()> {
        let CpuStorage::F32(y) = y else { candle_core::bail!("not f32") };
        let bias = bias.as_slice::<f32>()?;
        let (Some((start, end)), Some((first, last))) =
            (y_layout.contiguous_offsets(), bias_layout.contiguous_offsets())
        else {
            candle_core::bail!("not contiguous");
        };
        let bias = &bias[first..last];
        y[start..end].par_chunks_mut(bias.len()).with_min_len(8).for_each(|row| {
            let pairs = row.iter_mut().zip(bias);
            match self.0 {
                None => pairs.for_each(|(y, b)| *y += b),
                Some(Activation::Gelu) => pairs.for_each(|(y, b)| *y = gelu(*y + b)),
                Some(Activation::GeluTanh) => pairs.for_each(|(y, b)| *y = gelu_tanh(*y + b)),
                Some(Activation::QuickGelu) => pairs.for_each(|(y, b)| *y = quick_gelu(*y + b)),
            }
        });
        Ok(())
    }
}

/// x · Φ(x) = x · (1 + erf(x / √2)) / 2.
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// x · (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2 (Hendrycks & Gimpel 2016, section 2).
fn gelu_tanh(x: f32) -> f32 {
    let inner = std::f32::consts::FRAC_2_PI.sqrt() * (x + 0.044_715 * x * x * x);
    0.5 * x * (1.0 + inner.tanh())
}

/// x · σ(1.702 x) (the same paper).
fn quick_gelu(x: f32) -> f32 {
    x / (1.0 + (-1.702 * x).exp())
}

/// The error function as x·P(x²)/Q(x²), within 5e-7 of it: the rational fit of Eigen's
/// `MathFunctionsImpl.h` (`generic_fast_erf_float`), which, unlike libm's, runs in vectors.
fn erf(x: f32) -> f32 {
    const P: [f32; 7] = [
        -2.726_142_3e-10,
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_4e-5,
        -7.349_906_3e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ];
    const Q: [f32; 5] =
        [-1.456_607_2e-5, -2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2];
    let x = x.clamp(-4.0, 4.0);
    let squared = x * x;
    let horner = |terms: &[f32]| terms.iter().fold(0.0f32, |sum, term| sum.mul_add(squared, *term));
    x * horner(&P) / horner(&Q)
}

/// Layer norm over the width, with weight and bias.
#[derive(Debug, Clone)]
pub struct LayerNorm(pub(super) candle_nn::LayerNorm);

impl LayerNorm {
    /// Reads `{name}.weight` and `{name}.bias`.
    pub fn read(weights: &Weights, name: &str, width: usize, eps: f64) -> Result<Self, TowerError> {
        let weight = weights.get(&format!("{name}.weight"), &[width])?;
        let bias = weights.get(&format!("{name}.bias"), &[width])?;
        Ok(Self(candle_nn::LayerNorm::new(weight, bias, eps)))
    }

    /// `x`: `[tokens, width]`, as the result.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TowerError> {
        Ok(self.0.forward(x)?)
    }
}

/// fc2(activation(fc1(x))).
#[derive(Debug, Clone)]
pub struct Mlp {
    /// To the inner width.
    pub fc1: Linear,
    /// Back.
    pub fc2: Linear,
    /// The nonlinearity between them.
    pub activation: Activation,
}

impl Mlp {
    /// Reads `{name}.fc1` and `{name}.fc2`.
    pub fn read(
        weights: &Weights,
        name: &str,
        (width, inner): (usize, usize),
        activation: Activation,
    ) -> Result<Self, TowerError> {
        Ok(Self {
            fc1: Linear::read(weights, &format!("{name}.fc1"), (width, inner), true)?,
            fc2: Linear::read(weights, &format!("{name}.fc2"), (inner, width), true)?,
            activation,
        })
    }

    /// `x`: `[tokens, width]`, as the result.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TowerError> {
        self.fc2.forward(&self.fc1.activated(x, Some(self.activation))?)
    }
}

/// Multi-head self-attention.
#[derive(Debug, Clone)]
pub struct SelfAttention {
    /// `q_proj`, `k_proj` and `v_proj` one above the other, so that one product does for three.
    qkv: Linear,
    /// The map from the heads' outputs, side by side, back to a state.
    pub out_proj: Linear,
    heads: usize,
}

/// Queries, keys and values, each `[heads, tokens, head width]`.
pub struct Qkv {
    /// Queries, not yet scaled.
    pub q: Tensor,
    /// Keys.
    pub k: Tensor,
    /// Values.
    pub v: Tensor,
}

impl SelfAttention {
    /// Reads `{name}.{q,k,v,out}_proj`.
    pub fn read(
        weights: &Weights,
        name: &str,
        width: usize,
        heads: usize,
    ) -> Result<Self, TowerError> {
        let read = |part| Linear::read(weights, &format!("{name}.{part}"), (width, width), true);
        let parts = [read("q_proj")?, read("k_proj")?, read("v_proj")?];
        let weight = Tensor::cat(&[&parts[0].weight, &parts[1].weight, &parts[2].weight], 0)?;
        let biases: Vec<&Tensor> = parts.iter().filter_map(|part| part.bias.as_ref()).collect();
        let qkv = Linear { weight, bias: Some(Tensor::cat(&biases, 0)?) };
        Ok(Self { qkv, out_proj: read("out_proj")?, heads })
    }

    /// Queries, keys and values of `x`: `[tokens, width]`. Views of one tensor, not contiguous.
    pub fn qkv(&self, x: &Tensor) -> Result<Qkv, TowerError> {
        let (tokens, width) = x.dims2()?;
        let all = self.qkv.forward(x)?.reshape((tokens, 3, self.heads, width / self.heads))?;
        let part = |index| all.narrow(1, index, 1)?.squeeze(1)?.transpose(0, 1);
        Ok(Qkv { q: part(0)?, k: part(1)?, v: part(2)? })
    }

    /// softmax(q·kᵀ / √head width + mask) over the keys: `[heads, queries, keys]`.
    ///
    /// `mask` is added to the logits, and must broadcast to their shape.
    pub fn weights(q: &Tensor, k: &Tensor, mask: Option<&Tensor>) -> Result<Tensor, TowerError> {
        let scale = 1.0 / (q.dim(D::Minus1)? as f64).sqrt();
        let logits = (q * scale)?.matmul(&k.t()?)?;
        let logits = match mask {
            Some(mask) => logits.broadcast_add(mask)?,
            None => logits,
        };
        Ok(softmax_last_dim(&logits)?)
    }

    /// The values under `weights`, heads side by side, through `out_proj`: `[queries, width]`.
    pub fn mix(&self, weights: &Tensor, v: &Tensor) -> Result<Tensor, TowerError> {
        let (heads, queries, _) = weights.dims3()?;
        let width = heads * v.dim(D::Minus1)?;
        let mixed = weights.matmul(v)?.transpose(0, 1)?.reshape((queries, width))?;
        self.out_proj.forward(&mixed)
    }
}

/// A layer: x ← x + attention(norm(x)), then x ← x + mlp(norm(x)).
#[derive(Debug, Clone)]
pub struct Layer {
    /// Before the attention.
    pub layer_norm1: LayerNorm,
    /// The attention.
    pub self_attn: SelfAttention,
    /// Before the MLP.
    pub layer_norm2: LayerNorm,
    /// The MLP.
    pub mlp: Mlp,
}

/// The sizes of a layer.
#[derive(Debug, Clone, Copy)]
pub struct LayerSizes {
    /// Width of a state.
    pub width: usize,
    /// Width inside the MLP.
    pub inner: usize,
    /// Heads of the attention.
    pub heads: usize,
    /// The MLP's nonlinearity.
    pub activation: Activation,
    /// Added to a variance before its root is taken.
    pub eps: f64,
}

impl Layer {
    /// Reads `{name}.{layer_norm1,self_attn,layer_norm2,mlp}`.
    pub fn read(weights: &Weights, name: &str, sizes: LayerSizes) -> Result<Self, TowerError> {
        let LayerSizes { width, inner, heads, activation, eps } = sizes;
        let part = |part| format!("{name}.{part}");
        Ok(Self {
            layer_norm1: LayerNorm::read(weights, &part("layer_norm1"), width, eps)?,
            self_attn: SelfAttention::read(weights, &part("self_attn"), width, heads)?,
            layer_norm2: LayerNorm::read(weights, &part("layer_norm2"), width, eps)?,
            mlp: Mlp::read(weights, &part("mlp"), (width, inner), activation)?,
        })
    }

    /// The next state, `[tokens, width]`, and the attention's weights, `[heads, tokens, tokens]`.
    pub fn forward(
        &self,
        x: &Tensor,
        mask: Option<&Tensor>,
    ) -> Result<(Tensor, Tensor), TowerError> {
        let Qkv { q, k, v } = self.self_attn.qkv(&self.layer_norm1.forward(x)?)?;
        let weights = SelfAttention::weights(&q, &k, mask)?;
        let x = (x + self.self_attn.mix(&weights, &v)?)?;
        let next = (&x + self.mlp.forward(&self.layer_norm2.forward(&x)?)?)?;
        Ok((next, weights))
    }

    /// The attention's weights alone, `[heads, tokens, tokens]`.
    pub fn attention(&self, x: &Tensor) -> Result<Tensor, TowerError> {
        let Qkv { q, k, .. } = self.self_attn.qkv(&self.layer_norm1.forward(x)?)?;
        SelfAttention::weights(&q, &k, None)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// What a linear layer of one number makes of each of `xs`.
    fn activate(activation: Activation, xs: &[f32]) -> Vec<f32> {
        let weight = Tensor::new(&[[1.0f32]], &Device::Cpu).unwrap();
        let linear = Linear { weight, bias: Some(Tensor::new(&[0.25f32], &Device::Cpu).unwrap()) };
        let shifted: Vec<f32> = xs.iter().map(|x| x - 0.25).collect();
        let x = Tensor::from_vec(shifted, (xs.len(), 1), &Device::Cpu).unwrap();
        let y = linear.activated(&x, Some(activation)).unwrap();
        y.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn the_activations_equal_candles() {
        let xs: Vec<f32> = (-800..=800).map(|i| i as f32 / 100.0).collect();
        let x = Tensor::new(xs.as_slice(), &Device::Cpu).unwrap();
        let sigmoid = candle_nn::ops::sigmoid(&(&x * 1.702).unwrap()).unwrap();
        let wanted = [
            (Activation::Gelu, x.gelu_erf().unwrap()),
            (Activation::GeluTanh, x.gelu().unwrap()),
            (Activation::QuickGelu, (x * sigmoid).unwrap()),
        ];
        for (activation, wanted) in wanted {
            let wanted = wanted.to_vec1::<f32>().unwrap();
            for (own, wanted) in activate(activation, &xs).iter().zip(&wanted) {
                assert!((own - wanted).abs() < 2e-6, "{activation:?}: {own} for {wanted}");
            }
        }
    }

    #[test]
    fn a_mask_keeps_queries_from_later_keys() {
        let random = |seed: usize| {
            let values = (0..24).map(|i| ((i * 13 + seed) % 7) as f32 / 3.0).collect::<Vec<_>>();
            Tensor::from_vec(values, (2, 3, 4), &Device::Cpu).unwrap()
        };
        let lowest = f32::NEG_INFINITY;
        let mask = [[0.0, lowest, lowest], [0.0, 0.0, lowest], [0.0, 0.0, 0.0]];
        let mask = Tensor::new(&mask, &Device::Cpu).unwrap();
        let weights = SelfAttention::weights(&random(1), &random(2), Some(&mask)).unwrap();
        for head in weights.to_vec3::<f32>().unwrap() {
            assert_eq!((head[0][0], head[0][1], head[1][2]), (1.0, 0.0, 0.0));
            assert!(head.iter().all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-6));
        }
    }
}
