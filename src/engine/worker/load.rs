//! Loads a model into mistral.rs, on a thread that is used for nothing else.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use conversation::ModelInfo;
use engine::{EngineError, LoadProgress, LoadRequest, LoadedModel};
use mistralrs::core::{IsqType, Response};
use mistralrs::model_builder_trait::{build_auto_pipeline, build_model_from_pipeline};
use mistralrs::{
    CustomLogitsProcessor, Device, DeviceMapSetting, Model, ModelBuilder, ModelCategory,
    ModelDType, NormalRequest, Request, RequestMessage, SamplingParams, Tensor, TokenSource,
};
use model_store::ModelFacts;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokenizers::Tokenizer;
use tokio::sync::{mpsc, oneshot};
use unpack::{InUse, Prepared};
use values::config::{Device as Wanted, Precision};
use values::panics;
use values::text::first_line;

use crate::prompt::Speech;

/// A model with what is needed to ask it.
///
/// mistral.rs 0.8.1 starts a thread for its log with every model and never ends it
/// (`engine/logger.rs`); it sleeps.
pub struct Loaded {
    /// mistral.rs's handle; dropping it lets go of the memory.
    _model: Model,
    /// Where requests go. Closed when mistral.rs's thread is gone; `Model` would start another
    /// one unseen, on what the failed one left behind.
    pub requests: mpsc::Sender<Request>,
    /// What kind of messages the model takes.
    pub category: ModelCategory,
    /// The threads that compute beside mistral.rs's own; they end with this value.
    _pool: Option<ThreadPool>,
    /// The model's own tokenizer.
    pub tokenizer: Arc<Tokenizer>,
    /// What its files say.
    pub facts: ModelFacts,
    /// Whether mistral.rs holds keys and values of what prompts begin with: see `ahead`.
    pub holds_prefixes: bool,
    /// Keeps its folder in the cache, from which maps read the encoder later.
    _in_use: Option<InUse>,
    /// What the user is told.
    pub about: LoadedModel,
    /// How it was asked for, to load it again after a crash.
    pub request: LoadRequest,
}

impl Loaded {
    /// What prompts for it are made with.
    pub fn speech(&self) -> Speech<'_> {
        let words = self.about.evidence_words();
        Speech { facts: &self.facts, words, tokenizer: &self.tokenizer }
    }
}

/// Starts loading; the result and the progress come through channels. `may_hold`: whether prefixes may
/// be held.
///
/// A fresh thread each time: mistral.rs keeps the quantisation in thread-locals that nothing
/// clears (`mistralrs-quant/src/lib.rs`).
pub fn start(
    request: LoadRequest,
    may_hold: bool,
) -> (oneshot::Receiver<Result<Loaded, EngineError>>, mpsc::Receiver<LoadProgress>) {
    let (done, result) = oneshot::channel();
    let (progress, steps) = mpsc::channel(16);
    let work = move || {
        // Progress that nobody has room for is not worth waiting for.
        let report = |step| {
            let _ = progress.try_send(step);
        };
        let loaded = panics::guard(|| load(request, may_hold, &report))
            .unwrap_or_else(|message| Err(EngineError::Load(message)));
        // The worker is gone only when the program ends.
        drop(done.send(loaded));
    };
    // Where no thread can be had the sender is dropped, which the worker takes for a failure.
    drop(std::thread::Builder::new().name("lorgnette-load".into()).spawn(work));
    (result, steps)
}

fn load(
    request: LoadRequest,
    may_hold: bool,
    report: &dyn Fn(LoadProgress),
) -> Result<Loaded, EngineError> {
    let started = Instant::now();
    let prepared = unpack::prepare(&request.model, &request.folders.cache, &mut |step| {
        report(LoadProgress::Files(step));
    })?;
    report(LoadProgress::Weights);
    let (device, device_name) = device(request.device);
    // What is known of their workings was found in these models, on a CPU.
    let holds_prefixes =
        may_hold && device.is_cpu() && prepared.facts.input.image_token().is_some();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| EngineError::Load(error.to_string()))?;
    let (model, tokenizer, eos_tokens, requests, pool) = runtime
        .block_on(async {
            let (model, tokenizer, eos_tokens) =
                build(&prepared.folder, &device, request.weights, holds_prefixes).await?;
            let requests = model.inner().get_sender(None)?;
            let pool = warm_up(&requests).await?;
            anyhow::Ok((model, tokenizer, eos_tokens, requests, pool))
        })
        .map_err(|error| EngineError::Load(first_line(&error)))?;
    let category = model.config().map_err(|error| EngineError::Load(error.to_string()))?.category;
    let Prepared { name, revision, card, folder: prepared_folder, mut facts, in_use } = prepared;
    facts.eos_tokens.extend(eos_tokens);
    let info = ModelInfo {
        name,
        revision,
        weights: request.weights.name().to_owned(),
        device: device_name.to_owned(),
    };
    let about = LoadedModel {
        info,
        card: card.map(Arc::new),
        context: facts.max_positions,
        input: facts.input.clone(),
        folder: prepared_folder,
        load_time: started.elapsed(),
    };
    Ok(Loaded {
        _model: model,
        requests,
        category,
        _pool: pool,
        tokenizer,
        facts,
        holds_prefixes,
        _in_use: in_use,
        about,
        request,
    })
}

async fn build(
    folder: &Path,
    device: &Device,
    weights: Precision,
    holds_prefixes: bool,
) -> anyhow::Result<(Model, Arc<Tokenizer>, Vec<u32>)> {
    // mistral.rs takes what is no folder for a name on a model hub, and would ask the network.
    let folder = folder
        .to_str()
        .filter(|_| folder.is_dir())
        .ok_or_else(|| anyhow::anyhow!("its folder's name is not Unicode: rename it"))?;
    // BF16 has no matrix product on a CPU, and "auto" would take F16 or ask nvidia-smi.
    let dtype = if device.is_cpu() { ModelDType::F32 } else { ModelDType::BF16 };
    let mut builder = ModelBuilder::new(folder)
        .with_device(device.clone())
        .with_dtype(dtype)
        .with_token_source(TokenSource::None)
        // A CPU's prefix cache takes any number, and lets go of nothing unless it is made to.
        .with_prefix_cache_n(holds_prefixes.then_some(1))
        .with_max_num_seqs(1)
        .with_device_mapping(DeviceMapSetting::dummy());
    if weights == Precision::Q8_0 {
        builder = builder.with_isq(IsqType::Q8_0);
    }
    let (pipeline, scheduler, config) = build_auto_pipeline(builder).await?;
    let (tokenizer, metadata) = {
        let pipeline = pipeline.lock().await;
        (pipeline.tokenizer(), pipeline.get_metadata())
    };
    let tokenizer = tokenizer.ok_or_else(|| anyhow::anyhow!("it has no tokenizer"))?;
    let model = build_model_from_pipeline(pipeline, scheduler, config).await;
    Ok((model, tokenizer, metadata.eos_tok.clone()))
}

/// Has the model say one token, on the way to which mistral.rs's thread joins a pool of threads.
///
/// From outside a pool every parallel step would be handed over and waited for, some ten thousand
/// times an answer.
async fn warm_up(requests: &mpsc::Sender<Request>) -> anyhow::Result<Option<ThreadPool>> {
    let join = Arc::new(JoinPool::default());
    let processor: Arc<dyn CustomLogitsProcessor> = join.clone();
    let (sender, mut responses) = mpsc::channel(1);
    let text = "hello".to_owned();
    let messages = RequestMessage::Completion { text, echo_prompt: false, best_of: None };
    let sampling = SamplingParams { max_len: Some(1), ..SamplingParams::deterministic() };
    let request = NormalRequest {
        logits_processors: Some(vec![processor]),
        ..NormalRequest::new_simple(messages, sampling, sender, 0, None, None)
    };
    requests.send(Request::Normal(Box::new(request))).await?;
    match responses.recv().await {
        Some(Response::CompletionDone(_)) => {}
        Some(response) => drop(response.as_result()?),
        None => anyhow::bail!("its first token: {}", panics::take_last()),
    }
    let mut pool = join.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(pool.take())
}

/// Makes the thread it is called on the first of a pool, which is kept here.
#[derive(Default)]
struct JoinPool(Mutex<Option<ThreadPool>>);

impl CustomLogitsProcessor for JoinPool {
    fn apply(&self, logits: &Tensor, _context: &[u32]) -> mistralrs::Result<Tensor> {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // mistral.rs may call a second time before it sees that one token was enough.
        if pool.is_none() {
            // Without a pool of its own the thread uses the process's, only slower.
            *pool = ThreadPoolBuilder::new().use_current_thread().build().ok();
        }
        Ok(logits.clone())
    }
}

/// The device of this build beside the CPU.
pub const ACCELERATOR: Option<&str> = if cfg!(feature = "cuda") {
    Some("CUDA")
} else if cfg!(feature = "metal") {
    Some("Metal")
} else {
    None
};

/// The device to compute on, and its name.
fn device(choice: Wanted) -> (Device, &'static str) {
    #[cfg(feature = "cuda")]
    if choice == Wanted::Auto
        && let Ok(device) = Device::new_cuda(0)
    {
        return (device, "CUDA");
    }
    #[cfg(feature = "metal")]
    if choice == Wanted::Auto
        && let Ok(device) = Device::new_metal(0)
    {
        return (device, "Metal");
    }
    let (Wanted::Auto | Wanted::Cpu) = choice;
    (Device::Cpu, "CPU")
}
