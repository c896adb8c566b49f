//! Questions on their way to the engine, answers on their way back.

use std::time::Instant;

use capture::CameraState;
use engine::{
    Answer, AnswerOptions, EngineError, EngineEvent, Finish, Question, RequestId, Role, Token, Turn,
};
use session::{AnswerRecord, ModelRecord, OptionsRecord, TimingsRecord, TokenRecord};
use ui::stage::Shown;
use ui::status::EngineState;
use ui::talk::{self, Card, CardState};
use ui::{Action, toast};
use values::config::DEFAULT_QUESTION;
use values::frame::Frame;
use values::picture::Picture;
use values::region::Region;

use super::App;
use super::keeper::{Asked, Job};

/// Side of a card's thumbnail, in pixels.
const TILE: u32 = 160;

/// A question that the engine has.
pub struct UnderWay {
    request: RequestId,
    target: Target,
    /// The probability of each token as it came, for the history of an answer that is cut off.
    tokens: Vec<TokenRecord>,
    /// What live mode asked about, to be kept if the user wishes so.
    live: Option<LiveQuestion>,
}

/// A question of live mode.
#[derive(Clone)]
pub struct LiveQuestion {
    frame: Frame,
    region: Option<Region>,
    options: AnswerOptions,
    model: Option<ModelRecord>,
}

/// Where its answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// The card with this number.
    Card(usize),
    /// Live mode.
    Live,
}

impl App {
    /// Asks `question` about the picture that is shown, frozen.
    ///
    /// Says whether it was asked: without a picture there is nothing to ask about.
    pub(super) fn ask(&mut self, ctx: &egui::Context, question: &str) -> bool {
        let question = question.trim();
        let question = if question.is_empty() { DEFAULT_QUESTION } else { question };
        self.freeze();
        let Some(shown) = &self.view.stage.shown else {
            let text = "Show a picture first: open, drop or paste one, or use the camera.";
            let way = Action::ChoosePictures;
            self.view.toasts.with_way_out(toast::Kind::Note, text, "Open pictures", way);
            return false;
        };
        let frame = shown.frame.clone();
        self.ask_about(ctx, question.to_owned(), &frame, self.view.stage.region);
        true
    }

    /// Puts the question of a card again, about its picture.
    pub(super) fn ask_again(&mut self, ctx: &egui::Context, index: usize) {
        let Some(card) = self.view.talk.cards.get(index) else { return };
        let (question, region, frame) = (card.question.clone(), card.region, card.frame);
        let shown = self.view.stage.shown.as_ref();
        match shown.filter(|shown| Some(shown.frame.id) == frame && !shown.live) {
            Some(shown) => {
                let frame = shown.frame.clone();
                self.view.stage.region = region;
                self.ask_about(ctx, question, &frame, region);
            }
            // Another picture is shown by now: the question goes to that one.
            None => {
                let _asked = self.ask(ctx, &question);
            }
        }
    }

    fn ask_about(
        &mut self,
        ctx: &egui::Context,
        question: String,
        frame: &Frame,
        region: Option<Region>,
    ) {
        self.leave_opening();
        self.finish_cut_off();
        // Opened again, it is still the same picture; so the history sees it, too.
        let frame = match &self.last_asked {
            Some(last) if last.pixels == frame.pixels => last.clone(),
            _ => frame.clone(),
        };
        self.last_asked = Some(frame.clone());
        if let Some(shown) = &mut self.view.stage.shown
            && shown.frame.pixels == frame.pixels
        {
            shown.frame = frame.clone();
        }
        let turns = self.turns_before(self.view.talk.cards.len(), &question, &frame, region);
        let options = self.options();
        let model = self.model_record();
        let mut card = Card::asked(question.clone(), Some(frame.id), region);
        card.thumbnail = Some(thumbnail(ctx, &frame));
        match self.engine.ask(Question { turns, options }) {
            Ok(request) => {
                let options = options_record(options);
                let asked = Asked { frame, region, question, options, model };
                self.keep(Job::Ask(Box::new(asked)));
                let target = Target::Card(self.view.talk.cards.len());
                self.under_way.push(UnderWay { request, target, tokens: Vec::new(), live: None });
            }
            Err(error) => card.state = CardState::Failed(error.to_string()),
        }
        self.view.talk.cards.push(card);
    }

    /// The conversation about this picture before the card with this number, and the question: the
    /// convention of [`session::transcript`].
    pub(super) fn turns_before(
        &self,
        index: usize,
        question: &str,
        frame: &Frame,
        region: Option<Region>,
    ) -> Vec<Turn> {
        let mut turns = Vec::new();
        let mut seen: Vec<Option<Region>> = Vec::new();
        let mut shown = |region: Option<Region>| {
            if seen.contains(&region) {
                return Vec::new();
            }
            seen.push(region);
            vec![Picture { frame: frame.clone(), region }]
        };
        let same = |card: &&Card| card.frame == Some(frame.id);
        let cards = &self.view.talk.cards[..index];
        let from = cards.iter().rposition(|card| !same(&card)).map_or(0, |last| last + 1);
        for card in &cards[from..] {
            let text = card.text.trim();
            if text.is_empty() || !matches!(card.state, CardState::Done(_)) {
                continue;
            }
            let pictures = shown(card.region);
            turns.push(Turn { role: Role::User, text: card.question.clone(), pictures });
            turns.push(Turn { role: Role::Assistant, text: text.to_owned(), pictures: Vec::new() });
        }
        let pictures = shown(region);
        turns.push(Turn { role: Role::User, text: question.to_owned(), pictures });
        turns
    }

    fn options(&self) -> AnswerOptions {
        AnswerOptions {
            max_tokens: self.view.settings.max_tokens,
            temperature: self.view.settings.temperature,
            seed: 0,
        }
    }

    fn model_record(&self) -> Option<ModelRecord> {
        let model = self.view.engine.model()?;
        Some(ModelRecord {
            name: model.name.clone(),
            revision: model.revision.clone(),
            weights: model.weights.name().to_owned(),
            device: model.device.to_owned(),
        })
    }

    /// Stops what is under way.
    pub(super) fn stop(&mut self) {
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
        for under_way in std::mem::take(&mut self.under_way) {
            match under_way.target {
                Target::Live => self.view.live.coming = None,
                Target::Card(index) => {
                    let Some(card) = self.view.talk.cards.get_mut(index) else { continue };
                    let (text, tokens) = (card.text.clone(), card.tokens.len());
                    card.finish(&text, tokens, session::Finish::Stopped);
                    let record = AnswerRecord {
                        text: text.trim().to_owned(),
                        tokens: under_way.tokens,
                        finish: session::Finish::Stopped,
                        ..AnswerRecord::default()
                    };
                    self.keep(Job::Finish(Box::new(record)));
                }
            }
        }
    }

    /// Ends the question of live mode, if one is under way.
    pub(super) fn finish_live(&mut self) {
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
                self.view.engine = EngineState::Ready(model);
                // A question that waited for it is kept with the model that answers.
                let waits = |under_way: &UnderWay| matches!(under_way.target, Target::Card(_));
                if self.under_way.iter().any(waits)
                    && let Some(model) = self.model_record()
                {
                    self.keep(Job::Model(model));
                }
            }
            EngineEvent::Failed(_, error) if self.loading == Some(request) => {
                self.engine_failed(error.to_string());
            }
            EngineEvent::Token(_, token) => self.token(request, &token),
            EngineEvent::Done(_, answer) => self.done(request, &answer),
            EngineEvent::Scored(_, scores) => self.scored(request, &scores),
            EngineEvent::Failed(_, error) => {
                if !self.reading_failed(request, &error) {
                    self.failed(request, &error);
                }
            }
            EngineEvent::Loading(..) | EngineEvent::Ready(..) | EngineEvent::Unloaded(_) => {}
        }
    }

    fn token(&mut self, request: RequestId, token: &Token) {
        let Some(under_way) = self.under_way.iter_mut().find(|u| u.request == request) else {
            return;
        };
        let card = match under_way.target {
            Target::Card(index) => self.view.talk.cards.get_mut(index),
            Target::Live => self.view.live.coming.as_mut(),
        };
        let mut is_first = false;
        if let Some(card) = card {
            is_first = card.tokens.is_empty();
            card.push(&token.text, token.logprob);
        }
        if under_way.target != Target::Live {
            let record =
                TokenRecord { id: token.id, text: token.text.clone(), logprob: token.logprob };
            under_way.tokens.push(record.clone());
            if let Some(keeper) = &mut self.keeper {
                keeper.send(Job::Token(record));
            }
            if is_first {
                self.encoder_is_free();
            }
        }
    }

    fn take_under_way(&mut self, request: RequestId) -> Option<UnderWay> {
        let at = self.under_way.iter().position(|under_way| under_way.request == request)?;
        Some(self.under_way.remove(at))
    }

    fn done(&mut self, request: RequestId, answer: &Answer) {
        let Some(under_way) = self.take_under_way(request) else { return };
        let finish = finish_record(answer.finish);
        let first = answer.timings.prepare + answer.timings.prefill;
        let took = talk::took(first, answer.timings.decode_rate(&answer.usage));
        if answer.usage.prompt_tokens > 0 {
            self.view.ask.pace = Some(first / answer.usage.prompt_tokens as f64);
        }
        match under_way.target {
            Target::Live => {
                if let Some(card) = &mut self.view.live.coming {
                    card.finish(&answer.text, answer.tokens.len(), finish);
                }
                if answer.finish == Finish::Stopped {
                    self.view.live.coming = None;
                } else {
                    self.view.live.hold();
                    self.live_answer = under_way.live.map(|live| (live, record(answer)));
                }
                self.view.ask.timings = Some(took);
            }
            Target::Card(index) => {
                self.keep(Job::Finish(Box::new(record(answer))));
                let Some(card) = self.view.talk.cards.get_mut(index) else { return };
                card.finish(&answer.text, answer.tokens.len(), finish);
                card.dropped_turns = answer.usage.dropped_turns;
                if answer.usage.prompt_tokens > 0 {
                    // What the user waited: the engine's own times leave out the way to it.
                    let waited = card.first.map(|first| first - card.asked);
                    let waited = waited.map_or(first, |waited| waited.as_secs_f64());
                    let rate = answer.timings.decode_rate(&answer.usage);
                    card.took = Some(talk::took(waited, rate));
                    self.view.ask.timings = Some(talk::took(waited, rate));
                }
                if self.view.settings.maps.ground_answers && answer.finish != Finish::Stopped {
                    self.ground(index);
                }
                if self.view.settings.read_aloud && answer.finish != Finish::Stopped {
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
                if let Some(keeper) = &mut self.keeper {
                    let record = AnswerRecord {
                        finish: session::Finish::Failed,
                        error: Some(error.to_string()),
                        ..AnswerRecord::default()
                    };
                    keeper.send(Job::Finish(Box::new(record)));
                }
                if let Some(card) = self.view.talk.cards.get_mut(index) {
                    card.state = CardState::Failed(error.to_string());
                }
                self.fail(error.to_string());
            }
        }
    }

    /// In live mode, asks again where the scene has changed and it is time.
    pub(super) fn live_ask(&mut self, shown: &Shown, changed: bool) {
        let live = &self.view.live;
        let interval = std::time::Duration::from_secs_f32(self.view.settings.live.interval);
        let due = live.last.is_none_or(|last| last.elapsed() >= interval);
        let free = self.under_way.is_empty() && self.view.engine.model().is_some();
        let camera = matches!(self.view.camera.state, CameraState::Live { .. });
        if !(live.on && changed && due && free && camera) {
            return;
        }
        let region = self.view.stage.region;
        let mut question = Question::new(
            vec![Picture { frame: shown.frame.clone(), region }],
            live.question.clone(),
        );
        question.options = self.options();
        self.view.live.last = Some(Instant::now());
        if let Some(viewfinder) = &self.viewfinder {
            viewfinder.asked();
        }
        match self.engine.ask(question) {
            Ok(request) => {
                let text = self.view.live.question.clone();
                self.view.live.coming = Some(Card::asked(text, Some(shown.frame.id), region));
                let (options, model) = (self.options(), self.model_record());
                let frame = shown.frame.clone();
                let live = Some(LiveQuestion { frame, region, options, model });
                let target = Target::Live;
                self.under_way.push(UnderWay { request, target, tokens: Vec::new(), live });
            }
            Err(error) => {
                self.view.live.on = false;
                self.fail(format!("Live mode is off: {error}"));
            }
        }
    }

    /// Takes the answer that live mode holds into the conversation, with its picture.
    pub(super) fn keep_live(&mut self, ctx: &egui::Context) {
        if self.view.talk.is_answering() {
            let text = "Keep this when the answer under way has ended.";
            self.view.toasts.add(toast::Kind::Note, text);
            return;
        }
        let (Some((asked, answer)), Some(held)) =
            (self.live_answer.take(), self.view.live.held.take())
        else {
            return;
        };
        self.leave_opening();
        let LiveQuestion { frame, region, options, model } = asked;
        self.last_asked = Some(frame.clone());
        self.show_still(ctx, frame.clone());
        self.view.stage.region = region;
        let thumbnail = Some(thumbnail(ctx, &frame));
        let question = held.question.clone();
        self.view.talk.cards.push(Card { thumbnail, ..held });
        let options = options_record(options);
        self.keep(Job::Ask(Box::new(Asked { frame, region, question, options, model })));
        self.keep(Job::Finish(Box::new(answer)));
    }
}

/// A picture, small, for its card.
fn thumbnail(ctx: &egui::Context, frame: &Frame) -> egui::TextureHandle {
    let small = talk::small(&frame.pixels, TILE);
    ctx.load_texture(format!("card {}", frame.id), small, egui::TextureOptions::LINEAR)
}

fn options_record(options: AnswerOptions) -> OptionsRecord {
    OptionsRecord {
        max_tokens: options.max_tokens,
        temperature: options.temperature,
        seed: options.seed,
    }
}

fn finish_record(finish: Finish) -> session::Finish {
    match finish {
        Finish::End => session::Finish::End,
        Finish::Length => session::Finish::Length,
        Finish::Repetition => session::Finish::Repetition,
        Finish::Stopped => session::Finish::Stopped,
    }
}

fn record(answer: &Answer) -> AnswerRecord {
    let token = |token: &Token| TokenRecord {
        id: token.id,
        text: token.text.clone(),
        logprob: token.logprob,
    };
    AnswerRecord {
        text: answer.text.clone(),
        tokens: answer.tokens.iter().map(token).collect(),
        finish: finish_record(answer.finish),
        error: None,
        timings: TimingsRecord {
            prepare: answer.timings.prepare,
            prefill: answer.timings.prefill,
            decode: answer.timings.decode,
        },
        prompt_tokens: answer.usage.prompt_tokens,
        dropped_turns: answer.usage.dropped_turns,
    }
}
