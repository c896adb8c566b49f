//! A few pictures of the window, drawn by software rendering: `UPDATE_SNAPSHOTS=1` makes them anew.

use conversation::Finish;
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::Queryable;
use ui::View;

use super::driver::{Driver, Start, sample};

/// Text is drawn slightly differently from one version of the drivers to the next.
fn options() -> SnapshotOptions {
    SnapshotOptions::new().threshold(1.2).max_failed_pixels(400_usize)
}

fn talking(dark: bool, size: (f32, f32)) -> Driver {
    let pictures = vec![sample("cat.jpg")];
    let mut driver = Driver::with(Start { pictures, size: Some(size), dark, ..Start::default() });
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
        if let Err(error) = driver.window.try_snapshot_options(name, &options()) {
            failures.push(format!("{name}: {error}"));
        }
    };
    for (dark, name) in [(false, "picture_light"), (true, "picture_dark")] {
        check(&mut talking(dark, (900.0, 600.0)), name);
    }
    // A conversation in the smallest window that is promised, with a marked part and a doubt.
    let mut narrow = talking(false, (800.0, 600.0));
    narrow.window.get_by_label_contains("Picture cat.jpg").focus();
    narrow.steps();
    narrow.press(egui::Modifiers::NONE, egui::Key::Enter);
    narrow.ask("What is that?");
    narrow.engine.say(&["A **striped** cat", " on"], 0.9);
    narrow.engine.say(&[" a", " bench."], 0.1);
    narrow.until("it is drawn", |view| view.talk.cards[0].text().ends_with("bench."));
    narrow.engine.end(Finish::End);
    narrow.until("it is complete", |view| {
        let listed = view.history.rows.iter().any(|row| row.thumbnail.is_some());
        !view.talk.is_answering() && listed && view.talk.cards[0].thumbnail.is_some()
    });
    // Its date is today's, and what it took is this machine's.
    for name in ["Conversation: What is that?", "First word after", "15 tok/s"] {
        let rects: Vec<_> =
            narrow.window.query_all_by_label_contains(name).map(|node| node.rect()).collect();
        for rect in rects {
            narrow.window.mask(rect);
        }
    }
    check(&mut narrow, "conversation_narrow");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
