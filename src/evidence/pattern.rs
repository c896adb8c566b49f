//! What is looked for in a question: words, whatever stands between them.

use serde::Deserialize;

/// Words one after the other, the last of which may go on where it ends in `*`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Pattern {
    pub words: Vec<String>,
    open: bool,
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        let open = text.ends_with('*');
        Self { words: words(&text), open }
    }
}

impl Pattern {
    /// Where it stands in `text`.
    pub fn find(&self, text: &[String]) -> Option<usize> {
        let (last, before) = self.words.split_last()?;
        let fits = |found: &[String]| {
            let (end, start) = found.split_last().unwrap_or((last, &[]));
            start == before && if self.open { end.starts_with(last) } else { end == last }
        };
        text.windows(self.words.len()).position(fits)
    }
}

/// The words of a text in lower case, without what stands between them.
pub fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}
