//! What the test programs share: the shipped model, pictures, and the filter that forbids sockets.

#![allow(dead_code, reason = "each test program uses its part")]

use std::path::{Path, PathBuf};

use model_store::locate;
use unpack::prepare;
use values::config::Folders;
use values::picture::Look;

/// The revision that the golden answers and maps of the first release hold for.
pub const FIRST: &str = "lorgnette-tiny@1";

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The cache that all tests share, so that the model is unpacked once.
pub fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

pub fn folders() -> Folders {
    Folders {
        cache: cache(),
        data: Path::new(env!("CARGO_TARGET_TMPDIR")).join("data"),
        models: root().join("models"),
        samples: root().join("assets/samples"),
    }
}

pub fn sample(name: &str) -> PathBuf {
    root().join("assets/samples").join(name)
}

/// The picture of a file, whole.
pub fn picture(file: &Path) -> Look {
    Look { frame: capture::load(file).unwrap(), region: None }
}

/// The folder of a shipped model, `NAME` or `NAME@REVISION`, as the engine loads it.
pub fn shipped(name: &str) -> PathBuf {
    let folders = folders();
    let model = locate(&folders, name).unwrap();
    prepare(&model, &folders.cache, &mut |_| ()).unwrap().folder
}

/// Has `command` killed at its first attempt to open an `AF_INET` or `AF_INET6` socket.
#[cfg(target_os = "linux")]
pub fn forbid_internet(command: &mut std::process::Command) {
    use std::collections::BTreeMap;
    use std::os::unix::process::CommandExt;

    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule,
    };

    let families = [libc::AF_INET, libc::AF_INET6].map(|family| {
        let is_family = SeccompCondition::new(
            0,
            SeccompCmpArgLen::Dword,
            SeccompCmpOp::Eq,
            u64::from(family.unsigned_abs()),
        );
        SeccompRule::new(vec![is_family.unwrap()]).unwrap()
    });
    let filter = SeccompFilter::new(
        BTreeMap::from([(libc::SYS_socket, families.to_vec())]),
        SeccompAction::Allow,
        SeccompAction::KillProcess,
        std::env::consts::ARCH.try_into().unwrap(),
    )
    .unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    // SAFETY: between fork and exec only the filter is set, by system calls alone.
    unsafe {
        command.pre_exec(move || {
            seccompiler::apply_filter(&program)
                .map_err(|_| std::io::Error::from(std::io::ErrorKind::Unsupported))
        });
    }
}
