//! Which labels a word of an answer names: by name, by kind, by the noun that a name ends in, or by
//! another word for one of these.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use values::text::{singular, words};

/// Words and labels, as `vocabulary.json` has them.
#[derive(Deserialize)]
struct Vocabulary {
    /// A name or kind, and other words for it.
    same: BTreeMap<String, Vec<String>>,
    /// Names that are not what their last word says: a custard apple is no apple.
    unlike: Vec<String>,
    /// What can be found to be absent, by class.
    classes: BTreeMap<Class, Members>,
    /// Words that also mean something else: nothing follows from them.
    ambiguous: Vec<String>,
}

/// The names and kinds of a class.
#[derive(Deserialize)]
struct Members {
    words: Vec<String>,
    /// Those that are easily taken for one another: where one is seen, another may be meant.
    families: Vec<Vec<String>>,
}

/// What a label encoder tells to be absent; of things among things it cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A living animal.
    Animal,
    /// What people travel in.
    Vehicle,
    /// A person.
    Person,
}

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let read: Vocabulary = serde_json::from_str(include_str!("vocabulary.json"))
        .unwrap_or_else(|error| unreachable!("vocabulary.json is compiled in: {error}"));
    let all = |words: Vec<String>| words.iter().map(|word| plain(word)).collect();
    let members = |members: Members| Members {
        words: all(members.words),
        families: members.families.into_iter().map(all).collect(),
    };
    Vocabulary {
        same: read.same.into_iter().map(|(of, same)| (plain(&of), all(same))).collect(),
        unlike: all(read.unlike),
        classes: read.classes.into_iter().map(|(class, of)| (class, members(of))).collect(),
        ambiguous: all(read.ambiguous),
    }
});

/// A label as it is looked up.
#[derive(Debug, Clone)]
pub struct Key {
    name: String,
    kind: Option<String>,
    /// Whether its last word says what it is.
    open: bool,
}

impl Key {
    /// The label called `name`, of this kind. What stands in brackets tells it from a namesake.
    pub fn new(name: &str, kind: Option<&str>) -> Self {
        let full = plain(name);
        let name = plain(name.split(" (").next().unwrap_or(name));
        let open = !VOCABULARY.unlike.contains(&full);
        Self { name, kind: kind.map(plain), open }
    }

    /// Whether `word`, which is plain, names it.
    fn is_called(&self, word: &str) -> bool {
        let ends = self.name.strip_suffix(word).is_some_and(|before| before.ends_with(' '));
        self.name == word || self.kind.as_deref() == Some(word) || (self.open && ends)
    }
}

/// The labels of a set as words are looked up among them, by their numbers in the set.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    keys: Vec<Key>,
    /// The classes, found once: an answer has many nouns.
    classes: Vec<Found>,
}

/// The labels of a class.
#[derive(Debug, Clone)]
struct Found {
    class: Class,
    all: BTreeSet<usize>,
    families: Vec<BTreeSet<usize>>,
}

impl Lookup {
    /// Of these labels, in this order.
    pub fn new(keys: Vec<Key>) -> Self {
        let lookup = Self { keys, classes: Vec::new() };
        let of = |words: &Vec<String>| -> BTreeSet<usize> {
            words.iter().flat_map(|word| lookup.named(word)).collect()
        };
        let classes = VOCABULARY.classes.iter().map(|(class, members)| {
            let families: Vec<_> = members.families.iter().map(of).collect();
            let all = of(&members.words).into_iter().chain(families.iter().flatten().copied());
            Found { class: *class, all: all.collect(), families }
        });
        let classes = classes.collect();
        Self { classes, ..lookup }
    }

    /// The numbers of those that `word` names, one noun of one or several words.
    pub fn called(&self, word: &str) -> Vec<usize> {
        self.named(meant(&plain(word))).collect()
    }

    /// Those that a plain word names.
    fn named<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let is = move |(number, key): (usize, &Key)| key.is_called(word).then_some(number);
        self.keys.iter().enumerate().filter_map(is)
    }

    /// The numbers of those that may be meant where `word` is said, and the class of them all; `None`
    /// of a word whose absence nothing is to be concluded from.
    pub fn may_be(&self, word: &str) -> Option<(Class, Vec<usize>)> {
        let own = self.called(word);
        if own.is_empty() || VOCABULARY.ambiguous.contains(&plain(word)) {
            return None;
        }
        let within = |found: &&Found| own.iter().all(|number| found.all.contains(number));
        let Found { class, families, .. } = self.classes.iter().find(within)?;
        let is_own = |family: &&BTreeSet<usize>| own.iter().any(|number| family.contains(number));
        let kinds = own.iter().filter_map(|number| self.keys[*number].kind.as_deref());
        let kinds: BTreeSet<&str> = kinds.collect();
        let mut all: BTreeSet<usize> = own.iter().copied().collect();
        all.extend(families.iter().filter(is_own).flatten());
        all.extend(kinds.into_iter().flat_map(|kind| self.named(kind)));
        Some((*class, all.into_iter().collect()))
    }
}

/// The name or kind that a plain word is another word for; itself where it is none.
fn meant(word: &str) -> &str {
    let mut same = VOCABULARY.same.iter();
    same.find(|(_, words)| words.iter().any(|one| one == word)).map_or(word, |(of, _)| of)
}

/// A noun in lower case and singular, without what stands between its words.
fn plain(noun: &str) -> String {
    let noun = noun.to_lowercase().replace(|c: char| !c.is_alphanumeric(), " ");
    let noun = words(&noun);
    match noun.rsplit_once(' ') {
        Some((before, last)) => format!("{before} {}", singular(last)),
        None => singular(&noun),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [(&str, Option<&str>); 14] = [
        ("tabby cat", Some("cat")),
        ("lynx", Some("cat")),
        ("Madagascar cat", Some("lemur")),
        ("custard apple", Some("fruit")),
        ("Granny Smith apple", Some("fruit")),
        ("apple", Some("fruit")),
        ("fire engine", Some("truck")),
        ("computer mouse", None),
        ("person", None),
        ("dog (English springer)", None),
        ("timber wolf", Some("wolf")),
        ("shoes", None),
        ("crane", Some("bird")),
        ("beagle", Some("dog")),
    ];

    fn lookup() -> Lookup {
        Lookup::new(LABELS.iter().map(|(name, kind)| Key::new(name, *kind)).collect())
    }

    fn names(word: &str) -> Vec<&'static str> {
        lookup().called(word).into_iter().map(|number| LABELS[number].0).collect()
    }

    #[test]
    fn a_word_names_labels_by_name_kind_head_or_another_word() {
        assert_eq!(names("Cats"), ["tabby cat", "lynx"]);
        assert_eq!(names("kittens"), ["tabby cat", "lynx"]);
        assert_eq!(names("Tabby  cat"), ["tabby cat"]);
        assert_eq!(names("apples"), ["Granny Smith apple", "apple"]);
        assert_eq!(names("custard apple"), ["custard apple"]);
        assert_eq!(names("fruit").len(), 3);
        assert_eq!(names("fire truck"), ["fire engine"]);
        assert_eq!(names("women"), ["person"]);
        assert_eq!(names("dog"), ["dog (English springer)", "beagle"]);
        assert_eq!(names("shoe"), ["shoes"]);
        assert_eq!(names("gravel"), Vec::<&str>::new());
        assert_eq!(names(""), Vec::<&str>::new());
    }

    #[test]
    fn what_is_easily_taken_for_it_may_be_meant() {
        let all = |word: &str| {
            let (class, numbers) = lookup().may_be(word)?;
            Some((class, numbers.into_iter().map(|number| LABELS[number].0).collect::<Vec<_>>()))
        };
        let dogs = vec!["dog (English springer)", "timber wolf", "beagle"];
        assert_eq!(all("beagle"), Some((Class::Animal, dogs)));
        assert_eq!(all("man"), Some((Class::Person, vec!["person"])));
        assert_eq!(all("truck"), Some((Class::Vehicle, vec!["fire engine"])));
        // A crane also lifts; a mouse of a computer is no animal; of fruit nothing follows.
        assert_eq!(
            (all("cranes"), all("mouse"), all("fruit"), all("gravel")),
            (None, None, None, None)
        );
    }
}
