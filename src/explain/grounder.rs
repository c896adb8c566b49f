//! From an answer to its words' maps and its phrases' places, one reading after another.

use std::ops::Range;

use engine::{Piece, ScoreRequest, Scores, tokens_at};
use grounding::regions::locate;
use grounding::{GroundingError, Phrase, Place, WordMap};
use values::config::Fill;

use super::occlusion::Curtain;
use super::sight::Sight;
use super::told::Told;

/// A reading that takes longer than this, in seconds, is not done ten times more for each answer:
/// the words have their maps then, and the phrases no places.
const PATIENCE: f64 = 6.0;
/// What the picture adds to the log-probability of a word or phrase that counts as seen in it, in
/// nats: it makes it twice as probable.
pub const LEAST_SUPPORT: f32 = std::f32::consts::LN_2;

/// The grounding of one answer. It computes nothing itself: [`Grounder::next`] is what the engine
/// is to read back, [`Grounder::take`] takes what came of it.
pub struct Grounder {
    told: Told,
    side: u32,
    /// Seconds that one reading may take for places to be looked for.
    patience: f64,
    stage: Stage,
    /// A map for each word of the answer, once the first reading is done.
    pub words: Vec<WordMap>,
    /// Its noun phrases; their places come with the last reading.
    pub phrases: Vec<Phrase>,
    /// Whether places are looked for; a slow model is not asked so often.
    pub sought: bool,
}

enum Stage {
    Words,
    Sight(Box<Sight>, Vec<Piece>),
    Over,
}

impl Grounder {
    /// The grounding of `told` by a model whose encoder is shown squares of `side` pixels.
    pub fn new(told: Told, side: u32) -> Self {
        Self {
            told,
            side,
            patience: PATIENCE,
            stage: Stage::Words,
            words: Vec::new(),
            phrases: Vec::new(),
            sought: true,
        }
    }

    /// The same, however long it takes: it was asked for.
    #[must_use]
    pub fn patient(self) -> Self {
        Self { patience: f64::INFINITY, ..self }
    }

    /// What is to be read back next; `None` at the end.
    pub fn next(&self) -> Option<ScoreRequest> {
        match &self.stage {
            Stage::Words => Some(self.told.as_given()),
            Stage::Sight(sight, _) => sight.picture().map(|square| self.told.about(square)),
            Stage::Over => None,
        }
    }

    /// Whether the words have their maps.
    pub fn has_words(&self) -> bool {
        !matches!(self.stage, Stage::Words)
    }

    /// Takes what came of the last reading.
    ///
    /// # Errors
    /// Logits that do not fit the answer.
    pub fn take(&mut self, scores: &Scores) -> Result<(), GroundingError> {
        match &mut self.stage {
            Stage::Words => self.read_words(scores)?,
            Stage::Sight(sight, pieces) => {
                sight.take(&scores.logits.logprobs);
                if sight.is_over() {
                    for word in &mut self.words {
                        word.seen = sight.smooth(&tokens_at(pieces, &word.bytes));
                    }
                    for phrase in &mut self.phrases {
                        let tokens = tokens_at(pieces, &phrase.bytes);
                        settle(phrase, sight, &tokens);
                    }
                    self.stage = Stage::Over;
                }
            }
            Stage::Over => {}
        }
        Ok(())
    }

    fn read_words(&mut self, scores: &Scores) -> Result<(), GroundingError> {
        let (square, shown) = self.told.input(self.side);
        let pieces: Vec<(u32, Range<usize>)> =
            scores.pieces.iter().map(|piece| (piece.id, piece.bytes.clone())).collect();
        let logits = self.told.own_picture(&scores.logits);
        let (words, phrases) = grounding::ground(&self.told.answer, &pieces, &logits, shown)?;
        (self.words, self.phrases) = (words, phrases);
        // Where a word's features lie and what makes the model say it may be two places: only what
        // was seen to bring the phrase about counts as its place.
        for phrase in &mut self.phrases {
            phrase.place = None;
        }
        self.sought = scores.took <= self.patience;
        if self.words.is_empty() || !self.sought {
            self.stage = Stage::Over;
            return Ok(());
        }
        let curtain = Curtain::new(square, shown, Fill::Blur);
        let sight = Sight::new(curtain, scores.logits.logprobs.clone());
        self.stage = Stage::Sight(Box::new(sight), scores.pieces.clone());
        Ok(())
    }
}

/// Gives a phrase the map of where it is seen, and its place if a part of the picture is enough to
/// say it.
fn settle(phrase: &mut Phrase, sight: &Sight, tokens: &Range<usize>) {
    let (Some(support), Some(map)) = (sight.support(tokens), sight.map(tokens)) else { return };
    if let Some(smooth) = sight.smooth(tokens) {
        phrase.map = smooth;
    }
    // The part of the phrase's probability that the window alone brings: 1 - p0 / p.
    let strength = 1.0 - (-support.window).exp();
    if support.window < LEAST_SUPPORT {
        phrase.place = None;
    } else if map.is_flat() {
        // Every part brings it about: it is all over what the encoder was shown.
        phrase.place = Some(Place { region: sight.shown(), strength });
    } else {
        let centres = locate(&map, strength);
        phrase.place = centres.map(|place| Place { region: sight.windows(place.region), ..place });
    }
}

#[cfg(test)]
mod tests {
    use engine::Question;
    use grounding::TokenLogits;
    use image::{Rgb, RgbImage};
    use values::frame::{Frame, Source};
    use values::picture::Look;
    use values::region::Region;

    use super::*;

    /// A lemon is yellow and lies at the lower right.
    fn picture() -> Look {
        let pixels = RgbImage::from_fn(64, 64, |x, y| {
            let inside = (48..60).contains(&x) && (48..60).contains(&y);
            if inside { Rgb([255, 255, 0]) } else { Rgb([0, 0, 90]) }
        });
        Look { frame: Frame::new(pixels, Source::Memory("lemon".into())), region: None }
    }

    fn told(answer: &str) -> Told {
        let picture = picture();
        Told {
            question: Question::new(std::slice::from_ref(&picture), "What is that?"),
            picture,
            answer: answer.to_owned(),
            sampled: Vec::new(),
        }
    }

    /// What an engine would say of "A lemon." that says it where it sees yellow.
    fn scores(wanted: &ScoreRequest) -> Scores {
        let shown = &wanted.question.turns[0].pictures[0].frame.pixels;
        let yellow = shown.pixels().filter(|pixel| pixel.0[0] > 200).count();
        let lemon = if yellow > 0 { -0.1 } else { -6.0 };
        // Four patches, a word of the question, "A", " lemon", ".".
        let tokens = vec![3, 3, 3, 3, 20, 30, 31, 32];
        let columns = vec![20, 30, 31, 32];
        let logits = (0..tokens.len() * columns.len()).map(|cell| (cell % 5) as f32).collect();
        let bytes = [0..1, 1..7, 7..8];
        let pieces = bytes.into_iter().zip([30, 31, 32]);
        Scores {
            logits: TokenLogits {
                tokens,
                image: std::iter::once(0..4).collect(),
                prompt: vec![4],
                answer: 5..8,
                columns,
                logits,
                logprobs: vec![-0.1, lemon, -0.1],
            },
            pieces: pieces.map(|(bytes, id)| Piece { id, bytes }).collect(),
            took: 0.1,
        }
    }

    #[test]
    fn a_phrase_is_placed_where_it_is_seen() {
        let mut grounder = Grounder::new(told("A lemon."), 64);
        assert!(!grounder.has_words());
        let mut readings = 0;
        while let Some(wanted) = grounder.next() {
            assert_eq!(wanted.answer, "A lemon.");
            grounder.take(&scores(&wanted)).unwrap();
            readings += 1;
            assert_eq!(grounder.words.len(), 2);
        }
        assert_eq!(readings, 1 + 1 + 9);
        assert_eq!(grounder.phrases.len(), 1);
        let place = grounder.phrases[0].place.unwrap();
        assert!(place.region.x() >= 0.5 && place.region.y() >= 0.5, "{place:?}");
        assert!(place.strength > 0.99);
        let seen = grounder.words[1].seen.as_ref().unwrap();
        assert!(seen.peak().0 > 0.5 && (seen.stats().max - 5.9).abs() < 1e-5);
    }

    #[test]
    fn what_every_part_brings_about_is_all_over() {
        let mut grounder = Grounder::new(told("A lemon."), 64);
        let mut reading = 0;
        while let Some(wanted) = grounder.next() {
            let mut scores = scores(&wanted);
            // The whole picture, then nothing, then windows.
            scores.logits.logprobs[1] = if reading == 1 { -6.0 } else { -0.1 };
            grounder.take(&scores).unwrap();
            reading += 1;
        }
        assert_eq!(grounder.phrases[0].place.unwrap().region, Region::WHOLE);
    }

    #[test]
    fn what_is_as_probable_about_nothing_has_no_place() {
        let mut grounder = Grounder::new(told("A lemon."), 64);
        while let Some(wanted) = grounder.next() {
            let mut scores = scores(&wanted);
            scores.logits.logprobs = vec![-0.1; 3];
            grounder.take(&scores).unwrap();
        }
        assert_eq!(grounder.phrases.len(), 1);
        assert_eq!(grounder.phrases[0].place, None);
    }

    #[test]
    fn a_slow_model_gives_the_words_their_maps_and_no_more() {
        let mut grounder = Grounder::new(told("A lemon."), 64);
        let wanted = grounder.next().unwrap();
        grounder.take(&Scores { took: PATIENCE + 1.0, ..scores(&wanted) }).unwrap();
        assert!(grounder.next().is_none() && grounder.has_words());
        assert_eq!((grounder.words.len(), grounder.phrases[0].place), (2, None));

        let mut grounder = Grounder::new(told("A lemon."), 64).patient();
        grounder.take(&Scores { took: PATIENCE + 1.0, ..scores(&wanted) }).unwrap();
        assert!(grounder.next().is_some());
    }

    #[test]
    fn readings_of_another_answer_are_refused() {
        let mut grounder = Grounder::new(told("No."), 64);
        let wanted = grounder.next().unwrap();
        assert!(grounder.take(&scores(&wanted)).is_err());
    }
}
