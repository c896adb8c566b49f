//! Questions and their answers.

use capture::{CameraDevice, CameraFormatInfo, CameraState, PixelFormat};
use conversation::{Finish, Role};
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use ui::View;
use values::config::Settings;

use super::driver::{Driver, Start};

#[test]
fn a_question_is_asked_and_its_answer_comes_word_by_word() {
    let mut driver = Driver::showing("cat.jpg");
    assert!(driver.has("This picture = 64 tokens"));
    driver.ask("What animal is it?");
    assert_eq!(driver.engine.questions(), ["What animal is it?"]);
    assert_eq!(driver.view().ask.question, "", "the line is free for the next question");
    assert!(driver.has("Looking"));
    driver.engine.say(&[" A", " black"], 0.9);
    driver.until("words are there", |view| view.talk.cards[0].text() == "A black");
    assert!(driver.has("A black") && driver.has("State: Answering"));
    driver.engine.say(&[" cat."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("it is complete", |view| !view.talk.is_answering());
    assert!(driver.has("A black cat.") && driver.has("First word after"));
    assert!(driver.has("State: Ready"));
    // From now on it is known how long the next will take.
    assert!(driver.has("tokens ≈"));
}

#[test]
fn shift_enter_is_a_new_line_and_a_preset_asks_at_once() {
    let mut driver = Driver::showing("cat.jpg");
    driver.window.get_by_label("Question").focus();
    driver.steps();
    driver.window.get_by_label("Question").type_text("One");
    driver.steps();
    driver.press(Modifiers::SHIFT, Key::Enter);
    driver.window.get_by_label("Question").type_text("two");
    driver.steps();
    assert_eq!(driver.view().ask.question, "One\ntwo");
    assert!(driver.engine.questions().is_empty());
    driver.click("Describe this");
    assert_eq!(driver.engine.questions(), ["Describe this"]);
}

#[test]
fn an_empty_line_asks_what_that_is_and_without_a_picture_says_what_to_do() {
    let mut driver = Driver::start();
    driver.click("Ask");
    assert!(driver.engine.questions().is_empty());
    assert!(driver.has("Show a picture first"));
    let mut driver = Driver::showing("cat.jpg");
    driver.click("Ask");
    assert_eq!(driver.engine.questions(), ["What is that?"]);
}

#[test]
fn an_answer_is_stopped_by_its_button_and_by_escape() {
    let mut driver = Driver::showing("cat.jpg");
    driver.ask("What?");
    driver.engine.say(&["A", " very"], 0.9);
    driver.until("words are there", |view| view.talk.cards[0].text() == "A very");
    driver.click("Stop the answer");
    driver.until("it stopped", |view| !view.talk.is_answering());
    assert!(driver.has("Stopped."));
    driver.ask("And now?");
    driver.press(Modifiers::NONE, Key::Escape);
    driver.until("it stopped", |view| !view.talk.is_answering());
    assert_eq!(driver.engine.inside().stops, 2);
}

#[test]
fn escape_closes_stops_and_clears_in_this_order() {
    let mut driver = Driver::showing("cat.jpg");
    driver.window.get_by_label_contains("Picture cat.jpg").focus();
    driver.steps();
    driver.press(Modifiers::NONE, Key::Enter);
    driver.ask("What?");
    driver.press(Modifiers::NONE, Key::F1);
    assert!(driver.has("Take the picture, or back to live"));
    driver.press(Modifiers::NONE, Key::Escape);
    assert!(driver.view().dialog.is_none() && driver.view().talk.is_answering());
    driver.press(Modifiers::NONE, Key::Escape);
    driver.until("it stopped", |view| !view.talk.is_answering());
    assert!(driver.view().stage.region.is_some());
    driver.press(Modifiers::NONE, Key::Escape);
    assert!(driver.view().stage.region.is_none());
}

#[test]
fn a_marked_part_is_asked_about_and_named_in_the_answer() {
    let mut driver = Driver::showing("cat.jpg");
    driver.window.get_by_label_contains("Picture cat.jpg").focus();
    driver.steps();
    driver.press(Modifiers::NONE, Key::Enter);
    let region = driver.view().stage.region.unwrap();
    driver.ask("What is that?");
    let asked = driver.engine.inside().asked[0].clone();
    assert_eq!(asked.turns[0].pictures[0].region, Some(region));
    assert!(driver.has("About the marked part: middle"));
}

#[test]
fn a_follow_up_keeps_the_picture_and_another_picture_begins_anew() {
    let mut driver = Driver::showing("cat.jpg");
    driver.ask("What is that?");
    driver.engine.say(&["A cat."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("it is complete", |view| !view.talk.is_answering());
    driver.ask("What colour is it?");
    let turns = driver.engine.inside().asked[1].turns.clone();
    let told: Vec<_> = turns.iter().map(|t| (t.role, t.text.as_str(), t.pictures.len())).collect();
    assert_eq!(
        told,
        [
            (Role::User, "What is that?", 1),
            (Role::Assistant, "A cat.", 0),
            (Role::User, "What colour is it?", 0)
        ]
    );
    let image = egui::ColorImage::filled([9, 9], egui::Color32::RED);
    driver.window.event(egui::Event::PasteImage(std::sync::Arc::new(image)));
    driver.until("another picture is shown", |view| {
        view.stage.shown.as_ref().unwrap().frame.source.name() == "pasted picture"
    });
    driver.ask("And that?");
    let turns = driver.engine.inside().asked[2].turns.clone();
    assert_eq!((turns.len(), turns[0].pictures.len()), (1, 1));
    assert_eq!(driver.view().talk.cards.len(), 3);
}

/// The hash of the picture that is shown.
fn pixels(view: &View) -> std::sync::Arc<str> {
    view.stage.shown.as_ref().unwrap().frame.sha256().clone()
}

#[test]
fn asking_again_is_about_the_cards_own_picture_and_shows_it() {
    let mut driver = Driver::showing("cat.jpg");
    driver.engine.inside().ready_answer = Some(vec!["Yes."]);
    driver.ask("What is that?");
    driver.until("it is complete", |view| !view.talk.is_answering());
    let cat = pixels(driver.view());
    let rocket = super::driver::sample("rocket.jpg").to_string_lossy().into_owned();
    driver.window.event(egui::Event::Paste(rocket));
    driver.until("another is shown", |view| pixels(view) != cat);
    driver.ask("And that?");
    driver.until("it is complete", |view| !view.talk.is_answering());
    driver.window.query_all_by_label("Ask again").next().unwrap().click();
    driver.until("it is asked, answered and shown", |view| {
        view.talk.cards.len() == 3 && !view.talk.is_answering() && pixels(view) == cat
    });
    let turns = driver.engine.inside().asked[2].turns.clone();
    assert_eq!((turns.len(), &*turns[0].text), (1, "What is that?"));
    assert_eq!(*turns[0].pictures[0].frame.sha256(), cat);
    assert!(driver.view().talk.cards[2].is_about(&cat));
}

#[test]
fn a_picture_opened_again_is_the_same_picture() {
    let mut driver = Driver::showing("cat.jpg");
    driver.ask("What is that?");
    driver.engine.say(&["A cat."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("it is complete", |view| !view.talk.is_answering());
    let before = pixels(driver.view());
    let path = |name| super::driver::sample(name).to_string_lossy().into_owned();
    driver.window.event(egui::Event::Paste(path("lemon.jpg")));
    driver.until("another is shown", |view| pixels(view) != before);
    driver.window.event(egui::Event::Paste(path("cat.jpg")));
    driver.until("it is the first one again", |view| pixels(view) == before);
    driver.ask("What colour is it?");
    assert_eq!(driver.engine.inside().asked[1].turns.len(), 3);
}

#[test]
fn a_new_question_takes_the_place_of_the_answer_under_way() {
    let mut driver = Driver::showing("cat.jpg");
    driver.ask("One?");
    driver.engine.say(&["Old"], 0.9);
    driver.until("a word is there", |view| view.talk.cards[0].text() == "Old");
    driver.ask("Two?");
    driver.engine.say(&["New"], 0.9);
    driver.until("the new word is there", |view| view.talk.cards[1].text() == "New");
    assert_eq!(driver.view().talk.cards[0].text(), "Old");
    assert!(!driver.view().talk.cards[0].under_way);
}

#[test]
fn an_unsure_answer_says_so_and_its_words_are_fainter() {
    let mut driver = Driver::showing("cat.jpg");
    driver.ask("What?");
    driver.engine.say(&["A"], 0.95);
    driver.engine.say(&[" zebra"], 0.05);
    driver.engine.end(Finish::End);
    driver.until("it is complete", |view| !view.talk.is_answering());
    assert!(driver.has("The model is not sure of this."));
    let card = &driver.view().talk.cards[0];
    assert!(card.spans[0].strength > card.spans[1].strength + 0.2, "{:?}", card.spans);
    driver.click("Tokens and probabilities");
    assert!(driver.has("zebra 5 %"));
}

#[test]
fn markdown_is_shown_and_an_answer_is_copied_and_read_aloud() {
    let mut driver = Driver::showing("cat.jpg");
    driver.ask("What?");
    driver.engine.say(&["A **black**", " cat"], 0.9);
    driver.engine.end(Finish::End);
    driver.until("it is complete", |view| !view.talk.is_answering());
    assert!(driver.has("A black cat") && !driver.has("**black**"));
    driver.click("Read aloud");
    assert_eq!(*driver.voice.0.lock().unwrap(), ["A black cat"]);
    driver.click("Stop reading aloud");
    driver.window.get_by_label("Copy the answer").click();
    driver.window.step();
    let copied = driver.window.output().platform_output.commands.iter().any(|command| {
        matches!(command, egui::OutputCommand::CopyText(text) if text == "A **black** cat")
    });
    assert!(copied);
}

#[test]
fn the_answer_is_announced_sentence_by_sentence() {
    let mut driver = Driver::showing("cat.jpg");
    driver.ask("What?");
    driver.engine.say(&["A cat. It", " sle"], 0.9);
    driver.until("words are there", |view| view.talk.cards[0].text().ends_with("sle"));
    let status = |driver: &Driver| {
        let mut nodes = driver.window.query_all_by_label("A cat.");
        nodes.any(|node| {
            use egui_kittest::kittest::NodeT;
            node.accesskit_node().live() == egui::accesskit::Live::Polite
        })
    };
    assert!(status(&driver));
}

#[test]
fn asking_before_the_model_is_ready_waits_for_it() {
    let engine = super::fake::FakeEngine::default();
    engine.inside().slow = true;
    let pictures = vec![super::driver::sample("cat.jpg")];
    let mut driver = Driver::with(Start { engine, pictures, ..Start::default() });
    driver.until("the picture is shown", |view| view.stage.shown.is_some());
    assert!(driver.has("State: Starting the model"));
    driver.ask("What?");
    assert_eq!(driver.engine.questions(), ["What?"]);
    let card = &driver.view().talk.cards[0];
    assert!(card.under_way && card.exchange.answer.tokens.is_empty());
}

#[test]
fn live_mode_asks_only_when_the_scene_has_changed_and_holds_the_answer() {
    let mut settings = Settings::default();
    settings.camera.on = true;
    settings.live.interval = 1.0;
    let mut driver = Driver::with(Start { settings, ..Start::default() });
    driver.camera.becomes(CameraState::Live {
        device: CameraDevice { index: 0, name: "Test camera".into() },
        format: CameraFormatInfo { pixels: PixelFormat::Yuyv, width: 64, height: 48, fps: 30 },
    });
    let scene = |name: &str| {
        let frame = capture::load(&super::driver::sample(name)).unwrap();
        image::imageops::thumbnail(&*frame.pixels, 320, 240)
    };
    let (cat, lemon) = (scene("cat.jpg"), scene("lemon.jpg"));
    let rest = |driver: &mut Driver, pixels: &image::RgbImage, questions: usize, steps: usize| {
        for _ in 0..steps {
            driver.camera.show(pixels.clone());
            std::thread::sleep(std::time::Duration::from_millis(30));
            driver.window.step();
            if driver.engine.questions().len() >= questions {
                break;
            }
        }
        driver.engine.questions().len()
    };
    rest(&mut driver, &cat, 1, 3);
    driver.press(Modifiers::COMMAND, Key::L);
    assert!(driver.view().live.on);
    assert_eq!(rest(&mut driver, &cat, 1, 200), 1);
    driver.engine.say(&["A cat."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("the answer is held", |view| view.live.held.is_some());
    // The same scene asks nothing, however long it stays.
    assert_eq!(rest(&mut driver, &cat, 2, 50), 1);
    // Another one does, and what is new is marked when its answer is complete.
    assert_eq!(rest(&mut driver, &lemon, 2, 300), 2);
    assert_eq!(driver.view().live.held.as_ref().unwrap().text(), "A cat.");
    driver.engine.say(&["A lemon."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("the next is held", |view| view.live.held.as_ref().unwrap().text() == "A lemon.");
    assert_eq!(driver.view().live.news.len(), 1);
    driver.click("Keep this");
    assert_eq!(driver.view().talk.cards.len(), 1);
}
