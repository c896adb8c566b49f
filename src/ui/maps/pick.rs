//! Which map is to be seen, or what there is to say in its place.

use std::borrow::Cow;
use std::sync::Arc;

use encoder::EncoderMaps;
use explain::{Causal, LEAST_SUPPORT, as_answer};
use grounding::WordMap;

use super::{
    Attention, Grounding, MapKind, Maps, Typed, Wanted, WordSource, card, is_shown, shown_pixels,
};
use crate::View;

/// A map that can be drawn.
#[derive(Debug, Clone, Copy)]
pub(super) enum Picked<'a> {
    /// Of the vision encoder.
    Encoder(&'a Arc<EncoderMaps>, Attention),
    /// Of the word with this number.
    Word(&'a Grounding, usize),
    /// Of the same, where it is seen.
    Seen(&'a WordMap, &'a Grounding),
    /// Of a word that was typed.
    TypedWord(&'a Typed),
    /// Of a phrase that was typed, in the dual encoder of this name.
    Phrase(&'a Typed, &'a str),
    /// Of what moved the answer.
    Causal(&'a Causal),
}

/// Why no map can be drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Instead {
    /// None was asked for.
    Off,
    /// It is being computed.
    Coming(&'static str),
    /// What to do first.
    Hint(&'static str),
    /// It could not be computed.
    Failed(String),
}

/// The map to be seen.
pub(super) fn pick(view: &View) -> Result<Picked<'_>, Instead> {
    let maps = &view.maps;
    let Some(kind) = maps.kind else { return Err(Instead::Off) };
    if shown_pixels(view).is_none() {
        return Err(Instead::Hint("Maps are of a picture that stands still: take it with Space."));
    }
    match kind {
        MapKind::Encoder => {
            let maps = wanted(&maps.encoder, "Computing the encoder's attention …", "")?;
            Ok(Picked::Encoder(maps, view.maps.attention))
        }
        MapKind::Word => word(view),
        MapKind::Phrase => phrase(maps),
        MapKind::Causal => causal(view),
    }
}

fn wanted<'a, T>(
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

fn word(view: &View) -> Result<Picked<'_>, Instead> {
    if view.maps.typed != Wanted::None {
        let typed = wanted(&view.maps.typed, "Looking for the word …", "")?;
        return Ok(Picked::TypedWord(typed));
    }
    let Some(card) = card(view) else {
        return Err(Instead::Hint("Ask about the picture first, or type a word."));
    };
    let of = wanted(
        &view.talk.cards[card].grounding,
        "Looking for the answer's words in the picture …",
        "Choose a word of the answer, or type one.",
    )?;
    match of.word(card, view.maps.word) {
        Some(index) => {
            let word = &of.words[index];
            let seen = view.maps.source == WordSource::Seen && word.seen.is_some();
            Ok(if seen { Picked::Seen(word, of) } else { Picked::Word(of, index) })
        }
        None => Err(Instead::Hint("The answer has no word to show: type one.")),
    }
}

fn phrase(maps: &Maps) -> Result<Picked<'_>, Instead> {
    let name = wanted(
        &maps.dual,
        "Loading the dual encoder …",
        "A phrase map needs a dual encoder: choose a CLIP or SigLIP folder in the settings.",
    )?;
    let typed = wanted(&maps.phrase, "Looking for the phrase …", "Type what to look for.")?;
    Ok(Picked::Phrase(typed, name))
}

fn causal(view: &View) -> Result<Picked<'_>, Instead> {
    let maps = &view.maps;
    let checked = maps.checked.and_then(|card| view.talk.cards.get(card));
    if checked.is_some_and(|card| is_shown(view, card)) {
        let causal = wanted(
            &maps.causal,
            "Scoring the answer with the whole picture …",
            "Start the check to see what moved the answer.",
        )?;
        return Ok(Picked::Causal(causal));
    }
    Err(Instead::Hint(if card(view).is_some() {
        "Hides one area after the other and scores the same answer anew. It takes a while."
    } else {
        "Ask about the picture first: the check is about an answer."
    }))
}

impl Picked<'_> {
    /// What the map may claim.
    pub(super) fn label(&self) -> Cow<'static, str> {
        match self {
            Self::Encoder(..) => "Where the vision encoder's attention flowed. The same for every \
                                  question. Not why the model answered."
                .into(),
            Self::Word(of, word) => {
                let word = &of.words[*word].text;
                format!(
                    "Image patches whose features point to '{word}' in the answering model. \
                     Correlational."
                )
                .into()
            }
            Self::Seen(word, _) if unseen(word) => {
                format!("Where the model would see '{}' if it saw it.", word.text).into()
            }
            Self::Seen(word, _) => {
                let most = word.seen.as_ref().map_or(0.0, |map| map.stats().max);
                format!(
                    "Parts of the picture that, seen alone, make the model say '{}': up to {most:.1} \
                     nats likelier than with a blurred one.",
                    word.text
                )
                .into()
            }
            Self::TypedWord(typed) => {
                let (word, answer) = (&typed.text, as_answer(&typed.text));
                format!(
                    "Image patches whose features point to '{word}' in the answering model, \
                     teacher-forced as \"{answer}\": it did not say so itself. Correlational."
                )
                .into()
            }
            Self::Phrase(typed, model) => format!("Where {model} finds '{}'.", typed.text).into(),
            Self::Causal(causal) => {
                let random = match causal.random {
                    Some(random) => nats(random),
                    None => "not hidden yet".to_owned(),
                };
                format!(
                    "Hiding this area changed the answer's log-probability by {} (random area: \
                     {random}).",
                    nats(causal.greatest)
                )
                .into()
            }
        }
    }

    /// What one value of the map is.
    pub(super) fn unit(&self) -> &'static str {
        match self {
            Self::Encoder(_, Attention::Rollout) => "rollout",
            Self::Encoder(..) => "attention",
            Self::Word(..) => "logits",
            Self::Seen(..) => "gain of ln p",
            Self::TypedWord(_) => "activation",
            Self::Phrase(..) => "similarity",
            Self::Causal(_) => "fall of ln p",
        }
    }

    /// What is said in place of colours where a word or phrase is not in the picture.
    pub(super) fn absent(&self) -> bool {
        match self {
            Self::TypedWord(typed) | Self::Phrase(typed, _) => !typed.present,
            Self::Encoder(maps, _) => maps.plain,
            Self::Word(of, word) => unseen(&of.words[*word]),
            Self::Seen(word, _) => unseen(word),
            Self::Causal(_) => false,
        }
    }
}

/// Whether it is known that no part of the picture makes the model say the word.
fn unseen(word: &WordMap) -> bool {
    word.seen.as_ref().is_some_and(|map| map.stats().max < LEAST_SUPPORT)
}

/// A fall of the log-probability as the change that it is, in nats.
pub(super) fn nats(fall: f32) -> String {
    let change = if fall.abs() < 0.005 { 0.0 } else { -fall };
    let sign = if change > 0.0 { "+" } else { "" };
    format!("{sign}{change:.2}").replace('-', "−")
}
