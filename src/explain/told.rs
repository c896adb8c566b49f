//! What was asked and answered, and how it is read back with another picture in its place.

use std::ops::Range;

use conversation::Seen;
use engine::{Question, ScoreRequest, Scores};
use evidence::{Evidence, EvidenceError, Witness, colours};
use grounding::{GroundingError, TokenLogits, WordMap};
use image::{RgbImage, imageops};
use values::frame::{Frame, Source};
use values::picture::Look;
use values::region::{PixelBox, Region};
use values::text::{capital, with_article};

/// An answer with the question it was given to.
#[derive(Debug, Clone)]
pub struct Told {
    /// The conversation up to the question.
    pub question: Question,
    /// What the question is about. It stands in one of the turns.
    pub picture: Look,
    /// The answer.
    pub answer: String,
    /// Its tokens as they were sampled; empty where the model did not say it.
    pub sampled: Vec<u32>,
}

impl Told {
    /// The same question with [`as_answer`] given in the model's place.
    #[must_use]
    pub fn with_word(self, word: &str) -> Self {
        Self { answer: as_answer(word), sampled: Vec::new(), ..self }
    }

    /// Where the word stands in the answer of [`Told::with_word`].
    #[must_use]
    pub fn word_bytes(&self, word: &str) -> Range<usize> {
        let end = self.answer.len().saturating_sub(1);
        end.saturating_sub(word.len())..end
    }

    /// The words of the answer with their maps, where `scores` are of it about the part `shown` of
    /// the frame, whose tokens lie in `grid`.
    ///
    /// # Errors
    /// Logits that do not fit the answer.
    pub fn words(
        &self,
        scores: &Scores,
        grid: (usize, usize),
        shown: Region,
    ) -> Result<Vec<WordMap>, GroundingError> {
        let logits = self.own_picture(&scores.logits);
        grounding::word_maps(&self.answer, &scores.pieces, &logits, grid, shown)
    }

    /// The logits with the pictures after the one that was asked about left out: maps are of the
    /// last picture there is.
    fn own_picture(&self, logits: &TokenLogits) -> TokenLogits {
        let mut logits = logits.clone();
        let pictures = self.question.turns.iter().flat_map(|turn| &turn.pictures);
        let own = pictures.enumerate().filter(|(_, picture)| {
            picture.frame.id == self.picture.frame.id && picture.region == self.picture.region
        });
        if let Some((at, _)) = own.last() {
            logits.image.truncate(at + 1);
        }
        logits
    }

    /// The answer read back as it was given.
    #[must_use]
    pub fn as_given(&self) -> ScoreRequest {
        let Self { question, answer, sampled, .. } = self.clone();
        ScoreRequest { question, answer, sampled }
    }

    /// The answer read back about `pixels` in its picture's place, in which `left` is left to be seen.
    /// Other parts of the same frame, which earlier turns may show, are hidden altogether. Where the
    /// model was told what specialists see, it is told what `witness` sees of what is left: the words
    /// of the whole picture's evidence would show what is hidden.
    ///
    /// # Errors
    /// The specialists'.
    pub fn about(
        &self,
        pixels: RgbImage,
        left: Left,
        witness: &Witness,
    ) -> Result<ScoreRequest, EvidenceError> {
        let mut request = self.as_given();
        let changed = made(pixels);
        let own = self.picture.about();
        for turn in &mut request.question.turns {
            let pictures = turn.pictures.iter_mut();
            for picture in pictures.filter(|picture| picture.frame.id == self.picture.frame.id) {
                let is_own = picture.region == own.region;
                *picture = if is_own { changed.clone() } else { nothing() };
            }
            turn.seen.retain(|seen| seen.about == own || seen.about.sha256 != own.sha256);
            for seen in turn.seen.iter_mut().filter(|seen| seen.about == own) {
                let evidence = match left {
                    Left::Rest => witness.evidence(&changed)?,
                    Left::Part(part) => witness.evidence(&self.part(part))?,
                    Left::Nothing => {
                        Evidence { colours: colours::of(&changed), ..Evidence::default() }
                    }
                };
                *seen = Seen { about: changed.about(), evidence };
            }
        }
        Ok(request)
    }

    /// That part of the frame as a picture of its own: without surroundings, which are hidden.
    fn part(&self, part: Region) -> Look {
        let whole = &*self.picture.frame.pixels;
        let PixelBox { x, y, width, height } = part.pixels(whole.width(), whole.height());
        made(imageops::crop_imm(whole, x, y, width, height).to_image())
    }
}

/// What is left to be seen of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// This part of the frame alone.
    Part(Region),
    /// All but what is hidden.
    Rest,
}

/// A picture of nothing.
fn nothing() -> Look {
    made(RgbImage::from_pixel(8, 8, image::Rgb([128; 3])))
}

/// A picture of pixels that no file has.
fn made(pixels: RgbImage) -> Look {
    Look { frame: Frame::new(pixels, Source::Memory("a changed picture".into())), region: None }
}

/// A word as the model's answer: "A ‹word›.", "An ‹word›."
#[must_use]
pub fn as_answer(word: &str) -> String {
    format!("{}.", capital(&with_article(word)))
}

#[cfg(test)]
mod tests {
    use conversation::{Role, Turn};
    use evidence::colours::Term;
    use image::Rgb;

    use super::*;
    use crate::testing::looking;

    #[test]
    fn the_frame_that_was_asked_about_is_changed_wherever_it_is_shown() {
        let frame = |grey| {
            let pixels = RgbImage::from_pixel(40, 20, Rgb([grey; 3]));
            Frame::new(pixels, Source::Memory("grey".into()))
        };
        let (one, other) = (frame(10), frame(20));
        let region = Region::new(0.5, 0.5, 0.5, 0.5).ok();
        let whole = Look { frame: one.clone(), region: None };
        let part = Look { frame: one, region };
        let third = Look { frame: other.clone(), region: None };
        let turn = |pictures: Vec<Look>| {
            let seen = |look: &Look| Seen { about: look.about(), evidence: Evidence::default() };
            let seen = pictures.iter().map(seen).collect();
            Turn { role: Role::User, text: "What is that?".into(), pictures, seen }
        };
        let turns = vec![turn(vec![whole.clone(), third.clone()]), turn(vec![part.clone()])];
        let question = Question { turns, ..Question::default() };
        let told = Told { question, picture: part, answer: "Grey.".into(), sampled: vec![7] };
        let square = RgbImage::from_pixel(8, 8, Rgb([99; 3]));
        let request = told.about(square.clone(), Left::Rest, &looking()).unwrap();
        let shown = |turn: usize, at: usize| request.question.turns[turn].pictures[at].clone();
        // The whole frame would show what is to be hidden; another frame stays.
        assert_ne!(shown(0, 0).frame.id, whole.frame.id);
        assert_eq!(shown(0, 1).frame.id, other.id);
        assert_eq!(shown(1, 0).frame.pixels.dimensions(), (8, 8));
        assert_eq!(shown(1, 0).region, None);
        assert_eq!(request.sampled, [7]);
        // What is told follows: nothing of the whole, the other frame as before, the part anew.
        let told_of = |turn: usize| &request.question.turns[turn].seen;
        assert_eq!((told_of(0).len(), &told_of(0)[0].about), (1, &third.about()));
        assert!(told_of(0)[0].evidence.is_empty());
        assert_eq!(told_of(1)[0].about.sha256, *shown(1, 0).frame.sha256());
        assert_eq!(told_of(1)[0].evidence.labels.sure.as_ref().unwrap().name, "something");
        // Of a part alone, what is seen in that part; of nothing, nothing but its colour.
        let told_of = |left| {
            let request = told.about(square.clone(), left, &looking()).unwrap();
            request.question.turns[1].seen[0].evidence.clone()
        };
        let part = told_of(Left::Part(Region::new(0.0, 0.0, 0.25, 0.5).unwrap()));
        assert_eq!(part.labels.sure.unwrap().name, "something");
        assert_eq!(part.colours[0].term, Term::Black);
        let nothing = told_of(Left::Nothing);
        assert_eq!((nothing.labels.sure, nothing.colours[0].term), (None, Term::Gray));

        let told = told.with_word("orange");
        assert_eq!((told.answer.as_str(), told.word_bytes("orange")), ("An orange.", 3..9));
        assert!(told.sampled.is_empty());
    }
}
