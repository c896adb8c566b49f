//! The noun phrases of an answer: English, short, and without a parser.
//!
//! Closed classes of words are known by list, open ones by shape and by what stands before and
//! after (as in chunkers of the kind of Abney, "Parsing by Chunks", 1991); what is left is a noun.
//! A phrase is [determiner] [number] [adjectives and nouns] noun. What does not name a thing in the
//! picture ("the picture", "something", "the left side", "no dog") is left out.

mod lexicon;

use std::ops::Range;

use super::words::word_ranges;
use lexicon::Class;

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

/// What a word does in its sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Determiner,
    Number,
    Modifier,
    Noun,
    Adverb,
    And,
    Verb,
    Preposition,
    Copula,
    /// Whatever else ends a phrase.
    Break,
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
    let roles = roles(&tokens);
    let mut builder = Builder { tokens: &tokens, found: Vec::new(), open: Vec::new() };
    for at in 0..tokens.len() {
        builder.take(at, &roles);
    }
    builder.close(&roles);
    join_quantities(builder.found, &tokens)
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

fn roles(tokens: &[Token]) -> Vec<Role> {
    let mut roles = Vec::with_capacity(tokens.len());
    for at in 0..tokens.len() {
        let role = Context { tokens, roles: &roles, at }.role();
        roles.push(role);
    }
    roles
}

/// A word, the roles of those before it, and the classes of those after.
struct Context<'a> {
    tokens: &'a [Token],
    roles: &'a [Role],
    at: usize,
}

impl Context<'_> {
    fn role(&self) -> Role {
        let token = &self.tokens[self.at];
        match token.class {
            Class::Determiner => self.determiner(),
            // "one of them", "the red one".
            Class::Number if token.word == "one" && !self.noun_follows() => Role::Break,
            Class::Number => Role::Number,
            Class::Adjective => Role::Modifier,
            Class::Colour if self.bare_after_copula() && !self.noun_follows() => Role::Modifier,
            Class::Noun | Class::Possessive | Class::Colour => Role::Noun,
            Class::Base | Class::Third => self.verb_or_noun(token.class == Class::Third),
            Class::Past => Role::Verb,
            Class::Gerund => self.gerund(),
            Class::Participle => self.participle(),
            Class::Adverb => Role::Adverb,
            Class::Preposition => Role::Preposition,
            Class::And => Role::And,
            Class::Copula => Role::Copula,
            Class::Auxiliary | Class::Other => Role::Break,
        }
    }

    /// The role of the word before, past adverbs; `None` where a sentence or clause begins.
    fn before(&self) -> Option<Role> {
        let mut at = self.at;
        while at > 0 && self.tokens[at].gap == Gap::Joined {
            at -= 1;
            if self.roles[at] != Role::Adverb {
                return Some(self.roles[at]);
            }
        }
        None
    }

    /// The class of the word after, where nothing parts it from this one.
    fn after(&self) -> Option<&Token> {
        self.tokens.get(self.at + 1).filter(|next| next.gap == Gap::Joined)
    }

    fn noun_follows(&self) -> bool {
        let open = [
            Class::Noun,
            Class::Possessive,
            Class::Adjective,
            Class::Colour,
            Class::Gerund,
            Class::Participle,
            Class::Base,
        ];
        self.after().is_some_and(|next| open.contains(&next.class))
    }

    fn bare_after_copula(&self) -> bool {
        match self.before() {
            Some(Role::Copula) => true,
            // "is orange and white"
            Some(Role::And) => self.at >= 2 && self.roles[self.at - 2] == Role::Modifier,
            _ => false,
        }
    }

    fn determiner(&self) -> Role {
        let token = &self.tokens[self.at];
        let pointing = matches!(token.word.as_str(), "this" | "that" | "these" | "those");
        // "a cup that holds water" has a pronoun; so has "this shows a dog".
        let relative = token.word == "that" && self.before() == Some(Role::Noun);
        let plural = self.after().is_some_and(|next| next.class == Class::Third)
            && matches!(token.word.as_str(), "these" | "those");
        if pointing && (relative || !(self.noun_follows() || plural || self.number_follows())) {
            return Role::Break;
        }
        Role::Determiner
    }

    fn number_follows(&self) -> bool {
        self.after().is_some_and(|next| next.class == Class::Number)
    }

    /// Words such as "play" and "plays": verb and subject agree in number.
    fn verb_or_noun(&self, third: bool) -> Role {
        let word = &self.tokens[self.at].word;
        let verb = match self.before() {
            Some(Role::Determiner | Role::Number | Role::Modifier) => false,
            Some(Role::Preposition) => !third && self.tokens[self.at - 1].word == "to",
            Some(Role::Noun) => third != self.subject_is_plural(),
            Some(Role::And) => self.at >= 2 && self.roles[self.at - 2] == Role::Verb,
            Some(Role::Copula | Role::Verb | Role::Adverb) => false,
            Some(Role::Break) => true,
            None => match self.after().map(|next| next.class) {
                Some(Class::Determiner | Class::Preposition | Class::Adverb) => word != "face",
                _ => false,
            },
        };
        if verb { Role::Verb } else { Role::Noun }
    }

    /// Whether the noun before is a plural, or the last of several.
    fn subject_is_plural(&self) -> bool {
        let mut nouns = (0..self.at).rev().skip_while(|at| self.roles[*at] == Role::Adverb);
        let Some(head) = nouns.next() else { return false };
        let phrase = |at: &usize| {
            matches!(
                self.roles[*at],
                Role::Noun | Role::Modifier | Role::Number | Role::Determiner | Role::Adverb
            )
        };
        let and = (0..head).rev().find(|at| !phrase(at));
        lexicon::is_plural(&self.tokens[head].word)
            || and.is_some_and(|at| self.roles[at] == Role::And)
    }

    fn gerund(&self) -> Role {
        let word = &self.tokens[self.at].word;
        if self.after().is_some_and(|next| lexicon::is_compound(word, &next.word)) {
            return Role::Modifier;
        }
        match self.before() {
            Some(Role::Determiner | Role::Modifier | Role::Number) if self.noun_follows() => {
                Role::Modifier
            }
            Some(Role::Determiner) => Role::Noun,
            // "Sleeping cat on a bed."
            None if self.tokens[self.at].gap == Gap::Stop && self.noun_follows() => Role::Modifier,
            _ => Role::Verb,
        }
    }

    fn participle(&self) -> Role {
        let inside = matches!(
            self.before(),
            Some(Role::Determiner | Role::Modifier | Role::Number | Role::Preposition | Role::And)
        );
        if self.noun_follows() || (inside && self.before() == Some(Role::Determiner)) {
            Role::Modifier
        } else {
            Role::Verb
        }
    }
}

/// Puts words together into phrases.
struct Builder<'a> {
    tokens: &'a [Token],
    found: Vec<Vec<(usize, Role)>>,
    open: Vec<usize>,
}

impl Builder<'_> {
    fn take(&mut self, at: usize, roles: &[Role]) {
        let role = roles[at];
        let has = |open: &[usize], role: Role| open.iter().any(|at| roles[*at] == role);
        let next = |role: Role| roles.get(at + 1) == Some(&role);
        let complete = has(&self.open, Role::Noun);
        let listed = self.open.last().is_some_and(|last| roles[*last] == Role::Modifier)
            && role == Role::Modifier
            && !complete;
        match self.tokens[at].gap {
            Gap::Joined => {}
            // "a big, red bus"
            Gap::Comma if listed => {}
            _ => self.close(roles),
        }
        let complete = has(&self.open, Role::Noun);
        let joined = self.tokens.get(at + 1).is_some_and(|next| next.gap == Gap::Joined);
        match role {
            Role::Determiner | Role::Number | Role::Modifier => {
                let late = role == Role::Determiner
                    && (has(&self.open, Role::Modifier) || has(&self.open, Role::Number));
                if complete || late {
                    self.close(roles);
                }
                self.open.push(at);
            }
            Role::Noun => self.open.push(at),
            // "a very large dog", "a black and white cat"
            Role::Adverb if !self.open.is_empty() && !complete && joined => self.open.push(at),
            Role::And if listed_before(&self.open, roles) && !complete && joined => {
                if next(Role::Modifier) {
                    self.open.push(at);
                } else {
                    self.close(roles);
                }
            }
            _ => self.close(roles),
        }
    }

    fn close(&mut self, roles: &[Role]) {
        let open = std::mem::take(&mut self.open);
        let Some(head) = open.iter().rposition(|at| roles[*at] == Role::Noun) else { return };
        self.found.push(open[..=head].iter().map(|at| (*at, roles[*at])).collect());
    }
}

fn listed_before(open: &[usize], roles: &[Role]) -> bool {
    open.last().is_some_and(|last| roles[*last] == Role::Modifier)
}

/// The phrases that name a thing; "a pair of" and its kin are made one with what they count.
fn join_quantities(found: Vec<Vec<(usize, Role)>>, tokens: &[Token]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut start = None;
    let mut phrases = found.into_iter().peekable();
    while let Some(phrase) = phrases.next() {
        let (Some((first, _)), Some((head, _))) = (phrase.first(), phrase.last()) else { continue };
        let word = &tokens[*head].word;
        let counted = phrases.peek().and_then(|next| next.first()).is_some_and(|(next, _)| {
            *next == head + 2
                && tokens[head + 1].word == "of"
                && tokens[head + 1].gap == Gap::Joined
                && tokens[*next].gap == Gap::Joined
        });
        let begin = start.take().unwrap_or(tokens[*first].bytes.start);
        if counted && lexicon::is_quantity(word) {
            start = Some(begin);
            continue;
        }
        if lexicon::is_nameless(word) || tokens[*first].word == "no" {
            continue;
        }
        let tells = |(_, role): &&(usize, Role)| matches!(role, Role::Modifier | Role::Noun);
        let modifiers = phrase[..phrase.len() - 1].iter().filter(tells);
        chunks.push(Chunk {
            bytes: begin..tokens[*head].bytes.end,
            head: tokens[*head].bytes.clone(),
            modifiers: modifiers.map(|(at, _)| tokens[*at].bytes.clone()).collect(),
        });
    }
    chunks
}

#[cfg(test)]
mod tests;
