//! Maps: what the user wants of them, carried out beside the answers.
//!
//! What the engine must read back goes one reading at a time, so that a question waits for one at
//! the most. A question takes the place of the readings; what they were for is then left as it is.

use engine::{EngineError, Question, RequestId, ScoreRequest, Scores};
use explain::{Check, Curtain, Grounder, LEAST_SUPPORT, MapNews, Told};
use ui::maps::{Grounding, MapAction, MapKind, Typed, Wanted, card};
use values::config::Fill;
use values::frame::FrameId;
use values::picture::{About, Look};
use values::region::Region;

use super::App;
use super::act::Waiting;
use super::asking::turns;
use super::desktop::Wish;

/// Shortest time between two looks of the dual encoder at a live picture.
const LABELS_INTERVAL: std::time::Duration = std::time::Duration::from_millis(700);

/// What the engine is reading back.
pub struct Reading {
    request: RequestId,
    what: What,
}

enum What {
    /// The words and phrases of this card's answer.
    Ground(usize, Box<Grounder>),
    /// A word that was typed; then, once its map is there, the same about nothing.
    Type(Box<TypedWord>),
    /// The answer of a card with parts of the picture hidden.
    Check(Box<(Told, Check)>),
}

struct TypedWord {
    text: String,
    told: Told,
    side: u32,
    found: Option<(Typed, f32)>,
}

/// What the maps need to remember between frames.
#[derive(Default)]
pub struct MapState {
    readings: Vec<Reading>,
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
                self.map_state.readings.retain(|reading| !matches!(reading.what, What::Type(_)));
            }
            MapAction::TypeWord(word) => self.type_word(word.trim()),
            MapAction::FindPhrase(phrase) => self.find_phrase(phrase.trim()),
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
            maps.labels.clear();
            self.map_state.readings.retain(|reading| !matches!(reading.what, What::Type(_)));
        }
        let dual = &self.view.settings.maps.dual;
        if *dual != self.map_state.dual {
            self.map_state.dual.clone_from(dual);
            (self.map_state.looked, self.map_state.looking) = (None, false);
            let maps = &mut self.view.maps;
            maps.dual = if dual.is_some() { Wanted::Coming } else { Wanted::None };
            (maps.phrase, maps.labels) = (Wanted::None, Vec::new());
            if let Some(explainer) = &self.explainer {
                explainer.dual(dual.clone());
            }
        }
        match self.view.maps.kind {
            Some(MapKind::Encoder) => self.want_attention(),
            Some(MapKind::Word) => {
                let wanted = card(&self.view).filter(|index| {
                    let card = &self.view.talk.cards[*index];
                    matches!(card.grounding, Wanted::None)
                });
                if let Some(index) = wanted {
                    self.ground(index);
                }
            }
            _ => {}
        }
        self.want_labels();
    }

    /// Asks for the encoder's attention on what is shown, unless it is there or on its way.
    pub(super) fn want_attention(&mut self) {
        if let Some(reason) = self.no_maps() {
            self.view.maps.encoder = Wanted::Failed(reason);
            return;
        }
        let ready = self.view.engine.model().is_some();
        let (Some(explainer), Some(picture)) = (&self.explainer, self.asked_about()) else {
            return;
        };
        if ready && self.view.maps.encoder == Wanted::None {
            explainer.attention(picture);
            self.view.maps.encoder = Wanted::Coming;
        }
    }

    fn want_labels(&mut self) {
        let maps = &self.view.maps;
        let state = &mut self.map_state;
        let words = &self.view.settings.maps.labels;
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
            .is_none_or(|(when, looked)| looked != about && when.elapsed() >= LABELS_INTERVAL);
        let changed = maps.labels.len() != words.len()
            || maps.labels.iter().zip(words).any(|((known, _), word)| known != word);
        if due || changed {
            let picture = Look { frame: shown.frame.clone(), region: self.view.stage.region };
            explainer.labels(picture, words.clone());
            state.looked = Some((std::time::Instant::now(), about));
            state.looking = true;
        }
    }

    /// Takes what the thread of the maps says.
    pub(super) fn take_map(&mut self, news: MapNews) {
        let maps = &mut self.view.maps;
        let current = self.map_state.about.as_ref();
        let wanted = |about: &About| Some(about) == current;
        match news {
            MapNews::Attention(about, found) if wanted(&about) => {
                maps.encoder = found.map_or_else(Wanted::Failed, Wanted::Ready);
            }
            MapNews::Phrase(about, text, found) if wanted(&about) => {
                let typed =
                    found.map(|found| Typed { text, map: found.map, present: found.present });
                maps.phrase = typed.map_or_else(Wanted::Failed, Wanted::Ready);
            }
            MapNews::Labels(shares) => {
                self.map_state.looking = false;
                match shares {
                    Ok(shares) => maps.labels = shares,
                    // Asked again, it would fail again.
                    Err(reason) => maps.dual = Wanted::Failed(reason),
                }
            }
            MapNews::Dual(opened) => {
                maps.dual = opened.map_or_else(Wanted::Failed, Wanted::Ready);
            }
            MapNews::Attention(..) | MapNews::Phrase(..) => {}
        }
    }

    /// The picture that is shown, as a question would be about it.
    fn asked_about(&self) -> Option<Look> {
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
    fn told(&self, index: usize) -> Option<Told> {
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

    /// The side of the square that the model's encoder is shown; none where its picture tokens
    /// cannot be told apart.
    fn image_side(&self) -> Option<u32> {
        self.view.engine.model()?.image_side
    }

    /// Why the model that is loaded has no maps, where it has none.
    fn no_maps(&self) -> Option<String> {
        let model = self.view.engine.model().filter(|model| model.image_side.is_none())?;
        Some(EngineError::NoMaps(model.info.name.clone()).to_string())
    }

    /// Begins to tie the answer of a card to the picture.
    pub(super) fn ground(&mut self, index: usize) {
        let (Some(told), Some(side)) = (self.told(index), self.image_side()) else {
            if let (Some(reason), Some(card)) =
                (self.no_maps(), self.view.talk.cards.get_mut(index))
            {
                card.grounding = Wanted::Failed(reason);
            }
            return;
        };
        let grounder = Grounder::new(told, side);
        let Some(first) = grounder.next() else { return };
        self.view.talk.cards[index].grounding = Wanted::Coming;
        self.read(first, What::Ground(index, Box::new(grounder)));
    }

    fn type_word(&mut self, word: &str) {
        if let Some(reason) = self.no_maps() {
            self.view.maps.typed = Wanted::Failed(reason);
        } else if !word.contains(char::is_alphanumeric) {
            let reason = "there is no word in it: type one with letters";
            self.view.maps.typed = Wanted::Failed(reason.to_owned());
            return;
        }
        let Some(side) = self.image_side() else { return };
        let index = card(&self.view);
        let told = match index.and_then(|index| self.told(index)) {
            Some(told) => Some(told),
            // Before any answer a word can be asked for all the same.
            None => self.asked_about().map(|picture| Told {
                question: Question::new(
                    std::slice::from_ref(&picture),
                    values::config::DEFAULT_QUESTION,
                ),
                picture,
                answer: String::new(),
                sampled: Vec::new(),
            }),
        };
        let Some(told) = told.filter(|_| !word.is_empty()) else { return };
        let told = told.with_word(word);
        self.map_state.readings.retain(|reading| !matches!(reading.what, What::Type(_)));
        self.view.maps.typed = Wanted::Coming;
        let first = told.as_given();
        let typed = TypedWord { text: word.to_owned(), told, side, found: None };
        self.read(first, What::Type(Box::new(typed)));
    }

    fn check(&mut self, index: usize) {
        if let Some(reason) = self.no_maps() {
            (self.view.maps.causal, self.view.maps.checked) = (Wanted::Failed(reason), Some(index));
        }
        let (Some(told), Some(side)) = (self.told(index), self.image_side()) else { return };
        self.stop_check();
        let (square, shown) = told.input(side);
        let fill: Fill = self.view.settings.maps.fill;
        let check = Check::new(Curtain::new(square, shown, fill));
        let Some(first) = check.picture() else { return };
        self.view.maps.causal = Wanted::Coming;
        self.view.maps.checked = Some(index);
        let first = told.about(first);
        self.read(first, What::Check(Box::new((told, check))));
    }

    /// Ends the causal check after the reading under way; what it found stays.
    fn stop_check(&mut self) {
        self.map_state.readings.retain(|reading| !matches!(reading.what, What::Check(_)));
        match &mut self.view.maps.causal {
            Wanted::Ready(causal) => causal.running = false,
            coming => *coming = Wanted::None,
        }
    }

    /// Forgets every reading, since the conversation they belong to is left.
    pub(super) fn forget_maps(&mut self) {
        self.map_state.readings.clear();
        let maps = &mut self.view.maps;
        (maps.word, maps.pinned, maps.pointed, maps.checked) = (None, None, None, None);
        (maps.causal, maps.typed) = (Wanted::None, Wanted::None);
        if let Err(error) = self.engine.forget_scores() {
            tracing::warn!("{error}");
        }
    }

    fn read(&mut self, wanted: ScoreRequest, what: What) {
        match self.engine.score(wanted) {
            Ok(request) => self.map_state.readings.push(Reading { request, what }),
            Err(error) => self.give_up_reading(&what, &error),
        }
    }

    fn take_reading(&mut self, request: RequestId) -> Option<What> {
        let readings = &mut self.map_state.readings;
        let at = readings.iter().position(|reading| reading.request == request)?;
        Some(readings.remove(at).what)
    }

    /// Takes an answer that was read back.
    pub(super) fn scored(&mut self, request: RequestId, scores: &Scores) {
        match self.take_reading(request) {
            Some(What::Ground(index, grounder)) => self.go_on_grounding(index, grounder, scores),
            Some(What::Type(typed)) => self.go_on_typed(typed, scores),
            Some(What::Check(mut checked)) => {
                checked.1.take(scores.logits.logprobs.iter().sum());
                let running = !checked.1.is_over();
                if let Some(causal) = checked.1.state(running) {
                    self.view.maps.causal = Wanted::Ready(causal);
                }
                if let Some(next) = checked.1.picture() {
                    self.read(checked.0.about(next), What::Check(checked));
                }
            }
            None => {}
        }
    }

    fn go_on_grounding(&mut self, index: usize, mut grounder: Box<Grounder>, scores: &Scores) {
        let had_words = grounder.has_words();
        let taken = grounder.take(scores);
        let Some(card) = self.view.talk.cards.get_mut(index) else { return };
        if let Err(error) = taken {
            card.grounding = Wanted::Failed(error.to_string());
            return;
        }
        let next = grounder.next();
        if !had_words || next.is_none() {
            let (words, phrases) = (grounder.words.clone(), grounder.phrases.clone());
            let (settled, sought) = (next.is_none(), grounder.sought);
            card.grounding = Wanted::Ready(Grounding { words, phrases, settled, sought });
        }
        if let Some(next) = next {
            self.read(next, What::Ground(index, grounder));
        }
    }

    fn go_on_typed(&mut self, mut typed: Box<TypedWord>, scores: &Scores) {
        let (square, shown) = typed.told.input(typed.side);
        let support = typed.told.word_logprob(&typed.text, scores);
        match typed.found.take() {
            None => match typed.told.word_map(&typed.text, scores, shown) {
                Ok(map) => {
                    let found = Typed { text: typed.text.clone(), map, present: true };
                    typed.found = Some((found, support));
                    let closed = Curtain::new(square, shown, Fill::Blur).closed();
                    self.read(typed.told.about(closed), What::Type(typed));
                }
                Err(error) => self.view.maps.typed = Wanted::Failed(error.to_string()),
            },
            Some((found, whole)) => {
                let present = whole - support >= LEAST_SUPPORT;
                self.view.maps.typed = Wanted::Ready(Typed { present, ..found });
            }
        }
    }

    /// A reading came to nothing. Says whether `request` was one.
    pub(super) fn reading_failed(&mut self, request: RequestId, error: &EngineError) -> bool {
        let Some(what) = self.take_reading(request) else { return false };
        self.give_up_reading(&what, error);
        true
    }

    fn give_up_reading(&mut self, what: &What, error: &EngineError) {
        // Something newer was asked: the map can be asked for again.
        let superseded = matches!(error, EngineError::Superseded);
        match what {
            What::Ground(index, _) => {
                let Some(card) = self.view.talk.cards.get_mut(*index) else { return };
                card.grounding =
                    if superseded { Wanted::None } else { Wanted::Failed(error.to_string()) };
            }
            What::Type(_) => {
                self.view.maps.typed =
                    if superseded { Wanted::None } else { Wanted::Failed(error.to_string()) };
            }
            What::Check(_) => match &mut self.view.maps.causal {
                Wanted::Ready(causal) => causal.running = false,
                causal if superseded => *causal = Wanted::None,
                causal => *causal = Wanted::Failed(error.to_string()),
            },
        }
    }

    /// The first word of an answer came: the encoder has time now.
    pub(super) fn encoder_is_free(&mut self) {
        if self.view.settings.maps.ground_answers {
            self.follow_maps();
            self.want_attention();
        }
    }
}
