//! The shipped model's folder, unpacked once into the cache that all tests share.

use std::path::{Path, PathBuf};

use lorgnette::config::Folders;
use lorgnette::model_store::{DEFAULT_MODEL, locate, prepare};

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder that the engine loads.
pub fn shipped() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folders = Folders {
        cache: target.join("cache"),
        data: target.join("data"),
        models: root().join("models"),
        samples: root().join("assets/samples"),
    };
    let model = locate(&folders, DEFAULT_MODEL).unwrap();
    prepare(&model, &folders.cache, &mut |_| ()).unwrap().folder
}
