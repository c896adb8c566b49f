//! Lorgnette answers "what is that?" about a picture, on this machine alone.
//!
//! This crate starts it: the processor check, then the window or the command line. It alone knows
//! what computes, and hands that in.
//!
//! # Data flow
//!
//! ```text
//! camera | file | paste | stdin ─► capture ─► Frame, Region ─► app | cli ◄─ evidence ◄─ specialists
//!                                                               │ Question, told what they see
//!                                                               ▼
//!              session (history) ◄─ app | cli ◄─ EngineEvent ─ engine ─► mistral.rs
//!                                    │  ▲                      (encode → project → decode)
//!                                    │  └─ explain ◄─ the answer read back by the engine,
//!                                    │                the encoder run again with its attention kept
//!                                    ▼
//!                                   ui (View drawn, Actions given back)
//! ```
//!
//! # Rooms
//!
//! Each is a crate in its folder below `src/`; `docs/building.md` says why.
//!
//! | room | what is in it |
//! |---|---|
//! | [`values`] | plain values (frame, region, picture, heatmap, settings), the log, panics, the processor |
//! | `evidence` | what specialists see: names with chances and places, lines of text, colours; how a language model is told; cautions |
//! | `evidence/specialists` | the networks behind it, run from ONNX files |
//! | `conversation` | what is asked and answered, what a model is told of it, what is said of a model |
//! | `capture` | pictures from outside, checked and turned upright; cameras |
//! | `scene` | whether the camera shows something new, and at rest |
//! | `speech` | the system's voice |
//! | `grounding` | the words of an answer with their maps, from what the language model's head says |
//! | `model_store` | models on disk: found, validated |
//! | `model_store/unpack` | a shipped model unpacked and merged, any model made ready to load |
//! | `session` | conversations on disk: journal, history, bundles |
//! | `encoder` | what vision encoders show: attention, places of phrases |
//! | `encoder/towers` | vision encoders run by our own code |
//! | `engine` | commands, events and errors of what answers |
//! | `engine/worker` | mistral.rs behind them |
//! | `explain` | why this answer: word maps, places of phrases, causal check, one reading at a time |
//! | `eval` | how right answers and maps are |
//! | `ui` | the window drawn: panels, theme, answers as Markdown |
//! | [`app`] | the window's logic: threads, events, actions |
//! | [`cli`] | `ask`, `labels`, `cameras`, `replay`, `bench`, `eval`, `demo` |
//!
//! Dependencies point down only: `main` → `app`, `cli` → `ui` → `eval` → `explain` → `engine` →
//! `capture`, `encoder`, `grounding`, `model_store`, `scene`, `session`, `speech` → `conversation` →
//! `evidence` → `values`. What computes (`engine/worker`, `encoder/towers`,
//! `evidence/specialists`, `model_store/unpack`) stands beside what it serves; only `main` and each
//! other depend on it, so that everything else is built and tested without mistral.rs, candle and
//! rten. `tests/architecture.rs` holds this.
//!
//! # Invariants
//!
//! - Nothing opens a network socket.
//! - What works behind the window is a [`values::job::Worker`]: its panic is lived through once, and
//!   told of the second time. The cameras' threads stand out, built to outlive a driver that hangs,
//!   and so do the dialogs' and the voice's, one for each.
//! - No unbounded channel. Small events go through bounded channels, frames through one-deep slots.
//! - The engine knows nothing of egui. What `ui` draws it neither reads, decodes nor waits for.
//! - mistral.rs is named in `engine/worker` and nowhere else; candle there, in `encoder/towers` and
//!   in `model_store/unpack`; rten in `evidence/specialists`; nokhwa in `capture`; egui in `ui` and
//!   `app`.
//! - A raw-logits request to mistral.rs is never dropped, nor sent beside another request.
//! - mistral.rs's prefix cache is empty, or holds one prompt without a question for a question that goes
//!   on from it.
//! - No map is shown without what it may claim and its raw range; a flat one is grey.
//! - Every event carries the id of its request, so that a stale one can be told from the rest.
//! - Nothing is written into the folder of shipped models.
//! - Only `main` ends the process, and a Ctrl-C that nothing else could hear (`cli::session`).

use std::process::ExitCode;

use cli::Start;
use engine_worker::BACKEND;
use specialists::SPECIALISTS;
use towers::ENCODERS;

fn main() -> ExitCode {
    if let Err(missing) = values::cpu::require() {
        eprintln!("lorgnette: {missing}");
        return ExitCode::FAILURE;
    }
    match cli::main(BACKEND, ENCODERS, SPECIALISTS) {
        Start::Window { folders, pictures } => {
            match app::run(folders, pictures, BACKEND, ENCODERS, SPECIALISTS) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("lorgnette: {error}");
                    ExitCode::FAILURE
                }
            }
        }
        Start::Done(code) => code,
    }
}
