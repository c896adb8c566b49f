//! `manifest.json`: what a shipped model consists of, revision by revision.

use std::path::Path;

use conversation::ModelCard;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ModelError;

/// The file that marks a folder as a shipped model.
pub const FILE: &str = "manifest.json";

/// A file with its size and hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Where it lies below the model's folder; `/` parts folder and name.
    pub file: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, in lower-case hexadecimal.
    pub sha256: String,
}

impl Part {
    /// The file's name, without folders: what it is called where it is loaded.
    #[must_use]
    pub fn name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or_default()
    }
}

/// What the container's parts unpack to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// The safetensors file.
    pub file: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Length of a stretch in bytes; the last one may be shorter.
    pub block_bytes: u64,
    /// SHA-256 of each stretch of `block_bytes`, in order, so that all cores can check it.
    pub sha256_blocks: Vec<String>,
}

/// One edition of a shipped model's weights: its files, and what they unpack to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Its name: `1`.
    pub revision: String,
    /// What is said of it; the first release's manifest said nothing.
    #[serde(default)]
    pub card: Option<ModelCard>,
    /// Configuration and tokenizer, copied as they are.
    pub files: Vec<Part>,
    /// The GGUF container's pieces, in order; joined they are one file.
    pub weights: Vec<Part>,
    /// What is merged into the container's weights, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<Part>,
    /// What they unpack to.
    pub unpacked: Unpacked,
}

/// A shipped model with the revisions of it that can be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The model's name.
    pub name: String,
    /// The revision that answers where none is named.
    pub default: String,
    /// All of them, the oldest first.
    pub revisions: Vec<Revision>,
}

impl Manifest {
    /// The manifest in `folder`, or `None` where the folder is no shipped model.
    ///
    /// # Errors
    /// When it cannot be read, lacks its default or names a file outside its folder.
    pub fn read(folder: &Path) -> Result<Option<Self>, ModelError> {
        let file = folder.join(FILE);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ModelError::io(&file, &error)),
        };
        let manifest = Self::parse(&text)
            .map_err(|error| ModelError::damaged(&file, format!("not a manifest ({error})")))?;
        manifest.check().map_err(|reason| ModelError::damaged(&file, reason))?;
        Ok(Some(manifest))
    }

    fn parse(text: &str) -> serde_json::Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        // The first release's manifest was that of its only revision.
        if value.get("revisions").is_none() {
            let (name, revision) = (value.get("name"), value.get("revision"));
            return serde_json::from_value(
                json!({ "name": name, "default": revision, "revisions": [value] }),
            );
        }
        serde_json::from_value(value)
    }

    fn check(&self) -> Result<(), String> {
        let plain = |name: &str| {
            !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':', '@'])
        };
        let names = self.revisions.iter().flat_map(|revision| {
            let parts = revision.files.iter().chain(&revision.weights).chain(&revision.adapter);
            let files = parts.flat_map(|part| part.file.split('/'));
            files.chain([revision.unpacked.file.as_str(), &revision.revision])
        });
        if let Some(name) = names.chain([self.name.as_str()]).find(|name| !plain(name)) {
            return Err(format!("{name:?} is not a plain name"));
        }
        if self.revisions.iter().any(|revision| revision.unpacked.block_bytes == 0) {
            return Err("block_bytes is 0".to_owned());
        }
        match self.revision(None) {
            Some(_) => Ok(()),
            None => Err(format!("it has no revision {:?}, its default", self.default)),
        }
    }

    /// The revision called `wanted`, or the default one.
    ///
    /// # Errors
    /// [`ModelError::NoRevision`].
    pub fn wanted(&self, wanted: Option<&str>) -> Result<&Revision, ModelError> {
        self.revision(wanted).ok_or_else(|| ModelError::NoRevision {
            name: self.name.clone(),
            revision: wanted.unwrap_or(&self.default).to_owned(),
            known: self.revisions.iter().map(|one| one.revision.clone()).collect(),
        })
    }

    /// The revision called `wanted`, or the default one, where there is such a one.
    #[must_use]
    pub fn revision(&self, wanted: Option<&str>) -> Option<&Revision> {
        let wanted = wanted.unwrap_or(&self.default);
        self.revisions.iter().find(|revision| revision.revision == wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(name: &str, file: &str) -> Revision {
        Revision {
            revision: name.into(),
            card: None,
            files: vec![Part { file: file.into(), bytes: 1, sha256: "00".into() }],
            weights: vec![],
            adapter: None,
            unpacked: Unpacked {
                file: "model.safetensors".into(),
                bytes: 1,
                sha256_blocks: vec![],
                block_bytes: 1,
            },
        }
    }

    fn read(manifest: &impl Serialize) -> Result<Manifest, ModelError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), serde_json::to_string(manifest).unwrap()).unwrap();
        Manifest::read(folder.path()).map(Option::unwrap)
    }

    fn with(file: &str) -> Manifest {
        let revisions = vec![revision("1", file), revision("2", "revision-2/a")];
        Manifest { name: "tiny".into(), default: "2".into(), revisions }
    }

    #[test]
    fn a_manifest_is_read_back_and_a_plain_folder_has_none() {
        let manifest = read(&with("a")).unwrap();
        assert_eq!(manifest, with("a"));
        assert_eq!(manifest.revision(None).unwrap().files[0].name(), "a");
        assert_eq!(manifest.revision(Some("1")).unwrap().revision, "1");
        assert!(manifest.revision(Some("3")).is_none());
        assert!(Manifest::read(tempfile::tempdir().unwrap().path()).unwrap().is_none());
    }

    #[test]
    fn the_manifest_of_the_first_release_has_one_revision() {
        let mut old = serde_json::to_value(revision("1", "a")).unwrap();
        old["name"] = "tiny".into();
        old["licence"] = "MIT".into();
        let manifest = read(&old).unwrap();
        assert_eq!((manifest.name.as_str(), manifest.default.as_str()), ("tiny", "1"));
        assert_eq!(manifest.revisions, [revision("1", "a")]);
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for name in ["../a", "/etc/passwd", "", "..", "c:x", "a\\b", "a/../b", "a//b", "a/"] {
            let error = read(&with(name)).unwrap_err();
            assert!(matches!(error, ModelError::Damaged { .. }), "{name:?}");
        }
    }

    #[test]
    fn the_default_must_be_there() {
        let error = read(&Manifest { default: "3".into(), ..with("a") }).unwrap_err();
        assert!(error.to_string().contains("no revision \"3\""), "{error}");
    }
}
