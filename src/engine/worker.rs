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
use super::sampler::{Choice, Sampler, without_repetition};
use crate::panics;

/// mistral.rs sends one response a token; the worker never leaves many lying.
const RESPONSES: usize = 64;
/// Pause before what is waited for is looked at again.
const PAUSE: Duration = Duration::from_millis(2);
/// Longest wait for mistral.rs to drop a model; it may be busy with a long prompt.
const LET_GO_PATIENCE: Duration = Duration::from_secs(10);

/// The worker's state.
pub struct Worker<W> {
    events: SyncSender<EngineEvent>,
    wake: W,
    model: Option<Loaded>,
    loading: Option<Loading>,
    /// A question that came while its model was on the way.
    waiting: Option<(RequestId, Box<Question>)>,
    running: Option<Running>,
}

/// A load under way.
struct Loading {
    request: RequestId,
    result: oneshot::Receiver<Result<Loaded, EngineError>>,
    progress: mpsc::Receiver<LoadProgress>,
    /// A reload after a crash happens unseen.
    silent: bool,
}

/// An answer under way.
struct Running {
    request: RequestId,
    responses: mpsc::Receiver<Response>,
    choices: mpsc::Receiver<Choice>,
    stopped: Arc<AtomicBool>,
    tokenizer: Arc<Tokenizer>,
    text: TextStream,
    tokens: Vec<Token>,
    prompt_tokens: usize,
    dropped_turns: usize,
    resize: Duration,
    sent: Instant,
    first: Option<Instant>,
    last: Option<Instant>,
}

/// What woke the worker.
enum Wake {
    Command(Option<EngineCommand>),
    Progress(LoadProgress),
    Loaded(Result<Loaded, EngineError>),
    Choice(Choice),
    Response(Option<Response>),
}

impl<W: Fn()> Worker<W> {
    pub fn new(events: SyncSender<EngineEvent>, wake: W) -> Self {
        Self { events, wake, model: None, loading: None, waiting: None, running: None }
    }

    /// Works until told to shut down or until nobody is left to tell.
    pub async fn run(mut self, mut commands: mpsc::Receiver<EngineCommand>) {
        loop {
            let wake = tokio::select! {
                biased;
                command = commands.recv() => Wake::Command(command),
                wake = next_of_load(&mut self.loading) => wake,
                wake = next_of_answer(&mut self.running) => wake,
            };
            match wake {
                Wake::Command(None | Some(EngineCommand::Shutdown)) => return,
                Wake::Command(Some(command)) => self.obey(command).await,
                Wake::Progress(progress) => {
                    if let Some(Loading { request, silent: false, .. }) = self.loading {
                        self.send(EngineEvent::Loading(request, progress)).await;
                    }
                }
                Wake::Loaded(result) => self.loaded(result).await,
                Wake::Choice(choice) => self.chosen(choice).await,
                Wake::Response(response) => self.responded(response).await,
            }
        }
    }

    async fn obey(&mut self, command: EngineCommand) {
        match command {
            EngineCommand::Load(request, load) => {
                self.stop().await;
                self.let_go().await;
                self.start_load(request, *load, false);
            }
            EngineCommand::Ask(request, question) => {
                self.stop().await;
                if self.loading.is_some() {
                    self.waiting = Some((request, question));
                } else {
                    self.ask(request, &question).await;
                }
            }
            EngineCommand::Stop => self.stop().await,
            EngineCommand::Unload(request) => {
                self.stop().await;
                // A load under way cannot be interrupted; what it brings is dropped on arrival.
                self.loading = None;
                self.let_go().await;
                self.send(EngineEvent::Unloaded(request)).await;
            }
            EngineCommand::Shutdown => {}
        }
    }

    /// Drops the model and waits until mistral.rs, on its own thread, has dropped it too: two models
    /// at once may be more than the machine has room for.
    async fn let_go(&mut self) {
        let Some(model) = self.model.take() else { return };
        let tokenizer = Arc::downgrade(&model.tokenizer);
        drop(model);
        let given_up = Instant::now() + LET_GO_PATIENCE;
        while tokenizer.strong_count() > 0 && Instant::now() < given_up {
            tokio::time::sleep(PAUSE).await;
        }
        memory::give_back();
    }

    fn start_load(&mut self, request: RequestId, load: LoadRequest, silent: bool) {
        let (result, progress) = load::start(load);
        self.loading = Some(Loading { request, result, progress, silent });
    }

    async fn loaded(&mut self, result: Result<Loaded, EngineError>) {
        let Some(Loading { request, silent, .. }) = self.loading.take() else {
            return;
        };
        let waiting = self.waiting.take();
        match result {
            Ok(loaded) => {
                let info = loaded.info.clone();
                self.model = Some(loaded);
                if !silent {
                    self.send(EngineEvent::Ready(request, info)).await;
                }
                if let Some((request, question)) = waiting {
                    self.ask(request, &question).await;
                }
            }
            Err(error) => {
                if !silent {
                    self.send(EngineEvent::Failed(request, error.clone())).await;
                }
                if let Some((request, _)) = waiting {
                    self.send(EngineEvent::Failed(request, error)).await;
                }
            }
        }
    }

    async fn ask(&mut self, request: RequestId, question: &Question) {
        match self.begin(request, question) {
            Ok(running) => self.running = Some(running),
            Err(error) => self.send(EngineEvent::Failed(request, error)).await,
        }
    }

    /// Sends `question` to mistral.rs.
    fn begin(&self, request: RequestId, question: &Question) -> Result<Running, EngineError> {
        let Loaded { model, tokenizer, facts, .. } =
            self.model.as_ref().ok_or(EngineError::NoModel)?;
        question.check()?;
        let started = Instant::now();
        let mut prompt = prompt::build(question, facts, tokenizer)?;
        let resize = started.elapsed();

        let options = AnswerOptions { max_tokens: prompt.max_tokens, ..question.options };
        let (sampler, stopped, choices) = Sampler::new(options, facts.eos_tokens.clone());
        let sampler: Arc<dyn CustomLogitsProcessor> = Arc::new(sampler);
        let category = model.config().map_err(|error| EngineError::Answer(error.to_string()))?;
        prompt.messages.resolve_pending_prefixes(&category.category);
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
        model
            .inner()
            .get_sender(None)
            .map_err(|error| EngineError::Answer(error.to_string()))?
            .try_send(Request::Normal(Box::new(normal)))
            .map_err(|_| EngineError::Crashed(panics::take_last()))?;
        Ok(Running {
            request,
            responses,
            choices,
            stopped,
            tokenizer: tokenizer.clone(),
            text: TextStream::default(),
            tokens: Vec::new(),
            prompt_tokens: 0,
            dropped_turns: prompt.dropped_turns,
            resize,
            sent,
            first: None,
            last: None,
        })
    }

    async fn chosen(&mut self, choice: Choice) {
        let Some(running) = &mut self.running else {
            return;
        };
        running.prompt_tokens = choice.prompt_tokens;
        running.first.get_or_insert(choice.at);
        running.last = Some(choice.at);
        if let Some((id, logprob)) = choice.token {
            let token = Token { id, text: running.text.push(&running.tokenizer, id), logprob };
            running.tokens.push(token.clone());
            let event = EngineEvent::Token(running.request, token);
            self.send(event).await;
        }
        if let Some(finish) = choice.finish {
            self.finish(finish).await;
        }
    }

    async fn responded(&mut self, response: Option<Response>) {
        let error = match response {
            // The sampler's choices tell more than the chunks do.
            Some(Response::Chunk(_) | Response::Done(_)) => return,
            Some(Response::InternalError(error) | Response::ValidationError(error)) => {
                EngineError::Answer(first_line(&error.to_string()))
            }
            Some(Response::ModelError(message, _)) => EngineError::Answer(first_line(&message)),
            Some(_) => EngineError::Answer("an answer of another kind".into()),
            // The stream ended before the sampler did: the thread that ran it is gone.
            None => EngineError::Crashed(panics::take_last()),
        };
        let Some(Running { request, .. }) = self.running.take() else {
            return;
        };
        // A failed pass may leave a poisoned lock or half a cache behind: start afresh.
        if let Some(again) = self.model.as_ref().map(|broken| broken.request.clone()) {
            self.let_go().await;
            self.start_load(request, again, true);
        }
        self.send(EngineEvent::Failed(request, error)).await;
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
        running.stopped.store(true, Ordering::Relaxed);
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
                resize: running.resize.as_secs_f64(),
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
        Some(choice) = running.choices.recv() => Wake::Choice(choice),
        response = running.responses.recv() => Wake::Response(response),
    }
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
