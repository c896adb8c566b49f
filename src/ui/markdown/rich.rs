//! Text that remembers where each part of it stood in the answer.

use std::ops::Range;

use values::text::one_line;

/// How a piece of text is set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Look(u8);

impl Look {
    pub(super) const STRONG: Self = Self(1);
    pub(super) const EMPHASIS: Self = Self(2);
    pub(super) const STRUCK: Self = Self(4);
    pub(super) const CODE: Self = Self(8);
    /// Not the answer's words: a link's address.
    pub(super) const ASIDE: Self = Self(16);

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// A stretch of a [`Rich`] text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    /// Where it stands in the text, in bytes.
    pub(super) at: Range<usize>,
    /// What it came from in the answer, in bytes.
    pub(super) source: Range<usize>,
    /// How it is set apart.
    pub(super) look: Look,
}

impl Piece {
    /// Whether the piece is letter for letter what stood in the answer, and not, say, an entity.
    pub(super) fn is_exact(&self) -> bool {
        self.at.len() == self.source.len()
    }
}

/// The text of one block: pieces one after the other, without gaps.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Rich {
    pub(super) text: String,
    pub(super) pieces: Vec<Piece>,
}

impl Rich {
    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Adds `text`, which `source` became. What could disguise a line is written as an escape;
    /// line ends and tabs stay.
    pub(super) fn push(&mut self, text: &str, source: Range<usize>, look: Look) {
        let exact = text.len() == source.len();
        let mut clean = 0;
        for (at, c) in text.char_indices() {
            if !disguises(c) {
                continue;
            }
            let part = |range: Range<usize>| {
                if exact {
                    source.start + range.start..source.start + range.end
                } else {
                    source.clone()
                }
            };
            let end = at + c.len_utf8();
            self.push_clean(&text[clean..at], part(clean..at), look);
            self.push_clean(&one_line(&text[at..end]), part(at..end), look);
            clean = end;
        }
        let rest = if exact { source.start + clean..source.end } else { source };
        self.push_clean(&text[clean..], rest, look);
    }

    fn push_clean(&mut self, text: &str, source: Range<usize>, look: Look) {
        if text.is_empty() {
            return;
        }
        let start = self.text.len();
        self.text.push_str(text);
        let piece = Piece { at: start..self.text.len(), source, look };
        if let Some(last) = self.pieces.last_mut()
            && last.look == look
            && last.source.end == piece.source.start
            && last.is_exact()
            && piece.is_exact()
        {
            last.at.end = piece.at.end;
            last.source.end = piece.source.end;
        } else {
            self.pieces.push(piece);
        }
    }

    /// Takes off white space at the end.
    pub(super) fn trim_end(&mut self) {
        self.split_off(self.text.trim_end().len());
    }

    /// Takes off what begins at byte `at`, which must not be inside a character, and gives it back.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        let mut rest = Self { text: self.text.split_off(at), pieces: Vec::new() };
        let first = self.pieces.partition_point(|piece| piece.at.end <= at);
        let mut later = self.pieces.split_off(first);
        if let Some(piece) = later.first_mut()
            && piece.at.start < at
        {
            let mut before = piece.clone();
            if piece.is_exact() {
                let cut = piece.source.start + (at - piece.at.start);
                before.source.end = cut;
                piece.source.start = cut;
            }
            before.at.end = at;
            piece.at.start = at;
            self.pieces.push(before);
        }
        for piece in &mut later {
            piece.at = piece.at.start - at..piece.at.end - at;
        }
        rest.pieces = later;
        rest
    }

    /// The bytes of this text that came from the bytes `source` of the answer: ascending, and none
    /// where nothing here did.
    pub(super) fn find(&self, source: &Range<usize>) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for piece in self.pieces.iter().filter(|piece| !piece.look.has(Look::ASIDE)) {
            let start = piece.source.start.max(source.start);
            let end = piece.source.end.min(source.end);
            if start >= end {
                continue;
            }
            let at = if piece.is_exact() {
                let inside = |byte: usize| piece.at.start + (byte - piece.source.start);
                // The caller's bytes may lie inside a character, which is not to be split.
                self.floor(inside(start))..self.floor(inside(end))
            } else {
                piece.at.clone()
            };
            match found.last_mut() {
                _ if at.is_empty() => {}
                Some(last) if last.end == at.start => last.end = at.end,
                _ => found.push(at),
            }
        }
        found
    }

    /// The start of the character that holds the byte `at`.
    fn floor(&self, at: usize) -> usize {
        self.text.floor_char_boundary(at)
    }
}

/// Whether a character would break or disguise the text around it. The rule is that of one line,
/// save for line ends and tabs.
fn disguises(c: char) -> bool {
    let plain = c.is_ascii_graphic() || matches!(c, ' ' | '\n' | '\t');
    !plain && values::text::disguises(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rich(parts: &[(&str, Range<usize>, Look)]) -> Rich {
        let mut rich = Rich::default();
        for (text, source, look) in parts {
            rich.push(text, source.clone(), *look);
        }
        rich
    }

    /// Where a text has what came from `source`, as pairs.
    fn found(rich: &Rich, source: Range<usize>) -> Vec<(usize, usize)> {
        rich.find(&source).into_iter().map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn neighbours_of_one_look_become_one_piece() {
        let rich = rich(&[("ab", 3..5, Look::default()), ("cd", 5..7, Look::default())]);
        assert_eq!(rich.pieces, [Piece { at: 0..4, source: 3..7, look: Look::default() }]);
    }

    #[test]
    fn what_disguises_is_written_out_and_keeps_its_place() {
        let text = "a\u{202e}b\u{7}\n\tc";
        let rich = rich(&[(text, 10..10 + text.len(), Look::default())]);
        assert_eq!(rich.text, "a\\u{202e}b\\u{7}\n\tc");
        assert_eq!(rich.pieces.len(), 5);
        assert_eq!(rich.pieces[1].source, 11..14);
        assert_eq!(found(&rich, 14..15), [(9, 10)], "b");
    }

    #[test]
    fn splitting_keeps_where_everything_came_from() {
        let plain = Look::default();
        let mut front = rich(&[
            ("one two ", 0..8, plain),
            ("&", 8..13, plain),
            (" three", 13..19, Look::STRONG),
        ]);
        let whole = front.clone();
        let back = front.split_off(4);
        assert_eq!((front.text.as_str(), back.text.as_str()), ("one ", "two & three"));
        assert_eq!(front.pieces, [Piece { at: 0..4, source: 0..4, look: plain }]);
        assert_eq!(back.pieces[0], Piece { at: 0..4, source: 4..8, look: plain });
        assert_eq!(found(&back, 14..19), [(6, 11)]);
        for at in 0..=whole.text.len() {
            let mut front = whole.clone();
            let back = front.split_off(at);
            assert_eq!(front.text.clone() + &back.text, whole.text);
            let length =
                |rich: &Rich| rich.pieces.iter().map(|piece| piece.at.len()).sum::<usize>();
            assert_eq!((length(&front), length(&back)), (front.text.len(), back.text.len()));
        }
    }

    #[test]
    fn a_range_is_found_in_every_piece_it_touches() {
        let plain = Look::default();
        // `a **b** &amp; c`
        let rich = rich(&[
            ("a ", 0..2, plain),
            ("b", 4..5, Look::STRONG),
            (" ", 7..8, plain),
            ("&", 8..13, plain),
            (" c", 13..15, plain),
        ]);
        assert_eq!(found(&rich, 0..15), [(0, 7)]);
        assert_eq!(found(&rich, 4..5), [(2, 3)]);
        assert_eq!(found(&rich, 2..4), [], "marks are not text");
        assert_eq!(found(&rich, 9..10), [(4, 5)], "part of an entity is all of it");
        assert_eq!(found(&rich, 40..90), []);
    }

    #[test]
    fn bytes_inside_a_character_do_not_split_it() {
        let rich = rich(&[("é猫", 0..5, Look::default())]);
        assert_eq!(found(&rich, 1..3), [(0, 2)]);
        assert_eq!(found(&rich, 3..4), []);
        assert_eq!(found(&rich, 2..5), [(2, 5)]);
    }
}
