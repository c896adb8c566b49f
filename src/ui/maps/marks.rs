//! The phrases of an answer that are tied to a place in the picture, underlined in its text.

use egui::{RichText, Ui};
use explain::{Phrase, Search, Tie};
use values::job::Progress;

use super::{MapAction, MapKind, Maps, Wanted, card, card_phrases, is_shown};
use crate::markdown::{Mark, MarkdownResponse};
use crate::talk::Card;
use crate::theme::Palette;
use crate::{Action, View};

/// The marks of this card's answer: its phrases that have a place and, while word maps are shown,
/// the word whose map it is.
///
/// Only an answer about the picture that is shown has marks.
pub fn marks(view: &View, index: usize) -> Vec<Mark> {
    let Some(answer) = view.talk.cards.get(index) else { return Vec::new() };
    if !is_shown(view, answer) {
        return Vec::new();
    }
    let phrases = card_phrases(answer);
    let mut marks = Vec::new();
    if let Some((word, bytes)) = word(view, index) {
        // First, so that a click goes to the phrase that it is part of.
        marks.push(Mark { bytes, id: phrases.len() + word, active: true, unconfirmed: false });
    }
    let lit = [view.maps.pinned, view.maps.pointed_before];
    let active = |id| lit.contains(&Some((index, id)));
    let claims = answer.claims.as_deref().unwrap_or_default();
    let is_claim =
        |bytes: &std::ops::Range<usize>| claims.iter().any(|claim| claim.bytes == *bytes);
    let placed = phrases.iter().enumerate().filter(|(_, phrase)| !phrase.places.is_empty());
    marks.extend(placed.map(|(id, phrase)| Mark {
        bytes: phrase.bytes.clone(),
        id,
        active: active(id),
        unconfirmed: is_claim(&phrase.bytes),
    }));
    let first = phrases.len() + answer.exchange.answer.text.len();
    for (at, claim) in claims.iter().enumerate() {
        if marks.iter().all(|mark| mark.bytes != claim.bytes) {
            let (bytes, id) = (claim.bytes.clone(), first + at);
            marks.push(Mark { bytes, id, active: false, unconfirmed: true });
        }
    }
    marks
}

/// The word of this card whose map is shown: its number, and where it stands.
fn word(view: &View, index: usize) -> Option<(usize, std::ops::Range<usize>)> {
    let shows = view.maps.kind == Some(MapKind::Word) && view.maps.typed == Wanted::None;
    if !shows || card(view) != Some(index) {
        return None;
    }
    let grounding = view.talk.cards[index].grounding.ready()?;
    let at = grounding.word(index, view.maps.word)?;
    Some((at, grounding.words[at].bytes.clone()))
}

/// Takes in what was done with the marks: what is pointed at lights up, a click pins it or lets go.
pub fn pointed_at(
    maps: &Maps,
    card: &Card,
    index: usize,
    response: MarkdownResponse,
    actions: &mut Vec<Action>,
) -> Option<(usize, usize)> {
    let phrases = card_phrases(card);
    let placed = |id: &usize| phrases.get(*id).is_some_and(|phrase| !phrase.places.is_empty());
    let phrase = |id: Option<usize>| id.filter(placed).map(|id| (index, id));
    if let Some(clicked) = phrase(response.clicked_mark) {
        let pinned = (maps.pinned != Some(clicked)).then_some(clicked);
        actions.push(Action::Maps(MapAction::Pin(pinned)));
    }
    phrase(response.hovered_mark)
}

/// What there is to say of the ties between this answer and the picture. One line whatever it says,
/// so that nothing moves below the pointer.
pub fn legend(ui: &mut Ui, view: &View, index: usize) {
    let Some(card) = view.talk.cards.get(index) else { return };
    let palette = Palette::of(ui.visuals());
    let text = match &card.grounding {
        Wanted::None => return,
        Wanted::Coming => "Looking for its words in the picture …".to_owned(),
        Wanted::Failed(reason) => format!("Not tied to the picture: {reason}"),
        Wanted::Ready(grounding) => match &grounding.search {
            Search::UnderWay(Progress { done, total }) => {
                format!("Looking for the places of its phrases: {done} of {total} …")
            }
            Search::Slow => {
                "The places of its phrases were not looked for: this model takes long to read."
                    .to_owned()
            }
            Search::Failed(reason) => format!("Not looked for with parts hidden: {reason}"),
            Search::Open | Search::Needless | Search::Over => tied(view, index).to_owned(),
        },
    };
    ui.label(RichText::new(text).size(12.5).color(palette.weak));
}

/// Whether the label encoder tied a phrase of this card's answer, and it can be looked for without it.
pub fn can_look_again(view: &View, index: usize) -> bool {
    let card = &view.talk.cards[index];
    let Wanted::Ready(found) = &card.grounding else { return false };
    let by_label = |phrase: &Phrase| matches!(phrase.tie, Tie::Label(_));
    is_shown(view, card) && !found.search.is_under_way() && found.phrases.iter().any(by_label)
}

/// What ties this card's answer to the picture.
fn tied(view: &View, index: usize) -> &'static str {
    let card = &view.talk.cards[index];
    let mut ties = card_phrases(card).iter().filter(|phrase| !phrase.places.is_empty());
    let pinned = view.maps.pinned.is_some_and(|(of, _)| of == index);
    let Some(first) = ties.next() else { return "No word of it stands out in the picture." };
    if !is_shown(view, card) {
        return "It is tied to another picture than the one shown.";
    }
    if pinned {
        return "Pinned: click it again or press Esc to let go.";
    }
    if ties.all(|phrase| phrase.tie.name() == first.tie.name()) {
        return match first.tie {
            Tie::Label(_) => "Underlined words are tied to where the label encoder sees them.",
            Tie::Alone => "Underlined words are tied to the part that, seen alone, says them.",
        };
    }
    "Underlined words are tied to a place in the picture: by the label encoder, or seen alone."
}
