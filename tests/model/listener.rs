//! An engine with the shipped model, and asking it.

use std::cell::Cell;
use std::sync::LazyLock;
use std::time::Duration;

use conversation::{Answer, Token};
use engine::{Engine, EngineError, EngineEvent, LoadRequest, LoadedModel, Question, RequestId};
use engine_worker::BACKEND;
use evidence::Witness;
use model_store::{ModelFolder, locate};
use specialists::SPECIALISTS;
use values::config::{DEFAULT_MODEL, Device, Precision};
use values::picture::Look;

use crate::support::{folders, picture, sample};

/// The shipped specialists.
pub static WITNESS: LazyLock<Witness> =
    LazyLock::new(|| Witness::new(SPECIALISTS, &folders().models));

/// A question about `pictures`, told what specialists see in them, as the program asks it.
pub fn seeing(pictures: &[Look], text: &str) -> Question {
    let seen: Vec<_> = pictures.iter().map(|look| WITNESS.evidence(look).unwrap()).collect();
    Question::told(pictures, &seen, text)
}

/// Longest wait for one event; a stuck engine fails the test instead of hanging it.
pub const PATIENCE: Duration = Duration::from_mins(2);

pub fn request(model: ModelFolder, weights: Precision) -> LoadRequest {
    LoadRequest { model, folders: folders(), weights, device: Device::Cpu }
}

/// An engine that is listened to.
pub struct Listener {
    pub engine: Engine,
    /// Events that were heard.
    pub heard: Cell<usize>,
}

impl Listener {
    pub fn start() -> Self {
        Self::woken_by(|| ())
    }

    /// An engine that calls `wake` after each event.
    pub fn woken_by(wake: impl Fn() + Send + 'static) -> Self {
        Self { engine: (BACKEND.start)(Box::new(wake)).unwrap(), heard: Cell::new(0) }
    }

    /// An engine with the shipped model loaded.
    pub fn with_default(weights: Precision) -> Self {
        let listener = Self::start();
        listener.load_default(weights).unwrap();
        listener
    }

    /// An engine with the shipped model that `locate` finds by this name.
    pub fn with(model: &str, weights: Precision) -> Self {
        let listener = Self::start();
        listener.load(locate(&folders(), model).unwrap(), weights).unwrap();
        listener
    }

    pub fn load_default(&self, weights: Precision) -> Result<LoadedModel, EngineError> {
        self.load(locate(&folders(), DEFAULT_MODEL).unwrap(), weights)
    }

    pub fn load(&self, model: ModelFolder, weights: Precision) -> Result<LoadedModel, EngineError> {
        let load = self.engine.load(request(model, weights)).unwrap();
        loop {
            match self.next() {
                EngineEvent::Ready(id, info) if id == load => return Ok(info),
                EngineEvent::Failed(id, error) if id == load => return Err(error),
                _ => {}
            }
        }
    }

    pub fn next(&self) -> EngineEvent {
        let event = self.engine.wait_event(PATIENCE).unwrap().expect("the engine says something");
        self.heard.set(self.heard.get() + 1);
        event
    }

    /// Asks and waits for the end, checking that the tokens that came are the answer's.
    pub fn ask(&self, question: Question) -> Result<Answer, EngineError> {
        let asked = self.engine.ask(question).unwrap();
        self.answer(asked).map(|(answer, _)| answer)
    }

    /// The answer to `asked` and the tokens as they came, before any were cut off.
    pub fn answer(&self, asked: RequestId) -> Result<(Answer, Vec<Token>), EngineError> {
        let mut tokens = Vec::new();
        loop {
            match self.next() {
                EngineEvent::Token(id, token) if id == asked => tokens.push(token),
                EngineEvent::Done(id, answer) if id == asked => {
                    assert!(tokens.starts_with(&answer.tokens));
                    return Ok((*answer, tokens));
                }
                EngineEvent::Failed(id, error) if id == asked => return Err(error),
                _ => {}
            }
        }
    }

    /// Asks "What is that?" about a sample picture.
    pub fn what_is(&self, name: &str) -> String {
        self.ask(seeing(&[picture(&sample(name))], "What is that?")).unwrap().text
    }
}
