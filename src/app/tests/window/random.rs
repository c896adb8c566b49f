//! A long, random use: nothing panics, nothing is stuck, nothing grows.

use std::path::Path;
use std::rc::Rc;

use conversation::{Finish, Role, Turn, turns_for};
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use engine::Question;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use session::{SessionError, Store};

use super::driver::{Driver, Start, sample};

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
    driver.until("it is answered", |view| view.talk.cards.last().is_some_and(|c| !c.under_way));
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

/// What a question says and shows.
fn told(turns: &[Turn]) -> Vec<(Role, String, Vec<String>)> {
    let pictures = |turn: &Turn| {
        turn.pictures
            .iter()
            .map(|look| format!("{} {:?}", look.frame.sha256(), look.region))
            .collect()
    };
    turns.iter().map(|turn| (turn.role, turn.text.clone(), pictures(turn))).collect()
}

/// Compares every exchange that is kept in `home` with what the engine was asked: the answer to the
/// question with the number n is "A‹n›." Gives how many there were.
fn kept_is_sent(home: &Path, sent: &[Question]) -> usize {
    let store = Store::open(&home.join("data")).unwrap();
    let mut seen = 0;
    for summary in store.list().unwrap().sessions {
        let session = store.read(&summary.id).unwrap();
        for (at, exchange) in session.exchanges.iter().enumerate() {
            let Some(token) = exchange.answer.tokens.first() else { continue };
            let number: usize = token.text.trim_matches(['A', '.']).parse().unwrap();
            let before = session.exchanges[..at].iter();
            let turns = turns_for(before, exchange, |picture| {
                let frame = store.picture(&summary.id, picture)?;
                Ok::<_, SessionError>(frame)
            });
            assert_eq!(told(&turns.unwrap()), told(&sent[number].turns), "question {number}");
            assert_eq!(exchange.options, sent[number].options);
            seen += 1;
        }
    }
    seen
}

#[test]
fn whatever_is_done_what_is_kept_is_what_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let pictures: Vec<_> = (0..4u8)
        .map(|seed| {
            let path = folder.path().join(format!("{seed}.ppm"));
            let pixels = [seed * 60; 8 * 6 * 3];
            std::fs::write(&path, [b"P6 8 6 255\n".as_slice(), &pixels].concat()).unwrap();
            path
        })
        .collect();
    let engine = super::fake::FakeEngine::default();
    let home = Rc::new(tempfile::tempdir().unwrap());
    let start = |other: bool| {
        let (engine, home) = (engine.clone(), Some(Rc::clone(&home)));
        let engine = if other { super::fake::FakeEngine::default() } else { engine };
        let mut settings = values::config::Settings::default();
        settings.maps.ground_answers = false;
        let pictures = vec![pictures[0].clone()];
        let mut driver =
            Driver::with(Start { settings, engine, pictures, home, ..Start::default() });
        driver.until("a picture is shown", |view| view.stage.shown.is_some());
        driver
    };
    let mut random = StdRng::seed_from_u64(20_261_128);
    let mut driver = start(false);
    let mut second: Option<Driver> = None;
    let mut kept = 0;
    for step in 0..1000 {
        match random.random_range(0..20) {
            0..=3 => {
                let path = pictures[random.random_range(0..pictures.len())].to_string_lossy();
                driver.window.event(egui::Event::Paste(path.into_owned()));
                driver.until("it is read", |view| view.stage.reading.is_none());
            }
            4..=8 => driver.press(Modifiers::NONE, Key::F8),
            10..=12 => {
                let again: Vec<_> = driver.window.query_all_by_label("Ask again").collect();
                if !again.is_empty() {
                    again[random.random_range(0..again.len())].click();
                    driver.steps();
                }
            }
            13 if step % 4 == 0 => driver.press(Modifiers::NONE, Key::Escape),
            14 if step % 2 == 0 => driver.press(Modifiers::COMMAND, Key::N),
            15 => {
                let rows: Vec<_> =
                    driver.window.query_all_by_label_contains("Conversation: ").collect();
                if !rows.is_empty() {
                    rows[random.random_range(0..rows.len())].click();
                    driver.steps();
                }
            }
            17 => {
                // Another window opens what this one may have open or will open, or closes.
                second = match second.take() {
                    Some(second) => {
                        second.close();
                        None
                    }
                    None if kept > 0 => {
                        let mut second = start(true);
                        second.until("they are listed", |view| !view.history.rows.is_empty());
                        second
                            .window
                            .query_all_by_label_contains("Conversation: ")
                            .next()
                            .unwrap()
                            .click();
                        second.until("one is shown", |view| !view.talk.cards.is_empty());
                        Some(second)
                    }
                    None => None,
                };
            }
            18 if step % 4 == 0 => {
                driver.close();
                kept = kept.max(kept_is_sent(home.path(), &engine.inside().asked));
                driver = start(false);
            }
            _ => {
                // The answer under way, said with the question's number; ended or left open.
                let number = engine.inside().asked.len();
                if number > 0 && driver.view().talk.is_answering() {
                    let word: &'static str =
                        Box::leak(format!("A{}.", number - 1).into_boxed_str());
                    driver.engine.say(&[word], 0.9);
                    if random.random_bool(0.8) {
                        driver.engine.end(Finish::End);
                    }
                }
            }
        }
        driver.steps();
    }
    driver.close();
    kept = kept.max(kept_is_sent(home.path(), &engine.inside().asked));
    println!("{kept} exchanges were compared");
    assert!(kept > 100, "{kept}");
}
