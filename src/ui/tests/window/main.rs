//! What is drawn and what it asks for, by the names that a screen reader gives; nothing else runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "how a test fails")]

mod bench;
mod maps;
mod ties;
