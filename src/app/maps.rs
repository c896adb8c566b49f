//! What the user wants of the maps, carried out.

use super::App;
use crate::ui::maps::MapAction;

impl App {
    pub(super) fn maps(&mut self, _ctx: &egui::Context, action: MapAction) {
        let maps = &mut self.view.maps;
        match action {
            MapAction::Show(kind) => maps.kind = kind,
            MapAction::Attention(attention) => maps.attention = attention,
            MapAction::Pin(pinned) => maps.pinned = pinned,
            MapAction::Word(card, word) => maps.word = Some((card, word)),
            other => tracing::debug!(?other, "no map for this yet"),
        }
    }
}
