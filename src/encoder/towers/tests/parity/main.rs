//! The encoders against `PyTorch`, without mistral.rs: tiny random checkpoints of every kind, and
//! the tower of the shipped model.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "how a test fails")]

mod dual;
mod llama;
mod towers;

use std::path::{Path, PathBuf};

use model_store::ModelFolder;
use values::config::DEFAULT_MODEL;

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// The revision of the shipped model that the golden files hold for, as the engine loads it, in the
/// cache that all test programs share.
fn shipped() -> PathBuf {
    let (name, revision) = (DEFAULT_MODEL.to_owned(), Some("1".to_owned()));
    let model = ModelFolder { path: root().join("models").join(&name), name, revision };
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    unpack::prepare(&model, &cache, &mut |_| ()).unwrap().folder
}
