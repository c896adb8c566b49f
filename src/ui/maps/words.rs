//! Through the words of an answer, one map after the other, and to any word that is typed.

use egui::{
    Align, Button, CornerRadius, Key, Response, RichText, ScrollArea, Sense, Stroke, TextEdit, Ui,
    scroll_area, vec2,
};
use egui_material_icons::icons::{ICON_CHEVRON_LEFT, ICON_CHEVRON_RIGHT, ICON_SEARCH};
use explain::Grounding;

use super::{MapAction, Wanted, WordSource, card};
use crate::theme::{Palette, TOUCH, space};
use crate::widgets::icon_button;
use crate::{Action, View};

/// From this width on, the typed word stands beside the words of the answer, in points.
const ONE_ROW: f32 = 520.0;
/// Longest word or phrase that can be looked for, in characters.
pub(super) const LONGEST: usize = 80;

/// Draws the words and the line for another one.
pub(super) fn show(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let one_row = ui.available_width() >= ONE_ROW;
    let known = card(view).is_some_and(|card| words(view, card).is_some());
    if one_row && known {
        ui.horizontal(|ui| {
            let width = ui.available_width() - 210.0;
            ui.allocate_ui(vec2(width, TOUCH), |ui| ui.horizontal(|ui| strip(ui, view, actions)));
            line(ui, view, actions);
        });
    } else {
        if known {
            ui.horizontal(|ui| strip(ui, view, actions));
        }
        ui.horizontal(|ui| line(ui, view, actions));
    }
    let both = |grounding: &Grounding| grounding.words.iter().any(|word| word.seen.is_some());
    if let Some((card, Some(_))) = shown(view)
        && words(view, card).is_some_and(both)
    {
        source(ui, view, actions);
    }
}

/// The words of this card's answer, where there are any.
fn words(view: &View, card: usize) -> Option<&Grounding> {
    let grounding = view.talk.cards.get(card)?.grounding.ready()?;
    (!grounding.words.is_empty()).then_some(grounding)
}

/// The card and the number of the word that is shown; no number while a typed word is.
fn shown(view: &View) -> Option<(usize, Option<usize>)> {
    let card = card(view)?;
    let word = words(view, card)?.word(card, view.maps.word);
    Some((card, word.filter(|_| matches!(view.maps.typed, Wanted::None))))
}

/// The word so many words further on.
pub fn step(view: &View, by: isize) -> Option<MapAction> {
    let (card, word) = shown(view)?;
    let grounding = words(view, card)?;
    let to = match word {
        Some(word) => word.saturating_add_signed(by).min(grounding.words.len() - 1),
        // From a typed word back into the answer.
        None => grounding.word(card, view.maps.word)?,
    };
    (word != Some(to)).then_some(MapAction::Word(card, to))
}

fn strip(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let Some((card, word)) = shown(view) else { return };
    let Some(grounding) = words(view, card) else { return };
    let mut wanted = None;
    ui.spacing_mut().item_spacing.x = space::XS;
    let mut arrow = |ui: &mut Ui, icon, name, by| {
        let to = step(view, by);
        ui.add_enabled_ui(to.is_some(), |ui| {
            if icon_button(ui, icon, name).clicked() {
                wanted = to;
            }
        });
    };
    arrow(ui, ICON_CHEVRON_LEFT, "Previous word", -1);
    arrow(ui, ICON_CHEVRON_RIGHT, "Next word", 1);
    let key = ui.scope_id().with("word");
    let before: Option<(usize, Option<usize>)> = ui.data(|data| data.get_temp(key));
    let moved = before != Some((card, word));
    ui.data_mut(|data| data.insert_temp(key, (card, word)));
    ScrollArea::horizontal()
        .id_salt("words")
        .scroll_bar_visibility(scroll_area::ScrollBarVisibility::AlwaysHidden)
        .auto_shrink([true, true])
        .show(ui, |ui| {
            for (index, of) in grounding.words.iter().enumerate() {
                let selected = word == Some(index);
                // The arrows are there for the keyboard: a stop at every word would be too many.
                let chip = Button::selectable(selected, RichText::new(&of.text).size(13.5))
                    .sense(Sense::CLICK)
                    .corner_radius(CornerRadius::same(13))
                    .min_size(vec2(24.0, 26.0));
                let name = format!("Word {} of {}: {}", index + 1, grounding.words.len(), of.text);
                let chip = ui.add(chip).accessible_name(name);
                if selected && moved {
                    chip.scroll_to_me(Some(Align::Center));
                }
                if chip.clicked() {
                    wanted = Some(MapAction::Word(card, index));
                }
            }
        });
    actions.extend(wanted.map(Action::Maps));
}

/// Where words of the answer are to be shown.
fn source(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let mut source = view.maps.source;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        for (one, name) in
            [(WordSource::Seen, "Seen alone"), (WordSource::Features, "Features (TAM)")]
        {
            ui.selectable_value(&mut source, one, RichText::new(name).size(13.0));
        }
    });
    if source != view.maps.source {
        actions.push(Action::Maps(MapAction::Source(source)));
    }
}

fn line(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let typed = &mut view.maps.typing_word;
    if let Some(text) = typed_line(ui, typed, "Any word", "Word to look for", "Show its map") {
        actions.push(Action::Maps(MapAction::TypeWord(text)));
    }
}

/// A field with a border: on the bare ground, its own would hardly stand out.
pub(super) fn bordered(ui: &mut Ui, edit: TextEdit<'_>) -> Response {
    ui.scope(|ui| {
        let border = Stroke::new(1.0, Palette::of(ui.visuals()).border);
        ui.visuals_mut().widgets.inactive.bg_stroke = border;
        ui.add(edit)
    })
    .inner
}

/// A line to type in with a button beside it; gives what was typed once it is meant.
pub(super) fn typed_line(
    ui: &mut Ui,
    text: &mut String,
    hint: &str,
    name: &str,
    button: &str,
) -> Option<String> {
    let width = (ui.available_width() - TOUCH - space::S * 2.0).clamp(60.0, 260.0);
    let edit = TextEdit::singleline(text)
        .hint_text(hint)
        .desired_width(width)
        .char_limit(LONGEST)
        .margin(egui::Margin::symmetric(8, 5));
    let response = bordered(ui, edit).accessible_name(name);
    let enter = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    let clicked = icon_button(ui, ICON_SEARCH, button).clicked();
    let wanted = values::text::words(text);
    ((enter || clicked) && !wanted.is_empty()).then_some(wanted)
}
