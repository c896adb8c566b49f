//! An answer read back, one reading after another, to find what in the picture it stands on.

use std::sync::Arc;

use engine::{ScoreRequest, Scores};
use evidence::{EvidenceError, LabelMaps, Witness};
use grounding::{GroundingError, Piece, tokens_at};
use image::RgbImage;
use values::config::Fill;
use values::heatmap::Heatmap;
use values::job::Progress;
use values::picture::ImageInput;
use values::region::Region;

use super::check::Check;
use super::occlusion::Curtain;
use super::sight::Sight;
use super::ties::{Grounding, Search};
use super::told::{Left, Told};
use super::{Causal, ForcedWord};

/// A reading that takes longer than this, in seconds, is not done ten times more for each answer:
/// the words have their maps then, and the phrases no places.
const PATIENCE: f64 = 6.0;

/// What is to be found out.
#[derive(Debug, Clone, PartialEq)]
pub enum Aim {
    /// Where the words and phrases of the answer are. What names a label of these maps is tied by
    /// that; everything else, and all of it without them, by where it is seen alone.
    Ground(Option<Arc<LabelMaps>>),
    /// Where this word is, put in the answer's place, and whether it is there at all; with
    /// `windows` also where it is seen alone.
    Word {
        /// The word.
        word: String,
        /// Whether it is looked for in each window.
        windows: bool,
    },
    /// Which parts of the picture move the answer, hidden one after the other.
    Hide(Fill),
}

/// What was found out.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// [`Aim::Ground`]: the words after the first reading, the places with the last.
    Grounding(Grounding),
    /// [`Aim::Word`], after the last reading.
    Word(ForcedWord),
    /// [`Aim::Hide`], as far as it has come.
    Causal(Causal),
}

impl Finding {
    /// [`Finding::Grounding`].
    #[must_use]
    pub fn grounding(self) -> Option<Grounding> {
        if let Self::Grounding(found) = self { Some(found) } else { None }
    }

    /// [`Finding::Word`].
    #[must_use]
    pub fn word(self) -> Option<ForcedWord> {
        if let Self::Word(found) = self { Some(found) } else { None }
    }

    /// [`Finding::Causal`].
    #[must_use]
    pub fn causal(self) -> Option<Causal> {
        if let Self::Causal(found) = self { Some(found) } else { None }
    }
}

/// What is found out about one answer. It reads nothing itself: [`Readback::next`] is what the
/// engine is to read back, [`Readback::take`] takes what came of it.
pub struct Readback {
    told: Told,
    /// Who says what is to be seen of what is left of the picture.
    witness: Witness,
    grid: (usize, usize),
    /// What the encoder was shown, and the part of the frame that it covers.
    input: (RgbImage, Region),
    /// Seconds that one reading may take for places to be looked for.
    patience: f64,
    stage: Stage,
    /// The answer's tokens, once it was read.
    pieces: Vec<Piece>,
    found: Found,
    /// How often the answer was read back.
    pub readings: usize,
    /// The seconds that these took.
    pub seconds: f64,
}

enum Stage {
    /// The answer is read as it was given.
    Given,
    /// It is read about nothing, and about one window after the other.
    Sight(Box<Sight>),
    /// It is read with parts of the picture hidden.
    Check(Box<Check>),
    Over,
}

enum Found {
    Nothing(Aim),
    Grounding(Grounding),
    Word(ForcedWord),
}

impl Readback {
    /// What `aim` says about `told`, by a model that is shown pictures as `input` has it and told
    /// what `witness` sees of them.
    #[must_use]
    pub fn new(told: Told, input: &ImageInput, aim: Aim, witness: &Witness) -> Self {
        let told = match &aim {
            Aim::Word { word, .. } => told.with_word(word),
            Aim::Ground(_) | Aim::Hide(_) => told,
        };
        let (pixels, shown) = input.prepare(&told.picture);
        let stage = match aim {
            Aim::Hide(fill) => {
                let curtain = Curtain::new(pixels.clone(), shown, fill);
                Stage::Check(Box::new(Check::new(curtain)))
            }
            Aim::Ground(_) | Aim::Word { .. } => Stage::Given,
        };
        Self {
            told,
            witness: witness.clone(),
            grid: input.grid().unwrap_or_default(),
            input: (pixels, shown),
            patience: PATIENCE,
            stage,
            pieces: Vec::new(),
            found: Found::Nothing(aim),
            readings: 0,
            seconds: 0.0,
        }
    }

    /// The same, however long it takes: it was asked for.
    #[must_use]
    pub fn patient(self) -> Self {
        Self { patience: f64::INFINITY, ..self }
    }

    /// What is to be read back next; `None` at the end.
    ///
    /// # Errors
    /// Specialists that fail.
    pub fn next(&self) -> Result<Option<ScoreRequest>, EvidenceError> {
        let (pixels, left) = match &self.stage {
            Stage::Given => return Ok(Some(self.told.as_given())),
            Stage::Sight(sight) => (sight.picture(), sight.left()),
            Stage::Check(check) => (check.picture(), Left::Rest),
            Stage::Over => (None, Left::Nothing),
        };
        pixels.map(|pixels| self.told.about(pixels, left, &self.witness)).transpose()
    }

    /// Takes what came of the last reading.
    ///
    /// # Errors
    /// Logits that do not fit the answer.
    pub fn take(&mut self, scores: &Scores) -> Result<(), GroundingError> {
        self.readings += 1;
        self.seconds += scores.took;
        match &mut self.stage {
            Stage::Given => self.take_given(scores)?,
            Stage::Sight(sight) => {
                sight.take(&scores.logits.logprobs);
                if let Found::Grounding(found) = &mut self.found {
                    found.search = Search::UnderWay(progress(self.readings, sight));
                }
                if sight.is_over() {
                    self.end();
                }
            }
            Stage::Check(check) => check.take(scores.logits.logprobs.iter().sum()),
            Stage::Over => {}
        }
        Ok(())
    }

    fn take_given(&mut self, scores: &Scores) -> Result<(), GroundingError> {
        let words = self.told.words(scores, self.grid, self.input.1)?;
        self.pieces.clone_from(&scores.pieces);
        let (pixels, shown) = self.input.clone();
        let sight = || {
            let curtain = Curtain::new(pixels, shown, Fill::Blur);
            Sight::new(curtain, scores.logits.logprobs.clone())
        };
        if let Found::Nothing(Aim::Word { word, windows }) = &self.found {
            let start = self.told.word_bytes(word).start;
            let own = words.iter().filter(|found| found.bytes.start >= start);
            let map = Heatmap::mean(&own.map(|found| (&found.map, 1.0)).collect::<Vec<_>>())?;
            let sight = if *windows { sight() } else { sight().without_windows() };
            let found = ForcedWord { word: word.clone(), map, support: 0.0, seen: None };
            self.found = Found::Word(found);
            self.stage = Stage::Sight(Box::new(sight));
            return Ok(());
        }
        let labels = match &self.found {
            Found::Nothing(Aim::Ground(labels)) => labels.clone(),
            _ => None,
        };
        let mut grounding = Grounding::new(&self.told.answer, words, labels.as_deref())?;
        (self.stage, grounding.search) = if grounding.words.is_empty() {
            (Stage::Over, Search::Over)
        } else if scores.took > self.patience {
            (Stage::Over, Search::Slow)
        } else {
            let sight = sight();
            let search = Search::UnderWay(progress(self.readings, &sight));
            (Stage::Sight(Box::new(sight)), search)
        };
        self.found = Found::Grounding(grounding);
        Ok(())
    }

    fn end(&mut self) {
        let Stage::Sight(sight) = std::mem::replace(&mut self.stage, Stage::Over) else { return };
        match &mut self.found {
            Found::Grounding(grounding) => grounding.settle(&sight, &self.pieces),
            Found::Word(found) => {
                let tokens = tokens_at(&self.pieces, &self.told.word_bytes(&found.word));
                found.support = sight.support(&tokens).unwrap_or_default();
                found.seen = sight.map(&tokens);
            }
            Found::Nothing(_) => {}
        }
    }

    /// What is known by now.
    #[must_use]
    pub fn found(&self) -> Option<Finding> {
        match (&self.stage, &self.found) {
            (Stage::Check(check), _) => check.state().map(Finding::Causal),
            (_, Found::Grounding(grounding)) => Some(Finding::Grounding(grounding.clone())),
            (Stage::Over, Found::Word(found)) => Some(Finding::Word(found.clone())),
            (_, Found::Word(_) | Found::Nothing(_)) => None,
        }
    }
}

/// How far the readings of a sight have come, those before it among them.
fn progress(readings: usize, sight: &Sight) -> Progress {
    Progress::new(readings as u64, (readings + sight.left_over()) as u64)
}

/// Has all of it read, one reading after another.
///
/// # Errors
/// Those of `read`, logits that do not fit the answer, specialists that fail.
pub fn read_all<E: From<GroundingError> + From<EvidenceError>>(
    readback: &mut Readback,
    mut read: impl FnMut(ScoreRequest) -> Result<Scores, E>,
) -> Result<Finding, E> {
    while let Some(wanted) = readback.next()? {
        readback.take(&read(wanted)?)?;
    }
    readback.found().ok_or_else(|| GroundingError::OtherAnswer.into())
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use engine::Question;
    use grounding::TokenLogits;
    use image::{Rgb, RgbImage};
    use values::frame::{Frame, Source};
    use values::picture::Look;
    use values::region::Region;

    use super::*;
    use crate::testing::looking;

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
            sampled: vec![7],
        }
    }

    /// Why a reading comes to nothing.
    #[derive(Debug)]
    struct Failed;

    impl From<GroundingError> for Failed {
        fn from(_: GroundingError) -> Self {
            Self
        }
    }

    impl From<EvidenceError> for Failed {
        fn from(_: EvidenceError) -> Self {
            Self
        }
    }

    static INPUT: LazyLock<ImageInput> = LazyLock::new(|| ImageInput::square(64, (2, 2), 3));

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

    fn ground(answer: &str) -> Readback {
        Readback::new(told(answer), &INPUT, Aim::Ground(None), &looking())
    }

    fn grounding(readback: &Readback) -> Grounding {
        readback.found().and_then(Finding::grounding).unwrap()
    }

    #[test]
    fn a_phrase_is_placed_where_it_is_seen() {
        let mut readback = ground("A lemon.");
        assert_eq!(readback.found(), None);
        while let Some(wanted) = readback.next().unwrap() {
            assert_eq!(wanted.answer, "A lemon.");
            readback.take(&scores(&wanted)).unwrap();
            let found = grounding(&readback);
            let done = readback.readings as u64;
            let over = readback.next().unwrap().is_none();
            let under_way = Search::UnderWay(Progress::new(done, 11));
            assert_eq!(found.search, if over { Search::Over } else { under_way });
            assert_eq!(found.words.len(), 2);
        }
        assert_eq!(readback.readings, 1 + 1 + 9);
        assert!((readback.seconds - 1.1).abs() < 1e-9);
        let found = grounding(&readback);
        assert_eq!(found.phrases.len(), 1);
        let place = found.phrases[0].places[0];
        assert!(place.region.x() >= 0.5 && place.region.y() >= 0.5, "{place:?}");
        assert!(place.strength > 0.99);
        let seen = found.words[1].seen.as_ref().unwrap();
        assert!(seen.peak().0 > 0.5 && (seen.stats().max - 5.9).abs() < 1e-5);
    }

    #[test]
    fn what_every_part_brings_about_is_all_over() {
        let mut readback = ground("A lemon.");
        let mut reading = 0;
        while let Some(wanted) = readback.next().unwrap() {
            let mut scores = scores(&wanted);
            // The whole picture, then nothing, then windows.
            scores.logits.logprobs[1] = if reading == 1 { -6.0 } else { -0.1 };
            readback.take(&scores).unwrap();
            reading += 1;
        }
        assert_eq!(grounding(&readback).phrases[0].places[0].region, Region::WHOLE);
    }

    #[test]
    fn what_is_as_probable_about_nothing_has_no_place() {
        let mut readback = ground("A lemon.");
        while let Some(wanted) = readback.next().unwrap() {
            let mut scores = scores(&wanted);
            scores.logits.logprobs = vec![-0.1; 3];
            readback.take(&scores).unwrap();
        }
        let found = grounding(&readback);
        assert_eq!((found.phrases.len(), found.phrases[0].places.len()), (1, 0));
    }

    #[test]
    fn a_slow_model_gives_the_words_their_maps_and_no_more() {
        let mut readback = ground("A lemon.");
        let wanted = readback.next().unwrap().unwrap();
        readback.take(&Scores { took: PATIENCE + 1.0, ..scores(&wanted) }).unwrap();
        assert!(readback.next().unwrap().is_none());
        let found = grounding(&readback);
        assert_eq!((found.words.len(), found.phrases[0].places.len()), (2, 0));
        assert_eq!(found.search, Search::Slow);

        let mut readback = ground("A lemon.").patient();
        readback.take(&Scores { took: PATIENCE + 1.0, ..scores(&wanted) }).unwrap();
        assert!(readback.next().unwrap().is_some());
        assert!(matches!(grounding(&readback).search, Search::UnderWay(_)));
    }

    #[test]
    fn readings_of_another_answer_are_refused() {
        let mut readback = ground("No.");
        let wanted = readback.next().unwrap().unwrap();
        assert!(readback.take(&scores(&wanted)).is_err());
    }

    #[test]
    fn a_word_takes_two_readings_and_with_windows_eleven() {
        for (windows, readings) in [(false, 2), (true, 11)] {
            let aim = Aim::Word { word: "lemon".into(), windows };
            let mut readback = Readback::new(told("A cat."), &INPUT, aim, &looking());
            let read = |wanted: ScoreRequest| {
                assert_eq!((wanted.answer.as_str(), wanted.sampled.len()), ("A lemon.", 0));
                Ok::<_, Failed>(scores(&wanted))
            };
            let found = read_all(&mut readback, read).unwrap().word().unwrap();
            assert_eq!(readback.readings, readings);
            assert!(found.is_present() && (found.support - 5.9).abs() < 1e-5);
            assert_eq!(found.seen.map(|map| map.peak_cell()), windows.then_some((2, 2)));
        }
    }

    #[test]
    fn a_check_is_known_as_it_goes() {
        let mut readback =
            Readback::new(told("A lemon."), &INPUT, Aim::Hide(Fill::Mean), &looking());
        assert_eq!(readback.next().unwrap().unwrap().sampled, [7]);
        let mut done = 0;
        while let Some(wanted) = readback.next().unwrap() {
            readback.take(&scores(&wanted)).unwrap();
            done += 1;
            let causal = readback.found().and_then(Finding::causal).unwrap();
            assert_eq!((causal.done, causal.running), (done, readback.next().unwrap().is_some()));
        }
        assert_eq!(done, 56);
    }
}
