//! Questions on their way to the engine. What a question is about is settled when it is put, by
//! the pictures' pixels: the same exchange is asked, shown and kept.

use std::collections::VecDeque;
use std::time::Instant;

use capture::CameraState;
use conversation::{Answer, Exchange, ModelInfo, Options, Picture, Turn, turns_for};
use engine::{EngineError, Question};
use ui::stage::Shown;
use ui::talk::{Card, Talk};
use ui::{Action, toast};
use values::config::DEFAULT_QUESTION;
use values::frame::Frame;
use values::picture::Look;

use super::App;
use super::answers::{Target, UnderWay};
use super::evidence::Waiting;
use super::keeper::{Asked, Job};

/// The pixels of the conversation's pictures that are still in memory, the newest last.
#[derive(Default)]
pub struct Album(VecDeque<Frame>);

impl Album {
    /// Bytes of pixels that it keeps, beside the newest picture.
    const MOST: usize = 256 << 20;

    /// Takes one in, in place of the oldest where there is no room for all.
    fn put(&mut self, frame: &Frame) {
        self.0.retain(|known| known.sha256() != frame.sha256());
        self.0.push_back(frame.clone());
        let bytes = |album: &VecDeque<Frame>| -> usize {
            album.iter().map(|frame| frame.pixels.as_raw().len()).sum()
        };
        while self.0.len() > 1 && bytes(&self.0) > Self::MOST {
            self.0.pop_front();
        }
    }

    fn find(&self, sha256: &str) -> Option<Frame> {
        self.0.iter().find(|frame| **frame.sha256() == *sha256).cloned()
    }

    /// Those of these pictures that it has.
    pub fn looks(&self, pictures: &[Picture]) -> Vec<Look> {
        let look = |picture: &Picture| {
            Some(Look { frame: self.find(&picture.sha256)?, region: picture.region })
        };
        pictures.iter().filter_map(look).collect()
    }

    /// Lets go of all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// What the model is told when `exchange`, about some of `frames`, is asked after `before`.
pub fn turns(
    before: &[Card],
    exchange: &Exchange,
    frames: &[Frame],
) -> Result<Vec<Turn>, EngineError> {
    let pixels = |picture: &Picture| {
        let frame = frames.iter().find(|frame| **frame.sha256() == picture.sha256);
        frame.cloned().ok_or(EngineError::NoPicture)
    };
    turns_for(before.iter().map(|card| &card.exchange), exchange, pixels)
}

impl App {
    /// Asks `question` about the picture that is shown, frozen.
    ///
    /// Says whether it was asked: without a picture there is nothing to ask about.
    pub(super) fn ask(&mut self, question: &str) -> bool {
        let question = question.trim();
        let question = if question.is_empty() { DEFAULT_QUESTION } else { question };
        self.freeze();
        let Some(shown) = &self.view.stage.shown else {
            let text = "Show a picture first: open, drop or paste one, or use the camera.";
            let way = Action::ChoosePictures;
            self.view.toasts.with_way_out(toast::Kind::Note, text, "Open pictures", way);
            return false;
        };
        let look = Look { frame: shown.frame.clone(), region: self.view.stage.region };
        self.put(question.to_owned(), vec![look]);
        true
    }

    /// Puts `question`, or that of the card, about the card's own pictures, which are shown.
    pub(super) fn ask_about(&mut self, index: usize, question: Option<String>) {
        let Some(card) = self.view.talk.cards.get(index) else { return };
        let Exchange { question: asked, pictures, .. } = card.exchange.clone();
        let question = question.unwrap_or(asked);
        let shown = self.view.stage.shown.as_ref().filter(|shown| !shown.live);
        let look = |picture: &Picture| {
            let shown = shown.filter(|shown| **shown.frame.sha256() == picture.sha256);
            let shown = shown.map(|shown| shown.frame.clone());
            let frame = shown.or_else(|| self.album.find(&picture.sha256))?;
            Some(Look { frame, region: picture.region })
        };
        match (pictures.iter().map(look).collect::<Option<Vec<_>>>(), &self.view.history.open) {
            (Some(looks), _) => self.put_again(question, looks),
            (None, Some(id)) if self.keeper.is_some() => {
                let job = Job::Look(id.clone(), pictures.clone());
                self.again = Some((question, pictures));
                self.keep(job);
            }
            (None, _) => self.picture_is_gone("it was not kept"),
        }
    }

    /// Shows the pictures of a question and puts it.
    pub(super) fn put_again(&mut self, question: String, looks: Vec<Look>) {
        let Some(Look { frame, region }) = looks.first().cloned() else {
            self.picture_is_gone("there was none");
            return;
        };
        let shown = self.view.stage.shown.as_ref().filter(|shown| !shown.live);
        if shown.is_none_or(|shown| shown.frame.sha256() != frame.sha256()) {
            self.leave_live_mode();
        }
        self.show_still(frame, region);
        self.put(question, looks);
    }

    /// Says that a question cannot be put again.
    pub(super) fn picture_is_gone(&mut self, reason: &str) {
        self.again = None;
        self.fail(format!("The picture of this question is gone: {reason}."));
    }

    /// Makes what is shown the conversation that is kept here, before something is added to it.
    fn go_on(&mut self) {
        self.leave_opening();
        self.again = None;
        if std::mem::take(&mut self.borrowed) {
            // Another window keeps what is shown: nothing of it is told or kept here.
            self.forget_maps();
            self.view.talk = Talk::default();
            self.view.history.open = None;
        }
    }

    fn put(&mut self, question: String, looks: Vec<Look>) {
        self.give_way();
        self.finish_cut_off();
        self.go_on();
        let frames: Vec<Frame> = looks.iter().map(|look| look.frame.clone()).collect();
        for frame in &frames {
            self.album.put(frame);
        }
        let pictures = looks.iter().map(|look| Picture::of(&look.frame, look.region)).collect();
        let exchange = Exchange::new(question, pictures, self.options(), self.model());
        let target = Target::Card(self.view.talk.cards.len());
        self.view.talk.cards.push(Card::asked(exchange.clone()));
        if let Some(frame) = frames.first() {
            self.want_thumbnail(frame);
        }
        self.ask_seeing(Waiting { exchange, looks, target });
    }

    /// Sends a question to the engine: it is known what is to be seen in its pictures.
    pub(super) fn send(&mut self, waiting: Waiting) {
        let Waiting { mut exchange, looks, target } = waiting;
        exchange.model = exchange.model.or_else(|| self.model());
        let frames: Vec<Frame> = looks.iter().map(|look| look.frame.clone()).collect();
        let before = match target {
            Target::Card(index) => &self.view.talk.cards[..index],
            Target::Live => &[],
        };
        let asked = turns(before, &exchange, &frames)
            .and_then(|turns| self.engine.ask(Question { turns, options: exchange.options }));
        let card = match target {
            Target::Card(index) => self.view.talk.cards.get_mut(index),
            Target::Live => self.view.live.coming.as_mut(),
        };
        if let Some(card) = card {
            card.exchange = exchange.clone();
        }
        match (asked, target) {
            (Ok(request), Target::Card(_)) => {
                self.keep(Job::Ask(Box::new(Asked { exchange, looks })));
                self.under_way.push(UnderWay { request, target, live: None });
            }
            (Ok(request), Target::Live) => {
                let live = frames.into_iter().next();
                self.under_way.push(UnderWay { request, target, live });
            }
            (Err(error), Target::Card(index)) => {
                if let Some(card) = self.view.talk.cards.get_mut(index) {
                    card.finish(Answer::failed(error.to_string()));
                }
            }
            (Err(error), Target::Live) => {
                self.view.live.on = false;
                self.view.live.coming = None;
                self.fail(format!("Live mode is off: {error}"));
            }
        }
    }

    /// Whether nothing is asked.
    pub(super) fn is_free(&self) -> bool {
        self.under_way.is_empty() && self.evidence.waiting.is_none()
    }

    pub(super) fn options(&self) -> Options {
        Options {
            max_tokens: self.view.settings.max_tokens,
            temperature: self.view.settings.temperature,
            seed: 0,
        }
    }

    /// The model that answers now.
    pub(super) fn model(&self) -> Option<ModelInfo> {
        self.view.engine.model().map(|model| model.info.clone())
    }

    /// In live mode, asks again where the scene has changed and it is time.
    pub(super) fn live_ask(&mut self, shown: &Shown, changed: bool) {
        let live = &self.view.live;
        let interval = std::time::Duration::from_secs_f32(self.view.settings.live.interval);
        let due = live.last.is_none_or(|last| last.elapsed() >= interval);
        let free = self.is_free() && self.view.engine.model().is_some();
        let camera = matches!(self.view.camera.state, CameraState::Live { .. });
        if !(live.on && changed && due && free && camera) {
            return;
        }
        let frame = shown.frame.clone();
        let picture = Picture::of(&frame, self.view.stage.region);
        let (question, options) = (live.question.clone(), self.options());
        let asked = Exchange::new(question, vec![picture], options, self.model());
        let exchange = Exchange { alone: true, ..asked };
        self.give_way();
        self.view.live.last = Some(Instant::now());
        if let Some(viewfinder) = &self.viewfinder {
            viewfinder.asked();
        }
        self.view.live.coming = Some(Card::asked(exchange.clone()));
        let looks = vec![Look { frame, region: self.view.stage.region }];
        self.ask_seeing(Waiting { exchange, looks, target: Target::Live });
    }

    /// Takes the answer that live mode holds into the conversation, with its picture.
    pub(super) fn keep_live(&mut self) {
        if self.view.talk.is_answering() {
            let text = "Keep this when the answer under way has ended.";
            self.view.toasts.add(toast::Kind::Note, text);
            return;
        }
        let (Some(frame), Some(held)) = (self.live_frame.take(), self.view.live.held.take()) else {
            return;
        };
        self.go_on();
        self.album.put(&frame);
        let region = held.region();
        let mut exchange = held.exchange.clone();
        let answer = std::mem::take(&mut exchange.answer);
        self.view.talk.cards.push(held);
        self.want_thumbnail(&frame);
        self.show_still(frame.clone(), region);
        let looks = vec![Look { frame, region }];
        self.keep(Job::Ask(Box::new(Asked { exchange, looks })));
        self.keep(Job::Finish(Box::new(answer)));
    }
}
