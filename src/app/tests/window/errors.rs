//! What goes wrong is told once, in words, with a way out; everything else goes on.

use conversation::Finish;
use egui_kittest::kittest::Queryable;
use engine::EngineError;

use super::driver::{Driver, Start, sample};
use super::fake::FakeEngine;

#[test]
fn a_model_that_does_not_load_is_told_and_loaded_again_on_request() {
    let engine = FakeEngine::default();
    engine.inside().load_error = Some(EngineError::Load("no such tensor".into()));
    let mut driver = Driver::with(Start { engine, ..Start::default() });
    driver.until("it is told", |view| view.toasts.has("no such tensor"));
    assert!(driver.has("State: No model"));
    driver.window.get_all_by_label("Try again").next().unwrap().click();
    driver.until("it is there", |view| view.engine.model().is_some());
}

#[test]
fn an_answer_that_fails_is_told_and_the_next_one_comes() {
    let mut driver = Driver::showing("cat.jpg");
    driver.ask("What?");
    driver.engine.fail(EngineError::Crashed("index out of bounds".into()));
    driver.until("it is told", |view| view.toasts.has("the engine failed and was restarted"));
    // Once as a message, once at its place in the conversation, and not as an answer.
    assert_eq!(driver.view().talk.cards[0].text(), "");
    driver.click("Show the log");
    assert_eq!(driver.desktop.0.lock().unwrap().revealed.len(), 1);
    driver.ask("Again?");
    driver.engine.say(&["A cat."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("the next one is there", |view| view.talk.cards[1].text() == "A cat.");
}

#[test]
fn a_question_that_is_refused_says_why() {
    let mut driver = Driver::showing("cat.jpg");
    driver.engine.inside().ask_error = Some(EngineError::Busy);
    driver.ask("What?");
    assert!(driver.has("the engine is busy"));
    assert!(!driver.view().talk.is_answering());
}

#[test]
fn a_file_that_is_no_picture_says_so_and_the_one_shown_stays() {
    let mut driver = Driver::showing("cat.jpg");
    let text = driver.home.path().join("notes.jpg");
    std::fs::write(&text, "not a picture at all").unwrap();
    for (path, words) in [
        (text, "it looks like a text file"),
        (driver.home.path().join("none.png"), "no such file"),
        (sample("SOURCES.txt"), "not a picture"),
    ] {
        driver.window.event(egui::Event::Paste(path.to_string_lossy().into_owned()));
        driver.until("it is told", |view| {
            view.toasts.newest_error().is_some_and(|e| e.contains(words))
        });
        let name = driver.view().stage.shown.as_ref().unwrap().frame.source.name();
        assert_eq!(name, "cat.jpg");
        while driver.has("Close the message") {
            driver.window.get_all_by_label("Close the message").next().unwrap().click();
            driver.steps();
        }
    }
}

#[test]
fn a_dialog_that_does_not_come_says_what_to_do() {
    let mut driver = Driver::start();
    let missing = "There is no file dialog on this system".to_owned();
    driver.desktop.0.lock().unwrap().answers.push_back(Err(missing));
    driver.window.get_all_by_label("Open pictures").next().unwrap().click();
    driver.until("it is told", |view| view.toasts.has("There is no file dialog"));
}

#[test]
fn conversations_that_cannot_be_kept_are_had_all_the_same() {
    let home = std::rc::Rc::new(tempfile::tempdir().unwrap());
    // A file stands where the folder should.
    std::fs::create_dir_all(home.path().join("data")).unwrap();
    std::fs::write(home.path().join("data/sessions"), b"").unwrap();
    let pictures = vec![sample("cat.jpg")];
    let start = Start { home: Some(home), pictures, ..Start::default() };
    let mut driver = Driver::with(start);
    driver.until("the picture is shown", |view| view.stage.shown.is_some());
    driver.ask("What?");
    driver.engine.say(&["A cat."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("the answer is there", |view| {
        !view.talk.is_answering() && view.toasts.newest_error().is_some()
    });
    assert_eq!(driver.view().talk.cards[0].text(), "A cat.");
}
