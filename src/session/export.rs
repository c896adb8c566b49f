//! Conversations written for elsewhere: as a bundle (folder or zip) that can be taken in and
//! replayed, or as Markdown to read.
//!
//! An export is made beside its place and then moved there, so that half of one is never found.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use conversation::{Finish, Picture};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::error::{SessionError, show};
use super::id::SessionId;
use super::record::Session;
use super::store::Store;
use super::{bundle, disk, files, markdown, picture};

/// The Markdown file in an exported folder.
const MARKDOWN: &str = "conversation.md";

/// In which form a conversation is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// A bundle as a folder: `session.json` and `pictures/`.
    Folder,
    /// The same as one zip file.
    Zip,
    /// Text to read, with the pictures. To a path that ends in `.md`: that file, with the pictures
    /// in a folder `…-pictures` beside it. To any other: a folder with both.
    Markdown,
}

/// How a conversation is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportOptions {
    /// Whether what lies there already is replaced.
    pub overwrite: bool,
    /// Whether the text that was read in pictures goes along: signs and letters are private. Without
    /// it a replay cannot tell the model what it was told.
    pub text: bool,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self { overwrite: false, text: true }
    }
}

impl Store {
    /// Exports a conversation to `to`, which is the folder or the file to be made. No folder of this
    /// machine, no user's name and nothing a camera wrote into its file is in it.
    ///
    /// What lies there already is replaced only where `options` say so, and a folder only where it holds
    /// nothing but an export. The same export twice is no error.
    ///
    /// # Errors
    /// [`SessionError::Exists`], [`SessionError::NotAnExport`], as for [`Store::read`] and
    /// [`Store::picture`], and whatever keeps it from being written.
    pub fn export(
        &self,
        id: &SessionId,
        to: &Path,
        format: ExportFormat,
        options: ExportOptions,
    ) -> Result<(), SessionError> {
        let ExportOptions { overwrite, text } = options;
        let mut session = self.read(id)?;
        bundle::tidy(&mut session);
        for exchange in &mut session.exchanges {
            if exchange.answer.finish == Finish::Pending {
                exchange.answer.interrupt();
            }
            if !text {
                exchange.pictures.iter_mut().for_each(|picture| picture.evidence.lines.clear());
            }
        }
        let export = Export { session: &session, folder: &self.folder(id), to, overwrite };
        match format {
            ExportFormat::Folder => export.folder(),
            ExportFormat::Zip => export.zip(),
            ExportFormat::Markdown => match to.extension() {
                Some(extension) if extension.eq_ignore_ascii_case("md") => export.markdown_file(),
                _ => export.markdown_folder(),
            },
        }
    }
}

/// One export under way.
struct Export<'a> {
    session: &'a Session,
    /// The conversation's folder.
    folder: &'a Path,
    to: &'a Path,
    overwrite: bool,
}

impl Export<'_> {
    fn folder(&self) -> Result<(), SessionError> {
        let staged = staging_folder(self.to)?;
        write_public(&staged.path().join(disk::FILE), &disk::encode(self.session, true)?)?;
        let pictures = staged.path().join(picture::FOLDER);
        make_folder(&pictures)?;
        for record in self.pictures() {
            write_public(&staged.path().join(&record.file), &self.picture(record)?)?;
        }
        self.install(staged, self.to)
    }

    fn zip(&self) -> Result<(), SessionError> {
        let failed = |error: &std::io::Error| SessionError::io(self.to, error);
        let staged = files::unfinished(0o666);
        let staged = staged.tempfile_in(parent(self.to)).map_err(|error| failed(&error))?;
        let mut zip = ZipWriter::new(staged.as_file());
        self.put(&mut zip, disk::FILE, &disk::encode(self.session, true)?)?;
        for record in self.pictures() {
            self.put(&mut zip, &record.file, &self.picture(record)?)?;
        }
        zip.finish().map_err(|error| failed(&error.into()))?;
        staged.as_file().sync_all().map_err(|error| failed(&error))?;
        if self.to.exists() && !same(staged.path(), self.to)? {
            self.may_replace_file(self.to)?;
        }
        staged.persist(self.to).map_err(|error| failed(&error.error))?;
        files::sync_folder(parent(self.to));
        Ok(())
    }

    fn put(&self, zip: &mut ZipWriter<&File>, name: &str, data: &[u8]) -> Result<(), SessionError> {
        // A PNG is compressed already.
        let method = if name == disk::FILE {
            CompressionMethod::Deflated
        } else {
            CompressionMethod::Stored
        };
        // Dated by no clock: the same conversation gives the same zip.
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .last_modified_time(zip::DateTime::default())
            .large_file(data.len() as u64 > u64::from(u32::MAX));
        zip.start_file(name, options)
            .map_err(std::io::Error::from)
            .and_then(|()| zip.write_all(data))
            .map_err(|error| SessionError::io(self.to, &error))
    }

    fn markdown_folder(&self) -> Result<(), SessionError> {
        let staged = staging_folder(self.to)?;
        make_folder(&staged.path().join(picture::FOLDER))?;
        let written = self.write_readable_pictures(&staged.path().join(picture::FOLDER))?;
        let text = markdown::render(self.session, picture::FOLDER, &written);
        write_public(&staged.path().join(MARKDOWN), text.as_bytes())?;
        self.install(staged, self.to)
    }

    fn markdown_file(&self) -> Result<(), SessionError> {
        let stem = self.to.file_stem().unwrap_or_default().to_string_lossy();
        let beside = format!("{stem}-{}", picture::FOLDER);
        let pictures = self.to.with_file_name(&beside);
        let staged = staging_folder(&pictures)?;
        let written = self.write_readable_pictures(staged.path())?;
        let text = markdown::render(self.session, &beside, &written);
        if self.to.exists() && fs::read(self.to).ok().as_deref() != Some(text.as_bytes()) {
            self.may_replace_file(self.to)?;
        }
        if !written.is_empty() {
            self.install(staged, &pictures)?;
        }
        write_public(self.to, text.as_bytes())
    }

    /// Writes the pictures that can be read, and gives their files: a reader does without the rest.
    fn write_readable_pictures(&self, folder: &Path) -> Result<BTreeSet<String>, SessionError> {
        let mut written = BTreeSet::new();
        for record in self.pictures() {
            if let (Ok(bytes), Some(name)) =
                (self.picture(record), Path::new(&record.file).file_name())
            {
                write_public(&folder.join(name), &bytes)?;
                written.insert(record.file.clone());
            }
        }
        Ok(written)
    }

    /// The pictures, each file once.
    fn pictures(&self) -> impl Iterator<Item = &Picture> {
        let mut seen = BTreeSet::new();
        let all = self.session.exchanges.iter().flat_map(|exchange| &exchange.pictures);
        all.filter(move |record| seen.insert(&record.file))
    }

    /// The file of a picture, checked to be the one that was asked about.
    fn picture(&self, record: &Picture) -> Result<Vec<u8>, SessionError> {
        let path = self.folder.join(&record.file);
        let bytes = files::read(&path, picture::MAX_BYTES)?
            .ok_or_else(|| SessionError::damaged(&path, "the picture is gone"))?;
        picture::decode(&path, &bytes, record)?;
        Ok(bytes)
    }

    fn may_replace_file(&self, path: &Path) -> Result<(), SessionError> {
        let path_name = show(path);
        match (path.is_dir(), self.overwrite) {
            (true, _) => Err(SessionError::NotAnExport { path: path_name }),
            (false, false) => Err(SessionError::Exists { path: path_name }),
            (false, true) => Ok(()),
        }
    }

    /// Moves a finished folder to its place.
    fn install(&self, staged: TempDir, to: &Path) -> Result<(), SessionError> {
        let failed = |error: &std::io::Error| SessionError::io(to, error);
        let mut replaced = None;
        if to.exists() {
            if to.is_dir() && files::entries(to)?.is_empty() {
                fs::remove_dir(to).map_err(|error| failed(&error))?;
            } else if same(staged.path(), to)? {
                return Ok(());
            } else if !self.overwrite {
                return Err(SessionError::Exists { path: show(to) });
            } else if !is_an_export(to)? {
                return Err(SessionError::NotAnExport { path: show(to) });
            } else {
                let aside = staging_folder(to)?;
                let old = aside.path().join("old");
                fs::rename(to, &old).map_err(|error| failed(&error))?;
                replaced = Some((aside, old));
            }
        }
        if let Err(error) = fs::rename(staged.path(), to) {
            if let Some((aside, old)) = replaced
                && fs::rename(&old, to).is_err()
            {
                // Better a strange name than a lost export.
                let _: PathBuf = aside.keep();
            }
            return Err(failed(&error));
        }
        // Moved away: there is nothing to clean up.
        let _: PathBuf = staged.keep();
        files::sync_folder(parent(to));
        Ok(())
    }
}

/// The folder that `path` lies in.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A folder beside `to` that goes away unless it is moved there.
fn staging_folder(to: &Path) -> Result<TempDir, SessionError> {
    let builder = files::unfinished(0o777);
    builder.tempdir_in(parent(to)).map_err(|error| SessionError::io(to, &error))
}

/// An export is for others, unlike the data folder.
fn make_folder(folder: &Path) -> Result<(), SessionError> {
    fs::create_dir(folder).map_err(|error| SessionError::io(folder, &error))
}

/// Writes a file, whole or not at all, that others may read as the user's settings say.
fn write_public(path: &Path, data: &[u8]) -> Result<(), SessionError> {
    files::write_as(path, 0o666, |file| file.write_all(data))
}

/// Whether two files, or folders with all that is in them, are the same.
fn same(a: &Path, b: &Path) -> Result<bool, SessionError> {
    if a.is_dir() && b.is_dir() {
        let (in_a, in_b) = (files::entries(a)?, files::entries(b)?);
        let same_names = in_a.len() == in_b.len()
            && in_a.iter().zip(&in_b).all(|(a, b)| a.file_name() == b.file_name());
        for (a, b) in in_a.iter().zip(&in_b) {
            if !same_names || !same(a, b)? {
                return Ok(false);
            }
        }
        return Ok(same_names);
    }
    if !a.is_file() || !b.is_file() {
        return Ok(false);
    }
    let length = |path: &Path| fs::metadata(path).map(|metadata| metadata.len()).ok();
    let read = |path: &Path| fs::read(path).map_err(|error| SessionError::io(path, &error));
    Ok(length(a) == length(b) && read(a)? == read(b)?)
}

/// Whether a folder holds nothing that an export does not.
fn is_an_export(folder: &Path) -> Result<bool, SessionError> {
    if !folder.is_dir() {
        return Ok(false);
    }
    let picture = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        picture::number(&format!("{}/{name}", picture::FOLDER)).is_some() && path.is_file()
    };
    for path in files::entries(folder)? {
        let known = if path.is_dir() {
            path.ends_with(picture::FOLDER) && files::entries(&path)?.iter().all(picture)
        } else {
            path.ends_with(disk::FILE) || path.ends_with(MARKDOWN) || picture(&path)
        };
        if !known {
            return Ok(false);
        }
    }
    Ok(true)
}
