//! The causal check: begun, watched and stopped.

use egui::{ProgressBar, RichText, Ui};
use egui_material_icons::icons::{ICON_PLAY_ARROW, ICON_STOP};
use values::config::Fill;

use super::{MapAction, card};
use crate::theme::Palette;
use crate::widgets::labelled_button;
use crate::{Action, View};

/// Draws the controls.
pub(super) fn show(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let palette = Palette::of(ui.visuals());
    let checking = view.maps.is_checking();
    ui.horizontal_wrapped(|ui| {
        if checking {
            if labelled_button(ui, ICON_STOP, "Stop the check").clicked() {
                actions.push(Action::Maps(MapAction::StopCheck));
            }
            if let Some(causal) = view.maps.causal.ready() {
                let part = causal.done as f32 / causal.total.max(1) as f32;
                ui.add(ProgressBar::new(part).desired_width(90.0).desired_height(6.0))
                    .accessible_name("Progress of the check");
                let text = format!("{} of {}", causal.done, causal.total);
                ui.label(RichText::new(text).size(13.0).color(palette.weak));
            }
            return;
        }
        let card = card(view);
        ui.add_enabled_ui(card.is_some(), |ui| {
            if labelled_button(ui, ICON_PLAY_ARROW, "Start the check").clicked()
                && let Some(card) = card
            {
                actions.push(Action::Maps(MapAction::Check(card)));
            }
        });
        ui.label(RichText::new("Hide with").size(13.0).color(palette.weak));
        let fill = &mut view.settings.maps.fill;
        let before = *fill;
        for (one, name) in [(Fill::Blur, "Blur"), (Fill::Mean, "Mean colour")] {
            ui.selectable_value(fill, one, RichText::new(name).size(13.5));
        }
        if *fill != before {
            actions.push(Action::SettingsChanged);
        }
    });
}
