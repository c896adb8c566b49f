//! From an answer to its words' maps and its phrases' places, one reading after another.

use std::ops::Range;

use super::occlusion::Curtain;
use super::sight::Sight;
use super::told::Told;
use crate::config::Fill;
use crate::engine::{Piece, ScoreRequest, Scores};
use crate::grounding::regions::locate;
use crate::grounding::{self, GroundingError, Phrase, Place, WordMap};

/// A reading that takes longer than this, in seconds, is not done ten times more for each answer:
/// the words have their maps then, and the phrases no places.
const PATIENCE: f64 = 6.0;
/// A window must make a phrase this much more probable than nothing does, in nats.
const LEAST_SUPPORT: f32 = 0.7;

/// The grounding of one answer. It computes nothing itself: [`Grounder::next`] is what the engine
/// is to read back, [`Grounder::take`] takes what came of it.
pub struct Grounder {
    told: Told,
    side: u32,
    stage: Stage,
    /// A map for each word of the answer, once the first reading is done.
    pub words: Vec<WordMap>,
    /// Its noun phrases; their places come with the last reading.
    pub phrases: Vec<Phrase>,
}

enum Stage {
    Words,
    Sight(Box<Sight>, Vec<Range<usize>>),
    Over,
}

impl Grounder {
    /// The grounding of `told` by a model whose encoder is shown squares of `side` pixels.
    pub fn new(told: Told, side: u32) -> Self {
        Self { told, side, stage: Stage::Words, words: Vec::new(), phrases: Vec::new() }
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
            Stage::Sight(sight, tokens) => {
                sight.take(&scores.logits.logprobs);
                if sight.is_over() {
                    for (phrase, tokens) in self.phrases.iter_mut().zip(tokens) {
                        settle(phrase, sight, tokens);
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
        let (words, phrases) =
            grounding::ground(&self.told.answer, &pieces, &scores.logits, shown)?;
        (self.words, self.phrases) = (words, phrases);
        // Where a word's features lie and what makes the model say it may be two places: only what
        // was seen to bring the phrase about counts as its place.
        for phrase in &mut self.phrases {
            phrase.place = None;
        }
        if self.phrases.is_empty() || scores.took > PATIENCE {
            self.stage = Stage::Over;
            return Ok(());
        }
        let tokens = self.phrases.iter().map(|phrase| tokens_of(&scores.pieces, &phrase.bytes));
        let curtain = Curtain::new(square, shown, Fill::Blur);
        let sight = Sight::new(curtain, scores.logits.logprobs.clone());
        self.stage = Stage::Sight(Box::new(sight), tokens.collect());
        Ok(())
    }
}

/// The tokens that some of `bytes` belong to.
fn tokens_of(pieces: &[Piece], bytes: &Range<usize>) -> Range<usize> {
    let inside = |piece: &Piece| piece.bytes.start < bytes.end && piece.bytes.end > bytes.start;
    let start = pieces.iter().position(inside).unwrap_or(0);
    let end = pieces.iter().rposition(inside).map_or(start, |last| last + 1);
    start..end
}

/// Gives a phrase the map of where it is seen, and its place if a part of the picture is enough to
/// say it.
fn settle(phrase: &mut Phrase, sight: &Sight, tokens: &Range<usize>) {
    let (Some(support), Some(map)) = (sight.support(tokens), sight.map(tokens)) else { return };
    phrase.map = map;
    // The part of the phrase's probability that the window alone brings: 1 - p0 / p.
    let strength = 1.0 - (-support.window).exp();
    phrase.place =
        (support.window >= LEAST_SUPPORT).then(|| locate(&phrase.map, strength)).flatten();
}
