//! All conversations of one data folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use conversation::{Picture, now};
use values::frame::Frame;

use super::disk::{self, Condition};
use super::error::SessionError;
use super::id::SessionId;
use super::lock::{self, Lock};
use super::record::Session;
use super::summary::{Content, Listing, Summary};
use super::writer::Writer;
use super::{THUMBNAIL, files, folder, journal, picture};

/// How long a deleted conversation can be had back.
pub const KEPT_IN_TRASH: Duration = Duration::from_hours(24 * 30);

/// The file in a deleted conversation's folder that tells when it was deleted.
const DELETED: &str = "deleted";

/// The conversations of one data folder. Any number of windows may have one for the same folder.
///
/// All calls wait for the disk.
#[derive(Debug, Clone)]
pub struct Store {
    data: PathBuf,
}

/// What [`Store::delete_all`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeletedAll {
    /// How many conversations are gone, those in the trash included.
    pub deleted: usize,
    /// What is still there, and why: open in another window, mostly.
    pub kept: Vec<(SessionId, SessionError)>,
}

impl Store {
    /// The conversations in the data folder `data_folder`, which need not be there yet: it is made
    /// when something is to be written.
    ///
    /// # Errors
    /// [`SessionError::Io`] where something else than a folder lies there.
    pub fn open(data_folder: &Path) -> Result<Self, SessionError> {
        match fs::metadata(data_folder) {
            Ok(found) if !found.is_dir() => {
                let error = std::io::Error::from(std::io::ErrorKind::NotADirectory);
                Err(SessionError::io(data_folder, &error))
            }
            _ => Ok(Self { data: data_folder.to_path_buf() }),
        }
    }

    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    /// The folder of the conversation `id`, to show it to its owner.
    pub fn folder(&self, id: &SessionId) -> PathBuf {
        folder(&self.data, id)
    }

    /// All conversations, those with the newest questions first. What could not be read is told in
    /// the notices; it keeps no other from being listed. Answers that a killed process left
    /// unfinished are taken over from their journals.
    ///
    /// # Errors
    /// Only where the folder of conversations itself cannot be read.
    pub fn list(&self) -> Result<Listing, SessionError> {
        self.listing(|_| true)
    }

    /// The conversations that have all the words of `text`, in any order and case, in their titles,
    /// questions, answers or pictures' names.
    ///
    /// # Errors
    /// As for [`Store::list`].
    pub fn search(&self, text: &str) -> Result<Listing, SessionError> {
        let text = text.to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        self.listing(|content| content.has_all(&words))
    }

    fn listing(&self, wanted: impl Fn(&Content) -> bool) -> Result<Listing, SessionError> {
        let mut listing = Listing::default();
        for id in ids(&self.data.join(super::FOLDER))? {
            let (content, condition, notice) = match self.content(&id) {
                Ok(found) => found,
                // Another window makes it just now, or has deleted it.
                Err(SessionError::NotFound(_)) => continue,
                Err(error @ SessionError::Newer { .. }) => {
                    (Content::untold(&id), Condition::Newer, Some(error))
                }
                Err(error) => (Content::untold(&id), Condition::Damaged, Some(error)),
            };
            listing.notices.extend(notice);
            if wanted(&content) {
                let thumbnail = self.folder(&id).join(THUMBNAIL);
                let thumbnail = thumbnail.is_file().then_some(thumbnail);
                listing.sessions.push(Summary::new(id, &content, condition, thumbnail));
            }
        }
        listing.sessions.sort_by(|a, b| (b.updated, &b.id).cmp(&(a.updated, &a.id)));
        Ok(listing)
    }

    /// What a list needs of one conversation, without its tokens where nothing is amiss.
    fn content(
        &self,
        id: &SessionId,
    ) -> Result<(Content, Condition, Option<SessionError>), SessionError> {
        let folder = self.folder(id);
        let path = folder.join(disk::FILE);
        if !folder.join(journal::FILE).exists()
            && let Some(bytes) = files::read(&path, disk::MAX_BYTES).unwrap_or_default()
        {
            match disk::parse::<Content>(&path, &bytes) {
                Ok(content) => {
                    let damaged = disk::is_set_aside(&folder);
                    let condition = if damaged { Condition::Damaged } else { Condition::Whole };
                    return Ok((content, condition, None));
                }
                Err(error @ SessionError::Newer { .. }) => return Err(error),
                Err(_) => {}
            }
        }
        let (session, condition, notice) = self.look(id, Duration::ZERO)?;
        Ok((Content::from(&session), condition, notice))
    }

    /// Reads a conversation and puts its folder in order, unless another window writes it.
    fn look(
        &self,
        id: &SessionId,
        patience: Duration,
    ) -> Result<(Session, Condition, Option<SessionError>), SessionError> {
        let folder = self.folder(id);
        if !folder.is_dir() {
            return Err(SessionError::NotFound(id.to_string()));
        }
        match Lock::take(&self.data, id, patience) {
            Ok(lock) => disk::settle(&lock, &folder, id),
            Err(error) => {
                let found = disk::load(&folder, id, error == SessionError::InUse)?;
                Ok((found.session, found.condition, None))
            }
        }
    }

    /// A conversation. One that another window writes comes as it is at the moment, with an answer
    /// under way as pending.
    ///
    /// # Errors
    /// [`SessionError::NotFound`], [`SessionError::Newer`], or whatever keeps it from being read.
    pub fn read(&self, id: &SessionId) -> Result<Session, SessionError> {
        let folder = self.folder(id);
        if !folder.join(journal::FILE).exists() {
            let path = folder.join(disk::FILE);
            if let Ok(Some(bytes)) = files::read(&path, disk::MAX_BYTES)
                && let Ok(mut session) = disk::decode(&path, &bytes)
            {
                session.id = id.clone();
                return Ok(session);
            }
        }
        self.look(id, Duration::ZERO).map(|(session, ..)| session)
    }

    /// A picture of a conversation, checked to be the one that was asked about.
    ///
    /// # Errors
    /// [`SessionError::Damaged`] where the file is gone or changed.
    pub fn picture(&self, id: &SessionId, record: &Picture) -> Result<Frame, SessionError> {
        picture_in(&self.folder(id), record)
    }

    /// A new conversation. Its folder is made with the first question.
    pub fn create(&self) -> Writer {
        Writer::create(self.data.clone())
    }

    /// Goes on with a conversation.
    ///
    /// # Errors
    /// [`SessionError::InUse`] while another window has it, and as for [`Store::read`].
    pub fn resume(&self, id: &SessionId) -> Result<(Session, Writer), SessionError> {
        let lock = self.lock(id)?;
        let (session, _, _) = disk::settle(&lock, &self.folder(id), id)?;
        Ok((session.clone(), Writer::resume(self.data.clone(), session, lock)))
    }

    /// The lock of a conversation that is there.
    fn lock(&self, id: &SessionId) -> Result<Lock, SessionError> {
        let folder = self.folder(id);
        let missing = || SessionError::NotFound(id.to_string());
        if !folder.is_dir() {
            return Err(missing());
        }
        let lock = Lock::take(&self.data, id, lock::MOMENT)?;
        // Deleted while the lock was waited for.
        if folder.is_dir() { Ok(lock) } else { Err(missing()) }
    }

    /// Gives a conversation a title; an empty one goes back to the title by default. The window that
    /// writes a conversation renames it by [`Writer::rename`].
    ///
    /// # Errors
    /// [`SessionError::InUse`], and whatever keeps it from being written.
    pub fn rename(&self, id: &SessionId, title: &str) -> Result<(), SessionError> {
        let lock = self.lock(id)?;
        let folder = self.folder(id);
        let (mut session, _, _) = disk::settle(&lock, &folder, id)?;
        session.rename(title);
        files::write_bytes(&folder.join(disk::FILE), &disk::encode(&session, false)?)
    }

    /// Moves a conversation to the trash. Its [`Writer`], if this window has one, must be dropped
    /// before.
    ///
    /// # Errors
    /// [`SessionError::InUse`], and whatever keeps it from being moved.
    pub fn delete(&self, id: &SessionId) -> Result<(), SessionError> {
        let _lock = self.lock(id)?;
        let folder = self.folder(id);
        let trash = self.data.join(super::TRASH);
        files::create_folder(&trash)?;
        files::write_bytes(&folder.join(DELETED), now().to_string().as_bytes())?;
        move_folder(&folder, &trash.join(id.as_str()))
    }

    /// Takes a deleted conversation back from the trash.
    ///
    /// # Errors
    /// [`SessionError::NotFound`] where it is not there any more.
    pub fn undo_delete(&self, id: &SessionId) -> Result<(), SessionError> {
        let deleted = self.data.join(super::TRASH).join(id.as_str());
        let missing = || SessionError::NotFound(id.to_string());
        if !deleted.is_dir() {
            return Err(missing());
        }
        let _lock = Lock::take(&self.data, id, lock::MOMENT)?;
        if !deleted.is_dir() {
            return Err(missing());
        }
        let folder = self.folder(id);
        move_folder(&deleted, &folder)?;
        files::remove_file(&folder.join(DELETED))
    }

    /// The deleted conversations that can be had back, the newest first.
    ///
    /// # Errors
    /// Where the trash cannot be read.
    pub fn trash(&self) -> Result<Vec<SessionId>, SessionError> {
        let mut ids = ids(&self.data.join(super::TRASH))?;
        ids.reverse();
        Ok(ids)
    }

    /// Deletes for good what has been in the trash for `age` ([`KEPT_IN_TRASH`] by default), and
    /// what a killed process left before anything was asked. Gives the number of conversations.
    ///
    /// # Errors
    /// Whatever keeps the first of them from being deleted; the others are gone.
    pub fn purge(&self, age: Duration) -> Result<usize, SessionError> {
        let mut purged = 0;
        let mut result = Ok(());
        for id in self.trash()? {
            let folder = self.data.join(super::TRASH).join(id.as_str());
            if deleted_for(&folder) < age {
                continue;
            }
            match self.erase(&id, &folder) {
                Ok(()) => purged += 1,
                Err(error) => result = result.and(Err(error)),
            }
        }
        for id in ids(&self.data.join(super::FOLDER))? {
            let folder = self.folder(&id);
            if disk::is_begun(&folder) {
                continue;
            }
            if let Ok(lock) = Lock::take(&self.data, &id, Duration::ZERO)
                && !disk::is_begun(&folder)
            {
                let erased = erase_folder(&self.data, &folder);
                lock.remove();
                result = result.and(erased);
            }
        }
        result.map(|()| purged)
    }

    /// Deletes all conversations for good, those in the trash too. What another window has open
    /// stays, and is told.
    ///
    /// # Errors
    /// Only where the folders themselves cannot be read.
    pub fn delete_all(&self) -> Result<DeletedAll, SessionError> {
        let mut done = DeletedAll::default();
        for parent in [super::FOLDER, super::TRASH] {
            let parent = self.data.join(parent);
            for id in ids(&parent)? {
                match self.erase(&id, &parent.join(id.as_str())) {
                    Ok(()) => done.deleted += 1,
                    Err(error) => done.kept.push((id, error)),
                }
            }
        }
        Ok(done)
    }

    fn erase(&self, id: &SessionId, folder: &Path) -> Result<(), SessionError> {
        let lock = Lock::take(&self.data, id, lock::MOMENT)?;
        erase_folder(&self.data, folder)?;
        lock.remove();
        Ok(())
    }
}

/// Deletes a folder by way of the trash, so that half of it is never listed.
fn erase_folder(data: &Path, folder: &Path) -> Result<(), SessionError> {
    let trash = data.join(super::TRASH);
    let name = folder.file_name().unwrap_or_default();
    let doomed = trash.join(name);
    if folder.parent() != Some(&trash) {
        files::create_folder(&trash)?;
        move_folder(folder, &doomed)?;
    }
    fs::remove_dir_all(&doomed).map_err(|error| SessionError::io(&doomed, &error))
}

fn move_folder(from: &Path, to: &Path) -> Result<(), SessionError> {
    fs::rename(from, to).map_err(|error| SessionError::io(from, &error))?;
    [from, to].into_iter().filter_map(Path::parent).for_each(files::sync_folder);
    Ok(())
}

/// How long a folder has been in the trash.
fn deleted_for(folder: &Path) -> Duration {
    let noted = fs::read_to_string(folder.join(DELETED)).ok();
    let noted = noted.and_then(|text| text.trim().parse().ok()).map(Duration::from_millis);
    let deleted = match noted {
        Some(since) => SystemTime::UNIX_EPOCH.checked_add(since),
        None => fs::metadata(folder).and_then(|folder| folder.modified()).ok(),
    };
    // A clock that was set back keeps it longer.
    let age = deleted.and_then(|deleted| SystemTime::now().duration_since(deleted).ok());
    age.unwrap_or_default()
}

/// The conversations that have a folder in `parent`, sorted.
fn ids(parent: &Path) -> Result<Vec<SessionId>, SessionError> {
    let paths = files::entries(parent)?;
    let names = paths.iter().filter(|path| path.is_dir()).filter_map(|path| path.file_name());
    Ok(names.filter_map(|name| SessionId::parse(name.to_str()?).ok()).collect())
}

/// A picture of the conversation or bundle in `folder`.
pub(super) fn picture_in(folder: &Path, record: &Picture) -> Result<Frame, SessionError> {
    let path = folder.join(&record.file);
    if picture::number(&record.file).is_none() {
        return Err(SessionError::damaged(&path, "it is no picture's name"));
    }
    let bytes = files::read(&path, picture::MAX_BYTES)?
        .ok_or_else(|| SessionError::damaged(&path, "the picture is gone"))?;
    picture::decode(&path, &bytes, record)
}
