//! Exports taken in again, and what must not be taken in.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::*;

/// A store with one conversation: two pictures, a region, a follow-up, a failure.
fn told() -> (tempfile::TempDir, Store, Session) {
    let (data, store) = store();
    let mut writer = store.create();
    let cat = Frame::new(pixels(40, 30, 1), Source::File("/home/me/secret/cat.jpg".into()));
    talk(&mut writer, &cat, "What is that?", "A cat.");
    let part = writer.picture(&cat, Some(Region::new(0.1, 0.2, 0.3, 0.4).unwrap()));
    let other = writer.picture(&frame("b.png", 2), None);
    writer.ask(Exchange::new("And there?", vec![part, other], options(), Some(model()))).unwrap();
    writer.finish(answer("Its tail.")).unwrap();
    let session = writer.session().clone();
    (data, store, session)
}

fn import(store: &Store, bundle: &Path) -> Result<Session, SessionError> {
    store.import(bundle).map(|id| store.read(&id).unwrap())
}

#[test]
fn what_is_exported_comes_in_again_the_same() {
    let (data, store, session) = told();
    for (name, format) in [("out", ExportFormat::Folder), ("out.zip", ExportFormat::Zip)] {
        let bundle = data.path().join(name);
        store.export(&session.id, &bundle, format, ExportOptions::default()).unwrap();
        let other = Store::open(&data.path().join(format!("{name}-store"))).unwrap();
        let back = import(&other, &bundle).unwrap();
        assert_ne!(back.id, session.id);
        assert_eq!(Session { id: session.id.clone(), ..back.clone() }, session);
        for record in back.exchanges.iter().flat_map(|exchange| &exchange.pictures) {
            let there = other.picture(&back.id, record).unwrap();
            assert_eq!(there.pixels, store.picture(&session.id, record).unwrap().pixels);
        }
        let summary = &other.list().unwrap().sessions[0];
        assert_eq!((summary.exchanges, summary.condition), (2, Condition::Whole));
        assert!(summary.thumbnail.is_some());
        assert!(other.resume(&back.id).is_ok());
    }
    assert_eq!(import(&store, &data.path().join("out/session.json")).unwrap().title, session.title);
}

#[test]
fn a_zip_with_a_folder_around_it_is_taken_in() {
    let (data, store, session) = told();
    let (bundle, packed) = (data.path().join("out.zip"), data.path().join("packed.zip"));
    store.export(&session.id, &bundle, ExportFormat::Zip, ExportOptions::default()).unwrap();
    let mut archive = ZipArchive::new(File::open(&bundle).unwrap()).unwrap();
    let mut zip = ZipWriter::new(File::create(&packed).unwrap());
    zip.add_directory("my cat/", SimpleFileOptions::default()).unwrap();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut data = Vec::new();
        entry.read_to_end(&mut data).unwrap();
        zip.start_file(format!("my cat/{}", entry.name()), SimpleFileOptions::default()).unwrap();
        zip.write_all(&data).unwrap();
    }
    zip.finish().unwrap();
    assert_eq!(import(&store, &packed).unwrap().exchanges, session.exchanges);
}

#[test]
fn an_export_tells_no_folder_no_user_and_no_clock() {
    let (data, store, session) = told();
    let (_, mut writer) = store.resume(&session.id).unwrap();
    let model = ModelInfo { name: "/home/me/models/big".into(), ..model() };
    writer.ask(Exchange::new("More?", vec![], options(), Some(model))).unwrap();
    let error = Some("/home/me/.cache/weights: the disk is full".into());
    writer.finish(Answer { error, finish: Finish::Failed, ..answer("") }).unwrap();
    let id = writer.id();
    let folder = |name: &str| data.path().join(name);
    store.export(id, &folder("a"), ExportFormat::Folder, ExportOptions::default()).unwrap();
    store.export(id, &folder("b"), ExportFormat::Markdown, ExportOptions::default()).unwrap();
    store.export(id, &folder("c.zip"), ExportFormat::Zip, ExportOptions::default()).unwrap();
    store.export(id, &folder("d.zip"), ExportFormat::Zip, ExportOptions::default()).unwrap();
    assert_eq!(fs::read(folder("c.zip")).unwrap(), fs::read(folder("d.zip")).unwrap());

    let mut archive = ZipArchive::new(File::open(folder("c.zip")).unwrap()).unwrap();
    let mut zipped = String::new();
    archive.by_name("session.json").unwrap().read_to_string(&mut zipped).unwrap();
    let json = fs::read_to_string(folder("a/session.json")).unwrap();
    let text = fs::read_to_string(folder("b/conversation.md")).unwrap();
    for text in [&zipped, &json, &text] {
        assert!(text.contains("cat.jpg") && text.contains("the engine failed"), "{text}");
        let home = data.path().to_str().unwrap();
        assert!(!text.contains("/home") && !text.contains("secret") && !text.contains(home));
    }
    assert_eq!(names(&folder("a")), ["pictures", "session.json"]);
    assert_eq!(names(&folder("b/pictures")), ["0001.png", "0002.png"]);
    assert_eq!(
        import(&store, &folder("a")).unwrap().exchanges[2].model.as_ref().unwrap().name,
        "big"
    );
}

#[test]
fn nothing_is_replaced_unasked_and_nothing_but_an_export_at_all() {
    let (data, store, session) = told();
    let path = |name: &str| data.path().join(name);
    let export = |name: &str, format, overwrite| {
        let options = ExportOptions { overwrite, text: true };
        store.export(&session.id, &path(name), format, options)
    };
    let exists = |result| matches!(result, Err(SessionError::Exists { .. }));
    let foreign = |result| matches!(result, Err(SessionError::NotAnExport { .. }));
    let forms = [
        ("a", ExportFormat::Folder),
        ("b.zip", ExportFormat::Zip),
        ("c.MD", ExportFormat::Markdown),
        ("d", ExportFormat::Markdown),
    ];
    for (name, format) in forms {
        export(name, format, false).unwrap();
        export(name, format, false).unwrap();
    }
    assert_eq!(names(&path("c-pictures")), ["0001.png", "0002.png"]);
    store.rename(&session.id, "Another title").unwrap();
    for (name, format) in forms {
        assert!(exists(export(name, format, false)), "{name}");
        export(name, format, true).unwrap();
    }
    assert!(fs::read_to_string(path("c.MD")).unwrap().starts_with("# Another title\n"));
    assert!(fs::read_to_string(path("a/session.json")).unwrap().contains("Another title"));

    fs::create_dir_all(path("mine")).unwrap();
    export("mine", ExportFormat::Folder, false).unwrap();
    fs::write(path("mine/diary.txt"), b"dear").unwrap();
    assert!(exists(export("mine", ExportFormat::Folder, false)));
    assert!(foreign(export("mine", ExportFormat::Folder, true)));
    assert!(foreign(export("mine", ExportFormat::Zip, true)));
    assert_eq!(fs::read(path("mine/diary.txt")).unwrap(), b"dear");
    assert!(export("no/such/folder/x.zip", ExportFormat::Zip, false).is_err());
    let rubbish = names(data.path());
    assert!(rubbish.iter().all(|name| !name.starts_with('.')), "{rubbish:?}");
}

#[test]
fn a_lost_picture_stops_a_bundle_but_not_what_is_to_be_read() {
    let (data, store, session) = told();
    fs::remove_file(store.folder(&session.id).join("pictures/0002.png")).unwrap();
    let to = data.path().join("x");
    for format in [ExportFormat::Folder, ExportFormat::Zip] {
        let error = store
            .export(&session.id, &to, format, ExportOptions::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains("the picture is gone") && !to.exists(), "{error}");
    }
    store.export(&session.id, &to, ExportFormat::Markdown, ExportOptions::default()).unwrap();
    assert_eq!(names(&to.join("pictures")), ["0001.png"]);
}

/// A zip at a new path with these files.
fn zip(data: &tempfile::TempDir, files: &[(&str, &[u8])]) -> PathBuf {
    let path = data.path().join(format!("{:08x}.zip", rand::random::<u32>()));
    let mut zip = ZipWriter::new(File::create(&path).unwrap());
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
    path
}

/// The text of `session.json` with one change.
fn changed(session: &Session, change: impl FnOnce(&mut Session)) -> Vec<u8> {
    let mut session = session.clone();
    change(&mut session);
    disk::encode(&session, false).unwrap()
}

#[test]
fn a_zip_that_reaches_outside_is_refused_whole() {
    let (data, store, session) = told();
    let json = changed(&session, |session| session.exchanges.clear());
    let whole = zip(&data, &[("session.json", &json), ("notes/readme.txt", b"hello")]);
    assert!(import(&store, &whole).is_ok());
    let before = (names(data.path()).len(), store.list().unwrap().sessions.len());
    for name in
        ["../evil.png", "pictures/../../evil.png", "/evil.png", "..\\evil.png", "C:evil.png"]
    {
        let path = zip(&data, &[("session.json", &json), (name, b"evil")]);
        let error = import(&store, &path).unwrap_err();
        assert!(error.to_string().contains("outside"), "{name}: {error}");
        fs::remove_file(path).unwrap();
    }
    let path = data.path().join("link.zip");
    let mut link = ZipWriter::new(File::create(&path).unwrap());
    link.start_file("session.json", SimpleFileOptions::default()).unwrap();
    link.write_all(&json).unwrap();
    link.add_symlink("pictures/0001.png", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    link.finish().unwrap();
    assert!(import(&store, &path).unwrap_err().to_string().contains("outside"));
    fs::remove_file(path).unwrap();
    assert_eq!(before, (names(data.path()).len(), store.list().unwrap().sessions.len()));
}

#[test]
fn a_picture_is_named_by_its_number_alone() {
    let (data, store, session) = told();
    for file in ["../../../etc/passwd", "pictures/../session.json", "/etc/passwd", "session.json"] {
        let json = changed(&session, |session| session.exchanges[0].pictures[0].file = file.into());
        fs::write(data.path().join("session.json"), &json).unwrap();
        for bundle in [data.path().to_path_buf(), zip(&data, &[("session.json", &json)])] {
            let error = import(&store, &bundle).unwrap_err().to_string();
            assert!(error.contains("is no picture's name"), "{error}");
        }
    }
}

#[test]
fn bombs_are_not_unpacked() {
    let (data, store, session) = told();
    let too_large = |path: &Path| match import(&store, path) {
        Err(SessionError::TooLarge { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    let names: Vec<String> = (0..10_001).map(|number| format!("{number}")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert_eq!(too_large(&zip(&data, &many)), "the number of files");

    let spaces = vec![b' '; (disk::MAX_BYTES + 1) as usize];
    let bomb = zip(&data, &[("session.json", &spaces)]);
    assert!(fs::metadata(&bomb).unwrap().len() < 1 << 20);
    assert_eq!(too_large(&bomb), "what it unpacks to");

    // The sizes that the directory claims: nothing needs to be unpacked to refuse them.
    let json = changed(&session, |session| session.exchanges.clear());
    let claims = zip(&data, &[("session.json", &json), ("a", b"a"), ("b", b"b")]);
    let mut bytes = fs::read(&claims).unwrap();
    let entries: Vec<usize> = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, w)| w == b"PK\x01\x02")
        .map(|(at, _)| at)
        .collect();
    for at in &entries[1..] {
        bytes[at + 24..at + 28].copy_from_slice(&0xFFFF_FFF0_u32.to_le_bytes());
    }
    fs::write(&claims, bytes).unwrap();
    assert_eq!(too_large(&claims), "what it unpacks to");
}

#[test]
fn a_bundle_is_checked_before_it_is_believed() {
    let (data, store, session) = told();
    let out = data.path().join("out");
    store.export(&session.id, &out, ExportFormat::Folder, ExportOptions::default()).unwrap();
    let before = store.list().unwrap().sessions.len();
    let refused = |change: &dyn Fn(&mut Session)| {
        fs::write(out.join("session.json"), changed(&session, change)).unwrap();
        import(&store, &out).unwrap_err().to_string()
    };
    let huge = refused(&|s| s.exchanges[0].pictures[0].width = 3_000_000_000);
    assert!(huge.contains("too many pixels"), "{huge}");
    let size = refused(&|s| s.exchanges[0].pictures[0].width = 41);
    assert!(size.contains("another size"), "{size}");
    let swapped = refused(&|s| s.exchanges[0].pictures[0].file = "pictures/0002.png".into());
    assert!(swapped.contains("not the ones"), "{swapped}");
    let missing = refused(&|s| s.exchanges[0].pictures[0].file = "pictures/0009.png".into());
    assert!(missing.contains("the picture is gone"), "{missing}");
    let two = refused(&|s| s.exchanges[1].pictures[0].sha256 = "0".repeat(64));
    assert!(two.contains("two pictures"), "{two}");
    let order = refused(&|s| s.exchanges[1].id = 1);
    assert!(order.contains("not in order"), "{order}");

    fs::write(out.join("session.json"), br#"{"format": 9}"#).unwrap();
    assert!(matches!(import(&store, &out), Err(SessionError::Newer { format: 9, .. })));
    fs::write(out.join("session.json"), b"{").unwrap();
    assert!(matches!(import(&store, &out), Err(SessionError::Damaged { .. })));
    fs::remove_file(out.join("session.json")).unwrap();
    let text = data.path().join("text.zip");
    fs::write(&text, b"no zip").unwrap();
    for nothing in [&out, &text, &data.path().join("gone.zip"), &zip(&data, &[("a", b"")])] {
        assert!(matches!(import(&store, nothing), Err(SessionError::NotABundle { .. })));
    }
    assert_eq!(store.list().unwrap().sessions.len(), before, "nothing was left of any");
    assert_eq!(names(&data.path().join("data/sessions")).len(), before);
}

#[test]
fn what_comes_in_brings_no_hidden_text_and_breaks_no_line() {
    let (data, store, session) = told();
    let out = data.path().join("out");
    store.export(&session.id, &out, ExportFormat::Folder, ExportOptions::default()).unwrap();
    let json = changed(&session, |session| {
        session.title = "two\nlines\u{202e}".into();
        session.updated = u64::MAX;
        session.exchanges[0].pictures[0].name = "/home/you/x\n.png".into();
        session.exchanges[1].answer.finish = Finish::Pending;
    });
    fs::write(out.join("session.json"), json).unwrap();
    // A text chunk, as programs write places and names into, after the header of 33 bytes.
    let path = out.join("pictures/0001.png");
    let mut png = fs::read(&path).unwrap();
    let mut chunk = b"\0\0\0\x0dtEXtAuthor\0Max M.".to_vec();
    let crc = crc32(&chunk[4..]);
    chunk.extend(crc.to_be_bytes());
    png.splice(33..33, chunk);
    fs::write(&path, png).unwrap();

    let back = import(&store, &out).unwrap();
    assert_eq!((back.title.as_str(), back.renamed), ("two lines\\u{202e}", false));
    assert!(back.updated <= conversation::now());
    assert_eq!(back.exchanges[0].pictures[0].name, "x\\n.png");
    assert_eq!(back.exchanges[1].answer.finish, Finish::Interrupted);
    let kept = fs::read(store.folder(&back.id).join("pictures/0001.png")).unwrap();
    assert!(!kept.windows(3).any(|window| window == b"Max"));
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

#[test]
fn text_that_was_read_can_be_left_out() {
    let (data, store) = store();
    let mut writer = store.create();
    let frame = frame("a.png", 1);
    let mut picture = writer.picture(&frame, None);
    let json = serde_json::json!({
        "lines": [{
            "text": "TOP SECRET",
            "probability": 0.9,
            "place": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]],
        }],
        "colours": [{"term": "red", "share": 1.0}],
    });
    picture.evidence = serde_json::from_value(json).unwrap();
    writer.ask(Exchange::new("What is that?", vec![picture], options(), None)).unwrap();
    writer.finish(answer("A letter.")).unwrap();
    let exported = |name: &str, text| {
        let (to, options) = (data.path().join(name), ExportOptions { overwrite: false, text });
        store.export(writer.id(), &to, ExportFormat::Folder, options).unwrap();
        fs::read_to_string(to.join("session.json")).unwrap()
    };
    assert!(exported("with", true).contains("TOP SECRET"));
    let without = exported("without", false);
    assert!(!without.contains("TOP SECRET") && without.contains("\"red\""), "{without}");
}
