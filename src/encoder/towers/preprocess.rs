//! From a picture to the numbers a tower reads.
//!
//! For Idefics3 the picture comes already squashed to the tower's size, as the engine sends it to
//! mistral.rs, and the arithmetic is mistral.rs's (`mistralrs-vision` 0.8.1 `transforms.rs`:
//! `ToTensorNoNorm`, `Rescale`, `Normalize`), step by step in f32. CLIP and `SigLIP` folders say
//! in `preprocessor_config.json` how they want a picture sized (`transformers`'
//! `image_processing_clip.py`, `image_processing_siglip.py`).

use std::path::Path;

use image::RgbImage;
use image::imageops::crop_imm;
use serde_json::{Map, Value};
use values::picture::{Filter, resize};
use values::region::Region;

use super::config::{Family, VisionConfig, read_object};
use super::error::TowerError;

/// A picture as a tower reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pixels {
    /// `[3, side, side]`, rescaled and normalised.
    pub values: Vec<f32>,
    /// Rows and columns.
    pub side: usize,
    /// The part of the picture that is left after cropping.
    pub area: Region,
}

/// How a picture gets the tower's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sizing {
    /// It must come with it.
    Given,
    /// Width and height alike become the tower's; the aspect is not kept.
    Squash(Filter),
    /// The shorter side becomes so many pixels, then the middle is cut out.
    Crop(u32, Filter),
}

/// Sizes and normalises pictures for one tower.
#[derive(Debug, Clone)]
pub struct Preprocessor {
    side: u32,
    sizing: Sizing,
    /// What each byte of each channel becomes.
    table: [Vec<f32>; 3],
}

impl Preprocessor {
    /// Reads `preprocessor_config.json` of `folder`.
    ///
    /// # Errors
    /// No or a damaged file, or one that asks for what is not known here.
    pub fn read(folder: &Path, config: &VisionConfig) -> Result<Self, TowerError> {
        let name = "preprocessor_config.json";
        let file = folder.join(name);
        let settings =
            read_object(folder, name)?.ok_or_else(|| TowerError::missing(folder, name))?;
        let side = u32::try_from(config.image_size).unwrap_or(u32::MAX);
        let sizing = match config.family {
            Family::Idefics3 => Sizing::Given,
            Family::Siglip | Family::Clip => {
                Settings { folder, settings: &settings }.sizing(side, config.family)?
            }
        };
        let flag = |name: &str| settings.get(name).and_then(Value::as_bool).unwrap_or(true);
        let factor = settings.get("rescale_factor").and_then(Value::as_f64).unwrap_or(1.0 / 255.0);
        let (mean, std) = match config.family {
            // OPENAI_CLIP_MEAN and OPENAI_CLIP_STD of transformers' `image_utils.py`.
            Family::Clip => (
                [0.481_454_66, 0.457_827_5, 0.408_210_73],
                [0.268_629_54, 0.261_302_58, 0.275_777_11],
            ),
            Family::Idefics3 | Family::Siglip => ([0.5; 3], [0.5; 3]),
        };
        let channels = |name: &str, default: [f64; 3]| match settings.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => serde_json::from_value::<[f64; 3]>(value.clone())
                .ok()
                .filter(|numbers| name != "image_std" || !numbers.contains(&0.0))
                .ok_or_else(|| TowerError::damaged(&file, format!("{name} must be 3 numbers"))),
        };
        let (mean, std) = (channels("image_mean", mean)?, channels("image_std", std)?);
        let (rescale, normalize) = (flag("do_rescale"), flag("do_normalize"));
        let table = [0, 1, 2].map(|channel: usize| {
            let value = |byte: u8| {
                let mut value = f32::from(byte);
                if rescale {
                    // candle's `tensor * factor` multiplies in f32 and adds nothing.
                    value *= factor as f32;
                }
                if normalize {
                    value = (value - mean[channel] as f32) / std[channel] as f32;
                }
                value
            };
            (0..=u8::MAX).map(value).collect()
        });
        Ok(Self { side, sizing, table })
    }

    /// Side of the tower's picture, in pixels.
    pub fn side(&self) -> u32 {
        self.side
    }

    /// Sizes `picture` where the model's files say how, and normalises it.
    ///
    /// # Errors
    /// For Idefics3, a picture that does not have the tower's size; a picture without pixels.
    pub fn pixels(&self, picture: &RgbImage) -> Result<Pixels, TowerError> {
        let side = self.side;
        let (width, height) = picture.dimensions();
        let wrong_size = TowerError::PictureSize { width, height, side };
        if width == 0 || height == 0 {
            return Err(wrong_size);
        }
        let resized;
        let (picture, area) = match self.sizing {
            Sizing::Given if (width, height) != (side, side) => return Err(wrong_size),
            Sizing::Given => (picture, Region::WHOLE),
            Sizing::Squash(filter) => {
                resized = resize(picture, side, side, filter);
                (&resized, Region::WHOLE)
            }
            Sizing::Crop(shortest, filter) => {
                let (wide, high) = shortest_edge(width, height, shortest);
                let (left, top) = ((wide - side) / 2, (high - side) / 2);
                let whole = resize(picture, wide, high, filter);
                resized = crop_imm(&whole, left, top, side, side).to_image();
                let part = |pixels: u32, of: u32| pixels as f32 / of as f32;
                let area = Region::new(
                    part(left, wide),
                    part(top, high),
                    part(side, wide),
                    part(side, high),
                );
                (&resized, area.unwrap_or(Region::WHOLE))
            }
        };
        let mut values = Vec::with_capacity(picture.as_raw().len());
        for (channel, table) in self.table.iter().enumerate() {
            let bytes = picture.as_raw().iter().skip(channel).step_by(3);
            values.extend(bytes.map(|byte| table[usize::from(*byte)]));
        }
        Ok(Pixels { values, side: side as usize, area })
    }
}

/// Width and height with the shorter one `shortest` and the other cut to whole pixels
/// (`get_resize_output_image_size` of transformers' `image_transforms.py`).
fn shortest_edge(width: u32, height: u32, shortest: u32) -> (u32, u32) {
    let (short, long) = (width.min(height), width.max(height));
    let longer = u64::from(shortest) * u64::from(long) / u64::from(short);
    let longer = u32::try_from(longer).unwrap_or(u32::MAX);
    if width <= height { (shortest, longer) } else { (longer, shortest) }
}

/// `preprocessor_config.json` with its folder, for messages.
struct Settings<'a> {
    folder: &'a Path,
    settings: &'a Map<String, Value>,
}

impl Settings<'_> {
    fn sizing(&self, side: u32, family: Family) -> Result<Sizing, TowerError> {
        let flag = |name: &str, default| {
            self.settings.get(name).and_then(Value::as_bool).unwrap_or(default)
        };
        if !flag("do_resize", true) {
            return Err(self.unsupported("its preprocessor does not resize"));
        }
        // By Pillow's numbers.
        let filter = match self.settings.get("resample").and_then(Value::as_u64) {
            Some(0) => Filter::Nearest,
            Some(1) => Filter::Lanczos,
            Some(2) => Filter::Bilinear,
            None | Some(3) => Filter::Bicubic,
            Some(other) => {
                return Err(
                    self.unsupported(&format!("its resampling filter {other} is not known"))
                );
            }
        };
        let cropped = flag("do_center_crop", family == Family::Clip);
        let given = self.settings.get("size");
        let edge = |name: &str| given.and_then(|size| size.get(name)).and_then(Value::as_u64);
        // Older files hold a bare number: the shorter side for CLIP.
        let bare = given.and_then(Value::as_u64).filter(|_| cropped);
        let shortest = bare.or_else(|| edge("shortest_edge"));
        let squashed = edge("height").zip(edge("width"));
        let wanted = u64::from(side);
        match (shortest, squashed) {
            (Some(shortest), _) if cropped => {
                let crop = self.settings.get("crop_size");
                let crop = crop.map_or(Some((wanted, wanted)), |crop| {
                    let side = |name: &str| crop.get(name).and_then(Value::as_u64);
                    crop.as_u64()
                        .map(|side| (side, side))
                        .or_else(|| side("height").zip(side("width")))
                });
                match u32::try_from(shortest) {
                    Ok(edge) if crop == Some((wanted, wanted)) && edge >= side => {
                        Ok(Sizing::Crop(edge, filter))
                    }
                    _ => Err(self.unsupported("its crop is not the size of its tower")),
                }
            }
            // A crop of the same size takes nothing away.
            (None, Some(both)) if both == (wanted, wanted) => Ok(Sizing::Squash(filter)),
            (None, None) if given.is_none() && cropped => Ok(Sizing::Crop(side, filter)),
            (None, None) if given.is_none() => Ok(Sizing::Squash(filter)),
            _ => Err(self.unsupported("its preprocessor does not give the size of its tower")),
        }
    }

    fn unsupported(&self, reason: &str) -> TowerError {
        TowerError::unsupported(self.folder, reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, settings: &str) -> Result<Preprocessor, TowerError> {
        let home = tempfile::tempdir().unwrap();
        let config = format!(r#"{{"model_type": "{kind}", "scale_factor": 1}}"#);
        std::fs::write(home.path().join("config.json"), config).unwrap();
        std::fs::write(home.path().join("preprocessor_config.json"), settings).unwrap();
        Preprocessor::read(home.path(), &VisionConfig::read(home.path()).unwrap())
    }

    #[test]
    fn sizes_are_read_in_each_form_they_come_in() {
        let sizing = |kind, settings| read(kind, settings).map(|read| read.sizing);
        let crop = Ok(Sizing::Crop(224, Filter::Bicubic));
        assert_eq!(sizing("clip", "{}"), crop);
        assert_eq!(sizing("clip", r#"{"size": 224, "crop_size": 224}"#), crop);
        let named = r#"{"size": {"shortest_edge": 256}, "resample": 2,
            "crop_size": {"height": 224, "width": 224}}"#;
        assert_eq!(sizing("clip", named), Ok(Sizing::Crop(256, Filter::Bilinear)));
        assert_eq!(sizing("siglip", "{}"), Ok(Sizing::Squash(Filter::Bicubic)));
        let squash = r#"{"size": {"height": 224, "width": 224}, "resample": 1}"#;
        assert_eq!(sizing("siglip", squash), Ok(Sizing::Squash(Filter::Lanczos)));
        for other in [
            r#"{"size": {"height": 224, "width": 200}}"#,
            r#"{"size": {"shortest_edge": 200}}"#,
            r#"{"crop_size": 112, "size": 224}"#,
            r#"{"do_resize": false}"#,
            r#"{"resample": 9}"#,
        ] {
            let found = sizing("clip", other);
            assert!(matches!(found, Err(TowerError::Unsupported { .. })), "{other}: {found:?}");
        }
        let std = r#"{"image_std": [1, 0, 1]}"#;
        assert!(matches!(read("siglip", std), Err(TowerError::Damaged { .. })));
    }

    #[test]
    fn the_shorter_side_decides_and_the_other_is_cut_to_whole_pixels() {
        assert_eq!(shortest_edge(75, 50, 28), (42, 28));
        assert_eq!(shortest_edge(50, 77, 28), (28, 43));
        assert_eq!(shortest_edge(9, 9, 28), (28, 28));
    }

    #[test]
    fn bytes_become_what_mistral_rs_makes_of_them() {
        use candle_core::{DType, Device, Tensor};

        let settings = r#"{"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
            "rescale_factor": 0.00392156862745098}"#;
        let read = read("idefics3", settings).unwrap();
        // Its own steps, in its own order, in candle.
        let bytes = Tensor::arange(0u8, 255, &Device::Cpu).unwrap().to_dtype(DType::F32).unwrap();
        let rescaled = (bytes * 0.003_921_568_627_450_98).unwrap();
        for (channel, (mean, std)) in
            [(0.485f32, 0.229f32), (0.456, 0.224), (0.406, 0.225)].into_iter().enumerate()
        {
            let [mean, std] = [mean, std].map(|value| Tensor::new(&[value], &Device::Cpu).unwrap());
            let wanted = rescaled.broadcast_sub(&mean).unwrap().broadcast_div(&std).unwrap();
            assert_eq!(read.table[channel][..255], wanted.to_vec1::<f32>().unwrap());
        }
    }

    #[test]
    fn a_picture_without_pixels_is_refused() {
        let clip = read("clip", "{}").unwrap();
        assert!(matches!(
            clip.pixels(&RgbImage::new(0, 5)),
            Err(TowerError::PictureSize { width: 0, .. })
        ));
    }
}
