//! Models on disk: finding one, and checking a folder before the engine is trusted with it.
//!
//! [`locate`] turns what the user named into a folder, [`validate`] reads everything in it that the
//! engine would trip over, [`overlay`] brings what it needs in another form. `model_store/unpack`, a
//! crate of its own since it stands on candle, makes a folder ready to load. Nothing here touches
//! the network.

mod manifest;
pub mod overlay;
mod validate;

use std::path::{Component, Path, PathBuf};

use values::config::{DEFAULT_MODEL, Folders};
use values::job::Progress;

pub use manifest::{Manifest, Part, Revision, Unpacked};
pub use validate::{ModelFacts, Replacements, validate};

/// Why a model folder cannot be used. Each message is one line that says what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ModelError {
    /// Nothing of that name is shipped, and no folder lies at that path.
    #[error("there is no model called {0:?}: name a shipped model or a folder with a checkpoint")]
    Unknown(String),
    /// The model has no such revision.
    #[error("{name} has no revision {revision:?}: name {}", if known.is_empty() { "it without one".to_owned() } else { known.join(" or ") })]
    NoRevision {
        /// The model.
        name: String,
        /// What was asked for.
        revision: String,
        /// Those it has.
        known: Vec<String>,
    },
    /// A file that every model of this kind has is not there.
    #[error("{}: the model lacks {file}: copy or download the model again", folder.display())]
    Missing {
        /// The model's folder.
        folder: PathBuf,
        /// What is missing, in words that name a file.
        file: String,
    },
    /// A file is there, but is not what it should be.
    #[error("{}: {reason}: copy or download the model again", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The engine cannot run this kind of model.
    #[error("{}: {reason}", folder.display())]
    Unsupported {
        /// The model's folder.
        folder: PathBuf,
        /// Which kind it is and why it cannot be used.
        reason: String,
    },
    /// The disk is full.
    #[error("{}: the disk is full: free {} MB, or set {} to a folder on another disk", folder.display(), needed / 1_000_000, values::config::CACHE_VARIABLE)]
    DiskFull {
        /// Where it was written.
        folder: PathBuf,
        /// Bytes needed in all.
        needed: u64,
    },
    /// The cache folder cannot be written.
    #[error("{}: cannot be written ({reason}): set {} to a folder that can", folder.display(), values::config::CACHE_VARIABLE)]
    NotWritable {
        /// The folder.
        folder: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// Another trouble with a file.
    #[error("{}: {reason}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        reason: String,
    },
}

impl ModelError {
    /// [`ModelError::Io`] in `file`.
    pub fn io(file: &Path, error: &std::io::Error) -> Self {
        Self::Io { file: file.to_path_buf(), reason: error.to_string() }
    }

    /// [`ModelError::Damaged`] in `file`.
    pub fn damaged(file: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { file: file.to_path_buf(), reason: reason.into() }
    }
}

/// What making a model ready is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Waiting for another Lorgnette that unpacks the same model.
    Waiting,
    /// Comparing the unpacked weights with their hash.
    Verifying(Progress),
    /// Unpacking the shipped container into the cache.
    Unpacking(Progress),
}

/// A model that was found: a folder, not yet looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFolder {
    /// What the user calls it: a shipped model's name, or the folder's.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// The revision that was asked for; without one, the manifest's default answers.
    pub revision: Option<String>,
}

/// Finds the model called `wanted`: a shipped model's name, or that and a revision (`NAME@2`), else
/// a path to a folder.
///
/// # Errors
/// [`ModelError::Unknown`] where there is neither, [`ModelError::NoRevision`] where the shipped
/// model has no such revision, and what is wrong with its manifest.
pub fn locate(folders: &Folders, wanted: &str) -> Result<ModelFolder, ModelError> {
    if let Some(model) = shipped_folder(folders, wanted) {
        return Ok(model);
    }
    if let Some((name, revision)) = wanted.rsplit_once('@')
        && let Some(model) = shipped_folder(folders, name)
    {
        return with_revision(model, revision);
    }
    let path = PathBuf::from(wanted);
    if !path.is_dir() {
        return Err(ModelError::Unknown(wanted.to_owned()));
    }
    let name = path
        .canonicalize()
        .ok()
        .and_then(|full| full.file_name().map(|name| name.to_string_lossy().into_owned()))
        .unwrap_or_else(|| wanted.to_owned());
    Ok(ModelFolder { name, path, revision: None })
}

/// What [`locate`] takes for the shipped model that a record names: that very revision where it is
/// still shipped, else its default; `None` where nothing of that name is shipped.
///
/// A record is outside data: its words are never taken for a folder.
#[must_use]
pub fn recorded(folders: &Folders, name: &str, revision: &str) -> Option<String> {
    let model = shipped_folder(folders, name)?;
    let is_there = with_revision(model, revision).is_ok();
    Some(if is_there { format!("{name}@{revision}") } else { name.to_owned() })
}

fn shipped_folder(folders: &Folders, name: &str) -> Option<ModelFolder> {
    let path = folders.models.join(name);
    let mut components = Path::new(name).components();
    let is_a_plain_name =
        matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
    let is_there = is_a_plain_name && path.is_dir();
    is_there.then(|| ModelFolder { name: name.to_owned(), path, revision: None })
}

fn with_revision(model: ModelFolder, revision: &str) -> Result<ModelFolder, ModelError> {
    let revision = revision.to_owned();
    let Some(manifest) = Manifest::read(&model.path)? else {
        return Err(ModelError::NoRevision { name: model.name, revision, known: Vec::new() });
    };
    manifest.wanted(Some(&revision))?;
    Ok(ModelFolder { revision: Some(revision), ..model })
}

/// The names of the shipped models, the default one first.
pub fn shipped(folders: &Folders) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(&folders.models)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?.to_owned();
            path.join("config.json").is_file().then_some(name)
        })
        .collect();
    names.sort_by_key(|name| (name != DEFAULT_MODEL, name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(home: &Path) -> Folders {
        let [cache, data, models, samples] = ["c", "d", "m", "s"].map(|name| home.join(name));
        std::fs::create_dir_all(models.join("tiny")).unwrap();
        Folders { cache, data, models, samples }
    }

    #[test]
    fn a_name_is_looked_up_among_the_shipped_models_and_a_path_on_disk() {
        let home = tempfile::tempdir().unwrap();
        let folders = folders(home.path());
        let own = home.path().join("mine");
        std::fs::create_dir_all(&own).unwrap();

        assert_eq!(locate(&folders, "tiny").unwrap().path, folders.models.join("tiny"));
        let found = locate(&folders, own.to_str().unwrap()).unwrap();
        assert_eq!((found.name.as_str(), found.path), ("mine", own));
        assert!(
            matches!(locate(&folders, "huge"), Err(ModelError::Unknown(name)) if name == "huge")
        );
        assert_ne!(locate(&folders, ".").unwrap().path, folders.models.join("."));
        assert!(matches!(locate(&folders, "../../etc/nothing"), Err(ModelError::Unknown(_))));
    }

    #[test]
    fn a_revision_is_named_after_the_model() {
        let home = tempfile::tempdir().unwrap();
        let folders = folders(home.path());
        let revision = |name: &str| {
            let unpacked = serde_json::json!({
                "file": "w", "bytes": 1, "block_bytes": 1, "sha256_blocks": [],
            });
            serde_json::json!({
                "revision": name, "files": [], "weights": [], "unpacked": unpacked,
            })
        };
        let manifest = serde_json::json!({
            "name": "tiny", "default": "1", "revisions": [revision("1"), revision("2")],
        });
        std::fs::write(folders.models.join("tiny/manifest.json"), manifest.to_string()).unwrap();

        let found = |wanted: &str| locate(&folders, wanted);
        assert_eq!(found("tiny").unwrap().revision, None);
        let second = found("tiny@2").unwrap();
        assert_eq!((second.name.as_str(), second.revision.as_deref()), ("tiny", Some("2")));
        assert_eq!(second.path, folders.models.join("tiny"));
        let error = found("tiny@3").unwrap_err();
        assert_eq!(error.to_string(), "tiny has no revision \"3\": name 1 or 2");
        for other in ["@1", "huge@1", "../m/tiny@1"] {
            assert!(matches!(found(other), Err(ModelError::Unknown(_))), "{other}");
        }

        let recorded = |name, revision| recorded(&folders, name, revision);
        assert_eq!(recorded("tiny", "2").unwrap(), "tiny@2");
        assert_eq!(recorded("tiny", "0").unwrap(), "tiny", "no longer shipped");
        assert_eq!(recorded("../m/tiny", "2"), None);
    }
}
