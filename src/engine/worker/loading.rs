//! The worker's part that has models loaded, and let go of.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{EngineError, EngineEvent, LoadProgress, LoadRequest, RequestId};
use tokio::sync::{mpsc, oneshot};

use crate::ahead::Held;
use crate::load::{self, Loaded};
use crate::{PAUSE, Wake, Worker, memory};

/// Longest wait for mistral.rs to drop a model; it may be busy with a long prompt.
const UNLOAD_TIMEOUT: Duration = Duration::from_secs(10);

/// A load under way.
pub struct Loading {
    pub request: RequestId,
    pub load: LoadRequest,
    pub result: oneshot::Receiver<Result<Loaded, EngineError>>,
    pub progress: mpsc::Receiver<LoadProgress>,
    /// A reload after a failure happens unseen.
    pub silent: bool,
}

/// A load cannot be interrupted: this comes when it is over.
pub enum AfterLoading {
    Load(RequestId, LoadRequest),
    Unload(RequestId),
}

impl Worker {
    /// Lets the load under way run to its end unwanted, with `next` to come after it.
    pub(super) async fn give_up_loading(&mut self, next: AfterLoading) {
        let given_up = match self.after_loading.replace(next) {
            Some(AfterLoading::Load(request, _)) => Some(request),
            Some(AfterLoading::Unload(request)) => {
                self.send(EngineEvent::Unloaded(request)).await;
                None
            }
            None => self.loading.as_ref().filter(|load| !load.silent).map(|load| load.request),
        };
        if let Some(request) = given_up {
            self.send(EngineEvent::Failed(request, EngineError::Replaced)).await;
        }
    }

    /// Drops the model and waits until mistral.rs, on its own thread, has dropped it too: two models
    /// at once may be more than the machine has room for.
    pub(super) async fn unload_model(&mut self) {
        self.forget_look().await;
        self.let_go_of_ending().await;
        self.forget_scores().await;
        self.let_go_of_scoring().await;
        self.held = Held::Nothing;
        let Some(model) = self.model.take() else { return };
        let tokenizer = Arc::downgrade(&model.tokenizer);
        drop(model);
        let given_up = Instant::now() + UNLOAD_TIMEOUT;
        while tokenizer.strong_count() > 0 && Instant::now() < given_up {
            tokio::time::sleep(PAUSE).await;
        }
        memory::give_back();
    }

    pub(super) fn start_load(&mut self, request: RequestId, load: LoadRequest, silent: bool) {
        let (result, progress) = load::start(load.clone(), self.may_hold);
        self.loading = Some(Loading { request, load, result, progress, silent });
    }

    pub(super) async fn loaded(&mut self, result: Result<Loaded, EngineError>) {
        let Some(Loading { request, load, silent, .. }) = self.loading.take() else { return };
        if let Some(next) = self.after_loading.take() {
            self.model = result.ok();
            self.unload_model().await;
            match next {
                AfterLoading::Load(request, load) => self.start_load(request, load, false),
                AfterLoading::Unload(request) => self.send(EngineEvent::Unloaded(request)).await,
            }
            return;
        }
        match result {
            Ok(loaded) => {
                let about = loaded.about.clone();
                // The first token, which every model says once, left something.
                self.held = if loaded.holds_prefixes { Held::Answer } else { Held::Nothing };
                self.model = Some(loaded);
                if !silent {
                    self.send(EngineEvent::Ready(request, about)).await;
                }
                self.go_on().await;
            }
            Err(error) => {
                if silent {
                    // The next question tries again, and is told if that fails too.
                    self.broken = Some(load);
                } else {
                    self.wanted = None;
                    self.send(EngineEvent::Failed(request, error.clone())).await;
                }
                let scores = std::mem::take(&mut self.to_score).into_iter();
                let waiting = self.waiting.take().map(|(request, _)| request);
                let ready = self.ready.take().map(|(request, _)| request);
                let look = self.to_look.take().map(|(request, _)| request);
                let waiting = waiting.into_iter().chain(ready).chain(look);
                for request in waiting.chain(scores.map(|(request, _)| request)) {
                    self.send(EngineEvent::Failed(request, error.clone())).await;
                }
            }
        }
    }

    /// Loads the model again, unseen: a failed pass may leave a poisoned lock or half a cache.
    pub(super) async fn reload(&mut self, request: RequestId) {
        if let Some(again) = self.model.as_ref().map(|broken| broken.request.clone()) {
            self.unload_model().await;
            self.start_load(request, again, true);
        }
    }
}

/// The next news of a load, where one is under way.
pub async fn next_of_load(loading: &mut Option<Loading>) -> Wake {
    let Some(loading) = loading else {
        return pending().await;
    };
    tokio::select! {
        biased;
        Some(progress) = loading.progress.recv() => Wake::Progress(progress),
        result = &mut loading.result => Wake::Loaded(Box::new(
            result.unwrap_or_else(|_| Err(EngineError::Load("no thread could be started".into()))),
        )),
    }
}
