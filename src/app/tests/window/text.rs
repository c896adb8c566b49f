//! What is written in the picture: read beside the names, shown with its places, told to the model.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use evidence::{EvidenceError, Line, Specialists, TextReader};
use values::job::Progress;
use values::picture::Look;

use super::driver::{Driver, Start, sample};
use super::fake::FakeEngine;
use super::specialists::{READING_SPECIALISTS, card_with_evidence};

/// A window that shows a picture with nine lines, and a model that takes evidence.
fn start() -> Driver {
    start_with(READING_SPECIALISTS)
}

fn start_with(specialists: Specialists) -> Driver {
    let engine = FakeEngine::default();
    engine.inside().card = Some(Arc::new(card_with_evidence()));
    let pictures = vec![sample("cat.jpg")];
    let specialists = Some(specialists);
    let mut driver = Driver::with(Start { engine, pictures, specialists, ..Start::default() });
    driver.until("it is shown", |view| view.stage.shown.is_some());
    driver
}

fn is_read(view: &ui::View) -> bool {
    view.stage.evidence.ready().is_some_and(|seen| !seen.evidence.lines.is_empty())
}

/// The lines that were told with the last question, of each picture.
fn told(driver: &Driver) -> Vec<usize> {
    let question = driver.engine.inside().asked.last().cloned().unwrap();
    let seen = question.turns.into_iter().flat_map(|turn| turn.seen);
    seen.map(|seen| seen.evidence.lines.len()).collect()
}

#[test]
fn lines_can_be_copied_read_aloud_and_found_and_have_their_places() {
    let mut driver = start();
    driver.until("it is named", |view| view.stage.evidence.ready().is_some());
    driver.until("it is being read", |view| view.stage.text_read.is_some());
    driver.until("it is read", is_read);
    assert!(driver.has("Text, 9 lines:") && driver.has("HOTEL"));
    driver.click("Copy the text");
    assert!(driver.has("Copied"));
    driver.click("Read the text aloud");
    let said = driver.voice.0.lock().unwrap().last().cloned().unwrap();
    assert!(said.starts_with("HOTEL\nrow 1"), "{said}");

    // What is pointed at in the list lights up on the picture, and the other way round.
    let line = driver.window.get_by_label("HOTEL").rect().center();
    driver.window.hover_at(line);
    driver.steps();
    assert_eq!(driver.view().stage.line, Some(0));
    let picture = driver.window.get_by_label_contains("Picture cat.jpg").rect();
    driver.window.hover_at(picture.lerp_inside(egui::vec2(0.62, 0.22)));
    driver.steps();
    assert_eq!(driver.view().stage.line, Some(2));
    driver.window.hover_at(picture.lerp_inside(egui::vec2(0.5, 0.9)));
    driver.steps();
    assert_eq!(driver.view().stage.line, None);

    driver.press(Modifiers::COMMAND, Key::F);
    driver.window.get_by_label("Find in the text").type_text("row 3");
    driver.steps();
    assert!(driver.has("row 3") && !driver.has("row 4"));
}

#[test]
fn a_question_waits_for_text_only_where_it_asks_for_it() {
    let mut driver = start();
    driver.ask("What is the name of that hotel?");
    assert!(driver.engine.questions().is_empty());
    driver.until_asked(1);
    assert_eq!(told(&driver), [9]);

    let mut driver = start();
    driver.engine.inside().ready_answer = Some(vec!["A cat."]);
    driver.ask("Which animal is it?");
    driver.until_asked(1);
    assert_eq!(told(&driver), [0], "it did not wait");
    // What was read since is told with the next question.
    driver.until("it is read", is_read);
    driver.until("it is answered", |view| !view.talk.is_answering());
    driver.ask("And where?");
    driver.until_asked(2);
    assert_eq!(told(&driver), [0, 9]);
}

#[test]
fn a_question_that_waits_for_text_can_be_stopped() {
    let mut driver = start();
    driver.ask("Read the text");
    driver.click("Stop the answer");
    assert!(!driver.view().talk.is_answering());
    driver.until("it is read all the same, since it is shown", is_read);
    driver.steps();
    assert!(driver.engine.questions().is_empty());
}

/// How often [`COUNTED`] has begun to read; one test alone reads with it.
static READ: AtomicUsize = AtomicUsize::new(0);
const COUNTED: Specialists = Specialists {
    reader: |folder| {
        let reader = (READING_SPECIALISTS.reader)(folder)?;
        Ok(Box::new(Counted(reader)))
    },
    ..READING_SPECIALISTS
};

struct Counted(Box<dyn TextReader>);

impl TextReader for Counted {
    fn lines(
        &self,
        picture: &Look,
        go_on: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Vec<Line>, EvidenceError> {
        READ.fetch_add(1, Ordering::Relaxed);
        self.0.lines(picture, go_on)
    }
}

#[test]
fn what_is_shown_and_asked_about_is_read_once() {
    let mut driver = start_with(COUNTED);
    driver.ask("Read the text");
    driver.until_asked(1);
    assert_eq!(told(&driver), [9]);
    // Whatever else waited would have been begun by now.
    std::thread::sleep(Duration::from_millis(100));
    driver.steps();
    assert_eq!(READ.load(Ordering::Relaxed), 1);
    assert!(is_read(driver.view()));
}
