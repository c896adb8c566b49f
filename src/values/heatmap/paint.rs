//! Maps in colour.
//!
//! The colours are those of viridis (van der Walt and Smith, 2015): perceptually uniform, so that
//! equal steps look equal; their lightness only rises, so they order the same for the colour-blind
//! and in a grey print. Of its kin it suits a picture underneath best: magma and inferno end near
//! white and cividis passes through grey, which is kept for flat maps. Opacity grows with the
//! value, so that weak areas show the picture.

use std::sync::LazyLock;

use colorous::VIRIDIS;
use image::{Rgb, RgbImage, Rgba, RgbaImage};

use super::Heatmap;

/// The grey of a map that says nothing.
const GREY: [u8; 3] = [128; 3];

/// The opacity of a flat map, where the value would decide.
const FLAT_OPACITY: f32 = 0.35;

/// The share of cells that [`Scale::usual`] tells apart.
pub const USUAL: f32 = 0.98;

/// Which values are the weakest and the strongest colour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Shown in the weakest colour, as is all below.
    pub low: f32,
    /// Shown in the strongest colour, as is all above.
    pub high: f32,
}

impl Scale {
    /// From the weakest to the strongest cell of one map.
    pub fn of(map: &Heatmap) -> Self {
        let stats = map.stats();
        Self { low: stats.min, high: stats.max }
    }

    /// From the weakest cell to the one below which [`USUAL`] of all cells lie.
    ///
    /// Vision transformers let a few patches without content hold what concerns the whole picture
    /// (Darcet et al., "Vision Transformers Need Registers", 2024). Attention heaps up there, and on
    /// a scale up to its maximum nothing else would be seen.
    pub fn usual(map: &Heatmap) -> Self {
        let mut values = map.values().to_vec();
        values.sort_by(f32::total_cmp);
        let rank = ((values.len() as f32 * USUAL).ceil() as usize).clamp(1, values.len());
        let own = Self::of(map);
        let high = values[rank - 1];
        if high > own.low { Self { high, ..own } } else { own }
    }

    /// From the weakest to the strongest cell of all `maps`, so that their colours can be compared;
    /// `None` where there are none.
    pub fn shared<'a>(maps: impl IntoIterator<Item = &'a Heatmap>) -> Option<Self> {
        maps.into_iter()
            .map(Self::of)
            .reduce(|a, b| Self { low: a.low.min(b.low), high: a.high.max(b.high) })
    }

    /// Where `value` lies on the scale, from 0 to 1; 0 on a scale without length.
    pub fn share(&self, value: f32) -> f32 {
        let length = self.high - self.low;
        if length > 0.0 { ((value - self.low) / length).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// The picture with the map over its area.
///
/// `opacity` is that of the strongest colour, from 0 to 1. Flat maps are grey.
pub fn overlay(picture: &RgbImage, map: &Heatmap, scale: Scale, opacity: f32) -> RgbImage {
    let mut out = picture.clone();
    if picture.is_empty() {
        return out;
    }
    let at = map.area().pixels(picture.width(), picture.height());
    let layer = layer(map, scale, (at.width, at.height));
    for (x, y, Rgba([r, g, b, alpha])) in layer.enumerate_pixels() {
        let Rgb(under) = out.get_pixel_mut(at.x + x, at.y + y);
        let share = f32::from(*alpha) / 255.0 * opacity.clamp(0.0, 1.0);
        for (under, over) in under.iter_mut().zip([r, g, b]) {
            let mixed = f32::from(*under) * (1.0 - share) + f32::from(*over) * share;
            *under = mixed.round() as u8;
        }
    }
    out
}

/// The map alone, `size` pixels wide and high, to be laid over its area: straight alpha, which
/// grows with the value, bilinear between the centres of the cells. Flat maps are grey.
pub fn layer(map: &Heatmap, scale: Scale, size: (u32, u32)) -> RgbaImage {
    let (width, height) = size;
    if map.is_flat() {
        let [r, g, b] = GREY;
        return RgbaImage::from_pixel(width, height, Rgba([r, g, b, byte(FLAT_OPACITY)]));
    }
    let mut layer = RgbaImage::new(width, height);
    for (pixel, value) in layer.pixels_mut().zip(map.spread(width, height)) {
        *pixel = colour(scale.share(value));
    }
    layer
}

/// The colours of a layer from the weakest at the left to the strongest at the right.
pub fn legend(width: u32, height: u32) -> RgbaImage {
    let last = width.saturating_sub(1).max(1) as f32;
    RgbaImage::from_fn(width, height, |x, _| colour(x as f32 / last))
}

/// The colour of a place on the scale, from 0 to 1.
fn colour(share: f32) -> Rgba<u8> {
    let step = byte(share);
    let [r, g, b] = COLOURS[usize::from(step)];
    Rgba([r, g, b, step])
}

/// The colours in as many steps as their opacity has: a window makes a layer between two frames.
static COLOURS: LazyLock<[[u8; 3]; 256]> =
    LazyLock::new(|| std::array::from_fn(|step| VIRIDIS.eval_rational(step, 256).into_array()));

fn byte(share: f32) -> u8 {
    (share * 255.0 + 0.5) as u8
}
