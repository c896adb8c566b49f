//! What a list of conversations shows, read without the tokens.

use std::path::PathBuf;

use conversation::Exchange;
use serde::Deserialize;

use super::disk::Condition;
use super::error::SessionError;
use super::id::SessionId;
use super::record::Session;

/// A list of conversations, with what was wrong with some.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// The conversations, the newest first.
    pub sessions: Vec<Summary>,
    /// What the user should know: a damaged file that was set aside, one that could not be read.
    pub notices: Vec<SessionError>,
}

/// A conversation as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its name on disk.
    pub id: SessionId,
    /// What it is called.
    pub title: String,
    /// When it began, in milliseconds since 1970.
    pub created: u64,
    /// When something was last asked or answered, in milliseconds since 1970.
    pub updated: u64,
    /// How many questions it has.
    pub exchanges: usize,
    /// A picture file with sides of at most [`THUMBNAIL_SIDE`](super::THUMBNAIL_SIDE) pixels.
    pub thumbnail: Option<PathBuf>,
    /// Whether all of it is there.
    pub condition: Condition,
}

impl Summary {
    pub(super) fn new(
        id: SessionId,
        content: &Content,
        condition: Condition,
        thumbnail: Option<PathBuf>,
    ) -> Self {
        Self {
            id,
            title: content.title.clone(),
            created: content.created,
            updated: content.updated,
            exchanges: content.exchanges.len(),
            thumbnail,
            condition,
        }
    }
}

/// The part of `session.json` that is listed and searched.
#[derive(Deserialize)]
pub(super) struct Content {
    title: String,
    created: u64,
    updated: u64,
    exchanges: Vec<Talk>,
}

#[derive(Deserialize)]
struct Talk {
    question: String,
    answer: Answer,
    pictures: Vec<Picture>,
}

#[derive(Deserialize)]
struct Answer {
    text: String,
}

#[derive(Deserialize)]
struct Picture {
    name: String,
}

impl Content {
    /// A conversation of which nothing but its name can be told.
    pub(super) fn untold(id: &SessionId) -> Self {
        Self { title: id.to_string(), created: 0, updated: 0, exchanges: Vec::new() }
    }

    /// Whether each word, in lower case, occurs somewhere.
    pub(super) fn has_all(&self, words: &[&str]) -> bool {
        if words.is_empty() {
            return true;
        }
        let mut text = self.title.to_lowercase();
        for Talk { question, answer, pictures } in &self.exchanges {
            for part in [question, &answer.text].into_iter().chain(pictures.iter().map(|p| &p.name))
            {
                text.push('\n');
                text.push_str(&part.to_lowercase());
            }
        }
        words.iter().all(|word| text.contains(word))
    }
}

impl From<&Session> for Content {
    fn from(session: &Session) -> Self {
        let talk = |exchange: &Exchange| Talk {
            question: exchange.question.clone(),
            answer: Answer { text: exchange.answer.text.clone() },
            pictures: exchange.pictures.iter().map(|p| Picture { name: p.name.clone() }).collect(),
        };
        Self {
            title: session.title.clone(),
            created: session.created,
            updated: session.updated,
            exchanges: session.exchanges.iter().map(talk).collect(),
        }
    }
}
