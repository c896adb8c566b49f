//! `lorgnette replay` with the shipped model: what was kept comes out again, and what was changed
//! is found.

use std::convert::Infallible;
use std::path::Path;
use std::process::{Command, Output};

use conversation::{Exchange, ModelInfo, Options, Picture, turns_for};
use engine::Question;
use serde_json::Value;
use session::{ExportFormat, ExportOptions, SessionId, Store, Writer};
use values::config::Precision;
use values::picture::Look;
use values::region::Region;

use crate::listener::{Listener, WITNESS};
use crate::support::{cache, picture, root, sample};

/// A question about these pictures, put to the engine as the program does it, and kept.
fn ask(
    listener: &Listener,
    writer: &mut Writer,
    model: &ModelInfo,
    question: &str,
    picture: &Look,
) {
    let options = Options { max_tokens: 24, ..Options::default() };
    let evidence = WITNESS.evidence(picture).unwrap();
    let record = Picture { evidence, ..writer.picture(&picture.frame, picture.region) };
    writer.ask(Exchange::new(question, vec![record], options, Some(model.clone()))).unwrap();

    let (current, earlier) = writer.session().exchanges.split_last().unwrap();
    // All pictures here are of one frame.
    let pixels = |_: &Picture| Ok::<_, Infallible>(picture.frame.clone());
    let turns = turns_for(earlier.iter(), current, pixels).unwrap();
    let answer = listener.ask(Question { turns, options }).unwrap();
    for token in &answer.tokens {
        writer.token(token).unwrap();
    }
    writer.finish(answer).unwrap();
}

/// A conversation with a follow-up, had with the shipped model.
fn conversation(data: &Path) -> (Store, SessionId) {
    let listener = Listener::start();
    let model = listener.load_default(Precision::Q8_0).unwrap().info;
    let store = Store::open(data).unwrap();
    let mut writer = store.create();
    let mut shown = picture(&sample("two-objects.jpg"));
    shown.region = Some(Region::new(0.5, 0.0, 0.5, 0.5).unwrap());
    ask(&listener, &mut writer, &model, "What is that?", &shown);
    ask(&listener, &mut writer, &model, "What colour is it?", &shown);
    (store, writer.id().clone())
}

fn replay(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lorgnette"));
    command.arg("replay").args(arguments);
    command.env("LORGNETTE_CACHE_DIR", cache()).env("LORGNETTE_DATA_DIR", data);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn what_was_kept_comes_out_the_same_and_what_was_changed_is_found() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let (store, id) = conversation(&data);
    let (zip, folder) = (home.path().join("cat.zip"), home.path().join("cat"));
    store.export(&id, &zip, ExportFormat::Zip, ExportOptions::default()).unwrap();
    store.export(&id, &folder, ExportFormat::Folder, ExportOptions::default()).unwrap();

    let output = replay(&data, &[zip.to_str().unwrap()]);
    let lines = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{lines}{}", text(&output.stderr));
    assert_eq!(lines.matches(" – the same, ").count(), 2, "{lines}");
    assert_eq!(lines.lines().count(), 2, "nothing to remark: {lines}");

    // The one of the history, as JSON.
    let output = replay(&data, &["--json", id.as_str()]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["same"]), (Some(0), &true.into()), "{report}");
    assert_eq!(report["exchanges"][1]["outcome"], "same");
    assert!(report["exchanges"][0]["logprob_distance"].as_f64().unwrap() < 1e-3, "{report}");

    // A token that was changed, and a model that is another edition.
    let file = folder.join("session.json");
    let mut session: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let token = &mut session["exchanges"][0]["answer"]["tokens"][1];
    let was = token["text"].clone();
    token["id"] = (token["id"].as_u64().unwrap() + 1).into();
    token["text"] = " nonsense".into();
    session["exchanges"][1]["model"]["revision"] = "0".into();
    std::fs::write(&file, session.to_string()).unwrap();
    let output = replay(&data, &[folder.to_str().unwrap()]);
    let (lines, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{lines}");
    let told = format!("different at token 2: \" nonsense\" then, {was} now");
    assert!(lines.lines().next().unwrap().ends_with(&told), "{lines}");
    assert!(lines.contains("2. What colour is it? – the same, "), "{lines}");
    assert!(lines.contains("revision 0") && lines.contains("revision 2"), "{lines}");
    assert!(errors.contains("1 of 2 answers came out differently"), "{errors}");

    // What the model was told is told again: with another name, another answer.
    let told = &mut session["exchanges"][0]["pictures"][0]["evidence"]["labels"];
    assert_eq!(told["sure"]["name"], "lemon");
    told["sure"]["name"] = "drum".into();
    std::fs::write(&file, session.to_string()).unwrap();
    let output = replay(&data, &[folder.to_str().unwrap()]);
    let lines = text(&output.stdout);
    assert!(lines.lines().next().unwrap().ends_with("\" drum\" now"), "{lines}");
}

#[test]
fn what_the_first_release_kept_comes_out_the_same() {
    let home = tempfile::tempdir().unwrap();
    let bundle = root().join("tests/golden/bundle");
    let output = replay(home.path(), &["--json", bundle.to_str().unwrap()]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let kept: Value =
        serde_json::from_slice(&std::fs::read(bundle.join("session.json")).unwrap()).unwrap();
    let exchanges = report["exchanges"].as_array().unwrap();
    // The fourth was stopped after so many.
    let tokens: Vec<_> = exchanges.iter().map(|exchange| exchange["tokens"].as_u64()).collect();
    assert_eq!(tokens, [3, 2, 3, 5, 3, 3].map(Some));
    for (exchange, kept) in exchanges.iter().zip(kept["exchanges"].as_array().unwrap()) {
        // Another processor's kernels round 8-bit weights' products otherwise: ln p moves by up to 0.07,
        // and a word that was one of many may be another.
        if exchange["outcome"] != "same" {
            let parts = exchange["difference"]["token"].as_u64().unwrap() as usize - 1;
            let logprob = kept["answer"]["tokens"][parts]["logprob"].as_f64().unwrap();
            assert!(parts > 0 && logprob < 0.25_f64.ln(), "{exchange}");
        }
        assert!(exchange["logprob_distance"].as_f64().unwrap() < 0.1, "{exchange}");
        assert_eq!(exchange["notes"], Value::Array(vec![]), "the same model answers: {exchange}");
    }
}

#[test]
fn each_question_is_asked_of_the_revision_that_it_was_asked_of() {
    let home = tempfile::tempdir().unwrap();
    let (golden, bundle) = (root().join("tests/golden/bundle"), home.path().join("bundle"));
    std::fs::create_dir_all(bundle.join("pictures")).unwrap();
    for file in ["pictures/0001.png", "pictures/0002.png"] {
        std::fs::copy(golden.join(file), bundle.join(file)).unwrap();
    }
    let text = std::fs::read(golden.join("session.json")).unwrap();
    let mut session: Value = serde_json::from_slice(&text).unwrap();
    session["exchanges"].as_array_mut().unwrap().truncate(3);
    session["exchanges"][1]["model"]["revision"] = "2".into();
    std::fs::write(bundle.join("session.json"), session.to_string()).unwrap();

    let output = replay(home.path(), &["--json", bundle.to_str().unwrap()]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["model"]["revision"], "1", "{report}");
    let notes = |at: usize| report["exchanges"][at]["notes"].as_array().unwrap();
    assert_eq!(notes(1).len(), 1, "{report}");
    assert_eq!(notes(1)[0], "asked of lorgnette-tiny revision 2 (q8_0, CPU)");
    for first in [0, 2] {
        assert_eq!(
            (notes(first).len(), &report["exchanges"][first]["outcome"]),
            (0, &"same".into())
        );
    }
}

#[test]
fn what_is_no_bundle_is_said_before_a_model_is_loaded() {
    let home = tempfile::tempdir().unwrap();
    let error = |argument: &str| {
        let output = replay(home.path(), &[argument]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        text(&output.stderr)
    };
    let file = home.path().join("notes.zip");
    std::fs::write(&file, b"no zip").unwrap();
    assert!(error(file.to_str().unwrap()).contains("not an exported conversation"));
    assert!(error("gone").contains("not an exported conversation"));
    assert!(error("20260131-235959-000-0123abcd").contains("there is no conversation"));
    std::fs::write(home.path().join("session.json"), br#"{"format": 2}"#).unwrap();
    assert!(error(home.path().to_str().unwrap()).contains("a newer Lorgnette wrote it"));
}
