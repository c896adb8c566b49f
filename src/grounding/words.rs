//! The words of an answer, and which of its tokens each is made of.

use std::ops::Range;

use super::error::GroundingError;

/// A word of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Where it stands, in bytes of the answer's text.
    pub bytes: Range<usize>,
    /// The tokens that carry its meaning, counted from the answer's first.
    pub tokens: Vec<usize>,
}

/// Where the words of a text stand, in bytes: letters and digits in a row, with hyphens and
/// apostrophes between them (`t-shirt`, `man's`). Punctuation and Markdown marks are no words.
pub fn word_ranges(text: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    for (at, letter) in text.char_indices().filter(|(_, letter)| letter.is_alphanumeric()) {
        let end = at + letter.len_utf8();
        match words.last_mut() {
            Some(word) if joins(&text[word.end..at]) => word.end = end,
            _ => words.push(at..end),
        }
    }
    words
}

/// Whether what stands between two letters keeps them in one word.
fn joins(between: &str) -> bool {
    let mut letters = between.chars();
    match (letters.next(), letters.next()) {
        (None, _) => true,
        (Some(letter), None) => matches!(letter, '-' | '\'' | '’' | '\u{2010}' | '\u{2011}'),
        _ => false,
    }
}

/// The words of `text`, an answer with the bytes that each of its tokens completes.
///
/// A token belongs to the word in which its letters stand, whatever begins it: a leading space, as
/// with GPT-2's and SmolLM2's vocabularies, or a mark. What only joins or ends a word (`-`, `'s`)
/// is left out where other tokens remain, since it has no meaning of its own.
///
/// # Errors
/// Bytes beyond the text, inside a character or out of order.
pub fn words(text: &str, tokens: &[Range<usize>]) -> Result<Vec<Word>, GroundingError> {
    let mut end = 0;
    for (token, bytes) in tokens.iter().enumerate() {
        if bytes.start < end || text.get(bytes.clone()).is_none() {
            return Err(GroundingError::Text(token));
        }
        end = bytes.end;
    }
    let words = word_ranges(text).into_iter().filter_map(|word| {
        let inside = |bytes: &Range<usize>| {
            // A token that completes no character begins the one that stands where it ends.
            let end = bytes.end.max(bytes.start + 1);
            bytes.start < word.end && end > word.start
        };
        let all: Vec<usize> = (0..tokens.len()).filter(|token| inside(&tokens[*token])).collect();
        let carries = |token: &usize| {
            let first = text[tokens[*token].clone()].trim_start().chars().next();
            first.is_none_or(char::is_alphanumeric)
        };
        let carrying: Vec<usize> = all.iter().copied().filter(carries).collect();
        let tokens = if carrying.is_empty() { all } else { carrying };
        (!tokens.is_empty()).then_some(Word { bytes: word, tokens })
    });
    Ok(words.collect())
}
