//! `lorgnette ask --heatmap`: the maps of an answer, drawn and written down.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use encoder::{EncoderMaps, Encoders};
use engine::LoadedModel;
use evidence::LabelMaps;
use explain::{Aim, Grounding, Place, Readback, Tie, Told, read_all};
use grounding::GroundingError;
use image::{Rgb, RgbImage};
use serde::Serialize;
use values::heatmap::Heatmap;
use values::heatmap::numbers::{Named, to_safetensors};
use values::heatmap::paint::{Scale, overlay};
use values::region::{PixelBox, Region};

use super::CliError;
use super::session::Session;

/// How much of the picture a map covers where it is strongest.
const OPACITY: f32 = 0.75;
/// The colour of boxes, which stands out from the colour map.
const BOX: Rgb<u8> = Rgb([255, 255, 255]);
/// The file with the raw numbers.
const NUMBERS: &str = "maps.safetensors";

/// The maps of an answer.
pub struct Maps {
    encoder: EncoderMaps,
    grounding: Grounding,
    /// Readings of the answer that it took, and their seconds.
    readings: usize,
    seconds: f64,
}

/// What JSON carries of them.
#[derive(Serialize)]
pub struct MapsReport<'a> {
    encoder_attention: Figures,
    /// Seconds that the vision encoder took for its attention.
    encoder_seconds: f64,
    words: Vec<WordReport<'a>>,
    phrases: Vec<PhraseReport<'a>>,
    /// How often the answer was read back, and the seconds it took.
    readings: usize,
    reading_seconds: f64,
}

/// A map in numbers.
#[derive(Serialize)]
struct Figures {
    rows: usize,
    cols: usize,
    min: f32,
    max: f32,
    /// Whether it is too even to say anything.
    low_contrast: bool,
}

#[derive(Serialize)]
struct WordReport<'a> {
    text: &'a str,
    bytes: &'a Range<usize>,
    map: Figures,
    /// How much more probable each part alone makes it than nothing does, in nats.
    seen_alone: Option<Figures>,
}

#[derive(Serialize)]
struct PhraseReport<'a> {
    text: &'a str,
    bytes: &'a Range<usize>,
    /// What ties it to its places: `label` where the label encoder sees one that it names, `alone`
    /// where a part of the picture, seen alone, makes the model say it.
    tied_by: &'static str,
    /// That label.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    /// Where it is, the surest place first; empty where nothing in the picture supports it.
    places: Vec<PlaceReport>,
    /// Null where its words have no tokens.
    map: Option<Figures>,
}

#[derive(Serialize)]
struct PlaceReport {
    /// In fractions of the picture.
    #[serde(rename = "box")]
    region: Region,
    /// The same in pixels: left, top, width, height.
    pixels: [u32; 4],
    /// By a label: its highest chance at any place. Alone: 1 - p(phrase | nothing) / p(phrase | the
    /// best part alone).
    strength: f32,
}

impl PlaceReport {
    fn of(Place { region, strength }: Place, (width, height): (u32, u32)) -> Self {
        let PixelBox { x, y, width, height } = region.pixels(width, height);
        Self { region, pixels: [x, y, width, height], strength }
    }
}

impl Figures {
    fn of(map: &Heatmap) -> Self {
        let stats = map.stats();
        let low_contrast = map.is_flat();
        Self { rows: map.rows(), cols: map.cols(), min: stats.min, max: stats.max, low_contrast }
    }
}

impl Maps {
    /// Has the answer read back as often as its maps need it. What names one of `labels` is tied by
    /// that.
    ///
    /// # Errors
    /// A model whose encoder or picture tokens are not understood.
    pub fn of(
        session: &mut Session,
        encoders: Encoders,
        model: &LoadedModel,
        told: Told,
        labels: Option<Arc<LabelMaps>>,
    ) -> Result<Self, CliError> {
        let vision = (encoders.vision)(&model.folder)?;
        let encoder = vision.attention(&told.picture)?;
        let aim = Aim::Ground(labels);
        let mut readback = Readback::new(told, &model.input, aim, &session.witness).patient();
        let found = read_all(&mut readback, |wanted| session.score(wanted))?;
        let grounding = found.grounding().ok_or(GroundingError::OtherAnswer)?;
        let Readback { readings, seconds, .. } = readback;
        Ok(Self { encoder, grounding, readings, seconds })
    }

    /// What JSON carries of them, for a picture of this size.
    pub fn report(&self, size: (u32, u32)) -> MapsReport<'_> {
        let words = self.grounding.words.iter().map(|found| WordReport {
            text: &found.text,
            bytes: &found.bytes,
            map: Figures::of(&found.map),
            seen_alone: found.seen.as_ref().map(Figures::of),
        });
        let phrases = self.grounding.phrases.iter().map(|phrase| PhraseReport {
            text: &phrase.text,
            bytes: &phrase.bytes,
            tied_by: if matches!(phrase.tie, Tie::Label(_)) { "label" } else { "alone" },
            label: if let Tie::Label(label) = &phrase.tie { Some(label) } else { None },
            places: phrase.places.iter().map(|place| PlaceReport::of(*place, size)).collect(),
            map: phrase.map.as_ref().map(Figures::of),
        });
        MapsReport {
            encoder_attention: Figures::of(&self.encoder.rollout),
            encoder_seconds: self.encoder.took.as_secs_f64(),
            words: words.collect(),
            phrases: phrases.collect(),
            readings: self.readings,
            reading_seconds: self.seconds,
        }
    }

    /// Draws them over `picture` into `folder`, and writes the raw numbers beside.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn write(&self, picture: &RgbImage, folder: &Path) -> Result<(), CliError> {
        let failed = |path: &Path, reason: String| CliError::File {
            file: path.display().to_string(),
            reason,
        };
        std::fs::create_dir_all(folder).map_err(|error| failed(folder, error.to_string()))?;
        let draw = |name: &str, map: &Heatmap, scale: Scale, places: &[Place]| {
            let mut drawn = overlay(picture, map, scale, OPACITY);
            for place in places {
                outline(&mut drawn, place.region);
            }
            let file = folder.join(format!("{name}.png"));
            drawn.save(&file).map_err(|error| failed(&file, error.to_string()))
        };
        let mut named: Vec<(String, String, &Heatmap)> = Vec::new();
        draw("encoder", &self.encoder.rollout, Scale::usual(&self.encoder.rollout), &[])?;
        named.push(("encoder".into(), "attention rollout".into(), &self.encoder.rollout));
        for (index, found) in self.grounding.words.iter().enumerate() {
            let name = file_name("word", index, &found.text);
            draw(&name, &found.map, Scale::of(&found.map), &[])?;
            named.push((name, format!("{}: its features (TAM)", found.text), &found.map));
            if let Some(map) = &found.seen {
                let name = file_name("seen", index, &found.text);
                draw(&name, map, Scale::of(map), &[])?;
                named.push((name, format!("{}: seen alone, in nats", found.text), map));
            }
        }
        for (index, phrase) in self.grounding.phrases.iter().enumerate() {
            let name = file_name("phrase", index, &phrase.text);
            let Some(map) = &phrase.map else { continue };
            draw(&name, map, Scale::of(map), &phrase.places)?;
            let of = match &phrase.tie {
                Tie::Label(label) => format!("where the label encoder sees {label}, in logits"),
                Tie::Alone => "seen alone, in nats".to_owned(),
            };
            named.push((name, format!("{}: {of}", phrase.text), map));
        }
        let named: Vec<Named<'_>> =
            named.iter().map(|(name, label, map)| Named { name, label, map }).collect();
        let numbers = to_safetensors(&named).map_err(|error| CliError::Maps(error.to_string()))?;
        let file = folder.join(NUMBERS);
        std::fs::write(&file, numbers).map_err(|error| failed(&file, error.to_string()))
    }
}

/// `word-02-bell-pepper`: in the order of the answer, and readable.
fn file_name(kind: &str, index: usize, text: &str) -> String {
    let letter = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let text: String = text.chars().map(letter).take(40).collect();
    let words: Vec<&str> = text.split('-').filter(|word| !word.is_empty()).collect();
    format!("{kind}-{:02}-{}", index + 1, words.join("-"))
}

/// Draws the edge of `region`, dark on both sides so that it stands out everywhere.
fn outline(drawn: &mut RgbImage, region: Region) {
    let (width, height) = drawn.dimensions();
    let PixelBox { x, y, width: w, height: h } = region.pixels(width, height);
    let line = (width.max(height) / 300).max(2);
    let edge = |depth: u32, colour: Rgb<u8>, drawn: &mut RgbImage| {
        for py in y..y + h {
            for px in x..x + w {
                let to_edge = (px - x).min(x + w - 1 - px).min(py - y).min(y + h - 1 - py);
                if to_edge < depth {
                    drawn.put_pixel(px, py, colour);
                }
            }
        }
    };
    edge(line + line.div_ceil(2), Rgb([0, 0, 0]), drawn);
    edge(line, BOX, drawn);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_their_words() {
        assert_eq!(file_name("word", 1, "T-shirt"), "word-02-t-shirt");
        assert_eq!(file_name("phrase", 0, "a red/black  cat…"), "phrase-01-a-red-black-cat");
    }

    #[test]
    fn a_box_is_drawn_inside_its_region() {
        let mut drawn = RgbImage::from_pixel(100, 60, Rgb([9; 3]));
        outline(&mut drawn, Region::new(0.5, 0.5, 0.5, 0.5).unwrap());
        assert_eq!(drawn.get_pixel(50, 30).0, [255; 3]);
        assert_eq!(drawn.get_pixel(99, 59).0, [255; 3]);
        assert_eq!(drawn.get_pixel(75, 45).0, [9; 3]);
        assert_eq!(drawn.get_pixel(49, 30).0, [9; 3]);
        outline(&mut drawn, Region::new(0.0, 0.0, 0.001, 0.001).unwrap());
    }
}
