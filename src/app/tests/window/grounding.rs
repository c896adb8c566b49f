//! Answers tied to the picture: what the engine is asked to read back, and what comes of it.

use conversation::Finish;
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use engine::{EngineError, ScoreRequest};
use explain::Search;
use ui::View;
use ui::maps::{MapKind, Wanted};
use values::config::Settings;
use values::frame::FrameId;

use super::driver::{Driver, Start, sample};
use super::fake::FRAGILE_ENCODERS;

/// A window with "A robot." said of the cat, which no label is called, and its maps not yet begun.
fn answered() -> Driver {
    let mut driver = Driver::showing("cat.jpg");
    driver.ask("What is that?");
    driver.engine.say(&[" A", " robot", "."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("it is complete", |view| !view.talk.is_answering());
    driver
}

/// The pictures of a reading.
fn shown(wanted: &ScoreRequest) -> Vec<FrameId> {
    let turns = wanted.question.turns.iter();
    turns.flat_map(|turn| &turn.pictures).map(|picture| picture.frame.id).collect()
}

#[test]
fn an_answer_is_read_back_and_its_phrase_is_underlined_where_it_is_seen() {
    let mut driver = answered();
    driver.until_readings(1);
    driver.steps();
    let first = driver.engine.readings();
    assert_eq!(first.len(), 1, "one reading at a time");
    assert_eq!(first[0].answer, "A robot.");
    driver.read_back();
    assert!(matches!(driver.view().talk.cards[0].grounding, Wanted::Ready(_)));
    let frame = driver.view().stage.shown.as_ref().unwrap().frame.id;
    // The picture itself, then nothing of it, then one window after the other.
    let readings = driver.engine.readings();
    assert_eq!(readings.len(), 11);
    assert_eq!(shown(&readings[0]), [frame]);
    assert!(readings[1..].iter().all(|reading| !shown(reading).contains(&frame)));
    let phrase = driver.window.get_by_label("A robot");
    phrase.click();
    driver.steps();
    assert_eq!(driver.view().maps.pinned, Some((0, 0)));
    driver.press(Modifiers::NONE, Key::Escape);
    assert_eq!(driver.view().maps.pinned, None);
}

#[test]
fn a_question_takes_the_place_of_the_readings() {
    let mut driver = answered();
    driver.until_readings(1);
    driver.ask("And now?");
    driver.engine.fail_readings(&EngineError::Superseded);
    driver.steps();
    let known = driver.view().talk.cards[0].grounding.ready().unwrap();
    assert_eq!(known.search, Search::Open, "it can be asked for again");
    driver.engine.say(&[" A", " robot", "."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("it is complete", |view| !view.talk.is_answering());
    driver.read_back();
    assert!(driver.view().talk.cards[1].grounding.ready().is_some());
    // The earlier answer gets its maps when they are looked at.
    let before = driver.engine.readings().len();
    driver.click("Word map");
    driver.read_back();
    assert_eq!(driver.engine.readings().len(), before, "the last answer has its maps");
}

#[test]
fn answers_are_not_read_back_where_that_is_switched_off_until_a_map_is_wanted() {
    let mut settings = Settings::default();
    settings.maps.ground_answers = false;
    let pictures = vec![sample("cat.jpg")];
    let mut driver = Driver::with(Start { settings, pictures, ..Start::default() });
    driver.until("the picture is shown", |view| view.stage.shown.is_some());
    driver.ask("What is that?");
    driver.engine.say(&[" A", " robot", "."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("it is complete", |view| !view.talk.is_answering());
    driver.steps();
    assert!(driver.engine.readings().is_empty());
    driver.click("Word map");
    driver.read_back();
    assert!(driver.view().talk.cards[0].grounding.ready().is_some());
}

#[test]
fn a_typed_word_is_read_in_the_answers_place() {
    let mut driver = answered();
    driver.read_back();
    driver.click("Word map");
    driver.window.get_by_label("Word to look for").focus();
    driver.steps();
    driver.window.get_by_label("Word to look for").type_text("owl");
    driver.steps();
    driver.press(Modifiers::NONE, Key::Enter);
    driver.until_readings(12);
    let wanted = driver.engine.readings().pop().unwrap();
    assert_eq!(wanted.answer, "An owl.");
    driver.read_back();
    let typed = driver.view().maps.typed.ready().unwrap();
    // The fake engine says the same of any picture: the word does not depend on it.
    assert!(!typed.is_present());
    assert!(driver.has("Not found: 'owl'"));
}

#[test]
fn a_causal_check_goes_step_by_step_and_is_stopped() {
    let mut driver = answered();
    driver.read_back();
    driver.click("Causal check");
    driver.click("Start the check");
    for _ in 0..12 {
        driver.read_back_once();
    }
    let done = |view: &View| view.maps.causal.ready().map(|causal| (causal.done, causal.running));
    driver.until("twelve are done", |view| done(view) == Some((12, true)));
    assert!(driver.has("12 of 56"));
    driver.click("Stop the check");
    driver.read_back();
    let stopped = driver.view().maps.causal.ready().unwrap();
    assert_eq!((stopped.running, stopped.done), (false, 12), "what was found stays");

    driver.click("Start the check");
    driver.read_back();
    let causal = driver.view().maps.causal.ready().unwrap();
    assert_eq!((causal.running, causal.done, causal.total), (false, 56, 56));
}

#[test]
fn a_failed_reading_says_why_and_the_window_goes_on() {
    let mut driver = answered();
    driver.until_readings(1);
    driver.engine.fail_readings(&EngineError::Answer("no memory".into()));
    driver.steps();
    driver.click("Word map");
    assert!(driver.has("no memory"));
    driver.ask("Again?");
    assert!(driver.view().talk.is_answering());
}

#[test]
fn another_conversation_forgets_the_readings() {
    let mut driver = answered();
    driver.click("Causal check");
    driver.click("New conversation");
    driver.read_back();
    assert!(driver.view().talk.cards.is_empty());
    assert_eq!(driver.view().maps.kind, Some(MapKind::Causal));
    assert_eq!(driver.view().maps.causal, Wanted::None);
}

#[test]
fn without_an_encoder_the_map_says_why() {
    let mut driver = answered();
    driver.click("Attention");
    driver.until("the encoder was tried", |view| matches!(view.maps.encoder, Wanted::Failed(_)));
    assert!(driver.has("there is no encoder"));
}

/// Has the model loaded again with this precision.
fn reload(driver: &mut Driver, precision: &str) {
    driver.click("Settings");
    driver.click(precision);
    driver.press(Modifiers::NONE, Key::Escape);
}

#[test]
fn maps_of_encoders_come_again_after_a_panic_and_after_two_it_is_said_once() {
    let start = Start { encoders: Some(FRAGILE_ENCODERS), ..Start::default() };
    let mut driver = Driver::with(Start { pictures: vec![sample("cat.jpg")], ..start });
    driver.until("the picture is shown", |view| view.stage.shown.is_some());
    driver.click("Attention");
    driver.until("it is there", |view| view.maps.encoder.ready().is_some());
    // Another model lets go of the encoder of the one before.
    reload(&mut driver, "32 bit (f32)");
    driver.until("it is there again", |view| view.maps.encoder.ready().is_some());
    assert!(driver.view().toasts.newest_error().is_none());
    reload(&mut driver, "8 bit (q8_0)");
    driver.until("it is said", |view| matches!(view.maps.encoder, Wanted::Failed(_)));
    let said = "The encoders' maps cannot be drawn any more: start Lorgnette again.";
    assert_eq!(driver.view().toasts.newest_error(), Some(said));
    assert_eq!(
        driver.window.query_all_by_label_contains(said).count(),
        4,
        "a toast and the panel, both spoken"
    );
    // The answers are tied to the picture all the same.
    driver.ask("What is that?");
    driver.engine.say(&[" A", " robot", "."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("it is complete", |view| !view.talk.is_answering());
    driver.read_back();
    assert!(driver.view().talk.cards[0].grounding.ready().is_some());
}

/// What takes long is done on other threads: of 100 megapixels nothing is computed on the window's.
#[test]
fn a_large_picture_with_all_maps_costs_a_frame_no_more_than_drawing_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.pgm");
    let row: Vec<u8> = (0..10_000_u32).map(|x| (x / 40) as u8).collect();
    std::fs::write(&file, [b"P5 10000 10000 255\n", row.repeat(10_000).as_slice()].concat())
        .unwrap();
    let mut settings = Settings::default();
    settings.maps.dual = Some(folder.path().to_owned());
    settings.maps.choices = vec!["cat".into(), "dog".into()];
    let encoders = Some(FRAGILE_ENCODERS);
    let pictures = vec![file];
    let mut driver = Driver::with(Start { settings, pictures, encoders, ..Start::default() });
    driver.until("the picture is shown", |view| {
        assert_eq!(view.toasts.newest_error(), None);
        view.stage.shown.is_some()
    });
    driver.ask("What is that?");
    driver.engine.say(&[" A", " robot", "."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("it is complete", |view| !view.talk.is_answering());
    driver.read_back();
    driver.click("Attention");
    driver.until("it is there", |view| view.maps.encoder.ready().is_some());
    driver.click("Phrase map");
    driver.until("the choices are there", |view| view.maps.choices.len() == 2);
    driver.click("Causal check");
    driver.click("Start the check");
    driver.read_back();
    assert!(!driver.view().maps.is_checking());
    let cost = driver.window.state().cost().unwrap();
    println!("processor time of the window's thread for a frame: {cost}");
    // To resize such a picture once takes several hundred milliseconds.
    assert!(cost.longest < 100.0, "{cost}");
}
