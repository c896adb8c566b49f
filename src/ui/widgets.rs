//! The few controls that the panels share.

use egui::{Button, Response, RichText, Ui, Vec2};
use egui_material_icons::MaterialIcon;

use super::theme::{ICON, Palette, TOUCH};

/// A button with an icon alone, named for those who do not see it and shown on hovering.
pub fn icon_button(ui: &mut Ui, icon: MaterialIcon, name: &str) -> Response {
    sized_icon_button(ui, icon, name, TOUCH, false)
}

/// The same, pressed down or not.
pub fn icon_toggle(ui: &mut Ui, icon: MaterialIcon, name: &str, on: bool) -> Response {
    sized_icon_button(ui, icon, name, TOUCH, on)
}

fn sized_icon_button(
    ui: &mut Ui,
    icon: MaterialIcon,
    name: &str,
    side: f32,
    selected: bool,
) -> Response {
    let text = icon.rich_text().size(ICON);
    let button = Button::new(text).min_size(Vec2::splat(side)).selected(selected);
    ui.add(button).on_hover_text(name).accessible_name(name)
}

/// A button with an icon and a word.
pub fn labelled_button(ui: &mut Ui, icon: MaterialIcon, word: &str) -> Response {
    let button = Button::new((icon.rich_text().size(ICON), RichText::new(word)));
    ui.add(button.min_size(Vec2::new(0.0, TOUCH))).accessible_name(word)
}

/// The same, for the one thing most people want here.
pub fn main_button(ui: &mut Ui, icon: MaterialIcon, word: &str) -> Response {
    let palette = Palette::of(ui.visuals());
    let text = RichText::new(word).color(palette.on_accent);
    let icon = icon.rich_text().size(ICON).color(palette.on_accent);
    let button = Button::new((icon, text)).fill(palette.accent);
    ui.add(button.min_size(Vec2::new(0.0, TOUCH + 4.0))).accessible_name(word)
}

/// Inside a scroll area: brings what just got the focus into view. egui does not by itself, and who
/// goes by keyboard would be lost.
pub fn follow_focus(ui: &Ui) {
    let focused = ui.memory(egui::Memory::focused);
    let key = ui.scope_id().with("followed");
    let before: Option<egui::Id> = ui.data(|data| data.get_temp(key));
    if focused == before {
        return;
    }
    ui.data_mut(|data| match focused {
        Some(id) => {
            data.insert_temp(key, id);
        }
        None => data.remove::<egui::Id>(key),
    });
    if let Some(response) = focused.and_then(|id| ui.ctx().read_response(id))
        && response.layer_id == ui.layer_id()
        && ui.min_rect().contains(response.rect.center())
        && !ui.clip_rect().contains_rect(response.rect)
    {
        ui.scroll_to_rect(response.rect, None);
    }
}

/// Seconds for people: "0.8 s", "12 s", "1 min 20 s".
pub fn seconds(seconds: f64) -> String {
    if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 99.5 {
        format!("{seconds:.0} s")
    } else {
        let whole = seconds.round() as u64;
        format!("{} min {} s", whole / 60, whole % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        assert_eq!(seconds(0.84), "0.8 s");
        assert_eq!(seconds(9.97), "10 s");
        assert_eq!(seconds(80.4), "80 s");
        assert_eq!(seconds(200.0), "3 min 20 s");
    }
}
