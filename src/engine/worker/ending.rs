//! The worker's part that waits until mistral.rs has put down what brings no words, or no more.

use std::future::pending;

use engine::{EngineError, EngineEvent};
use mistralrs::core::Response;
use tokio::sync::mpsc;

use crate::ahead::{Held, Looking};
use crate::{Wake, Worker};

/// What mistral.rs has not yet put down.
pub struct Ending {
    pub responses: mpsc::Receiver<Response>,
    pub of: Of,
    /// Whether it went as it should.
    pub well: bool,
    /// Whether mistral.rs refused it, and is as it was before.
    pub refused: bool,
}

/// What an [`Ending`] is of.
pub enum Of {
    /// An answer that is over for the user.
    Answer,
    /// A look ahead.
    Looking(Looking),
    /// What mistral.rs held is let go of.
    LettingGo,
}

impl Ending {
    pub fn new(responses: mpsc::Receiver<Response>, of: Of) -> Self {
        // The pass that has things let go of must fail; every other one must not.
        let well = !matches!(of, Of::LettingGo);
        Self { responses, of, well, refused: false }
    }

    /// Waits until mistral.rs lets go of it; whatever is still said of it is for nobody.
    async fn over(&mut self) {
        while let Some(response) = self.responses.recv().await {
            match (&self.of, response) {
                (Of::LettingGo, response) => {
                    self.well = matches!(response, Response::CompletionModelError(..));
                }
                (_, Response::Chunk(_) | Response::Done(_)) => {}
                (Of::Looking(_), Response::ValidationError(_)) => self.refused = true,
                _ => self.well = false,
            }
        }
    }
}

impl Worker {
    /// mistral.rs has put down what nobody waits for words of.
    pub(super) async fn ended(&mut self) {
        let Some(Ending { of, well, refused, .. }) = self.ending.take() else { return };
        let holds = self.model.as_ref().is_some_and(|model| model.holds_prefixes);
        let crashed = self.model.as_ref().is_some_and(|model| model.requests.is_closed());
        let failed = !well || crashed;
        match of {
            Of::Answer if holds => self.held = Held::Answer,
            Of::Looking(looking) => {
                let request = looking.request;
                let event = if failed || refused {
                    let reason = "it could not be looked at ahead".into();
                    EngineEvent::Failed(request, EngineError::Answer(reason))
                } else {
                    if holds {
                        self.held = looking.held();
                    }
                    EngineEvent::LookedAhead(request)
                };
                self.send(event).await;
            }
            Of::LettingGo => self.may_hold &= !failed,
            Of::Answer => {}
        }
        if failed {
            let load = self.model.as_ref().map(|broken| broken.request.clone());
            self.unload_model().await;
            self.broken = load;
        }
        self.go_on().await;
    }

    /// Waits for the end of what nobody waits for words of: mistral.rs may have to find someone to
    /// answer.
    pub(super) async fn let_go_of_ending(&mut self) {
        let Some(mut ending) = self.ending.take() else { return };
        match &ending.of {
            // A stream that nobody hears is given up.
            Of::Answer => {}
            Of::Looking(looking) => {
                let failed = EngineEvent::Failed(looking.request, EngineError::Superseded);
                self.send(failed).await;
            }
            Of::LettingGo => ending.over().await,
        }
    }
}

/// The end of what is ending.
pub async fn end_of(ending: &mut Option<Ending>) -> Wake {
    let Some(ending) = ending else { return pending().await };
    ending.over().await;
    Wake::Ended
}
