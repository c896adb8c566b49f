//! The networks behind the evidence, run from their ONNX files by rten, which is pure Rust.
//!
//! It is the only crate that knows ONNX. `docs/building.md` says why rten.

mod encoder;
mod network;

use evidence::Specialists;

pub use encoder::Encoder;

/// Specialists computed by rten.
pub const SPECIALISTS: Specialists = Specialists { labels: encoder::open };
