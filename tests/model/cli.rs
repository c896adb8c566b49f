//! The program as a user meets it: `lorgnette ask` from the outside.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{cache, root, sample};

fn lorgnette(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lorgnette"));
    command.args(arguments).env("LORGNETTE_CACHE_DIR", cache());
    command
}

fn ask(arguments: &[&str]) -> Output {
    lorgnette(&["ask"]).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_picture_gets_an_answer_and_its_times_go_to_stderr() {
    let output = ask(&[path(&sample("cat.jpg")), "What is that?"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "An Egyptian cat.\n"));
    assert!(stderr(&output).contains("first word after"), "{}", stderr(&output));

    let silent = ask(&[path(&sample("lemon.jpg"))]);
    assert_eq!(stdout(&silent), "A lemon.\n", "without a question: what is that?");
}

#[test]
fn json_tells_tokens_times_and_model() {
    let output = ask(&[
        "--json",
        "--region",
        "350,0,350,350",
        path(&sample("two-objects.jpg")),
        "What is that?",
    ]);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["model"]["name"], "lorgnette-tiny");
    assert_eq!(report["model"]["revision"], "2");
    assert_eq!(report["finish"], "end");
    assert!(report["text"].as_str().unwrap().to_lowercase().contains("lemon"), "{report}");
    let tokens = report["tokens"].as_array().unwrap();
    assert_eq!(report["usage"]["answer_tokens"], tokens.len());
    for token in tokens {
        assert!(token["logprob"].as_f64().unwrap() <= 0.0 && token["id"].is_u64());
    }
    assert!(report["timings"]["prefill"].as_f64().unwrap() > 0.0);
    assert_eq!(report["pictures"][0]["region"]["x"], 0.5);
}

#[test]
fn labels_are_told_without_the_language_model() {
    let labels = |arguments: &[&str]| lorgnette(&["labels"]).args(arguments).output().unwrap();
    let two = sample("two-objects.jpg");
    let told = labels(&[path(&sample("cat.jpg")), path(&two)]);
    assert_eq!(told.status.code(), Some(0), "{}", stderr(&told));
    assert!(stdout(&told).contains(" %  Egyptian cat · cat\n"), "{}", stdout(&told));
    assert_eq!(stdout(&told).matches(".jpg\n").count(), 2);

    let right = labels(&["--json", "--region", "350,0,350,350", path(&two)]);
    let report: Value = serde_json::from_str(&stdout(&right)).unwrap();
    let sure = &report["evidence"]["labels"]["sure"];
    assert_eq!((&sure["name"], &sure["kind"]), (&"lemon".into(), &"fruit".into()), "{report}");
    assert_eq!(report["region"]["x"], 0.5);

    assert_eq!(labels(&["gone.jpg"]).status.code(), Some(3));
    assert_eq!(labels(&[]).status.code(), Some(2));
    assert_eq!(labels(&["--region", "0,0,1,1", "--region", "0,0,1,1", "-"]).status.code(), Some(2));
    let nowhere = lorgnette(&["labels", path(&two)])
        .env("LORGNETTE_MODELS_DIR", path(&root().join("assets")))
        .output()
        .unwrap();
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(stderr(&nowhere).contains("labels.json"), "{}", stderr(&nowhere));
}

#[test]
fn what_is_written_is_read_and_told_where_it_is_asked_for() {
    let sign = sample("hotel-sign.jpg");
    let read = lorgnette(&["read", path(&sign)]).output().unwrap();
    assert_eq!((read.status.code(), stdout(&read)), (Some(0), "HOTEL\n".to_owned()));
    let json = lorgnette(&["read", "--json", path(&sign)]).output().unwrap();
    let report: Value = serde_json::from_str(&stdout(&json)).unwrap();
    let line = &report["evidence"]["lines"][0];
    assert!(line["probability"].as_f64().unwrap() > 0.9, "{report}");
    assert_eq!(line["place"].as_array().unwrap().len(), 4);
    let nothing = lorgnette(&["read", path(&sample("lemon.jpg"))]).output().unwrap();
    assert_eq!((nothing.status.code(), stdout(&nothing)), (Some(0), String::new()));
    assert!(stderr(&nothing).contains("nothing that is written"), "{}", stderr(&nothing));

    let ask = |question: &str| {
        let asked = lorgnette(&["ask", "--json", path(&sign), question]).output().unwrap();
        serde_json::from_str::<Value>(&stdout(&asked)).unwrap()
    };
    let named = ask("What is the name of that hotel?");
    assert!(named["text"].as_str().unwrap().contains("\"HOTEL\""), "{named}");
    let other = ask("What is that?");
    assert_eq!(other["pictures"][0]["evidence"]["lines"].as_array().unwrap().len(), 0);
}

/// Runs `ask` with `input` on its standard input.
fn ask_with_input(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = lorgnette(&["ask"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_picture_and_a_batch_are_read_from_stdin() {
    let picture = std::fs::read(sample("cat.jpg")).unwrap();
    assert_eq!(stdout(&ask_with_input(&["-", "What is that?"], &picture)), "An Egyptian cat.\n");

    let line = format!(r#"{{"image": {:?}, "question": "What is that?"}}"#, sample("lemon.jpg"));
    let output = ask_with_input(&["--batch", "-"], line.as_bytes());
    let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&answer["text"], output.status.code()), (&"A lemon.".into(), Some(0)));
    let own = br#"{"image": "-", "question": "What is that?"}"#;
    let refused = ask_with_input(&["--batch", "-"], own);
    assert!(stdout(&refused).contains("no picture from standard input"), "{}", stdout(&refused));
}

/// A PNG of a few hundred bytes whose header claims 30000×30000 pixels.
fn bomb() -> Vec<u8> {
    let mut png = Vec::from(*b"\x89PNG\r\n\x1a\n");
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        png.extend((data.len() as u32).to_be_bytes());
        let mut body = kind.to_vec();
        body.extend(data);
        let crc = body.iter().fold(!0u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
            })
        });
        png.extend(&body);
        png.extend((!crc).to_be_bytes());
    };
    let side = 30_000u32.to_be_bytes();
    chunk(b"IHDR", &[&side[..], &side, &[8, 2, 0, 0, 0]].concat());
    chunk(b"IDAT", &[0x78, 0x9c, 0x63, 0, 0, 0, 1, 0, 1]);
    chunk(b"IEND", &[]);
    png
}

#[test]
fn a_bad_picture_gets_one_clear_line() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| -> PathBuf {
        let path = home.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let whole = std::fs::read(sample("cat.jpg")).unwrap();
    let heic = b"\0\0\0\x18ftypheic\0\0\0\0heicmif1 and so on, a container of another kind";
    let cases = [
        (home.path().join("gone.jpg"), "no such file"),
        (home.path().to_path_buf(), "it is a folder"),
        (file("empty.jpg", b""), "empty"),
        (file("text.jpg", b"Dear diary, this is no picture at all.\n"), "text"),
        (file("cut.jpg", &whole[..whole.len() / 2]), "ends early"),
        (file("bomb.png", &bomb()), "900 megapixels"),
        (file("phone.heic", heic), "HEIC"),
    ];
    for (picture, reason) in &cases {
        let output = ask(&[path(picture), "What is that?"]);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(message.contains(path(picture)) && message.contains(reason), "{message}");
        assert!(!message.contains("panicked") && stdout(&output).is_empty(), "{message}");
    }
    let dot = file("dot.ppm", b"P6 1 1 255\n\x10\x80\x20");
    assert_eq!(ask(&[path(&dot), "What is that?"]).status.code(), Some(0));
}

#[test]
fn a_wrong_command_line_says_what_is_wrong() {
    let cat = sample("cat.jpg");
    for (arguments, code, reason) in [
        (vec!["--region", "9,9", path(&cat), "What?"], 2, "region"),
        (vec!["--region", "0.9,0.9,-1,2", path(&cat), "What?"], 2, "negative"),
        (vec!["--region", "9000,0,5,5", path(&cat), "What?"], 2, "outside"),
        (vec!["--model", "huge", path(&cat), "What?"], 1, "no model called"),
        (vec!["--max-tokens", "0", path(&cat), "What?"], 2, "at least one token"),
        (vec!["--temperature", "-1", path(&cat), "What?"], 2, "temperature"),
        (vec![path(&cat), " "], 2, "question is empty"),
        (vec![], 2, "required"),
    ] {
        let output = ask(&arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(reason), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_batch_answers_every_line_and_goes_on_after_a_bad_one() {
    let home = tempfile::tempdir().unwrap();
    std::fs::copy(sample("cat.jpg"), home.path().join("cat.jpg")).unwrap();
    let lines = [
        r#"{"image": "cat.jpg", "question": "What is that?"}"#.to_owned(),
        "not json".to_owned(),
        r#"{"image": "gone.jpg", "question": "What is that?"}"#.to_owned(),
        String::new(),
        format!(
            r#"{{"image": {:?}, "question": "What is that?", "region": [350, 0, 350, 350]}}"#,
            sample("two-objects.jpg")
        ),
        r#"{"image": [], "question": "What is that?"}"#.to_owned(),
    ];
    let file = home.path().join("questions.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let output = ask(&["--batch", path(&file)]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let answers: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 5);
    assert_eq!((&answers[0]["line"], &answers[0]["text"]), (&1.into(), &"An Egyptian cat.".into()));
    assert!(answers[1]["error"].as_str().unwrap().contains("JSON") && answers[1]["line"] == 2);
    assert!(answers[2]["error"].as_str().unwrap().contains("gone.jpg: no such file"));
    assert!(answers[3]["text"].as_str().unwrap().to_lowercase().contains("lemon"));
    assert_eq!(answers[3]["line"], 5);
    assert!(answers[4]["error"].as_str().unwrap().contains("shows no picture"), "{:?}", answers[4]);
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_it_with_its_own_code() {
    use std::io::Read;

    let cat = sample("cat.jpg");
    let mut child = lorgnette(&["ask", "--temperature", "2", path(&cat), "Tell me a long story."])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first piece of the answer shows that it is under way.
    let mut piece = [0];
    child.stdout.as_mut().unwrap().read_exact(&mut piece).unwrap();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(!stderr(&output).contains("panicked"));
}

#[test]
fn the_shipped_folder_is_only_read_and_the_home_stays_clean() {
    let home = tempfile::tempdir().unwrap();
    let models = root().join("models/lorgnette-tiny");
    let listing = || {
        let mut files: Vec<_> = std::fs::read_dir(&models)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name(), entry.metadata().unwrap().modified().unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = listing();
    let output = lorgnette(&["ask", path(&sample("cat.jpg")), "What is that?"])
        .env("HOME", home.path())
        .output()
        .unwrap();
    assert_eq!(stdout(&output), "An Egyptian cat.\n");
    assert_eq!(listing(), before);
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}
