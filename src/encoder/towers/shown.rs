//! What the encoders are shown of a picture, and what they say of it.

use std::path::Path;
use std::time::Instant;

use encoder::{EncoderError, EncoderMaps, Found, VisionEncoder};
use image::RgbImage;
use values::picture::{About, Look};

use crate::TowerError;
use crate::dual::{DualEncoder, EncodedImage};
use crate::tower::Tower;

/// Levels by which pixels of one colour may differ.
const NOISE: u8 = 3;

/// Reads the tower of the answering model in `folder`.
pub fn vision(folder: &Path) -> Result<Box<dyn VisionEncoder>, EncoderError> {
    Ok(Box::new(Tower::open(folder)?))
}

/// Reads the CLIP or `SigLIP` model in `folder`.
pub fn dual(folder: &Path) -> Result<Box<dyn encoder::DualEncoder>, EncoderError> {
    let dual = DualEncoder::load(folder)?;
    Ok(Box::new(Looking { dual, seen: None }))
}

impl VisionEncoder for Tower {
    fn attention(&self, picture: &Look) -> Result<EncoderMaps, EncoderError> {
        let started = Instant::now();
        let (pixels, area) = picture.squashed(self.preprocessor().side());
        let found = self.attention(&pixels)?;
        let heads = found.heads.into_iter();
        Ok(EncoderMaps {
            rollout: found.rollout.over(area),
            heads: heads
                .map(|layer| layer.into_iter().map(|head| head.over(area)).collect())
                .collect(),
            plain: is_plain(&pixels),
            took: started.elapsed(),
        })
    }
}

/// Whether no pixel differs from the first by more than what storing a picture may add.
fn is_plain(pixels: &RgbImage) -> bool {
    let first = pixels.pixels().next().map_or([0; 3], |pixel| pixel.0);
    let like = |pixel: &image::Rgb<u8>| {
        pixel.0.iter().zip(first).all(|(value, first)| value.abs_diff(first) <= NOISE)
    };
    pixels.pixels().all(like)
}

/// A dual encoder with what it saw last.
struct Looking {
    dual: DualEncoder,
    seen: Option<(About, EncodedImage)>,
}

impl Looking {
    /// What the encoder sees of `picture`, the marked part with its surroundings or all of it,
    /// which it looks at once.
    fn look(&mut self, picture: &Look) -> Result<(&DualEncoder, &EncodedImage), TowerError> {
        let about = picture.about();
        let seen = match self.seen.take().filter(|(seen, _)| *seen == about) {
            Some(seen) => seen,
            None => (about, self.dual.embed_image(&picture.shown())?),
        };
        Ok((&self.dual, &self.seen.insert(seen).1))
    }
}

impl encoder::DualEncoder for Looking {
    fn name(&self) -> &str {
        self.dual.name()
    }

    fn find(&mut self, picture: &Look, phrase: &str) -> Result<Found, EncoderError> {
        let (dual, image) = self.look(picture)?;
        let found = dual.phrase_map(image, phrase)?;
        let present = match found.presence.probability {
            Some(probability) => probability >= 0.5,
            None => found.presence.cosine > image.embedding().cosine(&dual.embed_choice("")?),
        };
        let area = found.heatmap.area().within(picture.area());
        Ok(Found { phrase: phrase.to_owned(), map: found.heatmap.over(area), present })
    }

    fn shares(
        &mut self,
        picture: &Look,
        words: &[String],
    ) -> Result<Vec<(String, f32)>, EncoderError> {
        let (dual, image) = self.look(picture)?;
        Ok(dual.zero_shot(image, words)?)
    }
}
