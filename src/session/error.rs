//! Why a conversation could not be kept, found or exported, in words for the person it belongs to.

use std::io;
use std::path::Path;

use thiserror::Error;
use values::text::{brief, one_line};

/// What went wrong with a conversation on disk. Each message is one line that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SessionError {
    /// The text names no conversation.
    #[error(
        "\"{0}\" is not the name of a conversation: names look like 20260131-235959-000-0123abcd"
    )]
    BadId(String),
    /// No such conversation, or not any more.
    #[error("there is no conversation {0}: it was deleted or belongs to another data folder")]
    NotFound(String),
    /// Another window writes this conversation.
    #[error("this conversation is open in another window: go on with it there, or close it there")]
    InUse,
    /// A token came while no question was being answered.
    #[error("no question is being answered: ask one first")]
    NotAsked,
    /// The disk is full, or the user's part of it.
    #[error(
        "{path}: the disk is full: free some space; until then the conversation is only in memory"
    )]
    DiskFull {
        /// What was being written.
        path: String,
    },
    /// The system does not let this process write there.
    #[error("{path}: permission denied: choose a folder that you may write")]
    NotWritable {
        /// What was being written.
        path: String,
    },
    /// Another trouble with a file, told in the system's words.
    #[error("{path}: {reason}")]
    Io {
        /// The file.
        path: String,
        /// The system's reason.
        reason: String,
    },
    /// The file of a conversation could not be read; it was set aside and the rest goes on.
    #[error("conversation {name} is damaged ({reason}): its file is kept as {kept}")]
    SetAside {
        /// The conversation's id.
        name: String,
        /// What is wrong with the file.
        reason: String,
        /// The name, in the conversation's folder, under which the file is kept.
        kept: String,
    },
    /// A file or bundle is not what its format says.
    #[error("{name}: it is damaged ({reason}): export or copy it again")]
    Damaged {
        /// The file or bundle.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer Lorgnette wrote it.
    #[error("{name}: a newer Lorgnette wrote it (format {format}): update this one to open it")]
    Newer {
        /// The file or bundle.
        name: String,
        /// The format's number.
        format: u64,
    },
    /// No bundle lies there.
    #[error("{name}: not an exported conversation: name a folder or a .zip with a session.json")]
    NotABundle {
        /// The path as it was given.
        name: String,
    },
    /// A bundle that would take more room than any real one.
    #[error("{name}: {what} is over the limit of {limit}: it is not opened")]
    TooLarge {
        /// The bundle.
        name: String,
        /// What there is too much of.
        what: &'static str,
        /// The most there may be, with its unit.
        limit: String,
    },
    /// Something else lies where the export should go.
    #[error(
        "{path}: something lies there already: choose another name, or say that it may be replaced"
    )]
    Exists {
        /// Where the export should go.
        path: String,
    },
    /// Something that no export made lies where the export should go.
    #[error("{path}: it holds other files, which are not replaced: choose another name")]
    NotAnExport {
        /// Where the export should go.
        path: String,
    },
}

impl SessionError {
    /// The error for a trouble of the system with `path`.
    pub(super) fn io(path: &Path, error: &io::Error) -> Self {
        let path = show(path);
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::DiskFull { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::NotWritable { path }
            }
            _ => Self::Io { path, reason: brief(error) },
        }
    }

    pub(super) fn damaged(name: &Path, reason: impl AsRef<str>) -> Self {
        Self::Damaged { name: show(name), reason: brief(reason.as_ref()) }
    }
}

/// A path as one printable line.
pub(super) fn show(path: &Path) -> String {
    one_line(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_errors_say_what_to_do() {
        let message = |kind| SessionError::io(Path::new("a/b"), &io::Error::from(kind)).to_string();
        assert!(message(io::ErrorKind::StorageFull).starts_with("a/b: the disk is full: free"));
        assert!(message(io::ErrorKind::QuotaExceeded).contains("the disk is full"));
        assert!(message(io::ErrorKind::ReadOnlyFilesystem).contains("choose a folder"));
        assert_eq!(message(io::ErrorKind::TimedOut), "a/b: timed out");
    }

    #[test]
    fn foreign_words_stay_on_one_bounded_line() {
        let nasty = format!("two\nlines\u{1b}[31m{}", "é".repeat(1000));
        let text = SessionError::damaged(Path::new("x\ny"), nasty).to_string();
        assert!(!text.contains('\n') && !text.contains('\u{1b}'), "{text}");
        assert!(text.chars().count() < 250, "{text}");
    }
}
