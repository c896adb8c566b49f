//! The engine's own thread: takes commands, runs mistral.rs, sends events.
//!
//! One model, one load and one answer at a time. An answer that is stopped or replaced is let go
//! of at once; where mistral.rs is still busy with its prompt, which it cannot interrupt, the
//! next question waits for that inside mistral.rs.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};

use mistralrs::core::Response;
use mistralrs::{
    Constraint, CustomLogitsProcessor, NormalRequest, Request, RequestLike, SamplingParams,
};
use tokenizers::Tokenizer;
use tokenizers::tokenizer::step_decode_stream;
use tokio::sync::{mpsc, oneshot};

use super::command::{AnswerOptions, EngineCommand, LoadRequest, Question, RequestId};
use super::event::{Answer, EngineError, EngineEvent, Finish, LoadProgress, Timings, Token, Usage};
use super::load::{self, Loaded};
use super::memory;
use super::prompt;
use super::sampler::{SampledToken, Sampler, without_repetition};
use crate::panics;

/// mistral.rs sends one response a token; the worker never leaves many lying.
const RESPONSES: usize = 64;
/// Pause before what is waited for is looked at again.
const PAUSE: Duration = Duration::from_millis(2);
/// Longest wait for mistral.rs to drop a model; it may be busy with a long prompt.
const UNLOAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The worker's state.
pub struct Worker<W> {
    events: SyncSender<EngineEvent>,
    wake: W,
    model: Option<Loaded>,
    loading: Option<Loading>,
    /// What was asked for while a model was being loaded that is no longer wanted.
    after_loading: Option<AfterLoading>,
    /// A model that failed at an answer and is to be loaded again for the next question.
    broken: Option<LoadRequest>,
    /// A question that came while its model was on the way, or mistral.rs still busy.
    waiting: Option<(RequestId, Box<Question>)>,
    running: Option<Running>,
    /// An answer that is over for the user, until mistral.rs has put it down too: two requests
    /// inside it would be computed together.
    ending: Option<mpsc::Receiver<Response>>,
}

/// A load under way.
struct Loading {
    request: RequestId,
    load: LoadRequest,
    result: oneshot::Receiver<Result<Loaded, EngineError>>,
    progress: mpsc::Receiver<LoadProgress>,
    /// A reload after a failure happens unseen.
    silent: bool,
}

/// A load cannot be interrupted: this comes when it is over.
enum AfterLoading {
    Load(RequestId, LoadRequest),
    Unload(RequestId),
}

/// An answer under way.
struct Running {
    request: RequestId,
    responses: mpsc::Receiver<Response>,
    sampled: mpsc::Receiver<SampledToken>,
    stop: Arc<AtomicBool>,
    tokenizer: Arc<Tokenizer>,
    text: TextStream,
    tokens: Vec<Token>,
    prompt_tokens: usize,
    dropped_turns: usize,
    prepare: Duration,
    sent: Instant,
    first: Option<Instant>,
    last: Option<Instant>,
}

/// What woke the worker.
enum Wake {
    Command(Option<EngineCommand>),
    Progress(LoadProgress),
    Loaded(Result<Loaded, EngineError>),
    Sampled(SampledToken),
    Response(Option<Response>),
    Ended { failed: bool },
}

impl<W: Fn()> Worker<W> {
    pub fn new(events: SyncSender<EngineEvent>, wake: W) -> Self {
        Self {
            events,
            wake,
            model: None,
            loading: None,
            after_loading: None,
            broken: None,
            waiting: None,
            running: None,
            ending: None,
        }
    }

    /// Works until told to shut down or until nobody is left to tell.
    pub async fn run(mut self, mut commands: mpsc::Receiver<EngineCommand>) {
        loop {
            let wake = tokio::select! {
                biased;
                command = commands.recv() => Wake::Command(command),
                wake = next_of_load(&mut self.loading) => wake,
                wake = next_of_answer(&mut self.running) => wake,
                wake = end_of_answer(&mut self.ending) => wake,
            };
            match wake {
                Wake::Command(None | Some(EngineCommand::Shutdown)) => return,
                Wake::Command(Some(command)) => self.handle(command).await,
                Wake::Progress(progress) => {
                    let wanted = self.after_loading.is_none();
                    if let Some(Loading { request, silent: false, .. }) = self.loading
                        && wanted
                    {
                        self.send(EngineEvent::Loading(request, progress)).await;
                    }
                }
                Wake::Loaded(result) => self.loaded(result).await,
                Wake::Sampled(sampled) => self.sampled(sampled).await,
                Wake::Response(response) => self.responded(response).await,
                Wake::Ended { failed } => self.ended(failed).await,
            }
        }
    }

    async fn handle(&mut self, command: EngineCommand) {
        match command {
            EngineCommand::Load(request, load) => {
                self.stop().await;
                self.broken = None;
                self.unload_model().await;
                if self.loading.is_some() {
                    self.give_up_loading(AfterLoading::Load(request, *load)).await;
                } else {
                    self.start_load(request, *load, false);
                }
            }
            EngineCommand::Ask(request, question) => {
                self.stop().await;
                self.waiting = Some((request, question));
                self.ask_waiting().await;
            }
            EngineCommand::Stop => self.stop().await,
            EngineCommand::Unload(request) => {
                self.stop().await;
                self.broken = None;
                self.unload_model().await;
                if self.loading.is_some() {
                    self.give_up_loading(AfterLoading::Unload(request)).await;
                } else {
                    self.send(EngineEvent::Unloaded(request)).await;
                }
            }
            EngineCommand::Shutdown => {}
        }
    }

    /// Lets the load under way run to its end unwanted, with `next` to come after it.
    async fn give_up_loading(&mut self, next: AfterLoading) {
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
    async fn unload_model(&mut self) {
        self.ending = None;
        let Some(model) = self.model.take() else { return };
        let tokenizer = Arc::downgrade(&model.tokenizer);
        drop(model);
        let given_up = Instant::now() + UNLOAD_TIMEOUT;
        while tokenizer.strong_count() > 0 && Instant::now() < given_up {
            tokio::time::sleep(PAUSE).await;
        }
        memory::give_back();
    }

    fn start_load(&mut self, request: RequestId, load: LoadRequest, silent: bool) {
        let (result, progress) = load::start(load.clone());
        self.loading = Some(Loading { request, load, result, progress, silent });
    }

    async fn loaded(&mut self, result: Result<Loaded, EngineError>) {
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
                let info = loaded.info.clone();
                self.model = Some(loaded);
                if !silent {
                    self.send(EngineEvent::Ready(request, info)).await;
                }
                self.ask_waiting().await;
            }
            Err(error) => {
                if silent {
                    // The next question tries again, and is told if that fails too.
                    self.broken = Some(load);
                } else {
                    self.send(EngineEvent::Failed(request, error.clone())).await;
                }
                if let Some((request, _)) = self.waiting.take() {
                    self.send(EngineEvent::Failed(request, error)).await;
                }
            }
        }
    }

    /// Asks the question that waits, if one does and nothing stands before it.
    async fn ask_waiting(&mut self) {
        if self.loading.is_some() || self.ending.is_some() {
            return;
        }
        let Some((request, question)) = self.waiting.take() else { return };
        if let Some(broken) = self.broken.take() {
            self.start_load(request, broken, true);
            self.waiting = Some((request, question));
            return;
        }
        self.ask(request, &question).await;
    }

    async fn ask(&mut self, request: RequestId, question: &Question) {
        panics::forget();
        // A tokenizer may panic over what it is given; the worker must not end with it.
        let begun = panics::guard(|| self.begin(request, question))
            .unwrap_or_else(|reason| Err(EngineError::Answer(reason)));
        match begun {
            Ok(running) => self.running = Some(running),
            Err(error) => {
                let crashed = matches!(error, EngineError::Crashed(_));
                self.send(EngineEvent::Failed(request, error)).await;
                if crashed {
                    self.reload(request).await;
                }
            }
        }
    }

    /// Loads the model again, unseen: a failed pass may leave a poisoned lock or half a cache.
    async fn reload(&mut self, request: RequestId) {
        if let Some(again) = self.model.as_ref().map(|broken| broken.request.clone()) {
            self.unload_model().await;
            self.start_load(request, again, true);
        }
    }

    /// Sends `question` to mistral.rs.
    fn begin(&self, request: RequestId, question: &Question) -> Result<Running, EngineError> {
        let Loaded { requests, category, tokenizer, facts, .. } =
            self.model.as_ref().ok_or(EngineError::NoModel)?;
        question.check()?;
        let started = Instant::now();
        let mut prompt = prompt::build(question, facts, tokenizer)?;
        let prepare = started.elapsed();

        let options = AnswerOptions { max_tokens: prompt.max_tokens, ..question.options };
        let (sampler, stop, choices) =
            Sampler::new(options, facts.eos_tokens.clone(), facts.max_positions);
        let sampler: Arc<dyn CustomLogitsProcessor> = Arc::new(sampler);
        prompt.messages.resolve_pending_prefixes(category);
        let (sender, responses) = mpsc::channel(RESPONSES);
        let sent = Instant::now();
        let sampling = SamplingParams {
            temperature: Some(0.0),
            // The sampler ends the answer; this is for the case that its end goes unheard.
            max_len: Some(prompt.max_tokens + 1),
            ..SamplingParams::deterministic()
        };
        let normal = NormalRequest {
            is_streaming: true,
            logits_processors: Some(vec![sampler]),
            constraint: Constraint::None,
            ..NormalRequest::new_simple(
                prompt.messages.take_messages(),
                sampling,
                sender,
                0,
                None,
                None,
            )
        };
        requests
            .try_send(Request::Normal(Box::new(normal)))
            .map_err(|_| EngineError::Crashed(panics::take_last()))?;
        Ok(Running {
            request,
            responses,
            sampled: choices,
            stop,
            tokenizer: tokenizer.clone(),
            text: TextStream::default(),
            tokens: Vec::new(),
            prompt_tokens: 0,
            dropped_turns: prompt.dropped_turns,
            prepare,
            sent,
            first: None,
            last: None,
        })
    }

    async fn sampled(&mut self, sampled: SampledToken) {
        let Some(running) = &mut self.running else { return };
        running.prompt_tokens = sampled.prompt_tokens;
        running.first.get_or_insert(sampled.at);
        running.last = Some(sampled.at);
        if let Some((id, logprob)) = sampled.token {
            let token = Token { id, text: running.text.push(&running.tokenizer, id), logprob };
            running.tokens.push(token.clone());
            let event = EngineEvent::Token(running.request, token);
            self.send(event).await;
        }
        if let Some(finish) = sampled.finish {
            self.finish(finish).await;
        }
    }

    async fn responded(&mut self, response: Option<Response>) {
        let error = match response {
            // The sampler tells more than the chunks do, but for an end it does not know.
            Some(Response::Chunk(chunk)) => {
                let choice = chunk.choices.into_iter().next();
                match choice.and_then(|choice| choice.finish_reason).as_deref() {
                    None => return,
                    Some("length") => return self.finish(Finish::Length).await,
                    Some(_) => return self.finish(Finish::End).await,
                }
            }
            Some(Response::ValidationError(error)) => {
                // Refused before any pass was made: the model is as good as before.
                let Some(Running { request, .. }) = self.running.take() else { return };
                let error = EngineError::Answer(first_line(&error.to_string()));
                return self.send(EngineEvent::Failed(request, error)).await;
            }
            Some(Response::InternalError(error)) => {
                EngineError::Answer(first_line(&error.to_string()))
            }
            Some(Response::ModelError(message, _)) => EngineError::Answer(first_line(&message)),
            Some(_) => EngineError::Answer("an answer of another kind".into()),
            // The stream ended before the sampler did: the thread that ran it is gone.
            None => EngineError::Crashed(panics::take_last()),
        };
        let Some(Running { request, .. }) = self.running.take() else { return };
        self.send(EngineEvent::Failed(request, error)).await;
        self.reload(request).await;
    }

    /// mistral.rs has put down an answer that was over for the user already.
    async fn ended(&mut self, failed: bool) {
        self.ending = None;
        let crashed = self.model.as_ref().is_some_and(|model| model.requests.is_closed());
        if failed || crashed {
            let load = self.model.as_ref().map(|broken| broken.request.clone());
            self.unload_model().await;
            self.broken = load;
        }
        self.ask_waiting().await;
    }

    /// Ends the answer or the question under way, if any, as stopped.
    async fn stop(&mut self) {
        if self.running.is_some() {
            self.finish(Finish::Stopped).await;
        }
        if let Some((request, _)) = self.waiting.take() {
            let answer = Answer {
                text: String::new(),
                tokens: Vec::new(),
                finish: Finish::Stopped,
                usage: Usage::default(),
                timings: Timings::default(),
            };
            self.send(EngineEvent::Done(request, Box::new(answer))).await;
        }
    }

    async fn finish(&mut self, finish: Finish) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        running.stop.store(true, Ordering::Relaxed);
        self.ending = Some(running.responses);
        if finish == Finish::Repetition {
            let ids: Vec<u32> = running.tokens.iter().map(|token| token.id).collect();
            running.tokens.truncate(without_repetition(&ids));
        }
        let ids: Vec<u32> = running.tokens.iter().map(|token| token.id).collect();
        let text = running.tokenizer.decode(&ids, true).unwrap_or_default();
        let since = |start: Option<Instant>, end: Option<Instant>| match (start, end) {
            (Some(start), Some(end)) => end.duration_since(start).as_secs_f64(),
            _ => 0.0,
        };
        let answer = Answer {
            text: text.trim().to_owned(),
            usage: Usage {
                prompt_tokens: running.prompt_tokens,
                answer_tokens: running.tokens.len(),
                dropped_turns: running.dropped_turns,
            },
            timings: Timings {
                prepare: running.prepare.as_secs_f64(),
                prefill: since(Some(running.sent), running.first),
                decode: since(running.first, running.last),
            },
            tokens: running.tokens,
            finish,
        };
        self.send(EngineEvent::Done(running.request, Box::new(answer))).await;
    }

    async fn send(&self, mut event: EngineEvent) {
        loop {
            match self.events.try_send(event) {
                Ok(()) => return (self.wake)(),
                Err(TrySendError::Full(unsent)) => event = unsent,
                // Nobody listens any more; the command channel will say so too.
                Err(TrySendError::Disconnected(_)) => return,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn next_of_load(loading: &mut Option<Loading>) -> Wake {
    let Some(loading) = loading else {
        return pending().await;
    };
    tokio::select! {
        biased;
        Some(progress) = loading.progress.recv() => Wake::Progress(progress),
        result = &mut loading.result => Wake::Loaded(
            result.unwrap_or_else(|_| Err(EngineError::Load("no thread could be started".into()))),
        ),
    }
}

async fn next_of_answer(running: &mut Option<Running>) -> Wake {
    let Some(running) = running else {
        return pending().await;
    };
    tokio::select! {
        biased;
        Some(sampled) = running.sampled.recv() => Wake::Sampled(sampled),
        response = running.responses.recv() => Wake::Response(response),
    }
}

/// Waits until mistral.rs lets go of an answer; whatever it still says of it is for nobody.
async fn end_of_answer(ending: &mut Option<mpsc::Receiver<Response>>) -> Wake {
    let Some(responses) = ending else { return pending().await };
    let mut failed = false;
    while let Some(response) = responses.recv().await {
        failed |= !matches!(response, Response::Chunk(_) | Response::Done(_));
    }
    Wake::Ended { failed }
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().trim().to_owned()
}

/// Turns tokens into text as they come, holding back characters that are not yet complete.
#[derive(Default)]
struct TextStream {
    ids: Vec<u32>,
    prefix: String,
    prefix_index: usize,
}

impl TextStream {
    fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> String {
        let Self { ids, prefix, prefix_index } = self;
        // The one error there is speaks of a decoder that takes text back; ours does not.
        step_decode_stream(tokenizer, id, true, ids, prefix, prefix_index)
            .ok()
            .flatten()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_made_of_several_tokens_comes_whole() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("models/lorgnette-tiny/tokenizer.json");
        let tokenizer = Tokenizer::from_file(file).unwrap();
        let text = "A lemon 🍋, déjà vu, 檸檬.";
        let ids = tokenizer.encode(text, false).unwrap().get_ids().to_vec();
        let mut stream = TextStream::default();
        let pieces: Vec<String> = ids.iter().map(|id| stream.push(&tokenizer, *id)).collect();
        assert_eq!(pieces.concat(), text);
        assert!(pieces.iter().any(String::is_empty), "some tokens wait for the next");
        assert!(!pieces.concat().contains('\u{fffd}'));
    }
}
