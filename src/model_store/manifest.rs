//! `manifest.json`: what a shipped model consists of.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ModelError;

/// The file that marks a folder as a shipped model.
pub const FILE: &str = "manifest.json";

/// A file with its size and hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// File name, without folders.
    pub file: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, in lower-case hexadecimal.
    pub sha256: String,
}

/// What the container's parts unpack to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// The safetensors file and its expected size.
    pub file: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of each stretch of `block_bytes`, in order, so that all cores can check it.
    pub sha256_blocks: Vec<String>,
    /// Length of a stretch in bytes; the last one may be shorter.
    pub block_bytes: u64,
}

/// A shipped model: its files, its licence, and what the weights unpack to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The model's name.
    pub name: String,
    /// Which edition of the weights this is.
    pub revision: String,
    /// SPDX expression or the words of the model card.
    pub licence: String,
    /// Configuration and tokenizer, copied as they are.
    pub files: Vec<Part>,
    /// The GGUF container's pieces, in order; joined they are one file.
    pub weights: Vec<Part>,
    /// What they unpack to.
    pub unpacked: Unpacked,
}

impl Manifest {
    /// The manifest in `folder`, or `None` where the folder is no shipped model.
    ///
    /// # Errors
    /// When it cannot be read or names a file outside its folder.
    pub fn read(folder: &Path) -> Result<Option<Self>, ModelError> {
        let file = folder.join(FILE);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ModelError::io(&file, &error)),
        };
        let manifest: Self = serde_json::from_str(&text)
            .map_err(|error| ModelError::damaged(&file, format!("not a manifest ({error})")))?;
        let names = manifest.files.iter().chain(&manifest.weights).map(|part| part.file.as_str());
        for name in
            names.chain([manifest.unpacked.file.as_str(), &manifest.name, &manifest.revision])
        {
            let plain =
                !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':']);
            if !plain {
                return Err(ModelError::damaged(&file, format!("{name:?} is not a plain name")));
            }
        }
        if manifest.unpacked.block_bytes == 0 {
            return Err(ModelError::damaged(&file, "block_bytes is 0"));
        }
        Ok(Some(manifest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let manifest = Manifest {
            name: "tiny".into(),
            revision: "1".into(),
            licence: "MIT".into(),
            files: vec![Part { file: name.into(), bytes: 1, sha256: "00".into() }],
            weights: vec![],
            unpacked: Unpacked {
                file: "model.safetensors".into(),
                bytes: 1,
                sha256_blocks: vec![],
                block_bytes: 1,
            },
        };
        let text = serde_json::to_string(&manifest).unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        folder
    }

    #[test]
    fn a_manifest_is_read_back_and_a_plain_folder_has_none() {
        assert_eq!(Manifest::read(written("a").path()).unwrap().unwrap().files[0].file, "a");
        assert!(Manifest::read(tempfile::tempdir().unwrap().path()).unwrap().is_none());
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for name in ["../a", "/etc/passwd", "", "..", "c:x", "a\\b"] {
            let error = Manifest::read(written(name).path()).unwrap_err();
            assert!(matches!(error, ModelError::Damaged { .. }), "{name:?}");
        }
    }
}
