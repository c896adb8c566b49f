//! Conversations kept, found again after every kind of end, and thrown away.

mod bundles;
mod golden;

use std::fs;
use std::path::Path;
use std::time::Duration;

use conversation::{Answer, Exchange, Finish, ModelInfo, Options, Picture, Timings, Token};
use image::RgbImage;
use values::frame::{Frame, Source};
use values::region::Region;

use super::*;

pub fn pixels(width: u32, height: u32, seed: u8) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([x as u8 ^ seed, (y as u8).wrapping_mul(seed), (x * y) as u8])
    })
}

pub fn frame(name: &str, seed: u8) -> Frame {
    Frame::new(pixels(40, 30, seed), Source::Memory(name.into()))
}

pub fn token(text: &str) -> Token {
    Token { id: text.len() as u32, text: text.into(), logprob: -0.25 }
}

pub fn options() -> Options {
    Options { max_tokens: 256, temperature: 0.0, seed: 7 }
}

pub fn model() -> ModelInfo {
    ModelInfo {
        name: "lorgnette-tiny".into(),
        revision: "1".into(),
        weights: "q8_0".into(),
        device: "CPU".into(),
    }
}

/// An answer of the words of `text`.
pub fn answer(text: &str) -> Answer {
    Answer {
        text: text.into(),
        tokens: text.split_inclusive(' ').map(token).collect(),
        finish: Finish::End,
        error: None,
        timings: Timings { prepare: 0.004, prefill: 0.31, decode: 0.05 },
        prompt_tokens: 90,
        dropped_turns: 0,
    }
}

pub fn picture_record(sha256: &str, region: Option<Region>) -> Picture {
    let (file, name) = ("pictures/0001.png".into(), "a.png".into());
    Picture {
        file,
        name,
        width: 40,
        height: 30,
        region,
        sha256: sha256.into(),
        evidence: <_>::default(),
    }
}

pub fn exchange(id: u32, question: &str, pictures: Vec<Picture>, text: &str) -> Exchange {
    Exchange {
        id,
        asked: 1_769_903_999_000 + u64::from(id),
        pictures,
        question: question.into(),
        options: options(),
        model: Some(model()),
        answer: if text.is_empty() { Answer::default() } else { answer(text) },
        alone: false,
    }
}

pub fn store() -> (tempfile::TempDir, Store) {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(&data.path().join("data")).unwrap();
    (data, store)
}

/// Asks about a picture and has the answer come whole.
pub fn talk(writer: &mut Writer, frame: &Frame, question: &str, text: &str) {
    begin(writer, frame, question, text);
    writer.finish(answer(text)).unwrap();
}

/// Asks about a picture and has all of the answer come but its end.
pub fn begin(writer: &mut Writer, frame: &Frame, question: &str, text: &str) {
    let picture = writer.picture(frame, None);
    writer.ask(Exchange::new(question, vec![picture], options(), Some(model()))).unwrap();
    for token in answer(text).tokens {
        writer.token(&token).unwrap();
    }
}

fn titles(listing: &Listing) -> Vec<&str> {
    listing.sessions.iter().map(|summary| summary.title.as_str()).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let paths = files::entries(folder).unwrap();
    paths.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn an_exchange_is_taken_over_as_someone_else_has_it() {
    let (_data, store) = store();
    let mut writer = store.create();
    let cat = frame("cat.jpg", 1);
    talk(&mut writer, &cat, "What is that?", "A cat.");
    begin(&mut writer, &cat, "What colour?", "Black and");
    let id = writer.id().clone();
    // Nobody ends the answer, but someone else has more of it.
    let held = writer.session().exchanges.clone();
    drop(writer);
    let (_, mut writer) = store.resume(&id).unwrap();
    let mut coming = held[1].clone();
    coming.answer.push(token(" white"));
    for exchange in [&held[0], &coming] {
        writer.take_over(exchange.clone()).unwrap();
    }
    // On the disk already, before it goes on.
    let read = store.read(&id).unwrap();
    assert_eq!((&read.exchanges[0], read.exchanges.len()), (&held[0], 2));
    assert_eq!(read.exchanges[1].answer.tokens, coming.answer.tokens);
    writer.token(&token(" fur")).unwrap();
    writer.finish(answer("Black and white fur")).unwrap();
    // And one that the conversation has not.
    let picture = writer.picture(&cat, None);
    let new = Exchange::new("How old?", vec![picture], options(), Some(model()));
    writer.take_over(Exchange { answer: answer("Two."), ..new }).unwrap();
    drop(writer);
    let texts: Vec<_> =
        store.read(&id).unwrap().exchanges.into_iter().map(|e| (e.id, e.answer.text)).collect();
    let texts: Vec<_> = texts.iter().map(|(id, text)| (*id, text.as_str())).collect();
    assert_eq!(texts, [(1, "A cat."), (2, "Black and white fur"), (3, "Two.")]);
}

#[test]
fn a_conversation_comes_back_as_it_was() {
    let (_data, store) = store();
    let mut writer = store.create();
    let cat = frame("/home/me/cat.jpg", 1);
    let region = Region::new(0.1, 0.2, 0.3, 0.4).unwrap();
    talk(&mut writer, &cat, "What is that?", "A cat.");
    let part = writer.picture(&cat, Some(region));
    let again = writer.picture(&frame("copy.png", 1), None);
    assert_eq!((part.file.as_str(), part.name.as_str()), ("pictures/0001.png", "cat.jpg"));
    assert_eq!((again.file.as_str(), again.name.as_str()), ("pictures/0001.png", "copy.png"));
    let other = writer.picture(&frame("dog.jpg", 2), None);
    assert_eq!(other.file, "pictures/0002.png");
    let id = writer
        .ask(Exchange::new("And there?", vec![part.clone(), other], options(), None))
        .unwrap();
    assert_eq!(id, 2);
    writer.finish(answer("Its tail.")).unwrap();

    let session = writer.session().clone();
    let id = writer.id().clone();
    let folder = store.folder(&id);
    assert_eq!(store.read(&id), Ok(session.clone()));
    assert_eq!(names(&folder), ["pictures", "session.json", "thumbnail.png"]);
    assert_eq!(names(&folder.join("pictures")), ["0001.png", "0002.png"]);
    let back = store.picture(&id, &part).unwrap();
    assert_eq!((&back.pixels, back.source.name()), (&cat.pixels, "cat.jpg".to_owned()));

    let listing = store.list().unwrap();
    assert_eq!(listing.notices, []);
    let summary = &listing.sessions[0];
    assert_eq!((summary.title.as_str(), summary.exchanges), ("What is that? A cat.", 2));
    assert_eq!((summary.created, summary.updated), (session.created, session.updated));
    assert_eq!(summary.condition, Condition::Whole);
    assert!(image::open(summary.thumbnail.as_ref().unwrap()).unwrap().width() <= THUMBNAIL_SIDE);
    let text = fs::read_to_string(folder.join("session.json")).unwrap();
    assert!(text.starts_with(r#"{"format":1,"#) && !text.contains("/home"), "{text}");
}

#[test]
fn the_documented_json_is_what_is_read() {
    let documentation = include_str!("../lib.rs");
    let start = documentation.find("//! {\n").unwrap();
    let end = documentation[start..].find("//! ```").unwrap();
    let json: String = documentation[start..start + end].replace("//!", "");
    let session = disk::decode(Path::new("mod.rs"), json.as_bytes()).unwrap();
    assert_eq!(session.exchanges[0].answer.finish, Finish::End);
    let written: serde_json::Value =
        serde_json::from_slice(&disk::encode(&session, false).unwrap()).unwrap();
    let documented: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(written, documented, "every field is documented");
}

#[test]
fn nothing_is_written_before_the_first_question() {
    let (data, store) = store();
    let mut writer = store.create();
    writer.picture(&frame("a", 1), None);
    writer.rename("Later").unwrap();
    drop(writer);
    assert_eq!(names(data.path()), [""; 0]);
    assert_eq!(store.list(), Ok(Listing::default()));
}

#[test]
fn an_answer_that_was_cut_off_is_taken_over_once() {
    let (_data, store) = store();
    let mut writer = store.create();
    talk(&mut writer, &frame("a", 1), "What is that?", "A cat.");
    begin(&mut writer, &frame("b", 2), "And that?", "A big dog");
    let id = writer.id().clone();

    // Another window sees what has come, and cannot write.
    let seen = store.read(&id).unwrap();
    assert_eq!(seen, *writer.session());
    assert_eq!(seen.exchanges[1].answer.finish, Finish::Pending);
    assert_eq!(store.list().unwrap().sessions[0].exchanges, 2);
    assert_eq!(store.resume(&id).unwrap_err(), SessionError::InUse);
    assert_eq!(store.rename(&id, "x"), Err(SessionError::InUse));
    assert_eq!(store.delete(&id), Err(SessionError::InUse));

    let journal = store.folder(&id).join(journal::FILE);
    let lines = fs::read(&journal).unwrap();
    drop(writer);
    let read = store.read(&id).unwrap();
    let cut = &read.exchanges[1].answer;
    assert_eq!((cut.text.as_str(), cut.finish), ("A big dog", Finish::Interrupted));
    assert_eq!(cut.tokens, answer("A big dog").tokens);
    assert!(!journal.exists(), "folded");

    // The process died between the folding and the removal.
    fs::write(&journal, lines).unwrap();
    assert_eq!(store.list().unwrap().sessions[0].exchanges, 2);
    let (resumed, mut writer) = store.resume(&id).unwrap();
    assert_eq!(resumed, read);
    talk(&mut writer, &frame("c", 3), "More?", "No.");
    assert_eq!(writer.session().exchanges[2].pictures[0].file, "pictures/0003.png");
    assert_eq!(store.read(&id), Ok(writer.session().clone()));
}

#[test]
fn a_question_in_place_of_one_under_way_and_a_failure_keep_what_came() {
    let (_data, store) = store();
    let mut writer = store.create();
    assert_eq!(writer.token(&token("x")), Err(SessionError::NotAsked));
    assert_eq!(writer.finish(answer("x")), Err(SessionError::NotAsked));
    begin(&mut writer, &frame("a", 1), "What?", " A ca");
    begin(&mut writer, &frame("a", 1), "Well?", " A do");
    let failed = Answer {
        finish: Finish::Failed,
        error: Some("the engine failed".into()),
        ..Answer::default()
    };
    writer.finish(failed).unwrap();
    let read = store.read(writer.id()).unwrap();
    assert_eq!(&read, writer.session());
    let answers: Vec<_> =
        read.exchanges.iter().map(|e| (&*e.answer.text, e.answer.finish)).collect();
    assert_eq!(answers, [("A ca", Finish::Interrupted), ("A do", Finish::Failed)]);
}

#[test]
fn a_damaged_file_is_set_aside_and_the_rest_goes_on() {
    let (_data, store) = store();
    let mut good = store.create();
    talk(&mut good, &frame("a", 1), "What is that?", "A cat.");
    let mut bad = store.create();
    talk(&mut bad, &frame("b", 2), "Who?", "A dog.");
    begin(&mut bad, &frame("c", 3), "Where?", "Over ");
    let id = bad.id().clone();
    let folder = store.folder(&id);
    drop(bad);
    fs::write(folder.join("session.json"), b"{\"format\": 1, \"title\"").unwrap();

    let listing = store.list().unwrap();
    assert_eq!(listing.sessions.len(), 2);
    let [notice] = &listing.notices[..] else { panic!("{listing:?}") };
    assert!(notice.to_string().contains("is kept as session.json.damaged"), "{notice}");
    let summary = listing.sessions.iter().find(|summary| summary.id == id).unwrap();
    assert_eq!((summary.condition, summary.exchanges), (Condition::Damaged, 1));
    let kept = fs::read(folder.join("session.json.damaged")).unwrap();
    assert_eq!(kept, b"{\"format\": 1, \"title\"");

    // Told once; the mark stays, and the conversation can go on beside the pictures of old.
    assert_eq!(store.list().unwrap().notices, []);
    let (session, mut writer) = store.resume(&id).unwrap();
    assert_eq!(session.exchanges[0].answer.text, "Over");
    assert_eq!(writer.picture(&frame("d", 4), None).file, "pictures/0003.png");
    drop(writer);

    fs::write(folder.join("session.json"), b"").unwrap();
    assert_eq!(store.read(&id).unwrap().title, "Damaged conversation");
    assert!(folder.join("session.json.damaged-2").exists());
    let newer = br#"{"format": 2, "what": "ever"}"#;
    fs::write(folder.join("session.json"), newer).unwrap();
    let listing = store.list().unwrap();
    assert!(matches!(&listing.notices[..], [SessionError::Newer { format: 2, .. }]));
    assert!(listing.sessions.iter().any(|summary| summary.condition == Condition::Newer));
    assert!(matches!(store.resume(&id), Err(SessionError::Newer { .. })));
    assert_eq!(fs::read(folder.join("session.json")).unwrap(), newer, "left alone");
}

#[test]
fn conversations_are_searched_renamed_and_listed_newest_first() {
    let (_data, store) = store();
    let ids: Vec<_> =
        [("kätzchen.JPG", "Was ist das?", "Eine ÄLTERE Katze."), ("b", "Who?", "A dog.")]
            .into_iter()
            .map(|(name, question, text)| {
                let mut writer = store.create();
                talk(&mut writer, &frame(name, 1), question, text);
                std::thread::sleep(Duration::from_millis(2));
                writer.id().clone()
            })
            .collect();
    assert_eq!(titles(&store.list().unwrap()), ["Who? A dog.", "Was ist das? Eine ÄLTERE Katze."]);
    let found = |text: &str| store.search(text).unwrap().sessions.len();
    assert_eq!(found("KÄTZ"), 1);
    assert_eq!(found("  katze  ältere was "), 1);
    assert_eq!(found("katze dog"), 0);
    assert_eq!(found(""), 2);
    assert_eq!(found("logprob"), 0);

    store.rename(&ids[0], " Mine\u{1b} ").unwrap();
    assert_eq!(titles(&store.search("mine").unwrap()), ["Mine\\u{1b}"]);
    let (_, mut writer) = store.resume(&ids[0]).unwrap();
    talk(&mut writer, &frame("c", 3), "Again?", "Yes.");
    assert_eq!(titles(&store.list().unwrap()), ["Mine\\u{1b}", "Who? A dog."]);
    writer.rename("").unwrap();
    drop(writer);
    assert_eq!(titles(&store.search("again").unwrap()), ["Was ist das? Eine ÄLTERE Katze."]);
}

#[test]
fn what_is_deleted_can_be_had_back_until_it_is_purged() {
    let (data, store) = store();
    let mut writer = store.create();
    talk(&mut writer, &frame("a", 1), "What?", "A cat.");
    let (id, session) = (writer.id().clone(), writer.session().clone());
    drop(writer);
    store.delete(&id).unwrap();
    assert_eq!(store.list(), Ok(Listing::default()));
    assert_eq!(store.delete(&id), Err(SessionError::NotFound(id.to_string())));
    assert_eq!(store.trash(), Ok(vec![id.clone()]));
    assert_eq!(store.purge(KEPT_IN_TRASH), Ok(0));
    store.undo_delete(&id).unwrap();
    assert_eq!(store.read(&id), Ok(session));
    assert_eq!(names(&store.folder(&id)), ["pictures", "session.json", "thumbnail.png"]);

    store.delete(&id).unwrap();
    let long_ago = (conversation::now() - 31 * 24 * 3_600_000).to_string();
    let deleted = data.path().join("data/trash").join(id.as_str());
    fs::write(deleted.join("deleted"), long_ago).unwrap();
    assert_eq!(store.purge(KEPT_IN_TRASH), Ok(1));
    assert!(!deleted.exists());
    assert_eq!(names(&data.path().join("data/locks")), [""; 0]);
    assert_eq!(store.undo_delete(&id), Err(SessionError::NotFound(id.to_string())));
}

#[test]
fn a_purge_takes_what_was_never_asked_and_no_more() {
    let (_data, store) = store();
    let mut writer = store.create();
    begin(&mut writer, &frame("a", 1), "What?", "A");
    let leftover = store.folder(&SessionId::new(1));
    fs::create_dir_all(leftover.join("pictures")).unwrap();
    fs::write(leftover.join("pictures/0001.png"), b"half").unwrap();
    assert_eq!(store.purge(Duration::ZERO), Ok(0));
    assert!(!leftover.exists());
    writer.finish(answer("A cat.")).unwrap();
    assert_eq!(store.list().unwrap().sessions.len(), 1);
}

#[test]
fn deleting_all_spares_what_another_window_has_open() {
    let (data, store) = store();
    let ids: Vec<_> = (0..3)
        .map(|seed| {
            let mut writer = store.create();
            talk(&mut writer, &frame("a", seed), "What?", "A cat.");
            writer.id().clone()
        })
        .collect();
    store.delete(&ids[0]).unwrap();
    let (_, writer) = store.resume(&ids[1]).unwrap();
    let done = store.delete_all().unwrap();
    assert_eq!((done.deleted, &done.kept[..]), (2, &[(ids[1].clone(), SessionError::InUse)][..]));
    drop(writer);
    assert_eq!(store.delete_all().unwrap(), DeletedAll { deleted: 1, kept: vec![] });
    for folder in ["sessions", "trash", "locks"] {
        assert_eq!(names(&data.path().join("data").join(folder)), [""; 0]);
    }
}

#[test]
fn a_folder_that_cannot_be_written_does_not_end_the_conversation() {
    let (data, store) = store();
    // A file in the place of the data folder, as no permission keeps the superuser out.
    let blocked = data.path().join("data");
    fs::write(&blocked, b"").unwrap();
    assert!(Store::open(&blocked).is_err());
    let mut writer = store.create();
    let picture = writer.picture(&frame("a", 1), None);
    assert!(writer.ask(Exchange::new("What?", vec![picture], options(), None)).is_err());
    assert!(writer.token(&token(" A")).is_err());
    assert!(writer.token(&token(" cat")).is_err());
    assert_eq!(writer.session().exchanges[0].answer.text, " A cat");
    assert!(writer.finish(answer("A cat.")).is_err());
    assert!(writer.retry().is_err());

    fs::remove_file(&blocked).unwrap();
    writer.retry().unwrap();
    let read = store.read(writer.id()).unwrap();
    assert_eq!(&read, writer.session());
    assert!(store.picture(writer.id(), &read.exchanges[0].pictures[0]).is_ok());
}

#[test]
fn a_question_that_could_not_be_written_is_journalled_when_it_can() {
    let (data, store) = store();
    let blocked = data.path().join("data");
    fs::write(&blocked, b"").unwrap();
    let mut writer = store.create();
    assert!(writer.ask(Exchange::new("What?", vec![], options(), None)).is_err());
    assert!(writer.token(&token("A")).is_err());
    fs::remove_file(&blocked).unwrap();
    writer.retry().unwrap();
    writer.token(&token(" cat")).unwrap();
    let id = writer.id().clone();
    drop(writer);
    let answer = &store.read(&id).unwrap().exchanges[0].answer;
    assert_eq!((answer.text.as_str(), answer.finish), ("A cat", Finish::Interrupted));
}

#[test]
fn a_picture_that_was_changed_or_removed_is_told() {
    let (_data, store) = store();
    let mut writer = store.create();
    talk(&mut writer, &frame("a", 1), "What?", "A cat.");
    let record = writer.session().exchanges[0].pictures[0].clone();
    let path = store.folder(writer.id()).join(&record.file);
    picture::write(&path, &pixels(40, 30, 9)).unwrap();
    let error = store.picture(writer.id(), &record).unwrap_err().to_string();
    assert!(error.contains("not the ones that were asked about"), "{error}");
    fs::remove_file(&path).unwrap();
    let error = store.picture(writer.id(), &record).unwrap_err().to_string();
    assert!(error.contains("the picture is gone"), "{error}");
    let outside = Picture { file: "../../secret.png".into(), ..record };
    assert!(matches!(store.picture(writer.id(), &outside), Err(SessionError::Damaged { .. })));
}
