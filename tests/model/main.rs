//! What needs the shipped model: the program, the engine and the maps, from outside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "how a test fails")]

mod ahead;
mod cli;
mod damaged_models;
mod engine;
mod listener;
mod maps;
#[cfg(target_os = "linux")]
mod no_network;
mod replay;
#[cfg(target_os = "linux")]
mod resources;
mod revisions;
mod score;
mod seats;
#[path = "../support/mod.rs"]
mod support;

/// Runs the ignored test `name` of this program in a process of its own.
fn alone(name: &str) {
    let mut program = std::process::Command::new(std::env::current_exe().unwrap());
    let output = program.args([name, "--exact", "--ignored", "--nocapture"]).output().unwrap();
    let (said, told) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprint!("{told}");
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
