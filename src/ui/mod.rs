//! The window.

pub mod markdown;
