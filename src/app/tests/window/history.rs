//! Conversations that are kept.

use conversation::Finish;
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use ui::View;

use super::driver::{Driver, Start, sample};

/// A window with one conversation: about the cat, with this answer.
fn with_answer(answer: &str) -> Driver {
    let mut driver = Driver::showing("cat.jpg");
    driver.ask("What is that?");
    driver.engine.say(&[answer], 0.9);
    driver.engine.end(Finish::End);
    let title = format!("What is that? {answer}");
    driver.until("it has its title in the list", |view| {
        view.history.rows.first().is_some_and(|row| row.title == title)
    });
    driver
}

fn listed(driver: &mut Driver, rows: usize) {
    driver.until("the conversations are listed", |view| {
        view.history.rows.len() == rows && !view.talk.is_answering()
    });
}

fn title(view: &View, row: usize) -> String {
    view.history.rows[row].title.clone()
}

#[test]
fn a_conversation_is_kept_found_again_after_a_restart_and_gone_on_with() {
    let mut driver = with_answer("A cat.");
    driver.until("it has its title", |view| view.talk.title == "What is that? A cat.");
    let home = driver.close();

    let mut driver = Driver::with(Start { home: Some(home), ..Start::default() });
    driver.until("it is listed", |view| view.history.rows.len() == 1);
    driver.until("with its picture", |view| view.history.rows[0].thumbnail.is_some());
    let name = "Conversation: What is that? A cat., Today";
    driver.window.get_by_label_contains(name).click();
    driver.until("it is shown", |view| view.talk.cards.len() == 1);
    assert_eq!(driver.view().talk.cards[0].text(), "A cat.");
    let frame = driver.view().stage.shown.as_ref().unwrap().frame.clone();
    assert_eq!(frame.source.name(), "cat.jpg");
    let original = capture::load(&sample("cat.jpg")).unwrap();
    assert_eq!(frame.pixels, original.pixels, "pictures are kept without loss");

    // A follow-up knows what was said.
    driver.ask("What colour?");
    assert_eq!(driver.engine.inside().asked[0].turns.len(), 3);
    driver.engine.say(&["Black."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("it is kept in the same one", |view| {
        view.history.rows.len() == 1 && view.history.rows[0].questions == 2
    });
}

/// A window that has just opened the one conversation of `home`.
fn reopened(home: std::rc::Rc<tempfile::TempDir>) -> Driver {
    let mut driver = Driver::with(Start { home: Some(home), ..Start::default() });
    driver.until("it is listed", |view| !view.history.rows.is_empty());
    driver.window.query_all_by_label_contains("Conversation: ").next().unwrap().click();
    driver.until("it is shown", |view| !view.talk.cards.is_empty());
    driver
}

#[test]
fn asking_again_reads_the_picture_that_was_kept_or_says_that_it_is_gone() {
    let mut driver = with_answer("A cat.");
    driver.window.event(egui::Event::Paste(sample("lemon.jpg").to_string_lossy().into_owned()));
    driver.until("another is shown", |view| {
        view.stage.shown.as_ref().unwrap().frame.source.name() == "lemon.jpg"
    });
    driver.engine.inside().ready_answer = Some(vec!["Yes."]);
    driver.ask("And that?");
    driver.until("it is complete", |view| !view.talk.is_answering());

    let mut driver = reopened(driver.close());
    driver.engine.inside().ready_answer = Some(vec!["Yes."]);
    assert_eq!(driver.view().stage.shown.as_ref().unwrap().frame.source.name(), "lemon.jpg");
    driver.window.query_all_by_label("Ask again").next().unwrap().click();
    driver.until("it is asked, answered and shown", |view| {
        let shown = view.stage.shown.as_ref().unwrap().frame.source.name();
        view.talk.cards.len() == 3 && !view.talk.is_answering() && shown == "cat.jpg"
    });
    let asked = driver.engine.inside().asked[0].turns.clone();
    assert_eq!(asked[0].pictures[0].frame.source.name(), "cat.jpg");

    let home = driver.close();
    let sessions = home.path().join("data/sessions");
    let folder = std::fs::read_dir(sessions).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(folder.join("pictures/0002.png")).unwrap();
    let mut driver = reopened(home);
    driver.window.query_all_by_label("Ask again").nth(1).unwrap().click();
    driver.until("it is told", |view| {
        view.toasts.has("The picture of this question is gone: ") && !view.talk.is_answering()
    });
    assert!(driver.engine.inside().asked.is_empty());
}

#[test]
fn of_two_questions_asked_again_the_last_is_put_about_its_own_picture() {
    let mut driver = with_answer("A cat.");
    driver.engine.inside().ready_answer = Some(vec!["Yes."]);
    for (number, name) in ["lemon.jpg", "rocket.jpg"].into_iter().enumerate() {
        driver.window.event(egui::Event::Paste(sample(name).to_string_lossy().into_owned()));
        driver.until("another is shown", |view| {
            view.stage.shown.as_ref().unwrap().frame.source.name() == name
        });
        driver.ask("What is that?");
        driver.until("it is complete", |view| {
            view.talk.cards.len() == number + 2 && !view.talk.is_answering()
        });
    }
    let mut driver = reopened(driver.close());
    driver.engine.inside().ready_answer = Some(vec!["Yes."]);
    for card in [0, 1] {
        driver.window.query_all_by_label("Ask again").nth(card).unwrap().click();
        driver.window.step();
    }
    // The first may have been put before the second was asked for.
    let engine = driver.engine.clone();
    let asked = move || -> Vec<String> {
        let inside = engine.inside();
        let last = inside.asked.iter().filter_map(|question| question.turns.last());
        last.map(|turn| turn.pictures[0].frame.source.name()).collect()
    };
    driver.until("the last is asked and answered", |view| {
        asked().last().is_some_and(|name| name == "lemon.jpg") && !view.talk.is_answering()
    });
    driver.steps();
    let asked = asked();
    assert!(asked == ["lemon.jpg"] || asked == ["cat.jpg", "lemon.jpg"], "{asked:?}");
}

#[test]
fn new_search_rename_delete_and_undo() {
    let mut driver = with_answer("A cat.");
    driver.press(Modifiers::COMMAND, Key::N);
    assert!(driver.view().talk.cards.is_empty());
    assert!(driver.view().stage.shown.is_some(), "the picture stays");
    driver.ask("Is it ripe?");
    driver.engine.say(&["A lemon."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("both are listed", |view| {
        view.history.rows.len() == 2 && view.history.rows[0].title == "Is it ripe? A lemon."
    });

    driver.press(Modifiers::COMMAND, Key::K);
    driver.window.get_by_label("Search the conversations").type_text("LEMON");
    driver.until("one is found", |view| view.history.rows.len() == 1);
    assert_eq!(title(driver.view(), 0), "Is it ripe? A lemon.");
    driver.window.get_by_label("Search the conversations").type_text(" zebra");
    driver.until("nothing is found", |view| view.history.rows.is_empty());
    assert!(driver.has("Nothing found."));
    driver.press(Modifiers::COMMAND, Key::A);
    driver.press(Modifiers::NONE, Key::Backspace);
    listed(&mut driver, 2);

    // Renamed by its menu.
    driver.click("More: Is it ripe? A lemon.");
    driver.click("Rename");
    driver.steps();
    driver.press(Modifiers::COMMAND, Key::A);
    driver.window.get_by_label("New title").type_text("My lemon");
    driver.steps();
    driver.press(Modifiers::NONE, Key::Enter);
    driver.until("it is renamed", |view| view.history.rows.iter().any(|r| r.title == "My lemon"));

    driver.click("More: My lemon");
    driver.click("Delete");
    listed(&mut driver, 1);
    assert!(driver.has("Deleted: My lemon"));
    driver.click("Undo");
    listed(&mut driver, 2);
}

#[test]
fn all_are_deleted_only_after_a_question() {
    let mut driver = with_answer("A cat.");
    driver.click("Delete all");
    assert!(driver.has("Delete all conversations?"));
    driver.click("Keep them");
    listed(&mut driver, 1);
    driver.click("Delete all");
    driver.click("Delete all for good");
    driver.until("all are gone", |view| view.history.rows.is_empty());
    let left = std::fs::read_dir(driver.home.path().join("data/sessions")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn a_conversation_is_exported_three_ways_and_imported() {
    let mut driver = with_answer("A cat.");
    let out = tempfile::tempdir().unwrap();
    let (zip, markdown) = (out.path().join("a.zip"), out.path().join("a.md"));
    for (word, chosen) in [
        ("Export as a zip file", zip.clone()),
        ("Export as Markdown", markdown.clone()),
        ("Export as a folder", out.path().to_path_buf()),
    ] {
        driver.desktop.0.lock().unwrap().answers.push_back(Ok(vec![chosen]));
        driver.click("More: What is that? A cat.");
        driver.click(word);
        driver.until("it is exported", |view| view.toasts.has("Exported as"));
    }
    assert!(zip.is_file());
    driver.until("the folder is there", |_| {
        out.path().join("What is that A cat/session.json").is_file()
    });
    let text = std::fs::read_to_string(&markdown).unwrap();
    assert!(text.contains("What is that?") && text.contains("A cat."), "{text}");

    // A second time, it asks before it writes over the first.
    driver.desktop.0.lock().unwrap().answers.push_back(Ok(vec![zip.clone()]));
    std::fs::write(&zip, b"mine").unwrap();
    driver.click("More: What is that? A cat.");
    driver.click("Export as a zip file");
    driver.until("it asks", |view| view.toasts.has("a.zip is there already"));
    assert_eq!(std::fs::read(&zip).unwrap(), b"mine");
    driver.click("Write over it");
    driver.until("it is written", |_| std::fs::read(&zip).is_ok_and(|bytes| bytes.len() > 100));

    driver.desktop.0.lock().unwrap().answers.push_back(Ok(vec![zip]));
    driver.click("Import");
    driver.click("From a zip file");
    listed(&mut driver, 2);
    driver.until("it is shown", |view| view.toasts.has("Imported"));
    assert_eq!(driver.view().talk.cards[0].text(), "A cat.");
    // And the folder.
    let folder = out.path().join("What is that A cat");
    driver.desktop.0.lock().unwrap().answers.push_back(Ok(vec![folder]));
    driver.click("Import");
    driver.click("From a folder");
    listed(&mut driver, 3);
}

#[test]
fn two_windows_do_not_damage_each_others_history() {
    let mut first = with_answer("A cat.");
    let second_home = std::rc::Rc::clone(&first.home);
    let mut second = Driver::with(Start { home: Some(second_home), ..Start::default() });
    listed(&mut second, 1);
    second.window.get_by_label_contains("Conversation: What is that? A cat.").click();
    second.until("it is shown", |view| view.talk.cards.len() == 1);
    assert!(second.has("open in another window"));
    // Both go on: the second begins its own.
    second.ask("And here?");
    second.engine.say(&["There."], 0.9);
    second.engine.end(Finish::End);
    second.until("it has its own", |view| view.history.rows.len() == 2);
    assert_eq!(second.view().talk.cards.len(), 1, "what is shown is what is kept");
    assert_eq!(second.engine.inside().asked[0].turns.len(), 1, "and what was told");
    first.ask("What colour?");
    first.engine.say(&["Black."], 0.9);
    first.engine.end(Finish::End);
    first.until("both are listed", |view| {
        let mut questions: Vec<_> = view.history.rows.iter().map(|row| row.questions).collect();
        questions.sort_unstable();
        questions == [1, 2]
    });
}

#[test]
fn a_question_asked_while_a_conversation_is_being_opened_is_kept_whole() {
    let mut driver = with_answer("A cat.");
    driver.press(Modifiers::COMMAND, Key::N);
    driver.ask("Another?");
    driver.engine.say(&["Yes."], 0.9);
    driver.engine.end(Finish::End);
    driver.until("both are listed", |view| {
        view.history.rows.len() == 2 && view.history.rows[0].title == "Another? Yes."
    });
    // One frame takes the click, the next the key: before, at or after the opening.
    driver.window.get_by_label_contains("Conversation: What is that?").click();
    driver.window.step();
    driver.window.key_press(Key::F8);
    driver.window.step();
    driver.engine.say(&["Kept", " whole."], 0.9);
    driver.engine.end(Finish::End);
    let sessions = driver.home.path().join("data/sessions");
    driver.until("it is kept, complete", |_| {
        std::fs::read_dir(&sessions).unwrap().any(|entry| {
            let file = entry.unwrap().path().join("session.json");
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let session: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            session["exchanges"].as_array().into_iter().flatten().any(|exchange| {
                let answer = &exchange["answer"];
                answer["text"] == "Kept whole." && answer["finish"] == "end"
            })
        })
    });
    assert_eq!(driver.view().toasts.newest_error(), None);
}

#[test]
fn what_a_killed_window_was_saying_is_there_again() {
    let mut driver = Driver::showing("cat.jpg");
    driver.ask("What is that?");
    driver.engine.say(&["A", " black", " cat"], 0.9);
    driver.until("words are there", |view| view.talk.cards[0].text() == "A black cat");
    // The journal has them before the answer ends. A process that is killed lets go of its lock;
    // here a copy of the folder has none.
    let copy = tempfile::tempdir().unwrap();
    let data = driver.home.path().join("data");
    let begun = std::time::Instant::now();
    loop {
        let journal = std::fs::read_dir(data.join("sessions")).unwrap().find_map(|entry| {
            std::fs::read_to_string(entry.unwrap().path().join("journal.jsonl")).ok()
        });
        if journal.is_some_and(|text| text.contains(" cat")) {
            break;
        }
        assert!(begun.elapsed().as_secs() < 20);
        driver.window.step();
    }
    copy_folder(&data, &copy.path().join("data"));
    let home = std::rc::Rc::new(copy);
    let mut driver = Driver::with(Start { home: Some(home), ..Start::default() });
    driver.until("it is listed", |view| view.history.rows.len() == 1);
    driver.window.get_by_label_contains("Conversation: What is that?").click();
    driver.until("it is shown", |view| view.talk.cards.len() == 1);
    assert_eq!(driver.view().talk.cards[0].text(), "A black cat");
    assert!(driver.has("Lorgnette ended before the answer did."));
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
