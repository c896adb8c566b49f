//! The words and phrases of an answer, and where in the picture they are.

use std::ops::Range;

use evidence::{LabelMap, LabelMaps};
use grounding::phrases::{self, Chunk};
use grounding::{GroundingError, Piece, WordMap, tokens_at};
use values::heatmap::Heatmap;
use values::job::Progress;

use super::LEAST_SUPPORT;
use super::place::{Place, locate, things};
use super::sight::Sight;

/// The weight of a phrase's modifier where its head has 1: "red" is wherever something is red.
const MODIFIER: f32 = 0.5;

/// The chance at its surest place from which a label counts as seen: it ties what names it, and bears it
/// out. Of 120 things in composites 83 % reach it, and all of 120 that are alone in a picture; of animals
/// that are not there 2 %, of vehicles 5 % (25 and 10 names in each of 120 pictures).
pub(super) const LEAST_CHANCE: f32 = 0.1;

/// The maps of one answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Grounding {
    /// A map for each word of the answer; none before the answer was read back.
    pub words: Vec<WordMap>,
    /// Its noun phrases.
    pub phrases: Vec<Phrase>,
    /// How it stands with reading the answer back for the places of those that no label ties.
    pub search: Search,
}

/// How it stands with reading an answer back for the places of its phrases.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Search {
    /// It was not read, and a phrase has no place yet.
    Open,
    /// It was not read, and every phrase is tied.
    #[default]
    Needless,
    /// It is being read.
    UnderWay(Progress),
    /// It was read.
    Over,
    /// Reading takes too long: the words have their maps, the phrases no places.
    Slow,
    /// It came to nothing, for this reason.
    Failed(String),
}

impl Search {
    /// Whether it is being read.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        matches!(self, Self::UnderWay(_))
    }

    /// Whether the answer was not read yet.
    #[must_use]
    pub fn is_to_come(&self) -> bool {
        matches!(self, Self::Open | Self::Needless)
    }
}

/// A noun phrase of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Phrase {
    /// Where it stands, in bytes of the answer's text.
    pub bytes: Range<usize>,
    /// The phrase.
    pub text: String,
    /// The map of the label that ties it; else where it is seen alone, in nats; before that was
    /// tried, its words' features together (TAM). `None` before the answer was read.
    pub map: Option<Heatmap>,
    /// Where it is in the picture, the surest place first; none where no part of the picture brings
    /// it about.
    pub places: Vec<Place>,
    /// What tied it.
    pub tie: Tie,
}

/// What ties a phrase to its places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tie {
    /// Where the label encoder sees this label.
    Label(String),
    /// Where a part of the picture, seen alone, makes the model say it.
    Alone,
}

impl Tie {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Label(_) => "label encoder",
            Self::Alone => "seen alone",
        }
    }
}

impl Grounding {
    /// The phrases of the answer `text` that name a label which `maps` see, tied by its map: without
    /// a reading, at once.
    #[must_use]
    pub fn at_once(text: &str, maps: &LabelMaps) -> Self {
        let tied = |chunk: &Chunk| labelled(text, chunk, maps).unwrap_or(untied(text, chunk));
        let phrases: Vec<Phrase> = phrases::chunks(text).iter().map(tied).collect();
        let open = phrases.iter().any(|phrase| phrase.places.is_empty());
        let search = if open { Search::Open } else { Search::Needless };
        Self { phrases, search, ..Self::default() }
    }

    /// The phrases of the answer `text`: those that name a label of `labels` tied by its map, the
    /// others by their words' features, and no places yet: where a word's features lie and what makes
    /// the model say it may be two places.
    pub(super) fn new(
        text: &str,
        words: Vec<WordMap>,
        labels: Option<&LabelMaps>,
    ) -> Result<Self, GroundingError> {
        let chunks = phrases::chunks(text);
        let phrases = chunks.iter().map(|chunk| {
            let tied = labels.and_then(|maps| labelled(text, chunk, maps));
            tied.map_or_else(|| phrase(text, chunk, &words), Ok)
        });
        let phrases = phrases.collect::<Result<_, _>>()?;
        Ok(Self { words, phrases, ..Self::default() })
    }

    /// The same, while it is read, with the places that were known before.
    #[must_use]
    pub fn keeping(mut self, before: &Self) -> Self {
        let known = self.search.is_under_way() && self.phrases.len() == before.phrases.len();
        for (phrase, old) in self.phrases.iter_mut().zip(&before.phrases).filter(|_| known) {
            if phrase.places.is_empty() && !old.places.is_empty() {
                *phrase = old.clone();
            }
        }
        self
    }

    /// Places the phrases where they are seen, once `sight` is over; `pieces` are the answer's
    /// tokens.
    pub(super) fn settle(&mut self, sight: &Sight, pieces: &[Piece]) {
        for word in &mut self.words {
            word.seen = sight.smooth(&tokens_at(pieces, &word.bytes));
        }
        for phrase in self.phrases.iter_mut().filter(|phrase| phrase.tie == Tie::Alone) {
            phrase.settle(sight, &tokens_at(pieces, &phrase.bytes));
        }
        self.search = Search::Over;
    }

    /// The word of the answer of `card` to be shown: the one that was `chosen`, by card and number.
    /// Before that the one that some part of the picture brings about most, else the first.
    /// `None` where there is no word.
    #[must_use]
    pub fn word(&self, card: usize, chosen: Option<(usize, usize)>) -> Option<usize> {
        let last = self.words.len().checked_sub(1)?;
        let chosen = chosen.filter(|(of, _)| *of == card).map(|(_, word)| word.min(last));
        Some(chosen.unwrap_or_else(|| self.likeliest()))
    }

    fn likeliest(&self) -> usize {
        // A word that every part brings about ("An") is seen nowhere.
        let most = |word: &WordMap| word.seen.as_ref().map(|map| (!map.is_flat(), map.stats().max));
        let seen = self.words.iter().enumerate().filter_map(|(at, word)| Some((at, most(word)?)));
        let order = |a: (bool, f32), b: (bool, f32)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1));
        seen.max_by(|a, b| order(a.1, b.1)).map_or(0, |(at, _)| at)
    }
}

impl Phrase {
    /// Gives it the map of where it is seen, and its place if a part of the picture is enough to
    /// say it.
    fn settle(&mut self, sight: &Sight, tokens: &Range<usize>) {
        let (Some(best), Some(map)) = (sight.best(tokens), sight.map(tokens)) else { return };
        if let Some(smooth) = sight.smooth(tokens) {
            self.map = Some(smooth);
        }
        // The part of the phrase's probability that the window alone brings: 1 - p0 / p.
        let strength = 1.0 - (-best).exp();
        let place = if best < LEAST_SUPPORT {
            None
        } else if map.is_flat() {
            // Every part brings it about: it is all over what the encoder was shown.
            Some(Place { region: sight.shown(), strength })
        } else {
            let centres = locate(&map, strength);
            centres.map(|place| Place { region: sight.windows(place.region), ..place })
        };
        self.places = place.into_iter().collect();
    }
}

/// The nouns that a phrase may be looked up by, the most telling first: its head with what stands
/// before it, then without, word by word.
pub(super) fn nouns<'a>(text: &'a str, chunk: &Chunk) -> impl Iterator<Item = &'a str> {
    let starts = chunk.modifiers.iter().chain([&chunk.head]).map(|word| word.start);
    let end = chunk.head.end;
    starts.collect::<Vec<_>>().into_iter().map(move |start| &text[start..end])
}

/// A phrase that names a label, tied by its map, where the label is seen at any place.
fn labelled(text: &str, chunk: &Chunk, maps: &LabelMaps) -> Option<Phrase> {
    let LabelMap { label, map, chance } = nouns(text, chunk).find_map(|noun| maps.find(noun))?;
    let place = |region| Place { region, strength: chance };
    (chance >= LEAST_CHANCE).then(|| Phrase {
        bytes: chunk.bytes.clone(),
        text: text[chunk.bytes.clone()].to_owned(),
        places: things(&map).into_iter().map(place).collect(),
        map: Some(map),
        tie: Tie::Label(label.name),
    })
}

/// A phrase of which nothing is known yet.
fn untied(text: &str, chunk: &Chunk) -> Phrase {
    let text = text[chunk.bytes.clone()].to_owned();
    Phrase { bytes: chunk.bytes.clone(), text, map: None, places: Vec::new(), tie: Tie::Alone }
}

/// A phrase with its words' maps taken together: the mean, in which each modifier counts half.
/// None where the head has no tokens.
fn phrase(text: &str, chunk: &Chunk, words: &[WordMap]) -> Result<Phrase, GroundingError> {
    let find = |bytes: &Range<usize>| words.iter().find(|word| word.bytes == *bytes);
    let untied = untied(text, chunk);
    let Some(head) = find(&chunk.head) else { return Ok(untied) };
    let modifiers = chunk.modifiers.iter().filter_map(find).map(|word| (&word.map, MODIFIER));
    let maps: Vec<(&Heatmap, f32)> = std::iter::once((&head.map, 1.0)).chain(modifiers).collect();
    Ok(Phrase { map: Some(Heatmap::mean(&maps)?), ..untied })
}

#[cfg(test)]
mod tests {
    use values::region::Region;

    use super::*;

    #[test]
    fn a_phrase_has_its_words_maps_together_and_no_place_yet() {
        let text = "A red dog and the cat.";
        let word = |word: &str, values: [f32; 4]| {
            let start = text.find(word).unwrap();
            let map = Heatmap::new(2, 2, values.to_vec()).unwrap();
            let (bytes, raw) = (start..start + word.len(), map.clone());
            WordMap { bytes, text: word.to_owned(), map, raw, seen: None }
        };
        let words = vec![word("red", [0.0, 0.6, 0.0, 0.0]), word("dog", [0.9, 0.0, 0.0, 0.0])];
        let found = Grounding::new(text, words, None).unwrap();
        // "The cat" has no tokens.
        assert_eq!((found.phrases.len(), &found.phrases[1].map), (2, &None));
        let dog = &found.phrases[0];
        assert_eq!((dog.text.as_str(), dog.places.len()), ("A red dog", 0));
        let values = dog.map.as_ref().unwrap().values();
        assert!((values[0] - 0.6).abs() < 1e-6 && (values[1] - 0.2).abs() < 1e-6, "{values:?}");
        assert_eq!(dog.tie, Tie::Alone);

        // A label that is seen ties what names it, in several places; one that is not does not.
        let names = [("beagle", Some("dog")), ("tabby cat", Some("cat"))];
        let values = [9.0, -9.0, -9.0, 9.0, 0.0, 0.0, 0.0, 0.0, 3.0, 4.0, 4.0, 3.0];
        let maps = LabelMaps::of_names(&names, &values, (2, 2), Region::WHOLE).unwrap();
        let words = found.words;
        let read = Grounding::new(text, words.clone(), Some(&maps)).unwrap();
        for found in [Grounding::at_once(text, &maps), read] {
            let dog = &found.phrases[0];
            assert_eq!((&dog.tie, dog.places.len()), (&Tie::Label("beagle".into()), 2));
            assert_eq!(dog.map.as_ref().unwrap().values(), &values[..4]);
            assert!(dog.places[0].strength > 0.9);
        }
        let open = Grounding::at_once(text, &maps);
        assert_eq!((open.phrases[1].places.len(), &open.search), (0, &Search::Open));
        assert_eq!(Grounding::at_once("A dog.", &maps).search, Search::Needless);
        // While it is read again without labels, what they tied stays to be seen.
        let search = Search::UnderWay(Progress::new(3, 11));
        let again = Grounding { search, ..Grounding::new(text, words, None).unwrap() };
        assert!(again.phrases[0].places.is_empty());
        assert_eq!(again.clone().keeping(&open).phrases[0], open.phrases[0]);
        let over = Grounding { search: Search::Over, ..again };
        assert!(over.keeping(&open).phrases[0].places.is_empty());
    }

    #[test]
    fn the_word_to_be_shown_is_the_one_that_is_seen_most() {
        let map = |most: f32| Heatmap::new(1, 2, vec![0.0, most]).unwrap();
        let word = |seen: Option<f32>| WordMap {
            bytes: 0..1,
            text: "a".into(),
            map: map(1.0),
            raw: map(1.0),
            seen: seen.map(map),
        };
        let of = |words: Vec<WordMap>| Grounding { words, ..Grounding::default() };
        let unseen = of(vec![word(None), word(None)]);
        assert_eq!((unseen.word(0, None), unseen.word(0, Some((0, 9)))), (Some(0), Some(1)));
        let seen = of(vec![word(Some(0.1)), word(Some(2.0)), word(Some(1.0))]);
        assert_eq!((seen.word(0, None), seen.word(0, Some((1, 0)))), (Some(1), Some(1)));
        let all_over = Heatmap::new(1, 2, vec![9.0, 9.1]).unwrap();
        let an = WordMap { seen: Some(all_over), ..word(None) };
        assert_eq!(of(vec![an, word(Some(2.0))]).word(0, None), Some(1));
        assert_eq!(of(Vec::new()).word(0, None), None);
    }
}
