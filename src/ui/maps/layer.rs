//! The map as colours over the picture, kept until another map is to be seen.

use egui::{
    Color32, ColorImage, Context, CornerRadius, Image, Stroke, StrokeKind, TextureHandle,
    TextureOptions, Ui,
};
use explain::ShownMap;
use image::{Rgba, RgbaImage};
use values::heatmap::paint;
use values::region::Region;

use super::pick::{Instead, pick};
use crate::View;
use crate::mark::Place;
use crate::theme::{DARK, ROUND};

/// Longer side of the texture, in pixels, at most: the screen enlarges it.
const SIDE: usize = 256;

/// The map that is drawn, or why there is none.
pub struct Layer {
    /// What is drawn.
    pub(super) shown: Result<ShownMap, Instead>,
    texture: Option<TextureHandle>,
}

impl Default for Layer {
    fn default() -> Self {
        Self { shown: Err(Instead::Off), texture: None }
    }
}

/// Takes the map that is to be seen, and makes its texture if it is not the one that is there.
pub fn refresh(ctx: &Context, view: &mut View) {
    let shown = pick(view);
    let layer = &mut view.maps.layer;
    if shown == layer.shown {
        return;
    }
    if let Ok(map) = &shown {
        let size = pixels(map.map.rows(), map.map.cols());
        let image = coloured(&paint::layer(&map.map, map.scale, size), map.absent.is_some());
        if let Some(texture) = &mut layer.texture {
            texture.set(image, TextureOptions::LINEAR);
        } else {
            layer.texture = Some(ctx.load_texture("map", image, TextureOptions::LINEAR));
        }
    } else {
        layer.texture = None;
    }
    layer.shown = shown;
}

/// The size of a texture for a grid: every cell gets as many pixels as its neighbours.
fn pixels(rows: usize, cols: usize) -> (u32, u32) {
    let each = (SIDE / rows.max(cols).max(1)).max(1);
    ((cols * each) as u32, (rows * each) as u32)
}

/// A layer or a legend for the screen; in grey where what was looked for is not there.
pub(super) fn coloured(image: &RgbaImage, grey: bool) -> ColorImage {
    let colour = |Rgba([r, g, b, alpha]): &Rgba<u8>| {
        let colour = Color32::from_rgba_unmultiplied(*r, *g, *b, *alpha);
        if grey { Color32::from_rgba_unmultiplied(128, 128, 128, *alpha) } else { colour }
    };
    let size = [image.width() as usize, image.height() as usize];
    ColorImage::new(size, image.pixels().map(colour).collect())
}

/// Draws the map where its area lies.
pub fn paint(ui: &Ui, view: &View, place: Place) {
    let Layer { shown: Ok(shown), texture: Some(texture) } = &view.maps.layer else { return };
    let area = shown.map.area();
    let rect = place.screen(area);
    let whole = area == Region::WHOLE && view.stage.region.is_none();
    let opacity = view.settings.maps.opacity.clamp(0.0, 1.0);
    Image::from_texture((texture.id(), rect.size()))
        .uv(place.uv())
        .corner_radius(CornerRadius::same(if whole { ROUND } else { 0 }))
        .tint(Color32::WHITE.gamma_multiply(opacity))
        .paint_at(ui, rect);
    let painter = ui.painter_at(place.rect);
    if area != Region::WHOLE {
        // What the model was shown: beyond it there is nothing to say.
        let dark = Stroke::new(3.0, Color32::from_black_alpha(110));
        painter.rect_stroke(rect, 0.0, dark, StrokeKind::Inside);
        let bright = Stroke::new(1.0, DARK.text.gamma_multiply(0.8));
        painter.rect_stroke(rect.shrink(1.0), 0.0, bright, StrokeKind::Inside);
    }
    if let Some(area) = shown.outline {
        let rect = place.screen(area);
        let dark = Stroke::new(4.0, Color32::from_black_alpha(150));
        painter.rect_stroke(rect, 2.0, dark, StrokeKind::Middle);
        painter.rect_stroke(rect, 2.0, Stroke::new(2.0, DARK.text), StrokeKind::Middle);
    }
}
