//! Maps over the picture: which one is shown, and what is said of it.
//!
//! A map is drawn between the picture and the marked region, from a texture that is made anew only
//! when another map is to be seen. Under the picture stands what the map may claim, with its raw
//! range and its grid: a vivid picture of next to nothing would be a lie.

use std::sync::Arc;

use ::encoder::{Attention, EncoderMaps, Found};
use explain::{Causal, ForcedWord, Phrase};

use super::View;
use super::talk::Card;

mod boxes;
mod check;
mod choices;
mod encoder;
mod labels;
mod layer;
mod legend;
mod marks;
mod panel;
mod phrase;
mod pick;
mod prefs;
mod words;

pub(super) use boxes::{point, show as show_boxes};
pub(super) use choices::show as show_choices;
pub(super) use layer::{paint, refresh};
pub(super) use marks::{can_look_again, legend as marks_legend, marks, pointed_at};
pub(super) use panel::{beside, show as show_panel, spoken};
pub(super) use prefs::show as show_preferences;
pub(super) use words::step as step_word;

/// The kinds of maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapKind {
    /// Where the label encoder sees a label.
    Label,
    /// Attention rollout of the vision encoder.
    Encoder,
    /// Where a dual encoder finds a phrase.
    Phrase,
    /// Which patches carry a word in the answering model.
    Word,
    /// What moved the answer.
    Causal,
}

/// Where a word of the answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WordSource {
    /// Where a part of the picture alone makes the model say it.
    #[default]
    Seen,
    /// Where its features lie (TAM).
    Features,
}

/// A map that is computed when it is asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Wanted<T> {
    /// Not asked for.
    #[default]
    None,
    /// Being computed.
    Coming,
    /// There.
    Ready(T),
    /// It could not be computed, for this reason.
    Failed(String),
}

/// What is wanted of the maps.
#[derive(Debug, Clone, PartialEq)]
pub enum MapAction {
    /// Show this map, or none.
    Show(Option<MapKind>),
    /// Show where this label is seen.
    Label(String),
    /// Tie the answer of this card again, without the label encoder.
    LookAgain(usize),
    /// Which attention of the encoder.
    Attention(Attention),
    /// The map of this word of this card, in place of a word that was typed.
    Word(usize, usize),
    /// Where words of the answer are shown.
    Source(WordSource),
    /// Light the phrase of this card until told otherwise; `None` lets go.
    Pin(Option<(usize, usize)>),
    /// A map of this word in the answering model.
    TypeWord(String),
    /// A map of this phrase in the dual encoder.
    FindPhrase(String),
    /// Begin a causal check of the answer of this card, with the fill that the settings name.
    Check(usize),
    /// Stop it.
    StopCheck,
    /// Choose the folder of a dual encoder in a dialog.
    ChooseDual,
    /// Do without a dual encoder.
    ForgetDual,
}

/// The state of the maps.
#[derive(Default)]
pub struct Maps {
    /// The map over the picture.
    pub kind: Option<MapKind>,
    /// The label whose map is shown; the likeliest where none was chosen.
    pub label: Option<String>,
    /// The label that is pointed at: its map is shown as long.
    pub peeked: Option<String>,
    /// Which attention.
    pub attention: Attention,
    /// The encoder's attention on the picture that is shown.
    pub encoder: Wanted<Arc<EncoderMaps>>,
    /// The card and the word whose map is shown.
    pub word: Option<(usize, usize)>,
    /// Where words of the answer are shown, once both is known.
    pub source: WordSource,
    /// The card and the phrase that is pinned.
    pub pinned: Option<(usize, usize)>,
    /// The card and the phrase that is pointed at, in the answer or on the picture.
    pub pointed: Option<(usize, usize)>,
    /// The one that was pointed at a frame ago.
    pub(super) pointed_before: Option<(usize, usize)>,
    /// The word that was typed, in the answering model; shown in place of `word`.
    pub typed: Wanted<ForcedWord>,
    /// The phrase that was typed, in the dual encoder.
    pub phrase: Wanted<Found>,
    /// The causal check.
    pub causal: Wanted<Causal>,
    /// The card that the causal check is about.
    pub checked: Option<usize>,
    /// The dual encoder: its name, or why it cannot be used.
    pub dual: Wanted<String>,
    /// How the dual encoder shares the picture out among your words: each with its share, 0 to 1.
    pub choices: Vec<(String, f32)>,
    /// What is typed for a word map.
    pub typing_word: String,
    /// What is typed for a phrase map.
    pub typing_phrase: String,
    /// The words to compare the picture with, while they are edited.
    typing_choices: Option<String>,
    /// The map as it is drawn.
    layer: layer::Layer,
}

impl MapKind {
    /// All of them in the order they are offered in: the oftener one points to the thing, the earlier
    /// (README), those without such a measure last.
    pub const ALL: [Self; 5] = [Self::Label, Self::Word, Self::Encoder, Self::Causal, Self::Phrase];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Label => "Label map",
            Self::Encoder => "Attention",
            Self::Word => "Word map",
            Self::Phrase => "Phrase map",
            Self::Causal => "Causal check",
        }
    }

    /// The map after `kind`, or before it; no map is one of them.
    pub fn next(kind: Option<Self>, back: bool) -> Option<Self> {
        let at = kind.and_then(|kind| Self::ALL.iter().position(|one| *one == kind));
        match (at, back) {
            (None, false) => Some(Self::ALL[0]),
            (None, true) => Some(Self::ALL[Self::ALL.len() - 1]),
            (Some(at), false) => Self::ALL.get(at + 1).copied(),
            (Some(at), true) => at.checked_sub(1).map(|at| Self::ALL[at]),
        }
    }
}

impl<T> Wanted<T> {
    /// What is made of it, once it is there.
    #[must_use]
    pub fn and_then<U>(self, make: impl FnOnce(T) -> Option<U>) -> Wanted<U> {
        match self {
            Self::Ready(value) => make(value).map_or(Wanted::None, Wanted::Ready),
            Self::None => Wanted::None,
            Self::Coming => Wanted::Coming,
            Self::Failed(reason) => Wanted::Failed(reason),
        }
    }

    /// What was wanted, once it is there.
    pub fn ready(&self) -> Option<&T> {
        match self {
            Self::Ready(value) => Some(value),
            _ => None,
        }
    }
}

impl Maps {
    /// Whether a causal check is under way.
    pub fn is_checking(&self) -> bool {
        match &self.causal {
            Wanted::Coming => true,
            Wanted::Ready(causal) => causal.running,
            Wanted::None | Wanted::Failed(_) => false,
        }
    }
}

/// The card whose answer the word map and the causal check are about: the one whose word is shown,
/// else the last complete one, so long as it is about the picture that is shown.
pub fn card(view: &View) -> Option<usize> {
    let pixels = shown_pixels(view)?;
    let cards = &view.talk.cards;
    let about = |index: &usize| {
        let is = |card: &Card| card.is_about(pixels) && !card.under_way && !card.text().is_empty();
        cards.get(*index).is_some_and(is)
    };
    let chosen = view.maps.word.map(|(card, _)| card).filter(about);
    chosen.or_else(|| (0..cards.len()).rev().find(about))
}

/// The phrases of a card's answer, once they are known.
fn card_phrases(card: &Card) -> &[Phrase] {
    card.grounding.ready().map_or(&[], |grounding| &grounding.phrases)
}

/// The hash of the picture that is shown, where it stands still.
fn shown_pixels(view: &View) -> Option<&str> {
    view.stage.shown.as_ref().filter(|shown| !shown.live).map(|shown| &**shown.frame.sha256())
}

/// Whether the answer of `card` is about the picture that is shown.
fn is_shown(view: &View, card: &Card) -> bool {
    shown_pixels(view).is_some_and(|pixels| card.is_about(pixels))
}

#[cfg(test)]
mod tests;
