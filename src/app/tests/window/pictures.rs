//! How pictures come in, and how a part of one is marked.

use std::sync::Arc;

use capture::{CameraDevice, CameraFormatInfo, CameraState, PixelFormat};
use egui::{Event, Key, Modifiers};
use egui_kittest::kittest::Queryable;
use lorgnette_app::desktop::Wish;
use values::config::Settings;

use super::driver::{Driver, Start, sample};

#[test]
fn a_first_start_offers_ways_to_a_picture_and_samples_to_try() {
    let mut driver = Driver::with(Start { gallery: true, ..Start::default() });
    for name in ["Open pictures", "Use the camera", "Paste"] {
        driver.window.get_all_by_label(name).next().unwrap();
    }
    driver.until("the samples are there", |view| view.gallery.tiles.len() == 20);
    driver.click("Sample picture cat");
    driver.until("the sample is shown", |view| view.stage.shown.is_some());
    driver.window.get_by_label_contains("Picture cat.jpg, 451 by 300");
    // The camera is not touched before anybody asked for it.
    assert_eq!(driver.camera.inside().wanted, None);
}

#[test]
fn pictures_are_opened_by_a_dialog_and_turned_over() {
    let mut driver = Driver::start();
    let files = vec![sample("cat.jpg"), sample("lemon.jpg")];
    driver.desktop.0.lock().unwrap().answers.push_back(Ok(files));
    driver.press(Modifiers::COMMAND, Key::O);
    driver.until("the first is shown", |view| view.stage.shown.is_some());
    assert!(matches!(driver.desktop.0.lock().unwrap().wishes[0], Wish::Pictures(None)));
    driver.window.get_by_label("1 of 2");
    driver.click("Next picture");
    driver.until("the second is shown", |view| {
        view.stage.shown.as_ref().unwrap().frame.source.name() == "lemon.jpg"
    });
    driver.press(Modifiers::NONE, Key::PageUp);
    driver.until("the first is shown again", |view| {
        view.stage.shown.as_ref().unwrap().frame.source.name() == "cat.jpg"
    });
    // The next dialog begins where the last one ended.
    let folder = sample("");
    let last = driver.view().settings.pictures_folder.clone().unwrap();
    assert_eq!(last.canonicalize().unwrap(), folder.canonicalize().unwrap());
}

#[test]
fn a_cancelled_dialog_changes_nothing() {
    let mut driver = Driver::showing("cat.jpg");
    driver.press(Modifiers::COMMAND, Key::O);
    driver.steps();
    assert!(driver.view().stage.shown.is_some() && !driver.has("Close the message"));
}

/// A file as a desktop drops it.
#[derive(Debug)]
struct Dropped(std::path::PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &std::path::Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

#[test]
fn files_and_folders_are_dropped() {
    let mut driver = Driver::start();
    let folder = Dropped(sample(""));
    driver.window.input_mut().dropped_files.push(Arc::new(folder));
    driver.until("the first of the folder is shown", |view| view.stage.shown.is_some());
    driver.window.get_by_label("1 of 20");
}

#[test]
fn a_picture_and_the_path_of_one_are_pasted() {
    let mut driver = Driver::start();
    let image = egui::ColorImage::filled([40, 30], egui::Color32::from_rgb(200, 10, 10));
    driver.window.event(Event::PasteImage(Arc::new(image)));
    driver.until("it is shown", |view| view.stage.shown.is_some());
    driver.window.get_by_label_contains("Picture pasted picture, 40 by 30");

    let path = sample("lemon.jpg").canonicalize().unwrap();
    driver.window.event(Event::Paste(path.to_string_lossy().into_owned()));
    driver.until("the file is shown", |view| {
        view.stage.shown.as_ref().unwrap().frame.source.name() == "lemon.jpg"
    });
    assert_eq!(driver.view().ask.question, "");
    // Other text goes into the question.
    driver.window.get_by_label("Question").focus();
    driver.steps();
    driver.window.event(Event::Paste("Is it ripe?".into()));
    driver.steps();
    assert_eq!(driver.view().ask.question, "Is it ripe?");
}

pub fn camera_on() -> Settings {
    let mut settings = Settings::default();
    settings.camera.on = true;
    settings
}

pub fn live() -> CameraState {
    CameraState::Live {
        device: CameraDevice { index: 0, name: "Test camera".into() },
        format: CameraFormatInfo { pixels: PixelFormat::Yuyv, width: 64, height: 48, fps: 30 },
    }
}

pub fn grey(value: u8) -> image::RgbImage {
    image::RgbImage::from_pixel(64, 48, image::Rgb([value; 3]))
}

#[test]
fn the_shutter_freezes_the_cameras_picture_and_gives_it_back() {
    let mut driver = Driver::with(Start { settings: camera_on(), ..Start::default() });
    driver.until("the camera starts", |view| view.settings.camera.on);
    driver.camera.becomes(live());
    driver.camera.show(grey(10));
    driver.until("it is live", |view| view.stage.is_live());
    assert!(driver.camera.inside().wanted.is_some());

    driver.window.get_by_label("Question").focus();
    driver.steps();
    // While a text is typed, Space is a space.
    driver.window.get_by_label("Question").type_text(" ");
    driver.press(Modifiers::NONE, Key::Space);
    assert!(driver.view().stage.is_live());
    driver.click("Take the picture");
    assert!(!driver.view().stage.is_live());
    let frozen = driver.view().stage.shown.as_ref().unwrap().frame.id;
    driver.camera.show(grey(90));
    std::thread::sleep(std::time::Duration::from_millis(50));
    driver.steps();
    assert_eq!(driver.view().stage.shown.as_ref().unwrap().frame.id, frozen);

    driver.click("Back to live");
    driver.camera.show(grey(120));
    driver.until("it is live again", |view| view.stage.is_live());
    // Asked about, a live picture stands still.
    driver.ask("What is that?");
    assert!(!driver.view().stage.is_live());
    assert_eq!(driver.engine.inside().asked.len(), 1);
}

#[test]
fn a_camera_that_does_not_come_says_why_and_comes_by_itself() {
    let mut driver = Driver::with(Start { settings: camera_on(), ..Start::default() });
    for (state, words) in [
        (CameraState::Missing, "No camera found"),
        (CameraState::Busy("Test camera".into()), "Test camera is in use"),
        (CameraState::Denied, "The camera may not be used"),
        (CameraState::Lost("Test camera".into()), "Test camera is gone"),
        (CameraState::Failed("no format".into()), "The camera gives no picture"),
    ] {
        driver.camera.becomes(state.clone());
        driver.until("the state is shown", |view| view.camera.state == state);
        assert!(driver.has(words), "{words}");
        // Everything else goes on working.
        assert!(driver.has("Open pictures"));
    }
    driver.camera.becomes(live());
    driver.camera.show(grey(50));
    driver.until("it came back", |view| view.stage.is_live());
}

#[test]
fn a_part_is_marked_by_a_drag_a_click_and_keys_and_cleared() {
    let mut driver = Driver::showing("cat.jpg");
    let rect = driver.window.get_by_label_contains("Picture cat.jpg").rect();
    let at = |x: f32, y: f32| rect.min + egui::vec2(x, y) * rect.size();

    driver.drag(at(0.25, 0.5), at(0.75, 1.0));
    let region = driver.view().stage.region.expect("a region is marked");
    assert!((region.x() - 0.25).abs() < 0.02 && (region.width() - 0.5).abs() < 0.02, "{region}");
    assert!((region.y() - 0.5).abs() < 0.02 && (region.height() - 0.5).abs() < 0.02, "{region}");
    assert!(driver.has("marked: bottom"));

    // Taken by the middle, it moves.
    driver.drag(at(0.5, 0.75), at(0.4, 0.5));
    let moved = driver.view().stage.region.unwrap();
    assert!((moved.x() - 0.15).abs() < 0.02 && (moved.width() - region.width()).abs() < 1e-4);

    driver.click("Clear the mark");
    assert_eq!(driver.view().stage.region, None);

    driver.window.get_by_label_contains("Picture cat.jpg").focus();
    driver.steps();
    driver.press(Modifiers::NONE, Key::Enter);
    let middle = driver.view().stage.region.expect("Enter marks the middle");
    driver.press(Modifiers::NONE, Key::ArrowRight);
    driver.press(Modifiers::SHIFT, Key::ArrowDown);
    let changed = driver.view().stage.region.unwrap();
    assert!(changed.x() > middle.x() && changed.height() > middle.height());
    driver.press(Modifiers::NONE, Key::Escape);
    assert_eq!(driver.view().stage.region, None);
}

#[test]
fn typing_after_a_click_on_the_picture_begins_the_question() {
    let mut driver = Driver::showing("cat.jpg");
    driver.window.get_by_label_contains("Picture cat.jpg").click();
    driver.steps();
    for letter in ["W", "h", "y", "?"] {
        driver.window.event(Event::Text(letter.into()));
        driver.steps();
    }
    assert_eq!(driver.view().ask.question, "Why?");
}

#[test]
fn mirroring_is_for_the_screen_alone() {
    let mut driver = Driver::with(Start { settings: camera_on(), ..Start::default() });
    driver.camera.becomes(live());
    driver.camera.show(grey(10));
    driver.until("it is live", |view| view.stage.is_live());
    driver.press(Modifiers::NONE, Key::F8);
    assert!(driver.view().stage.shown.as_ref().unwrap().mirrored);
    let rect = driver.window.get_by_label_contains("Picture Test camera").rect();
    let at = |x: f32, y: f32| rect.min + egui::vec2(x, y) * rect.size();
    driver.drag(at(0.0, 0.0), at(0.25, 0.5));
    // At the left of the mirror is the right of the frame.
    let region = driver.view().stage.region.unwrap();
    assert!((region.x() - 0.75).abs() < 0.03 && region.y() < 0.03, "{region}");
}
