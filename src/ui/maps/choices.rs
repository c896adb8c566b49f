//! The user's own words, compared with the picture by the dual encoder (zero-shot classification).

use egui::{
    Align2, FontId, Key, Label, Response, RichText, Role, Sense, TextEdit, Ui, WidgetInfo, vec2,
};
use egui_material_icons::icons::ICON_EDIT;

use super::words::bordered;
use crate::theme::{Palette, space};
use crate::widgets::icon_toggle;
use crate::{Action, View};

/// Width and height of one word with its bar, in points.
const CELL: (f32, f32) = (150.0, 22.0);
/// Longest list of words, in characters.
const LONGEST: usize = 1000;

/// Draws the words with their shares, the greatest first, and lets the user change them.
pub fn show(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let Some(model) = view.maps.dual.ready().cloned() else { return };
    let palette = Palette::of(ui.visuals());
    ui.horizontal(|ui| {
        let text = format!("{model} compares your words with the picture.");
        let width = (ui.available_width() - 44.0).max(60.0);
        ui.allocate_ui(vec2(width, 24.0), |ui| {
            ui.add(Label::new(RichText::new(text).size(12.5).color(palette.weak)).truncate())
                .on_hover_text("What is not listed cannot be found.");
        });
        let editing = view.maps.typing_choices.is_some();
        if icon_toggle(ui, ICON_EDIT, "Edit your words", editing).clicked() {
            let words = view.settings.maps.choices.join(", ");
            view.maps.typing_choices = (!editing).then_some(words);
        }
    });
    if let Some(mut text) = view.maps.typing_choices.take() {
        let before = view.settings.maps.choices.clone();
        let choices = &mut view.settings.maps.choices;
        let left = line(ui, &mut text, choices).lost_focus();
        if *choices != before {
            actions.push(Action::SettingsChanged);
        }
        view.maps.typing_choices = (!left).then_some(text);
    }
    let mut shares: Vec<&(String, f32)> = view.maps.choices.iter().collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::M, 2.0);
        for (word, share) in shares {
            cell(ui, word, *share, palette);
        }
    });
}

fn cell(ui: &mut Ui, word: &str, share: f32, palette: Palette) {
    let share = share.clamp(0.0, 1.0);
    let (rect, response) = ui.allocate_exact_size(CELL.into(), Sense::hover());
    let name = format!("{word}: {:.0} %", share * 100.0);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &name));
    let painter = ui.painter_at(rect);
    let font = FontId::proportional(12.5);
    let percent = format!("{:.0} %", share * 100.0);
    painter.text(rect.right_top(), Align2::RIGHT_TOP, percent, font.clone(), palette.weak);
    let room = rect.with_max_x(rect.right() - 40.0);
    ui.painter_at(room).text(rect.left_top(), Align2::LEFT_TOP, word, font, palette.text);
    let bar = rect.with_min_y(rect.bottom() - 4.0);
    painter.rect_filled(bar, 2.0, palette.button);
    let full = bar.with_max_x(bar.left() + bar.width() * share);
    painter.rect_filled(full, 2.0, palette.accent);
    response.on_hover_text(name);
}

/// A line with the words, separated by commas: taken over when it is left, but by Esc.
pub(super) fn line(ui: &mut Ui, text: &mut String, choices: &mut Vec<String>) -> Response {
    let edit = TextEdit::singleline(text)
        .hint_text("Words, separated by commas")
        .desired_width(ui.available_width())
        .char_limit(LONGEST);
    let response = bordered(ui, edit).accessible_name("Your words, separated by commas");
    if response.lost_focus() && !ui.input(|input| input.key_pressed(Key::Escape)) {
        *choices = split(text);
    }
    response
}

/// The words of a list, each once.
fn split(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split([',', ';', '\n']) {
        let word = values::text::words(word);
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_list_holds_each_word_once_and_none_that_is_blank() {
        assert_eq!(split(" a  cat, dog;dog\n, ,bird"), ["a cat", "dog", "bird"]);
        assert!(split(" ,; ").is_empty());
    }
}
