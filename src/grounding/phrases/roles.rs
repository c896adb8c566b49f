//! What each word does in its sentence, told by its class and by the words around it.

use super::lexicon::{self, Class};
use super::{Gap, Token};

/// What a word does in its sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
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

/// What each word does.
pub fn roles(tokens: &[Token]) -> Vec<Role> {
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
            Class::Adjective | Class::Possessive => Role::Modifier,
            Class::Colour if self.bare_after_copula() && !self.noun_follows() => Role::Modifier,
            Class::Noun | Class::Colour => Role::Noun,
            Class::Base | Class::Third => self.verb_or_noun(token.class == Class::Third),
            Class::Verb => Role::Verb,
            Class::Gerund => self.gerund(),
            Class::Participle => self.participle(),
            Class::Adverb => Role::Adverb,
            Class::Preposition => Role::Preposition,
            Class::And => Role::And,
            Class::Auxiliary if token.word == "can" && self.is_tin() => Role::Noun,
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

    /// Whether "can" is a thing: "a metal can on a shelf".
    fn is_tin(&self) -> bool {
        let inside = [Role::Determiner, Role::Modifier, Role::Number, Role::Noun];
        let helps = [
            Class::Verb,
            Class::Base,
            Class::Copula,
            Class::Auxiliary,
            Class::Adverb,
            Class::Other,
        ];
        self.before().is_some_and(|role| inside.contains(&role))
            && !self.after().is_some_and(|next| helps.contains(&next.class))
    }

    fn number_follows(&self) -> bool {
        self.after().is_some_and(|next| next.class == Class::Number)
    }

    /// Words such as "play" and "plays": verb and subject agree in number.
    fn verb_or_noun(&self, third: bool) -> Role {
        let word = &self.tokens[self.at].word;
        let verb = match self.before() {
            Some(Role::Preposition) => !third && self.tokens[self.at - 1].word == "to",
            Some(Role::Noun) => third != self.subject_is_plural(),
            Some(Role::And) => self.at >= 2 && self.roles[self.at - 2] == Role::Verb,
            Some(Role::Break) => true,
            Some(_) => false,
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
        // "A black and white cat" is one.
        let inner = |at: &usize| {
            *at > 0
                && self.roles[*at] == Role::And
                && (self.roles[*at - 1], self.roles[*at + 1]) == (Role::Modifier, Role::Modifier)
        };
        let and = (0..head).rev().find(|at| !phrase(at) && !inner(at));
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
        let word = &self.tokens[self.at].word;
        if self.before() == Some(Role::Noun)
            && self.noun_follows()
            && lexicon::closes_compound(word)
        {
            // "a snow covered mountain"
            return Role::Noun;
        }
        if self.noun_follows() || self.before() == Some(Role::Determiner) {
            Role::Modifier
        } else {
            Role::Verb
        }
    }
}
