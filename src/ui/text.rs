//! What is written in the picture: its lines to be selected, copied, read aloud and found, each tied to
//! its place.

use ::evidence::Line;
use egui::{
    Color32, Label, Response, RichText, ScrollArea, Shape, Stroke, TextEdit, Ui, pos2, vec2,
};
use egui_material_icons::icons::{ICON_CONTENT_COPY, ICON_VOLUME_UP};

use super::mark::Place;
use super::stage::Stage;
use super::theme::{Palette, space};
use super::widgets::icon_button;
use super::{Action, View};

/// Lines from which on they can be searched.
const LONG: usize = 8;
/// The most height that they take, in points.
const HEIGHT: f32 = 110.0;

/// Draws the lines, where there are some, or how far their reading has come.
pub fn show(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let palette = Palette::of(ui.visuals());
    let weak = |text: String| RichText::new(text).size(12.5).color(palette.weak);
    if let Some(progress) = view.stage.text_read {
        ui.label(weak(format!("Reading the text: {:.0} %", progress.fraction() * 100.0)));
    }
    let Stage { evidence, find, find_focus, line: lit, line_in_list, .. } = &mut view.stage;
    let seen = evidence.ready().map(|seen| &seen.evidence);
    let Some(seen) = seen.filter(|seen| !seen.lines.is_empty()) else { return };
    let lines = &seen.lines;
    let all = || lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n");
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        let count = match lines.len() {
            1 => "Text:".to_owned(),
            count => format!("Text, {count} lines:"),
        };
        ui.label(weak(count));
        if icon_button(ui, ICON_CONTENT_COPY, "Copy the text").clicked() {
            actions.push(Action::Copy(all()));
        }
        if icon_button(ui, ICON_VOLUME_UP, "Read the text aloud").clicked() {
            actions.push(Action::Say(all()));
        }
        if lines.len() >= LONG {
            let edit =
                TextEdit::singleline(find).hint_text("Find in the text").desired_width(150.0);
            let field = ui.add(edit).accessible_name("Find in the text");
            if std::mem::take(find_focus) {
                field.request_focus();
            }
        } else {
            find.clear();
        }
    });
    let wanted = find.trim().to_lowercase();
    let found = |line: &Line| wanted.is_empty() || line.text.to_lowercase().contains(&wanted);
    let mut pointed = None;
    ScrollArea::vertical().id_salt("text").max_height(HEIGHT).show(ui, |ui| {
        ui.spacing_mut().item_spacing = vec2(space::S, 2.0);
        for (index, line) in lines.iter().enumerate().filter(|(_, line)| found(line)) {
            let text = RichText::new(&line.text);
            let text = if *lit == Some(index) { text.color(palette.accent) } else { text };
            if ui.add(Label::new(text).wrap().selectable(true)).hovered() {
                pointed = Some(index);
            }
        }
    });
    *line_in_list = pointed;
}

/// Draws where the lines are over the picture; the one that is pointed at, there or in the list, lights
/// up.
pub fn paint(ui: &Ui, view: &mut View, response: &Response, place: Place) {
    let Some(seen) = view.stage.evidence.ready().map(|seen| &seen.evidence) else {
        view.stage.line = None;
        return;
    };
    let on_picture = response.hover_pos().and_then(|at| {
        let at = place.fraction(at);
        seen.lines.iter().position(|line| holds(line, (at.x, at.y)))
    });
    let pointed = on_picture.or(view.stage.line_in_list);
    let palette = Palette::of(ui.visuals());
    for (index, line) in seen.lines.iter().enumerate() {
        let corners = line.place.iter().map(|corner| place.point(*corner)).collect();
        let lit = pointed == Some(index);
        let fill = if lit { palette.accent.gamma_multiply(0.3) } else { Color32::TRANSPARENT };
        let stroke = Stroke::new(if lit { 2.0 } else { 1.0 }, palette.accent);
        ui.painter().add(Shape::convex_polygon(corners, fill, stroke));
    }
    if pointed != view.stage.line {
        view.stage.line = pointed;
        ui.ctx().request_repaint();
    }
}

/// Whether a point of the frame lies in the line, whose corners go round it.
fn holds(line: &Line, (x, y): (f32, f32)) -> bool {
    let at = pos2(x, y);
    let corners = line.place.map(|(x, y)| pos2(x, y));
    let side = |from: usize| {
        let (a, b) = (corners[from], corners[(from + 1) % corners.len()]);
        (b.x - a.x) * (at.y - a.y) - (b.y - a.y) * (at.x - a.x)
    };
    let sides = [side(0), side(1), side(2), side(3)];
    sides.iter().all(|side| *side >= 0.0) || sides.iter().all(|side| *side <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_lies_in_a_line_however_it_is_turned() {
        let line = |place| Line { text: "EXIT".into(), probability: 0.9, place };
        let flat = line([(0.2, 0.2), (0.6, 0.2), (0.6, 0.4), (0.2, 0.4)]);
        assert!(holds(&flat, (0.3, 0.3)) && !holds(&flat, (0.3, 0.5)));
        let turned = line([(0.5, 0.2), (0.8, 0.5), (0.5, 0.8), (0.2, 0.5)]);
        assert!(holds(&turned, (0.5, 0.5)) && !holds(&turned, (0.25, 0.25)));
    }
}
