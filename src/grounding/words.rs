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
/// with GPT-2's and `SmolLM2`'s vocabularies, or a mark. What only joins or ends a word (`-`, `'s`)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::single_range_in_vec_init, reason = "one token")]

    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        word_ranges(text).into_iter().map(|bytes| &text[bytes]).collect()
    }

    /// The pieces of a text as ranges, and its words with the pieces each is made of.
    fn cut(pieces: &[&str]) -> Vec<(String, Vec<usize>)> {
        let text = pieces.concat();
        let mut end = 0;
        let bytes: Vec<Range<usize>> = pieces
            .iter()
            .map(|piece| {
                end += piece.len();
                end - piece.len()..end
            })
            .collect();
        let words = words(&text, &bytes).unwrap();
        words.into_iter().map(|word| (text[word.bytes].to_owned(), word.tokens)).collect()
    }

    #[test]
    fn words_are_letters_with_what_joins_them() {
        assert_eq!(texts("A t-shirt, man's; it’s 3D."), ["A", "t-shirt", "man's", "it’s", "3D"]);
        assert_eq!(texts("**red** _cat_ `x`"), ["red", "cat", "x"]);
        assert_eq!(
            texts("the dogs' bowl -- 'quoted' a--b"),
            ["the", "dogs", "bowl", "quoted", "a", "b"]
        );
        assert_eq!(texts("crème 🍋 брат"), ["crème", "брат"]);
        assert!(texts("").is_empty() && texts("…").is_empty());
    }

    #[test]
    fn tokens_go_to_the_word_their_letters_stand_in() {
        let words = cut(&["A", " d", "ah", "lia", ",", " **", "red", "**", "."]);
        assert_eq!(words[0], ("A".into(), vec![0]));
        assert_eq!(words[1], ("dahlia".into(), vec![1, 2, 3]));
        assert_eq!(words[2], ("red".into(), vec![6]));
        assert_eq!(words.len(), 3);
    }

    #[test]
    fn what_only_joins_or_ends_a_word_carries_nothing() {
        let words = cut(&["A", " t", "-", "shirt", " of", " a", " man", "'s", " don", "'t"]);
        assert_eq!(words[1], ("t-shirt".into(), vec![1, 3]));
        assert_eq!(words[4], ("man's".into(), vec![6]));
        assert_eq!(words[5], ("don't".into(), vec![8]));
    }

    #[test]
    fn a_character_of_several_tokens_is_in_its_word() {
        // "é" takes two tokens; the first completes nothing.
        let words = cut(&[" caf", "", "é", " 🍋", "!"]);
        assert_eq!(words, [("café".into(), vec![0, 1, 2])]);
        let words = cut(&["", "", "🍋", " pie"]);
        assert_eq!(words, [("pie".into(), vec![3])]);
    }

    #[test]
    fn bytes_that_are_not_in_the_text_are_refused() {
        let refused = |text: &str, bytes: &[Range<usize>]| words(text, bytes).err();
        assert_eq!(refused("cat", &[0..1, 1..4]), Some(GroundingError::Text(1)));
        assert_eq!(refused("é", &[0..1]), Some(GroundingError::Text(0)));
        assert_eq!(refused("cat", &[0..2, 1..3]), Some(GroundingError::Text(1)));
        #[expect(clippy::reversed_empty_ranges, reason = "what is refused")]
        let backwards = refused("cat", &[2..1]);
        assert_eq!(backwards, Some(GroundingError::Text(0)));
        assert_eq!(words("cat", &[]), Ok(Vec::new()));
    }
}
