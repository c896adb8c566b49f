//! Where Lorgnette keeps its things on this machine, and what its user has set.

mod settings;
mod store;

use std::path::{Path, PathBuf};

pub use settings::{
    CameraSettings, DEFAULT_MODEL, Device, Fill, LiveSettings, MapSettings, Precision, Settings,
    Theme, WindowPlace,
};
pub use store::SettingsNotice;

/// The question where none is asked.
pub const DEFAULT_QUESTION: &str = "What is that?";
/// Environment variable that names the cache folder, in place of the system's own.
pub const CACHE_VARIABLE: &str = "LORGNETTE_CACHE_DIR";
/// Environment variable that names the folder of shipped models.
pub const MODELS_VARIABLE: &str = "LORGNETTE_MODELS_DIR";
/// Environment variable that names the data folder, in place of the system's own.
pub const DATA_VARIABLE: &str = "LORGNETTE_DATA_DIR";

/// No folder to work in could be found, or the settings could not be kept in it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConfigError {
    /// The system names no home folder for this user.
    #[error(
        "this user has no home folder: set {CACHE_VARIABLE} and {DATA_VARIABLE} to folders that can be written"
    )]
    NoHome,
    /// Neither the program's neighbourhood nor the environment has a models folder.
    #[error(
        "the folder of shipped models was not found: install Lorgnette again, or set {MODELS_VARIABLE} to its models folder"
    )]
    NoModels,
    /// The settings could not be written.
    #[error(
        "the settings could not be saved in {folder} ({reason}): make room there, or set {DATA_VARIABLE} to a folder that can be written"
    )]
    NotSaved {
        /// The folder, as one printable line.
        folder: String,
        /// The system's words.
        reason: String,
    },
}

/// The folders of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// What can be made again: unpacked weights. Nothing in it is missed when deleted.
    pub cache: PathBuf,
    /// What cannot be made again: the settings, the conversations, the log.
    pub data: PathBuf,
    /// The models that ship with the program. Only ever read.
    pub models: PathBuf,
    /// The sample pictures that ship with the program. Only ever read.
    pub samples: PathBuf,
}

impl Folders {
    /// The folders of this user and this installation, with the environment's word first.
    ///
    /// # Errors
    /// When no cache folder, no data folder or no models folder can be named.
    pub fn find() -> Result<Self, ConfigError> {
        let variable = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let own = directories::ProjectDirs::from("org", "lorgnette", "Lorgnette");
        let own = own.as_ref();
        let cache = variable(CACHE_VARIABLE)
            .or_else(|| own.map(|dirs| dirs.cache_dir().to_path_buf()))
            .ok_or(ConfigError::NoHome)?;
        // Of this machine alone: a window's place and a camera's name mean nothing on another one.
        let data = variable(DATA_VARIABLE)
            .or_else(|| own.map(|dirs| dirs.data_local_dir().to_path_buf()))
            .ok_or(ConfigError::NoHome)?;
        let program = std::env::current_exe().unwrap_or_default();
        let models = variable(MODELS_VARIABLE)
            .or_else(|| shipped(&program, "models"))
            .ok_or(ConfigError::NoModels)?;
        let samples = shipped(&program, "assets/samples").unwrap_or_default();
        Ok(Self { cache, data, models, samples })
    }
}

/// The folder `name` of an installed bundle, or of the source tree that built `program`.
fn shipped(program: &Path, name: &str) -> Option<PathBuf> {
    let beside = program.parent()?;
    let source_tree = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    [
        beside.join(name),
        beside.join("../share/lorgnette").join(name),
        beside.join("../Resources").join(name),
        source_tree.join(name),
    ]
    .into_iter()
    .find(|folder| folder.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beside_the_program_comes_before_the_source_tree() {
        let bundle = tempfile::tempdir().unwrap();
        let program = bundle.path().join("bin/lorgnette");
        let shared = bundle.path().join("share/lorgnette/models");
        std::fs::create_dir_all(program.parent().unwrap()).unwrap();
        std::fs::create_dir_all(&shared).unwrap();
        let found = shipped(&program, "models").unwrap();
        assert_eq!(found.canonicalize().unwrap(), shared.canonicalize().unwrap());

        let beside = bundle.path().join("bin/models");
        std::fs::create_dir_all(&beside).unwrap();
        assert_eq!(shipped(&program, "models").unwrap(), beside);
    }
}
