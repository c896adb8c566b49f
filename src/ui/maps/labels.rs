//! Where the label encoder sees a label: of the chips, and of what the answer names.

use egui::{Button, CornerRadius, RichText, Ui, vec2};
use evidence::Sighting;
use explain::{ShownMap, Tie};

use super::pick::{Instead, wanted};
use super::{MapAction, card, card_phrases};
use crate::theme::space;
use crate::{Action, View};

/// Draws the names whose maps there are.
pub(super) fn show(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let Some(seen) = view.stage.evidence.ready() else { return };
    let shown = label(view, seen);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::XS, space::XS);
        for name in names(view, seen) {
            let selected = shown.as_ref() == Some(&name);
            let chip = Button::selectable(selected, RichText::new(&name).size(13.5))
                .corner_radius(CornerRadius::same(13))
                .min_size(vec2(24.0, 26.0));
            let chip = ui.add(chip).accessible_name(format!("Where it sees {name}"));
            if chip.clicked() {
                actions.push(Action::Maps(MapAction::Label(name)));
            }
        }
    });
}

/// The labels of the picture, the likeliest first, and those that tie a phrase of the answer.
fn names(view: &View, seen: &Sighting) -> Vec<String> {
    let mut names: Vec<String> =
        seen.evidence.labels.iter().map(|label| label.name.clone()).collect();
    let card = card(view).and_then(|card| view.talk.cards.get(card));
    for phrase in card.map_or(&[][..], card_phrases) {
        if let Tie::Label(label) = &phrase.tie
            && !names.contains(label)
        {
            names.push(label.clone());
        }
    }
    names
}

/// The label whose map is shown: the one that is pointed at, that was chosen, or the likeliest.
fn label(view: &View, seen: &Sighting) -> Option<String> {
    let chosen = view.maps.peeked.as_ref().or(view.maps.label.as_ref());
    let chosen = chosen.filter(|label| seen.maps.knows(label));
    chosen.cloned().or_else(|| names(view, seen).into_iter().next())
}

/// The map to be seen.
pub(super) fn pick(view: &View) -> Result<ShownMap, Instead> {
    let hint = "Open a picture first: labels are of what it shows.";
    let seen = wanted(&view.stage.evidence, "Looking …", hint)?;
    let found = label(view, seen).and_then(|label| seen.maps.find(&label));
    let nothing = Instead::Hint("The label encoder has no name for what is here.");
    found.as_ref().map(ShownMap::label).ok_or(nothing)
}
