//! The log file: what happened, for whoever has to find out why something did not work.
//!
//! It holds what this program does and meets: versions, loading, times, errors, panics. It never
//! holds a question, an answer, or the name or content of a picture: whoever adds a line keeps to
//! that, and other crates' lines, which may quote anything, are kept from warnings up.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::text::one_line;

/// Environment variable that says how much of its own work the program logs: `error`, `warn`,
/// `info`, `debug` or `trace`.
pub const LEVEL_VARIABLE: &str = "LORGNETTE_LOG";

/// Where mistral.rs tells of a pass that failed. The engine's worker has some fail on purpose, so that
/// what is held is let go of; of every other it tells by itself.
const PASSES: &str = "mistralrs_core::engine";

/// A larger log is put aside at the start.
const ROTATE_BYTES: u64 = 1 << 20;
/// The most one run writes: a driver may complain sixty times a second.
const RUN_BYTES: u64 = 16 << 20;

/// No log is being written. The program works without one.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be opened.
    #[error("no log can be written in {folder} ({source}): make the folder writable")]
    File {
        /// The folder, as one printable line.
        folder: String,
        /// Why not.
        source: io::Error,
    },
    /// Something in this process logs already.
    #[error("this process has a log already")]
    Taken,
}

/// Begins to log into `log/lorgnette.log` in the data folder, and says where that is.
///
/// Other processes may write to the same file at the same time. A file over 1 MiB is kept as
/// `lorgnette.old.log` and a new one begun.
///
/// mistral.rs only tries to install a log of its own, and only where it is told to: what is here
/// first, stays.
///
/// # Errors
/// Any [`LogError`].
pub fn start(data: &Path) -> Result<PathBuf, LogError> {
    let file = data.join("log").join("lorgnette.log");
    let log = open(&file).map_err(|source| {
        let folder = file.parent().unwrap_or(data).to_string_lossy();
        LogError::File { folder: one_line(&folder), source }
    })?;
    let level = std::env::var(LEVEL_VARIABLE).unwrap_or_default();
    subscriber(log, levels(&level)).try_init().map_err(|_| LogError::Taken)?;
    tracing::info!(
        "Lorgnette {} on {} {}, process {}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        std::process::id()
    );
    Ok(file)
}

fn open(file: &Path) -> io::Result<File> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    if fs::metadata(file).is_ok_and(|about| about.len() > ROTATE_BYTES) {
        // A file that cannot be put aside is written on.
        drop(fs::rename(file, file.with_extension("old.log")));
    }
    OpenOptions::new().create(true).append(true).open(file)
}

fn subscriber(file: File, levels: Targets) -> impl Subscriber + Send + Sync + 'static {
    let log = Arc::new(Log { file, left: AtomicU64::new(RUN_BYTES) });
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(log);
    tracing_subscriber::registry().with(lines.with_filter(levels))
}

/// The named level for the program's own lines, and never more than warnings of others.
fn levels(name: &str) -> Targets {
    // The empty name would parse, as that of errors.
    let name = Some(name.trim()).filter(|name| !name.is_empty());
    let own = name.and_then(|name| name.parse().ok()).unwrap_or(LevelFilter::INFO);
    Targets::new()
        .with_target("lorgnette", own)
        .with_target(PASSES, LevelFilter::OFF)
        .with_default(LevelFilter::WARN.min(own))
}

/// A file that a run writes a limited number of bytes to.
struct Log {
    file: File,
    left: AtomicU64,
}

impl Write for &Log {
    /// Writes the whole line at once, so that the lines of several threads and processes stay
    /// apart.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let length = line.len() as u64;
        let take = |left: u64| left.checked_sub(length);
        match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => (&self.file).write_all(line)?,
            // The first line too many ends it; smaller ones must not slip through afterwards.
            Err(_) => {
                if self.left.swap(0, Ordering::Relaxed) > 0 {
                    (&self.file).write_all(b"The log of this run ends here: it is too long.\n")?;
                }
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn the_level_is_for_own_lines_alone() {
        let own = |name, level| levels(name).would_enable("lorgnette_engine_worker", &level);
        let other = |name, level| levels(name).would_enable("mistralrs_core::pipeline", &level);
        for usual in ["", "info", "nonsense"] {
            assert!(own(usual, Level::INFO) && !own(usual, Level::DEBUG));
            assert!(other(usual, Level::WARN) && !other(usual, Level::INFO));
        }
        for more in ["debug", " TRACE"] {
            assert!(own(more, Level::DEBUG) && other(more, Level::WARN));
            assert!(!other(more, Level::INFO), "they may quote a question");
        }
        assert!(!own("error", Level::WARN) && !other("error", Level::WARN));
        assert!(!own("off", Level::ERROR) && !other("off", Level::ERROR));
        assert!(!levels("trace").would_enable(PASSES, &Level::ERROR), "some fail on purpose");
    }

    #[test]
    fn one_run_cannot_fill_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log/lorgnette.log");
        let log = Log { file: open(&file).unwrap(), left: AtomicU64::new(20) };
        for line in ["first\n", "second\n", "much too long\n", "no\n", "more\n"] {
            (&log).write_all(line.as_bytes()).unwrap();
        }
        let text = fs::read_to_string(file).unwrap();
        assert_eq!(text, "first\nsecond\nThe log of this run ends here: it is too long.\n");
    }

    #[test]
    fn a_long_log_is_put_aside_and_a_short_one_continued() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lorgnette.log");
        fs::write(&file, "short\n").unwrap();
        open(&file).unwrap().write_all(b"more\n").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "short\nmore\n");

        let old = folder.path().join("lorgnette.old.log");
        for long in ["x", "y"].map(|letter| letter.repeat(ROTATE_BYTES as usize + 1)) {
            fs::write(&file, &long).unwrap();
            open(&file).unwrap().write_all(b"new\n").unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), "new\n");
            assert!(fs::read_to_string(&old).unwrap() == long);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("log"), "a file in the way").unwrap();
        let error = start(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("no log can be written in ") && error.contains("log"), "{error}");
    }
}
