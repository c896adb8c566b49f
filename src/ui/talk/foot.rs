//! What can be done with an answer, and its tokens with their probabilities.

use egui::{CornerRadius, Frame as UiFrame, Label, Layout, Margin, RichText, ScrollArea, Ui, vec2};
use egui_material_icons::icons::{
    ICON_ANALYTICS, ICON_CONTENT_COPY, ICON_IMAGE_SEARCH, ICON_REPLAY, ICON_STOP_CIRCLE,
    ICON_THUMB_DOWN, ICON_VOLUME_UP,
};

use super::Card;
use crate::maps::{self, MapAction};
use crate::theme::Palette;
use crate::widgets::{icon_button, icon_toggle};
use crate::{Action, View, evidence};

/// Draws it.
pub(super) fn show(
    ui: &mut Ui,
    view: &View,
    index: usize,
    actions: &mut Vec<Action>,
    palette: Palette,
) {
    let card = &view.talk.cards[index];
    let id = ui.make_persistent_id("tokens");
    let mut open = ui.data(|data| data.get_temp(id)).unwrap_or(view.settings.details);
    let others = card.others();
    let not_id = ui.make_persistent_id("not that");
    let mut not_that = ui.data(|data| data.get_temp(not_id)).unwrap_or(false);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        ui.visuals_mut().widgets.inactive.weak_bg_fill = egui::Color32::TRANSPARENT;
        if icon_button(ui, ICON_CONTENT_COPY, "Copy the answer").clicked() {
            actions.push(Action::Copy(card.text().to_owned()));
        }
        let speaking = view.talk.spoken == Some(index);
        let (icon, word) = if speaking {
            (ICON_STOP_CIRCLE, "Stop reading aloud")
        } else {
            (ICON_VOLUME_UP, "Read aloud")
        };
        if icon_toggle(ui, icon, word, speaking).clicked() {
            actions.push(Action::Speak(index));
        }
        if icon_button(ui, ICON_REPLAY, "Ask again").clicked() {
            actions.push(Action::AskAgain(index));
        }
        let again = "Look again without the label encoder";
        if maps::can_look_again(view, index) && icon_button(ui, ICON_IMAGE_SEARCH, again).clicked()
        {
            actions.push(Action::Maps(MapAction::LookAgain(index)));
        }
        if !others.is_empty() && icon_toggle(ui, ICON_THUMB_DOWN, "Not that", not_that).clicked() {
            not_that = !not_that;
            ui.data_mut(|data| data.insert_temp(not_id, not_that));
        }
        if icon_toggle(ui, ICON_ANALYTICS, "Tokens and probabilities", open).clicked() {
            open = !open;
            ui.data_mut(|data| data.insert_temp(id, open));
        }
        if let Some(took) = card.took.as_ref().filter(|_| ui.available_width() > 120.0) {
            ui.with_layout(Layout::right_to_left(egui::Align::Center), |ui| {
                ui.add(Label::new(RichText::new(took).size(12.5).color(palette.weak)).truncate())
                    .on_hover_text("From the question to the first word, and tokens per second");
            });
        }
    });
    if not_that {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
            ui.label(RichText::new("It may be:").size(12.5).color(palette.weak));
            for label in others {
                if evidence::chip(ui, label, false).clicked() {
                    actions.push(Action::AskAbout(index, evidence::question(label)));
                }
            }
        });
    }
    if open {
        tokens(ui, card, palette);
    }
}

/// Each token with its probability, for whoever wants to see why.
fn tokens(ui: &mut Ui, card: &Card, palette: Palette) {
    let answer = &card.exchange.answer;
    let certainty = answer.certainty().map_or(String::new(), |certainty| {
        format!("{} tokens, on average {:.0} % likely", answer.tokens.len(), certainty * 100.0)
    });
    ui.label(RichText::new(certainty).size(12.5).color(palette.weak));
    ScrollArea::vertical().max_height(160.0).id_salt("tokens").show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
            let mut start = 0;
            for (end, token) in card.ends.iter().zip(&answer.tokens) {
                let text = card.text().get(start..*end).unwrap_or_default();
                start = *end;
                let logprob = token.logprob;
                let word = if text.trim().is_empty() { "␣" } else { text.trim() };
                let shown = format!("{word} {:.0} %", logprob.exp() * 100.0);
                let frame = UiFrame::new()
                    .fill(palette.button)
                    .corner_radius(CornerRadius::same(5))
                    .inner_margin(Margin::symmetric(5, 2));
                frame.show(ui, |ui| {
                    ui.add(Label::new(RichText::new(shown).size(12.0)).extend())
                        .on_hover_text(format!("ln p = {logprob:.3}"));
                });
            }
        });
    });
}
