//! A page on the screen: where its blocks lie, and what the pointer and the keyboard do there.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use egui::accesskit::Role;
use egui::text_selection::LabelSelectionState;
use egui::{
    Align, Align2, Button, CursorIcon, FontId, Galley, Id, Layout, Pos2, Rect, RichText,
    ScrollArea, Sense, Shape, Stroke, StrokeKind, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};

use super::layout::{Base, Fragment, Text, bold_offset, fragments};
use super::parse::{Block, Inside, Kind, Marker};
use super::phrase::Phrase;
use super::rich::Rich;
use super::style::MarkdownStyle;
use super::table::{self, Grid};
use super::{Mark, MarkdownResponse, Span};

/// How long a button says that it copied.
const COPIED: Duration = Duration::from_millis(1500);

/// The least side of what can be clicked, in points (WCAG 2.2, 2.5.8).
const LEAST_TARGET: f32 = 24.0;

/// A block that is ready to be laid out.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) content: Content,
    inside: Vec<Inside>,
    markers: Vec<(usize, Marker)>,
    tight: bool,
}

/// What is in a block.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Paragraph(Text),
    /// With its level, from 1.
    Heading(u8, Text),
    /// With its language, which may be empty.
    Code(String, Text),
    Rule,
    Table(Grid),
}

impl Leaf {
    pub(super) fn new(block: Block, spans: &[Span], style: &MarkdownStyle) -> Self {
        let plain = Base { size: style.size, strong: false, code: false, align: Align::LEFT };
        let text = |rich: Rich, base: Base| Text::new(rich, spans, style, base);
        let content = match block.kind {
            Kind::Paragraph(rich) => Content::Paragraph(text(rich, plain)),
            Kind::Heading(level, rich) => {
                let size = style.size * heading_scale(level);
                Content::Heading(level, text(rich, Base { size, strong: true, ..plain }))
            }
            Kind::Code(language, rich) => {
                Content::Code(language, text(rich, Base { code: true, ..plain }))
            }
            Kind::Rule => Content::Rule,
            Kind::Table(table) => Content::Table(Grid::new(table, spans, style, plain)),
        };
        Self { content, inside: block.inside, markers: block.markers, tight: block.tight }
    }
}

/// Modest: an answer is a few lines in a panel, not a page.
fn heading_scale(level: u8) -> f32 {
    match level {
        1 => 1.3,
        2 => 1.2,
        3 => 1.1,
        _ => 1.0,
    }
}

/// Draws a page from the cursor down.
pub(super) fn page(
    ui: &mut Ui,
    leaves: &[Leaf],
    marks: &[Mark],
    style: &MarkdownStyle,
) -> MarkdownResponse {
    let drawn = ui.vertical(|ui| {
        ui.spacing_mut().item_spacing = Vec2::ZERO;
        let mut sheet = Sheet::new(ui, marks, style);
        for (index, leaf) in leaves.iter().enumerate() {
            let before = index.checked_sub(1).map(|index| &leaves[index]);
            sheet.leaf(leaf, before);
        }
        (sheet.hovered, sheet.clicked)
    });
    let (hovered_mark, clicked_mark) = drawn.inner;
    MarkdownResponse { hovered_mark, clicked_mark, rect: drawn.response.rect }
}

/// The page while it is drawn.
pub(super) struct Sheet<'a> {
    pub(super) ui: &'a mut Ui,
    marks: &'a [Mark],
    pub(super) style: &'a MarkdownStyle,
    hovered: Option<usize>,
    clicked: Option<usize>,
    /// Where each open quotation's bar has got to.
    bars: Vec<(usize, f32)>,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(ui: &'a mut Ui, marks: &'a [Mark], style: &'a MarkdownStyle) -> Self {
        Self { ui, marks, style, hovered: None, clicked: None, bars: Vec::new() }
    }

    fn leaf(&mut self, leaf: &Leaf, before: Option<&Leaf>) {
        let size = self.style.size;
        let width = self.ui.available_width().max(size);
        let left = self.ui.cursor().left();
        if let Some(before) = before {
            self.ui.add_space((gap(before, leaf) * size).round());
        }
        let top = self.ui.cursor().top();
        let edges = edges(&leaf.inside, size, width);
        let indent = edges.last().map_or(0.0, |edge| edge.end);
        let inner = Rect::from_min_size(pos2(left + indent, top), vec2(width - indent, 0.0));
        let height = match &leaf.content {
            Content::Paragraph(text) => self.paragraph(text, inner, Role::Label, leaf),
            Content::Heading(_, text) => self.paragraph(text, inner, Role::Heading, leaf),
            Content::Code(language, text) => self.code(language, text, inner),
            Content::Rule => self.rule(inner),
            Content::Table(grid) => table::draw(self, grid, inner),
        };
        self.markers(leaf, &edges, left, top);
        self.quotes(&leaf.inside, &edges, left, top..top + height);
    }

    fn paragraph(&mut self, text: &Text, inner: Rect, role: Role, leaf: &Leaf) -> f32 {
        let laid = text.lay_out(self.ui, inner.width());
        // An item without words is as high as one with some.
        let height = laid.0.size().y.max(MarkdownStyle::line_height(self.style.size));
        let id = self.ui.allocate_space(vec2(inner.width(), height)).0;
        let spoken = leaf.markers.iter().map(|(_, marker)| spoken(*marker)).collect::<String>();
        self.text(text, laid, inner.min, inner.right(), id, (role, &spoken));
        height
    }

    /// Draws laid-out text that can be selected, from as far as `right`, with its phrases; `spoken`
    /// is what a screen reader says it is and says first.
    pub(super) fn text(
        &mut self,
        text: &Text,
        (galley, bold): (Arc<Galley>, Option<Arc<Galley>>),
        at: Pos2,
        right: f32,
        id: Id,
        (role, spoken): (Role, &str),
    ) {
        if galley.is_empty() {
            return;
        }
        let mut rect = galley.rect.translate(at.to_vec2());
        rect.max.x = rect.max.x.max(right);
        let response = self.ui.interact(rect, id, selectable(self.ui));
        let enabled = self.ui.is_enabled();
        let name = || format!("{spoken}{}", text.rich.text.trim_end());
        response.widget_info(|| WidgetInfo::labeled(role, enabled, name()));
        let phrases = self.phrases(text, &galley, at, id);
        if !self.ui.is_rect_visible(rect) {
            return;
        }
        let size = self.style.size;
        for code in text.code.iter().flat_map(|range| fragments(&galley, range)) {
            let y = code.baseline - size * 0.95..=code.baseline + size * 0.3;
            let ground = Rect::from_x_y_ranges(code.rect.x_range(), y).translate(at.to_vec2());
            let ground = ground.expand2(vec2(size * 0.15, 0.0));
            self.ui.painter().rect_filled(ground, size * 0.2, self.style.code_bg);
        }
        for (phrase, mark) in &phrases {
            phrase.paint_behind(self.ui, mark, self.style);
        }
        let baselines: Vec<Fragment> =
            text.doubts.iter().flat_map(|range| fragments(&galley, range)).collect();
        LabelSelectionState::label_text_selection(
            self.ui,
            &response,
            at,
            galley,
            self.style.fg,
            Stroke::NONE,
        );
        if let Some(bold) = bold {
            let at = at + bold_offset(self.ui, size);
            self.ui.painter().galley(at, bold, self.style.fg);
        }
        for doubt in baselines {
            self.dots(&doubt, at);
        }
        for (phrase, mark) in &phrases {
            phrase.paint_line(self.ui, mark, self.style);
            if phrase.hovered {
                self.ui.set_cursor_icon(CursorIcon::PointingHand);
            }
        }
    }

    /// The phrases that are in a text, as things to point at and to click.
    fn phrases<'m>(
        &mut self,
        text: &Text,
        galley: &Galley,
        at: Pos2,
        id: Id,
    ) -> Vec<(Phrase, &'m Mark)>
    where
        'a: 'm,
    {
        let mut phrases = Vec::new();
        let marks = self.marks;
        for mark in marks {
            let ranges = text.rich.find(&mark.bytes);
            let words: String = ranges.iter().map(|range| &text.rich.text[range.clone()]).collect();
            let parts: Vec<Fragment> = ranges
                .iter()
                .flat_map(|range| fragments(galley, range))
                .map(|part| Fragment {
                    rect: part.rect.translate(at.to_vec2()),
                    baseline: part.baseline + at.y,
                })
                .collect();
            if parts.is_empty() {
                continue;
            }
            let phrase = Phrase::new(self.ui, parts, id.with(("phrase", mark.id)), mark, &words);
            if phrase.hovered || phrase.focused {
                self.hovered = Some(mark.id);
            }
            if phrase.clicked {
                self.clicked = Some(mark.id);
            }
            phrases.push((phrase, mark));
        }
        phrases
    }

    /// A dotted line below a doubtful word.
    fn dots(&self, word: &Fragment, at: Pos2) {
        let y = at.y + word.baseline + self.style.size * 0.2;
        let ends = [pos2(at.x + word.rect.left(), y), pos2(at.x + word.rect.right(), y)];
        let radius = self.style.size * 0.045;
        self.ui.painter().extend(Shape::dotted_line(
            &ends,
            self.style.faint,
            self.style.size * 0.22,
            radius,
        ));
    }

    /// Draws what is `size` large, and too wide, in `inner`, to be scrolled sideways. Gives back
    /// how high that is with its scroll bar.
    pub(super) fn sideways(
        &mut self,
        inner: Rect,
        size: Vec2,
        draw: impl FnOnce(&mut Sheet<'_>, Pos2),
    ) -> f32 {
        let (marks, style) = (self.marks, self.style);
        let room = Rect::from_min_size(inner.min, vec2(inner.width(), size.y));
        let scrolled = self.ui.scope_builder(UiBuilder::new().max_rect(room), |ui| {
            ScrollArea::horizontal().show(ui, |ui| {
                let (_, rect) = ui.allocate_space(size);
                let mut sheet = Sheet::new(ui, marks, style);
                draw(&mut sheet, rect.min);
                (sheet.hovered, sheet.clicked)
            })
        });
        let (hovered, clicked) = scrolled.inner.inner;
        self.hovered = self.hovered.or(hovered);
        self.clicked = self.clicked.or(clicked);
        scrolled.response.rect.height()
    }

    fn rule(&mut self, inner: Rect) -> f32 {
        let height = (self.style.size * 0.5).round();
        self.ui.allocate_space(vec2(inner.width(), height));
        let y = inner.top() + (height / 2.0).round();
        self.ui.painter().hline(inner.x_range(), y, Stroke::new(1.0, self.style.line));
        height
    }

    /// A code block: its language and a button above, the code below, both on one ground.
    fn code(&mut self, language: &str, text: &Text, inner: Rect) -> f32 {
        let size = self.style.size;
        let pad = (size * 0.6).round();
        let head = (size * 1.6).round().max(LEAST_TARGET);
        let laid = text.lay_out(self.ui, (inner.width() - 2.0 * pad).max(size));
        let body = if text.rich.text.is_empty() { 0.0 } else { laid.0.size().y + pad };
        let (id, _) = self.ui.allocate_space(vec2(inner.width(), head + body));
        let ground = Rect::from_min_size(inner.min, vec2(inner.width(), head + body));
        self.ui.painter().rect_filled(ground, size * 0.35, self.style.code_bg);
        let small = size * 0.82;
        if !language.is_empty() {
            let at = pos2(ground.left() + pad, ground.top() + head / 2.0);
            let font = FontId::new(small, self.style.family.clone());
            self.ui.painter().text(at, Align2::LEFT_CENTER, language, font, self.style.weak);
        }
        let button = Rect::from_min_max(
            pos2(ground.right() - pad - size * 4.0, ground.top()),
            pos2(ground.right() - pad * 0.4, ground.top() + head),
        );
        self.copy_button(button, id.with("copy"), &text.rich.text, small);
        let name = if language.is_empty() { "Code: ".into() } else { format!("{language} code: ") };
        let at = pos2(ground.left() + pad, ground.top() + head);
        self.text(text, laid, at, ground.right() - pad, id, (Role::Code, &name));
        head + body
    }

    fn copy_button(&mut self, rect: Rect, id: Id, code: &str, size: f32) {
        let now = self.ui.input(|input| input.time);
        let since = self.ui.data(|data| data.get_temp::<f64>(id)).map(|at| now - at);
        let copied = since.is_some_and(|since| since < COPIED.as_secs_f64());
        let label = if copied { "Copied" } else { "Copy" };
        let style = self.style;
        let label = RichText::new(label).size(size).family(style.family.clone()).color(style.weak);
        let mut place = self.ui.new_child(
            UiBuilder::new()
                .id_salt(id)
                .max_rect(rect)
                .layout(Layout::right_to_left(Align::Center)),
        );
        let button =
            Button::new(label).frame_when_inactive(false).min_size(Vec2::splat(LEAST_TARGET));
        let response = place.add(button).accessible_name("Copy code");
        if response.clicked() {
            self.ui.copy_text(code.to_owned());
            self.ui.data_mut(|data| data.insert_temp(id, now));
            self.ui.ctx().request_repaint_after(COPIED);
        }
    }

    /// Paints the markers of the items that begin here.
    fn markers(&mut self, leaf: &Leaf, edges: &[Range<f32>], left: f32, top: f32) {
        let style = self.style;
        let size = style.size;
        let (size_here, extra) = match &leaf.content {
            Content::Heading(level, _) => (size * heading_scale(*level), 0.0),
            Content::Code(..) | Content::Table(_) => (size, size * 0.2),
            Content::Paragraph(_) | Content::Rule => (size, 0.0),
        };
        let middle = top + extra + MarkdownStyle::line_height(size_here) / 2.0;
        let painter = self.ui.painter();
        for (place, marker) in &leaf.markers {
            let Some(edge) = edges.get(*place) else { continue };
            let right = left + edge.end - size * 0.45;
            match marker {
                Marker::Number(number) => {
                    let font = FontId::new(size, style.family.clone());
                    let at = pos2(right, middle);
                    let number = format!("{number}.");
                    painter.text(at, Align2::RIGHT_CENTER, number, font, style.weak);
                }
                Marker::Bullet(depth) => {
                    let radius = size * 0.16;
                    let at = pos2(right - radius - size * 0.1, middle + size * 0.04);
                    match depth % 3 {
                        0 => painter.circle_filled(at, radius, style.weak),
                        1 => painter.circle_stroke(at, radius, Stroke::new(1.0, style.weak)),
                        _ => {
                            let square = Rect::from_center_size(at, Vec2::splat(radius * 1.7));
                            painter.rect_filled(square, 0.0, style.weak)
                        }
                    };
                }
                Marker::Task(done) => {
                    let edge_length = size * 0.8;
                    let at = pos2(right - edge_length / 2.0 + size * 0.1, middle);
                    let square = Rect::from_center_size(at, Vec2::splat(edge_length));
                    let pen = Stroke::new(1.0, style.weak);
                    painter.rect_stroke(square, size * 0.15, pen, StrokeKind::Inside);
                    if *done {
                        let point = |x: f32, y: f32| square.lerp_inside(vec2(x, y));
                        let tick = vec![point(0.22, 0.52), point(0.42, 0.72), point(0.78, 0.28)];
                        painter.line(tick, Stroke::new(1.6, style.fg));
                    }
                }
            }
        }
    }

    /// Paints the bars of the quotations that a block stands in, on from where they had got to.
    fn quotes(&mut self, inside: &[Inside], edges: &[Range<f32>], left: f32, y: Range<f32>) {
        let mut bars = Vec::new();
        for (quote, edge) in inside.iter().zip(edges) {
            let Inside::Quote(number) = quote else { continue };
            let so_far = self.bars.iter().find(|(other, _)| other == number);
            let top = so_far.map_or(y.start, |(_, bottom)| *bottom);
            let bar = Rect::from_min_max(
                pos2(left + edge.start, top),
                pos2(left + edge.start + 3.0, y.end),
            );
            self.ui.painter().rect_filled(bar, 0.0, self.style.line);
            bars.push((*number, y.end));
        }
        self.bars = bars;
    }
}

/// What is heard of a marker.
fn spoken(marker: Marker) -> String {
    match marker {
        Marker::Bullet(_) => "• ".to_owned(),
        Marker::Number(number) => format!("{number}. "),
        Marker::Task(true) => "Done: ".to_owned(),
        Marker::Task(false) => "To do: ".to_owned(),
    }
}

/// What a label listens to, as egui's own does: selecting, and never a place among the Tab stops.
fn selectable(ui: &Ui) -> Sense {
    let focus = if ui.memory(|memory| memory.options.screen_reader) {
        Sense::focusable_noninteractive()
    } else {
        Sense::hover()
    };
    if !ui.style().interaction.selectable_labels {
        return focus;
    }
    // On a touch screen, dragging scrolls.
    let select = if ui.input(egui::InputState::has_touch_screen) {
        Sense::CLICK
    } else {
        Sense::CLICK | Sense::DRAG
    };
    focus | select
}

/// The space between two blocks, in sizes of the text.
fn gap(before: &Leaf, leaf: &Leaf) -> f32 {
    let follows_heading = matches!(before.content, Content::Heading(..));
    match &leaf.content {
        Content::Heading(level, _) if *level < 3 && !follows_heading => 1.0,
        Content::Heading(..) if !follows_heading => 0.8,
        _ if follows_heading => 0.35,
        _ if leaf.tight && before.tight && list(before) == list(leaf) => 0.2,
        _ if leaf.tight => 0.45,
        _ => 0.65,
    }
}

/// The outermost list that a block stands in.
fn list(leaf: &Leaf) -> Option<usize> {
    leaf.inside.iter().find_map(|inside| match inside {
        Inside::Item { list, .. } => Some(*list),
        Inside::Quote(_) => None,
    })
}

/// For each thing a block stands in, where it begins and where its content does, in points from the
/// left. Never more than half the width together.
fn edges(inside: &[Inside], size: f32, width: f32) -> Vec<Range<f32>> {
    let needs = |inside: &Inside| match inside {
        Inside::Quote(_) => size,
        Inside::Item { digits: 0, .. } => size * 1.4,
        // Two digits, since ten items are soon reached.
        Inside::Item { digits, .. } => size * (0.58 * (*digits).max(2) as f32 + 0.85),
    };
    let all: f32 = inside.iter().map(needs).sum();
    let scale = (width * 0.5 / all.max(1.0)).min(1.0);
    let mut left = 0.0;
    let mut step = |inside: &Inside| {
        let start = left;
        left += (needs(inside) * scale).round();
        start..left
    };
    inside.iter().map(&mut step).collect()
}
