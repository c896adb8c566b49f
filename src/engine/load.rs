//! Loads a model into mistral.rs, on a thread that is used for nothing else.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use mistralrs::core::IsqType;
use mistralrs::model_builder_trait::{build_auto_pipeline, build_model_from_pipeline};
use mistralrs::{Device, DeviceMapSetting, Model, ModelBuilder, ModelDType, TokenSource};
use tokenizers::Tokenizer;
use tokio::sync::{mpsc, oneshot};

use super::command::{DeviceChoice, LoadRequest, Weights};
use super::event::{EngineError, LoadProgress, ModelInfo};
use super::panics;
use crate::model_store::{self, Architecture, ModelFacts, Prepared};

/// A model with what is needed to ask it.
pub struct Loaded {
    /// mistral.rs's handle; dropping it lets go of the memory.
    pub model: Model,
    /// The model's own tokenizer.
    pub tokenizer: Arc<Tokenizer>,
    /// What its files say.
    pub facts: ModelFacts,
    /// What the user is told.
    pub info: ModelInfo,
    /// How it was asked for, to load it again after a crash.
    pub request: LoadRequest,
}

/// Starts loading; the result and the progress come through channels.
///
/// A fresh thread each time: mistral.rs keeps the quantisation in thread-locals that nothing
/// clears (`mistralrs-quant/src/lib.rs`).
pub fn start(
    request: LoadRequest,
) -> (oneshot::Receiver<Result<Loaded, EngineError>>, mpsc::Receiver<LoadProgress>) {
    let (done, result) = oneshot::channel();
    let (progress, steps) = mpsc::channel(16);
    let work = move || {
        // Progress that nobody has room for is not worth waiting for.
        let report = |step| {
            let _ = progress.try_send(step);
        };
        let loaded = panics::guard(|| load(request, &report))
            .unwrap_or_else(|message| Err(EngineError::Load(message)));
        // The worker is gone only when the program ends.
        drop(done.send(loaded));
    };
    // Where no thread can be had the sender is dropped, which the worker takes for a failure.
    drop(std::thread::Builder::new().name("lorgnette-load".into()).spawn(work));
    (result, steps)
}

fn load(request: LoadRequest, report: &dyn Fn(LoadProgress)) -> Result<Loaded, EngineError> {
    let started = Instant::now();
    let prepared = model_store::prepare(&request.model, &request.folders.cache, &mut |step| {
        report(LoadProgress::Files(step));
    })?;
    report(LoadProgress::Weights);
    let (device, device_name) = device(request.device);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| EngineError::Load(error.to_string()))?;
    let (model, tokenizer) = runtime
        .block_on(build(&prepared.folder, &device, request.weights))
        .map_err(|error| EngineError::Load(one_line(&error)))?;
    let Prepared { name, revision, facts, .. } = prepared;
    let info = ModelInfo {
        name,
        revision,
        weights: request.weights,
        device: device_name,
        context: facts.max_positions,
        picture_tokens: match facts.architecture {
            Architecture::Idefics3 { image_tokens, .. } => Some(image_tokens),
            Architecture::Other(_) => None,
        },
        load_time: started.elapsed(),
    };
    Ok(Loaded { model, tokenizer, facts, info, request })
}

async fn build(
    folder: &Path,
    device: &Device,
    weights: Weights,
) -> anyhow::Result<(Model, Arc<Tokenizer>)> {
    // BF16 has no matrix product on a CPU, and "auto" would take F16 or ask nvidia-smi.
    let dtype = if device.is_cpu() { ModelDType::F32 } else { ModelDType::BF16 };
    let mut builder = ModelBuilder::new(folder.display())
        .with_device(device.clone())
        .with_dtype(dtype)
        .with_token_source(TokenSource::None)
        // The CPU's prefix cache never lets go of anything.
        .with_prefix_cache_n(None)
        .with_max_num_seqs(1)
        .with_device_mapping(DeviceMapSetting::dummy());
    if weights == Weights::Q8_0 {
        builder = builder.with_isq(IsqType::Q8_0);
    }
    let (pipeline, scheduler, config) = build_auto_pipeline(builder).await?;
    let tokenizer = pipeline
        .lock()
        .await
        .tokenizer()
        .ok_or_else(|| anyhow::anyhow!("it has no tokenizer"))?;
    Ok((build_model_from_pipeline(pipeline, scheduler, config).await, tokenizer))
}

/// The device to compute on, and its name.
fn device(choice: DeviceChoice) -> (Device, &'static str) {
    #[cfg(feature = "cuda")]
    if choice == DeviceChoice::Auto
        && let Ok(device) = Device::new_cuda(0)
    {
        return (device, "CUDA");
    }
    #[cfg(feature = "metal")]
    if choice == DeviceChoice::Auto
        && let Ok(device) = Device::new_metal(0)
    {
        return (device, "Metal");
    }
    let (DeviceChoice::Auto | DeviceChoice::Cpu) = choice;
    (Device::Cpu, "CPU")
}

/// The message of an error without the backtrace that candle puts behind it.
pub fn one_line(error: &anyhow::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().trim().to_owned()
}
