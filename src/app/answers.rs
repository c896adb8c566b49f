//! Answers on their way back from the engine.

use conversation::{Answer, Finish, Token};
use engine::{EngineError, EngineEvent, RequestId};
use explain::unconfirmed;
use ui::status::EngineState;
use ui::talk;
use values::frame::Frame;

use super::App;
use super::evidence::Waiting;
use super::keeper::{Asked, Job};

/// A question that the engine has.
pub struct UnderWay {
    pub(super) request: RequestId,
    pub(super) target: Target,
    /// What live mode asked about, to be kept if the user wishes so.
    pub(super) live: Option<Frame>,
}

/// Where its answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The card with this number.
    Card(usize),
    /// Live mode.
    Live,
}

impl App {
    /// Stops what is under way.
    pub(super) fn stop(&mut self) {
        self.finish_waiting();
        if let Err(error) = self.engine.stop() {
            self.fail(error.to_string());
        }
    }

    /// Stops what is under way, since what it belongs to is left.
    pub(super) fn give_up(&mut self) {
        if !self.under_way.is_empty() {
            self.stop();
        }
        self.finish_cut_off();
        self.voice.stop();
        self.view.talk.spoken = None;
    }

    /// Ends every answer under way as stopped: another takes its place. What the engine still says
    /// of it is out of date.
    pub(super) fn finish_cut_off(&mut self) {
        self.finish_waiting();
        for under_way in std::mem::take(&mut self.under_way) {
            match under_way.target {
                Target::Live => self.view.live.coming = None,
                Target::Card(index) => {
                    let Some(card) = self.view.talk.cards.get_mut(index) else { continue };
                    let came = card.exchange.answer.clone();
                    let text = came.text.trim().to_owned();
                    let answer = Answer { text, finish: Finish::Stopped, ..came };
                    card.finish(answer.clone());
                    self.keep(Job::Finish(Box::new(answer)));
                }
            }
        }
    }

    /// Ends the question that waits to be asked, as one that was stopped before its first word.
    fn finish_waiting(&mut self) {
        let waiting = self.evidence.waiting.take();
        let Some(Waiting { exchange, looks, target }) = waiting else { return };
        self.leave_text();
        match target {
            Target::Live => self.view.live.coming = None,
            Target::Card(index) => {
                let answer = Answer { finish: Finish::Stopped, ..Answer::default() };
                if let Some(card) = self.view.talk.cards.get_mut(index) {
                    card.finish(answer.clone());
                }
                self.keep(Job::Ask(Box::new(Asked { exchange, looks })));
                self.keep(Job::Finish(Box::new(answer)));
            }
        }
    }

    /// Ends the question of live mode, if one is under way.
    pub(super) fn finish_live(&mut self) {
        if self.evidence.waiting.take_if(|waiting| waiting.target == Target::Live).is_some() {
            self.leave_text();
        }
        self.under_way.retain(|under_way| under_way.target != Target::Live);
        self.view.live.coming = None;
    }

    /// Takes one event of the engine.
    pub(super) fn take_event(&mut self, event: EngineEvent) {
        let request = event.request();
        match event {
            EngineEvent::Loading(_, step) if self.loading == Some(request) => {
                if let EngineState::Loading { progress, .. } = &mut self.view.engine {
                    *progress = Some(step);
                }
            }
            EngineEvent::Ready(_, model) if self.loading == Some(request) => {
                self.loading = None;
                tracing::info!("the model is ready after {:.2} s", model.load_time.as_secs_f64());
                if let Some(explainer) = &self.explainer {
                    explainer.model(model.folder.clone());
                }
                self.view.maps.encoder = ui::maps::Wanted::None;
                self.ahead.look_again();
                self.view.engine = EngineState::Ready(model);
                // A question that waited for it is kept with the model that answers.
                let Some(model) = self.model() else { return };
                for under_way in &self.under_way {
                    if let Target::Card(index) = under_way.target
                        && let Some(card) = self.view.talk.cards.get_mut(index)
                    {
                        card.exchange.model.get_or_insert_with(|| model.clone());
                    }
                }
                if self.under_way.iter().any(|under_way| under_way.target != Target::Live) {
                    self.keep(Job::Model(model));
                }
            }
            EngineEvent::Failed(_, error) if self.loading == Some(request) => {
                self.engine_failed(error.to_string());
            }
            EngineEvent::Token(_, token) => self.token(request, token),
            EngineEvent::Done(_, answer) => self.done(request, *answer),
            EngineEvent::Scored(_, scores) => self.scored(request, scores),
            EngineEvent::Failed(_, error) => {
                if !self.reading_failed(request, &error) {
                    self.failed(request, &error);
                }
            }
            EngineEvent::Loading(..)
            | EngineEvent::Ready(..)
            | EngineEvent::LookedAhead(_)
            | EngineEvent::Unloaded(_) => {}
        }
    }

    fn token(&mut self, request: RequestId, token: Token) {
        let Some(under_way) = self.under_way.iter().find(|u| u.request == request) else { return };
        match under_way.target {
            Target::Live => {
                if let Some(card) = &mut self.view.live.coming {
                    card.push(token);
                }
            }
            Target::Card(index) => {
                let Some(card) = self.view.talk.cards.get_mut(index) else { return };
                let is_first = card.exchange.answer.tokens.is_empty();
                card.push(token.clone());
                self.keep(Job::Tokens(vec![token]));
                if is_first {
                    self.encoder_is_free();
                }
            }
        }
    }

    fn take_under_way(&mut self, request: RequestId) -> Option<UnderWay> {
        let at = self.under_way.iter().position(|under_way| under_way.request == request)?;
        Some(self.under_way.remove(at))
    }

    fn done(&mut self, request: RequestId, answer: Answer) {
        let Some(under_way) = self.take_under_way(request) else { return };
        let first = answer.first_word().unwrap_or_default();
        let took = talk::took(first, answer.decode_rate());
        if answer.prompt_tokens > 0 {
            self.view.ask.pace = Some(first / answer.prompt_tokens as f64);
        }
        match under_way.target {
            Target::Live => {
                if answer.finish == Finish::Stopped {
                    self.view.live.coming = None;
                } else {
                    let coming = self.view.live.coming.as_ref();
                    let maps = coming.and_then(|card| self.label_maps_of(card));
                    if let Some(card) = &mut self.view.live.coming {
                        card.finish(answer);
                        card.claims = maps.map(|maps| unconfirmed(card.text(), &maps));
                    }
                    self.view.live.hold();
                    self.live_frame = under_way.live;
                }
                self.view.ask.timings = Some(took);
            }
            Target::Card(index) => {
                self.keep(Job::Finish(Box::new(answer.clone())));
                let Some(card) = self.view.talk.cards.get_mut(index) else { return };
                let (finish, rate) = (answer.finish, answer.decode_rate());
                if answer.prompt_tokens > 0 {
                    // What the user waited: the engine's own times leave out the way to it.
                    let waited = card.first.map(|first| first - card.asked);
                    let waited = waited.map_or(first, |waited| waited.as_secs_f64());
                    card.took = Some(talk::took(waited, rate));
                    self.view.ask.timings = Some(talk::took(waited, rate));
                }
                card.finish(answer);
                self.answered(index);
                if self.view.settings.read_aloud && finish != Finish::Stopped {
                    self.speak(index);
                }
            }
        }
    }

    fn failed(&mut self, request: RequestId, error: &EngineError) {
        let Some(under_way) = self.take_under_way(request) else { return };
        tracing::error!("an answer failed: {error}");
        match under_way.target {
            Target::Live => {
                self.view.live.coming = None;
                self.view.live.on = false;
                self.fail(format!("Live mode is off: {error}"));
            }
            Target::Card(index) => {
                let answer = Answer::failed(error.to_string());
                self.keep(Job::Finish(Box::new(answer.clone())));
                if let Some(card) = self.view.talk.cards.get_mut(index) {
                    card.finish(answer);
                }
                self.fail(error.to_string());
            }
        }
    }
}
