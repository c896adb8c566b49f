//! What specialists see: shown before anything is asked, told to the model, and beside its answer.

use std::rc::Rc;
use std::sync::Arc;

use conversation::Finish;
use egui_kittest::kittest::Queryable;
use evidence::{Evidence, Specialists};
use session::Store;
use tempfile::TempDir;
use ui::maps::Wanted;
use values::config::Settings;

use super::driver::{Driver, Start, sample};
use super::fake::FakeEngine;
use super::specialists::{NO_SPECIALISTS, SLOW_SPECIALISTS, SPECIALISTS, card_with_evidence};

/// A window that shows the cat, and a model that takes evidence.
fn start(specialists: Specialists, settings: Settings) -> Driver {
    start_in(specialists, settings, None)
}

/// The same with the data of an earlier one.
fn start_in(specialists: Specialists, settings: Settings, home: Option<Rc<TempDir>>) -> Driver {
    let engine = FakeEngine::default();
    engine.inside().card = Some(Arc::new(card_with_evidence()));
    let pictures = vec![sample("cat.jpg")];
    let specialists = Some(specialists);
    let start = Start { settings, engine, pictures, home, specialists, ..Start::default() };
    let mut driver = Driver::with(start);
    driver.until("the picture is shown", |view| view.stage.shown.is_some());
    driver
}

/// What was told with the question of this number: the evidence of each picture.
fn told(driver: &Driver, number: usize) -> Vec<Evidence> {
    let question = driver.engine.inside().asked[number].clone();
    let seen = question.turns.into_iter().flat_map(|turn| turn.seen);
    seen.map(|seen| seen.evidence).collect()
}

fn is_seen(view: &ui::View) -> bool {
    view.stage.evidence.ready().is_some()
}

/// The window after an answer to a question.
fn answered(question: &str, answer: &'static str) -> Driver {
    let mut driver = start(SPECIALISTS, Settings::default());
    driver.until("it is seen", is_seen);
    driver.engine.inside().ready_answer = Some(vec![answer]);
    driver.ask(question);
    driver.until("it is answered", |view| view.talk.cards.len() == 1 && !view.talk.is_answering());
    driver
}

#[test]
fn names_stand_under_the_picture_before_anything_is_asked_and_can_be_asked_about() {
    let mut driver = start(SPECIALISTS, Settings::default());
    driver.until("it is seen", is_seen);
    assert!(driver.engine.questions().is_empty());
    assert!(driver.has("tabby cat · 62 % · cat: ask about it"));
    assert!(driver.has("In the picture: tabby cat · 62 %, lynx · 21 %"), "for a screen reader");
    driver.click("lynx · 21 % · cat: ask about it");
    driver.until_asked(1);
    assert_eq!(driver.engine.questions(), ["Is it a lynx?"]);
    let seen = told(&driver, 0);
    assert_eq!(seen[0].labels.sure.as_ref().unwrap().name, "tabby cat");
    assert!(!seen[0].colours.is_empty());
}

#[test]
fn a_question_asked_at_once_waits_for_what_is_seen() {
    let mut driver = start(SLOW_SPECIALISTS, Settings::default());
    driver.ask("What?");
    assert!(driver.engine.questions().is_empty() && driver.view().talk.is_answering());
    assert!(matches!(driver.view().stage.evidence, Wanted::Coming));
    driver.until_asked(1);
    assert_eq!(told(&driver, 0)[0].labels.iter().count(), 2);
    // What is kept says what was told.
    driver.engine.say(&["A", " cat."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("it is complete", |view| !view.talk.is_answering());
    let home = driver.close();
    let store = Store::open(&home.path().join("data")).unwrap();
    let session = store.read(&store.list().unwrap().sessions[0].id).unwrap();
    let kept = session.exchanges[0].evidence().unwrap();
    assert_eq!(kept.labels.perhaps[0].name, "lynx");

    // Read again, it is what it was: the model is told of the picture once.
    let mut driver = start_in(SPECIALISTS, Settings::default(), Some(home));
    driver.until("it is listed", |view| !view.history.rows.is_empty());
    driver.window.query_all_by_label_contains("Conversation: ").next().unwrap().click();
    driver.until("it is shown", |view| !view.talk.cards.is_empty());
    driver.ask("And its colour?");
    driver.until_asked(1);
    assert_eq!(driver.engine.inside().asked[0].turns.len(), 3);
    assert_eq!(told(&driver, 0).len(), 1);
}

#[test]
fn a_question_that_waits_can_be_stopped_and_another_takes_its_place() {
    let mut driver = start(SLOW_SPECIALISTS, Settings::default());
    driver.ask("One?");
    driver.click("Stop the answer");
    assert!(!driver.view().talk.is_answering());
    driver.ask("Two?");
    driver.ask("Three?");
    driver.until_asked(1);
    driver.steps();
    assert_eq!(driver.engine.questions(), ["Three?"]);
    let finishes: Vec<Finish> =
        driver.view().talk.cards.iter().map(|card| card.exchange.answer.finish).collect();
    assert_eq!(finishes, [Finish::Stopped, Finish::Stopped, Finish::Pending]);
}

#[test]
fn nothing_is_told_where_the_user_or_the_model_does_not_want_it() {
    let settings = Settings { evidence: false, ..Settings::default() };
    let mut driver = start(SPECIALISTS, settings);
    driver.until("it is seen all the same", is_seen);
    driver.ask("What?");
    driver.until_asked(1);
    assert!(told(&driver, 0).is_empty());

    let mut driver = Driver::showing("cat.jpg");
    driver.until("it is seen all the same", is_seen);
    driver.ask("What?");
    assert_eq!(driver.engine.questions(), ["What?"], "nobody waits");
    assert!(told(&driver, 0).is_empty());
}

#[test]
fn without_specialists_it_is_said_once_and_questions_go_on() {
    let mut driver = start(NO_SPECIALISTS, Settings::default());
    driver.until("it is told", |view| view.toasts.has("install Lorgnette again"));
    assert!(matches!(driver.view().stage.evidence, Wanted::Failed(_)));
    driver.ask("What?");
    driver.until_asked(1);
    assert!(told(&driver, 0).is_empty());
    let home = driver.close();
    assert!(home.path().join("data/sessions").is_dir());
}

#[test]
fn an_answer_has_the_chance_of_what_it_names_and_the_others_are_a_click_away() {
    let mut driver = answered("What is that?", "A tabby cat.");
    assert!(!driver.has("is not sure") && !driver.has("Not sure"));
    assert!(driver.has("tabby cat · 62 % · cat"));
    driver.click("Not that");
    driver.engine.inside().ready_answer = None;
    driver.click("lynx · 21 %: ask about it");
    driver.until_asked(2);
    assert_eq!(driver.engine.questions()[1], "Is it a lynx?");
    // The same picture: it is told of once.
    assert_eq!(told(&driver, 1).len(), 1);

    // The label decides, whatever the tokens say.
    let driver = answered("What is that?", "It may be a lynx.");
    assert!(driver.has("Not sure: lynx · 21 % · cat"));
}

#[test]
fn a_caution_stands_under_the_answer_and_is_read_out() {
    let driver = answered("Can I eat this?", "Yes.");
    let words = "Lorgnette cannot tell what is safe to eat or drink.";
    assert!(driver.window.query_all_by_label_contains(words).count() >= 2, "seen and announced");
    let driver = answered("What is that?", "A tabby cat.");
    assert!(driver.view().talk.cards[0].caution.is_none());
}
