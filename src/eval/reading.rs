//! Whether what is written in pictures is read.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::EvalError;
use super::dataset::lines;
use super::table::Interval;

/// The fewest letters and digits of a word that counts.
const LEAST: usize = 3;

/// A picture with the words that are written in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The picture as the set names it.
    pub image: String,
    /// Its file.
    pub file: PathBuf,
    /// Its words of three letters and digits or more.
    pub words: Vec<String>,
}

#[derive(Deserialize)]
struct Line {
    image: String,
    text: Option<Vec<String>>,
}

/// The pictures of `file` that have words. Paths are relative to it.
///
/// # Errors
/// A file that cannot be read, a line that is not as it should be, or no words at all.
pub fn read(file: &Path) -> Result<Vec<Item>, EvalError> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut all = Vec::new();
    for (_, Line { image, text }) in lines(file)? {
        let mut words = text.unwrap_or_default();
        words.retain(|word| letters(word).chars().count() >= LEAST);
        if !words.is_empty() {
            all.push(Item { file: folder.join(&image), image, words });
        }
    }
    if all.is_empty() {
        let reason = "no line of it has words (\"text\") of three letters or more".to_owned();
        return Err(EvalError::File { file: file.display().to_string(), reason });
    }
    Ok(all)
}

/// The letters and digits of a text, in lower case.
fn letters(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}

/// What became of one picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The picture.
    pub image: String,
    /// What was read, line by line.
    pub lines: Vec<String>,
    /// The words that stand in it, whatever spaces were read.
    pub found: Vec<String>,
    /// Those that do not.
    pub missed: Vec<String>,
}

impl Outcome {
    /// Judges what was read in `item`.
    #[must_use]
    pub fn new(item: &Item, lines: Vec<String>) -> Self {
        let all = letters(&lines.concat());
        let is_found = |word: &&String| all.contains(&letters(word));
        let (found, missed) = item.words.iter().partition::<Vec<_>, _>(is_found);
        let owned = |words: Vec<&String>| words.into_iter().cloned().collect();
        Self { image: item.image.clone(), lines, found: owned(found), missed: owned(missed) }
    }
}

/// How much is read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reading {
    /// Words.
    pub n: usize,
    /// How many of them were read.
    pub found: Interval,
    /// Every picture.
    pub outcomes: Vec<Outcome>,
}

impl Reading {
    /// Counts.
    #[must_use]
    pub fn of(outcomes: Vec<Outcome>) -> Self {
        let found = outcomes.iter().map(|it| it.found.len()).sum::<usize>();
        let n = found + outcomes.iter().map(|it| it.missed.len()).sum::<usize>();
        Self { n, found: Interval::of(found, n), outcomes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_wherever_they_stand_in_what_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("set.jsonl");
        let text = r#"{"image": "a.jpg", "text": ["HOTEL", "No", "B-12", "Café"]}
{"image": "b.jpg", "text": null}
"#;
        std::fs::write(&file, text).unwrap();
        let all = read(&file).unwrap();
        assert_eq!((all.len(), all[0].words.len()), (1, 3));
        let lines = ["Ho tel", "cafe", "b 12"].map(str::to_owned).to_vec();
        let reading = Reading::of(vec![Outcome::new(&all[0], lines)]);
        assert_eq!(reading.outcomes[0].found, ["HOTEL", "B-12"]);
        assert_eq!((reading.n, &*reading.outcomes[0].missed[0]), (3, "Café"));
        assert!((reading.found.share - 2.0 / 3.0).abs() < 1e-9);
        std::fs::write(&file, r#"{"image": "b.jpg", "text": ["No"]}"#).unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("three letters"));
    }
}
