//! The panel beside the picture: which map, its controls, what it may claim, its legend.

use egui::{Button, ComboBox, Label, RichText, ScrollArea, Ui, Vec2, vec2};
use explain::ShownMap;

use super::pick::Instead;
use super::{MapAction, MapKind, Maps, check, choices, encoder, labels, legend, phrase, words};
use crate::theme::{Palette, TOUCH, space};
use crate::widgets::follow_focus;
use crate::{Action, View, mark};

/// From this width on, all maps are offered side by side, in points.
const SEGMENTS: f32 = 480.0;

/// How wide the panel is beside the picture: where under it too little height would be left.
pub fn beside(maps: &Maps, room: Vec2) -> Option<f32> {
    let is = room.y < 330.0 && room.x >= 420.0;
    is.then_some(if maps.kind.is_some() { room.x * 0.5 } else { 205.0 })
}

/// Draws the panel.
///
/// It is as high as what stands in it, up to `most` points.
pub fn show(ui: &mut Ui, view: &mut View, most: f32, actions: &mut Vec<Action>) {
    selector(ui, view, actions);
    let Some(kind) = view.maps.kind else { return };
    let height = (most - TOUCH - space::S).max(60.0);
    ScrollArea::vertical()
        .id_salt("map")
        .max_height(height)
        .min_scrolled_height(height)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 6.0;
            match kind {
                MapKind::Label => labels::show(ui, view, actions),
                MapKind::Encoder => encoder::show(ui, view, actions),
                MapKind::Word => words::show(ui, view, actions),
                MapKind::Phrase => phrase::show(ui, view, actions),
                MapKind::Causal => check::show(ui, view, actions),
            }
            said(ui, view);
            legend::show(ui, view, actions);
            if kind == MapKind::Phrase && !view.live.on {
                choices::show(ui, view, actions);
            }
            follow_focus(ui);
        });
}

fn selector(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let shown = view.maps.kind;
    let mut wanted = shown;
    let choices = std::iter::once(None).chain(MapKind::ALL.map(Some));
    let name = |kind: Option<MapKind>| kind.map_or("No map", MapKind::name);
    ui.horizontal_wrapped(|ui| {
        if ui.available_width() >= SEGMENTS {
            ui.spacing_mut().item_spacing = vec2(space::XS, space::XS);
            ui.spacing_mut().button_padding.x = 8.0;
            for kind in choices {
                let text = RichText::new(name(kind)).size(13.5);
                let button = Button::selectable(wanted == kind, text);
                if ui.add(button.min_size(vec2(0.0, 28.0))).clicked() {
                    wanted = kind;
                }
            }
        } else {
            ui.name_inputs("Map", |ui| {
                ComboBox::from_id_salt("map").selected_text(name(shown)).show_ui(ui, |ui| {
                    for kind in choices {
                        ui.selectable_value(&mut wanted, kind, name(kind));
                    }
                });
            });
        }
    });
    if wanted != shown {
        actions.push(Action::Maps(MapAction::Show(wanted)));
    }
}

/// What the map may claim, or why there is none.
fn said(ui: &mut Ui, view: &View) {
    let palette = Palette::of(ui.visuals());
    let line = |ui: &mut Ui, text: &str, colour| {
        ui.add(Label::new(RichText::new(text).size(13.0).color(colour)).wrap());
    };
    match &view.maps.layer.shown {
        Ok(shown) => {
            let colour = if shown.doubts().is_some() { palette.warn } else { palette.text };
            line(ui, &verdict(view, shown), colour);
            line(ui, &shown.claim, palette.weak);
        }
        Err(Instead::Off) => {}
        Err(Instead::Coming(text) | Instead::Hint(text)) => line(ui, text, palette.weak),
        Err(Instead::Failed(reason)) => line(ui, reason, palette.bad),
    }
}

/// What a map comes to, in one sentence.
fn verdict(view: &View, shown: &ShownMap) -> String {
    let mirrored = view.stage.shown.as_ref().is_some_and(|shown| shown.mirrored);
    let (x, y) = shown.map.peak();
    shown.verdict(&mark::place(x, y, mirrored))
}

/// What a screen reader is told of the map that is shown, and of the phrase that is pinned.
pub fn spoken(view: &View) -> String {
    let said = match &view.maps.layer.shown {
        // The figures of a check change all the time: they are told when it is over.
        Ok(_) if view.maps.is_checking() => "under way".to_owned(),
        Ok(shown) => format!("{} {}", verdict(view, shown), shown.claim),
        Err(Instead::Off) => String::new(),
        Err(Instead::Coming(text) | Instead::Hint(text)) => (*text).to_owned(),
        Err(Instead::Failed(reason)) => reason.clone(),
    };
    let kind = view.maps.peeked.as_ref().map(|_| MapKind::Label).or(view.maps.kind);
    let name = kind.filter(|_| !said.is_empty());
    let mut spoken = name.map_or(String::new(), |kind| format!("{}: {said}", kind.name()));
    if let Some((text, place, mirrored)) = super::boxes::pinned(view) {
        let place = mark::describe(place.region, mirrored);
        spoken = format!("{spoken} Pinned: {text}, {place}.");
    }
    spoken.trim().to_owned()
}
