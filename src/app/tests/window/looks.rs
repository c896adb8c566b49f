//! A few pictures of the window, drawn by software rendering: `UPDATE_SNAPSHOTS=1` makes them anew.

use std::sync::Arc;

use conversation::Finish;
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::Queryable;
use ui::View;
use ui::maps::Wanted;

use super::driver::{Driver, Start, sample};
use super::fake::FakeEngine;
use super::specialists::card_with_evidence;

/// Text is drawn slightly differently from one version of the drivers to the next.
fn options() -> SnapshotOptions {
    SnapshotOptions::new().threshold(1.2).max_failed_pixels(400_usize)
}

fn showing_the_cat(dark: bool, size: (f32, f32)) -> Start {
    Start { pictures: vec![sample("cat.jpg")], size: Some(size), dark, ..Start::default() }
}

/// Waits until the first answer is complete, and hides what is never twice the same.
fn answered(driver: &mut Driver) {
    driver.until("it is complete", |view| {
        let listed = view.history.rows.iter().any(|row| row.thumbnail.is_some());
        !view.talk.is_answering() && listed && view.talk.cards[0].thumbnail.is_some()
    });
    // Its date is today's, and what it took is this machine's.
    for name in ["Conversation: ", "First word after", "15 tok/s"] {
        let rects: Vec<_> =
            driver.window.query_all_by_label_contains(name).map(|node| node.rect()).collect();
        for rect in rects {
            driver.window.mask(rect);
        }
    }
}

fn talking(start: Start) -> Driver {
    let mut driver = Driver::with(start);
    driver.until("the picture is shown", |view: &View| view.stage.shown.is_some());
    driver.window.hover_at(egui::pos2(1.0, 1.0));
    driver
}

#[test]
fn the_window_looks_as_it_should() {
    let mut failures = Vec::new();
    let mut check = |driver: &mut Driver, name: &str| {
        // The caret blinks, and times pass: neither belongs into a picture.
        driver.window.ctx.memory_mut(|memory| {
            if let Some(id) = memory.focused() {
                memory.surrender_focus(id);
            }
        });
        driver.steps();
        let looks = |view: &View| matches!(view.stage.evidence, Wanted::Coming);
        driver.until("it is known what is seen", |view| !looks(view));
        if let Err(error) = driver.window.try_snapshot_options(name, &options()) {
            failures.push(format!("{name}: {error}"));
        }
    };
    for (dark, name) in [(false, "picture_light"), (true, "picture_dark")] {
        check(&mut talking(showing_the_cat(dark, (900.0, 600.0))), name);
    }
    // An answer that is not sure and has a caution, and what else it may be.
    let engine = FakeEngine::default();
    engine.inside().card = Some(Arc::new(card_with_evidence()));
    let start = Start { engine, ..showing_the_cat(true, (1000.0, 600.0)) };
    let mut doubtful = talking(start);
    doubtful.ask("Can I eat it?");
    doubtful.until_asked(1);
    doubtful.engine.say(&["It", " may", " be", " a", " lynx."], 0.9);
    doubtful.engine.end(Finish::End);
    answered(&mut doubtful);
    doubtful.click("Not that");
    check(&mut doubtful, "evidence_dark");
    // A conversation in the smallest window that is promised, with a marked part and a doubt.
    let mut narrow = talking(showing_the_cat(false, (800.0, 600.0)));
    narrow.window.get_by_label_contains("Picture cat.jpg").focus();
    narrow.steps();
    narrow.press(egui::Modifiers::NONE, egui::Key::Enter);
    narrow.ask("What is that?");
    narrow.engine.say(&["A **striped** cat", " on"], 0.9);
    narrow.engine.say(&[" a", " bench."], 0.1);
    narrow.until("it is drawn", |view| view.talk.cards[0].text().ends_with("bench."));
    narrow.engine.end(Finish::End);
    answered(&mut narrow);
    check(&mut narrow, "conversation_narrow");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
