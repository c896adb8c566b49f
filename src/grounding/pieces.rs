//! The tokens of an answer with their places in its text.

use std::ops::Range;

/// A token of an answer with its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its number in the vocabulary.
    pub id: u32,
    /// The bytes of the answer's text that it completes; none where a character needs more.
    pub bytes: Range<usize>,
}

/// The tokens that some of `bytes` belong to.
#[must_use]
pub fn tokens_at(pieces: &[Piece], bytes: &Range<usize>) -> Range<usize> {
    let inside = |piece: &Piece| piece.bytes.start < bytes.end && piece.bytes.end > bytes.start;
    let mut start = pieces.iter().position(inside).unwrap_or(0);
    // A character's first tokens complete nothing by themselves.
    while start > 0 && pieces[start - 1].bytes.is_empty() {
        start -= 1;
    }
    let end = pieces.iter().rposition(inside).map_or(start, |last| last + 1);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_belong_to_the_tokens_that_complete_them() {
        // "A lemon" in three tokens, the second without text of its own.
        let piece = |id, bytes| Piece { id, bytes };
        let pieces = [piece(1, 0..1), piece(2, 1..1), piece(3, 1..7)];
        assert_eq!(tokens_at(&pieces, &(2..7)), 1..3);
        assert_eq!(tokens_at(&pieces, &(0..7)), 0..3);
        assert!(tokens_at(&pieces, &(9..12)).is_empty());
    }
}
