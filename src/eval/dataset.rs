//! Pictures with boxes, from a file with one JSON object a line.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::EvalError;

/// A line as it is written; what is not needed here is not looked at.
#[derive(Deserialize)]
struct Line {
    image: String,
    boxes: Option<Vec<LineBox>>,
}

/// Label, left, top, right, bottom.
type LineBox = (String, f32, f32, f32, f32);

/// A picture with boxes around things of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Boxed {
    /// The picture's file.
    pub file: PathBuf,
    /// What the things are called.
    pub label: String,
    /// Left, top, right and bottom of each, in pixels of the upright picture.
    pub boxes: Vec<[f32; 4]>,
}

/// The pictures of `file` that have boxes, once for each name in them. Paths are relative to it.
///
/// # Errors
/// A file that cannot be read, a line that is not as it should be, or no boxes at all.
pub fn read(file: &Path) -> Result<Vec<Boxed>, EvalError> {
    let name = file.display().to_string();
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut all: Vec<Boxed> = Vec::new();
    for (number, line) in lines::<Line>(file)? {
        let bad = |reason: String| EvalError::Line { file: name.clone(), line: number, reason };
        let picture = folder.join(&line.image);
        let mut boxed: Vec<Boxed> = Vec::new();
        for (label, x0, y0, x1, y1) in line.boxes.unwrap_or_default() {
            let edges = [x0, y0, x1, y1];
            let is_box = edges.iter().all(|edge| edge.is_finite()) && x0 < x1 && y0 < y1;
            if !is_box || label.trim().is_empty() {
                return Err(bad(format!("{label:?} {edges:?} is no box: x0 < x1 and y0 < y1")));
            }
            match boxed.iter_mut().find(|boxed| boxed.label == label) {
                Some(boxed) => boxed.boxes.push(edges),
                None => boxed.push(Boxed { file: picture.clone(), label, boxes: vec![edges] }),
            }
        }
        all.append(&mut boxed);
    }
    if all.is_empty() {
        let reason = "no line of it has boxes: there is nothing to point at".to_owned();
        return Err(EvalError::File { file: name, reason });
    }
    Ok(all)
}

/// The lines of `file`, each a JSON object, with their numbers from 1.
pub fn lines<T: DeserializeOwned>(file: &Path) -> Result<Vec<(usize, T)>, EvalError> {
    let name = file.display().to_string();
    let failed =
        |error: std::io::Error| EvalError::File { file: name.clone(), reason: error.to_string() };
    let open = std::fs::File::open(file).map_err(failed)?;
    let mut all = Vec::new();
    for (index, text) in BufReader::new(open).lines().enumerate() {
        let text = text.map_err(failed)?;
        if text.trim().is_empty() {
            continue;
        }
        let number = index + 1;
        let line = serde_json::from_str(&text).map_err(|error| EvalError::Line {
            file: name.clone(),
            line: number,
            reason: error.to_string(),
        })?;
        all.push((number, line));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Result<Vec<Boxed>, EvalError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("set.jsonl");
        std::fs::write(&file, text).unwrap();
        read(&file).map(|mut all| {
            for boxed in &mut all {
                boxed.file = boxed.file.strip_prefix(folder.path()).unwrap().to_path_buf();
            }
            all
        })
    }

    #[test]
    fn boxes_are_gathered_by_their_name() {
        let text = r#"{"image": "a/1.jpg", "label": "fruit", "boxes": [["apple", 1, 2, 3, 4], ["pear", 0, 0, 9, 9], ["apple", 5, 5, 6, 7.5]], "split": "val"}

{"image": "2.jpg", "boxes": null}
"#;
        let all = written(text).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].label.as_str(), all[0].boxes.len()), ("apple", 2));
        assert_eq!(all[1].file, Path::new("a/1.jpg"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let said = |text: &str| written(text).unwrap_err().to_string();
        assert!(said("\nnothing").contains("line 2"));
        assert!(said(r#"{"image": "1.jpg", "boxes": [["apple", 4, 2, 3, 4]]}"#).contains("no box"));
        assert!(said(r#"{"image": "1.jpg", "boxes": [["apple", 4, 2]]}"#).contains("line 1"));
        assert!(said(r#"{"image": "1.jpg"}"#).contains("nothing to point at"));
        assert!(matches!(read(Path::new("gone.jsonl")), Err(EvalError::File { .. })));
    }
}
