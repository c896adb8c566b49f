//! An answer tied to its picture: phrases light boxes, and boxes light phrases.

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use lorgnette_ui::Action;
use lorgnette_ui::maps::{MapAction, MapKind};

use super::bench::{WIDE, answered, lit, other_picture};

#[test]
fn pointing_at_a_phrase_lights_its_box_and_pointing_at_the_box_its_phrase() {
    for mirrored in [false, true] {
        let mut bench = answered(WIDE, mirrored);
        let seen = |x: f32| if mirrored { 1.0 - x } else { x };
        assert!(!bench.has("Place of"));
        bench.window.get_by_label("red square").hover();
        bench.steps();
        let place = bench.window.get_by_label_contains("Place of red square").rect();
        let middle = bench.at(seen(0.25), 0.5);
        assert!(place.center().distance(middle) < 3.0, "{place} {middle}");
        assert!(!bench.has("Place of green one"));

        bench.window.hover_at(bench.at(seen(0.72), 0.35));
        bench.steps();
        assert!(lit(&bench, "green one") && !lit(&bench, "red square"));
        assert!(bench.has("Place of green one"));
        bench.window.hover_at(bench.at(seen(0.5), 0.95));
        bench.steps();
        assert!(!lit(&bench, "green one") && !bench.has("Place of"));
    }
}

#[test]
fn a_phrase_without_a_place_stays_plain_text() {
    let bench = answered(WIDE, false);
    assert!(bench.window.query_by_label("grey ground").is_none());
    assert!(bench.has("Underlined words are tied to the part that, seen alone, says them."));
}

#[test]
fn a_click_pins_a_phrase_until_another_click_or_escape() {
    let mut bench = answered(WIDE, false);
    bench.click("red square");
    assert_eq!(bench.asked(), [MapAction::Pin(Some((0, 0)))]);
    bench.window.hover_at(egui::pos2(2.0, 2.0));
    bench.steps();
    assert!(bench.has("Place of red square") && lit(&bench, "red square"));
    assert!(bench.has("Pinned: red square, left"), "it is announced");
    bench.click("red square");
    assert_eq!(bench.asked(), [MapAction::Pin(None)]);
    bench.click("green one");
    bench.press(Modifiers::NONE, Key::Escape);
    assert_eq!(bench.asked(), [MapAction::Pin(Some((0, 1))), MapAction::Pin(None)]);
    // By keyboard as well.
    bench.window.get_by_label("green one").focus();
    bench.steps();
    assert!(bench.has("Place of green one"));
    bench.press(Modifiers::NONE, Key::Enter);
    assert_eq!(bench.asked(), [MapAction::Pin(Some((0, 1)))]);
}

#[test]
fn a_lit_box_does_not_keep_the_pointer_from_the_picture() {
    let mut bench = answered(WIDE, false);
    bench.click("red square");
    let at = bench.at(0.25, 0.5);
    for event in [true, false] {
        bench.window.event(egui::Event::PointerMoved(at));
        bench.window.event(egui::Event::PointerButton {
            pos: at,
            button: egui::PointerButton::Primary,
            pressed: event,
            modifiers: Modifiers::NONE,
        });
        bench.steps();
    }
    let marks = |action: &Action| matches!(action, Action::Mark(Some(_)));
    assert!(bench.window.state().actions.iter().any(marks));
}

#[test]
fn an_answer_about_another_picture_has_no_marks() {
    let mut bench = answered(WIDE, false);
    bench.view().maps.kind = Some(MapKind::Word);
    bench.show(other_picture(), false);
    bench.steps();
    assert!(bench.window.query_by_label("red square").is_none());
    assert!(bench.has("It is tied to another picture than the one shown."));
    assert!(bench.has("Ask about the picture first, or type a word."));
    bench.window.hover_at(bench.at(0.25, 0.5));
    bench.steps();
    assert!(!bench.has("Place of"));
}
