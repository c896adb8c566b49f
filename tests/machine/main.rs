//! What needs a display, or a kernel of its own with a camera.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "how a test fails")]
#![cfg(target_os = "linux")]

#[cfg(target_arch = "x86_64")]
mod camera;
mod real_window;
#[path = "../support/mod.rs"]
mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits until no other test has the cores: a window whose frames come late is clicked in vain.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
