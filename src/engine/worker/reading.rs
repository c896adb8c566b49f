//! The worker's part that reads answers back, one at a time.

use std::future::pending;

use engine::{EngineError, EngineEvent};
use mistralrs::core::Response;
use values::panics;
use values::text::first_line;

use crate::score::Scoring;
use crate::{Wake, Worker};

impl Worker {
    /// Waits for the end of a reading that is no longer wanted: mistral.rs must find someone to
    /// answer.
    pub(super) async fn let_go_of_scoring(&mut self) {
        let Some(mut scoring) = self.scoring.take() else { return };
        if !scoring.told {
            self.send(EngineEvent::Failed(scoring.request, EngineError::Superseded)).await;
        }
        while scoring.responses.recv().await.is_some() {}
    }

    /// Begins to read the first answer that waits.
    pub(super) async fn score_waiting(&mut self) {
        while let Some((request, wanted)) = self.to_score.pop_front() {
            panics::forget();
            let begun = match &self.model {
                Some(model) => panics::guard(|| Scoring::begin(model, request, *wanted))
                    .unwrap_or_else(|reason| Err(EngineError::Answer(reason))),
                None => Err(EngineError::NoModel),
            };
            match begun {
                Ok(scoring) => {
                    self.scoring = Some(scoring);
                    return;
                }
                Err(error) => {
                    let crashed = matches!(error, EngineError::Crashed(_));
                    self.send(EngineEvent::Failed(request, error)).await;
                    if crashed {
                        return self.reload(request).await;
                    }
                }
            }
        }
    }

    /// Takes what mistral.rs says of the answer that is being read, and goes on at its end.
    pub(super) async fn scored(&mut self, response: Option<Response>) {
        let Some(scoring) = &mut self.scoring else { return };
        let request = scoring.request;
        let ended = response.is_none();
        let result = match response {
            Some(Response::Raw { .. }) if scoring.told => return,
            Some(Response::Raw { logits_chunks, tokens }) => match &self.model {
                Some(model) => panics::guard(|| scoring.read(model, &logits_chunks, tokens))
                    .unwrap_or_else(|reason| Err(EngineError::Answer(reason))),
                None => Err(EngineError::NoModel),
            },
            Some(Response::ValidationError(error)) => Err(EngineError::Answer(first_line(&error))),
            Some(Response::InternalError(error)) => {
                scoring.failed = true;
                Err(EngineError::Answer(first_line(&error)))
            }
            Some(Response::ModelError(message, _)) => {
                scoring.failed = true;
                Err(EngineError::Answer(first_line(&message)))
            }
            Some(_) => return,
            None => {
                let crashed = self.model.as_ref().is_some_and(|model| model.requests.is_closed());
                scoring.failed |= crashed || !scoring.told;
                Err(EngineError::Crashed(panics::take_last()))
            }
        };
        let (first, failed) = (!scoring.told, scoring.failed);
        scoring.told = true;
        if ended {
            self.scoring = None;
        }
        if first {
            let event = match result {
                Ok(scores) => EngineEvent::Scored(request, Box::new(scores)),
                Err(error) => EngineEvent::Failed(request, error),
            };
            self.send(event).await;
        }
        if ended && failed {
            let load = self.model.as_ref().map(|broken| broken.request.clone());
            self.unload_model().await;
            self.broken = load;
        }
        if ended {
            self.go_on().await;
        }
    }

    /// Forgets the answers that wait to be read.
    pub(super) async fn forget_scores(&mut self) {
        while let Some((request, _)) = self.to_score.pop_front() {
            self.send(EngineEvent::Failed(request, EngineError::Superseded)).await;
        }
    }
}

/// What comes next of the answer that is being read.
pub(super) async fn next_of_scoring(scoring: &mut Option<Scoring>) -> Wake {
    match scoring {
        Some(scoring) => Wake::Score(scoring.responses.recv().await),
        None => pending().await,
    }
}
