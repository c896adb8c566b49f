//! Which revisions in the cache are in use, so that the others can be removed.
//!
//! Beside each lies a file that every process which uses it holds locked, and whose time is that of
//! the last use. It stays when the revision goes: whoever waits for its lock must wait for the same
//! file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use model_store::Manifest;

/// For so long a revision that is still shipped is kept without being used: unpacking takes seconds,
/// and who compares two of them goes back and forth.
const KEPT_UNUSED: Duration = Duration::from_hours(7 * 24);

/// Keeps a revision in the cache for as long as it lives.
#[derive(Debug)]
pub struct InUse {
    _locked: Option<File>,
}

impl InUse {
    /// Keeps `home`, whether it is there already or about to be made.
    pub fn of(home: &Path) -> Self {
        let file = mark(home);
        let open = File::options().write(true).create(true).truncate(false).open(&file);
        // Where nothing can be written nothing is removed, unless by another user.
        let open = open.or_else(|_| File::open(&file)).ok();
        let locked = open.filter(|open| {
            let _ = open.set_modified(SystemTime::now());
            // Some network folders know no locks: nothing is removed there.
            open.lock_shared().is_ok()
        });
        Self { _locked: locked }
    }
}

fn mark(home: &Path) -> PathBuf {
    home.with_added_extension("use")
}

/// Removes the revisions of `manifest`'s model below `models` that nothing uses any more: at once
/// what is no longer shipped, else what was not used for a while. Trouble is no matter: what stays
/// only takes room.
pub fn remove_unused(models: &Path, manifest: &Manifest, used: &str) {
    for entry in std::fs::read_dir(models).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let revision = name.to_str().and_then(|name| {
            // With another dash it may be a revision of another model, whose name begins alike.
            let rest = name.strip_prefix(&manifest.name)?.strip_prefix('-')?;
            (!rest.contains('-')).then_some(rest)
        });
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if let Some(revision) = revision.filter(|revision| is_folder && *revision != used) {
            let is_shipped = manifest.revision(Some(revision)).is_some();
            let least = if is_shipped { KEPT_UNUSED } else { Duration::ZERO };
            let aside = models.join(super::leftover_prefix(&manifest.name) + revision);
            remove_if_unused(&entry.path(), least, &aside);
        }
    }
}

/// Removes `home`, by way of `aside`, unless somebody uses it, or did less than `least` ago. Where
/// nothing notes when that was, it is noted now.
fn remove_if_unused(home: &Path, least: Duration, aside: &Path) {
    let open = File::options().write(true).create(true).truncate(false).open(mark(home));
    let Ok(open) = open else { return };
    let noted = open.metadata().and_then(|data| data.modified());
    let unused = noted.ok().and_then(|then| then.elapsed().ok()).unwrap_or_default();
    if unused < least || open.try_lock().is_err() {
        return;
    }
    // It goes as a whole: who comes now finds nothing, not a part of it.
    let _ = std::fs::remove_dir_all(aside);
    if std::fs::rename(home, aside).is_ok() {
        drop(open);
        let _ = std::fs::remove_dir_all(aside);
    }
}
