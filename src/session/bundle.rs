//! Exported conversations, read: outside data, checked before anything is believed.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use conversation::{Picture, now};
use values::frame::{Frame, without_folders};
use values::panics;
use values::text::brief;
use zip::ZipArchive;

use super::error::{SessionError, show};
use super::id::SessionId;
use super::lock::{self, Lock};
use super::record::Session;
use super::store::{Store, picture_in};
use super::writer::write_picture;
use super::{disk, files, picture};

/// The most entries of a zip.
const MAX_ENTRIES: usize = 10_000;
/// The most bytes that all entries of a zip may unpack to: 4 GiB.
const MAX_UNPACKED: u64 = 4 << 30;

/// An exported conversation, opened: a folder or a zip.
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    content: Content,
    session: Session,
}

#[derive(Debug)]
enum Content {
    Folder(PathBuf),
    Zip(Box<Zip>),
}

/// A zip whose entries' names have been checked.
#[derive(Debug)]
struct Zip {
    path: PathBuf,
    archive: ZipArchive<File>,
    /// The folder within the zip that has the `session.json`, with its slash; mostly empty.
    inner: String,
    /// Bytes that may still be unpacked, whatever the entries say of their sizes.
    budget: u64,
}

impl Bundle {
    /// Opens a bundle: a folder, the `session.json` in it, or a zip.
    ///
    /// # Errors
    /// [`SessionError::NotABundle`], [`SessionError::Damaged`], [`SessionError::Newer`],
    /// [`SessionError::TooLarge`].
    pub fn open(path: &Path) -> Result<Self, SessionError> {
        let not_a_bundle = || SessionError::NotABundle { name: show(path) };
        let folder = match path.file_name() {
            Some(name) if name == disk::FILE => path.parent().unwrap_or(path),
            _ => path,
        };
        let (mut content, text) = if folder.is_dir() {
            let file = folder.join(disk::FILE);
            let text = files::read(&file, disk::MAX_BYTES)?.ok_or_else(not_a_bundle)?;
            (Content::Folder(folder.to_path_buf()), text)
        } else {
            let file = match File::open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Err(not_a_bundle());
                }
                Err(error) => return Err(SessionError::io(path, &error)),
            };
            if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
                return Err(not_a_bundle());
            }
            let mut zip = Zip::open(path, file)?.ok_or_else(not_a_bundle)?;
            let text = zip.read(disk::FILE, disk::MAX_BYTES)?.ok_or_else(not_a_bundle)?;
            (Content::Zip(Box::new(zip)), text)
        };
        let mut session = disk::decode(path, &text)?;
        tidy(&mut session);
        if let Content::Zip(zip) = &mut content {
            zip.check_pictures(&session)?;
        }
        Ok(Self { path: path.to_path_buf(), content, session })
    }

    /// The conversation.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// One of its pictures, checked to be the one that was asked about.
    ///
    /// # Errors
    /// [`SessionError::Damaged`] where it is missing or another one, [`SessionError::TooLarge`].
    pub fn frame(&mut self, record: &Picture) -> Result<Frame, SessionError> {
        match &mut self.content {
            Content::Folder(folder) => picture_in(folder, record),
            Content::Zip(zip) => {
                let name = self.path.join(&record.file);
                let bytes = zip
                    .read(&record.file, picture::MAX_BYTES)?
                    .ok_or_else(|| SessionError::damaged(&name, "the picture is missing"))?;
                picture::decode(&name, &bytes, record)
            }
        }
    }
}

impl Zip {
    /// Opens a zip and refuses what no exporter writes; `None` where it is no zip.
    fn open(path: &Path, file: File) -> Result<Option<Self>, SessionError> {
        let opened = panics::guard(|| ZipArchive::new(file));
        let Ok(Ok(mut archive)) = opened else { return Ok(None) };
        let too_large =
            |what, limit: String| Err(SessionError::TooLarge { name: show(path), what, limit });
        if archive.len() > MAX_ENTRIES {
            return too_large("the number of files", MAX_ENTRIES.to_string());
        }
        let mut unpacked = 0_u64;
        let mut inner = None;
        for index in 0..archive.len() {
            let entry = archive
                .by_index_raw(index)
                .map_err(|error| SessionError::damaged(path, error.to_string()))?;
            let name = entry.name();
            if entry.is_symlink() || !is_inside(name) {
                let reason = format!("the file {:?} would lie outside it", brief(name));
                return Err(SessionError::damaged(path, reason));
            }
            unpacked = unpacked.saturating_add(entry.size());
            // Whoever packs an exported folder again puts the folder around it.
            if let Some(folder) = name.strip_suffix(disk::FILE)
                && (folder.is_empty() || folder.ends_with('/') && folder.matches('/').count() == 1)
                && inner.as_ref().is_none_or(|inner: &String| inner.len() > folder.len())
            {
                inner = Some(folder.to_owned());
            }
        }
        if unpacked > MAX_UNPACKED {
            return too_large("what it unpacks to", format!("{} MiB", MAX_UNPACKED >> 20));
        }
        let inner = inner.unwrap_or_default();
        Ok(Some(Self { path: path.to_path_buf(), archive, inner, budget: MAX_UNPACKED }))
    }

    /// Unpacks one entry into memory; `None` where there is none of that name.
    fn read(&mut self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, SessionError> {
        let full_name = format!("{}{name}", self.inner);
        if self.archive.index_for_name(&full_name).is_none() {
            return Ok(None);
        }
        let limit = limit.min(self.budget);
        let archive = &mut self.archive;
        let read = panics::guard(|| {
            let entry = archive.by_name(&full_name).map_err(|error| error.to_string())?;
            files::read_bounded(entry, limit).map_err(|error| error.to_string())
        });
        let damaged = |reason: String| SessionError::damaged(&self.path.join(name), reason);
        let Some(bytes) = read.unwrap_or_else(Err).map_err(damaged)? else {
            let (name, limit) = (show(&self.path.join(name)), format!("{} MiB", limit >> 20));
            return Err(SessionError::TooLarge { name, what: "what it unpacks to", limit });
        };
        self.budget -= bytes.len() as u64;
        Ok(Some(bytes))
    }

    /// Whether all pictures are there, told before anything is done with the first.
    fn check_pictures(&self, session: &Session) -> Result<(), SessionError> {
        let missing =
            session.exchanges.iter().flat_map(|exchange| &exchange.pictures).find(|r| {
                self.archive.index_for_name(&format!("{}{}", self.inner, r.file)).is_none()
            });
        match missing {
            Some(record) => {
                Err(SessionError::damaged(&self.path.join(&record.file), "the picture is missing"))
            }
            None => Ok(()),
        }
    }
}

/// Whether an entry's name stays inside on every system.
fn is_inside(name: &str) -> bool {
    !name.starts_with('/')
        && !name.contains(['\\', ':', '\0'])
        && name.split('/').all(|part| part != "..")
}

/// Takes from a conversation what tells of a machine and its user, or breaks a line: folders in
/// names, files in the engine's words.
pub(super) fn tidy(session: &mut Session) {
    session.title = brief_title(&session.title);
    for exchange in &mut session.exchanges {
        for picture in &mut exchange.pictures {
            picture.name = without_folders(&picture.name);
        }
        if let Some(model) = &mut exchange.model {
            model.name = brief(&without_folders(&model.name));
            for word in [&mut model.revision, &mut model.weights, &mut model.device] {
                *word = brief(word);
            }
        }
        if let Some(error) = &mut exchange.answer.error {
            let names_files = error.contains(['/', '\\']);
            *error = if names_files { "the engine failed".to_owned() } else { brief(error) };
        }
    }
}

fn brief_title(title: &str) -> String {
    let mut session = Session::new(SessionId::new(0), 0);
    session.rename(title);
    session.title
}

impl Store {
    /// Takes an exported conversation in, as a new one: a folder or a zip. Its pictures are checked
    /// and written anew from their pixels.
    ///
    /// # Errors
    /// As for [`Bundle::open`] and [`Bundle::frame`], and whatever keeps it from being written.
    /// After an error nothing of it is left.
    pub fn import(&self, path: &Path) -> Result<SessionId, SessionError> {
        let mut bundle = Bundle::open(path)?;
        let id = SessionId::new(now());
        let lock = Lock::take(self.data(), &id, lock::MOMENT)?;
        let folder = self.folder(&id);
        let imported = bundle.unpack(&id, &folder);
        if imported.is_err() {
            let _: std::io::Result<()> = std::fs::remove_dir_all(&folder);
            lock.remove();
        }
        imported.map(|()| id)
    }
}

impl Bundle {
    /// Writes the bundle as the conversation `id`, `session.json` last.
    fn unpack(&mut self, id: &SessionId, folder: &Path) -> Result<(), SessionError> {
        let mut session = self.session.clone();
        session.id = id.clone();
        // A clock ahead of this one would put it above everything to come.
        let now = now();
        session.updated = session.updated.min(now);
        session.created = session.created.min(session.updated);
        files::create_folder(&folder.join(picture::FOLDER))?;
        let mut done: BTreeMap<String, Picture> = BTreeMap::new();
        for record in session.exchanges.iter().flat_map(|exchange| &exchange.pictures) {
            if let Some(first) = done.get(&record.file) {
                let size = |record: &Picture| (record.width, record.height);
                if first.sha256 != record.sha256 || size(first) != size(record) {
                    let name = self.path.join(&record.file);
                    return Err(SessionError::damaged(&name, "it is said to be two pictures"));
                }
                continue;
            }
            let frame = self.frame(record)?;
            write_picture(folder, &record.file, &frame.pixels)?;
            done.insert(record.file.clone(), record.clone());
        }
        files::write_bytes(&folder.join(disk::FILE), &disk::encode(&session, false)?)
    }
}
