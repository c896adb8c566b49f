//! From the words after `cargo xtask test` to the crates whose tests are meant, so that one room is
//! tested without building what stands above it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The program with the model in it, whose own tests are in `tests/`.
const PROGRAM: &str = "lorgnette";
/// Its test programs.
const PROGRAM_TESTS: [&str; 2] = ["model", "machine"];
/// What calls this program's own tests, the rules of the architecture among them.
const OWN: [&str; 2] = ["xtask", "architecture"];

/// A crate, and what its tests can be called by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its name for cargo.
    pub package: String,
    /// Its folder from the repository on, `src/engine/worker`.
    pub folder: String,
    /// Names of its test programs.
    pub tests: Vec<String>,
    /// Names of its files and of the folders in it, without endings.
    pub parts: Vec<String>,
}

/// What is to be tested.
#[derive(Debug, PartialEq, Eq)]
pub struct Choice {
    /// Cargo's words for the crates and the test programs.
    pub selection: Vec<OsString>,
    /// What follows: the filter, and what the tests themselves are told.
    pub rest: Vec<OsString>,
}

impl Room {
    /// The rooms of the repository in `root`.
    pub fn all(root: &Path) -> Result<Vec<Self>, String> {
        let mut rooms = Vec::new();
        find(root, &root.join("src"), &mut rooms)?;
        Ok(rooms)
    }

    /// Whether the room is called so: `ui`, `worker`, `engine/worker`, `lorgnette-engine-worker`.
    fn is_called(&self, word: &str) -> bool {
        let path = self.folder.trim_start_matches("src/");
        word == path || word == self.package || path.rsplit('/').next() == Some(word)
    }
}

/// Adds the crates below `folder`.
fn find(root: &Path, folder: &Path, found: &mut Vec<Room>) -> Result<(), String> {
    let manifest = folder.join("Cargo.toml");
    if manifest.is_file() {
        let text = std::fs::read_to_string(&manifest)
            .map_err(|error| format!("{}: {error}", manifest.display()))?;
        let name = text.lines().find_map(|line| line.strip_prefix("name = \""));
        let package = name.ok_or_else(|| format!("{}: it has no name", manifest.display()))?;
        let within = folder.strip_prefix(root).unwrap_or(folder);
        let mut own = Room {
            package: package.trim_end_matches('"').to_owned(),
            folder: within.to_string_lossy().replace('\\', "/"),
            tests: Vec::new(),
            parts: Vec::new(),
        };
        for (path, name) in entries(&folder.join("tests"))? {
            if path.join("main.rs").is_file() || path.extension().is_some_and(|end| end == "rs") {
                own.tests.push(name);
            }
        }
        parts(folder, &mut own.parts)?;
        found.push(own);
    }
    for (path, _) in entries(folder)? {
        if path.is_dir() {
            find(root, &path, found)?;
        }
    }
    Ok(())
}

/// Adds the names of the files and folders in `folder`, but for those of another crate in it.
fn parts(folder: &Path, names: &mut Vec<String>) -> Result<(), String> {
    for (path, name) in entries(folder)? {
        if path.is_dir() {
            if path.join("Cargo.toml").is_file() {
                continue;
            }
            parts(&path, names)?;
        } else if path.extension().is_none_or(|end| end != "rs") {
            continue;
        }
        names.push(name);
    }
    Ok(())
}

/// What lies in `folder`, each with its name without ending; nothing where there is none.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        found.push((path, name));
    }
    found.sort();
    Ok(found)
}

/// What `words` ask for: rooms by their names, else the rooms that have a part of that name, else
/// everything, filtered.
pub fn choose(rooms: &[Room], words: Vec<OsString>) -> Choice {
    let mut words = words.into_iter().peekable();
    let mut chosen: Vec<&Room> = Vec::new();
    let mut program = Vec::new();
    while let Some(word) = words.peek().and_then(|word| word.to_str()) {
        if PROGRAM_TESTS.contains(&word) {
            program.push(word.to_owned());
        } else {
            let before = chosen.len();
            // After `model` a word is a part of that program, were it a room's name.
            chosen.extend(rooms.iter().filter(|room| program.is_empty() && room.is_called(word)));
            if before == chosen.len() {
                break;
            }
        }
        words.next();
    }
    if chosen.is_empty() && program.is_empty() {
        // A word that is no room's stays, as the filter.
        let word = words.peek().and_then(|word| word.to_str()).unwrap_or_default();
        chosen.extend(rooms.iter().filter(|room| room.parts.iter().any(|part| part == word)));
    }
    if chosen.is_empty()
        && words.next_if(|word| OWN.contains(&word.to_str().unwrap_or_default())).is_some()
    {
        return Choice { selection: vec!["-p".into(), "xtask".into()], rest: words.collect() };
    }
    let rest = words.collect();
    if chosen.is_empty() && program.is_empty() {
        return Choice { selection: vec!["--workspace".into()], rest };
    }
    let packages = chosen.iter().map(|room| room.package.as_str());
    // Of the program nothing is built unless its own tests are meant, but it makes cargo choose the
    // features that the whole has: otherwise hundreds of crates would be built a second time.
    let packages = packages.chain([PROGRAM]);
    let mut selection: Vec<OsString> =
        packages.flat_map(|package| ["-p".into(), package.into()]).collect();
    if !chosen.is_empty() {
        selection.push("--lib".into());
    }
    let mut tests: Vec<&String> =
        chosen.iter().flat_map(|room| &room.tests).chain(&program).collect();
    tests.sort();
    tests.dedup();
    selection.extend(tests.into_iter().flat_map(|test| ["--test".into(), test.into()]));
    Choice { selection, rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    fn chosen(words: &[&str]) -> (String, String) {
        let rooms = Room::all(root()).unwrap();
        let choice = choose(&rooms, words.iter().map(OsString::from).collect());
        let line = |words: &[OsString]| words.join(" ".as_ref()).into_string().unwrap();
        (line(&choice.selection), line(&choice.rest))
    }

    #[test]
    fn a_room_is_tested_without_what_stands_above_it() {
        let (selection, rest) = chosen(&["ui", "maps", "--", "--nocapture"]);
        assert_eq!(selection, "-p lorgnette-ui -p lorgnette --lib --test window");
        assert_eq!(rest, "maps -- --nocapture");
        let (selection, rest) = chosen(&["engine/worker"]);
        assert_eq!(selection, "-p lorgnette-engine-worker -p lorgnette --lib");
        assert!(rest.is_empty());
    }

    #[test]
    fn a_part_is_found_in_the_rooms_that_have_it() {
        let (selection, rest) = chosen(&["history"]);
        assert_eq!(selection, "-p lorgnette-app -p lorgnette-ui -p lorgnette --lib --test window");
        assert_eq!(rest, "history");
    }

    #[test]
    fn the_program_has_tests_of_its_own() {
        assert_eq!(
            chosen(&["model", "replay"]),
            ("-p lorgnette --test model".into(), "replay".into())
        );
        assert_eq!(chosen(&["model", "engine"]).1, "engine");
        assert_eq!(
            chosen(&["cli", "model", "cli"]),
            ("-p lorgnette-cli -p lorgnette --lib --test model".into(), "cli".into())
        );
    }

    #[test]
    fn the_rules_are_tested_alone() {
        assert_eq!(chosen(&["architecture"]), ("-p xtask".into(), String::new()));
    }

    #[test]
    fn any_other_word_filters_everything() {
        assert_eq!(chosen(&["no_such_part"]), ("--workspace".into(), "no_such_part".into()));
        assert_eq!(chosen(&[]).0, "--workspace");
        assert_eq!(chosen(&["--quiet"]), ("--workspace".into(), "--quiet".into()));
    }
}
