//! Holds the rules of `src/main.rs` that Cargo cannot: which crate may depend on which, and in which
//! files a dependency may be named. Fails with the file and the line.
//!
//! It reads files alone, and is a module of `xtask`'s tests, which build nothing heavy.

use std::path::{Path, PathBuf};

/// The crates from the bottom up; one may depend on lower floors only.
const FLOORS: &[&[&str]] = &[
    &["values"],
    &["evidence"],
    &["conversation"],
    &["capture", "encoder", "grounding", "model_store", "scene", "session", "speech"],
    &["engine", "unpack"],
    &["engine_worker", "explain", "specialists", "towers"],
    &["eval"],
    &["ui"],
    &["app", "cli"],
    &["lorgnette"],
];

/// What computes, and who may depend on it: everything else is built without mistral.rs, candle
/// and rten.
const WORKERS: &[(&str, &[&str])] = &[
    ("engine_worker", &["lorgnette"]),
    ("specialists", &["lorgnette"]),
    ("towers", &["lorgnette"]),
    ("unpack", &["engine_worker", "lorgnette", "towers"]),
];

/// Where a dependency may be named.
const HOMES: &[(&str, &[&str])] = &[
    ("mistralrs", &["src/engine/worker/"]),
    ("candle_core", &["src/encoder/towers/", "src/engine/worker/", "src/model_store/unpack/"]),
    ("candle_nn", &["src/encoder/towers/"]),
    ("rten", &["src/evidence/specialists/"]),
    ("rten_imageproc", &["src/evidence/specialists/"]),
    ("rten_tensor", &["src/evidence/specialists/"]),
    ("clap", &["src/cli/"]),
    ("colorous", &["src/values/heatmap/"]),
    ("egui", &["src/ui/", "src/app/"]),
    ("egui_material_icons", &["src/ui/"]),
    ("pulldown_cmark", &["src/ui/markdown/"]),
    ("eframe", &["src/app/"]),
    ("rfd", &["src/app/desktop.rs"]),
    ("starship_battery", &["src/app/power.rs"]),
    ("nokhwa", &["src/capture/camera/"]),
    ("v4l", &["src/capture/camera/linux.rs"]),
    ("hf_hub", &["src/model_store/download"]),
    ("reqwest", &["src/model_store/download"]),
    ("std::net", &["src/model_store/download"]),
    ("tokio::net", &["src/model_store/download"]),
    // A slow reader must slow its writer down, not fill the memory.
    ("unbounded", &[]),
    ("unbounded_channel", &[]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The files below `folder` that `wanted` takes, with their names from the repository on.
fn files(folder: &Path, wanted: &dyn Fn(&Path) -> bool, found: &mut Vec<(String, PathBuf)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, wanted, found);
        } else if wanted(&path) {
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
            found.push((name, path));
        }
    }
}

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|crates| crates.contains(&name))
}

/// The crate that the workspace's `manifest` says lies in a folder, by the name it has in code.
fn crate_in<'a>(folder: &str, manifest: &'a str) -> Option<&'a str> {
    let path = format!("path = \"{folder}\" }}");
    manifest.lines().find(|line| line.ends_with(&path))?.split(' ').next()
}

/// What a line among the dependencies of a manifest names, where it is written in the form that all
/// of them are: `name.workspace = true` or `name = { workspace = true, … }`.
fn dependency(line: &str) -> Option<&str> {
    let (name, _) = line.split_once(['.', ' '])?;
    let rest = &line[name.len()..];
    let inherits = rest == ".workspace = true" || rest.starts_with(" = { workspace = true, ");
    inherits.then_some(name)
}

/// What breaks a rule in the manifest of the crate `own`.
fn trouble_in_manifest(own: &str, manifest: &str) -> Vec<String> {
    let mut troubles = Vec::new();
    let mut section = "";
    for (number, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            section = line;
        }
        let is_list = section.ends_with("dependencies]") && section != "[workspace.dependencies]";
        let says_nothing = line.is_empty() || line.starts_with('#') || line == section;
        if section.contains("dependencies.")
            || (is_list && !says_nothing && dependency(line).is_none())
        {
            troubles.push(format!("{}: write it as the others are written", number + 1));
        }
        let Some(other) = dependency(line).filter(|_| is_list) else { continue };
        let up = floor(other).is_some_and(|other| floor(own) <= Some(other));
        let worker = WORKERS.iter().find(|(worker, _)| *worker == other);
        if up || worker.is_some_and(|(_, above)| !above.contains(&own)) {
            troubles.push(format!("{}: {own} must not depend on {other}", number + 1));
        }
    }
    troubles
}

/// What breaks a rule in one line of `file`.
fn trouble(file: &str, line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap();
    let mut troubles = Vec::new();
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
fn crates_depend_on_lower_floors_alone() {
    let workspace = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut troubles = trouble_in_manifest("lorgnette", &workspace);
    let mut manifests = Vec::new();
    files(&root().join("src"), &|path| path.ends_with("Cargo.toml"), &mut manifests);
    for (name, path) in &manifests {
        let folder = name.trim_end_matches("/Cargo.toml");
        let Some(own) = crate_in(folder, &workspace).filter(|own| floor(own).is_some()) else {
            troubles.push(format!("{name}: it has no floor in tests/architecture.rs"));
            continue;
        };
        let manifest = std::fs::read_to_string(path).unwrap();
        let found = trouble_in_manifest(own, &manifest).into_iter();
        troubles.extend(found.map(|trouble| format!("{name}:{trouble}")));
    }
    assert!(manifests.len() > 10, "the crates were found");
    assert!(troubles.is_empty(), "\n{}", troubles.join("\n"));
}

#[test]
fn dependencies_stay_at_home() {
    let mut sources = Vec::new();
    let is_source = |path: &Path| path.extension().is_some_and(|extension| extension == "rs");
    files(&root().join("src"), &is_source, &mut sources);
    let mut troubles = Vec::new();
    for (name, path) in &sources {
        for (number, line) in std::fs::read_to_string(path).unwrap().lines().enumerate() {
            let found = trouble(name, line).into_iter();
            troubles.extend(found.map(|trouble| format!("{name}:{}: {trouble}", number + 1)));
        }
    }
    assert!(sources.len() > 20, "the sources were found");
    assert!(troubles.is_empty(), "\n{}", troubles.join("\n"));
}

#[test]
fn the_rules_see_what_breaks_them() {
    assert!(trouble_in_manifest("ui", "[dependencies]\nengine.workspace = true\n").is_empty());
    for (own, line) in [
        ("engine", "ui.workspace = true"),
        ("session", "capture = { workspace = true, features = [\"x\"] }"),
        ("ui", "towers.workspace = true"),
        ("app", "engine_worker.workspace = true"),
        ("values", "values.workspace = true"),
    ] {
        for section in ["[dependencies]", "[target.'cfg(unix)'.dev-dependencies]"] {
            let found = trouble_in_manifest(own, &format!("[package]\n{section}\n{line}\n"));
            assert_eq!(found.len(), 1, "{own}: {line}");
            assert!(found[0].starts_with("3: "), "{found:?}");
        }
    }
    for manifest in [
        "[dependencies]\nui = { path = \"../ui\" }\n",
        "[dev-dependencies]\nserde = \"1\"\n",
        "[dependencies.ui]\nworkspace = true\n",
    ] {
        assert!(!trouble_in_manifest("engine", manifest).is_empty(), "{manifest}");
    }
    let workspace = "ui = { package = \"lorgnette-ui\", path = \"src/ui\" }\n";
    assert_eq!(crate_in("src/ui", workspace), Some("ui"));
    assert_eq!(crate_in("src/u", workspace), None);

    assert_eq!(trouble("src/cli/ask.rs", "use mistralrs::Model;").len(), 1);
    assert_eq!(trouble("src/engine/lib.rs", "use mistralrs::Model;").len(), 1);
    assert_eq!(trouble("src/engine/worker/load.rs", "std::net::TcpStream::connect(a)").len(), 1);
    assert_eq!(trouble("src/engine/lib.rs", "mpsc::unbounded_channel()").len(), 1);
    assert!(trouble("src/cli/ask.rs", "let mistralrs_like = 1; // mistralrs").is_empty());
}
