//! What specialists see in the picture that is shown: names with their chances, before anything is
//! asked.

use ::evidence::{Evidence, Label, Sighting};
use egui::{Button, Panel, RichText, Ui, vec2};
use values::text::with_article;

use super::maps::Wanted;
use super::theme::{Palette, space};
use super::{Action, View, text};

/// Draws the row of names under the picture.
pub fn show(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let palette = Palette::of(ui.visuals());
    let weak = |text: &str| RichText::new(text).size(12.5).color(palette.weak);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::XS, space::XS);
        match &view.stage.evidence {
            Wanted::None => {}
            Wanted::Coming => {
                ui.label(weak("Looking …"));
            }
            Wanted::Failed(reason) => {
                ui.label(weak(reason));
            }
            Wanted::Ready(seen) => {
                for label in seen.evidence.labels.iter() {
                    let chip = chip(ui, label, true);
                    if chip.clicked() {
                        actions.push(Action::AskThis(question(label)));
                    }
                    if chip.hovered() || chip.has_focus() {
                        view.maps.peeked = Some(label.name.clone());
                    }
                }
                ui.label(weak(&rest(&seen.evidence)));
            }
        }
    });
    text::show(ui, view, actions);
}

/// The row as a panel of its own below what is left of `ui`, and its upper edge.
pub fn panel(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) -> Option<f32> {
    if matches!(view.stage.evidence, Wanted::None) {
        return None;
    }
    let margin = egui::Margin { left: space::L as i8, right: space::L as i8, top: 0, bottom: 8 };
    let panel = Panel::bottom("evidence")
        .frame(egui::Frame::new().inner_margin(margin))
        .resizable(false)
        .show_separator_line(false);
    Some(panel.show(ui, |ui| show(ui, view, actions)).response.rect.top())
}

/// A name that can be asked about. `kind` says whether its kind is shown.
pub fn chip(ui: &mut Ui, label: &Label, kind: bool) -> egui::Response {
    let text = words(label, kind);
    let question = question(label);
    let button = Button::new(RichText::new(&text).size(13.5)).corner_radius(12.0);
    ui.add(button.min_size(vec2(0.0, 26.0)))
        .on_hover_text(format!("Ask: {question}"))
        .accessible_name(format!("{text}: ask about it"))
}

/// "tabby cat · 62 % · cat": a name, its chance and what kind of thing it is.
pub fn words(label: &Label, kind: bool) -> String {
    let kind = label.kind.as_ref().filter(|of| kind && **of != label.name);
    let kind = kind.map_or(String::new(), |kind| format!(" · {kind}"));
    format!("{} · {:.0} %{kind}", label.name, label.probability * 100.0)
}

/// What is asked about a name.
pub fn question(label: &Label) -> String {
    format!("Is it {}?", with_article(&label.name))
}

/// What there is to say beside the names.
fn rest(evidence: &Evidence) -> String {
    let colours: Vec<&str> = evidence.colours.iter().map(|colour| colour.term.name()).collect();
    let colours = colours.join(", ");
    if evidence.labels.iter().next().is_some() {
        return colours;
    }
    format!("Nothing that has a name here; colours: {colours}")
}

/// What a screen reader is told of the names in the picture that is shown.
pub fn announcement(seen: &Sighting) -> String {
    let names: Vec<String> = seen.evidence.labels.iter().map(|label| words(label, false)).collect();
    if names.is_empty() { String::new() } else { format!("In the picture: {}", names.join(", ")) }
}
