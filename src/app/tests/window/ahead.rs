//! What is shown is looked at before it is asked about: when, and when not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use conversation::Finish;
use egui::{Key, Modifiers};
use engine::Question;
use values::config::Settings;
use values::picture::Look;

use super::driver::{Driver, Start, sample};
use super::fake::FakeEngine;
use super::pictures::{camera_on, grey, live};
use super::specialists::{SLOW_SPECIALISTS, card_with_evidence};

/// Longer than a picture has to rest.
const A_WHILE: Duration = Duration::from_millis(700);

/// A window that shows the first of these pictures, and a model that takes evidence.
fn start(pictures: &[&str], start: Start) -> Driver {
    let engine = FakeEngine::default();
    engine.inside().card = Some(Arc::new(card_with_evidence()));
    let pictures = pictures.iter().map(|name| sample(name)).collect();
    let mut driver = Driver::with(Start { engine, pictures, ..start });
    driver.until("the picture is shown", |view| view.stage.shown.is_some());
    driver
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.maps.ground_answers = false;
    settings
}

fn looked(driver: &Driver) -> Vec<Question> {
    driver.engine.inside().ahead.iter().map(|(_, beginning)| beginning.clone()).collect()
}

fn until_looked(driver: &mut Driver, count: usize) {
    let engine = driver.engine.clone();
    driver.until("it is looked at", |_| engine.inside().ahead.len() == count);
}

/// Draws for so long that what is to be looked at has been.
fn wait(driver: &mut Driver) {
    let begun = Instant::now();
    driver.until("a while has passed", |_| begun.elapsed() >= A_WHILE);
}

/// What a question begins with: who speaks, what is shown and what is told of it.
fn begins(question: &Question) -> Vec<String> {
    let turns = question.turns.iter();
    let line = |turn: &conversation::Turn| {
        let shown: Vec<_> = turn.pictures.iter().map(Look::about).collect();
        format!("{:?} {shown:?} {:?}", turn.role, turn.seen)
    };
    turns.map(line).collect()
}

#[test]
fn a_picture_at_rest_is_looked_at_once_with_what_a_question_begins_with() {
    let mut driver = start(&["cat.jpg"], Start { settings: settings(), ..Start::default() });
    until_looked(&mut driver, 1);
    wait(&mut driver);
    let looked_at = looked(&driver);
    assert_eq!(looked_at.len(), 1);
    let last = looked_at[0].turns.last().unwrap();
    assert_eq!((last.text.as_str(), last.pictures.len()), ("", 1));
    assert_eq!(last.seen[0].evidence.labels.sure.as_ref().unwrap().name, "tabby cat");
    driver.ask("What is that?");
    driver.until_asked(1);
    assert_eq!(begins(&driver.engine.inside().asked[0]), begins(&looked_at[0]));

    // The next question would begin with this one.
    driver.engine.say(&["A", " cat."], 0.9);
    wait(&mut driver);
    assert_eq!(looked(&driver).len(), 1, "the answer goes first");
    driver.engine.end(Finish::End);
    until_looked(&mut driver, 2);
    driver.ask("What colour?");
    driver.until_asked(2);
    let looked_at = looked(&driver);
    assert_eq!(begins(&driver.engine.inside().asked[1]), begins(&looked_at[1]));
    assert_eq!(looked_at[1].turns[1].text, "A cat.");
}

#[test]
fn a_question_goes_first_and_so_do_readings() {
    let specialists = Some(SLOW_SPECIALISTS);
    let mut driver = start(&["cat.jpg"], Start { specialists, ..Start::default() });
    driver.ask("What?");
    driver.until_asked(1);
    driver.engine.say(&["A", " robot."], 0.9);
    driver.engine.end(Finish::End);
    driver.until_readings(1);
    wait(&mut driver);
    assert!(looked(&driver).is_empty());
    driver.read_back();
    until_looked(&mut driver, 1);
    let inside = driver.engine.inside();
    assert_eq!((inside.ahead[0].0, inside.ahead[0].1.turns.len()), (1, 3));
}

#[test]
fn a_newer_picture_takes_the_place_of_one_that_has_not_come_to_rest() {
    let specialists = Some(SLOW_SPECIALISTS);
    let settings = settings();
    let start_slow = Start { settings, specialists, ..Start::default() };
    let mut driver = start(&["cat.jpg", "lemon.jpg"], start_slow);
    driver.click("Next picture");
    until_looked(&mut driver, 1);
    let name = |driver: &Driver| {
        let looked_at = looked(driver);
        looked_at.last().unwrap().turns[0].pictures[0].frame.source.name()
    };
    assert_eq!(name(&driver), "lemon.jpg");
    driver.press(Modifiers::NONE, Key::PageUp);
    until_looked(&mut driver, 2);
    assert_eq!(name(&driver), "cat.jpg");
}

#[test]
fn nothing_is_looked_at_where_it_is_switched_off_or_on_battery() {
    let off = Settings { look_ahead: false, ..settings() };
    let mut driver = start(&["cat.jpg"], Start { settings: off, ..Start::default() });
    wait(&mut driver);
    assert!(looked(&driver).is_empty());
    driver.click("Settings");
    driver.click("Look at a picture before it is asked about");
    until_looked(&mut driver, 1);

    let on_battery = Some((|| true) as fn() -> bool);
    let start_on = Start { settings: settings(), on_battery, ..Start::default() };
    let mut driver = start(&["cat.jpg"], start_on);
    wait(&mut driver);
    assert!(looked(&driver).is_empty());
}

#[test]
fn a_live_picture_is_not_looked_at_before_it_is_taken() {
    let mut driver = Driver::with(Start { settings: camera_on(), ..Start::default() });
    driver.camera.becomes(live());
    driver.camera.show(grey(10));
    driver.until("it is live", |view| view.stage.is_live());
    wait(&mut driver);
    assert!(looked(&driver).is_empty());
    driver.click("Take the picture");
    until_looked(&mut driver, 1);
}
