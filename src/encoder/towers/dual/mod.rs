//! A dual encoder, CLIP or `SigLIP`: one tower for pictures, one for texts, one space for both.
//!
//! It answers where a phrase is in a picture ([`DualEncoder::phrase_map`]), whether it is there at
//! all ([`Presence`]), and which of some words fits best ([`DualEncoder::zero_shot`]). It is
//! another model than the one that answers questions, and maps must be labelled with its
//! [`DualEncoder::name`].
//!
//! | file | what is in it |
//! |---|---|
//! | [`text`], [`tokenizer`] | the text towers; from a phrase to tokens |
//! | [`embedding`] | unit vectors, and how close they are |
//! | [`clear_clip`], [`clip_surgery`] | phrase maps with CLIP's tower |
//! | [`map_grad`] | phrase maps with `SigLIP`'s pooling head |
//! | [`zero_shot`] | words to choose among as prompts, and the share of each |

pub mod clear_clip;
pub mod clip_surgery;
pub mod embedding;
pub mod map_grad;
pub mod text;
pub mod tokenizer;
pub mod zero_shot;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

use candle_core::Tensor;
use image::RgbImage;
use serde_json::Value;
use values::heatmap::Heatmap;
use values::region::Region;

use crate::config::{Family, read_object};
use crate::error::TowerError;
use crate::head::PoolingHead;
use crate::layers::Linear;
use crate::tower::Tower;
use crate::weights::Weights;
use text::TextTower;

pub use embedding::Embedding;

/// A way of making a phrase map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PhraseMethod {
    /// CLIP: the last block's queries attend to themselves; no residual, no MLP ([`clear_clip`]).
    ClearClip,
    /// CLIP: a path of value–value attention beside the last blocks ([`clip_surgery`]).
    ClipSurgery,
    /// `SigLIP`: what each patch's values add to the similarity, to first order ([`map_grad`]).
    MapGrad,
    /// `SigLIP`: each patch pooled as if it were alone ([`map_grad`]).
    MapMaskClip,
}

impl PhraseMethod {
    /// The name its authors gave it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClearClip => "ClearCLIP",
            Self::ClipSurgery => "CLIP Surgery",
            Self::MapGrad => "MAP-Grad",
            Self::MapMaskClip => "MAP-MaskCLIP",
        }
    }
}

/// How well a phrase fits a whole picture, on a scale that does not depend on other phrases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Presence {
    /// Cosine of the picture's embedding and the phrase's, from -1 to 1.
    pub cosine: f32,
    /// σ(scale · cosine + bias), which only `SigLIP` is trained to give.
    pub probability: Option<f32>,
}

/// Where in a picture a phrase is.
#[derive(Debug, Clone, PartialEq)]
pub struct PhraseMap {
    /// One raw value a patch; what the values are, the method's module says. Maps of one picture
    /// by one method may be compared on one scale.
    pub heatmap: Heatmap,
    /// How well the phrase fits the whole picture: a phrase that is not there has a map, too.
    pub presence: Presence,
    /// How the map was made.
    pub method: PhraseMethod,
}

/// A picture that went through the vision tower once; every phrase's map is made from it.
#[derive(Debug, Clone)]
pub struct EncodedImage {
    embedding: Embedding,
    /// CLIP: the states before the last blocks, up to [`clip_surgery::DEPTH`] of them, and after
    /// them, each `[tokens, width]`.
    layers: Vec<Tensor>,
    /// `[tokens, width]`: after the last block and `post_layernorm`.
    last: Tensor,
    area: Region,
}

impl EncodedImage {
    /// The whole picture's embedding.
    pub fn embedding(&self) -> &Embedding {
        &self.embedding
    }

    /// The part of the picture that the patches cover.
    pub fn area(&self) -> Region {
        self.area
    }
}

/// CLIP or `SigLIP` with both towers, read from a folder as Hugging Face `transformers` writes it.
#[derive(Debug)]
pub struct DualEncoder {
    name: String,
    tower: Tower,
    text: TextTower,
    readout: Readout,
    /// exp(`logit_scale`): what a cosine is multiplied by to be a logit.
    scale: f32,
    /// Embeddings of words to choose among, so that a live picture costs the vision tower alone.
    choices: Mutex<HashMap<String, Embedding>>,
}

/// What a family has and the other has not.
#[derive(Debug)]
enum Readout {
    Clip {
        visual_projection: Linear,
    },
    Siglip {
        head: Box<PoolingHead>,
        /// Added to a logit.
        logit_bias: f32,
    },
}

impl DualEncoder {
    /// Reads the CLIP or `SigLIP` model in `folder`: `config.json`, `preprocessor_config.json`,
    /// `tokenizer.json` and the weights.
    ///
    /// # Errors
    /// [`TowerError::NotDual`] for a model of another kind, else what is missing or damaged.
    pub fn load(folder: &Path) -> Result<Self, TowerError> {
        let config = read_object(folder, "config.json")?
            .ok_or_else(|| TowerError::missing(folder, "config.json"))?;
        let kind = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
        let family = match kind {
            "clip" => Family::Clip,
            "siglip" => Family::Siglip,
            _ => {
                let folder = folder.to_path_buf();
                return Err(TowerError::NotDual { folder, kind: kind.to_owned() });
            }
        };
        let weights = Weights::open(folder)?;
        // The small files come before the large ones, so that what is wrong shows soon.
        let text = TextTower::read(folder, &config, family, &weights)?;
        let tower = Tower::open(folder)?;
        let number = |name, shape: &[usize]| -> Result<f32, TowerError> {
            Ok(weights.get(name, shape)?.flatten_all()?.squeeze(0)?.to_scalar()?)
        };
        let (scale, readout) = if family == Family::Clip {
            let visual_projection = tower.visual_projection().cloned().ok_or_else(|| {
                TowerError::missing(folder, "the tensor visual_projection.weight")
            })?;
            (number("logit_scale", &[])?, Readout::Clip { visual_projection })
        } else {
            let head = tower.head().cloned().map(Box::new).ok_or_else(|| {
                TowerError::unsupported(folder, "its vision tower has no pooling head")
            })?;
            let logit_bias = number("logit_bias", &[1])?;
            (number("logit_scale", &[1])?, Readout::Siglip { head, logit_bias })
        };
        let name = folder.file_name().unwrap_or(folder.as_os_str());
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            tower,
            text,
            readout,
            scale: scale.exp(),
            choices: Mutex::default(),
        })
    }

    /// The folder's name, by which a map says whose it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kinds of maps that this model makes; the first is the one to choose.
    pub fn methods(&self) -> &'static [PhraseMethod] {
        match self.readout {
            Readout::Clip { .. } => &[PhraseMethod::ClearClip, PhraseMethod::ClipSurgery],
            Readout::Siglip { .. } => &[PhraseMethod::MapGrad, PhraseMethod::MapMaskClip],
        }
    }

    /// The embedding of `text` as it stands. What is longer than the model's context is cut off,
    /// as `transformers`' tokenizers do.
    ///
    /// # Errors
    /// Only for weights that do not fit each other.
    pub fn embed_text(&self, text: &str) -> Result<Embedding, TowerError> {
        Embedding::of(&self.text.forward(text)?)
    }

    /// Runs the vision tower on `picture`, of any size.
    ///
    /// # Errors
    /// A picture without pixels.
    pub fn embed_image(&self, picture: &RgbImage) -> Result<EncodedImage, TowerError> {
        let pixels = self.tower.preprocessor().pixels(picture)?;
        let (layers, last) = if matches!(self.readout, Readout::Clip { .. }) {
            let mut states = self.tower.states(&pixels)?;
            let unused = states.layers.len().saturating_sub(clip_surgery::DEPTH + 1);
            (states.layers.split_off(unused), states.last)
        } else {
            (Vec::new(), self.tower.last_state(&pixels)?)
        };
        let embedding = Embedding::of(&self.tower.features_of(&last)?)?;
        Ok(EncodedImage { embedding, layers, last, area: self.covered(pixels.area) })
    }

    /// How well `phrase` fits the whole picture. The phrase is put into the prompts of
    /// [`zero_shot::TEMPLATES`], as for its map.
    ///
    /// # Errors
    /// [`TowerError::EmptyPhrase`].
    pub fn presence(&self, image: &EncodedImage, phrase: &str) -> Result<Presence, TowerError> {
        Ok(self.presence_of(image, &self.phrase(phrase)?))
    }

    /// Where in the picture `phrase` is, by the first of [`DualEncoder::methods`].
    ///
    /// The phrase is put into the prompts of [`zero_shot::TEMPLATES`], as both reference
    /// implementations do with class names.
    ///
    /// # Errors
    /// [`TowerError::EmptyPhrase`].
    pub fn phrase_map(&self, image: &EncodedImage, phrase: &str) -> Result<PhraseMap, TowerError> {
        self.phrase_map_by(self.methods()[0], image, phrase)
    }

    /// The same by `method`.
    ///
    /// # Errors
    /// [`TowerError::EmptyPhrase`], and [`TowerError::Method`] for one that is not among
    /// [`DualEncoder::methods`].
    pub fn phrase_map_by(
        &self,
        method: PhraseMethod,
        image: &EncodedImage,
        phrase: &str,
    ) -> Result<PhraseMap, TowerError> {
        let text = self.phrase(phrase)?;
        let values = match (method, &self.readout) {
            (PhraseMethod::ClearClip, Readout::Clip { visual_projection }) => {
                clear_clip::features(&self.tower, visual_projection, &image.layers)?
                    .cosines(&text)?
            }
            (PhraseMethod::ClipSurgery, Readout::Clip { visual_projection }) => {
                let features =
                    clip_surgery::features(&self.tower, visual_projection, &image.layers)?;
                clip_surgery::without(&features, &text, &self.embed_choice("")?)?
            }
            (PhraseMethod::MapGrad, Readout::Siglip { head, .. }) => {
                map_grad::map_grad(head, &image.last, &text)?
            }
            (PhraseMethod::MapMaskClip, Readout::Siglip { head, .. }) => {
                map_grad::map_mask_clip(head, &image.last, &text)?
            }
            _ => return Err(self.no_method(method)),
        };
        let heatmap = self.map(values, image.area)?;
        Ok(PhraseMap { heatmap, presence: self.presence_of(image, &text), method })
    }

    /// CLIP Surgery's maps of several phrases at once, in their order: what all of them share is
    /// taken out of each, so that they compete for the patches.
    ///
    /// # Errors
    /// [`TowerError::EmptyPhrase`], also for no phrase at all, and [`TowerError::Method`] for
    /// a model that is not CLIP.
    pub fn surgery_maps(
        &self,
        image: &EncodedImage,
        phrases: &[String],
    ) -> Result<Vec<Heatmap>, TowerError> {
        let Readout::Clip { visual_projection } = &self.readout else {
            return Err(self.no_method(PhraseMethod::ClipSurgery));
        };
        let texts = phrases.iter().map(|phrase| self.phrase(phrase));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        if texts.is_empty() {
            return Err(TowerError::EmptyPhrase);
        }
        let features = clip_surgery::features(&self.tower, visual_projection, &image.layers)?;
        let maps = clip_surgery::among(&features, &texts)?;
        maps.into_iter().map(|values| self.map(values, image.area)).collect()
    }

    /// The embedding of a phrase to look for.
    fn phrase(&self, phrase: &str) -> Result<Embedding, TowerError> {
        if phrase.trim().is_empty() {
            return Err(TowerError::EmptyPhrase);
        }
        self.embed_choice(phrase)
    }

    fn presence_of(&self, image: &EncodedImage, text: &Embedding) -> Presence {
        let cosine = image.embedding.cosine(text);
        let probability = match self.readout {
            Readout::Clip { .. } => None,
            Readout::Siglip { logit_bias, .. } => Some(sigmoid(self.scale * cosine + logit_bias)),
        };
        Presence { cosine, probability }
    }

    fn no_method(&self, method: PhraseMethod) -> TowerError {
        TowerError::Method { method: method.name(), name: self.name.clone() }
    }

    fn map(&self, values: Vec<f32>, area: Region) -> Result<Heatmap, TowerError> {
        let side = self.tower.config().side();
        Ok(Heatmap::new(side, side, values)?.over(area))
    }

    /// The part of `area` that whole patches cover: 27 patches of 14 pixels leave 6 of 384 out.
    fn covered(&self, area: Region) -> Region {
        let config = self.tower.config();
        let part = (config.side() * config.patch_size) as f32 / config.image_size as f32;
        Region::new(area.x(), area.y(), area.width() * part, area.height() * part).unwrap_or(area)
    }
}

/// 1 / (1 + e⁻ˣ).
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
