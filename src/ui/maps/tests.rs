//! Which map is to be seen, and what is said of it.

use std::time::Duration;

use conversation::{Answer, Exchange, Finish, Options, Picture};
use values::frame::{Frame, Source};

use super::pick::{Instead, Picked, nats, pick};
use super::*;
use crate::stage::Shown;

fn view() -> View {
    let frame = Frame::new(image::RgbImage::new(4, 4), Source::Memory("black".into()));
    let mut view = View::default();
    let about = |text: &str| {
        let (pictures, options) = (vec![Picture::of(&frame, None)], Options::default());
        let answer = Answer { text: text.into(), finish: Finish::End, ..Answer::default() };
        let asked = Exchange::new("What is that?", pictures, options, None);
        Card::kept(Exchange { answer, ..asked })
    };
    view.talk.cards = vec![about("A lemon."), about("A lime.")];
    view.stage.shown = Some(Shown { frame, live: false, mirrored: false });
    view
}

fn map(values: [f32; 4]) -> Heatmap {
    Heatmap::new(2, 2, values.to_vec()).unwrap()
}

#[test]
fn maps_follow_one_another_and_none_is_one_of_them() {
    let mut kind = None;
    let mut seen = Vec::new();
    for _ in 0..5 {
        kind = MapKind::next(kind, false);
        seen.push(kind);
    }
    assert_eq!(seen[..4], MapKind::ALL.map(Some));
    assert_eq!(seen[4], None);
    for wanted in seen.iter().rev().skip(1) {
        kind = MapKind::next(kind, true);
        assert_eq!(kind, *wanted);
    }
}

#[test]
fn words_are_of_the_last_complete_answer_about_the_picture() {
    let mut view = view();
    assert_eq!(card(&view), Some(1));
    view.maps.word = Some((0, 3));
    assert_eq!(card(&view), Some(0));
    view.maps.word = Some((7, 0));
    assert_eq!(card(&view), Some(1));
    view.talk.cards[1].under_way = true;
    assert_eq!(card(&view), Some(0));
    view.talk.cards[0].exchange.pictures.clear();
    assert_eq!(card(&view), None);
}

#[test]
fn without_a_map_it_is_said_what_to_do() {
    let mut view = view();
    assert_eq!(pick(&view).unwrap_err(), Instead::Off);
    view.maps.kind = Some(MapKind::Encoder);
    assert!(matches!(pick(&view), Err(Instead::Coming(_))));
    view.maps.encoder = Wanted::Failed("no tower".into());
    assert_eq!(pick(&view).unwrap_err(), Instead::Failed("no tower".into()));
    view.maps.kind = Some(MapKind::Phrase);
    assert!(matches!(pick(&view), Err(Instead::Hint(hint)) if hint.contains("CLIP or SigLIP")));
    view.maps.dual = Wanted::Ready("CLIP".into());
    assert!(matches!(pick(&view), Err(Instead::Hint("Type what to look for."))));
    view.maps.kind = Some(MapKind::Word);
    assert!(matches!(pick(&view), Err(Instead::Hint(_))));
    view.talk.cards[1].grounding = Wanted::Ready(Grounding::default());
    assert!(matches!(pick(&view), Err(Instead::Hint(hint)) if hint.contains("no word")));
    view.maps.kind = Some(MapKind::Causal);
    assert!(matches!(pick(&view), Err(Instead::Hint(_))));
    view.stage.shown = None;
    assert!(matches!(pick(&view), Err(Instead::Hint(hint)) if hint.contains("stands still")));
}

#[test]
fn a_typed_word_is_shown_in_place_of_the_answers() {
    let mut view = view();
    view.maps.kind = Some(MapKind::Word);
    let typed = Typed { text: "pear".into(), map: map([0.0, 1.0, 2.0, 3.0]), present: true };
    view.maps.typed = Wanted::Ready(typed);
    let picked = pick(&view).unwrap();
    assert!(matches!(picked, Picked::TypedWord(typed) if typed.text == "pear"));
    assert!(picked.label().contains("teacher-forced as \"A pear.\""));
}

#[test]
fn a_check_is_about_its_own_answer_and_no_other_picture() {
    let mut view = view();
    view.maps.kind = Some(MapKind::Causal);
    let causal = Causal {
        map: map([0.0, -0.2, 1.5, 0.1]),
        fill: values::config::Fill::Mean,
        done: 4,
        total: 4,
        running: false,
        area: None,
        greatest: 1.5,
        random: Some(-0.004),
    };
    view.maps.causal = Wanted::Ready(causal);
    view.maps.checked = Some(0);
    let label = pick(&view).unwrap().label().into_owned();
    assert!(label.ends_with("by −1.50 (random area: 0.00)."), "{label}");
    view.talk.cards[0].exchange.pictures.clear();
    assert!(pick(&view).is_err());
}

#[test]
fn falls_are_said_as_changes() {
    assert_eq!(nats(2.314), "−2.31");
    assert_eq!(nats(-0.5), "+0.50");
    assert_eq!(nats(0.004), "0.00");
    assert_eq!(nats(-0.004), "0.00");
}

#[test]
fn the_texture_is_made_when_another_map_is_to_be_seen_and_only_then() {
    let ctx = egui::Context::default();
    let mut view = view();
    view.maps.kind = Some(MapKind::Encoder);
    let heads = vec![vec![map([1.0, 2.0, 3.0, 4.0]), map([3.0, 2.0, 1.0, 0.0])]];
    let rollout = map([0.0, 1.0, 2.0, 3.0]);
    let maps = EncoderMaps { rollout, heads, plain: false, took: Duration::ZERO };
    view.maps.encoder = Wanted::Ready(Arc::new(maps));
    let made = |view: &mut View| {
        refresh(&ctx, view);
        let changed = ctx.tex_manager().write().take_delta().set.len();
        (changed, view.maps.layer.facts())
    };
    // The font's own texture comes with nothing of this.
    let (changed, facts) = made(&mut view);
    assert!(changed >= 1);
    let facts = facts.unwrap();
    assert_eq!((facts.range.low, facts.range.high, facts.flat), (0.0, 3.0, false));
    assert_eq!(made(&mut view).0, 0);
    view.maps.attention = Attention::Layer(0);
    let (changed, facts) = made(&mut view);
    assert_eq!((changed, facts.unwrap().range.low), (1, 2.0), "the mean of two heads is even");
    assert!(facts.unwrap().flat);
    view.maps.attention = Attention::Head(0, 9);
    assert_eq!(made(&mut view).1, None);
    view.maps.kind = None;
    assert_eq!(made(&mut view).1, None);
}
