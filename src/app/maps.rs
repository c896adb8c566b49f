//! Maps: what the user wants of them, carried out beside the answers.
//!
//! What the engine must read back goes one reading at a time, so that a question waits for one at
//! the most. A question takes the place of the readings; what they were for is then left as it is.
//! What is computed between them is computed by [`Reader`], on a thread of its own.

use engine::{EngineError, Question, RequestId, Scores};
use explain::{Aim, Explainer, Finding, MapNews, ReadId, ReadNews, Reader, Told};
use ui::maps::{MapAction, MapKind, Wanted, card};
use values::frame::FrameId;
use values::job::Trouble;
use values::picture::{About, ImageInput, Look};
use values::region::Region;

use super::App;
use super::act::Waiting;
use super::asking::turns;
use super::desktop::Wish;
use super::ties::show_grounding;

/// Said once a thread is gone, and of every map that it would have made.
const NO_ENCODERS: &str = "The encoders' maps cannot be drawn any more: start Lorgnette again.";
const NO_READER: &str = "Answers cannot be tied to the picture any more: start Lorgnette again.";

/// Shortest time between two looks of the dual encoder at a live picture.
const CHOICES_INTERVAL: std::time::Duration = std::time::Duration::from_millis(700);

/// What is being found out by reading an answer back.
struct Reading {
    id: ReadId,
    what: What,
    /// What the engine is reading; none while the thread computes.
    request: Option<RequestId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The words and phrases of this card's answer.
    Ground(usize),
    /// A word that was typed.
    Type,
    /// The answer of a card with parts of the picture hidden.
    Check,
}

/// What the maps need to remember between frames.
#[derive(Default)]
pub struct MapState {
    /// What is being found out, each kind once.
    readings: Vec<Reading>,
    /// The card that was answered last, here: what was opened is not read back unasked.
    pub(super) answered: Option<usize>,
    /// What the maps that are shown are about.
    about: Option<About>,
    /// The folder that the thread of the maps was told of.
    dual: Option<std::path::PathBuf>,
    /// When the dual encoder was last asked to look, and at what.
    looked: Option<(std::time::Instant, (FrameId, Option<Region>))>,
    looking: bool,
}

impl App {
    /// Carries out what is wanted of the maps.
    pub(super) fn maps(&mut self, action: MapAction) {
        let maps = &mut self.view.maps;
        match action {
            MapAction::Show(kind) => maps.kind = kind,
            MapAction::Attention(attention) => maps.attention = attention,
            MapAction::Pin(pinned) => maps.pinned = pinned,
            MapAction::Source(source) => maps.source = source,
            MapAction::Word(card, word) => {
                maps.word = Some((card, word));
                maps.typed = Wanted::None;
                self.leave(|what| what == What::Type);
            }
            MapAction::TypeWord(word) => self.type_word(word.trim()),
            MapAction::FindPhrase(phrase) => self.find_phrase(phrase.trim()),
            MapAction::Label(label) => {
                (maps.kind, maps.label) = (Some(MapKind::Label), Some(label));
            }
            MapAction::LookAgain(card) => self.look_again(card),
            MapAction::Check(card) => self.check(card),
            MapAction::StopCheck => self.stop_check(),
            MapAction::ChooseDual => self.wish(Wish::DualFolder, Waiting::Dual),
            MapAction::ForgetDual => {
                self.view.settings.maps.dual = None;
                self.unsaved.get_or_insert_with(std::time::Instant::now);
            }
        }
        self.follow_maps();
    }

    /// Makes the maps follow what is shown, and asks for those that are wanted and not there.
    pub(super) fn follow_maps(&mut self) {
        let about = self.view.stage.shown.as_ref().filter(|shown| !shown.live);
        let region = self.view.stage.region;
        let about = about.map(|shown| About { sha256: shown.frame.sha256().clone(), region });
        if about != self.map_state.about {
            self.map_state.about = about;
            let maps = &mut self.view.maps;
            (maps.encoder, maps.phrase, maps.typed) = (Wanted::None, Wanted::None, Wanted::None);
            maps.choices.clear();
            self.leave(|what| what == What::Type);
            if let Some(explainer) = &self.explainer {
                explainer.forget_picture();
            }
        }
        let dual = &self.view.settings.maps.dual;
        if *dual != self.map_state.dual {
            self.map_state.dual.clone_from(dual);
            (self.map_state.looked, self.map_state.looking) = (None, false);
            let maps = &mut self.view.maps;
            maps.dual = if dual.is_some() { Wanted::Coming } else { Wanted::None };
            (maps.phrase, maps.choices) = (Wanted::None, Vec::new());
            match &self.explainer {
                Some(explainer) => explainer.dual(dual.clone()),
                None => maps.dual = Wanted::Failed(NO_ENCODERS.to_owned()),
            }
        }
        match self.view.maps.kind {
            Some(MapKind::Encoder) => self.want_attention(),
            Some(MapKind::Word) => {
                let wanted = card(&self.view).filter(|index| {
                    match &self.view.talk.cards[*index].grounding {
                        Wanted::None => true,
                        Wanted::Ready(found) => found.search.is_to_come(),
                        Wanted::Coming | Wanted::Failed(_) => false,
                    }
                });
                if let Some(index) = wanted {
                    self.ground(index);
                }
            }
            _ => {}
        }
        self.look_alone();
        self.want_choices();
    }

    /// Asks for the encoder's attention on what is shown, unless it is there or on its way.
    pub(super) fn want_attention(&mut self) {
        if let Some(Err(reason)) = self.maps_input() {
            self.view.maps.encoder = Wanted::Failed(reason);
            return;
        }
        let ready = self.view.engine.model().is_some();
        let Some(picture) = self.asked_about().filter(|_| ready) else { return };
        match &self.explainer {
            None => self.view.maps.encoder = Wanted::Failed(NO_ENCODERS.to_owned()),
            Some(explainer) if matches!(self.view.maps.encoder, Wanted::None) => {
                explainer.attention(picture);
                self.view.maps.encoder = Wanted::Coming;
            }
            Some(_) => {}
        }
    }

    fn want_choices(&mut self) {
        let maps = &self.view.maps;
        let state = &mut self.map_state;
        let words = &self.view.settings.maps.choices;
        let (Some(explainer), Some(shown)) = (&self.explainer, &self.view.stage.shown) else {
            return;
        };
        let seen = maps.kind == Some(MapKind::Phrase) || self.view.live.on;
        let free = self.under_way.is_empty() && !state.looking;
        if maps.dual.ready().is_none() || words.is_empty() || !seen || !free {
            return;
        }
        let about = (shown.frame.id, self.view.stage.region);
        let due = state
            .looked
            .is_none_or(|(when, looked)| looked != about && when.elapsed() >= CHOICES_INTERVAL);
        let changed = maps.choices.len() != words.len()
            || maps.choices.iter().zip(words).any(|((known, _), word)| known != word);
        if due || changed {
            let picture = Look { frame: shown.frame.clone(), region: self.view.stage.region };
            explainer.choices(picture, words.clone());
            state.looked = Some((std::time::Instant::now(), about));
            state.looking = true;
        }
    }

    /// Takes what the threads of the maps say.
    pub(super) fn take_maps(&mut self) {
        while let Some(news) = self.explainer.as_ref().and_then(Explainer::news) {
            self.take_map(news);
        }
        while let Some(news) = self.reader.as_ref().and_then(Reader::news) {
            self.take_readback(news);
        }
        if let Some(trouble) = self.explainer.as_ref().and_then(Explainer::trouble) {
            self.encoders_in_trouble(&trouble);
        }
        if let Some(trouble) = self.reader.as_ref().and_then(Reader::trouble) {
            self.readbacks_in_trouble(&trouble);
        }
    }

    fn take_map(&mut self, news: MapNews) {
        let maps = &mut self.view.maps;
        match news {
            MapNews::Attention(found) => {
                maps.encoder = found.map_or_else(Wanted::Failed, Wanted::Ready);
            }
            MapNews::Phrase(found) => {
                maps.phrase = found.map_or_else(Wanted::Failed, Wanted::Ready);
            }
            MapNews::Choices(shares) => {
                self.map_state.looking = false;
                match shares {
                    Ok(shares) => maps.choices = shares,
                    // Asked again, it would fail again.
                    Err(reason) => maps.dual = Wanted::Failed(reason),
                }
            }
            MapNews::Dual(opened) => {
                maps.dual = opened.map_or_else(Wanted::Failed, Wanted::Ready);
            }
        }
    }

    /// The thread of the encoders' maps begins anew, and knows of nothing, or is gone.
    fn encoders_in_trouble(&mut self, trouble: &Trouble) {
        let (maps, state) = (&mut self.view.maps, &mut self.map_state);
        (maps.encoder, maps.phrase) = (Wanted::None, Wanted::None);
        // The folder of the dual encoder is told as if it were another.
        (state.dual, state.looking) = (None, false);
        match trouble {
            Trouble::Restarted(_) => {
                let Some(explainer) = &self.explainer else { return };
                explainer.forget_picture();
                if let Some(model) = self.view.engine.model() {
                    explainer.model(model.folder.clone());
                }
            }
            Trouble::Dead(_) => {
                self.explainer = None;
                self.fail(NO_ENCODERS);
            }
        }
    }

    /// The same of the thread that computes between readings.
    fn readbacks_in_trouble(&mut self, trouble: &Trouble) {
        let text = match trouble {
            Trouble::Restarted(reason) => reason.clone(),
            Trouble::Dead(_) => {
                self.reader = None;
                self.fail(NO_READER);
                NO_READER.to_owned()
            }
        };
        // What fell with the thread is not begun again by itself: it might do the same.
        for reading in std::mem::take(&mut self.map_state.readings) {
            self.show_lack(reading.what, Some(text.clone()));
        }
    }

    /// The picture that is shown, as a question would be about it.
    pub(super) fn asked_about(&self) -> Option<Look> {
        let shown = self.view.stage.shown.as_ref().filter(|shown| !shown.live)?;
        Some(Look { frame: shown.frame.clone(), region: self.view.stage.region })
    }

    fn find_phrase(&mut self, phrase: &str) {
        let (Some(explainer), Some(picture)) = (&self.explainer, self.asked_about()) else {
            return;
        };
        if !phrase.is_empty() && self.view.maps.dual.ready().is_some() {
            explainer.phrase(picture, phrase.to_owned());
            self.view.maps.phrase = Wanted::Coming;
        }
    }

    /// What was asked and answered on a card whose picture is shown.
    pub(super) fn told(&self, index: usize) -> Option<Told> {
        let (before, card) = (self.view.talk.cards.get(..index)?, self.view.talk.cards.get(index)?);
        let frame = &self.view.stage.shown.as_ref()?.frame;
        let answered = !card.under_way && !card.text().trim().is_empty();
        if !answered || !card.is_about(frame.sha256()) {
            return None;
        }
        let turns = turns(before, &card.exchange, std::slice::from_ref(frame)).ok()?;
        Some(Told {
            question: Question { turns, ..Question::default() },
            picture: Look { frame: frame.clone(), region: card.region() },
            answer: card.text().to_owned(),
            sampled: card.exchange.answer.tokens.iter().map(|token| token.id).collect(),
        })
    }

    /// How the model is shown pictures, or why it has no maps.
    fn maps_input(&self) -> Option<Result<ImageInput, String>> {
        let model = self.view.engine.model()?;
        Some(match model.input.grid() {
            Some(_) => Ok(model.input.clone()),
            None => Err(EngineError::NoMaps(model.info.name.clone()).to_string()),
        })
    }

    fn type_word(&mut self, word: &str) {
        if !word.contains(char::is_alphanumeric) {
            let reason = "there is no word in it: type one with letters";
            self.view.maps.typed = Wanted::Failed(reason.to_owned());
            return;
        }
        let index = card(&self.view);
        let told = match index.and_then(|index| self.told(index)) {
            Some(told) => Some(told),
            // Before any answer a word can be asked for all the same.
            None => self.asked_about().map(|picture| Told {
                question: Question::told(
                    std::slice::from_ref(&picture),
                    &self.evidence_of(&picture).into_iter().collect::<Vec<_>>(),
                    values::config::DEFAULT_QUESTION,
                ),
                picture,
                answer: String::new(),
                sampled: Vec::new(),
            }),
        };
        let Some(told) = told else { return };
        self.begin(told, Aim::Word { word: word.to_owned(), windows: false }, What::Type);
    }

    fn check(&mut self, index: usize) {
        let Some(told) = self.told(index) else { return };
        self.view.maps.checked = Some(index);
        self.begin(told, Aim::Hide(self.view.settings.maps.fill), What::Check);
    }

    /// Ends the causal check; what it found stays.
    fn stop_check(&mut self) {
        self.leave(|what| what == What::Check);
        match &mut self.view.maps.causal {
            Wanted::Ready(causal) => causal.running = false,
            coming => *coming = Wanted::None,
        }
    }

    /// Forgets every reading, since the conversation they belong to is left.
    pub(super) fn forget_maps(&mut self) {
        self.leave(|_| true);
        self.map_state.answered = None;
        let maps = &mut self.view.maps;
        (maps.word, maps.pinned, maps.pointed, maps.checked) = (None, None, None, None);
        (maps.causal, maps.typed) = (Wanted::None, Wanted::None);
        if let Err(error) = self.engine.forget_scores() {
            tracing::warn!("{error}");
        }
    }

    /// Begins to find out what `aim` says about `told`, in place of what was found out so before.
    pub(super) fn begin(&mut self, told: Told, aim: Aim, what: What) {
        self.leave(|other| other == what);
        let input = match self.maps_input() {
            Some(Ok(input)) => input,
            Some(Err(reason)) => return self.show(what, Wanted::Failed(reason)),
            None => return,
        };
        let begun = self.reader.as_mut().and_then(|reader| reader.begin(told, input, aim));
        match begun {
            Some(id) => {
                self.map_state.readings.push(Reading { id, what, request: None });
                self.show(what, Wanted::Coming);
            }
            None => self.show(what, Wanted::Failed(NO_READER.to_owned())),
        }
    }

    /// Shows how far it has come.
    fn show(&mut self, what: What, found: Wanted<Finding>) {
        let maps = &mut self.view.maps;
        match what {
            What::Ground(index) => {
                let Some(card) = self.view.talk.cards.get_mut(index) else { return };
                show_grounding(&mut card.grounding, found.and_then(Finding::grounding));
            }
            What::Type => maps.typed = found.and_then(Finding::word),
            What::Check => maps.causal = found.and_then(Finding::causal),
        }
    }

    /// Whether an answer is being read back.
    pub(super) fn is_reading_back(&self) -> bool {
        !self.map_state.readings.is_empty()
    }

    /// Ends the readings of this kind; what they found stays.
    fn leave(&mut self, which: impl Fn(What) -> bool) {
        for left in self.map_state.readings.extract_if(.., |reading| which(reading.what)) {
            if let Some(reader) = &self.reader {
                reader.end(left.id);
            }
        }
    }

    /// A question is asked: what the engine is not reading yet gives way, as what it reads does.
    pub(super) fn give_way(&mut self) {
        let waiting = self.map_state.readings.iter().filter(|reading| reading.request.is_none());
        for id in waiting.map(|reading| reading.id).collect::<Vec<_>>() {
            self.fail_reading(|reading| reading.id == id, None);
        }
    }

    /// Takes an answer that was read back.
    pub(super) fn scored(&mut self, request: RequestId, scores: Box<Scores>) {
        let mut readings = self.map_state.readings.iter_mut();
        let Some(reading) = readings.find(|reading| reading.request == Some(request)) else {
            return;
        };
        reading.request = None;
        let id = reading.id;
        if !self.reader.as_ref().is_some_and(|reader| reader.take(id, scores)) {
            self.fail_reading(|reading| reading.id == id, Some(NO_READER.to_owned()));
        }
    }

    fn take_readback(&mut self, news: ReadNews) {
        let (ReadNews::Wants(id, _)
        | ReadNews::Found(id, _)
        | ReadNews::Over(id)
        | ReadNews::Failed(id, _)) = news;
        let mut readings = self.map_state.readings.iter_mut();
        let Some(reading) = readings.find(|reading| reading.id == id) else { return };
        let what = reading.what;
        match news {
            ReadNews::Wants(_, wanted) => match self.engine.score(*wanted) {
                Ok(request) => {
                    reading.request = Some(request);
                    self.ahead.look_again();
                }
                Err(error) => {
                    self.fail_reading(|reading| reading.id == id, Some(error.to_string()));
                }
            },
            ReadNews::Found(_, found) => self.show(what, Wanted::Ready(*found)),
            ReadNews::Over(_) => self.map_state.readings.retain(|reading| reading.id != id),
            ReadNews::Failed(_, reason) => {
                self.fail_reading(|reading| reading.id == id, Some(reason));
            }
        }
    }

    /// A reading came to nothing. Says whether `request` was one.
    pub(super) fn reading_failed(&mut self, request: RequestId, error: &EngineError) -> bool {
        // Something newer was asked: the map can be asked for again.
        let superseded = matches!(error, EngineError::Superseded);
        let reason = (!superseded).then(|| error.to_string());
        self.fail_reading(|reading| reading.request == Some(request), reason)
    }

    fn fail_reading(&mut self, which: impl Fn(&Reading) -> bool, reason: Option<String>) -> bool {
        let Some(at) = self.map_state.readings.iter().position(which) else { return false };
        let Reading { id, what, .. } = self.map_state.readings.remove(at);
        if let Some(reader) = &self.reader {
            reader.end(id);
        }
        self.show_lack(what, reason);
        true
    }

    fn show_lack(&mut self, what: What, reason: Option<String>) {
        if let (What::Check, Wanted::Ready(causal)) = (what, &mut self.view.maps.causal) {
            causal.running = false;
            return;
        }
        self.show(what, reason.map_or(Wanted::None, Wanted::Failed));
    }

    /// The first word of an answer came: the encoder has time now.
    pub(super) fn encoder_is_free(&mut self) {
        if self.view.settings.maps.ground_answers {
            self.follow_maps();
            self.want_attention();
        }
    }
}
