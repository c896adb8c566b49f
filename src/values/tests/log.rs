//! The log as the whole program writes it.
//!
//! One test in a process of its own: a process has one log.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "how a test fails")]

use lorgnette_values::log::{self, LogError};
use lorgnette_values::panics;

#[test]
fn own_steps_others_warnings_and_panics_are_logged() {
    let data = tempfile::tempdir().unwrap();
    let file = log::start(data.path()).unwrap();
    assert_eq!(file, data.path().join("log/lorgnette.log"));
    assert!(matches!(log::start(data.path()), Err(LogError::Taken)));

    tracing::debug!(target: "lorgnette_engine_worker", "own detail");
    tracing::info!(target: "lorgnette_engine_worker", seconds = 1.5, "own step");
    tracing::info!(target: "mistralrs_core", "other step");
    tracing::warn!(target: "mistralrs_core", "other warning");
    panics::catch();
    let thread = std::thread::Builder::new().name("test-thread".into());
    let secret = std::hint::black_box("Where are the emeralds?");
    thread.spawn(|| secret[100..].len()).unwrap().join().unwrap_err();

    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[0].contains(concat!("Lorgnette ", env!("CARGO_PKG_VERSION"))), "{text}");
    assert!(lines[0].starts_with("20"), "it is dated: {text}");
    assert!(lines[1].ends_with("INFO lorgnette_engine_worker: own step seconds=1.5"), "{text}");
    assert!(lines[2].ends_with("WARN mistralrs_core: other warning"), "{text}");
    assert!(
        lines[3].contains("ERROR lorgnette_values::panics: panic in thread test-thread: "),
        "{text}"
    );
    assert!(lines[3].contains(", log.rs:") && !text.contains("emeralds"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}
