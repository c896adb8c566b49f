//! The map as colours over the picture, kept until another map is to be seen.

use std::borrow::Cow;
use std::sync::Arc;

use egui::{
    Color32, ColorImage, Context, CornerRadius, Image, Stroke, StrokeKind, TextureHandle,
    TextureOptions, Ui,
};
use encoder::EncoderMaps;
use explain::LEAST_SUPPORT;
use image::{Rgba, RgbaImage};
use values::heatmap::Heatmap;
use values::heatmap::paint::{self, Scale};
use values::region::Region;

use super::Attention;
use super::pick::{Picked, pick};
use crate::View;
use crate::mark::Place;
use crate::theme::{DARK, ROUND};

/// Longer side of the texture, in pixels, at most: the screen enlarges it.
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
    texture: TextureHandle,
}

/// What there is to say of a map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Facts {
    /// The lowest and the highest raw value.
    pub range: Scale,
    /// The values at the two ends of the colours.
    pub scale: Scale,
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
        Picked::Seen(word, _) => word.seen.as_ref().map(Cow::Borrowed),
        Picked::TypedWord(typed) | Picked::Phrase(typed, _) => Some(Cow::Borrowed(&typed.map)),
        Picked::Causal(causal) => Some(Cow::Borrowed(&causal.map)),
    }
}

/// The mean of the heads' maps of one layer.
fn mean(heads: &[Heatmap]) -> Option<Heatmap> {
    let heads: Vec<(&Heatmap, f32)> = heads.iter().map(|head| (head, 1.0)).collect();
    Heatmap::mean(&heads).ok()
}

/// The values at the two ends of the colours.
///
/// All words of an answer have one scale, so that a word that the picture hardly carries looks like
/// one. A causal check begins at no change: what made the answer likelier did not speak for it.
fn scale(picked: Picked<'_>, map: &Heatmap) -> Scale {
    let own = Scale::of(map);
    match picked {
        Picked::Word(of, _) => Scale::shared(of.words.iter().map(|word| &word.map)).unwrap_or(own),
        // What a part of the picture makes less probable is not seen there.
        Picked::Seen(_, of) => {
            let maps = of.words.iter().filter_map(|word| word.seen.as_ref());
            let most = Scale::shared(maps).unwrap_or(own).high;
            Scale { low: 0.0, high: most.max(LEAST_SUPPORT) }
        }
        // A few patches gather most of the attention: the rest is to be told apart.
        Picked::Encoder(..) => Scale::usual(map),
        Picked::Causal(_) => Scale { low: 0.0, high: own.high.max(f32::MIN_POSITIVE) },
        _ => own,
    }
}

fn make(ctx: &Context, picked: Picked<'_>, texture: Option<TextureHandle>) -> Option<Made> {
    let map = map(picked)?;
    let raw = match picked {
        Picked::Word(of, word) => of.words.get(word).map_or(&*map, |word| &word.raw),
        _ => &*map,
    };
    let facts = Facts {
        range: Scale::of(raw),
        scale: scale(picked, &map),
        grid: (map.rows(), map.cols()),
        flat: map.is_flat(),
        absent: picked.absent(),
    };
    let size = pixels(map.rows(), map.cols());
    let image = coloured(&paint::layer(&map, facts.scale, size), facts.absent);
    let texture = match texture {
        Some(mut texture) => {
            texture.set(image, TextureOptions::LINEAR);
            texture
        }
        None => ctx.load_texture("map", image, TextureOptions::LINEAR),
    };
    let source = match picked {
        Picked::Encoder(maps, attention) => Source::Encoder(Arc::clone(maps), attention),
        _ => Source::Map(map.clone().into_owned(), facts.absent),
    };
    Some(Made { source, facts, area: map.area(), texture })
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
    if let Ok(Picked::Causal(causal)) = pick(view)
        && let Some(area) = causal.area.filter(|_| causal.greatest > 0.0)
    {
        // "This area" of the label.
        let rect = place.screen(area);
        let dark = Stroke::new(4.0, Color32::from_black_alpha(150));
        painter.rect_stroke(rect, 2.0, dark, StrokeKind::Middle);
        painter.rect_stroke(rect, 2.0, Stroke::new(2.0, DARK.text), StrokeKind::Middle);
    }
}
