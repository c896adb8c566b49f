//! What needs a display, a kernel with a camera, or another thing that a machine may lack. Where it
//! does, the test is ignored and says what is missing: the usual harness can ignore a test only when
//! it is compiled.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "how a test fails")]

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod camera;
#[cfg(target_os = "linux")]
mod lacking;
#[cfg(target_os = "linux")]
mod real_window;
#[cfg(target_os = "linux")]
mod small_disk;
#[cfg(target_os = "linux")]
#[path = "../support/mod.rs"]
mod support;
#[cfg(target_os = "linux")]
mod voice;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let mut tests = Vec::new();
    #[cfg(target_arch = "x86_64")]
    tests.extend(camera::tests());
    tests.extend([
        lacking::test(),
        real_window::test(),
        real_window::reading(),
        small_disk::test(),
        voice::test(),
    ]);
    libtest_mimic::run(&libtest_mimic::Arguments::from_args(), tests).exit_code()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("what needs a machine is tested on Linux alone");
}

/// Waits until no other test has the cores: a window whose frames come late is clicked in vain.
#[cfg(target_os = "linux")]
fn turn() -> std::sync::MutexGuard<'static, ()> {
    use std::sync::{Mutex, PoisonError};
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
