//! The engine as the rest of the program knows it: commands, events and errors, in plain values.
//!
//! ```text
//! Engine ── EngineCommand ──► worker ──► mistral.rs (encoder → projector → language model)
//!        ◄── EngineEvent ────        ◄── sampler: one choice a token
//! ```
//!
//! What answers is a [`Backend`] that `main` hands in: `engine/worker`, a crate of its own, so that
//! nothing here is compiled on top of mistral.rs.
//!
//! Both channels are bounded. Each event carries the id of its request, so that a stale one can be
//! told from the rest. A panic in mistral.rs becomes [`EngineError::Crashed`] and the
//! model is loaded again for the next question; a panic of the worker itself does the same, once.

mod command;
mod error;
mod event;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

pub use command::{EngineCommand, LoadRequest, Question, RequestId, ScoreRequest};
pub use error::EngineError;
pub use event::{EngineEvent, LoadProgress, LoadedModel, Scores};

/// Commands that may wait for the worker.
const COMMANDS: usize = 32;
/// Events that may wait for whoever listens.
const EVENTS: usize = 1024;

/// How long what a question would begin with has to stay the same before it is looked at ahead.
pub const REST: Duration = Duration::from_millis(300);

/// Called after each event, from the worker's thread.
pub type Notify = Box<dyn Fn() + Send>;

/// What answers questions.
#[derive(Debug, Clone, Copy)]
pub struct Backend {
    /// Starts its worker; [`EngineError::Unreachable`] where the system gives no thread.
    pub start: fn(Notify) -> Result<Engine, EngineError>,
    /// The device of this build beside the CPU.
    pub accelerator: Option<&'static str>,
}

/// A running engine. Dropping it ends the worker and lets go of the model.
#[derive(Debug)]
pub struct Engine {
    commands: mpsc::Sender<EngineCommand>,
    events: Receiver<EngineEvent>,
    next: AtomicU64,
}

/// An engine without a worker yet, and the ends of its channels that are the worker's.
#[must_use]
pub fn channels() -> (Engine, mpsc::Receiver<EngineCommand>, SyncSender<EngineEvent>) {
    let (commands, inbox) = mpsc::channel(COMMANDS);
    let (outbox, events) = sync_channel(EVENTS);
    (Engine { commands, events, next: AtomicU64::new(1) }, inbox, outbox)
}

impl Engine {
    /// Loads a model in place of the loaded one, or of one being loaded:
    /// [`EngineEvent::Loading`]s, then [`EngineEvent::Ready`] or [`EngineEvent::Failed`].
    ///
    /// # Errors
    /// [`EngineError::Busy`] or [`EngineError::Unreachable`], as for every command.
    pub fn load(&self, load: LoadRequest) -> Result<RequestId, EngineError> {
        self.send(|request| EngineCommand::Load(request, Box::new(load)))
    }

    /// Asks a question, in place of one that is being answered: [`EngineEvent::Token`]s, then
    /// [`EngineEvent::Done`] or [`EngineEvent::Failed`]. While a model is being loaded the
    /// question waits for it.
    ///
    /// # Errors
    /// [`EngineError::Busy`] or [`EngineError::Unreachable`].
    pub fn ask(&self, question: Question) -> Result<RequestId, EngineError> {
        self.send(|request| EngineCommand::Ask(request, Box::new(question)))
    }

    /// Reads an answer back by one prefill, after what is under way: [`EngineEvent::Scored`] or
    /// [`EngineEvent::Failed`]. A question that is asked meanwhile takes the place of readings that
    /// have not begun; one that has begun cannot be interrupted, and the question waits for it.
    ///
    /// # Errors
    /// [`EngineError::Busy`] or [`EngineError::Unreachable`].
    pub fn score(&self, wanted: ScoreRequest) -> Result<RequestId, EngineError> {
        self.send(|request| EngineCommand::Score(request, Box::new(wanted)))
    }

    /// Forgets the readings that have not begun: each fails as [`EngineError::Superseded`].
    ///
    /// # Errors
    /// [`EngineError::Busy`] or [`EngineError::Unreachable`].
    pub fn forget_scores(&self) -> Result<(), EngineError> {
        self.send(|_| EngineCommand::ForgetScores).map(|_| ())
    }

    /// Looks at what a question would begin with, so that its first word comes sooner: the turns that
    /// it would have now, the last without its words. [`EngineEvent::LookedAhead`] or
    /// [`EngineEvent::Failed`].
    ///
    /// Every question and every reading goes first. What has not begun is void once a question is
    /// asked or something else is to be looked at; what has begun cannot be interrupted, and a
    /// question waits for it.
    ///
    /// # Errors
    /// [`EngineError::Busy`] or [`EngineError::Unreachable`].
    pub fn look_ahead(&self, beginning: Question) -> Result<RequestId, EngineError> {
        self.send(|request| EngineCommand::LookAhead(request, Box::new(beginning)))
    }

    /// Stops the answer under way; its [`EngineEvent::Done`] comes at once.
    ///
    /// # Errors
    /// [`EngineError::Busy`] or [`EngineError::Unreachable`].
    pub fn stop(&self) -> Result<(), EngineError> {
        self.send(|_| EngineCommand::Stop).map(|_| ())
    }

    /// Lets go of the model.
    ///
    /// # Errors
    /// [`EngineError::Busy`] or [`EngineError::Unreachable`].
    pub fn unload(&self) -> Result<RequestId, EngineError> {
        self.send(EngineCommand::Unload)
    }

    /// The next event that has come, without waiting.
    pub fn try_event(&self) -> Option<EngineEvent> {
        self.events.try_recv().ok()
    }

    /// Whether the worker is gone, so that every command will be refused.
    pub fn is_gone(&self) -> bool {
        self.commands.is_closed()
    }

    /// The next event, waiting for it; `None` when `timeout` passed first.
    ///
    /// # Errors
    /// [`EngineError::Unreachable`] when the worker is gone.
    pub fn wait_event(&self, timeout: Duration) -> Result<Option<EngineEvent>, EngineError> {
        match self.events.recv_timeout(timeout) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(EngineError::Unreachable),
        }
    }

    fn send(
        &self,
        command: impl FnOnce(RequestId) -> EngineCommand,
    ) -> Result<RequestId, EngineError> {
        let request = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        self.commands.try_send(command(request)).map_err(|error| match error {
            TrySendError::Full(_) => EngineError::Busy,
            TrySendError::Closed(_) => EngineError::Unreachable,
        })?;
        Ok(request)
    }
}

/// What the window needs of an engine, so that a test can put another in its place.
pub trait Answering {
    /// See [`Engine::load`].
    ///
    /// # Errors
    /// As there.
    fn load(&self, load: LoadRequest) -> Result<RequestId, EngineError>;
    /// See [`Engine::ask`].
    ///
    /// # Errors
    /// As there.
    fn ask(&self, question: Question) -> Result<RequestId, EngineError>;
    /// See [`Engine::score`].
    ///
    /// # Errors
    /// As there.
    fn score(&self, wanted: ScoreRequest) -> Result<RequestId, EngineError>;
    /// See [`Engine::forget_scores`].
    ///
    /// # Errors
    /// As there.
    fn forget_scores(&self) -> Result<(), EngineError>;
    /// See [`Engine::look_ahead`].
    ///
    /// # Errors
    /// As there.
    fn look_ahead(&self, beginning: Question) -> Result<RequestId, EngineError>;
    /// See [`Engine::stop`].
    ///
    /// # Errors
    /// As there.
    fn stop(&self) -> Result<(), EngineError>;
    /// See [`Engine::try_event`].
    fn try_event(&self) -> Option<EngineEvent>;
    /// See [`Engine::is_gone`].
    fn is_gone(&self) -> bool;
}

impl Answering for Engine {
    fn load(&self, load: LoadRequest) -> Result<RequestId, EngineError> {
        self.load(load)
    }

    fn ask(&self, question: Question) -> Result<RequestId, EngineError> {
        self.ask(question)
    }

    fn score(&self, wanted: ScoreRequest) -> Result<RequestId, EngineError> {
        self.score(wanted)
    }

    fn forget_scores(&self) -> Result<(), EngineError> {
        self.forget_scores()
    }

    fn look_ahead(&self, beginning: Question) -> Result<RequestId, EngineError> {
        self.look_ahead(beginning)
    }

    fn stop(&self) -> Result<(), EngineError> {
        self.stop()
    }

    fn try_event(&self) -> Option<EngineEvent> {
        self.try_event()
    }

    fn is_gone(&self) -> bool {
        self.is_gone()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A full queue ends the worker too: its other end closes with this value.
        let _ = self.commands.try_send(EngineCommand::Shutdown);
    }
}
