//! A long, random use: nothing panics, nothing is stuck, nothing grows.

use egui::{Key, Modifiers};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::driver::{Driver, sample};

/// Resident memory of this process, in MB.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

#[test]
fn two_hundred_random_actions_leave_no_trace() {
    let mut driver = Driver::showing("cat.jpg");
    driver.engine.inside().ready_answer = Some(vec!["A", " small", " answer", "."]);
    let mut random = StdRng::seed_from_u64(20_260_131);
    let names = ["cat.jpg", "lemon.jpg", "rocket.jpg", "hat.jpg"];
    let mut settled = None;
    for step in 0..200 {
        match random.random_range(0..12) {
            0..=2 => {
                let path = sample(names[random.random_range(0..names.len())]);
                let path = path.to_string_lossy().into_owned();
                driver.window.event(egui::Event::Paste(path));
            }
            3..=5 => driver.press(Modifiers::NONE, Key::F8),
            6 => {
                // An answer that does not end by itself, and is stopped or not.
                driver.engine.inside().ready_answer = None;
                driver.press(Modifiers::NONE, Key::F8);
                if random.random_bool(0.5) {
                    driver.press(Modifiers::NONE, Key::Escape);
                }
                driver.engine.inside().ready_answer = Some(vec!["Another", "."]);
            }
            7 => driver.press(Modifiers::NONE, Key::Escape),
            8 => driver.press(Modifiers::COMMAND, Key::N),
            9 => driver.press(Modifiers::COMMAND, Key::Comma),
            10 => driver.press(Modifiers::COMMAND, Key::B),
            _ => driver.press(Modifiers::NONE, Key::F1),
        }
        driver.steps();
        if step == 100 {
            settled = resident();
        }
    }
    // Nothing is stuck: dialogs close, answers end, and a question is answered.
    for _ in 0..3 {
        driver.press(Modifiers::NONE, Key::Escape);
    }
    driver.until("nothing is under way", |view| !view.talk.is_answering() && view.dialog.is_none());
    driver.until("a picture is shown", |view| {
        view.stage.shown.is_some() && view.stage.reading.is_none()
    });
    driver.press(Modifiers::COMMAND, Key::N);
    driver.press(Modifiers::NONE, Key::F8);
    driver
        .until("it is answered", |view| view.talk.cards.last().is_some_and(|c| !c.is_under_way()));
    assert!(
        driver.view().toasts.newest_error().is_none(),
        "{:?}",
        driver.view().toasts.newest_error()
    );
    if let (Some(settled), Some(end)) = (settled, resident()) {
        println!("resident: {settled:.0} MB after 100 actions, {end:.0} MB after 200");
        assert!(end < settled + 64.0, "memory grew from {settled:.0} to {end:.0} MB");
    }
}
