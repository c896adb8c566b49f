//! A conversation: questions about pictures, and their answers.
//!
//! These are the values that the engine speaks, the history keeps and the window draws. Their serde
//! form is that of `session.json` (see the room `session`): fields stand in the order in which they
//! are written, and what is `null` there is written. What is said of a model, its [`ModelCard`],
//! lies here too.

mod answer;
mod card;
mod exchange;
mod turn;

pub use answer::{Answer, Finish, Timings, Token};
pub use card::{ModelCard, Sizes};
pub use exchange::{Certainty, Exchange, ModelInfo, Options, Picture, now};
pub use turn::{Role, Seen, Turn, turns_for};

use serde::{Deserialize, Deserializer};

/// What is not finite is written as `null`; it must not make the file unreadable.
fn null_is_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(0.0))
}
