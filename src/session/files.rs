//! Files written whole or not at all, read up to a bound, and folders that only their owner sees.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::error::SessionError;

/// What every unfinished file's name begins and ends with.
const UNFINISHED: (&str, &str) = (".lorgnette-", ".tmp");

/// Creates a folder and those above it, for this user alone where the system tells users apart.
pub fn create_folder(folder: &Path) -> Result<(), SessionError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| SessionError::io(folder, &error))
}

/// Writes `path` by way of a second file, so that whatever happens the old content or the new one
/// is there, whole.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), SessionError> {
    write_as(path, 0o600, write)
}

/// The same, for whomever `mode` lets read it, where the system has such modes.
pub fn write_as(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), SessionError> {
    let failed = |error: &io::Error| SessionError::io(path, error);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = unfinished(mode).tempfile_in(folder).map_err(|error| failed(&error))?;
    write(file.as_file_mut()).map_err(|error| failed(&error))?;
    file.as_file().sync_all().map_err(|error| failed(&error))?;
    file.persist(path).map_err(|error| failed(&error.error))?;
    sync_folder(folder);
    Ok(())
}

/// Writes bytes to `path`, as [`write_atomically`] does.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), SessionError> {
    write_atomically(path, |file| file.write_all(bytes))
}

/// Makes files or folders that go away unless they are moved to their place, for whomever `mode`
/// lets read them, where the system has such modes.
pub fn unfinished(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED.0).suffix(UNFINISHED.1);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

/// Makes what was moved in `folder` outlast a power cut, where the system can.
pub fn sync_folder(folder: &Path) {
    if cfg!(unix) {
        let _: io::Result<()> = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

/// Removes the unfinished files that a killed process left in `folder`.
pub fn sweep_unfinished(folder: &Path) {
    for path in entries(folder).unwrap_or_default() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1) {
            let _: io::Result<()> = fs::remove_file(&path);
        }
    }
}

/// The content of a file, or nothing where there is none.
pub fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, SessionError> {
    let failed = |error: &io::Error| SessionError::io(path, error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    // Reading a pipe or a device might never end.
    if !file.metadata().map_err(|error| failed(&error))?.is_file() {
        return Err(SessionError::damaged(path, "it is no ordinary file"));
    }
    match read_bounded(file, limit).map_err(|error| failed(&error))? {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(SessionError::damaged(path, format!("it is over {} MiB", limit >> 20))),
    }
}

/// Reads to the end; `None` where there are more than `limit` bytes.
pub fn read_bounded(reader: impl Read, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

/// What lies in a folder, sorted; nothing where there is no such folder.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>, SessionError> {
    let failed = |error: &io::Error| SessionError::io(folder, error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(&error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<io::Result<Vec<_>>>().map_err(|error| failed(&error))?;
    paths.sort();
    Ok(paths)
}

/// Removes a file, if it is there.
pub fn remove_file(path: &Path) -> Result<(), SessionError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(SessionError::io(path, &error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_fails_leaves_the_old_content_and_no_rubbish() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_bytes(&path, b"old").unwrap();
        let error = write_atomically(&path, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(matches!(error, Err(SessionError::DiskFull { .. })), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(entries(folder.path()).unwrap(), [path]);
    }

    #[test]
    fn reading_stops_at_the_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert_eq!(read(&path, 3), Ok(None));
        fs::write(&path, b"abc").unwrap();
        assert_eq!(read(&path, 3), Ok(Some(b"abc".to_vec())));
        assert!(matches!(read(&path, 2), Err(SessionError::Damaged { .. })));
        assert!(read(folder.path(), 3).is_err(), "a folder is no file");
    }

    #[test]
    fn what_a_killed_process_left_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("note.tmp");
        fs::write(&kept, b"").unwrap();
        fs::write(folder.path().join(".lorgnette-1234.tmp"), b"half").unwrap();
        sweep_unfinished(folder.path());
        assert_eq!(entries(folder.path()).unwrap(), [kept]);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_sees_into_a_new_folder() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        create_folder(&inner).unwrap();
        assert_eq!(fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
