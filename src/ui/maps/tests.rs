//! Which map is to be seen, and what is said of it.

use std::time::Duration;

use conversation::{Answer, Exchange, Finish, Options, Picture};
use values::frame::{Frame, Source};

use explain::{Grounding, Search};
use values::heatmap::Heatmap;

use super::pick::{Instead, pick};
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
    for _ in 0..=MapKind::ALL.len() {
        kind = MapKind::next(kind, false);
        seen.push(kind);
    }
    let (last, all) = seen.split_last().unwrap();
    assert_eq!((all, *last), (&MapKind::ALL.map(Some)[..], None));
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
    assert!(matches!(pick(&view), Err(Instead::Coming(_))), "it was not read yet");
    let read = Grounding { search: Search::Over, ..Grounding::default() };
    view.talk.cards[1].grounding = Wanted::Ready(read);
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
    let map = map([0.0, 1.0, 2.0, 3.0]);
    let typed = ForcedWord { word: "pear".into(), map, support: 2.0, seen: None };
    view.maps.typed = Wanted::Ready(typed);
    assert!(pick(&view).unwrap().claim.contains("teacher-forced as \"A pear.\""));
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
    assert!(pick(&view).unwrap().claim.ends_with("by −1.50 (random area: 0.00)."));
    view.talk.cards[0].exchange.pictures.clear();
    assert!(pick(&view).is_err());
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
        (changed, view.maps.layer.shown.is_ok())
    };
    // The font's own texture comes with nothing of this.
    let (changed, shown) = made(&mut view);
    assert!(changed >= 1 && shown);
    assert_eq!(made(&mut view), (0, true));
    view.maps.attention = Attention::Layer(0);
    assert_eq!(made(&mut view), (1, true));
    view.maps.attention = Attention::Head(0, 9);
    assert_eq!(made(&mut view), (0, false));
    view.maps.kind = None;
    assert_eq!(made(&mut view), (0, false));
}
