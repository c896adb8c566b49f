//! The shipped model unpacked onto a disk that is too small.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use model_store::{ModelError, locate};
use values::config::DEFAULT_MODEL;

use crate::lacking::needing;
use crate::support::folders;

/// The right to mount a disk, among those in `/proc/self/status`: `CAP_SYS_ADMIN`.
const MAY_MOUNT: u64 = 1 << 21;

/// A small disk, gone when it is dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(folder.path());
        assert!(mount.status().unwrap().success());
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

fn may_mount() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let rights = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    rights.and_then(|rights| u64::from_str_radix(rights.trim(), 16).ok()).unwrap_or(0) & MAY_MOUNT
        != 0
}

pub fn test() -> Trial {
    let lacking = (!may_mount()).then(|| "only root may mount a small disk".to_owned());
    needing(lacking, "small_disk::a_full_disk_says_how_much_is_needed", || {
        let disk = Disk::mount();
        let model = locate(&folders(), DEFAULT_MODEL).unwrap();
        let error = unpack::prepare(&model, disk.path(), &mut |_| ()).unwrap_err();
        let ModelError::DiskFull { folder, needed } = error else { panic!("{error}") };
        let folder: PathBuf = folder;
        assert!(folder.starts_with(disk.path()), "{}", folder.display());
        assert!(needed > 500_000_000, "{needed}");
    })
}
