//! The networks behind the evidence, run from their ONNX files by rten, which is pure Rust.
//!
//! It is the only crate that knows ONNX. `docs/building.md` says why rten.

mod encoder;
mod network;
mod reader;

use evidence::Specialists;

pub use encoder::Encoder;
pub use reader::Reader;

/// Specialists computed by rten.
pub const SPECIALISTS: Specialists = Specialists { labels: encoder::open, reader: reader::open };
