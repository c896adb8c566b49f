//! A network from an ONNX file, run by rten.

use std::path::Path;
use std::sync::Arc;

use evidence::EvidenceError;
use rten::{Model, ModelOptions, NodeId, OpRegistry, RunOptions, ThreadPool, Value};
use rten_tensor::{NdTensor, NdTensorView};
use values::panics;

/// A network with its weights: pictures in, `OUTPUTS` tensors out.
pub struct Network<const OUTPUTS: usize> {
    model: Model,
    pixels: NodeId,
    outputs: [NodeId; OUTPUTS],
}

impl<const OUTPUTS: usize> Network<OUTPUTS> {
    /// Reads `file`, whose input `pixels` is [1, 3, height, width], f32. Of `operators` it may use
    /// no others: what is not named is not linked.
    ///
    /// # Errors
    /// The file is missing, damaged, or of another network.
    pub fn open(
        file: &Path,
        operators: OpRegistry,
        pixels: &str,
        outputs: [&str; OUTPUTS],
    ) -> Result<Self, EvidenceError> {
        let bytes = std::fs::read(file).map_err(|error| EvidenceError::file(file, &error))?;
        let mut options = ModelOptions::with_ops(operators);
        options.prepack_weights(true);
        let opened = panics::guard(|| {
            let model = options.load(bytes).map_err(|error| error.to_string())?;
            let node = |name| model.node_id(name).map_err(|error| error.to_string());
            let pixels = node(pixels)?;
            let mut ids = [pixels; OUTPUTS];
            for (id, name) in ids.iter_mut().zip(outputs) {
                *id = node(name)?;
            }
            Ok(Self { model, pixels, outputs: ids })
        });
        opened.flatten().map_err(|reason: String| EvidenceError::file(file, &reason))
    }

    /// What its file says of itself under `key`.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.model.metadata().get(key)
    }

    /// Runs it.
    ///
    /// # Errors
    /// It fails.
    pub fn run(&self, pixels: NdTensorView<'_, f32, 4>) -> Result<[Value; OUTPUTS], EvidenceError> {
        self.run_on(pixels, None)
    }

    /// The same, on the threads of `pool`, or on all.
    ///
    /// # Errors
    /// It fails.
    pub fn run_on(
        &self,
        pixels: NdTensorView<'_, f32, 4>,
        pool: Option<&Arc<ThreadPool>>,
    ) -> Result<[Value; OUTPUTS], EvidenceError> {
        let options = pool.map(|pool| RunOptions::default().with_thread_pool(Some(pool.clone())));
        let ran = panics::guard(|| {
            let inputs = vec![(self.pixels, pixels.into())];
            self.model.run_n(inputs, self.outputs, options).map_err(|error| error.to_string())
        });
        ran.flatten().map_err(EvidenceError::Failed)
    }
}

/// An output as numbers in `RANK` dimensions.
///
/// # Errors
/// It has another form.
pub fn tensor<const RANK: usize>(output: Value) -> Result<NdTensor<f32, RANK>, EvidenceError> {
    output
        .try_into()
        .map_err(|error: rten::TryFromValueError| EvidenceError::Failed(error.to_string()))
}
