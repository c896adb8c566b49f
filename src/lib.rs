//! Lorgnette answers "what is that?" about a picture, on this machine alone.
//!
//! # Data flow
//!
//! ```text
//! camera | file | paste | stdin ─► capture ─► Frame, Region ─► app | cli
//!                                                               │ Question
//!                                                               ▼
//!              session (history) ◄─ app | cli ◄─ EngineEvent ─ engine ─► mistral.rs
//!                                    │  ▲                      (encode → project → decode)
//!                                    │  └─ explain ◄─ the answer read back by the engine,
//!                                    │                the encoder run again with its attention kept
//!                                    ▼
//!                                   ui (View drawn, Actions given back)
//! ```
//!
//! # Modules
//!
//! | module | what is in it |
//! |---|---|
//! | [`frame`], [`region`] | a picture, and the part of it that "that" means: plain values |
//! | [`job`], [`config`] | what long work shares; the folders of this installation, the settings |
//! | [`scene`] | whether the camera shows something new, and at rest |
//! | [`speech`], [`log`] | the system's voice; the log file, which holds no question, answer or picture |
//! | [`capture`] | pictures from outside, checked and turned upright; cameras |
//! | [`model_store`] | models on disk: found, unpacked, validated |
//! | [`session`] | conversations on disk: journal, history, bundles |
//! | [`heatmap`] | maps over a picture: numbers, colours, files |
//! | [`encoder`] | vision encoders run by our own code: attention, phrase maps, zero-shot labels |
//! | [`grounding`] | words, noun phrases and boxes from what the language model's head says |
//! | [`engine`] | mistral.rs behind commands and events |
//! | [`explain`] | why this answer: word maps, places of phrases, causal check, one reading at a time |
//! | [`eval`] | how right the maps are |
//! | [`ui`] | the window drawn: panels, theme, answers as Markdown |
//! | [`app`] | the window's logic: threads, events, actions |
//! | [`cli`] | `ask`, `cameras`, `replay`, `bench`, `eval`, `demo` |
//! | `panics` | a panic, logged; a dependency's kept from the terminal and made an error |
//! | [`cpu`] | whether this processor can run what was built |
//!
//! Imports point down only: `main` → `app`, `cli` → `ui` → `eval` → `explain` → `engine` →
//! `capture`, `encoder`, `grounding`, `model_store`, `scene`, `session`, `speech` → `frame`,
//! `heatmap`, `region`, `job`, `config`, `log`.
//! `tests/architecture.rs` holds this.
//!
//! # Invariants
//!
//! - Nothing opens a network socket.
//! - No unbounded channel. Small events go through bounded channels, frames through one-deep slots.
//! - The engine knows nothing of egui. What `ui` draws it neither reads, decodes nor waits for.
//! - mistral.rs is named in `engine` and nowhere else; candle there, in `encoder` and in
//!   `model_store::unpack`; nokhwa in `capture`; egui in `ui` and `app`.
//! - A raw-logits request to mistral.rs is never dropped, nor sent beside another request.
//! - No map is shown without what it may claim and its raw range; a flat one is grey.
//! - Every event carries the id of its request, so that a stale one can be told from the rest.
//! - Nothing is written into the folder of shipped models.
//! - Only `main` ends the process, and a Ctrl-C that nothing else could hear (`cli::session`).

pub mod app;
pub mod capture;
pub mod cli;
pub mod config;
pub mod cpu;
pub mod encoder;
pub mod engine;
pub mod eval;
pub mod explain;
pub mod frame;
pub mod grounding;
pub mod heatmap;
pub mod job;
pub mod log;
pub mod model_store;
mod panics;
pub mod region;
pub mod scene;
pub mod session;
pub mod speech;
pub mod ui;
