//! An adapter merged into the weights it was trained for: a small file in place of large ones that
//! would change by a little.
//!
//! The result must be the same on every machine, for its hashes are shipped: see [`Adapter::merge`].

use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;

/// The one tensor that is replaced rather than adapted.
const PROJECTOR: (&str, &str) = ("model.connector.modality_projection.proj.weight", "projector");

/// The tensors of an adapter: `projector`, and for each matrix of the language model that it adapts
/// `layers.N.….A` [rank, columns] and `layers.N.….B` [rows, rank].
pub struct Adapter<'a>(SafeTensors<'a>);

/// A tensor in row-major order.
pub struct Weights<T = f32> {
    pub shape: Vec<usize>,
    pub values: Vec<T>,
}

impl<'a> Adapter<'a> {
    /// Reads a safetensors file.
    pub fn read(file: &'a [u8]) -> Result<Self, String> {
        SafeTensors::deserialize(file).map(Self).map_err(|error| error.to_string())
    }

    /// The shape of what the tensor `name` becomes, which has `shape` in the container.
    pub fn shape_of(&self, name: &str, shape: Vec<usize>) -> Vec<usize> {
        let replaced = (name == PROJECTOR.0).then(|| self.0.tensor(PROJECTOR.1).ok()).flatten();
        replaced.map_or(shape, |projector| projector.shape().to_vec())
    }

    /// What the tensor `name` becomes: the projector is replaced, an adapted matrix W becomes
    /// W + B·A.
    ///
    /// The sum begins with W and takes the ranks in their order, in f64, and is rounded once, to
    /// f32. Rust neither reorders nor fuses; a product of two f16 is exact in f64, so that even a
    /// fused addition, `models/pack.py` in numpy, and any number of threads give the same bits.
    pub fn merge(&self, name: &str, weights: Weights) -> Result<Weights, String> {
        if name == PROJECTOR.0
            && let Some(Weights { shape, values }) = self.read_f64(PROJECTOR.1)?
        {
            // What was f16 is exact in f32.
            return Ok(Weights { shape, values: values.iter().map(|v| *v as f32).collect() });
        }
        let key = name.strip_prefix("model.text_model.").and_then(|n| n.strip_suffix(".weight"));
        let Some(key) = key else { return Ok(weights) };
        let (a, b) = (self.read_f64(&format!("{key}.A"))?, self.read_f64(&format!("{key}.B"))?);
        match (a, b) {
            (None, None) => Ok(weights),
            (Some(a), Some(b)) => add(weights, &a, &b).ok_or_else(|| format!("{key} does not fit")),
            _ => Err(format!("{key} lacks its other half")),
        }
    }

    /// Shape and values of the tensor `name`, where there is one.
    fn read_f64(&self, name: &str) -> Result<Option<Weights<f64>>, String> {
        let Ok(view) = self.0.tensor(name) else { return Ok(None) };
        if view.dtype() != safetensors::Dtype::F16 {
            return Err(format!("{name} is not f16"));
        }
        Tensor::from_raw_buffer(view.data(), DType::F16, view.shape(), &Device::Cpu)
            .and_then(|tensor| tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1())
            .map(|values| Some(Weights { shape: view.shape().to_vec(), values }))
            .map_err(|error| format!("{name}: {error}"))
    }
}

/// W + B·A with W [rows, columns], A [rank, columns], B [rows, rank]; `None` where shapes do not
/// fit. Rows are shared out to all cores.
fn add(
    Weights { shape, mut values }: Weights,
    a: &Weights<f64>,
    b: &Weights<f64>,
) -> Option<Weights> {
    let ([rows, columns], [rank, a_columns], [b_rows, b_rank]) =
        (shape.as_slice(), a.shape.as_slice(), b.shape.as_slice())
    else {
        return None;
    };
    let fits = (columns, rank, rows) == (a_columns, b_rank, b_rows);
    if !fits || *rank == 0 || values.is_empty() {
        return None;
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = rows.div_ceil(threads);
    std::thread::scope(|scope| {
        for (values, b) in values.chunks_mut(share * columns).zip(b.values.chunks(share * rank)) {
            scope.spawn(move || {
                for (row, b) in values.chunks_mut(*columns).zip(b.chunks(*rank)) {
                    let mut sums: Vec<f64> = row.iter().map(|value| f64::from(*value)).collect();
                    for (b, a) in b.iter().zip(a.values.chunks(*columns)) {
                        for (sum, a) in sums.iter_mut().zip(a) {
                            *sum += b * a;
                        }
                    }
                    for (value, sum) in row.iter_mut().zip(sums) {
                        *value = sum as f32;
                    }
                }
            });
        }
    });
    Some(Weights { shape, values })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const KEY: &str = "layers.0.mlp.up_proj";

    /// An adapter's file, of these tensors.
    fn file(tensors: &[(&str, &[usize], DType)]) -> Vec<u8> {
        let tensors = tensors.iter().map(|(name, shape, dtype)| {
            let count = shape.iter().product::<usize>();
            let values: Vec<f32> = (0..count).map(|at| at as f32 * 0.25 - 1.0).collect();
            let tensor = Tensor::from_vec(values, *shape, &Device::Cpu).unwrap();
            ((*name).to_owned(), tensor.to_dtype(*dtype).unwrap())
        });
        let tensors: HashMap<String, Tensor> = tensors.collect();
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("adapter.safetensors");
        candle_core::safetensors::save(&tensors, &path).unwrap();
        std::fs::read(path).unwrap()
    }

    fn weights(shape: &[usize]) -> Weights {
        let count = shape.iter().product::<usize>();
        Weights { shape: shape.to_vec(), values: (0..count).map(|at| at as f32).collect() }
    }

    fn name(key: &str) -> String {
        format!("model.text_model.{key}.weight")
    }

    #[test]
    fn an_adapted_matrix_is_the_sum_and_others_stay() {
        let (a, b) = (format!("{KEY}.A"), format!("{KEY}.B"));
        let file = file(&[(&a, &[2, 3], DType::F16), (&b, &[5, 2], DType::F16)]);
        let adapter = Adapter::read(&file).unwrap();
        let merged = adapter.merge(&name(KEY), weights(&[5, 3])).unwrap();
        let of = |at: usize| at as f32 * 0.25 - 1.0;
        for row in 0..5 {
            for column in 0..3 {
                let product: f32 = (0..2).map(|k| of(row * 2 + k) * of(k * 3 + column)).sum();
                let wanted = (row * 3 + column) as f32 + product;
                let found = merged.values[row * 3 + column];
                assert!((found - wanted).abs() < 1e-6, "{row} {column}: {found}, not {wanted}");
            }
        }
        for other in ["layers.1.mlp.up_proj", "norm"] {
            let same = adapter.merge(&name(other), weights(&[5, 3])).unwrap();
            assert_eq!(same.values, weights(&[5, 3]).values);
        }
    }

    #[test]
    fn the_projector_is_replaced() {
        let file = file(&[("projector", &[2, 4], DType::F16)]);
        let adapter = Adapter::read(&file).unwrap();
        assert_eq!(adapter.shape_of(PROJECTOR.0, vec![2, 1]), [2, 4]);
        assert_eq!(adapter.shape_of("other", vec![2, 1]), [2, 1]);
        let merged = adapter.merge(PROJECTOR.0, weights(&[2, 1])).unwrap();
        assert_eq!(merged.shape, [2, 4]);
        assert_eq!(merged.values, [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (a, b) = (format!("{KEY}.A"), format!("{KEY}.B"));
        let refused = |tensors: &[(&str, &[usize], DType)]| {
            let file = file(tensors);
            let merged = Adapter::read(&file).unwrap().merge(&name(KEY), weights(&[5, 3]));
            merged.err().unwrap()
        };
        let half = DType::F16;
        assert!(refused(&[(&a, &[2, 3], half)]).contains("other half"));
        assert!(refused(&[(&a, &[2, 3], DType::F32), (&b, &[5, 2], half)]).contains("not f16"));
        for (a_shape, b_shape) in [([2, 4], [5, 2]), ([2, 3], [5, 3]), ([2, 3], [4, 2])] {
            assert!(refused(&[(&a, &a_shape, half), (&b, &b_shape, half)]).contains("fit"));
        }
        assert!(Adapter::read(b"short").is_err());
    }
}
