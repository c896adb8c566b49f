//! The end of an answer that is still being written, made whole.
//!
//! Shown as it stands, half-written Markdown jumps: `**bo` is two stars until the closing two come
//! and turn it bold. So what is open is closed, and the few last letters that could become
//! anything wait for the next ones. A wrong guess shows a mark for a moment and costs nothing else:
//! a complete answer is not mended.

use std::borrow::Cow;

/// The most marks that are closed. More is not prose.
const MAX_OPEN: usize = 12;

/// How far back, in bytes, a `[` may still become a link.
const MAX_LINK: usize = 80;

/// What to show of an answer that ends, for now, with `text`: a prefix of it, and then what closes
/// what is open.
pub(super) fn mend(text: &str) -> Cow<'_, str> {
    let mut lines: Vec<(usize, &str)> = Vec::new();
    let mut fence: Option<(char, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bare = bare(line);
        match (fence, fence_of(bare)) {
            (None, Some(opening)) => {
                fence = Some(opening);
                lines.clear();
            }
            (Some((mark, length)), Some((other, longer)))
                if mark == other
                    && longer >= length
                    && bare.trim_matches(mark).trim().is_empty() =>
            {
                fence = None;
                lines.clear();
            }
            (None, None) if line.trim().is_empty() => lines.clear(),
            (None, None) => lines.push((at, line)),
            (Some(_), _) => {}
        }
        at += line.len();
    }
    if let Some((mark, _)) = fence {
        return Cow::Borrowed(without_half_fence(text, mark));
    }
    let Some(&(last, line)) = lines.last() else { return Cow::Borrowed(text) };
    if let Some(start) = half_table(&lines) {
        return Cow::Borrowed(&text[..start]);
    }
    if !line.ends_with('\n') && could_become_a_block(line) {
        return Cow::Borrowed(&text[..last]);
    }
    close(text, paragraph(&lines))
}

/// A line without the marks of the quotations and list items it stands in.
fn bare(line: &str) -> &str {
    let mut rest = line.trim_start();
    while let Some(inner) = block_mark(rest) {
        rest = inner.trim_start();
    }
    rest
}

/// What follows the mark of a quotation or a list item at the start of `line`.
fn block_mark(line: &str) -> Option<&str> {
    if let Some(rest) = line.strip_prefix('>') {
        return Some(rest);
    }
    let after_dot = line.strip_prefix(['-', '*', '+']);
    let after_number = || {
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.strip_prefix(['.', ')']).filter(|_| rest.len() < line.len())
    };
    let rest = after_dot.or_else(after_number)?;
    rest.starts_with([' ', '\t']).then_some(rest)
}

/// The mark and the length of a code fence.
fn fence_of(line: &str) -> Option<(char, usize)> {
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = line.len() - line.trim_start_matches(mark).len();
    let inline = mark == '`' && line[length..].contains('`');
    (length >= 3 && !inline).then_some((mark, length))
}

/// Open code without a last line that may be half of its closing fence.
fn without_half_fence(text: &str, mark: char) -> &str {
    let start = text.rfind('\n').map_or(0, |at| at + 1);
    let half = text[start..].trim();
    let is_half = !half.is_empty() && half.len() < 3 && half.chars().all(|c| c == mark);
    if is_half { &text[..start] } else { text }
}

/// Whether a last line is so short that it may yet turn into a heading, a list item, a rule, a
/// fence, a table, or make a heading of the line above.
fn could_become_a_block(line: &str) -> bool {
    let line = line.trim();
    let number = line.trim_end_matches(['.', ')']);
    let is_number = number.len() <= 3
        && line.len() <= number.len() + 1
        && !number.is_empty()
        && number.chars().all(|c| c.is_ascii_digit());
    let marks = line.chars().all(|c| "-=*_+#>`~|: ".contains(c));
    let box_of_a_task = line.len() <= 5 && line.starts_with(['-', '*', '+']) && line.contains(" [");
    !line.is_empty() && (is_number || marks || box_of_a_task)
}

/// The start of the table at the end, where it is not yet seen to be one.
fn half_table(lines: &[(usize, &str)]) -> Option<usize> {
    let rows = lines.iter().rev().take_while(|(_, line)| bare(line).starts_with('|')).count();
    let first = lines.len() - rows;
    // A head, or a head and a second line that may not be complete.
    let half =
        rows == 1 || rows == 2 && !lines.last().is_some_and(|(_, line)| line.ends_with('\n'));
    (half && rows > 0).then(|| lines[first].0)
}

/// Where the last piece of running text begins: marks before it are not open in it.
fn paragraph(lines: &[(usize, &str)]) -> usize {
    let mut start = 0;
    for (at, line) in lines.iter().rev() {
        start = at + (line.len() - bare(line).len());
        let inner = line.trim_start();
        if inner.starts_with('|') {
            // Marks do not reach from one cell into the next.
            return at + line.trim_end().rfind('|').map_or(0, |bar| bar + 1);
        }
        if block_mark(inner).is_some() || inner.starts_with('#') {
            break;
        }
    }
    start
}

/// What is open in running text.
#[derive(Clone, Copy)]
enum Opened {
    /// Stars, underscores or tildes, and how many.
    Marks(u8, usize),
    /// A `[`, and where.
    Bracket(usize),
}

/// `text` with what is open since byte `start` closed.
fn close(text: &str, start: usize) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut opened: Vec<Opened> = Vec::new();
    let mut end = text.trim_end().len();
    let mut tail = String::new();
    let mut at = start;
    while at < end {
        let byte = bytes[at];
        let run = bytes[at..end].iter().take_while(|b| **b == byte).count();
        match byte {
            // What it escapes, or brackets, is not there yet.
            b'\\' | b'[' if at + 1 == end => end = at,
            b'\\' => at += 2,
            b'`' => {
                if let Some(after) = closing_ticks(&bytes[at + run..end], run) {
                    at += run + after;
                } else if text[at + run..end].trim_end_matches('`').trim().is_empty() {
                    end = at;
                } else {
                    end = text[..end].trim_end_matches('`').len();
                    tail.push_str(&text[at..at + run]);
                    at = end;
                }
            }
            b'*' | b'_' | b'~' => {
                let before = text[start..at].chars().next_back();
                let after = text[at + run..end].chars().next();
                let rest = shut(&mut opened, byte, run, before, after);
                if rest > 0 && after.is_none() {
                    // What it opens, if anything, is not there yet.
                    end = at + run - rest;
                } else if rest > 0 && opens(byte, rest, before, after) {
                    opened.push(Opened::Marks(byte, rest));
                }
                at += run;
            }
            b'[' => {
                opened.push(Opened::Bracket(at));
                at += 1;
            }
            b']' if !bracket(&mut opened) => at += 1,
            b']' if at + 1 == end => {
                // An address may follow.
                tail.push_str("()");
                at = end;
            }
            b']' if bytes[at + 1] == b'(' => {
                if let Some(length) = bytes[at..end].iter().position(|byte| *byte == b')') {
                    at += length + 1;
                } else {
                    at += 1;
                    end = at;
                    tail.push_str("()");
                }
            }
            _ => at += 1,
        }
        if opened.len() > MAX_OPEN {
            return Cow::Borrowed(text);
        }
    }
    for open in opened.iter().rev() {
        match *open {
            Opened::Marks(mark, count) => tail.extend(std::iter::repeat_n(char::from(mark), count)),
            Opened::Bracket(at) if end.saturating_sub(at) <= MAX_LINK => tail.push_str("]()"),
            Opened::Bracket(_) => {}
        }
    }
    let shown = text[..end].trim_end();
    if tail.is_empty() && end == text.trim_end().len() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("{shown}{tail}"))
    }
}

/// Where the closing run of `length` back quotes ends.
fn closing_ticks(bytes: &[u8], length: usize) -> Option<usize> {
    let mut at = 0;
    while at < bytes.len() {
        let run = bytes[at..].iter().take_while(|b| **b == b'`').count();
        if run == length {
            return Some(at + run);
        }
        at += run.max(1);
    }
    None
}

/// Closes what a run of marks can close, and gives back how many marks are left.
fn shut(
    opened: &mut Vec<Opened>,
    mark: u8,
    run: usize,
    before: Option<char>,
    after: Option<char>,
) -> usize {
    let after_word = before.is_some_and(|c| !c.is_whitespace());
    if !after_word || mark == b'_' && after.is_some_and(char::is_alphanumeric) {
        return run;
    }
    let mut left = run;
    while left > 0 {
        let same = |open: &Opened| matches!(open, Opened::Marks(other, _) if *other == mark);
        let Some(place) = opened.iter().rposition(same) else { break };
        opened.truncate(place + 1);
        if let Some(Opened::Marks(_, count)) = opened.last_mut() {
            let closed = left.min(*count);
            left -= closed;
            *count -= closed;
            if *count == 0 {
                opened.pop();
            }
        }
    }
    left
}

/// Whether a run of marks begins something: it stands at the start of a word.
fn opens(mark: u8, run: usize, before: Option<char>, after: Option<char>) -> bool {
    let word_follows = after.is_some_and(|c| !c.is_whitespace());
    let inside_a_word = before.is_some_and(char::is_alphanumeric);
    word_follows
        && match mark {
            b'_' => !inside_a_word,
            b'~' => run <= 2,
            _ => true,
        }
}

/// Closes the last open bracket, and says whether there was one.
fn bracket(opened: &mut Vec<Opened>) -> bool {
    let place = opened.iter().rposition(|open| matches!(open, Opened::Bracket(_)));
    if let Some(place) = place {
        opened.remove(place);
    }
    place.is_some()
}

#[cfg(test)]
mod tests;
