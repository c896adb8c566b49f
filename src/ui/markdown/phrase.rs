//! A phrase of the answer that can be pointed at, clicked, and reached by the keyboard.

use egui::accesskit::Role;
use egui::{Id, Response, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use super::Mark;
use super::layout::Fragment;
use super::style::MarkdownStyle;

/// A phrase on the screen.
pub(super) struct Phrase {
    parts: Vec<Fragment>,
    pub(super) hovered: bool,
    pub(super) focused: bool,
    pub(super) clicked: bool,
}

impl Phrase {
    /// Makes a button of every part. The first one takes the keyboard's focus and has the name.
    pub(super) fn new(ui: &Ui, parts: Vec<Fragment>, id: Id, mark: &Mark, words: &str) -> Self {
        let enabled = ui.is_enabled();
        let button = |(index, part): (usize, &Fragment)| -> Response {
            if index > 0 {
                return ui.interact(part.rect, id.with(index), Sense::CLICK);
            }
            let first = ui.interact(part.rect, id, Sense::click());
            let mut name = values::text::words(words);
            if mark.unconfirmed {
                name.push_str(", not confirmed");
            }
            let info = || WidgetInfo::selected(Role::Button, enabled, mark.active, &name);
            first.widget_info(info);
            first
        };
        let responses: Vec<Response> = parts.iter().enumerate().map(button).collect();
        let any = |is: fn(&Response) -> bool| responses.iter().any(is);
        let (hovered, clicked) = (any(Response::hovered), any(Response::clicked));
        let focused = any(Response::has_focus);
        Self { parts, hovered, focused, clicked }
    }

    pub(super) fn paint_behind(&self, ui: &Ui, mark: &Mark, style: &MarkdownStyle) {
        if mark.active || self.hovered || self.focused {
            for part in &self.parts {
                ui.painter().rect_filled(part.rect.expand2(vec2(1.5, -1.0)), 3.0, style.tint);
            }
        }
    }

    pub(super) fn paint_line(&self, ui: &Ui, mark: &Mark, style: &MarkdownStyle) {
        let lit = mark.active || self.hovered;
        let pen = Stroke::new(if lit { 2.0 } else { 1.0 }, style.accent);
        for part in &self.parts {
            let y = part.baseline + style.size * 0.2;
            if mark.unconfirmed {
                let ends = [pos2(part.rect.left(), y), pos2(part.rect.right(), y)];
                ui.painter().extend(Shape::dotted_line(&ends, style.doubt, style.size * 0.22, 1.2));
            } else {
                ui.painter().hline(part.rect.x_range(), y, pen);
            }
            if self.focused {
                let ring = part.rect.expand2(vec2(2.5, 0.0));
                let pen = Stroke::new(1.5, style.accent);
                ui.painter().rect_stroke(ring, 3.0, pen, StrokeKind::Outside);
            }
        }
    }
}
