//! What a screen reader is told without being asked: answers as they come, and messages.

use egui::accesskit::Live;
use egui::{Rect, Role, Sense, Ui, WidgetInfo};

use super::talk::Card;
use super::{View, maps};

/// Puts what is to be read out into a node that draws nothing.
///
/// An answer is given sentence by sentence: word by word, each announcement would cut off the one
/// before.
pub fn show(ui: &Ui, view: &View) {
    let spoken = match view.live.held.as_ref().or(view.live.coming.as_ref()) {
        Some(card) if view.live.on => card.announcement(),
        _ => view.talk.cards.last().map_or(String::new(), Card::announcement),
    };
    region(ui, "announced_answer", &spoken, Live::Polite);
    region(ui, "announced_evidence", &view.stage.names_told, Live::Polite);
    region(ui, "announced_map", &maps::spoken(view), Live::Polite);
    if let Some(error) = view.toasts.newest_error() {
        region(ui, "announced_error", error, Live::Assertive);
    }
    if let Some(note) = view.toasts.newest_note() {
        region(ui, "announced_note", note, Live::Polite);
    }
}

fn region(ui: &Ui, name: &str, text: &str, live: Live) {
    if text.is_empty() {
        return;
    }
    let id = egui::Id::unique(name);
    let corner = Rect::from_min_size(ui.max_rect().min, egui::Vec2::ZERO);
    let response = ui.interact(corner, id, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Status, true, text));
    ui.ctx().accesskit_node_builder(id, |node| node.set_live(live));
}

/// The whole sentences of a text that is still coming; all of it once it is complete.
pub fn whole_sentences(text: &str, complete: bool) -> &str {
    if complete {
        return text;
    }
    let end = text
        .char_indices()
        .filter(|(_, c)| matches!(c, '.' | '!' | '?' | '…' | '\n' | '。'))
        .map(|(at, c)| at + c.len_utf8())
        .rfind(|end| text[*end..].chars().next().is_none_or(char::is_whitespace));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_announced_when_they_end() {
        assert_eq!(whole_sentences("A cat", false), "");
        assert_eq!(whole_sentences("A cat. It sle", false), "A cat.");
        assert_eq!(whole_sentences("About 3.5 kg. It", false), "About 3.5 kg.");
        assert_eq!(whole_sentences("A cat. It sleeps", true), "A cat. It sleeps");
    }
}
