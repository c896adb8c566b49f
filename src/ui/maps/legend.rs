//! What the colours of a map mean: the raw range, the grid, and how strongly it covers the picture.

use egui::{
    Label, Mesh, Rect, RichText, Role, Sense, Shape, Slider, Stroke, StrokeKind, Ui, WidgetInfo,
    pos2, vec2,
};

use super::layer::{Facts, coloured};
use super::pick::Picked;
use crate::heatmap::paint::{self, Scale};
use crate::ui::theme::{Palette, space};
use crate::ui::{Action, View};

/// Width and height of the colour bar, in points.
const BAR: (f32, f32) = (110.0, 10.0);
/// Steps of its colours.
const STEPS: u32 = 48;

/// Draws the legend.
pub(super) fn show(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let palette = Palette::of(ui.visuals());
    let small = |text: String| Label::new(RichText::new(text).size(12.5).color(palette.weak));
    let Ok(picked) = super::pick::pick(view) else { return };
    let unit = picked.unit();
    let shared = matches!(picked, Picked::Word(..));
    let Some(facts) = view.maps.layer.facts() else { return };
    let Scale { low, high } = facts.scale;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(6.0, space::XS);
        ui.spacing_mut().interact_size.y = 20.0;
        ui.add(small(number(low)));
        bar(ui, facts);
        ui.add(small(number(high)));
        ui.add_space(space::S);
        let (rows, cols) = facts.grid;
        let range = format!("{unit} {} … {}", number(facts.range.low), number(facts.range.high));
        let hint = if shared {
            "The raw values of this map. The colours have one scale for all words of the answer."
        } else {
            "The raw values of this map"
        };
        ui.add(small(range)).on_hover_text(hint);
        ui.add(small(format!("· {cols} × {rows} grid"))).on_hover_text("Columns by rows");
        ui.add_space(space::S);
        opacity(ui, view, actions);
    });
}

fn opacity(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let palette = Palette::of(ui.visuals());
    ui.label(RichText::new("Opacity").size(12.5).color(palette.weak));
    ui.spacing_mut().slider_width = 90.0;
    let opacity = &mut view.settings.maps.opacity;
    let slider = Slider::new(opacity, 0.1..=1.0).step_by(0.05).show_value(false);
    if ui.add(slider).accessible_name("Opacity of the map").changed() {
        actions.push(Action::SettingsChanged);
    }
}

/// The colours from the lower end of the scale to the upper, as they are over the picture.
fn bar(ui: &mut Ui, facts: Facts) {
    let (rect, response) = ui.allocate_exact_size(BAR.into(), Sense::hover());
    let Scale { low, high } = facts.scale;
    let name = format!("Colours from {} to {}", number(low), number(high));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    let palette = Palette::of(ui.visuals());
    ui.painter().rect_filled(rect, 0.0, palette.stage);
    let colours = coloured(&paint::legend(STEPS, 1), facts.grey());
    let width = rect.width() / STEPS as f32;
    let mut mesh = Mesh::default();
    for (step, colour) in colours.pixels.iter().enumerate() {
        let left = rect.left() + step as f32 * width;
        let cell = Rect::from_min_size(pos2(left, rect.top()), vec2(width, rect.height()));
        mesh.add_colored_rect(cell, *colour);
    }
    ui.painter().add(Shape::mesh(mesh));
    let line = Stroke::new(1.0, palette.border);
    ui.painter().rect_stroke(rect, 0.0, line, StrokeKind::Outside);
}

/// A raw value in as few digits as tell it apart.
pub(super) fn number(value: f32) -> String {
    let size = value.abs();
    let text = match size {
        0.0 => "0".to_owned(),
        _ if size >= 100.0 => format!("{value:.0}"),
        _ if size >= 1.0 => format!("{value:.2}"),
        _ if size >= 0.001 => format!("{value:.4}"),
        _ => format!("{value:.1e}"),
    };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_values_are_short_and_never_lost() {
        for (value, text) in [
            (0.0, "0"),
            (-12.345, "−12.35"),
            (0.02041, "0.0204"),
            (1234.6, "1235"),
            (0.000_012, "1.2e−5"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
