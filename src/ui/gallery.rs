//! The shipped pictures, to try the first question on.

use std::path::PathBuf;

use egui::{
    CornerRadius, Image, RichText, Role, Sense, Stroke, StrokeKind, TextureHandle, Ui, Vec2,
    WidgetInfo, vec2,
};

use super::theme::{Palette, ROUND_SMALL, space};
use super::{Action, View};

/// Width of a picture in the gallery, in points.
const TILE: f32 = 104.0;

/// The pictures.
#[derive(Default)]
pub struct Gallery {
    /// In the order in which they are shown.
    pub tiles: Vec<Tile>,
}

/// One of the pictures.
pub struct Tile {
    /// Its file.
    pub file: PathBuf,
    /// What it is called.
    pub name: String,
    /// Its thumbnail.
    pub texture: TextureHandle,
}

/// Draws the pictures in rows.
pub fn show(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    if view.gallery.tiles.is_empty() {
        return;
    }
    ui.label(RichText::new("Or try one of these").weak());
    ui.add_space(space::XS);
    let width = ui.available_width().min(780.0);
    let columns = ((width + space::S) / (TILE + space::S)).floor().max(1.0) as usize;
    let columns = columns.min(view.gallery.tiles.len());
    for row in view.gallery.tiles.chunks(columns) {
        let used = row.len() as f32 * (TILE + space::S) - space::S;
        ui.allocate_ui(vec2(used, TILE * 0.78), |ui| {
            ui.horizontal(|ui| {
                for tile in row {
                    if draw(ui, tile) {
                        actions.push(Action::Open(vec![tile.file.clone()]));
                    }
                }
            });
        });
    }
}

fn draw(ui: &mut Ui, tile: &Tile) -> bool {
    let (rect, response) = ui.allocate_exact_size(vec2(TILE, TILE * 0.75), Sense::click());
    let name = format!("Sample picture {}", tile.name);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    let palette = Palette::of(ui.visuals());
    let round = CornerRadius::same(ROUND_SMALL);
    Image::from_texture((tile.texture.id(), rect.size()))
        .uv(cover(tile.texture.size_vec2(), rect.size()))
        .corner_radius(round)
        .alt_text(&tile.name)
        .paint_at(ui, rect);
    if response.hovered() || response.has_focus() {
        let stroke = Stroke::new(2.5, palette.accent);
        ui.painter().rect_stroke(rect, round, stroke, StrokeKind::Outside);
    }
    response.on_hover_text(&tile.name).clicked()
}

/// The part of a picture of `size` that fills `room` without being stretched.
pub fn cover(size: Vec2, room: Vec2) -> egui::Rect {
    let scale = (room.x / size.x.max(1.0)).max(room.y / size.y.max(1.0));
    let part = vec2(room.x / (size.x * scale).max(1.0), room.y / (size.y * scale).max(1.0));
    egui::Rect::from_center_size(egui::pos2(0.5, 0.5), part.min(Vec2::splat(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_is_filled_without_stretching() {
        let wide = cover(vec2(200.0, 100.0), vec2(100.0, 100.0));
        assert_eq!(wide.size(), vec2(0.5, 1.0));
        let same = cover(vec2(300.0, 300.0), vec2(50.0, 50.0));
        assert_eq!(same.size(), vec2(1.0, 1.0));
    }
}
