//! What the user has set, each with the value it has before.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

/// The name of the model that is loaded where none was chosen.
pub const DEFAULT_MODEL: &str = "lorgnette-tiny";
/// The questions offered by a model that nothing is said of, before the user has any of their own.
const PRESETS: [&str; 6] = [
    "What is that?",
    "Describe this",
    "Read the text",
    "How many?",
    "What colour is it?",
    "Is it safe to eat?",
];
/// The longest answer that can be asked for, in tokens.
const MOST_TOKENS: usize = 4096;
/// The smallest window that can be worked in, in points.
const LEAST_WINDOW: (f32, f32) = (320.0, 240.0);
/// Beyond this many points lies no screen.
const MOST_POINTS: f32 = 32_768.0;
/// Below this a map cannot be told from the picture under it.
const LEAST_OPACITY: f32 = 0.1;
/// The words a picture is compared with before the user has any of their own.
const CHOICES: [&str; 6] = ["person", "animal", "plant", "food", "vehicle", "furniture"];

/// What the user has set. Every field has a default, so that the file of an older version loads.
///
/// Kept by [`Settings::save`], read by [`Settings::load`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a box to tick")]
pub struct Settings {
    /// The model to load at the start: the name of a shipped one, or a folder.
    pub model: String,
    /// Where to compute.
    pub device: Device,
    /// Precision of the language model's matrices in memory. The encoder is always f32 on a CPU.
    pub weights: Precision,
    /// The longest answer, in tokens, from 1 to 4096.
    #[serde(deserialize_with = "count")]
    pub max_tokens: usize,
    /// 0 takes the likeliest token each time; up to 2, the more varied the higher.
    pub temperature: f64,
    /// Light or dark.
    pub theme: Theme,
    /// The size of the text, as a factor of the usual one, from 0.75 to 2.5.
    pub text_size: f32,
    /// The camera.
    pub camera: CameraSettings,
    /// Asking again by itself.
    pub live: LiveSettings,
    /// Maps over the picture.
    pub maps: MapSettings,
    /// The questions that are offered, in their order. None of them is blank. As at first, they
    /// stand for those of the model: see [`Self::own_presets`].
    pub presets: Vec<String>,
    /// Whether answers are read aloud.
    pub read_aloud: bool,
    /// Whether a model that takes it is told what specialists see in a picture.
    pub evidence: bool,
    /// Whether a picture is looked at before it is asked about.
    pub look_ahead: bool,
    /// Whether text that was read in pictures goes along where a conversation is exported.
    pub export_text: bool,
    /// The certainty of an answer below which it is said that it is not sure, from 0 (never) to 1: a
    /// label's chance where the answer names one, else the geometric mean of its tokens'
    /// probabilities.
    pub unsure_below: f32,
    /// Where a picture was last opened from.
    pub pictures_folder: Option<PathBuf>,
    /// Where conversations are kept, if not in the data folder.
    pub history_folder: Option<PathBuf>,
    /// Where the window last was.
    pub window: Option<WindowPlace>,
    /// Whether the list of conversations is shown.
    pub sidebar: bool,
    /// Whether the details of an answer are shown.
    pub details: bool,
}

/// Where to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The graphics processor this build was made for where one answers, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
}

/// How exactly the language model's matrices are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 8-bit blocks with one scale for 32 weights, multiplied as integers.
    #[default]
    Q8_0,
    /// 32-bit floating point: four times the memory, the reference for parity.
    F32,
}

impl Precision {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Q8_0, Self::F32];

    /// The name in settings and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Q8_0 => "q8_0",
            Self::F32 => "f32",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|precision| precision.name() == name)
    }
}

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the rest of the desktop.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// The camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CameraSettings {
    /// Whether it is used at all.
    pub on: bool,
    /// The name of the one that was chosen; without it, the first there is.
    pub name: Option<String>,
    /// The width and height that were chosen, in pixels.
    pub size: Option<(u32, u32)>,
    /// Whether it is shown as in a mirror. What the model sees is never mirrored.
    pub mirror: bool,
}

/// Asking again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveSettings {
    /// The least time from question to question, in seconds, from 1 to 60.
    pub interval: f32,
    /// The change of the scene above which the question is asked again, from 0.002 to 0.5. See
    /// `scene::DEFAULT_THRESHOLD` for what it measures.
    pub threshold: f32,
}

/// Maps over the picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MapSettings {
    /// How much of the picture a map covers where it is strongest, from 0.1 to 1.
    pub opacity: f32,
    /// What a causal check fills hidden areas with.
    pub fill: Fill,
    /// The words that a dual encoder compares the picture with. None of them is blank. In the file they
    /// are called what they were at first.
    #[serde(rename = "labels")]
    pub choices: Vec<String>,
    /// The folder of the dual encoder, where one was chosen.
    pub dual: Option<PathBuf>,
    /// Whether every answer is tied to places in the picture as soon as it is complete.
    pub ground_answers: bool,
}

/// What a causal check fills hidden areas with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    /// The picture itself, blurred until nothing can be told.
    #[default]
    Blur,
    /// The mean colour of the picture.
    Mean,
}

/// Where a window was, in points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WindowPlace {
    /// The left edge, where the system tells it.
    #[serde(default)]
    pub x: Option<f32>,
    /// The top edge, where the system tells it.
    #[serde(default)]
    pub y: Option<f32>,
    /// The width of its inside while it is not maximized.
    pub width: f32,
    /// The height of its inside while it is not maximized.
    pub height: f32,
    /// Whether it filled the screen.
    #[serde(default)]
    pub maximized: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: DEFAULT_MODEL.to_owned(),
            device: Device::default(),
            weights: Precision::default(),
            max_tokens: 256,
            temperature: 0.0,
            theme: Theme::default(),
            text_size: 1.0,
            camera: CameraSettings::default(),
            live: LiveSettings::default(),
            maps: MapSettings::default(),
            presets: PRESETS.map(str::to_owned).to_vec(),
            read_aloud: false,
            evidence: true,
            look_ahead: true,
            export_text: true,
            unsure_below: 0.5,
            pictures_folder: None,
            history_folder: None,
            window: None,
            sidebar: true,
            details: false,
        }
    }
}

impl Default for CameraSettings {
    fn default() -> Self {
        // Nothing looks through the camera before its user asked for it.
        Self { on: false, name: None, size: None, mirror: true }
    }
}

impl Default for LiveSettings {
    fn default() -> Self {
        // Held equal to `scene::DEFAULT_THRESHOLD` by a test of `app::viewfinder`.
        Self { interval: 3.0, threshold: 0.01 }
    }
}

impl Default for MapSettings {
    fn default() -> Self {
        Self {
            opacity: 0.65,
            fill: Fill::default(),
            choices: CHOICES.map(str::to_owned).to_vec(),
            dual: None,
            ground_answers: true,
        }
    }
}

impl Settings {
    /// The questions that the user has chosen; `None` where they are as at first, also in the file of
    /// an older version, so that the model's own are offered.
    #[must_use]
    pub fn own_presets(&self) -> Option<&[String]> {
        (self.presets != PRESETS).then_some(&self.presets)
    }

    /// Brings every number into its range and drops what is blank: a file may say anything.
    pub fn clamp(&mut self) {
        self.clamp_numbers();
        self.presets.retain(|question| !question.trim().is_empty());
        self.maps.choices.retain(|word| !word.trim().is_empty());
    }

    /// Brings every number into its range. A question may be blank while it is typed anew.
    pub fn clamp_numbers(&mut self) {
        let usual = Self::default();
        if self.model.trim().is_empty() {
            self.model = usual.model;
        }
        self.max_tokens = self.max_tokens.clamp(1, MOST_TOKENS);
        let temperature = self.temperature.clamp(0.0, 2.0);
        self.temperature = if temperature.is_nan() { usual.temperature } else { temperature };
        self.text_size = within(self.text_size, 0.75, 2.5, usual.text_size);
        self.unsure_below = within(self.unsure_below, 0.0, 1.0, usual.unsure_below);
        let live = &mut self.live;
        live.interval = within(live.interval, 1.0, 60.0, usual.live.interval);
        live.threshold = within(live.threshold, 0.002, 0.5, usual.live.threshold);
        self.maps.opacity = within(self.maps.opacity, LEAST_OPACITY, 1.0, usual.maps.opacity);
        self.camera.size = self.camera.size.filter(|(width, height)| *width > 0 && *height > 0);
        let folders = [&mut self.pictures_folder, &mut self.history_folder, &mut self.maps.dual];
        for folder in folders {
            folder.take_if(|folder| folder.as_os_str().is_empty());
        }
        self.window.take_if(|window| window.width.is_nan() || window.height.is_nan());
        if let Some(window) = &mut self.window {
            window.width = window.width.clamp(LEAST_WINDOW.0, MOST_POINTS);
            window.height = window.height.clamp(LEAST_WINDOW.1, MOST_POINTS);
            for edge in [&mut window.x, &mut window.y] {
                edge.take_if(|edge| !(-MOST_POINTS..=MOST_POINTS).contains(edge));
            }
        }
    }
}

/// `value` in its range, or the `usual` one where it is no number at all.
fn within(value: f32, least: f32, most: f32, usual: f32) -> f32 {
    if value.is_nan() { usual } else { value.clamp(least, most) }
}

/// Any number as a count: what is below 0 or beyond the largest count is brought to the end.
fn count<'de, D: Deserializer<'de>>(number: D) -> Result<usize, D::Error> {
    f64::deserialize(number).map(|number| number as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_ranges() {
        let mut settings = Settings::default();
        settings.clamp();
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn questions_as_at_first_are_not_the_users_own() {
        let mut settings = Settings::default();
        assert_eq!(settings.own_presets(), None);
        settings.presets.pop();
        assert_eq!(settings.own_presets().unwrap().len(), PRESETS.len() - 1);
    }

    #[test]
    fn what_is_out_of_range_is_brought_back() {
        let mut settings = Settings {
            model: "  ".to_owned(),
            max_tokens: 0,
            temperature: -3.0,
            text_size: f32::INFINITY,
            camera: CameraSettings { size: Some((0, 720)), ..CameraSettings::default() },
            live: LiveSettings { interval: -1.0, threshold: f32::NAN },
            maps: MapSettings {
                opacity: -0.5,
                choices: vec![" ".to_owned(), "cat".to_owned()],
                dual: Some(PathBuf::new()),
                ..MapSettings::default()
            },
            presets: vec!["Why?".to_owned(), " \t".to_owned()],
            unsure_below: 7.0,
            pictures_folder: Some(PathBuf::new()),
            window: Some(WindowPlace {
                x: Some(f32::NAN),
                y: Some(-20.0),
                width: 1.0,
                height: f32::INFINITY,
                maximized: true,
            }),
            ..Settings::default()
        };
        settings.clamp();
        let usual = Settings::default();
        let window = WindowPlace {
            x: None,
            y: Some(-20.0),
            width: LEAST_WINDOW.0,
            height: MOST_POINTS,
            maximized: true,
        };
        let wanted = Settings {
            max_tokens: 1,
            text_size: 2.5,
            live: LiveSettings { interval: 1.0, ..usual.live },
            maps: MapSettings {
                opacity: LEAST_OPACITY,
                choices: vec!["cat".to_owned()],
                ..usual.maps
            },
            presets: vec!["Why?".to_owned()],
            unsure_below: 1.0,
            window: Some(window),
            ..usual
        };
        assert_eq!(settings, wanted);

        settings.temperature = f64::NAN;
        settings.max_tokens = usize::MAX;
        settings.maps.opacity = f32::NAN;
        settings.window = Some(WindowPlace { width: f32::NAN, ..window });
        settings.clamp();
        assert_eq!(settings.temperature.to_bits(), 0.0_f64.to_bits());
        assert_eq!(settings.maps.opacity.to_bits(), MapSettings::default().opacity.to_bits());
        assert_eq!((settings.max_tokens, settings.window), (MOST_TOKENS, None));
    }
}
