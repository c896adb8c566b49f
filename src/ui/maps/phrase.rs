//! Any phrase, looked for by the dual encoder.

use egui::Ui;
use egui_material_icons::icons::ICON_FOLDER_OPEN;

use super::words::typed_line;
use super::{MapAction, Wanted};
use crate::widgets::labelled_button;
use crate::{Action, View};

/// Draws the line to type a phrase in, or the way to a dual encoder.
pub(super) fn show(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    if matches!(view.maps.dual, Wanted::None | Wanted::Failed(_)) {
        if labelled_button(ui, ICON_FOLDER_OPEN, "Choose the folder …").clicked() {
            actions.push(Action::Maps(MapAction::ChooseDual));
        }
        return;
    }
    ui.horizontal(|ui| {
        let typed = &mut view.maps.typing_phrase;
        let wanted = typed_line(ui, typed, "Any phrase", "Phrase to look for", "Find it");
        if let Some(text) = wanted {
            actions.push(Action::Maps(MapAction::FindPhrase(text)));
        }
    });
}
