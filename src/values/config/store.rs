//! The settings as a file: nothing the user set is lost, not even by a file that is damaged.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{ConfigError, Settings};
use crate::text::one_line;

const FILE: &str = "settings.json";
/// A larger file holds no settings.
const MOST_BYTES: u64 = 1 << 20;

/// What the user should know about how the settings were read. The program goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsNotice {
    /// The file made no sense at all.
    #[error("the settings file is damaged, so everything is as at first{}", keeping(.kept.as_deref()))]
    Damaged {
        /// The file under its new name; none where it could not be kept.
        kept: Option<PathBuf>,
    },
    /// Some of the file made no sense; the rest is in use.
    #[error("some settings could not be read and are as at first: {}{}", .fields.join(", "), keeping(.kept.as_deref()))]
    Mended {
        /// The settings concerned, such as `live.interval`.
        fields: Vec<String>,
        /// A copy of the file as it was; none where it could not be made.
        kept: Option<PathBuf>,
    },
    /// The file could not be read.
    #[error("the settings in {folder} could not be read ({reason}), so everything is as at first")]
    Unreadable {
        /// The folder, as one printable line.
        folder: String,
        /// The system's words.
        reason: String,
    },
}

fn keeping(kept: Option<&Path>) -> String {
    let name = kept.and_then(Path::file_name);
    name.map_or_else(String::new, |name| format!("; the old file is kept as {}", name.display()))
}

impl Settings {
    /// The settings kept in `folder`, or the defaults where there are none yet.
    ///
    /// Never fails: whatever cannot be read has its default, a damaged file is kept under another
    /// name, and the notice tells the user.
    #[must_use]
    pub fn load(folder: &Path) -> (Self, Option<SettingsNotice>) {
        let file = folder.join(FILE);
        let text = match read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return (Self::default(), None);
            }
            Err(error) => {
                let (folder, reason) = (line(folder), error.to_string());
                return (Self::default(), Some(SettingsNotice::Unreadable { folder, reason }));
            }
        };
        let Some(found) = parse(&text) else {
            let kept = set_aside(&file).ok();
            return (Self::default(), Some(SettingsNotice::Damaged { kept }));
        };
        let (mut settings, fields) = understand(&found);
        settings.clamp();
        if fields.is_empty() {
            return (settings, None);
        }
        let kept = copy_aside(&file).ok();
        // So that the next start does not complain again. Where it cannot be written, it does.
        if kept.is_some() {
            drop(settings.save(folder));
        }
        (settings, Some(SettingsNotice::Mended { fields, kept }))
    }

    /// Keeps the settings in `folder`, which is made where it is missing.
    ///
    /// All or nothing: a reader, or a start after a crash, finds the old file or the new one.
    /// Fields that only a newer version knows stay in the file.
    ///
    /// # Errors
    /// [`ConfigError::NotSaved`]; the old file is as it was.
    pub fn save(&self, folder: &Path) -> Result<(), ConfigError> {
        self.write(folder).map_err(|error| ConfigError::NotSaved {
            folder: line(folder),
            reason: error.to_string(),
        })
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let link = folder.join(FILE);
        // A link to a file that is kept elsewhere stays one.
        let file = fs::canonicalize(&link).unwrap_or(link);
        let mut settings = self.clone();
        settings.clamp();
        let mut value = serde_json::to_value(&settings)?;
        match read(&file) {
            Ok(text) => match parse(&text) {
                Some(old) => keep_unknown(&mut value, old),
                None => drop(set_aside(&file)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => drop(set_aside(&file)?),
        }
        let mut text = serde_json::to_vec_pretty(&value)?;
        text.push(b'\n');
        let mut new = tempfile::NamedTempFile::new_in(file.parent().unwrap_or(folder))?;
        new.write_all(&text)?;
        // Without it a power cut can leave the new name with none of its content.
        new.as_file().sync_all()?;
        new.persist(&file)?;
        Ok(())
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    fs::File::open(file)?.take(MOST_BYTES + 1).read_to_end(&mut text)?;
    Ok(text)
}

/// The JSON object that the file's text is.
fn parse(text: &[u8]) -> Option<Value> {
    // Some editors on Windows put a byte order mark first.
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let fits = text.len() as u64 <= MOST_BYTES;
    fits.then(|| serde_json::from_slice(text).ok()).flatten().filter(Value::is_object)
}

/// The settings that `found` holds, and the names of those that make no sense and have their
/// defaults.
fn understand(found: &Value) -> (Settings, Vec<String>) {
    if let Ok(settings) = settings_of(found) {
        return (settings, Vec::new());
    }
    let mut good = serde_json::to_value(Settings::default()).unwrap_or_default();
    let mut bad = Vec::new();
    take_over(&mut good, "", found, &mut bad);
    (settings_of(&good).unwrap_or_default(), bad)
}

fn settings_of(value: &Value) -> serde_json::Result<Settings> {
    Settings::deserialize(value)
}

/// Takes every field below `path` from `found` with which `good` still makes settings; names the
/// others.
fn take_over(good: &mut Value, path: &str, found: &Value, bad: &mut Vec<String>) {
    let Some(fields) = found.pointer(path).and_then(Value::as_object) else { return };
    for (name, value) in fields {
        let inner = format!("{path}/{name}");
        // What is not known here is kept by `save`.
        let Some(place) = good.pointer_mut(&inner) else { continue };
        let usual = std::mem::replace(place, value.clone());
        let whole = usual.is_object() && value.is_object();
        if settings_of(good).is_ok() {
            continue;
        }
        if let Some(place) = good.pointer_mut(&inner) {
            *place = usual;
        }
        if whole {
            take_over(good, &inner, found, bad);
        } else {
            bad.push(inner[1..].replace('/', "."));
        }
    }
}

/// Adds to `value` what it has no field for.
fn keep_unknown(value: &mut Value, old: Value) {
    if let (Value::Object(value), Value::Object(old)) = (value, old) {
        for (name, old) in old {
            match value.get_mut(&name) {
                Some(value) => keep_unknown(value, old),
                None => drop(value.insert(name, old)),
            }
        }
    }
}

/// Gives the file a name under which nothing replaces it.
fn set_aside(file: &Path) -> io::Result<PathBuf> {
    let free = free_name(file)?;
    fs::rename(file, &free)?;
    Ok(free)
}

fn copy_aside(file: &Path) -> io::Result<PathBuf> {
    let free = free_name(file)?;
    fs::copy(file, &free)?;
    Ok(free)
}

fn free_name(file: &Path) -> io::Result<PathBuf> {
    let names = (1..1000).map(|n| file.with_file_name(format!("settings.damaged-{n}.json")));
    let mut free = names.filter(|name| fs::symlink_metadata(name).is_err());
    free.next().ok_or_else(|| io::ErrorKind::AlreadyExists.into())
}

/// A path as one printable line.
fn line(path: &Path) -> String {
    one_line(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::super::{CameraSettings, Device, LiveSettings, Theme};
    use super::*;

    fn folder_with(text: impl AsRef<[u8]>) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), text).unwrap();
        folder
    }

    fn file_text(folder: &tempfile::TempDir, name: &str) -> String {
        fs::read_to_string(folder.path().join(name)).unwrap()
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("not/yet/there");
        assert_eq!(Settings::load(&folder), (Settings::default(), None));
        let settings = Settings {
            model: "/models/a \"large\" one".to_owned(),
            device: Device::Cpu,
            temperature: 0.7,
            theme: Theme::Dark,
            text_size: 1.3,
            camera: CameraSettings {
                name: Some("Kamera é".to_owned()),
                size: Some((1280, 720)),
                mirror: false,
                on: false,
            },
            live: LiveSettings { interval: 12.5, threshold: 0.1 },
            presets: vec!["Was ist das?".to_owned()],
            history_folder: Some(PathBuf::from("elsewhere")),
            window: Some(super::super::WindowPlace {
                x: None,
                y: Some(3.0),
                width: 800.0,
                height: 600.0,
                maximized: true,
            }),
            ..Settings::default()
        };
        settings.save(&folder).unwrap();
        assert_eq!(Settings::load(&folder), (settings.clone(), None));
        Settings::default().save(&folder).unwrap();
        assert_eq!(Settings::load(&folder), (Settings::default(), None));
        let left = fs::read_dir(&folder).unwrap().count();
        assert_eq!(left, 1, "nothing half-made stays behind");
    }

    #[test]
    fn an_older_file_has_defaults_for_what_is_new_and_a_newer_one_keeps_what_is_unknown() {
        let folder = folder_with(
            "\u{feff}{\"theme\": \"light\", \"hologram\": [1, 2], \"camera\": {\"zoom\": 3, \"mirror\": false}}",
        );
        let (mut settings, notice) = Settings::load(folder.path());
        assert_eq!(notice, None);
        let camera = CameraSettings { mirror: false, ..CameraSettings::default() };
        let wanted = Settings { theme: Theme::Light, camera, ..Settings::default() };
        assert_eq!(settings, wanted);

        settings.theme = Theme::Dark;
        settings.save(folder.path()).unwrap();
        let file: Value = serde_json::from_str(&file_text(&folder, FILE)).unwrap();
        assert_eq!(file["hologram"], serde_json::json!([1, 2]));
        assert_eq!(file["camera"]["zoom"], 3);
        assert_eq!(file["theme"], "dark");
        assert_eq!(Settings::load(folder.path()), (settings, None));
    }

    #[test]
    fn a_damaged_file_is_kept_and_named() {
        let huge = format!("{{\"model\": \"{}\"}}", "x".repeat(1 << 20));
        for text in ["", "{\"theme\": \"dark\"", "[1, 2]", "\0\0\0\0", &huge] {
            let folder = folder_with(text);
            fs::write(folder.path().join("settings.damaged-1.json"), "an earlier one").unwrap();
            let (settings, notice) = Settings::load(folder.path());
            assert_eq!(settings, Settings::default());
            let notice = notice.unwrap();
            let kept = folder.path().join("settings.damaged-2.json");
            assert_eq!(notice, SettingsNotice::Damaged { kept: Some(kept) });
            assert!(notice.to_string().ends_with("kept as settings.damaged-2.json"), "{notice}");
            assert_eq!(file_text(&folder, "settings.damaged-1.json"), "an earlier one");
            assert_eq!(file_text(&folder, "settings.damaged-2.json"), text);
            assert_eq!(Settings::load(folder.path()).1, None, "it is told once");
        }
    }

    #[test]
    fn one_wrong_field_loses_no_other() {
        let text = r#"{"theme": "purple", "max_tokens": 77, "presets": ["Why?"], "new": 1,
            "live": {"interval": "often", "threshold": 0.25}, "window": {"width": "wide"},
            "camera": 7, "sidebar": false}"#;
        let folder = folder_with(text);
        let (settings, notice) = Settings::load(folder.path());
        let usual = Settings::default();
        let wanted = Settings {
            max_tokens: 77,
            presets: vec!["Why?".to_owned()],
            live: LiveSettings { threshold: 0.25, ..usual.live },
            sidebar: false,
            ..usual
        };
        assert_eq!(settings, wanted);
        let kept = folder.path().join("settings.damaged-1.json");
        let mut fields: Vec<_> =
            ["camera", "live.interval", "theme", "window"].map(str::to_owned).to_vec();
        let Some(SettingsNotice::Mended { fields: mut told, kept: Some(place) }) = notice else {
            panic!("{notice:?}")
        };
        fields.sort();
        told.sort();
        assert_eq!((told, place), (fields, kept));
        assert_eq!(file_text(&folder, "settings.damaged-1.json"), text);
        assert_eq!(Settings::load(folder.path()), (settings, None), "it is mended and told once");
        assert!(file_text(&folder, FILE).contains("\"new\": 1"));
    }

    #[test]
    fn numbers_out_of_range_are_clamped_without_a_word() {
        let folder = folder_with(
            r#"{"max_tokens": -4, "text_size": 1e300, "temperature": 99, "live": {"interval": 0}}"#,
        );
        let (settings, notice) = Settings::load(folder.path());
        assert_eq!(notice, None);
        let usual = Settings::default();
        let wanted = Settings {
            max_tokens: 1,
            text_size: 2.5,
            temperature: 2.0,
            live: LiveSettings { interval: 1.0, ..usual.live },
            ..usual
        };
        assert_eq!(settings, wanted);

        let wild = Settings { temperature: f64::NAN, text_size: f32::NAN, ..wanted.clone() };
        wild.save(folder.path()).unwrap();
        let saved = Settings { temperature: 0.0, text_size: 1.0, ..wanted };
        assert_eq!(Settings::load(folder.path()), (saved, None));
    }

    #[test]
    fn what_cannot_be_read_or_written_is_told_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        fs::create_dir(&file).unwrap();
        fs::write(file.join("precious"), "kept").unwrap();
        let (settings, notice) = Settings::load(folder.path());
        assert_eq!(settings, Settings::default());
        assert!(matches!(notice, Some(SettingsNotice::Unreadable { .. })), "{notice:?}");
        settings.save(folder.path()).unwrap();
        assert_eq!(Settings::load(folder.path()), (settings.clone(), None));
        assert_eq!(file_text(&folder, "settings.damaged-1.json/precious"), "kept");

        let blocked = folder.path().join("settings.json/inside");
        let error = settings.save(&blocked).unwrap_err();
        assert!(error.to_string().starts_with("the settings could not be saved in "), "{error}");
        assert!(error.to_string().contains("LORGNETTE_DATA_DIR"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_the_settings_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("dotfiles.json");
        fs::write(&real, "{}").unwrap();
        std::os::unix::fs::symlink(&real, folder.path().join(FILE)).unwrap();
        let settings = Settings { sidebar: false, ..Settings::default() };
        settings.save(folder.path()).unwrap();
        assert!(fs::read_to_string(&real).unwrap().contains("\"sidebar\": false"));
        assert!(fs::symlink_metadata(folder.path().join(FILE)).unwrap().is_symlink());
        assert_eq!(Settings::load(folder.path()), (settings, None));
    }
}
