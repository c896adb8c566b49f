//! Lorgnette answers "what is that?" about a picture, on this machine alone.
//!
//! # Data flow
//!
//! ```text
//! file | stdin | camera ─► capture ─► Frame ─┐
//!                    --region ─► Region ─► engine ─► mistral.rs (encode → project → decode)
//!                                             └────► EngineEvent::{Token, Done, Failed} ─► cli
//! ```
//!
//! # Modules
//!
//! | module | what is in it |
//! |---|---|
//! | [`frame`], [`region`] | a picture, and the part of it that "that" means: plain values |
//! | [`job`], [`config`] | progress of long work; the folders of this installation, the settings |
//! | [`capture`] | pictures from outside, checked and turned upright |
//! | [`scene`] | whether the camera shows something new, and at rest |
//! | [`job`], [`config`] | progress of long work; the folders of this installation |
//! | [`capture`] | pictures from outside, checked and turned upright; the live camera |
//! | [`speech`] | answers read aloud by the system's own program |
//! | [`model_store`] | models on disk: found, unpacked, validated |
//! | [`session`] | conversations on disk: journal, history, bundles |
//! | [`engine`] | mistral.rs behind commands and events |
//! | [`cli`] | `ask`, `replay`, `bench`, `demo` |
//! | [`cli`] | `ask`, `cameras`, `bench`, `demo` |
//! | `panics` | a dependency's panic, kept from the terminal and made an error |
//! | [`cli`] | `ask`, `bench`, `demo` |
//! | [`log`] | the log file, which holds no question, no answer and no picture |
//! | `panics` | a panic, logged; a dependency's kept from the terminal and made an error |
//! | [`cpu`] | whether this processor can run what was built |
//!
//! Imports point down only: `main` → `cli` → `engine` → `capture`, `model_store`, `scene` →
//! Imports point down only: `main` → `cli` → `engine` → `capture`, `model_store`, `session` →
//! `frame`, `region`, `job`, `config`. `tests/architecture.rs` holds this.
//! Imports point down only: `main` → `cli` → `engine` → `capture`, `model_store`, `scene`,
//! `session` → `frame`, `region`, `job`, `config`. `tests/architecture.rs` holds this.
//! Imports point down only: `main` → `cli` → `engine` → `capture`, `model_store`,
//! `scene`, `speech` → `frame`, `region`, `job`, `config`, `log`. `tests/architecture.rs` holds this.
//!
//! # Invariants
//!
//! - Nothing opens a network socket.
//! - No unbounded channel.
//! - mistral.rs is named in `engine` and nowhere else; candle there and in `model_store::unpack`.
//! - Every event carries the id of its request, so that a stale one can be told from the rest.
//! - Nothing is written into the folder of shipped models.
//! - A conversation is written by one process at a time, and its file whole or not at all.
//! - Only `main` ends the process, and a Ctrl-C that nothing else could hear (`cli::session`).

pub mod capture;
pub mod cli;
pub mod config;
pub mod cpu;
pub mod engine;
pub mod frame;
pub mod job;
pub mod log;
pub mod model_store;
mod panics;
pub mod region;
pub mod scene;
pub mod session;
pub mod ui;
pub mod speech;
