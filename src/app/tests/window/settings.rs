//! The settings dialog, and what it changes.

use std::sync::Arc;

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use values::config::{Precision, Settings, Theme};

use super::driver::{Driver, Start, sample};
use super::fake::FakeEngine;
use super::specialists::card_with_evidence;

#[test]
fn settings_are_changed_kept_and_there_again() {
    let mut driver = Driver::start();
    driver.press(Modifiers::COMMAND, Key::Comma);
    driver.click("Dark");
    assert_eq!(driver.view().settings.theme, Theme::Dark);
    assert_eq!(driver.window.ctx.theme(), egui::Theme::Dark);
    driver.click("Show tokens and probabilities of every answer");
    driver.press(Modifiers::NONE, Key::Escape);
    assert!(driver.view().dialog.is_none());
    let home = driver.close();
    let (settings, notice) = Settings::load(&home.path().join("data"));
    assert!(notice.is_none());
    assert!(settings.theme == Theme::Dark && settings.details);
}

#[test]
fn another_precision_loads_the_model_again() {
    let mut driver = Driver::start();
    assert_eq!(driver.engine.inside().loads, 1);
    driver.click("Settings");
    driver.click("32 bit (f32)");
    assert_eq!(driver.view().settings.weights, Precision::F32);
    assert_eq!(driver.engine.inside().loads, 2);
}

#[test]
fn the_models_card_is_shown_and_its_questions_are_offered_until_the_user_has_others() {
    let engine = FakeEngine::default();
    engine.inside().card = Some(Arc::new(card_with_evidence()));
    let pictures = vec![sample("cat.jpg")];
    let mut driver = Driver::with(Start { engine, pictures, ..Start::default() });
    driver.until("the picture is shown", |view| view.stage.shown.is_some());
    driver.click("Where?");
    driver.until_asked(1);
    assert_eq!(driver.engine.questions(), ["Where?"]);
    assert!(driver.view().settings.own_presets().is_none(), "none of them is the user's own");

    driver.click("Settings");
    assert!(driver.has("A model made up. It cannot fly.") && driver.has("Licence: MIT."));
    driver.click("Remove question 1");
    assert_eq!(driver.view().settings.presets, ["Where?"]);
    driver.click("The usual ones");
    assert_eq!(driver.view().questions(), ["Who?", "Where?"]);
    assert!(driver.view().settings.own_presets().is_none());
}

#[test]
fn the_questions_to_choose_from_are_edited() {
    let mut driver = Driver::showing("cat.jpg");
    driver.click("Edit the questions");
    driver.click("Remove question 2");
    driver.click("Add a question");
    let last = driver.view().settings.presets.len();
    driver.window.get_by_label(&format!("Question {last}")).focus();
    driver.steps();
    driver.press(Modifiers::COMMAND, Key::A);
    // Emptied on the way, it stays where it is.
    driver.press(Modifiers::NONE, Key::Backspace);
    assert_eq!(driver.view().settings.presets.len(), last);
    driver.window.get_by_label(&format!("Question {last}")).type_text("Who painted it?");
    driver.steps();
    driver.click(&format!("Move question {last} up"));
    let presets = driver.view().settings.presets.clone();
    assert!(!presets.contains(&"Describe this".to_owned()));
    assert_eq!(presets[last - 2], "Who painted it?");
    driver.press(Modifiers::NONE, Key::Escape);
    driver.press(Modifiers::NONE, Key::Escape);
    driver.click("Who painted it?");
    assert_eq!(driver.engine.questions(), ["Who painted it?"]);
}

#[test]
fn the_cameras_choices_reach_the_camera() {
    let mut settings = Settings::default();
    settings.camera.on = true;
    let mut driver = Driver::with(Start { settings, ..Start::default() });
    driver.until("the cameras are known", |view| !view.camera.devices.is_empty());
    driver.click("Settings");
    let mut settings = driver.view().settings.clone();
    settings.camera.size = Some((640, 480));
    let list = || egui_kittest::kittest::by().label("Size").role(egui::Role::ComboBox);
    driver.window.get(list()).scroll_to_me();
    driver.steps();
    driver.window.get(list()).click();
    driver.steps();
    driver.click("640 × 480");
    let begun = std::time::Instant::now();
    while driver.camera.inside().wanted.as_ref().and_then(|wanted| wanted.size)
        != settings.camera.size
    {
        assert!(begun.elapsed().as_secs() < 10);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn conversations_can_be_kept_elsewhere() {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut driver = Driver::showing("cat.jpg");
    let chosen = Ok(vec![elsewhere.path().to_path_buf()]);
    driver.desktop.0.lock().unwrap().answers.push_back(chosen);
    driver.click("Settings");
    driver.click("Change …");
    driver.press(Modifiers::NONE, Key::Escape);
    driver.ask("What?");
    driver.engine.say(&["A cat."], 0.9);
    driver.engine.end(conversation::Finish::End);
    driver.until("it is listed", |view| view.history.rows.len() == 1);
    assert_eq!(std::fs::read_dir(elsewhere.path().join("sessions")).unwrap().count(), 1);
}

#[test]
fn the_text_size_makes_everything_larger() {
    let mut settings = Settings { text_size: 1.5, ..Settings::default() };
    let driver = Driver::with(Start { settings: settings.clone(), ..Start::default() });
    assert!((driver.window.ctx.zoom_factor() - 1.5).abs() < 1e-6);
    settings.text_size = 1.0;
    let driver = Driver::with(Start { settings, ..Start::default() });
    assert!((driver.window.ctx.zoom_factor() - 1.0).abs() < 1e-6);
}
