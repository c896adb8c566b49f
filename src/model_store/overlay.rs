//! A second view of a model folder, for checkpoints with files that mistral.rs cannot use as they
//! are.
//!
//! The model's own folder is left alone; the overlay links its files and brings the replacements
//! that [`super::validate()`] asks for.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::ModelError;
use super::validate::Replacements;

/// The folder to load instead of `folder`: itself where nothing is replaced.
///
/// # Errors
/// When the overlay cannot be written under `cache`.
pub fn ensure(
    folder: &Path,
    replacements: &Replacements,
    cache: &Path,
) -> Result<PathBuf, ModelError> {
    if replacements.is_empty() {
        return Ok(folder.to_path_buf());
    }
    let io = |error: std::io::Error| ModelError::io(folder, &error);
    let folder = folder.canonicalize().map_err(io)?;
    let mut key = Sha256::new_with_prefix(folder.as_os_str().as_encoded_bytes());
    let entries = std::fs::read_dir(&folder).map_err(io)?.flatten();
    let mut files: Vec<_> = entries
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name())
        .filter(|name| name.to_str().is_none_or(|name| !replacements.contains_key(name)))
        .collect();
    files.sort();
    for file in &files {
        let data = folder.join(file).metadata().map_err(io)?;
        // A file that was replaced asks for another overlay: a running instance keeps its own.
        key.update(file.as_encoded_bytes());
        key.update(format!("{} {:?}", data.len(), data.modified().ok()));
    }
    for (name, value) in replacements {
        key.update(format!("{name} {value}"));
    }
    let overlays = cache.join("overlays");
    let home = overlays.join(&format!("{:x}", key.finalize())[..16]);
    let is_whole = |home: &Path| {
        files.iter().all(|file| home.join(file).is_file())
            && replacements.keys().all(|file| home.join(file).is_file())
    };
    if is_whole(&home) {
        return Ok(home);
    }
    let not_writable = |error: std::io::Error| ModelError::NotWritable {
        folder: overlays.clone(),
        reason: error.to_string(),
    };
    // A cache cleaner may have taken a part of it.
    let _ = std::fs::remove_dir_all(&home);
    std::fs::create_dir_all(&overlays).map_err(not_writable)?;
    let fresh = tempfile::Builder::new().tempdir_in(&overlays).map_err(not_writable)?;
    for file in &files {
        // Folders of Hugging Face's cache hold relative links, which mean nothing elsewhere.
        let original = folder.join(file).canonicalize().map_err(io)?;
        link(&original, &fresh.path().join(file)).map_err(not_writable)?;
    }
    for (name, value) in replacements {
        std::fs::write(fresh.path().join(name), value.to_string()).map_err(not_writable)?;
    }
    match std::fs::rename(fresh.path(), &home) {
        Ok(()) => {
            let _ = fresh.keep();
        }
        // Another instance made the same one meanwhile: it serves as well.
        Err(_) if is_whole(&home) => {}
        Err(error) => return Err(not_writable(error)),
    }
    Ok(home)
}

/// A hard link asks no privilege on any system; a symbolic one reaches other disks.
fn link(original: &Path, target: &Path) -> std::io::Result<()> {
    std::fs::hard_link(original, target).or_else(|_| {
        #[cfg(unix)]
        return std::os::unix::fs::symlink(original, target);
        #[cfg(windows)]
        return std::os::windows::fs::symlink_file(original, target);
    })
}
