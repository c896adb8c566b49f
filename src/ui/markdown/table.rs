//! Tables: as wide as their text where there is room, else wrapped, else scrolled sideways.

use egui::accesskit::Role;
use egui::{Align, Pos2, Rect, Stroke, Ui, pos2, vec2};
use pulldown_cmark::Alignment;

use super::Span;
use super::draw::Sheet;
use super::layout::{Base, Text};
use super::parse::Table;
use super::style::MarkdownStyle;

/// A table's texts: the head first, every row with as many cells as the widest one.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    rows: Vec<Vec<Text>>,
    columns: usize,
}

impl Grid {
    pub(super) fn new(table: Table, spans: &[Span], style: &MarkdownStyle, base: Base) -> Self {
        let Table { align, head, rows } = table;
        let columns = rows.iter().map(Vec::len).chain([head.len(), align.len()]).max().unwrap_or(0);
        let cell = |column: usize, rich, strong| {
            let align = match align.get(column) {
                Some(Alignment::Center) => Align::Center,
                Some(Alignment::Right) => Align::RIGHT,
                Some(Alignment::Left | Alignment::None) | None => Align::LEFT,
            };
            Text::new(rich, spans, style, Base { strong, align, ..base })
        };
        let row = |cells: Vec<_>, strong: bool| -> Vec<Text> {
            cells.into_iter().enumerate().map(|(column, rich)| cell(column, rich, strong)).collect()
        };
        let mut all = vec![row(head, true)];
        all.extend(rows.into_iter().map(|cells| row(cells, false)));
        Self { rows: all, columns }
    }

    /// The widths of the columns, in points, for a table of `width` points.
    fn widths(&self, ui: &Ui, size: f32, width: f32) -> Vec<f32> {
        let mut wanted = vec![0.0_f32; self.columns];
        for row in &self.rows {
            for (want, cell) in wanted.iter_mut().zip(row) {
                *want = want.max(cell.lay_out(ui, f32::INFINITY).0.size().x.ceil() + 1.0);
            }
        }
        let pads = self.columns as f32 * 2.0 * pad(size);
        share(&wanted, width - pads, size * 4.0)
    }
}

/// The space on each side of a cell.
fn pad(size: f32) -> f32 {
    (size * 0.5).round()
}

/// `room` shared out among columns that want to be so wide: who wants less than an equal part gets
/// all of it. None is made narrower than `least`, if it wants as much, even if there is no room.
fn share(wanted: &[f32], room: f32, least: f32) -> Vec<f32> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut widths = wanted.to_vec();
    let mut left = room;
    for (done, column) in order.iter().enumerate() {
        let equal = left / (wanted.len() - done) as f32;
        widths[*column] = wanted[*column].min(equal.max(least)).floor().max(1.0);
        left -= widths[*column];
    }
    widths
}

/// Draws a table in `inner`, whose height does not matter, and gives back how high it is.
pub(super) fn draw(sheet: &mut Sheet<'_>, grid: &Grid, inner: Rect) -> f32 {
    let size = sheet.style.size;
    let pad = vec2(pad(size), (size * 0.3).round());
    let widths = grid.widths(sheet.ui, size, inner.width());
    let full: f32 = widths.iter().map(|width| width + 2.0 * pad.x).sum();
    let laid: Vec<Vec<_>> = grid
        .rows
        .iter()
        .map(|row| {
            let cells = row.iter().zip(&widths);
            cells.map(|(cell, width)| cell.lay_out(sheet.ui, *width)).collect()
        })
        .collect();
    let line = MarkdownStyle::line_height(size);
    let heights: Vec<f32> = laid
        .iter()
        .map(|row| row.iter().map(|cell| cell.0.size().y).fold(line, f32::max) + 2.0 * pad.y)
        .collect();
    let height: f32 = heights.iter().sum();

    let id = sheet.ui.next_auto_id();
    let cells = |sheet: &mut Sheet<'_>, corner: Pos2| {
        let mut top = corner.y;
        let rows = grid.rows.iter().zip(&laid).zip(&heights);
        for (index, ((row, laid), height)) in rows.enumerate() {
            let mut left = corner.x + pad.x;
            let cells = row.iter().zip(laid).zip(&widths);
            for (column, ((text, laid), width)) in cells.enumerate() {
                let x = match laid.0.job.halign {
                    Align::LEFT => left,
                    Align::Center => left + width / 2.0,
                    Align::RIGHT => left + width,
                };
                let at = pos2(x, top + pad.y);
                let right = left + width;
                sheet.text(
                    text,
                    laid.clone(),
                    at,
                    right,
                    id.with((index, column)),
                    (Role::Label, ""),
                );
                left += width + 2.0 * pad.x;
            }
            top += height;
            if index + 1 < grid.rows.len() {
                let pen = Stroke::new(if index == 0 { 1.5 } else { 1.0 }, sheet.style.line);
                sheet.ui.painter().hline(corner.x..=corner.x + full, top.round(), pen);
            }
        }
    };
    if full <= inner.width() + 1.0 {
        sheet.ui.allocate_space(vec2(inner.width(), height));
        cells(sheet, inner.min);
        return height;
    }
    sheet.sideways(inner, vec2(full, height), cells)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn room_is_shared_by_need() {
        assert_eq!(share(&[50.0, 60.0], 200.0, 40.0), [50.0, 60.0]);
        assert_eq!(share(&[20.0, 500.0], 200.0, 40.0), [20.0, 180.0]);
        assert_eq!(share(&[300.0, 20.0, 400.0], 220.0, 40.0), [100.0, 20.0, 100.0]);
        assert_eq!(share(&[300.0, 300.0, 300.0], 60.0, 40.0), [40.0, 40.0, 40.0], "too narrow");
        assert_eq!(share(&[], 60.0, 40.0), [] as [f32; 0]);
    }
}
