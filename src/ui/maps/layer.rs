//! The map as colours over the picture, kept until another map is to be seen.

use std::borrow::Cow;
use std::sync::Arc;

use egui::{
    Color32, ColorImage, Context, CornerRadius, Image, Stroke, StrokeKind, TextureHandle,
    TextureOptions, Ui,
};

use super::Attention;
use super::pick::{Picked, pick};
use crate::explain::EncoderMaps;
use crate::heatmap::Heatmap;
use crate::region::Region;
use crate::ui::View;
use crate::ui::mark::Place;
use crate::ui::theme::{DARK, ROUND};

/// Longer side of the texture, in pixels: cells are blended on it, and the screen enlarges it.
const SIDE: usize = 256;

/// The map that is drawn, where one is.
#[derive(Default)]
pub struct Layer(Option<Made>);

/// A map ready to be drawn.
pub(super) struct Made {
    source: Source,
    /// What there is to say of it.
    pub facts: Facts,
    area: Region,
    /// The cell of the highest value, where it is to be framed.
    peak: Option<Region>,
    texture: TextureHandle,
}

/// What there is to say of a map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Facts {
    /// The lowest and the highest raw value.
    pub range: (f32, f32),
    /// The values at the two ends of the colours.
    pub scale: (f32, f32),
    /// Rows and columns of the grid.
    pub grid: (usize, usize),
    /// Whether nothing in it stands out.
    pub flat: bool,
    /// Whether what was looked for is not there.
    pub absent: bool,
}

impl Facts {
    /// Whether it is drawn in grey: its colours would say more than it does.
    pub fn grey(self) -> bool {
        self.flat || self.absent
    }
}

/// What it was made from, to tell whether another is wanted.
enum Source {
    Encoder(Arc<EncoderMaps>, Attention),
    Map(Heatmap, bool),
}

impl Layer {
    pub(super) fn facts(&self) -> Option<Facts> {
        self.0.as_ref().map(|made| made.facts)
    }
}

/// Makes the texture of the map that is to be seen, if it is not the one that is there.
pub fn refresh(ctx: &Context, view: &mut View) {
    let mut layer = std::mem::take(&mut view.maps.layer);
    match pick(view) {
        Ok(picked) => {
            let same = layer.0.as_ref().is_some_and(|made| made.source.is(picked));
            if !same {
                let texture = layer.0.take().map(|made| made.texture);
                layer.0 = make(ctx, picked, texture);
            }
        }
        Err(_) => layer.0 = None,
    }
    view.maps.layer = layer;
}

impl Source {
    fn is(&self, picked: Picked<'_>) -> bool {
        match (self, picked) {
            (Self::Encoder(own, attention), Picked::Encoder(maps, wanted)) => {
                Arc::ptr_eq(own, maps) && *attention == wanted
            }
            (_, Picked::Encoder(..)) | (Self::Encoder(..), _) => false,
            (Self::Map(own, absent), picked) => {
                map(picked).as_deref() == Some(own) && *absent == picked.absent()
            }
        }
    }
}

/// The map itself; `None` where the encoder has no such layer or head.
fn map(picked: Picked<'_>) -> Option<Cow<'_, Heatmap>> {
    match picked {
        Picked::Encoder(maps, attention) => match attention {
            Attention::Rollout => Some(Cow::Borrowed(&maps.rollout)),
            Attention::Layer(layer) => mean(maps.heads.get(layer)?).map(Cow::Owned),
            Attention::Head(layer, head) => maps.heads.get(layer)?.get(head).map(Cow::Borrowed),
        },
        Picked::Word(of, word) => of.words.get(word).map(|word| Cow::Borrowed(&word.map)),
        Picked::TypedWord(typed) | Picked::Phrase(typed, _) => Some(Cow::Borrowed(&typed.map)),
        Picked::Causal(causal) => Some(Cow::Borrowed(&causal.map)),
    }
}

/// The mean of the heads' maps of one layer.
fn mean(heads: &[Heatmap]) -> Option<Heatmap> {
    let first = heads.first()?;
    let alike = || heads.iter().filter(|head| head.values().len() == first.values().len());
    let count = alike().count() as f32;
    let mean = |cell| alike().map(|head| head.values()[cell]).sum::<f32>() / count;
    let sum = (0..first.values().len()).map(mean).collect();
    Heatmap::new(first.rows(), first.cols(), sum).ok().map(|map| map.over(first.area()))
}

/// The lowest and the highest value of a map.
fn range(map: &Heatmap) -> (f32, f32) {
    let ends = (f32::INFINITY, f32::NEG_INFINITY);
    map.values().iter().fold(ends, |(low, high), value| (low.min(*value), high.max(*value)))
}

/// The values at the two ends of the colours.
///
/// All words of an answer have one scale, so that a word that the picture hardly carries looks like
/// one. A causal check begins at no change: what made the answer likelier did not speak for it.
fn scale(picked: Picked<'_>, map: &Heatmap) -> (f32, f32) {
    let own = range(map);
    match picked {
        Picked::Word(of, _) => of
            .words
            .iter()
            .map(|word| range(&word.map))
            .fold(own, |all, one| (all.0.min(one.0), all.1.max(one.1))),
        Picked::Causal(_) => (0.0, own.1.max(f32::MIN_POSITIVE)),
        _ => own,
    }
}

fn make(ctx: &Context, picked: Picked<'_>, texture: Option<TextureHandle>) -> Option<Made> {
    let map = map(picked)?;
    let facts = Facts {
        range: range(&map),
        scale: scale(picked, &map),
        grid: (map.rows(), map.cols()),
        flat: is_flat(&map),
        absent: picked.absent(),
    };
    let image = colours(&map, facts.scale, facts.grey());
    let texture = match texture {
        Some(mut texture) => {
            texture.set(image, TextureOptions::LINEAR);
            texture
        }
        None => ctx.load_texture("map", image, TextureOptions::LINEAR),
    };
    let peak = matches!(picked, Picked::Causal(_)).then(|| peak(&map)).flatten();
    let source = match picked {
        Picked::Encoder(maps, attention) => Source::Encoder(Arc::clone(maps), attention),
        _ => Source::Map(map.clone().into_owned(), facts.absent),
    };
    Some(Made { source, facts, area: map.area(), peak, texture })
}

/// The cell of the highest value, as a part of the frame; `None` where nothing is above 0.
fn peak(map: &Heatmap) -> Option<Region> {
    let (at, value) = map.values().iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    if *value <= 0.0 {
        return None;
    }
    let area = map.area();
    let (width, height) = (area.width() / map.cols() as f32, area.height() / map.rows() as f32);
    let (row, col) = (at / map.cols(), at % map.cols());
    let (x, y) = (area.x() + col as f32 * width, area.y() + row as f32 * height);
    Region::new(x, y, width, height).ok()
}

/// Draws the map where its area lies.
pub fn paint(ui: &Ui, view: &View, place: Place) {
    let Some(made) = &view.maps.layer.0 else { return };
    let rect = place.screen(made.area);
    let whole = made.area == Region::WHOLE && view.stage.region.is_none();
    let opacity = view.settings.maps.opacity.clamp(0.0, 1.0);
    Image::from_texture((made.texture.id(), rect.size()))
        .uv(place.uv())
        .corner_radius(CornerRadius::same(if whole { ROUND } else { 0 }))
        .tint(Color32::WHITE.gamma_multiply(opacity))
        .paint_at(ui, rect);
    let painter = ui.painter_at(place.rect);
    if made.area != Region::WHOLE {
        // What the model was shown: beyond it there is nothing to say.
        let dark = Stroke::new(3.0, Color32::from_black_alpha(110));
        painter.rect_stroke(rect, 0.0, dark, StrokeKind::Inside);
        let bright = Stroke::new(1.0, DARK.text.gamma_multiply(0.8));
        painter.rect_stroke(rect.shrink(1.0), 0.0, bright, StrokeKind::Inside);
    }
    if let Some(peak) = made.peak {
        let rect = place.screen(peak);
        let dark = Stroke::new(4.0, Color32::from_black_alpha(150));
        painter.rect_stroke(rect, 2.0, dark, StrokeKind::Middle);
        painter.rect_stroke(rect, 2.0, Stroke::new(2.0, DARK.text), StrokeKind::Middle);
    }
}

/// Whether nothing in a map stands out.
fn is_flat(map: &Heatmap) -> bool {
    let (low, high) = range(map);
    let mean =
        map.values().iter().map(|value| value.abs()).sum::<f32>() / map.values().len() as f32;
    high - low <= mean * 0.1
}

/// The colour at `at` of the scale, from 0 to 1; more of it covers the picture the higher it is.
pub(super) fn colour(at: f32, grey: bool) -> Color32 {
    let colour = if grey { Color32::GRAY } else { Color32::from_rgb((at * 255.0) as u8, 60, 120) };
    colour.gamma_multiply(at)
}

fn colours(map: &Heatmap, (low, high): (f32, f32), grey: bool) -> ColorImage {
    let _ = SIDE;
    let pixels = map.values().iter().map(|value| {
        let at = ((value - low) / (high - low).max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
        colour(at, grey)
    });
    ColorImage::new([map.cols(), map.rows()], pixels.collect())
}
