//! What was asked and answered, and how it is read back with another picture in its place.

use std::ops::Range;

use engine::{Question, ScoreRequest, Scores};
use grounding::{GroundingError, TokenLogits, WordMap};
use image::RgbImage;
use values::frame::{Frame, Source};
use values::picture::Look;
use values::region::Region;

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

    /// The answer read back about `pixels` in its picture's place. Other parts of the same frame,
    /// which earlier turns may show, are hidden altogether.
    #[must_use]
    pub fn about(&self, pixels: RgbImage) -> ScoreRequest {
        let mut request = self.as_given();
        let frame = Frame::new(pixels, Source::Memory("a changed picture".into()));
        let pictures = request.question.turns.iter_mut().flat_map(|turn| &mut turn.pictures);
        for picture in pictures.filter(|picture| picture.frame.id == self.picture.frame.id) {
            let own = picture.region == self.picture.region;
            let shown = if own { frame.clone() } else { nothing() };
            *picture = Look { frame: shown, region: None };
        }
        request
    }
}

/// A picture of nothing.
fn nothing() -> Frame {
    let grey = RgbImage::from_pixel(8, 8, image::Rgb([128; 3]));
    Frame::new(grey, Source::Memory("nothing".into()))
}

/// A word as the model's answer: "A ‹word›."
#[must_use]
pub fn as_answer(word: &str) -> String {
    let vowel = word.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']);
    format!("{} {word}.", if vowel { "An" } else { "A" })
}

#[cfg(test)]
mod tests {
    use conversation::{Role, Turn};
    use image::Rgb;

    use super::*;

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
        let turn =
            |pictures: Vec<Look>| Turn { role: Role::User, text: "What is that?".into(), pictures };
        let turns = vec![turn(vec![whole.clone(), third]), turn(vec![part.clone()])];
        let question = Question { turns, ..Question::default() };
        let told = Told { question, picture: part, answer: "Grey.".into(), sampled: vec![7] };
        let square = RgbImage::from_pixel(8, 8, Rgb([99; 3]));
        let request = told.about(square);
        let shown = |turn: usize, at: usize| request.question.turns[turn].pictures[at].clone();
        // The whole frame would show what is to be hidden; another frame stays.
        assert_ne!(shown(0, 0).frame.id, whole.frame.id);
        assert_eq!(shown(0, 1).frame.id, other.id);
        assert_eq!(shown(1, 0).frame.pixels.dimensions(), (8, 8));
        assert_eq!(shown(1, 0).region, None);
        assert_eq!(request.sampled, [7]);
        let told = told.with_word("orange");
        assert_eq!((told.answer.as_str(), told.word_bytes("orange")), ("An orange.", 3..9));
        assert!(told.sampled.is_empty());
    }
}
