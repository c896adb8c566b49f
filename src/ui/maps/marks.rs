//! The phrases of an answer that are tied to a place in the picture, underlined in its text.

use egui::{RichText, Ui};

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
        marks.push(Mark { bytes, id: phrases.len() + word, active: true });
    }
    let lit = [view.maps.pinned, view.maps.pointed_before];
    let active = |id| lit.contains(&Some((index, id)));
    let placed = phrases.iter().enumerate().filter(|(_, phrase)| phrase.place.is_some());
    marks.extend(placed.map(|(id, phrase)| Mark {
        bytes: phrase.bytes.clone(),
        id,
        active: active(id),
    }));
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
    let phrases = card_phrases(card).len();
    let phrase = |id: Option<usize>| id.filter(|id| *id < phrases).map(|id| (index, id));
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
    let shown = is_shown(view, card);
    let text = match &card.grounding {
        Wanted::None => return,
        Wanted::Ready(grounding) if !grounding.settled => {
            "Looking for the places of its phrases …".to_owned()
        }
        Wanted::Ready(grounding) if !grounding.sought => {
            "The places of its phrases were not looked for: this model takes long to read."
                .to_owned()
        }
        Wanted::Coming => "Looking for its words in the picture …".to_owned(),
        Wanted::Failed(reason) => format!("Not tied to the picture: {reason}"),
        Wanted::Ready(_) => {
            let tied = card_phrases(card).iter().any(|phrase| phrase.place.is_some());
            let pinned = view.maps.pinned.is_some_and(|(of, _)| of == index);
            match (tied, shown) {
                (false, _) => "No word of it stands out in the picture.",
                (true, false) => "It is tied to another picture than the one shown.",
                (true, true) if pinned => "Pinned: click it again or press Esc to let go.",
                (true, true) => "Underlined words are tied to a place in the picture.",
            }
            .to_owned()
        }
    };
    ui.label(RichText::new(text).size(12.5).color(palette.weak));
}
