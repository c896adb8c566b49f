//! The engine's worker: mistral.rs behind commands and events. mistral.rs lives here and nowhere
//! else.
//!
//! One model, one load and one answer at a time. An answer that is stopped or replaced is let go
//! of at once; where mistral.rs is still busy with its prompt, which it cannot interrupt, the
//! next question waits for that inside mistral.rs. An answer is read back only when no other is
//! given or asked for: mistral.rs takes no request of the one kind beside one of the other. What a
//! question would begin with is looked at when nothing else is to be done (`ahead`).

mod ahead;
mod answer;
mod ending;
mod load;
mod loading;
mod memory;
mod prompt;
mod reading;
mod sampler;
mod score;

use std::collections::VecDeque;
use std::future::pending;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use ahead::Held;
use answer::{Ready, Running};
use conversation::{Answer, Finish};
use ending::{Ending, Of, end_of};
use engine::{
    Backend, Engine, EngineCommand, EngineError, EngineEvent, LoadProgress, LoadRequest, Notify,
    Question, RequestId, ScoreRequest,
};
use load::Loaded;
use loading::{AfterLoading, Loading, next_of_load};
use mistralrs::core::Response;
use sampler::SampledToken;
use score::Scoring;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use values::panics;
use values::text::first_line;

/// Pause before what is waited for is looked at again.
const PAUSE: Duration = Duration::from_millis(2);
/// Readings that may wait; each holds pictures.
const SCORES: usize = 8;

/// mistral.rs as an engine.
pub const BACKEND: Backend = Backend { start, accelerator: load::ACCELERATOR };

/// Starts the worker. `wake` is called after each event, from the worker's thread.
fn start(wake: Notify) -> Result<Engine, EngineError> {
    panics::catch();
    memory::share_one_arena();
    let (engine, inbox, outbox) = engine::channels();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|_| EngineError::Unreachable)?;
    std::thread::Builder::new()
        .name("lorgnette-engine".into())
        .spawn(move || live(&runtime, &mut Worker::new(outbox, wake), inbox))
        .map_err(|_| EngineError::Unreachable)?;
    Ok(engine)
}

/// Works to the end. A panic of the worker itself, and not of what it guards, is lived through once.
fn live(runtime: &Runtime, worker: &mut Worker, mut commands: mpsc::Receiver<EngineCommand>) {
    let Err(reason) = panics::guard(|| runtime.block_on(worker.run(&mut commands))) else { return };
    let again = panics::guard(|| {
        runtime.block_on(async {
            worker.recover(reason).await;
            worker.run(&mut commands).await;
        });
    });
    if again.is_ok() {
        return;
    }
    // From here on every command is refused, which whoever listens is woken to see.
    drop(commands);
    let told = panics::guard(|| runtime.block_on(worker.fail_all(&EngineError::Unreachable)));
    if told.is_ok() {
        (worker.wake)();
    }
}

/// The worker's state.
struct Worker {
    events: SyncSender<EngineEvent>,
    wake: Notify,
    /// Requests whose last event is still to come.
    open: Vec<RequestId>,
    /// The model that was asked for last.
    wanted: Option<(RequestId, LoadRequest)>,
    model: Option<Loaded>,
    loading: Option<Loading>,
    /// What was asked for while a model was being loaded that is no longer wanted.
    after_loading: Option<AfterLoading>,
    /// A model that failed at an answer and is to be loaded again for the next question.
    broken: Option<LoadRequest>,
    /// A question that came while its model was on the way, or mistral.rs still busy.
    waiting: Option<(RequestId, Box<Question>)>,
    /// That question with its prompt, about to be asked.
    ready: Option<(RequestId, Ready)>,
    running: Option<Running>,
    /// Answers to be read back when nothing else is to be done.
    to_score: VecDeque<(RequestId, Box<ScoreRequest>)>,
    /// The one that is being read.
    scoring: Option<Scoring>,
    /// What a question would begin with, to be looked at when nothing else is to be done.
    to_look: Option<(RequestId, Box<Question>)>,
    /// What mistral.rs holds of prompts.
    held: Held,
    /// Whether it may hold any: not once it did not let go.
    may_hold: bool,
    /// What brings no words, or no more, until mistral.rs has put it down too: two requests inside it
    /// would be computed together.
    ending: Option<Ending>,
}

/// What woke the worker.
enum Wake {
    Command(Option<EngineCommand>),
    Progress(LoadProgress),
    Loaded(Box<Result<Loaded, EngineError>>),
    Sampled(SampledToken),
    Response(Option<Response>),
    Ended,
    Score(Option<Response>),
}

impl Worker {
    fn new(events: SyncSender<EngineEvent>, wake: Notify) -> Self {
        Self {
            events,
            wake,
            open: Vec::new(),
            wanted: None,
            model: None,
            loading: None,
            after_loading: None,
            broken: None,
            waiting: None,
            ready: None,
            running: None,
            to_score: VecDeque::new(),
            scoring: None,
            to_look: None,
            held: Held::Nothing,
            may_hold: true,
            ending: None,
        }
    }

    /// Works until told to shut down or until nobody is left to tell.
    async fn run(&mut self, commands: &mut mpsc::Receiver<EngineCommand>) {
        loop {
            let wake = tokio::select! {
                biased;
                command = commands.recv() => Wake::Command(command),
                wake = next_of_load(&mut self.loading) => wake,
                wake = next_of_answer(&mut self.running) => wake,
                wake = end_of(&mut self.ending) => wake,
                wake = reading::next_of_scoring(&mut self.scoring) => wake,
            };
            match wake {
                Wake::Command(None | Some(EngineCommand::Shutdown)) => {
                    self.let_go_of_ending().await;
                    return self.let_go_of_scoring().await;
                }
                Wake::Command(Some(command)) => self.handle(command).await,
                Wake::Progress(progress) => {
                    let wanted = self.after_loading.is_none();
                    if let Some(Loading { request, silent: false, .. }) = self.loading
                        && wanted
                    {
                        self.send(EngineEvent::Loading(request, progress)).await;
                    }
                }
                Wake::Loaded(result) => self.loaded(*result).await,
                Wake::Sampled(sampled) => self.sampled(sampled).await,
                Wake::Response(response) => self.responded(response).await,
                Wake::Ended => self.ended().await,
                Wake::Score(response) => self.scored(response).await,
            }
        }
    }

    /// After a panic of this worker: the answers and readings under way are lost, and the model is
    /// loaded again, unseen.
    async fn recover(&mut self, reason: String) {
        (self.running, self.waiting, self.ready, self.to_look) = (None, None, None, None);
        self.to_score.clear();
        if let Some(scoring) = &mut self.scoring {
            // It is told of below.
            scoring.told = true;
        }
        if let Some(Ending { of: of @ Of::Looking(_), .. }) = &mut self.ending {
            // So is this.
            *of = Of::Answer;
        }
        // A load that was asked for goes on, or begins anew, with the events that it would have had.
        let loading = self.loading.as_ref().map(|loading| loading.request);
        let after = self.after_loading.as_ref().map(|after| match after {
            AfterLoading::Load(request, _) | AfterLoading::Unload(request) => *request,
        });
        let wanted = self.wanted.as_ref().map(|(request, _)| *request);
        let loads = [loading, after, wanted];
        let (coming, lost) = self.open.drain(..).partition(|open| loads.contains(&Some(*open)));
        self.open = lost;
        self.fail_all(&EngineError::Crashed(reason)).await;
        self.open = coming;
        if self.loading.is_none()
            && let Some((request, load)) = self.wanted.clone()
        {
            self.broken = None;
            self.unload_model().await;
            self.start_load(request, load, !self.open.contains(&request));
        }
    }

    /// Fails every request whose last event is still to come.
    async fn fail_all(&mut self, error: &EngineError) {
        for request in self.open.clone() {
            self.send(EngineEvent::Failed(request, error.clone())).await;
        }
    }

    async fn handle(&mut self, command: EngineCommand) {
        match &command {
            EngineCommand::Load(request, load) => {
                self.wanted = Some((*request, (**load).clone()));
                self.open.push(*request);
            }
            EngineCommand::Unload(request) => {
                self.wanted = None;
                self.open.push(*request);
            }
            EngineCommand::Ask(request, _)
            | EngineCommand::Score(request, _)
            | EngineCommand::LookAhead(request, _) => {
                self.open.push(*request);
            }
            EngineCommand::ForgetScores | EngineCommand::Stop | EngineCommand::Shutdown => {}
        }
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
                self.forget_scores().await;
                self.forget_look().await;
                self.waiting = Some((request, question));
                self.go_on().await;
            }
            EngineCommand::Score(request, wanted) => {
                if self.to_score.len() < SCORES {
                    self.to_score.push_back((request, wanted));
                    self.go_on().await;
                } else {
                    self.send(EngineEvent::Failed(request, EngineError::Busy)).await;
                }
            }
            EngineCommand::ForgetScores => self.forget_scores().await,
            EngineCommand::LookAhead(request, beginning) => {
                self.forget_look().await;
                self.to_look = Some((request, beginning));
                self.go_on().await;
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

    /// Asks the question that waits, else reads the answer that waits, else looks ahead, if nothing
    /// stands before it.
    async fn go_on(&mut self) {
        while self.loading.is_none()
            && self.ending.is_none()
            && self.scoring.is_none()
            && self.running.is_none()
        {
            let ready = self.ready.as_ref().map(|(request, _)| *request);
            let waiting = self.waiting.as_ref().map(|(request, _)| *request);
            let to_score = self.to_score.front().map(|(request, _)| *request);
            let to_look = self.to_look.as_ref().map(|(request, _)| *request);
            let Some(next) = ready.or(waiting).or(to_score).or(to_look) else {
                if !matches!(self.held, Held::Answer) {
                    return;
                }
                self.let_go_of_held();
                continue;
            };
            if let Some(broken) = self.broken.take() {
                self.start_load(next, broken, true);
            } else if let Some((request, ready)) = self.ready.take() {
                if let Some(held) = self.held.for_prompt(ready.prompt()) {
                    self.ask(request, ready, held).await;
                } else {
                    self.ready = Some((request, ready));
                    self.let_go_of_held();
                }
            } else if let Some((request, question)) = self.waiting.take() {
                self.prepare(request, &question).await;
            } else if to_score.is_none() {
                self.look_waiting().await;
            } else if self.held.is_nothing() {
                self.score_waiting().await;
            } else {
                self.let_go_of_held();
            }
        }
    }

    async fn prepare(&mut self, request: RequestId, question: &Question) {
        panics::forget();
        // A tokenizer may panic over what it is given; the worker must not end with it.
        let ready = match &self.model {
            Some(model) => panics::guard(|| Ready::new(model, question))
                .unwrap_or_else(|reason| Err(EngineError::Answer(reason))),
            None => Err(EngineError::NoModel),
        };
        match ready {
            Ok(ready) => self.ready = Some((request, ready)),
            Err(error) => self.send(EngineEvent::Failed(request, error)).await,
        }
    }

    async fn ask(&mut self, request: RequestId, question: Ready, held: Vec<u32>) {
        panics::forget();
        let begun = match &self.model {
            Some(model) => panics::guard(|| Running::begin(model, request, question, held))
                .unwrap_or_else(|reason| Err(EngineError::Answer(reason))),
            None => Err(EngineError::NoModel),
        };
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

    async fn sampled(&mut self, sampled: SampledToken) {
        let Some(running) = &mut self.running else { return };
        if let Some(token) = running.take(&sampled) {
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
                let error = EngineError::Answer(first_line(&error));
                self.send(EngineEvent::Failed(request, error)).await;
                return self.go_on().await;
            }
            Some(Response::InternalError(error)) => EngineError::Answer(first_line(&error)),
            Some(Response::ModelError(message, _)) => EngineError::Answer(first_line(&message)),
            Some(_) => EngineError::Answer("an answer of another kind".into()),
            // The stream ended before the sampler did: the thread that ran it is gone.
            None => EngineError::Crashed(panics::take_last()),
        };
        let Some(Running { request, .. }) = self.running.take() else { return };
        self.send(EngineEvent::Failed(request, error)).await;
        self.reload(request).await;
    }

    /// Ends the answer or the question under way, if any, as stopped.
    async fn stop(&mut self) {
        if self.running.is_some() {
            self.finish(Finish::Stopped).await;
        }
        let ready = self.ready.take().map(|(request, _)| request);
        let waiting = self.waiting.take().map(|(request, _)| request);
        if let Some(request) = waiting.or(ready) {
            let answer = Answer { finish: Finish::Stopped, ..Answer::default() };
            self.send(EngineEvent::Done(request, Box::new(answer))).await;
        }
    }

    async fn finish(&mut self, finish: Finish) {
        let Some(running) = self.running.take() else { return };
        let request = running.request;
        let (answer, responses) = running.finish(finish);
        self.ending = Some(Ending::new(responses, Of::Answer));
        self.send(EngineEvent::Done(request, Box::new(answer))).await;
    }

    async fn send(&mut self, mut event: EngineEvent) {
        if !matches!(event, EngineEvent::Loading(..) | EngineEvent::Token(..)) {
            let request = event.request();
            self.open.retain(|open| *open != request);
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use conversation::Options;

    use super::*;

    #[test]
    fn a_worker_that_panics_once_goes_on_and_a_second_time_is_gone() {
        let armed = Arc::new(AtomicBool::new(false));
        let own = Arc::clone(&armed);
        let wake = move || assert!(!own.swap(false, Ordering::Relaxed), "as a test wants it");
        let engine = start(Box::new(wake)).unwrap();
        let ask = || engine.ask(Question { turns: Vec::new(), options: Options::default() });
        let hear = || engine.wait_event(Duration::from_mins(1));
        for _ in 0..2 {
            // An event is heard a moment before its call.
            while armed.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            armed.store(true, Ordering::Relaxed);
            let asked = ask().unwrap();
            let event = hear().unwrap().unwrap();
            assert!(matches!(event, EngineEvent::Failed(id, EngineError::NoModel) if id == asked));
        }
        assert!(matches!(hear(), Err(EngineError::Unreachable)));
        assert!(engine.is_gone());
        assert!(matches!(ask(), Err(EngineError::Unreachable)));
    }
}
