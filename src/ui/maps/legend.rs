//! What the colours of a map mean: the raw range, the grid, and how strongly it covers the picture.

use egui::{
    Align, Label, Layout, Mesh, Rect, RichText, Role, Sense, Shape, Slider, Stroke, StrokeKind, Ui,
    WidgetInfo, pos2, vec2,
};
use explain::ShownMap;
use values::heatmap::paint::{self, Scale};

use super::layer::coloured;
use crate::theme::{Palette, space};
use crate::{Action, View};

/// Width and height of the colour bar, in points.
const BAR: (f32, f32) = (96.0, 10.0);
/// Width of the opacity's word and slider, in points.
const OPACITY: f32 = 140.0;
/// Steps of the bar's colours.
const STEPS: u32 = 48;

/// Draws the legend.
pub(super) fn show(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    ui.scope(|ui| draw(ui, view, actions));
}

fn draw(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let palette = Palette::of(ui.visuals());
    let small = |ui: &mut Ui, text: String| {
        ui.add(Label::new(RichText::new(text).size(12.5).color(palette.weak)).extend())
    };
    let Ok(shown) = &view.maps.layer.shown else { return };
    let ShownMap { unit, hint, .. } = *shown;
    let [low, high] = ends(shown.scale);
    let [least, most] = ends(shown.range);
    let (rows, cols) = (shown.map.rows(), shown.map.cols());
    // Where the colours end at this map's own values, they are said there.
    let own = shown.range == shown.scale;
    let range = if own { unit.to_owned() } else { format!("{unit} {least} … {most}") };
    let (scale, grey) = (shown.scale, shown.is_grey());
    ui.spacing_mut().interact_size.y = 18.0;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(6.0, space::XS);
        small(ui, low);
        bar(ui, scale, grey);
        small(ui, high);
        ui.add_space(space::XS);
        small(ui, range).on_hover_text(hint);
        ui.add_space(space::XS);
        small(ui, format!("{cols} × {rows} grid")).on_hover_text("Columns by rows");
        ui.add_space(space::XS);
        // As one, so that the word never stands in another line than its slider.
        let layout = Layout::left_to_right(Align::Center);
        ui.allocate_ui_with_layout(vec2(OPACITY, 18.0), layout, |ui| opacity(ui, view, actions));
    });
}

fn opacity(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let palette = Palette::of(ui.visuals());
    ui.label(RichText::new("Opacity").size(12.5).color(palette.weak));
    ui.spacing_mut().slider_width = 84.0;
    let opacity = &mut view.settings.maps.opacity;
    let slider = Slider::new(opacity, 0.1..=1.0).step_by(0.05).show_value(false);
    if ui.add(slider).accessible_name("Opacity of the map").changed() {
        actions.push(Action::SettingsChanged);
    }
}

/// The colours from the lower end of the scale to the upper, as they are over the picture.
fn bar(ui: &mut Ui, scale: Scale, grey: bool) {
    let (rect, response) = ui.allocate_exact_size(BAR.into(), Sense::hover());
    let [low, high] = ends(scale);
    let name = format!("Colours from {low} to {high}");
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    let palette = Palette::of(ui.visuals());
    ui.painter().rect_filled(rect, 0.0, palette.stage);
    let colours = coloured(&paint::legend(STEPS, 1), grey);
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

/// Both ends of a scale, in as many digits as the greater of them needs.
fn ends(Scale { low, high }: Scale) -> [String; 2] {
    let size = low.abs().max(high.abs());
    let text = |value: f32| match size {
        _ if value.abs() <= size * 1e-4 => "0".to_owned(),
        _ if size >= 100.0 => format!("{value:.0}"),
        _ if size >= 1.0 => format!("{value:.2}"),
        _ if size >= 0.01 => format!("{value:.4}"),
        _ if size >= 1e-4 => format!("{value:.6}"),
        _ => format!("{value:.1e}"),
    };
    [low, high].map(|value| text(value).replace('-', "−"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_values_are_short_and_never_lost() {
        for (low, high, wanted) in [
            (0.0, 0.0, ["0", "0"]),
            (-0.02, 2.194, ["−0.02", "2.19"]),
            (1e-21, 0.8082, ["0", "0.8082"]),
            (0.12, 1234.6, ["0", "1235"]),
            (0.001_74, 0.001_8, ["0.001740", "0.001800"]),
            (-0.000_002, 0.000_012, ["−2.0e−6", "1.2e−5"]),
        ] {
            assert_eq!(ends(Scale { low, high }), wanted);
        }
    }
}
