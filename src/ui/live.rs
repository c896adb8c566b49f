//! Live mode: it asks by itself, but only when the scene has changed and come to rest.

use std::collections::HashSet;
use std::time::Instant;

use egui::{CornerRadius, Frame, Margin, RichText, Stroke, Ui};
use egui_material_icons::icons::{ICON_AUTORENEW, ICON_PUSH_PIN};

use super::markdown::{self, Answer, Mark, MarkdownStyle};
use super::talk::{Card, caution};
use super::theme::{Palette, ROUND};
use super::widgets::labelled_button;
use super::{Action, View, maps};

/// Live mode's state.
#[derive(Default)]
pub struct Live {
    /// Whether it is on.
    pub on: bool,
    /// What is asked each time.
    pub question: String,
    /// The question under way, which replaces the answer that is held when it is complete.
    pub coming: Option<Card>,
    /// The answer that is held.
    pub held: Option<Card>,
    /// The words of the held answer that the one before did not have.
    pub news: Vec<std::ops::Range<usize>>,
    /// When it last asked.
    pub last: Option<Instant>,
}

impl Live {
    /// When the question under way was asked, and when its first word came.
    pub fn under_way(&self) -> Option<(Instant, Option<Instant>)> {
        self.coming.as_ref().map(|card| (card.asked, card.first))
    }

    /// Holds the answer that is complete, and marks what is new in it.
    pub fn hold(&mut self) {
        let Some(card) = self.coming.take() else { return };
        self.news = match &self.held {
            Some(before) => new_words(before.text(), card.text()),
            None => Vec::new(),
        };
        self.held = Some(card);
    }
}

/// The words of `after` that do not occur in `before`, as byte ranges; case and punctuation do not
/// count.
pub fn new_words(before: &str, after: &str) -> Vec<std::ops::Range<usize>> {
    let key = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let known: HashSet<String> = before.split_whitespace().map(key).collect();
    let start = after.as_ptr() as usize;
    after
        .split_whitespace()
        .filter(|word| !key(word).is_empty() && !known.contains(&key(word)))
        .map(|word| {
            let at = word.as_ptr() as usize - start;
            at..at + word.len()
        })
        .collect()
}

/// Draws the answer that is held.
pub fn show(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let palette = Palette::of(ui.visuals());
    let frame = Frame::new()
        .fill(palette.card)
        .stroke(Stroke::new(1.5, palette.accent))
        .corner_radius(CornerRadius::same(ROUND))
        .inner_margin(Margin::symmetric(14, 10));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        held(ui, view, palette, actions);
        maps::show_choices(ui, view, actions);
    });
}

/// The answer that is held, or what it waits for.
fn held(ui: &mut Ui, view: &View, palette: Palette, actions: &mut Vec<Action>) {
    let live = &view.live;
    ui.horizontal(|ui| {
        ui.label(ICON_AUTORENEW.rich_text().size(16.0).color(palette.accent));
        ui.label(RichText::new("Live").strong());
        ui.label(RichText::new(&live.question).color(palette.weak));
    });
    let Some(card) = live.held.as_ref().or(live.coming.as_ref()) else {
        let text = if view.stage.is_live() {
            "Waiting until the scene comes to rest …"
        } else {
            "Live mode needs the camera's live picture."
        };
        ui.label(RichText::new(text).color(palette.weak));
        return;
    };
    let marks: Vec<Mark> = live
        .news
        .iter()
        .enumerate()
        .map(|(id, bytes)| Mark { bytes: bytes.clone(), id, active: false, unconfirmed: false })
        .collect();
    let answer =
        Answer { text: card.text(), spans: &card.spans, marks: &marks, streaming: card.under_way };
    markdown::show(ui, &answer, &MarkdownStyle::on(ui, palette.card));
    if !marks.is_empty() {
        ui.label(
            RichText::new("Underlined: new since the last look").size(12.5).color(palette.weak),
        );
    }
    if let Some(doubt) = card.doubt() {
        ui.label(RichText::new(doubt).size(13.0).color(palette.warn));
    }
    caution(ui, card, palette);
    if live.held.is_some() && labelled_button(ui, ICON_PUSH_PIN, "Keep this").clicked() {
        actions.push(Action::KeepLive);
    }
}

#[cfg(test)]
mod tests {
    use conversation::{Exchange, Options, Token};

    use super::*;

    #[test]
    fn what_is_new_is_marked_and_nothing_else() {
        let words = |before: &str, after: &str| -> Vec<String> {
            new_words(before, after).into_iter().map(|range| after[range].to_owned()).collect()
        };
        assert_eq!(words("A cat on a mat.", "A black cat on a mat"), ["black"]);
        assert!(words("A cat.", "a CAT").is_empty());
        assert_eq!(words("A lemon", "Une pêche, mûre"), ["Une", "pêche,", "mûre"]);
    }

    #[test]
    fn the_last_answer_is_held_until_the_next_is_complete() {
        let mut live = Live { on: true, ..Live::default() };
        let answer = |text: &str| {
            let asked = Exchange::new("What?", vec![], Options::default(), None);
            let mut card = Card::asked(asked);
            card.push(Token { id: 1, text: text.into(), logprob: -0.1 });
            card
        };
        live.coming = Some(answer("A cat."));
        live.hold();
        assert!(live.news.is_empty());
        live.coming = Some(answer("A dog."));
        assert_eq!(live.held.as_ref().unwrap().text(), "A cat.");
        live.hold();
        assert_eq!((live.held.as_ref().unwrap().text(), live.news.len()), ("A dog.", 1));
    }
}
