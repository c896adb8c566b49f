//! Maps over the picture, by the names that a screen reader gives, drawn from made-up values.

use std::time::Duration;

use egui::{Key, Modifiers};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::{NodeT, Queryable};
use encoder::{Attention, Found};
use explain::ForcedWord;
use image::RgbaImage;
use lorgnette_ui::Action;
use lorgnette_ui::maps::{MapAction, MapKind, Wanted, WordSource};
use values::config::Fill;
use values::heatmap::Heatmap;
use values::region::Region;

use super::bench::{
    ANSWER, Bench, SMALL, WIDE, answered, causal, encoder, grounding, lit, other_picture, spot,
};

fn showing(kind: MapKind) -> Bench {
    let mut bench = answered(WIDE, false);
    bench.view().maps.kind = Some(kind);
    bench.steps();
    bench
}

#[test]
fn every_map_is_chosen_and_says_what_it_may_claim() {
    let mut bench = answered(WIDE, false);
    bench.view().maps.encoder = encoder(6.0);
    bench.click("Attention");
    assert_eq!(bench.asked(), [MapAction::Show(Some(MapKind::Encoder))]);
    assert!(bench.has(
        "Where the vision encoder's attention flowed. The same for every question. Not why the \
         model answered."
    ));
    assert!(bench.has("24 × 24 grid"));
    bench.click("Word map");
    assert!(
        bench.has(
            "Image patches whose features point to 'red' in the answering model. Correlational."
        )
    );
    assert!(bench.has("9 × 9 grid"));
    bench.click("Phrase map");
    assert!(bench.has("choose a CLIP or SigLIP folder in the settings"));
    bench.click("Causal check");
    assert!(bench.has("Start the check"));
    bench.click("No map");
    assert_eq!(bench.asked().last(), Some(&MapAction::Show(None)));
    assert!(!bench.has("Start the check"));
}

#[test]
fn in_the_smallest_window_maps_are_chosen_from_a_list() {
    let mut bench = answered(SMALL, false);
    bench.click("Map");
    bench.click("Word map");
    assert_eq!(bench.asked(), [MapAction::Show(Some(MapKind::Word))]);
    assert!(bench.has("Image patches whose features point to 'red'"));
    // All of it can be seen beside a picture that is still one.
    let screen = bench.window.ctx.content_rect();
    let legend = bench.window.get_by_label("Opacity of the map").rect();
    assert!(screen.contains_rect(legend), "{legend}");
    assert!(bench.window.get_by_label_contains("Picture shapes").rect().height() > 100.0);
}

#[test]
fn keys_go_through_the_maps_and_the_words_while_a_question_is_typed() {
    let mut bench = answered(WIDE, false);
    bench.window.get_by_label("Question").focus();
    bench.steps();
    for _ in 0..2 {
        bench.press(Modifiers::NONE, Key::F2);
    }
    bench.press(Modifiers::NONE, Key::F3);
    bench.press(Modifiers::NONE, Key::F3);
    bench.press(Modifiers::SHIFT, Key::F3);
    bench.press(Modifiers::SHIFT, Key::F2);
    let shown = |kind| MapAction::Show(Some(kind));
    assert_eq!(
        bench.asked(),
        [
            shown(MapKind::Label),
            shown(MapKind::Word),
            MapAction::Word(0, 1),
            MapAction::Word(0, 2),
            MapAction::Word(0, 1),
            shown(MapKind::Label),
        ]
    );
    assert_eq!(bench.view().ask.question, "");
}

#[test]
fn the_words_of_an_answer_are_gone_through() {
    let mut bench = showing(MapKind::Word);
    bench.click("Next word");
    assert_eq!(bench.asked(), [MapAction::Word(0, 1)]);
    assert!(bench.has("features point to 'square'"));
    assert!(lit(&bench, "square"), "the word is lit in the answer");
    bench.click("Word 7 of 7: ground");
    assert_eq!(bench.asked(), [MapAction::Word(0, 6)]);
    // Behind the last there is none.
    assert!(bench.window.get_by_label("Next word").accesskit_node().is_disabled());
    bench.click("Previous word");
    assert_eq!(bench.asked(), [MapAction::Word(0, 5)]);
    // The colours have one scale for all words, the figures are each word's own.
    assert!(bench.has("Colours from 0 to 0.8") && bench.has("logits 0 … 1."));
    bench.click("Word 2 of 7: square");
    assert!(bench.has("Colours from 0 to 0.8") && bench.has("logits 0 … 4."));
}

#[test]
fn a_word_is_shown_where_it_is_seen_alone_or_by_its_features() {
    let mut bench = showing(MapKind::Word);
    assert!(!bench.has("Seen alone"), "nothing is offered that was not tried");
    if let Wanted::Ready(grounding) = &mut bench.view().talk.cards[0].grounding {
        for (index, word) in grounding.words.iter_mut().enumerate() {
            let high = [3.4, 3.0, 0.2, 3.0, 3.0, 3.0, 3.0][index];
            word.seen = Some(spot(8, (0.25, 0.5), -0.5, high));
        }
    }
    bench.steps();
    assert!(bench.has("seen alone, make the model say 'red': up to "));
    assert!(bench.has("gain of ln p"));
    bench.click("Word 3 of 7: beside");
    assert!(bench.has("No part of the picture alone makes the model say 'beside'."));
    bench.asked();
    bench.click("Features (TAM)");
    assert_eq!(bench.asked(), [MapAction::Source(WordSource::Features)]);
    assert!(bench.has("features point to 'beside'"));
    bench.click("Seen alone");
    assert!(bench.has("No part of the picture alone"));
}

#[test]
fn any_word_can_be_typed_and_is_said_to_be_forced() {
    let mut bench = showing(MapKind::Word);
    bench.type_in("Word to look for", "  lemon ");
    assert_eq!(bench.asked(), [MapAction::TypeWord("lemon".into())]);
    bench.view().maps.typed = Wanted::Coming;
    bench.steps();
    assert!(bench.has("Looking for the word …"));
    let typed = |support| ForcedWord {
        word: "lemon".into(),
        map: spot(9, (0.7, 0.3), 0.0, 2.0),
        support,
        seen: None,
    };
    bench.view().maps.typed = Wanted::Ready(typed(2.0));
    bench.steps();
    assert!(bench.has("teacher-forced as \"A lemon.\""));
    assert!(!bench.has("Not found"));
    bench.view().maps.typed = Wanted::Ready(typed(0.2));
    bench.steps();
    assert!(bench.has("Not found: 'lemon' does not stand out in this picture."));
    // An empty line asks for nothing.
    bench.view().maps.typing_word.clear();
    bench.click("Show its map");
    assert!(bench.asked().is_empty());
    // Back into the answer.
    bench.click("Next word");
    assert_eq!(bench.asked(), [MapAction::Word(0, 0)]);
    assert!(bench.has("features point to 'red'"));
}

#[test]
fn layers_and_heads_of_the_encoder_are_there_on_demand() {
    let mut bench = showing(MapKind::Encoder);
    bench.view().maps.encoder = Wanted::Coming;
    bench.steps();
    assert!(bench.has("Computing the encoder's attention …"));
    bench.view().maps.encoder = Wanted::Failed("The tower has no attention.".into());
    bench.steps();
    assert!(bench.has("The tower has no attention."));
    bench.view().maps.encoder = encoder(6.0);
    bench.steps();
    assert!(!bench.has("Head"));
    bench.click("Layer");
    bench.click("Layer 2 of 3");
    bench.click("Head");
    bench.click("Head 1 of 2");
    let wanted = [Attention::Layer(1), Attention::Head(1, 0)].map(MapAction::Attention);
    assert_eq!(bench.asked(), wanted);
    // A layer that another encoder does not have draws nothing, and breaks nothing.
    bench.view().maps.attention = Attention::Head(40, 7);
    bench.steps();
    assert!(!bench.has("24 × 24 grid"));
}

#[test]
fn a_map_in_which_nothing_stands_out_is_grey_and_says_so() {
    let mut bench = showing(MapKind::Encoder);
    bench.view().maps.encoder = encoder(1.06);
    bench.steps();
    assert!(bench.has("Low contrast: nothing stands out."));
    let seen = bench.window.render().unwrap();
    let plain = without_map(&mut bench);
    let at = bench.at(0.25, 0.5);
    // Over the red square: nearer to grey than it was, and no colour of the scale.
    let ([red, green, blue], [was, ..]) = (pixel(&seen, at), pixel(&plain, at));
    assert!(red < was && red > green && green.abs_diff(blue) < 25, "{red} {green} {blue}");
    bench.view().maps.kind = Some(MapKind::Encoder);
    bench.view().maps.encoder = encoder(6.0);
    bench.steps();
    assert!(!bench.has("Low contrast"));
}

#[test]
fn a_phrase_is_looked_for_by_the_dual_encoder() {
    let mut bench = showing(MapKind::Phrase);
    bench.click("Choose the folder …");
    assert_eq!(bench.asked(), [MapAction::ChooseDual]);
    bench.view().maps.dual = Wanted::Failed("No vision tower in the folder.".into());
    bench.steps();
    assert!(bench.has("No vision tower in the folder.") && bench.has("Choose the folder …"));
    bench.view().maps.dual = Wanted::Ready("CLIP ViT-B/32".into());
    bench.steps();
    bench.type_in("Phrase to look for", "a green  square");
    assert_eq!(bench.asked(), [MapAction::FindPhrase("a green square".into())]);
    let found = |present| Found {
        phrase: "a green square".into(),
        map: spot(7, (0.7, 0.3), 0.12, 0.31),
        present,
    };
    bench.view().maps.phrase = Wanted::Ready(found(true));
    bench.steps();
    assert!(bench.has("Where CLIP ViT-B/32 finds 'a green square'."));
    let vivid = bench.window.render().unwrap();
    bench.view().maps.phrase = Wanted::Ready(found(false));
    bench.steps();
    assert!(bench.has("Not found: 'a green square'"));
    // Absent, it has no colour of the scale.
    let grey = bench.window.render().unwrap();
    let at = bench.at(0.5, 0.45);
    assert_ne!(pixel(&vivid, at), pixel(&grey, at));
}

#[test]
fn the_users_words_are_compared_and_edited() {
    let mut bench = showing(MapKind::Phrase);
    bench.view().maps.dual = Wanted::Ready("CLIP ViT-B/32".into());
    bench.view().maps.choices = vec![("cat".into(), 0.2), ("square".into(), 0.8)];
    bench.steps();
    assert!(bench.has("cat: 20 %") && bench.has("square: 80 %"));
    bench.click("Edit your words");
    let line = "Your words, separated by commas";
    bench.window.get_by_label(line).focus();
    bench.steps();
    bench.press(Modifiers::COMMAND, Key::A);
    bench.type_in(line, "square, cat,, square , a  dog,");
    assert_eq!(bench.view().settings.maps.choices, ["square", "cat", "a dog"]);
    assert!(bench.window.state().actions.contains(&Action::SettingsChanged));
    assert!(!bench.has(line), "Enter leaves the line");
}

#[test]
fn the_causal_check_is_begun_watched_and_stopped() {
    let mut bench = showing(MapKind::Causal);
    bench.click("Mean colour");
    assert_eq!(bench.view().settings.maps.fill, Fill::Mean);
    bench.click("Start the check");
    assert_eq!(bench.asked(), [MapAction::Check(0)]);
    bench.view().maps.checked = Some(0);
    bench.view().maps.causal = Wanted::Coming;
    bench.steps();
    assert!(bench.has("Scoring the answer with the whole picture …"));
    bench.view().maps.causal = Wanted::Ready(causal(12, true));
    bench.steps();
    assert!(bench.has("12 of 80"));
    assert!(bench.has(
        "Hiding this area changed the answer's log-probability by −2.31 (random area: not hidden \
         yet)."
    ));
    bench.click("Stop the check");
    bench.press(Modifiers::NONE, Key::Escape);
    assert_eq!(bench.asked(), [MapAction::StopCheck, MapAction::StopCheck]);
    bench.view().maps.causal = Wanted::Ready(causal(80, false));
    bench.steps();
    assert!(bench.has("by −2.31 (random area: −0.12).") && bench.has("Start the check"));
    // Where hiding anything would have done the same, that is said.
    let mut idle = causal(80, false);
    idle.random = Some(2.5);
    bench.view().maps.causal = Wanted::Ready(idle);
    bench.steps();
    assert!(bench.has("No area mattered more than a random one."));
    // Of another picture, it is not shown.
    bench.show(other_picture(), false);
    bench.steps();
    assert!(!bench.has("random area"));
    assert!(bench.window.get_by_label("Start the check").accesskit_node().is_disabled());
}

#[test]
fn a_live_picture_has_no_map() {
    let mut bench = showing(MapKind::Encoder);
    bench.view().maps.encoder = encoder(6.0);
    bench.view().stage.shown.as_mut().unwrap().live = true;
    bench.steps();
    assert!(bench.has("Maps are of a picture that stands still: take it with Space."));
    assert!(!bench.has("24 × 24 grid"));
}

fn without_map(bench: &mut Bench) -> RgbaImage {
    // The panel stays as it is, and with it the picture's place.
    let opacity = std::mem::replace(&mut bench.view().settings.maps.opacity, 0.0);
    bench.steps();
    let plain = bench.window.render().unwrap();
    bench.view().settings.maps.opacity = opacity;
    bench.steps();
    plain
}

fn pixel(image: &RgbaImage, at: egui::Pos2) -> [u8; 3] {
    let [r, g, b, _] = image.get_pixel(at.x as u32, at.y as u32).0;
    [r, g, b]
}

#[test]
fn a_map_of_a_part_of_the_picture_is_drawn_there_alone_and_as_in_a_mirror() {
    for mirrored in [false, true] {
        let mut bench = Bench::new(WIDE, false, mirrored);
        let right = Region::new(0.5, 0.0, 0.5, 1.0).unwrap();
        // Of the right half of the frame, its own right quarter.
        let values = vec![0.0, 0.0, 0.0, 1.0];
        let map = Heatmap::new(1, 4, values).unwrap().over(right);
        bench.view().maps.kind = Some(MapKind::Phrase);
        bench.view().maps.dual = Wanted::Ready("CLIP".into());
        bench.view().maps.phrase = Wanted::Ready(Found { phrase: "it".into(), map, present: true });
        bench.steps();
        let seen = bench.window.render().unwrap();
        let plain = without_map(&mut bench);
        let changed = |x: f32| {
            let at = bench.at(if mirrored { 1.0 - x } else { x }, 0.9);
            let (seen, plain) = (pixel(&seen, at), pixel(&plain, at));
            seen.iter().zip(plain).map(|(a, b)| a.abs_diff(b)).max().unwrap()
        };
        assert!(changed(0.95) > 40, "the strong cell: {}", changed(0.95));
        for x in [0.06, 0.3, 0.45, 0.55, 0.68] {
            assert!(changed(x) <= 2, "{x}: {}", changed(x));
        }
    }
}

#[test]
fn opacity_is_a_setting_and_takes_no_new_texture() {
    let mut bench = showing(MapKind::Encoder);
    bench.view().maps.encoder = encoder(6.0);
    bench.steps();
    let before = bench.view().settings.maps.opacity;
    bench.window.get_by_label("Opacity of the map").focus();
    bench.steps();
    bench.window.key_press(Key::ArrowRight);
    let mut made = 0;
    for _ in 0..4 {
        bench.window.step();
        made += bench.window.output().textures_delta.set.len();
    }
    assert!(bench.view().settings.maps.opacity > before);
    assert!(bench.window.state().actions.contains(&Action::SettingsChanged));
    assert_eq!(made, 0, "the map's texture is there already");
}

#[test]
fn a_map_that_stands_still_draws_nothing_anew() {
    for kind in MapKind::ALL {
        let mut bench = showing(kind);
        bench.view().maps.encoder = encoder(6.0);
        bench.view().maps.pinned = Some((0, 0));
        bench.view().maps.checked = Some(0);
        bench.view().maps.causal = Wanted::Ready(causal(12, true));
        bench.view().maps.dual = Wanted::Coming;
        for _ in 0..20 {
            bench.window.step();
        }
        let output = &bench.window.output();
        assert!(output.textures_delta.set.is_empty(), "{kind:?}");
        let delay = output.viewport_output[&egui::ViewportId::ROOT].repaint_delay;
        assert!(delay >= Duration::from_millis(100), "{kind:?} is drawn again after {delay:?}");
    }
}

/// Text is drawn slightly differently from one version of the drivers to the next.
fn options() -> SnapshotOptions {
    SnapshotOptions::new().threshold(1.2).max_failed_pixels(400_usize)
}

#[test]
fn the_maps_look_as_they_should() {
    let mut failures = Vec::new();
    let mut check = |mut bench: Bench, name: &str| {
        bench.window.ctx.memory_mut(|memory| {
            if let Some(id) = memory.focused() {
                memory.surrender_focus(id);
            }
        });
        bench.steps();
        if let Err(error) = bench.window.try_snapshot_options(name, &options()) {
            failures.push(format!("{name}: {error}"));
        }
    };
    let mut words = answered(SMALL, false);
    words.view().maps.kind = Some(MapKind::Word);
    words.view().maps.word = Some((0, 1));
    words.view().maps.pinned = Some((0, 1));
    check(words, "map_word_narrow");

    let mut phrase = Bench::new((1180.0, 760.0), true, false);
    phrase.answer(ANSWER, Wanted::Ready(grounding()));
    let view = phrase.view();
    view.maps.kind = Some(MapKind::Phrase);
    view.maps.dual = Wanted::Ready("CLIP ViT-B/32".into());
    let shares = [("animal", 0.04), ("shape", 0.83), ("food", 0.07), ("plant", 0.06)];
    view.maps.choices = shares.map(|(word, share)| (word.to_owned(), share)).to_vec();
    view.maps.phrase = Wanted::Ready(Found {
        phrase: "a green square".into(),
        map: spot(7, (0.72, 0.35), 0.12, 0.31),
        present: true,
    });
    check(phrase, "map_phrase_dark");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
