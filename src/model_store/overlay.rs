//! A second view of a model folder, for checkpoints whose preprocessor file mistral.rs cannot use.
//!
//! Idefics3 models such as `SmolVLM` ask for tiles, over which mistral.rs 0.8.1 panics
//! (`vision_models/idefics3/mod.rs`). Their folder is left as it is; the overlay links its files
//! and brings its own `preprocessor_config.json`: one square picture, resized by Lorgnette.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Architecture, ModelError, ModelFacts};

const PREPROCESSOR: &str = "preprocessor_config.json";

/// The folder to load instead of `folder`: itself where nothing needs changing.
///
/// # Errors
/// When the overlay cannot be written under `cache`.
pub fn ensure(folder: &Path, facts: &ModelFacts, cache: &Path) -> Result<PathBuf, ModelError> {
    let Architecture::Idefics3 { image_side, needs_overlay: true, .. } = facts.architecture else {
        return Ok(folder.to_path_buf());
    };
    let io = |error: std::io::Error| ModelError::io(folder, &error);
    let folder = folder.canonicalize().map_err(io)?;
    let mut key = Sha256::new_with_prefix(folder.as_os_str().as_encoded_bytes());
    let entries = std::fs::read_dir(&folder).map_err(io)?.flatten();
    let mut files: Vec<_> =
        entries.filter(|entry| entry.path().is_file()).map(|entry| entry.file_name()).collect();
    files.sort();
    for file in &files {
        let data = folder.join(file).metadata().map_err(io)?;
        // A file that was replaced asks for another overlay, and nobody's changes under him.
        key.update(file.as_encoded_bytes());
        key.update(format!("{} {:?}", data.len(), data.modified().ok()));
    }
    let overlays = cache.join("overlays");
    let home = overlays.join(&format!("{:x}", key.finalize())[..16]);
    if home.is_dir() {
        return Ok(home);
    }
    let not_writable = |error: std::io::Error| ModelError::NotWritable {
        folder: overlays.clone(),
        reason: error.to_string(),
    };
    std::fs::create_dir_all(&overlays).map_err(not_writable)?;
    let fresh = tempfile::Builder::new().tempdir_in(&overlays).map_err(not_writable)?;
    for name in files.iter().filter(|name| *name != PREPROCESSOR) {
        link(&folder.join(name), &fresh.path().join(name)).map_err(not_writable)?;
    }
    let own = folder.join(PREPROCESSOR);
    let text = std::fs::read(&own).map_err(|error| ModelError::io(&own, &error))?;
    let mut preprocessor: Value = serde_json::from_slice(&text)
        .map_err(|error| ModelError::damaged(&own, format!("not JSON ({error})")))?;
    preprocessor["do_image_splitting"] = json!(false);
    preprocessor["do_pad"] = json!(true);
    preprocessor["do_resize"] = json!(false);
    preprocessor["max_image_size"] = json!({ "longest_edge": image_side });
    std::fs::write(fresh.path().join(PREPROCESSOR), preprocessor.to_string())
        .map_err(not_writable)?;
    match std::fs::rename(fresh.path(), &home) {
        Ok(()) => {
            let _ = fresh.keep();
        }
        // Another instance made the same one meanwhile: it serves as well.
        Err(_) if home.is_dir() => {}
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
