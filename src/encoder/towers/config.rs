//! What a model's `config.json` says of its vision tower.
//!
//! Names and defaults as in Hugging Face `transformers`: `configuration_idefics3.py`,
//! `configuration_siglip.py`, `configuration_clip.py`.

use std::path::Path;

use serde_json::{Map, Value};

use super::error::TowerError;

/// Above any size of a known model, and small enough that products of sizes stay in range.
const MAX_SIZE: usize = 1 << 20;

/// Which vision tower a folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// The tower of Idefics3 and `SmolVLM`, below `model.vision_model`.
    Idefics3,
    /// `SigLIP`'s, with a pooling head.
    Siglip,
    /// CLIP's, with a class token.
    Clip,
}

/// The nonlinearity between the two layers of an MLP, by its name in `hidden_act`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x · Φ(x), by the error function (`gelu`).
    Gelu,
    /// Its approximation by a hyperbolic tangent (`gelu_pytorch_tanh`, `gelu_new`).
    GeluTanh,
    /// x · σ(1.702 x) (`quick_gelu`).
    QuickGelu,
}

impl Activation {
    /// The activation that `hidden_act` names.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "gelu" => Some(Self::Gelu),
            "gelu_pytorch_tanh" | "gelu_new" => Some(Self::GeluTanh),
            "quick_gelu" => Some(Self::QuickGelu),
            _ => None,
        }
    }
}

/// The sizes of a vision tower; the names are the configuration's.
#[derive(Debug, Clone, PartialEq)]
pub struct VisionConfig {
    /// Which tower.
    pub family: Family,
    /// Width of a token's state.
    pub hidden_size: usize,
    /// Width inside an MLP.
    pub intermediate_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Heads of each layer's attention.
    pub num_attention_heads: usize,
    /// Side of the picture, in pixels.
    pub image_size: usize,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Nonlinearity of the MLPs.
    pub hidden_act: Activation,
    /// Added to a variance before its root is taken.
    pub layer_norm_eps: f64,
    /// Whether a `SigLIP` tower ends in its pooling head.
    pub vision_use_head: bool,
    /// Width of a CLIP image embedding.
    pub projection_dim: usize,
    /// Side of the square of patches that Idefics3's connector makes one token of.
    pub scale_factor: usize,
    /// Width of the language model's tokens behind Idefics3's connector.
    pub text_hidden_size: usize,
}

impl VisionConfig {
    /// Reads `config.json` of `folder`.
    ///
    /// # Errors
    /// No or a damaged file, and [`TowerError::Unsupported`] for a model of another kind.
    pub fn read(folder: &Path) -> Result<Self, TowerError> {
        let file = folder.join("config.json");
        let config = read_object(folder, "config.json")?
            .ok_or_else(|| TowerError::missing(folder, "config.json"))?;
        let kind = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
        let (family, nested) = match kind {
            "idefics3" | "smolvlm" => (Family::Idefics3, true),
            "siglip" => (Family::Siglip, true),
            "siglip_vision_model" => (Family::Siglip, false),
            "clip" => (Family::Clip, true),
            "clip_vision_model" => (Family::Clip, false),
            _ => {
                let reason = format!("the vision encoder of a {kind:?} model is not known");
                return Err(TowerError::unsupported(folder, reason));
            }
        };
        let empty = Map::new();
        let part = |name| config.get(name).and_then(Value::as_object).unwrap_or(&empty);
        let vision = if nested { part("vision_config") } else { &config };
        let fields = Fields { file: &file, folder };
        let (hidden, inner, heads, patch, act, eps) = match family {
            Family::Idefics3 => (1152, 3072, 16, 32, "gelu_pytorch_tanh", 1e-6),
            Family::Siglip => (768, 3072, 12, 16, "gelu_pytorch_tanh", 1e-6),
            Family::Clip => (768, 3072, 12, 32, "quick_gelu", 1e-5),
        };
        let act = vision.get("hidden_act").and_then(Value::as_str).unwrap_or(act);
        let hidden_act = Activation::by_name(act).ok_or_else(|| {
            TowerError::unsupported(folder, format!("its activation {act:?} is not known"))
        })?;
        let eps = vision.get("layer_norm_eps").and_then(Value::as_f64).unwrap_or(eps);
        let projected = if nested { &config } else { vision };
        let read = Self {
            family,
            hidden_size: fields.size(vision, "hidden_size", hidden)?,
            intermediate_size: fields.size(vision, "intermediate_size", inner)?,
            num_hidden_layers: fields.size(vision, "num_hidden_layers", 12)?,
            num_attention_heads: fields.size(vision, "num_attention_heads", heads)?,
            image_size: fields.size(vision, "image_size", 224)?,
            patch_size: fields.size(vision, "patch_size", patch)?,
            hidden_act,
            layer_norm_eps: eps,
            vision_use_head: vision.get("vision_use_head").and_then(Value::as_bool).unwrap_or(true),
            projection_dim: fields.size(projected, "projection_dim", 512)?,
            scale_factor: fields.size(&config, "scale_factor", 2)?,
            text_hidden_size: fields.size(part("text_config"), "hidden_size", 4096)?,
        };
        if fields.size(vision, "num_channels", 3)? != 3 {
            return Err(TowerError::unsupported(folder, "it does not take RGB pictures"));
        }
        read.check(&file)?;
        Ok(read)
    }

    /// Refuses sizes that do not divide each other.
    fn check(&self, file: &Path) -> Result<(), TowerError> {
        let connected =
            self.family != Family::Idefics3 || self.side().is_multiple_of(self.scale_factor);
        if self.hidden_size.is_multiple_of(self.num_attention_heads)
            && self.image_size >= self.patch_size
            && connected
        {
            return Ok(());
        }
        let reason = "heads, patches and scale_factor do not divide the sizes they belong to";
        Err(TowerError::damaged(file, reason))
    }

    /// Patches along a side of the grid; what is left over at the right and the bottom is not seen.
    pub fn side(&self) -> usize {
        self.image_size / self.patch_size
    }

    /// Tokens before the patches: CLIP's class token.
    pub fn class_tokens(&self) -> usize {
        usize::from(self.family == Family::Clip)
    }

    /// Tokens of the tower: the patches, and CLIP's class token before them.
    pub fn tokens(&self) -> usize {
        self.side().pow(2) + self.class_tokens()
    }

    /// What the names of the tower's tensors begin with.
    pub fn prefix(&self) -> &'static str {
        match self.family {
            Family::Idefics3 => "model.vision_model",
            Family::Siglip | Family::Clip => "vision_model",
        }
    }
}

/// Reads sizes and says which file a wrong one is in.
pub(super) struct Fields<'a> {
    pub(super) file: &'a Path,
    pub(super) folder: &'a Path,
}

impl Fields<'_> {
    pub(super) fn size(
        &self,
        part: &Map<String, Value>,
        name: &str,
        default: usize,
    ) -> Result<usize, TowerError> {
        match part.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Array(_)) => {
                Err(TowerError::unsupported(self.folder, format!("its {name} is not square")))
            }
            Some(value) => value
                .as_u64()
                .and_then(|size| usize::try_from(size).ok())
                .filter(|size| (1..=MAX_SIZE).contains(size))
                .ok_or_else(|| {
                    let reason = format!("{name} must be a positive number up to {MAX_SIZE}");
                    TowerError::damaged(self.file, reason)
                }),
        }
    }
}

/// The JSON object in `name` of `folder`; `None` where there is no such file.
pub(crate) fn read_object(
    folder: &Path,
    name: &str,
) -> Result<Option<Map<String, Value>>, TowerError> {
    let file = folder.join(name);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(TowerError::damaged(&file, error.to_string())),
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => Ok(Some(object)),
        Ok(_) => Err(TowerError::damaged(&file, "not a JSON object")),
        Err(error) => Err(TowerError::damaged(&file, format!("not JSON ({error})"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<VisionConfig, TowerError> {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("config.json"), text).unwrap();
        VisionConfig::read(home.path())
    }

    #[test]
    fn fields_left_out_have_transformers_defaults() {
        let clip = read(r#"{"model_type": "clip", "vision_config": {}}"#).unwrap();
        assert_eq!((clip.hidden_size, clip.patch_size, clip.tokens()), (768, 32, 50));
        assert_eq!((clip.hidden_act, clip.projection_dim), (Activation::QuickGelu, 512));
        let siglip = read(r#"{"model_type": "siglip_vision_model", "image_size": 384}"#).unwrap();
        assert_eq!((siglip.patch_size, siglip.tokens(), siglip.class_tokens()), (16, 576, 0));
        assert_eq!(siglip.hidden_act, Activation::GeluTanh);
        let smol = r#"{"model_type": "idefics3", "scale_factor": 4,
            "vision_config": {"hidden_size": 768, "image_size": 512, "patch_size": 16,
            "num_attention_heads": 12}, "text_config": {"hidden_size": 576}}"#;
        let smol = read(smol).unwrap();
        assert_eq!((smol.tokens(), smol.scale_factor, smol.text_hidden_size), (1024, 4, 576));
    }

    #[test]
    fn other_models_are_refused_in_words() {
        let error = read(r#"{"model_type": "qwen2_vl"}"#).unwrap_err();
        assert!(matches!(error, TowerError::Unsupported { .. }));
        assert!(error.to_string().ends_with(
            "the vision encoder of a \"qwen2_vl\" model is not known: answers work, maps of the \
             encoder do not"
        ));
        let odd = r#"{"model_type": "siglip", "vision_config": {"hidden_act": "mish"}}"#;
        assert!(matches!(read(odd), Err(TowerError::Unsupported { .. })));
        let oblong = r#"{"model_type": "siglip", "vision_config": {"image_size": [1, 2]}}"#;
        assert!(matches!(read(oblong), Err(TowerError::Unsupported { .. })));
    }

    #[test]
    fn damaged_files_are_named() {
        let heads = r#"{"model_type": "clip", "vision_config": {"num_attention_heads": 7}}"#;
        let negative = r#"{"model_type": "clip", "vision_config": {"image_size": -1}}"#;
        let uneven = r#"{"model_type": "idefics3", "scale_factor": 2,
            "vision_config": {"image_size": 96}}"#;
        for text in [heads, negative, uneven, "[]", "{"] {
            assert!(matches!(read(text), Err(TowerError::Damaged { .. })), "{text}");
        }
        let home = tempfile::tempdir().unwrap();
        assert!(matches!(VisionConfig::read(home.path()), Err(TowerError::Missing { .. })));
    }
}
