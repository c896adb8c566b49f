//! The maps' part of the settings.

use egui::{Label, RichText, Ui};
use egui_material_icons::icons::{ICON_CLOSE, ICON_FOLDER_OPEN};
use values::config::Fill;

use super::{MapAction, Wanted, choices};
use crate::settings::{row, section};
use crate::theme::Palette;
use crate::widgets::{icon_button, labelled_button};
use crate::{Action, View};

/// Draws it.
pub fn show(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    section(ui, "Maps over the picture");
    let settings = &mut view.settings.maps;
    ui.checkbox(&mut settings.ground_answers, "Tie answers to the picture")
        .on_hover_text("Reads each complete answer back eleven times, to find its words and phrases in the picture");
    row(ui, "Causal check hides with", "", |ui| {
        ui.selectable_value(&mut settings.fill, Fill::Blur, "Blur");
        ui.selectable_value(&mut settings.fill, Fill::Mean, "Mean colour");
    });
    let hint = "A folder with a CLIP or SigLIP model, for phrase maps and for your words";
    row(ui, "Dual encoder", hint, |ui| {
        match &settings.dual {
            Some(folder) => {
                let text = folder.display().to_string();
                let width = (ui.available_width() - 150.0).max(60.0);
                ui.allocate_ui(egui::vec2(width, 24.0), |ui| {
                    ui.add(Label::new(&text).truncate()).on_hover_text(&text);
                });
                if icon_button(ui, ICON_CLOSE, "Do without the dual encoder").clicked() {
                    actions.push(Action::Maps(MapAction::ForgetDual));
                }
            }
            None => {
                ui.label(RichText::new("None").weak());
            }
        }
        if labelled_button(ui, ICON_FOLDER_OPEN, "Choose …").clicked() {
            actions.push(Action::Maps(MapAction::ChooseDual));
        }
    });
    let palette = Palette::of(ui.visuals());
    match &view.maps.dual {
        Wanted::None => {}
        Wanted::Coming => {
            ui.label(RichText::new("Being loaded …").weak());
        }
        Wanted::Ready(name) => {
            ui.label(RichText::new(name).weak());
        }
        Wanted::Failed(reason) => {
            ui.label(RichText::new(reason).color(palette.bad));
        }
    }
    row(ui, "Your words", "Compared with the picture by the dual encoder", |ui| {
        // While it is typed in, the line keeps what no list of words has: a comma at its end.
        let id = ui.scope_id().with("choices");
        let typed = ui.data(|data| data.get_temp(id));
        let mut text = typed.unwrap_or_else(|| settings.choices.join(", "));
        if choices::line(ui, &mut text, &mut settings.choices).has_focus() {
            ui.data_mut(|data| data.insert_temp(id, text));
        } else {
            ui.data_mut(|data| data.remove::<String>(id));
        }
    });
}
