//! Conversations on disk: kept while they are had, listed, searched, exported, taken back in.
//!
//! # The data folder
//!
//! ```text
//! sessions/<id>/session.json     the conversation, all that is complete
//!               journal.jsonl    while an answer comes: the question, then a line a token
//!               pictures/0001.png
//!               thumbnail.png    sides of at most 192 pixels
//! trash/<id>/                    deleted conversations, each with the time in `deleted`
//! locks/<id>                     held by the one window that writes the conversation
//! ```
//!
//! `<id>` is the time of the beginning, in UTC, and eight random digits:
//! `20260131-235959-000-0123abcd`.
//!
//! # `session.json`
//!
//! One JSON object, in UTF-8. Readers ignore fields that they do not know; a change that would
//! mislead an older reader gets another `format`. Times are milliseconds since 1970, UTC.
//!
//! ```json
//! {
//!   "format": 1,
//!   "id": "20260131-235959-000-0123abcd",
//!   "title": "What is that? A cat.",
//!   "renamed": false,
//!   "created": 1769903999000,
//!   "updated": 1769904000250,
//!   "exchanges": [{
//!     "id": 1,
//!     "asked": 1769903999500,
//!     "pictures": [{
//!       "file": "pictures/0001.png",
//!       "name": "cat.jpg",
//!       "width": 640, "height": 480,
//!       "region": {"x": 0.25, "y": 0.5, "width": 0.5, "height": 0.5},
//!       "sha256": "…",
//!       "evidence": {
//!         "labels": {
//!           "sure": {"name": "tabby cat", "kind": "cat", "probability": 0.62},
//!           "perhaps": [{"name": "lynx", "kind": "cat", "probability": 0.21}]
//!         },
//!         "lines": [],
//!         "colours": [{"term": "brown", "share": 0.47}]
//!       }
//!     }],
//!     "question": "What is that?",
//!     "options": {"max_tokens": 256, "temperature": 0.0, "seed": 0},
//!     "model": {"name": "lorgnette-tiny", "revision": "1", "weights": "q8_0", "device": "CPU"},
//!     "answer": {
//!       "text": "A cat.",
//!       "tokens": [{"id": 330, "text": " A", "logprob": -0.0625}],
//!       "finish": "end",
//!       "error": null,
//!       "timings": {"prepare": 0.004, "prefill": 0.31, "decode": 0.05},
//!       "prompt_tokens": 90,
//!       "dropped_turns": 0
//!     }
//!   }]
//! }
//! ```
//!
//! | field | meaning |
//! |---|---|
//! | `exchanges[].id` | from 1, growing, never given twice |
//! | `pictures[].name` | what to call it; never a path |
//! | `pictures[].region` | the part that "that" means, as fractions of width and height from the top left; `null` for all of it |
//! | `pictures[].sha256` | over width and height as 32-bit little-endian numbers, then the RGB bytes from the top |
//! | `pictures[].evidence` | what the model was told that specialists see in the part; left out where it was told nothing |
//! | `evidence.lines` | text that was read: `text`, `probability`, `place` (its four corners as fractions) |
//! | `model` | `null` where none was loaded |
//! | `tokens[].logprob` | natural logarithm of the probability at temperature 1; `null` for none |
//! | `finish` | `end`, `length`, `repetition`, `stopped`, `interrupted` (the program ended first), `failed` (then `error` says why) |
//! | `timings` | seconds |
//! | `prompt_tokens` | pictures included; 0 where not known |
//! | `dropped_turns` | earlier turns that the model could not have held |
//! | `exchanges[].alone` | `true` where it was asked without what was said before, by live mode; else left out |
//!
//! A bundle, the exported form, is the same `session.json` and `pictures/`, as a folder or a zip.
//! Nothing in it names a folder of this machine or its user.
//!
//! # `journal.jsonl`
//!
//! A line each: `{"event": "ask", "exchange": {…}}`, with an exchange as above whose answer is empty
//! and `pending`; `{"event": "token", "exchange": 1, "index": 0, "token": {…}}`. A last line without
//! its newline was being written when the process ended, and is dropped. When the answer ends, it is
//! folded into `session.json` and the journal removed; an exchange that `session.json` has already
//! is not taken from the journal again.

mod bundle;
mod disk;
mod error;
mod export;
mod files;
mod id;
mod journal;
mod lock;
mod markdown;
mod picture;
mod record;
mod store;
mod summary;
#[cfg(test)]
mod unit_tests;
mod writer;

use std::path::{Path, PathBuf};

pub use bundle::Bundle;
pub use disk::{Condition, FORMAT};
pub use error::SessionError;
pub use export::{ExportFormat, ExportOptions};
pub use id::SessionId;
pub use picture::{MAX_PIXELS, THUMBNAIL_SIDE};
pub use record::Session;
pub use store::{DeletedAll, KEPT_IN_TRASH, Store};
pub use summary::{Listing, Summary};
pub use writer::Writer;

/// The folder of conversations in the data folder.
const FOLDER: &str = "sessions";
/// The folder of deleted conversations in the data folder.
const TRASH: &str = "trash";
/// The small picture in a conversation's folder.
const THUMBNAIL: &str = "thumbnail.png";

/// The folder of one conversation.
fn folder(data: &Path, id: &SessionId) -> PathBuf {
    data.join(FOLDER).join(id.as_str())
}
