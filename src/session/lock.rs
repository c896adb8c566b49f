//! One writer at a time for each conversation, across processes.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::SessionError;
use super::files;
use super::id::SessionId;

/// Pause before a taken lock is tried again.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a lock is waited for that another window may hold for a moment, to look or to rename.
pub const MOMENT: Duration = Duration::from_millis(500);

/// The right to write one conversation. The system takes it back however the process ends.
///
/// The file lies outside the conversation's folder, which can so be moved while it is held.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock of `id`, waiting for it as long as `patience`.
    pub fn take(data: &Path, id: &SessionId, patience: Duration) -> Result<Self, SessionError> {
        let folder = data.join("locks");
        files::create_folder(&folder)?;
        let path = folder.join(id.as_str());
        let failed = |error: &io::Error| SessionError::io(&path, error);
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|error| failed(&error))?;
        let given_up = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file, path }),
                Err(TryLockError::WouldBlock) if Instant::now() < given_up => {
                    std::thread::sleep(PAUSE);
                }
                Err(TryLockError::WouldBlock) => return Err(SessionError::InUse),
                // A file system without locks holds data all the same.
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    return Ok(Self { _file: file, path });
                }
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
            }
        }
    }

    /// Removes the file with the lock: for a conversation that is gone for good.
    pub fn remove(self) {
        // An empty file that stays behind costs nothing.
        let _: io::Result<()> = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_let_go_of() {
        let data = tempfile::tempdir().unwrap();
        let id = SessionId::new(0);
        let take = || Lock::take(data.path(), &id, Duration::ZERO);
        let first = take().unwrap();
        assert_eq!(take().unwrap_err(), SessionError::InUse);
        assert!(Lock::take(data.path(), &SessionId::new(0), Duration::ZERO).is_ok());
        drop(first);
        take().unwrap().remove();
        assert!(!data.path().join("locks").join(id.as_str()).exists());
    }

    #[test]
    fn a_lock_that_is_held_for_a_moment_is_waited_for() {
        let data = tempfile::tempdir().unwrap();
        let id = SessionId::new(0);
        let first = Lock::take(data.path(), &id, Duration::ZERO).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(50));
                drop(first);
            });
            assert!(Lock::take(data.path(), &id, Duration::from_secs(20)).is_ok());
        });
    }
}
