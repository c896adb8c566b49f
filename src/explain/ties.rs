//! The words and phrases of an answer, and where in the picture they are.

use std::ops::Range;

use grounding::phrases::{self, Chunk};
use grounding::{GroundingError, Piece, WordMap, tokens_at};
use values::heatmap::Heatmap;

use super::LEAST_SUPPORT;
use super::place::{Place, locate};
use super::sight::Sight;

/// The weight of a phrase's modifier where its head has 1: "red" is wherever something is red.
const MODIFIER: f32 = 0.5;

/// The maps of one answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Grounding {
    /// A map for each word of the answer.
    pub words: Vec<WordMap>,
    /// Its noun phrases.
    pub phrases: Vec<Phrase>,
    /// Whether their places are known; they take longer than the words' maps.
    pub settled: bool,
    /// Whether they were looked for.
    pub sought: bool,
}

/// A noun phrase of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Phrase {
    /// Where it stands, in bytes of the answer's text.
    pub bytes: Range<usize>,
    /// The phrase.
    pub text: String,
    /// Where it is seen alone, in nats; before that was tried, its words' features together (TAM).
    pub map: Heatmap,
    /// Where it is in the picture; `None` where no part of the picture brings it about.
    pub place: Option<Place>,
}

impl Grounding {
    /// The phrases of the answer `text` by its words' features, and no places yet: where a word's
    /// features lie and what makes the model say it may be two places.
    pub(super) fn new(text: &str, words: Vec<WordMap>) -> Result<Self, GroundingError> {
        let chunks = phrases::chunks(text);
        let phrases = chunks.iter().filter_map(|chunk| phrase(text, chunk, &words).transpose());
        let phrases = phrases.collect::<Result<_, _>>()?;
        Ok(Self { words, phrases, ..Self::default() })
    }

    /// Places the phrases where they are seen, once `sight` is over; `pieces` are the answer's
    /// tokens.
    pub(super) fn settle(&mut self, sight: &Sight, pieces: &[Piece]) {
        for word in &mut self.words {
            word.seen = sight.smooth(&tokens_at(pieces, &word.bytes));
        }
        for phrase in &mut self.phrases {
            phrase.settle(sight, &tokens_at(pieces, &phrase.bytes));
        }
        self.settled = true;
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
        let most = |word: &WordMap| word.seen.as_ref().map(|map| map.stats().max);
        let seen = self.words.iter().enumerate().filter_map(|(at, word)| Some((at, most(word)?)));
        seen.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(at, _)| at)
    }
}

impl Phrase {
    /// Gives it the map of where it is seen, and its place if a part of the picture is enough to
    /// say it.
    fn settle(&mut self, sight: &Sight, tokens: &Range<usize>) {
        let (Some(best), Some(map)) = (sight.best(tokens), sight.map(tokens)) else { return };
        if let Some(smooth) = sight.smooth(tokens) {
            self.map = smooth;
        }
        // The part of the phrase's probability that the window alone brings: 1 - p0 / p.
        let strength = 1.0 - (-best).exp();
        self.place = if best < LEAST_SUPPORT {
            None
        } else if map.is_flat() {
            // Every part brings it about: it is all over what the encoder was shown.
            Some(Place { region: sight.shown(), strength })
        } else {
            let centres = locate(&map, strength);
            centres.map(|place| Place { region: sight.windows(place.region), ..place })
        };
    }
}

/// A phrase with its words' maps taken together: the mean, in which each modifier counts half.
/// `None` where the head has no tokens.
fn phrase(text: &str, chunk: &Chunk, words: &[WordMap]) -> Result<Option<Phrase>, GroundingError> {
    let find = |bytes: &Range<usize>| words.iter().find(|word| word.bytes == *bytes);
    let Some(head) = find(&chunk.head) else { return Ok(None) };
    let modifiers = chunk.modifiers.iter().filter_map(find).map(|word| (&word.map, MODIFIER));
    let maps: Vec<(&Heatmap, f32)> = std::iter::once((&head.map, 1.0)).chain(modifiers).collect();
    let (bytes, text) = (chunk.bytes.clone(), text[chunk.bytes.clone()].to_owned());
    Ok(Some(Phrase { bytes, text, map: Heatmap::mean(&maps)?, place: None }))
}

#[cfg(test)]
mod tests {
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
        let found = Grounding::new(text, words).unwrap();
        // "The cat" has no tokens.
        assert_eq!(found.phrases.len(), 1);
        let dog = &found.phrases[0];
        assert_eq!((dog.text.as_str(), dog.place), ("A red dog", None));
        let values = dog.map.values();
        assert!((values[0] - 0.6).abs() < 1e-6 && (values[1] - 0.2).abs() < 1e-6, "{values:?}");
        assert!(!found.settled);
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
        assert_eq!(of(Vec::new()).word(0, None), None);
    }
}
