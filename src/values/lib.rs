//! Plain values that every room speaks of, and what any of them may lean on.
//!
//! | module | what is in it |
//! |---|---|
//! | [`frame`], [`region`], [`picture`] | a picture, the part of it that "that" means, and both together |
//! | [`heatmap`] | maps over a picture: numbers, colours, files |
//! | [`job`] | the one kind of background thread, and what long work shares: progress, slots for the newest value |
//! | [`config`] | the folders of this installation, the settings |
//! | [`log`] | the log file, which holds no question, answer or picture |
//! | [`text`] | outside text made fit for one line |
//! | [`safetensors`] | the header of a file of weights |
//! | [`panics`] | a panic, logged; a dependency's kept from the terminal and made an error |
//! | [`cpu`] | whether this processor can run what was built |

pub mod config;
pub mod cpu;
pub mod frame;
pub mod heatmap;
pub mod job;
pub mod log;
pub mod panics;
pub mod picture;
pub mod region;
pub mod safetensors;
pub mod text;
