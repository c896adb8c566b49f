//! Which attention of the vision encoder is shown.

use egui::{ComboBox, Ui};

use super::{Attention, MapAction};
use crate::{Action, View};

/// Draws the choosers of the layer and, for one layer, of the head.
pub(super) fn show(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let Some(maps) = view.maps.encoder.ready() else { return };
    let shown = view.maps.attention;
    let mut wanted = shown;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().combo_width = 130.0;
        ui.name_inputs("Layer", |ui| {
            let name = |attention| match attention {
                Attention::Rollout => "All layers (rollout)".to_owned(),
                Attention::Layer(layer) | Attention::Head(layer, _) => {
                    format!("Layer {} of {}", layer + 1, maps.heads.len())
                }
            };
            ComboBox::from_id_salt("layer").selected_text(name(shown)).show_ui(ui, |ui| {
                ui.selectable_value(&mut wanted, Attention::Rollout, name(Attention::Rollout));
                for layer in 0..maps.heads.len() {
                    let layer = Attention::Layer(layer);
                    ui.selectable_value(&mut wanted, layer, name(layer));
                }
            });
        });
        let (Attention::Layer(layer) | Attention::Head(layer, _)) = shown else { return };
        let heads = maps.heads.get(layer).map_or(0, Vec::len);
        ui.name_inputs("Head", |ui| {
            let name = |attention| match attention {
                Attention::Head(_, head) => format!("Head {} of {heads}", head + 1),
                _ => "All heads (mean)".to_owned(),
            };
            ComboBox::from_id_salt("head").selected_text(name(shown)).show_ui(ui, |ui| {
                let all = Attention::Layer(layer);
                ui.selectable_value(&mut wanted, all, name(all));
                for head in 0..heads {
                    let head = Attention::Head(layer, head);
                    ui.selectable_value(&mut wanted, head, name(head));
                }
            });
        });
    });
    if wanted != shown {
        actions.push(Action::Maps(MapAction::Attention(wanted)));
    }
}
