//! Vision transformers that keep their attention: Idefics3's and `SmolVLM`'s, `SigLIP`'s, CLIP's.
//!
//! Written after Hugging Face `transformers`' `modeling_idefics3.py`, `modeling_siglip.py` and
//! `modeling_clip.py`; field names are the checkpoint's keys.

use std::path::Path;

use candle_core::{Device, Tensor};
use image::RgbImage;
use values::heatmap::Heatmap;
use values::region::Region;

use super::config::{Family, VisionConfig};
use super::connector::Connector;
use super::error::TowerError;
use super::head::PoolingHead;
use super::layers::{Layer, LayerNorm, LayerSizes, Linear};
use super::preprocess::{Pixels, Preprocessor};
use super::rollout::{LayerAttention, rollout};
use super::weights::Weights;

/// Most bytes that attention may take: what is kept of every layer, and one layer's heads twice.
///
/// 1024 patches, 27 layers and 16 heads (512 px in patches of 16) take 0.25 GB; 2304 patches
/// (768 px) would take 1.25 GB for a map of which nobody sees the detail.
pub const ATTENTION_LIMIT: u64 = 512 << 20;

/// Where the attention of a tower went.
#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    /// The patches' shares of the rollout through all layers.
    ///
    /// It starts from the pooling head's attention where there is one, from CLIP's class token,
    /// else from all patches alike. The shares sum to 1 but for what flowed to the class token.
    pub rollout: Heatmap,
    /// By layer and head, what each patch received, averaged over the queries (the class token
    /// among them).
    pub heads: Vec<Vec<Heatmap>>,
}

/// What a run through the tower gives.
#[derive(Debug, Clone)]
pub struct States {
    /// `[tokens, width]`: what the first layer reads, then what each layer gives.
    pub layers: Vec<Tensor>,
    /// `[tokens, width]`: the last of them after `post_layernorm`.
    pub last: Tensor,
}

/// Turns patches of pixels into tokens.
#[derive(Debug, Clone)]
struct Embeddings {
    /// The convolution, whose step is its kernel's size, as a linear map.
    patch: Linear,
    /// `[patches, width]`.
    position: Tensor,
    /// CLIP's class embedding with its position, `[1, width]`.
    class: Option<Tensor>,
}

/// A vision tower read from a model's folder.
#[derive(Debug, Clone)]
pub struct Tower {
    config: VisionConfig,
    preprocessor: Preprocessor,
    embeddings: Embeddings,
    /// CLIP's norm before the layers; the checkpoint spells it so.
    pre_layrnorm: Option<LayerNorm>,
    layers: Vec<Layer>,
    post_layernorm: LayerNorm,
    head: Option<PoolingHead>,
    visual_projection: Option<Linear>,
    connector: Option<Connector>,
}

impl Tower {
    /// Whether the model in `folder` has a tower whose attention can be shown; reads two small
    /// files.
    ///
    /// # Errors
    /// [`TowerError::Unsupported`] for a model of another kind, [`TowerError::TooLarge`] for
    /// one of too many patches, else what is wrong with the files.
    pub fn supports(folder: &Path) -> Result<VisionConfig, TowerError> {
        let config = VisionConfig::read(folder)?;
        Preprocessor::read(folder, &config)?;
        check_room(&config, config.num_hidden_layers)?;
        Ok(config)
    }

    /// Reads the tower of the model in `folder`, and none of its other weights.
    ///
    /// # Errors
    /// A model of another kind, damaged files, weights that are missing or have another shape.
    pub fn open(folder: &Path) -> Result<Self, TowerError> {
        let config = VisionConfig::read(folder)?;
        let preprocessor = Preprocessor::read(folder, &config)?;
        Self::read(config, preprocessor, &Weights::open(folder)?)
    }

    fn read(
        config: VisionConfig,
        preprocessor: Preprocessor,
        weights: &Weights,
    ) -> Result<Self, TowerError> {
        let (width, eps) = (config.hidden_size, config.layer_norm_eps);
        let sizes = LayerSizes {
            width,
            inner: config.intermediate_size,
            heads: config.num_attention_heads,
            activation: config.hidden_act,
            eps,
        };
        let prefix = config.prefix();
        let part = |name: &str| format!("{prefix}.{name}");
        let norm = |name| LayerNorm::read(weights, &part(name), width, eps);
        let layers = (0..config.num_hidden_layers)
            .map(|layer| Layer::read(weights, &part(&format!("encoder.layers.{layer}")), sizes))
            .collect::<Result<_, _>>()?;
        let is_clip = config.family == Family::Clip;
        let pools = config.family == Family::Siglip && config.vision_use_head;
        let projection = "visual_projection";
        // A vision model alone comes without it.
        let projects = is_clip && weights.contains(&format!("{projection}.weight"));
        let projected = (width, config.projection_dim);
        Ok(Self {
            embeddings: Embeddings::read(&config, weights)?,
            pre_layrnorm: is_clip.then(|| norm("pre_layrnorm")).transpose()?,
            layers,
            post_layernorm: norm("post_layernorm")?,
            head: pools.then(|| PoolingHead::read(weights, &part("head"), sizes)).transpose()?,
            visual_projection: projects
                .then(|| Linear::read(weights, projection, projected, false))
                .transpose()?,
            connector: (config.family == Family::Idefics3)
                .then(|| Connector::read(weights, &config))
                .transpose()?,
            preprocessor,
            config,
        })
    }

    /// The tower's sizes.
    pub fn config(&self) -> &VisionConfig {
        &self.config
    }

    /// How pictures are made ready.
    pub fn preprocessor(&self) -> &Preprocessor {
        &self.preprocessor
    }

    /// The layers, first one first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The norm after the last layer.
    pub fn post_layernorm(&self) -> &LayerNorm {
        &self.post_layernorm
    }

    /// `SigLIP`'s pooling head.
    pub fn head(&self) -> Option<&PoolingHead> {
        self.head.as_ref()
    }

    /// CLIP's map from a state to an embedding.
    pub fn visual_projection(&self) -> Option<&Linear> {
        self.visual_projection.as_ref()
    }

    /// The state of every token before the first layer and after each.
    pub fn states(&self, pixels: &Pixels) -> Result<States, TowerError> {
        check_room(&self.config, 0)?;
        let mut layers = vec![self.embed(pixels)?];
        for layer in &self.layers {
            let (next, _) = layer.forward(&layers[layers.len() - 1], None)?;
            layers.push(next);
        }
        let last = self.post_layernorm.forward(&layers[layers.len() - 1])?;
        Ok(States { layers, last })
    }

    /// `[tokens, width]`: the states after the last layer and `post_layernorm`.
    pub fn last_state(&self, pixels: &Pixels) -> Result<Tensor, TowerError> {
        check_room(&self.config, 0)?;
        let mut state = self.embed(pixels)?;
        for layer in &self.layers {
            state = layer.forward(&state, None)?.0;
        }
        self.post_layernorm.forward(&state)
    }

    /// What stands for the picture: for Idefics3 the tokens that the language model reads,
    /// `[image tokens, text width]`; for CLIP and `SigLIP` the image embedding, `[1, width]`, not
    /// normalised.
    pub fn features(&self, pixels: &Pixels) -> Result<Tensor, TowerError> {
        self.features_of(&self.last_state(pixels)?)
    }

    /// The same from states after `post_layernorm`.
    pub fn features_of(&self, last: &Tensor) -> Result<Tensor, TowerError> {
        match (&self.connector, &self.head, &self.visual_projection) {
            (Some(connector), _, _) => connector.forward(last),
            (_, Some(head), _) => head.forward(last),
            (_, _, Some(projection)) => projection.forward(&last.narrow(0, 0, 1)?),
            // A vision model alone: CLIP's class token, or all of SigLIP's states.
            _ if self.config.class_tokens() > 0 => Ok(last.narrow(0, 0, 1)?),
            _ => Ok(last.clone()),
        }
    }

    /// Where the attention went, for a picture as [`Preprocessor::pixels`] takes it.
    ///
    /// Of the last layer only what the maps need is computed.
    pub fn attention(&self, picture: &RgbImage) -> Result<Attention, TowerError> {
        check_room(&self.config, self.layers.len())?;
        let pixels = self.preprocessor.pixels(picture)?;
        let mut state = self.embed(&pixels)?;
        let mut kept = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            let weights = if index + 1 == self.layers.len() && self.head.is_none() {
                layer.attention(&state)?
            } else {
                let (next, weights) = layer.forward(&state, None)?;
                state = next;
                weights
            };
            kept.push(LayerAttention::of(&weights)?);
        }
        let start = match &self.head {
            Some(head) => head.attention(&self.post_layernorm.forward(&state)?)?,
            None => self.start(),
        };
        let flow = rollout(&start, kept.iter().map(|layer| layer.mean.as_slice()));
        let flow: Vec<f32> = flow.into_iter().map(|share| share as f32).collect();
        let heads = kept
            .iter()
            .map(|layer| layer.received.iter().map(|head| self.map(head, pixels.area)).collect());
        Ok(Attention {
            rollout: self.map(&flow, pixels.area)?,
            heads: heads.collect::<Result<_, TowerError>>()?,
        })
    }

    /// The row that the rollout starts from: CLIP's class token alone, or all patches alike.
    fn start(&self) -> Vec<f64> {
        let tokens = self.config.tokens();
        if self.config.class_tokens() == 0 {
            return vec![1.0 / tokens as f64; tokens];
        }
        let mut start = vec![0.0; tokens];
        start[0] = 1.0;
        start
    }

    /// Values of tokens as a map of the patches.
    fn map(&self, tokens: &[f32], area: Region) -> Result<Heatmap, TowerError> {
        let side = self.config.side();
        let patches = tokens[self.config.class_tokens()..].to_vec();
        Ok(Heatmap::new(side, side, patches)?.over(area))
    }

    /// `[tokens, width]`: what the first layer reads.
    pub fn embed(&self, pixels: &Pixels) -> Result<Tensor, TowerError> {
        let state = self.embeddings.forward(&self.config, pixels)?;
        match &self.pre_layrnorm {
            Some(norm) => norm.forward(&state),
            None => Ok(state),
        }
    }
}

/// Refuses a run whose attention, kept for `layers` layers, would take too much memory.
fn check_room(config: &VisionConfig, layers: usize) -> Result<(), TowerError> {
    let tokens = config.tokens();
    let matrices = layers.saturating_add(2 * config.num_attention_heads) as u64;
    let bytes = (tokens as u64).saturating_pow(2).saturating_mul(4).saturating_mul(matrices);
    let limit = ATTENTION_LIMIT;
    if bytes > limit {
        return Err(TowerError::TooLarge { tokens, layers, bytes, limit });
    }
    Ok(())
}

impl Embeddings {
    fn read(config: &VisionConfig, weights: &Weights) -> Result<Self, TowerError> {
        let (width, patch) = (config.hidden_size, config.patch_size);
        let name = |part| format!("{}.embeddings.{part}", config.prefix());
        let kernel = weights.get(&name("patch_embedding.weight"), &[width, 3, patch, patch])?;
        let is_clip = config.family == Family::Clip;
        let bias =
            (!is_clip).then(|| weights.get(&name("patch_embedding.bias"), &[width])).transpose()?;
        let weight = kernel.reshape((width, 3 * patch * patch))?;
        // In the order of the patches, for Idefics3 too: its fractional coordinates, put into
        // buckets as mistral.rs does it (`vision_models/idefics3/vision.rs`), count a full square
        // grid through up to 106 patches a side, which is above `ATTENTION_LIMIT`.
        let positions =
            weights.get(&name("position_embedding.weight"), &[config.tokens(), width])?;
        let class = is_clip
            .then(|| {
                let class = weights.get(&name("class_embedding"), &[width])?;
                Ok::<_, TowerError>((class.unsqueeze(0)? + positions.narrow(0, 0, 1)?)?)
            })
            .transpose()?;
        let patches = config.tokens() - config.class_tokens();
        Ok(Self {
            patch: Linear { weight, bias },
            position: positions.narrow(0, config.class_tokens(), patches)?,
            class,
        })
    }

    fn forward(&self, config: &VisionConfig, pixels: &Pixels) -> Result<Tensor, TowerError> {
        let (side, patch) = (config.side(), config.patch_size);
        let mut patches = Vec::with_capacity(side * side * 3 * patch * patch);
        for (row, col) in (0..side * side).map(|index| (index / side, index % side)) {
            for channel in pixels.values.chunks_exact(pixels.side * pixels.side) {
                for line in channel.chunks_exact(pixels.side).skip(row * patch).take(patch) {
                    patches.extend_from_slice(&line[col * patch..(col + 1) * patch]);
                }
            }
        }
        let patches = Tensor::from_vec(patches, (side * side, 3 * patch * patch), &Device::Cpu)?;
        let tokens = (self.patch.forward(&patches)? + &self.position)?;
        match &self.class {
            Some(class) => Ok(Tensor::cat(&[class, &tokens], 0)?),
            None => Ok(tokens),
        }
    }
}
