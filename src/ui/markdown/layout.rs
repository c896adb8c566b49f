//! From a block's text to what egui lays out.

use std::ops::Range;
use std::sync::Arc;

use egui::text::{LayoutJob, TextFormat};
use egui::{Align, Color32, FontId, Galley, Rect, Stroke, Ui, Vec2};

use super::Span;
use super::rich::{Look, Rich};
use super::style::MarkdownStyle;

/// How many shades there are from `faint` to `fg`. Few, because egui shapes each shade's letters
/// apart.
const SHADES: f32 = 7.0;

/// Below this shade a word gets dots: less than about one chance in twelve.
const DOUBTFUL: f32 = 0.4;

/// What all of a block's text has in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Base {
    /// In points.
    pub(super) size: f32,
    pub(super) strong: bool,
    /// Whether it is a code block, which is laid out in full without a background of its own.
    pub(super) code: bool,
    pub(super) align: Align,
}

/// A block's text, ready to be laid out at any width.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) rich: Rich,
    job: LayoutJob,
    /// The same text with nothing seen but what is strong, to be drawn over it.
    bold: Option<LayoutJob>,
    /// Code in running text, in bytes of the text.
    pub(super) code: Vec<Range<usize>>,
    /// The least sure words, in bytes of the text.
    pub(super) doubts: Vec<Range<usize>>,
}

impl Text {
    pub(super) fn new(rich: Rich, spans: &[Span], style: &MarkdownStyle, base: Base) -> Self {
        let mut job = LayoutJob { halign: base.align, ..LayoutJob::default() };
        let mut bold = LayoutJob { halign: base.align, ..LayoutJob::default() };
        let (mut code, mut doubts) = (Vec::new(), Vec::new());
        let mut any_bold = false;
        let mut after_code = false;
        for (at, look, strength) in shades(&rich, spans) {
            // Room for the edges of the ground that is painted behind code.
            let code_here = look.has(Look::CODE) && !base.code;
            let edge =
                if code_here == after_code || at.start == 0 { 0.0 } else { base.size * 0.15 };
            after_code = code_here;
            let format = format(look, strength, style, base);
            let part = &rich.text[at.clone()];
            let strong = base.strong || look.has(Look::STRONG);
            let drawn_twice = strong && style.strong_family.is_none() && !look.has(Look::CODE);
            any_bold |= drawn_twice;
            bold.append(part, edge, over(&format, drawn_twice));
            job.append(part, edge, format);
            if style.dots && strength < DOUBTFUL && !part.trim().is_empty() {
                join(&mut doubts, trimmed(&rich.text, &at));
            }
            if code_here {
                join(&mut code, at);
            }
        }
        Self { rich, job, bold: any_bold.then_some(bold), code, doubts }
    }

    /// The text laid out in rows of at most `width` points, and its strong parts, if any.
    pub(super) fn lay_out(&self, ui: &Ui, width: f32) -> (Arc<Galley>, Option<Arc<Galley>>) {
        let lay_out = |job: &LayoutJob| {
            let mut job = job.clone();
            job.wrap.max_width = width;
            ui.fonts_mut(|fonts| fonts.layout_job(job))
        };
        (lay_out(&self.job), self.bold.as_ref().map(lay_out))
    }
}

/// A part of a text without the white space around it.
fn trimmed(text: &str, at: &Range<usize>) -> Range<usize> {
    let part = &text[at.clone()];
    at.start + (part.len() - part.trim_start().len())..at.start + part.trim_end().len()
}

/// Adds a part, or lengthens the one it follows on.
fn join(parts: &mut Vec<Range<usize>>, part: Range<usize>) {
    match parts.last_mut() {
        Some(last) if last.end == part.start => last.end = part.end,
        _ => parts.push(part),
    }
}

/// The parts of a text of one look and one strength.
fn shades(rich: &Rich, spans: &[Span]) -> Vec<(Range<usize>, Look, f32)> {
    let mut parts: Vec<(Range<usize>, Look, f32)> = Vec::new();
    for piece in &rich.pieces {
        let mut add = |at: Range<usize>, strength: f32| match parts.last_mut() {
            _ if at.is_empty() => {}
            Some((last, look, same))
                if *look == piece.look && same.to_bits() == strength.to_bits() =>
            {
                last.end = at.end;
            }
            _ => parts.push((at, piece.look, strength)),
        };
        let first = spans.partition_point(|span| span.bytes.end <= piece.source.start);
        let covering = spans[first..].iter().take_while(|span| span.bytes.start < piece.source.end);
        if piece.look.has(Look::ASIDE) {
            add(piece.at.clone(), 1.0);
        } else if piece.is_exact() {
            let inside = |byte: usize| {
                let at = byte.clamp(piece.source.start, piece.source.end) - piece.source.start;
                // A token may end inside a character, which is drawn as its first byte says.
                rich.text.ceil_char_boundary(piece.at.start + at)
            };
            let mut done = piece.at.start;
            for span in covering {
                let (start, end) = (inside(span.bytes.start).max(done), inside(span.bytes.end));
                add(done..start, 1.0);
                if start < end {
                    add(start..end, level(span.strength));
                    done = end;
                } else {
                    done = start;
                }
            }
            add(done..piece.at.end, 1.0);
        } else {
            // Not letter for letter: as sure as the least sure token in it.
            let least = covering.map(|span| level(span.strength)).fold(1.0, f32::min);
            add(piece.at.clone(), least);
        }
    }
    parts
}

/// A strength rounded to one of the shades.
fn level(strength: f32) -> f32 {
    if strength.is_nan() { 1.0 } else { (strength.clamp(0.0, 1.0) * SHADES).round() / SHADES }
}

fn format(look: Look, strength: f32, style: &MarkdownStyle, base: Base) -> TextFormat {
    let strong = base.strong || look.has(Look::STRONG);
    let aside = look.has(Look::ASIDE);
    let color = if aside { style.weak } else { style.shade(strength) };
    let family = match &style.strong_family {
        Some(family) if strong => family.clone(),
        _ => style.family.clone(),
    };
    let inline_code = look.has(Look::CODE) && !base.code;
    let code = base.code || inline_code;
    let font_id = if code { style.code_font(base.size) } else { FontId::new(base.size, family) };
    // What is drawn twice is as much wider.
    let wider = strong && !code && style.strong_family.is_none();
    let struck = look.has(Look::STRUCK);
    // Set a little lower, code stands on the line of the words around it.
    let lower = if inline_code { base.size * 0.07 } else { 0.0 };
    TextFormat {
        font_id,
        extra_letter_spacing: if wider { base.size * 0.025 } else { 0.0 },
        line_height: Some(MarkdownStyle::line_height(base.size) - lower),
        color,
        italics: look.has(Look::EMPHASIS),
        strikethrough: if struck { Stroke::new(1.0, color) } else { Stroke::NONE },
        valign: Align::BOTTOM,
        ..TextFormat::default()
    }
}

/// The format of the layer over the text: as wide, and seen only where it is to be bold.
fn over(format: &TextFormat, seen: bool) -> TextFormat {
    TextFormat {
        color: if seen { format.color } else { Color32::TRANSPARENT },
        strikethrough: Stroke::NONE,
        ..format.clone()
    }
}

/// A part of a row of laid-out text, in the galley's own points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fragment {
    /// The row's height, the part's width.
    pub(super) rect: Rect,
    /// The line that its letters stand on.
    pub(super) baseline: f32,
}

/// Where the bytes `range` of the galley's text are: a fragment for each row they are on, without
/// white space at its end.
pub(super) fn fragments(galley: &Galley, range: &Range<usize>) -> Vec<Fragment> {
    let text = galley.text();
    let (Some(before), Some(part)) = (text.get(..range.start), text.get(range.clone())) else {
        return Vec::new();
    };
    let start = before.chars().count();
    let end = start + part.chars().count();
    let mut found = Vec::new();
    let mut first = 0;
    for row in &galley.rows {
        let after = first + row.glyphs.len();
        let own = start.clamp(first, after) - first..end.clamp(first, after) - first;
        first = after + usize::from(row.ends_with_newline);
        let glyphs = &row.glyphs[own];
        let ink = glyphs.iter().rposition(|glyph| !glyph.chr.is_whitespace());
        if let (Some(left), Some(right)) = (glyphs.first(), ink.map(|at| &glyphs[at])) {
            let offset = row.pos.to_vec2();
            let x = left.pos.x..=right.max_x();
            let y = 0.0..=row.size.y;
            let rect = Rect::from_x_y_ranges(x, y).translate(offset);
            found.push(Fragment { rect, baseline: right.pos.y + offset.y });
        }
        if first > end {
            break;
        }
    }
    found
}

/// How far apart strong text is drawn twice: a pixel, or as many as make up its weight.
pub(super) fn bold_offset(ui: &Ui, size: f32) -> Vec2 {
    let pixel = 1.0 / ui.pixels_per_point();
    Vec2::new((size * 0.03 / pixel).round().max(1.0) * pixel, 0.0)
}
