//! The noun phrases of an answer: English, short, and without a parser.
//!
//! Closed classes of words are known by list, open ones by shape and by what stands before and
//! after (as in chunkers of the kind of Abney, "Parsing by Chunks", 1991); what is left is a noun.
//! A phrase is a noun with the determiner, the numbers, the adjectives and the nouns before it. What
//! does not name a thing in the picture ("the picture", "something", "the left side", "no dog") is
//! left out.

mod lexicon;
mod roles;

use std::ops::Range;

use super::words::word_ranges;
use lexicon::Class;
use roles::Role;

/// A noun phrase; all ranges are in bytes of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The phrase, from its determiner to its head.
    pub bytes: Range<usize>,
    /// The noun that says what it is.
    pub head: Range<usize>,
    /// The adjectives and nouns that tell more of it, in order.
    pub modifiers: Vec<Range<usize>>,
}

/// What stands between a word and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// Spaces, Markdown marks or quotation marks.
    Joined,
    Comma,
    /// The end of a sentence or of a line, or the beginning of the text.
    Stop,
}

#[derive(Debug)]
struct Token {
    bytes: Range<usize>,
    /// In lower case, with straight apostrophes.
    word: String,
    class: Class,
    gap: Gap,
}

/// The noun phrases of `text`, in order. Markdown marks may stand anywhere.
pub fn chunks(text: &str) -> Vec<Chunk> {
    let tokens = tokens(text);
    let roles = roles::roles(&tokens);
    let (found, open) = (Vec::new(), Vec::new());
    let mut builder = Builder { tokens: &tokens, roles: &roles, found, open };
    for at in 0..tokens.len() {
        builder.take(at);
    }
    builder.close();
    things(&builder.found, &tokens, &roles)
}

fn tokens(text: &str) -> Vec<Token> {
    let mut end = 0;
    word_ranges(text)
        .into_iter()
        .enumerate()
        .map(|(at, bytes)| {
            let gap = if at == 0 { Gap::Stop } else { gap(&text[end..bytes.start]) };
            end = bytes.end;
            let word = text[bytes.clone()].to_lowercase().replace('’', "'");
            let class = lexicon::class(&word);
            Token { bytes, word, class, gap }
        })
        .collect()
}

fn gap(between: &str) -> Gap {
    let joins =
        |c: char| matches!(c, ' ' | '*' | '_' | '`' | '~' | '"' | '“' | '”' | '\'' | '‘' | '’');
    if between.chars().all(joins) {
        Gap::Joined
    } else if between.chars().all(|c| joins(c) || c == ',') {
        Gap::Comma
    } else {
        Gap::Stop
    }
}

/// Puts words together into phrases.
struct Builder<'a> {
    tokens: &'a [Token],
    roles: &'a [Role],
    /// Phrases from their first word to their head.
    found: Vec<Vec<usize>>,
    open: Vec<usize>,
}

impl Builder<'_> {
    fn take(&mut self, at: usize) {
        let role = self.roles[at];
        match self.tokens[at].gap {
            Gap::Joined => {}
            // "a big, red bus"
            Gap::Comma if role == Role::Modifier && self.tells() => {}
            _ => self.close(),
        }
        let complete = self.has(Role::Noun);
        let joined = self.tokens.get(at + 1).is_some_and(|next| next.gap == Gap::Joined);
        let next = self.roles.get(at + 1).filter(|_| joined);
        match role {
            Role::Determiner | Role::Number | Role::Modifier => {
                let late = role == Role::Determiner
                    && (self.has(Role::Modifier) || self.has(Role::Number));
                if complete || late {
                    self.close();
                }
                self.open.push(at);
            }
            Role::Noun => self.open.push(at),
            // "a very large dog", "brightly lit streets"
            Role::Adverb if !complete && matches!(next, Some(Role::Modifier | Role::Adverb)) => {
                self.open.push(at);
            }
            // "a black and white cat"
            Role::And if self.tells() && next == Some(&Role::Modifier) => self.open.push(at),
            _ => self.close(),
        }
    }

    fn has(&self, role: Role) -> bool {
        self.open.iter().any(|at| self.roles[*at] == role)
    }

    /// Whether the open phrase ends in a modifier, its noun yet to come.
    fn tells(&self) -> bool {
        let last = self.open.last().map(|last| self.roles[*last]);
        last == Some(Role::Modifier) && !self.has(Role::Noun)
    }

    /// Ends the open phrase. Without a noun it is none.
    fn close(&mut self) {
        let mut open = std::mem::take(&mut self.open);
        if let Some(head) = open.iter().rposition(|at| self.roles[*at] == Role::Noun) {
            open.truncate(head + 1);
            self.found.push(open);
        }
    }
}

/// The phrases that name a thing; "a pair of" and its kin are made one with what they count.
fn things(found: &[Vec<usize>], tokens: &[Token], roles: &[Role]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut start = None;
    for (which, phrase) in found.iter().enumerate() {
        let (Some(&first), Some(&head)) = (phrase.first(), phrase.last()) else { continue };
        let begin = start.take().unwrap_or(tokens[first].bytes.start);
        let next = found.get(which + 1).and_then(|next| next.first());
        let counts = next == Some(&(head + 2))
            && tokens[head + 1].word == "of"
            && tokens[head + 1..=head + 2].iter().all(|token| token.gap == Gap::Joined);
        if counts && lexicon::is_quantity(&tokens[head].word) {
            start = Some(begin);
            continue;
        }
        if lexicon::is_nameless(&tokens[head].word) || tokens[first].word == "no" {
            continue;
        }
        let tells =
            |at: &&usize| **at != head && matches!(roles[**at], Role::Modifier | Role::Noun);
        chunks.push(Chunk {
            bytes: begin..tokens[head].bytes.end,
            head: tokens[head].bytes.clone(),
            modifiers: phrase.iter().filter(tells).map(|at| tokens[*at].bytes.clone()).collect(),
        });
    }
    chunks
}

#[cfg(test)]
mod tests;
