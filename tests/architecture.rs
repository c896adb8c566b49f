//! Holds the import rules of `src/lib.rs`: imports point down, and each big dependency lives in
//! its one room. Fails with the file and the line.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "how a test fails")]

use std::path::{Path, PathBuf};

/// Rooms from the bottom up; a room may import from lower floors only.
const FLOORS: &[&[&str]] = &[
    &["config", "cpu", "frame", "job", "log", "panics", "region"],
    &["heatmap"],
    &["capture", "encoder", "grounding", "model_store", "scene", "session", "speech"],
    &["engine"],
    &["explain"],
    &["eval"],
    &["ui"],
    &["app", "cli"],
    &["main"],
];

/// Where a dependency may be named.
const HOMES: &[(&str, &[&str])] = &[
    ("mistralrs", &["src/engine/"]),
    ("candle_core", &["src/encoder/", "src/engine/", "src/model_store/unpack.rs"]),
    ("candle_nn", &["src/encoder/"]),
    ("clap", &["src/cli/"]),
    ("colorous", &["src/heatmap/"]),
    ("egui", &["src/ui/", "src/app/"]),
    ("egui_material_icons", &["src/ui/"]),
    ("pulldown_cmark", &["src/ui/markdown/"]),
    ("eframe", &["src/app/"]),
    ("rfd", &["src/app/desktop.rs"]),
    ("nokhwa", &["src/capture/camera/"]),
    ("v4l", &["src/capture/camera/linux.rs"]),
    ("hf_hub", &["src/model_store/download"]),
    ("reqwest", &["src/model_store/download"]),
    ("std::net", &["src/model_store/download"]),
    ("tokio::net", &["src/model_store/download"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The room a file belongs to: its first folder or name below `src`.
fn room(file: &str) -> &str {
    let inner = file.trim_start_matches("src/");
    inner.split('/').next().unwrap().trim_end_matches(".rs")
}

/// What breaks a rule in one line of `file`.
fn trouble(file: &str, line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap();
    let mut troubles = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        match (floor(room(file)), floor(&name)) {
            _ if name == room(file) || room(file) == "lib" => {}
            (Some(own), Some(other)) if own > other => {}
            _ => troubles.push(format!("{} must not import {name:?}", room(file))),
        }
    }
    for (dependency, homes) in HOMES {
        let named = code.match_indices(dependency).any(|(at, _)| {
            let before = code[..at].chars().next_back();
            let after = code[at + dependency.len()..].chars().next();
            let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            !inside(before) && !inside(after) && before != Some('"')
        });
        if named && !homes.iter().any(|home| file.starts_with(home)) {
            troubles.push(format!("{dependency} lives in {}", homes.join(", ")));
        }
    }
    troubles
}

#[test]
fn imports_point_down_and_dependencies_stay_at_home() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    let mut troubles = Vec::new();
    for path in &files {
        let file = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        for (number, line) in std::fs::read_to_string(path).unwrap().lines().enumerate() {
            for trouble in trouble(&file, line) {
                troubles.push(format!("{file}:{}: {trouble}", number + 1));
            }
        }
    }
    assert!(files.len() > 20, "the sources were found");
    assert!(troubles.is_empty(), "\n{}", troubles.join("\n"));
}

#[test]
fn the_rules_see_what_breaks_them() {
    assert!(trouble("src/engine/worker.rs", "use crate::model_store::ModelError;").is_empty());
    assert!(trouble("src/engine/worker.rs", "use crate::engine::Token; // crate::cli").is_empty());
    assert_eq!(trouble("src/frame.rs", "use crate::capture::load;").len(), 1);
    assert_eq!(trouble("src/capture/file.rs", "use crate::model_store;").len(), 1);
    assert_eq!(trouble("src/capture/file.rs", "use crate::{frame, engine};").len(), 1);
    assert_eq!(trouble("src/cli/ask.rs", "use mistralrs::Model;").len(), 1);
    assert_eq!(trouble("src/engine/load.rs", "std::net::TcpStream::connect(a)").len(), 1);
    assert!(trouble("src/cli/ask.rs", "let mistralrs_like = 1;").is_empty());
}

#[test]
fn the_setting_for_a_changed_scene_begins_at_what_was_measured() {
    // Neither room may import the other.
    let setting = lorgnette::config::LiveSettings::default().threshold;
    assert_eq!(setting.to_bits(), lorgnette::scene::DEFAULT_THRESHOLD.to_bits());
}
