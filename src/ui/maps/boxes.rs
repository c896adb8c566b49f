//! Where the phrases of an answer were found: boxes on the picture that light their phrase, and are
//! lit by it.

use egui::{
    Align2, Color32, CornerRadius, FontId, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui,
    WidgetInfo, pos2, vec2,
};
use explain::{Phrase, Place as Found};

use super::{card_phrases, is_shown};
use crate::View;
use crate::mark::{self, Place};
use crate::theme::DARK;

/// The phrases with places in the picture that is shown: card, number, phrase, place.
fn placed(view: &View) -> impl DoubleEndedIterator<Item = (usize, usize, &Phrase, Found)> {
    let cards = view.talk.cards.iter().enumerate();
    cards.filter(|(_, card)| is_shown(view, card)).flat_map(|(index, card)| {
        let phrases = card_phrases(card).iter().enumerate();
        phrases.flat_map(move |(at, phrase)| {
            phrase.places.iter().map(move |place| (index, at, phrase, *place))
        })
    })
}

/// The phrase of this card and its surest place, where it has one in the picture that is shown.
fn find(view: &View, (card, phrase): (usize, usize)) -> Option<(&Phrase, Found)> {
    let here = |(of, at, _, _): &(usize, usize, &Phrase, Found)| (*of, *at) == (card, phrase);
    placed(view).find(here).map(|(_, _, phrase, found)| (phrase, found))
}

/// The phrase that is pinned, where it is, and whether the picture is mirrored.
pub(super) fn pinned(view: &View) -> Option<(&str, Found, bool)> {
    let (phrase, found) = find(view, view.maps.pinned?)?;
    let mirrored = view.stage.shown.as_ref().is_some_and(|shown| shown.mirrored);
    Some((&phrase.text, found, mirrored))
}

/// What the pointer is on, where it is on no phrase in the text: the smallest box below it, and of
/// equal ones the newest.
pub fn point(view: &mut View, response: &Response, place: Place) {
    if view.maps.pointed.is_some() || view.stage.grab.is_some() {
        return;
    }
    let Some(at) = response.hover_pos() else { return };
    let at = place.fraction(at);
    let size = |found: &Found| found.region.width() * found.region.height();
    let below = placed(view).rev().filter(|(_, _, _, found)| contains(found, at));
    let smallest = below.min_by(|(_, _, _, a), (_, _, _, b)| size(a).total_cmp(&size(b)));
    view.maps.pointed = smallest.map(|(card, phrase, _, _)| (card, phrase));
}

fn contains(found: &Found, at: egui::Pos2) -> bool {
    let region = found.region;
    (region.x()..=region.x() + region.width()).contains(&at.x)
        && (region.y()..=region.y() + region.height()).contains(&at.y)
}

/// Draws the boxes that are lit; the others faintly, while the pointer is over the picture.
pub fn show(ui: &Ui, view: &View, response: &Response, place: Place) {
    let maps = &view.maps;
    let lit = |of: (usize, usize)| maps.pinned == Some(of) || maps.pointed == Some(of);
    let last = placed(view).next_back().map(|(card, ..)| card);
    if response.hovered() && view.stage.grab.is_none() {
        let painter = ui.painter_at(place.rect);
        for (card, phrase, _, found) in placed(view) {
            if Some(card) == last && !lit((card, phrase)) {
                let rect = place.screen(found.region);
                let dark = Stroke::new(2.5, Color32::from_black_alpha(90));
                painter.rect_stroke(rect, 3.0, dark, StrokeKind::Inside);
                let bright = Stroke::new(1.0, DARK.text.gamma_multiply(0.75));
                painter.rect_stroke(rect.shrink(0.75), 3.0, bright, StrokeKind::Inside);
            }
        }
    }
    for (card, phrase, of, found) in placed(view) {
        if lit((card, phrase)) {
            let rect = place.screen(found.region);
            light(ui, of, found, rect, place);
        }
    }
}

fn light(ui: &Ui, phrase: &Phrase, found: Found, rect: Rect, place: Place) {
    let painter = ui.painter_at(place.rect.expand(2.0));
    // The surer, the fuller.
    let fill = 0.10 + 0.18 * found.strength.clamp(0.0, 1.0);
    painter.rect_filled(rect, 4.0, DARK.accent.gamma_multiply(fill));
    let dark = Stroke::new(4.0, Color32::from_black_alpha(150));
    painter.rect_stroke(rect, 4.0, dark, StrokeKind::Middle);
    painter.rect_stroke(rect, 4.0, Stroke::new(2.0, DARK.accent), StrokeKind::Middle);

    let strength = format!("{:.0}\u{a0}%", found.strength.clamp(0.0, 1.0) * 100.0);
    let by = phrase.tie.name();
    let tag = format!("{} · {by} {strength}", phrase.text);
    let room = (place.rect.width() - 12.0).max(20.0);
    let galley = painter.layout(tag, FontId::proportional(12.5), DARK.text, room);
    let size = galley.size() + vec2(12.0, 4.0);
    // Above the box where there is room, else inside it.
    let all = place.rect;
    let x = rect.left().clamp(all.left(), (all.right() - size.x).max(all.left()));
    let above = rect.top() - size.y - 3.0;
    let y = if above >= all.top() { above } else { (rect.top() + 4.0).max(all.top()) };
    let ground = Align2::LEFT_TOP.anchor_size(pos2(x, y), size);
    painter.rect_filled(ground, CornerRadius::same(6), DARK.card.gamma_multiply(0.94));
    painter.galley(ground.min + vec2(6.0, 2.0), galley, DARK.text);

    let where_it_is = mark::describe(found.region, place.mirrored);
    let name = format!("Place of {}: {where_it_is}, {by}, {strength}", phrase.text);
    let id = ui.scope_id().with((
        "place",
        phrase.bytes.start,
        phrase.bytes.end,
        rect.min.x as i32,
        rect.min.y as i32,
    ));
    let node = ui.interact(rect.intersect(all), id, Sense::hover());
    node.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
}
