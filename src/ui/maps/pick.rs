//! Which map is to be seen, or what there is to say in its place.

use explain::{Search, ShownMap};

use super::{MapKind, Maps, Wanted, WordSource, card, is_shown, labels, shown_pixels};
use crate::View;

/// Why no map can be drawn.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Instead {
    /// None was asked for.
    #[default]
    Off,
    /// It is being computed.
    Coming(&'static str),
    /// What to do first.
    Hint(&'static str),
    /// It could not be computed.
    Failed(String),
}

/// The map to be seen: of a label that is pointed at, else of the kind that was chosen.
pub(super) fn pick(view: &View) -> Result<ShownMap, Instead> {
    let maps = &view.maps;
    let kind = if maps.peeked.is_some() { Some(MapKind::Label) } else { maps.kind };
    let Some(kind) = kind else { return Err(Instead::Off) };
    if shown_pixels(view).is_none() && kind != MapKind::Label {
        return Err(Instead::Hint("Maps are of a picture that stands still: take it with Space."));
    }
    match kind {
        MapKind::Encoder => {
            let found = wanted(&maps.encoder, "Computing the encoder's attention …", "")?;
            ShownMap::attention(found, maps.attention)
                .ok_or(Instead::Hint("This encoder has no such layer or head: choose another."))
        }
        MapKind::Label => labels::pick(view),
        MapKind::Word => word(view),
        MapKind::Phrase => phrase(maps),
        MapKind::Causal => causal(view),
    }
}

pub(super) fn wanted<'a, T>(
    value: &'a Wanted<T>,
    coming: &'static str,
    hint: &'static str,
) -> Result<&'a T, Instead> {
    match value {
        Wanted::Ready(value) => Ok(value),
        Wanted::None if !hint.is_empty() => Err(Instead::Hint(hint)),
        Wanted::None | Wanted::Coming => Err(Instead::Coming(coming)),
        Wanted::Failed(reason) => Err(Instead::Failed(reason.clone())),
    }
}

fn word(view: &View) -> Result<ShownMap, Instead> {
    if !matches!(view.maps.typed, Wanted::None) {
        return wanted(&view.maps.typed, "Looking for the word …", "").map(ShownMap::forced);
    }
    let Some(card) = card(view) else {
        return Err(Instead::Hint("Ask about the picture first, or type a word."));
    };
    let looking = "Looking for the answer's words in the picture …";
    let hint = "Choose a word of the answer, or type one.";
    let of = wanted(&view.talk.cards[card].grounding, looking, hint)?;
    if of.words.is_empty() && (of.search.is_to_come() || of.search.is_under_way()) {
        return Err(Instead::Coming(looking));
    }
    if let (Search::Failed(reason), true) = (&of.search, of.words.is_empty()) {
        return Err(Instead::Failed(reason.clone()));
    }
    let shown = of.word(card, view.maps.word).and_then(|word| {
        let seen = ShownMap::seen(of, word).filter(|_| view.maps.source == WordSource::Seen);
        seen.or_else(|| ShownMap::features(of, word))
    });
    shown.ok_or(Instead::Hint("The answer has no word to show: type one."))
}

fn phrase(maps: &Maps) -> Result<ShownMap, Instead> {
    let name = wanted(
        &maps.dual,
        "Loading the dual encoder …",
        "A phrase map needs a dual encoder: choose a CLIP or SigLIP folder in the settings.",
    )?;
    let found = wanted(&maps.phrase, "Looking for the phrase …", "Type what to look for.")?;
    Ok(ShownMap::found(found, name))
}

fn causal(view: &View) -> Result<ShownMap, Instead> {
    let maps = &view.maps;
    let checked = maps.checked.and_then(|card| view.talk.cards.get(card));
    if checked.is_some_and(|card| is_shown(view, card)) {
        let causal = wanted(
            &maps.causal,
            "Scoring the answer with the whole picture …",
            "Start the check to see what moved the answer.",
        )?;
        return Ok(ShownMap::causal(causal));
    }
    Err(Instead::Hint(if card(view).is_some() {
        "Hides one area after the other and scores the same answer anew. It takes a while."
    } else {
        "Ask about the picture first: the check is about an answer."
    }))
}
