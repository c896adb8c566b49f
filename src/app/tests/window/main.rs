//! The window from outside, by the names that a screen reader gives: first start, pictures,
//! questions, conversations, settings, errors. The engine, the camera, the dialogs and the voice
//! are fakes; files and history are real.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "how a test fails")]

mod ahead;
mod asking;
mod driver;
mod errors;
mod evidence;
mod fake;
mod grounding;
mod history;
mod labels;
mod looks;
mod pictures;
mod random;
mod settings;
mod specialists;
mod text;
