//! The one that writes a conversation, while it is being had.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use conversation::{Answer, Exchange, Finish, ModelInfo, Picture, Token, now};
use image::RgbImage;
use values::frame::Frame;
use values::region::Region;

use super::error::SessionError;
use super::id::SessionId;
use super::journal::Journal;
use super::lock::{self, Lock};
use super::record::Session;
use super::{THUMBNAIL, disk, files, picture};

/// Pause after a save that failed before a token tries it again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Writes one conversation; no other process can meanwhile.
///
/// A method that gives an error has done its part in memory all the same: [`Writer::session`] has
/// the question, the token or the answer, and the conversation can go on. Whatever could not be
/// written is written by the next call that can.
///
/// Dropping it lets the conversation go, with an answer under way left in the journal, from which
/// the next reader takes it as interrupted.
#[derive(Debug)]
pub struct Writer {
    data: PathBuf,
    folder: PathBuf,
    session: Session,
    /// Held from the first write on.
    lock: Option<Lock>,
    journal: Journal,
    /// Whether `session.json` lacks something that is complete in memory.
    behind: bool,
    /// Pictures to be written before the question about them.
    queued: Vec<(String, Arc<RgbImage>)>,
    /// The files of pixels taken in, by their hashes.
    known: HashMap<Arc<str>, String>,
    next_picture: u32,
    /// When a save last failed, and why.
    failed: Option<(Instant, SessionError)>,
}

impl Writer {
    /// A new conversation in the data folder `data`. Nothing is written before the first question.
    pub(super) fn create(data: PathBuf) -> Self {
        let created = now();
        Self::new(data, Session::new(SessionId::new(created), created), None)
    }

    /// Goes on with a conversation whose folder is in order.
    pub(super) fn resume(data: PathBuf, session: Session, lock: Lock) -> Self {
        Self::new(data, session, Some(lock))
    }

    fn new(data: PathBuf, session: Session, lock: Option<Lock>) -> Self {
        let folder = super::folder(&data, &session.id);
        // Beside the ones that were asked about: a damaged conversation has lost the questions.
        let lying = files::entries(&folder.join(picture::FOLDER)).unwrap_or_default();
        let lying = lying.iter().filter_map(|path| path.file_name()?.to_str());
        let last = lying
            .filter_map(|name| picture::number(&format!("{}/{name}", picture::FOLDER)))
            .chain(records(&session).filter_map(|record| picture::number(&record.file)))
            .max();
        Self {
            journal: Journal::new(&folder),
            data,
            folder,
            behind: lock.is_none(),
            session,
            lock,
            queued: Vec::new(),
            known: HashMap::new(),
            next_picture: last.unwrap_or(0).saturating_add(1),
            failed: None,
        }
    }

    /// The conversation's name.
    pub fn id(&self) -> &SessionId {
        &self.session.id
    }

    /// The conversation as it is in memory, an answer under way included.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Takes a picture in, to be written with the next question. Pixels that the conversation has
    /// already are not kept twice.
    pub fn picture(&mut self, frame: &Frame, region: Option<Region>) -> Picture {
        let file = self.file_of(frame.sha256()).unwrap_or_else(|| self.queue(frame));
        Picture { file, ..Picture::of(frame, region) }
    }

    /// The file that has these pixels already, or will have.
    fn file_of(&self, sha256: &str) -> Option<String> {
        let asked = records(&self.session).find(|record| record.sha256 == sha256);
        asked.map(|record| &record.file).or_else(|| self.known.get(sha256)).cloned()
    }

    fn queue(&mut self, frame: &Frame) -> String {
        let file = picture::file_name(self.next_picture);
        self.next_picture += 1;
        self.queued.push((file.clone(), Arc::clone(&frame.pixels)));
        self.known.insert(Arc::clone(frame.sha256()), file.clone());
        file
    }

    /// Notes that a question was asked, about pictures that [`Writer::picture`] gave, and gives its
    /// number. An answer still under way ends as interrupted.
    ///
    /// # Errors
    /// Whatever keeps it from being written. In memory it is asked all the same.
    pub fn ask(&mut self, exchange: Exchange) -> Result<u32, SessionError> {
        if let Some(exchange) = self.pending() {
            exchange.answer.interrupt();
            self.behind = true;
        }
        let id = self.session.exchanges.last().map_or(1, |last| last.id.saturating_add(1));
        let exchange = Exchange { id, ..exchange };
        self.session.updated = self.session.updated.max(exchange.asked);
        self.session.exchanges.push(exchange.clone());
        self.session.retitle();
        let saved = self.save();
        self.journal.ask(&exchange);
        saved.and_then(|()| self.journal.flush(true)).map(|()| id)
    }

    /// Notes the next token of the answer. When this returns without an error, the token is kept
    /// whatever happens to the process.
    ///
    /// # Errors
    /// [`SessionError::NotAsked`], or whatever keeps it from being written. In memory it came all
    /// the same.
    pub fn token(&mut self, token: &Token) -> Result<(), SessionError> {
        let exchange = self.pending().ok_or(SessionError::NotAsked)?;
        let (id, index) = (exchange.id, exchange.answer.tokens.len());
        exchange.answer.push(token.clone());
        self.journal.token(id, index, token);
        if self.behind || self.lacks_pictures() {
            // The question itself is not written yet. On a full disk each try may cost a whole
            // picture, and the next token does not wait.
            match &self.failed {
                Some((when, error)) if when.elapsed() < RETRY_INTERVAL => return Err(error.clone()),
                _ => self.save()?,
            }
        }
        self.journal.flush(false)
    }

    /// Notes the end of the answer under way. `answer` takes the place of what came, but an answer
    /// that failed or was interrupted without tokens of its own keeps those that came.
    ///
    /// # Errors
    /// [`SessionError::NotAsked`], or whatever keeps it from being written. In memory the answer has
    /// ended all the same.
    pub fn finish(&mut self, answer: Answer) -> Result<(), SessionError> {
        let exchange = self.pending().ok_or(SessionError::NotAsked)?;
        exchange.answer.end(answer);
        self.session.updated = self.session.updated.max(now());
        self.session.retitle();
        self.behind = true;
        self.save()
    }

    /// Takes in an exchange as someone else has it in memory, tokens and all: in place of the same
    /// question where the conversation has it, else after the others, with a number of its own. An
    /// answer that is coming goes on from there.
    ///
    /// # Errors
    /// Whatever keeps it from being written. In memory it is taken in all the same.
    pub fn take_over(&mut self, exchange: Exchange) -> Result<(), SessionError> {
        let same = |kept: &&mut Exchange| {
            kept.asked == exchange.asked && kept.question == exchange.question
        };
        match self.session.exchanges.iter_mut().find(same) {
            Some(kept) if kept.answer == exchange.answer => return Ok(()),
            Some(kept) => {
                (kept.model, kept.answer) = (exchange.model, exchange.answer);
            }
            None => {
                let id = self.session.exchanges.last().map_or(1, |last| last.id.saturating_add(1));
                self.session.updated = self.session.updated.max(exchange.asked);
                self.session.exchanges.push(Exchange { id, ..exchange });
            }
        }
        self.session.retitle();
        self.behind = true;
        if let Some(exchange) = self.pending() {
            let mut exchange = exchange.clone();
            let tokens = std::mem::take(&mut exchange.answer).tokens;
            self.journal.ask(&exchange);
            for (index, token) in tokens.iter().enumerate() {
                self.journal.token(exchange.id, index, token);
            }
            if self.lock.is_some() {
                // What `session.json` has of it is taken away only then.
                self.journal.flush(true)?;
            }
        }
        self.save()?;
        if self.pending().is_some() { self.journal.flush(true) } else { Ok(()) }
    }

    /// Gives the conversation a title; an empty one goes back to the title by default. It is written
    /// at once where the conversation has been written before.
    ///
    /// # Errors
    /// Whatever keeps it from being written. In memory it has the title all the same.
    pub fn rename(&mut self, title: &str) -> Result<(), SessionError> {
        self.session.rename(title);
        if self.session.exchanges.is_empty() && self.lock.is_none() {
            return Ok(());
        }
        self.behind = true;
        self.save()
    }

    /// Notes the model that answers the question under way, where none was loaded when it was asked.
    /// Written with the end of the answer.
    pub fn answered_by(&mut self, model: ModelInfo) {
        if let Some(exchange) = self.pending() {
            exchange.model.get_or_insert(model);
        }
    }

    /// Writes what earlier calls could not.
    ///
    /// # Errors
    /// Whatever keeps it from being written, still.
    pub fn retry(&mut self) -> Result<(), SessionError> {
        if !self.behind && !self.lacks_pictures() {
            return self.journal.flush(true);
        }
        self.save()?;
        if self.pending().is_some() { self.journal.flush(true) } else { Ok(()) }
    }

    /// The exchange whose answer is coming.
    fn pending(&mut self) -> Option<&mut Exchange> {
        let last = self.session.exchanges.last_mut();
        last.filter(|last| last.answer.finish == Finish::Pending)
    }

    /// Whether a picture that was asked about is not written yet.
    fn lacks_pictures(&self) -> bool {
        self.queued.iter().any(|(file, _)| records(&self.session).any(|r| r.file == *file))
    }

    /// Brings the folder up to what is in memory, all but the answer under way.
    fn save(&mut self) -> Result<(), SessionError> {
        let saved = self.try_save();
        self.failed = saved.clone().err().map(|error| (Instant::now(), error));
        saved
    }

    fn try_save(&mut self) -> Result<(), SessionError> {
        if self.lock.is_none() {
            self.lock = Some(Lock::take(&self.data, &self.session.id, lock::MOMENT)?);
        }
        files::create_folder(&self.folder.join(picture::FOLDER))?;
        self.write_pictures()?;
        if !self.behind {
            return Ok(());
        }
        // Only what has ended: a question in both places would be taken for an ended one.
        let pending = self.pending().is_some().then(|| self.session.exchanges.pop()).flatten();
        let text = disk::encode(&self.session, false);
        let answering = pending.is_some();
        self.session.exchanges.extend(pending);
        files::write_bytes(&self.folder.join(disk::FILE), &text?)?;
        self.behind = false;
        if !answering {
            self.journal.clear();
        }
        Ok(())
    }

    /// Writes the pictures that were asked about.
    fn write_pictures(&mut self) -> Result<(), SessionError> {
        let asked = |file: &String| records(&self.session).any(|record| record.file == *file);
        let mut rest = Vec::new();
        let mut result = Ok(());
        for (file, pixels) in std::mem::take(&mut self.queued) {
            if result.is_ok() && asked(&file) {
                result = write_picture(&self.folder, &file, &pixels);
                if result.is_ok() {
                    continue;
                }
            }
            rest.push((file, pixels));
        }
        self.queued = rest;
        result
    }
}

/// Writes a picture, and the conversation's thumbnail where it is the first.
pub(super) fn write_picture(
    folder: &Path,
    file: &str,
    pixels: &RgbImage,
) -> Result<(), SessionError> {
    picture::write(&folder.join(file), pixels)?;
    let thumbnail = folder.join(THUMBNAIL);
    if thumbnail.exists() {
        return Ok(());
    }
    picture::write(&thumbnail, &values::picture::thumbnail(pixels, picture::THUMBNAIL_SIDE))
}

/// The pictures of all exchanges.
fn records(session: &Session) -> impl Iterator<Item = &Picture> {
    session.exchanges.iter().flat_map(|exchange| &exchange.pictures)
}
