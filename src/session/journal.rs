//! The journal: what came of an answer before it is whole, one line of JSON an event.
//!
//! A line is written before the caller goes on, so that a killed process loses the token it was
//! writing at most. The machine itself may lose power: the question is forced to the disk when it
//! is asked, and the tokens once a second.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use conversation::{Exchange, Token};
use serde::{Deserialize, Serialize};

use super::error::SessionError;
use super::files;

/// The file in a conversation's folder.
pub const FILE: &str = "journal.jsonl";

/// The most bytes of a journal that are read; no answer comes near.
const MAX_BYTES: u64 = 256 << 20;
/// How often tokens are forced to the disk.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    /// A question was asked; its answer is empty.
    Ask { exchange: Box<Exchange> },
    /// The token with the number `index`, from 0, of the answer to the exchange `exchange`.
    Token { exchange: u32, index: usize, token: Token },
}

/// The journal of the answer that is coming.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Option<File>,
    /// Bytes that are in the file for sure.
    written: u64,
    /// Lines that are not in the file yet: the disk may have been full.
    waiting: Vec<u8>,
    /// Whether half a line may lie after those bytes.
    torn: bool,
    synced: Instant,
}

impl Journal {
    /// A journal in the conversation's `folder`, which need not be there yet.
    pub fn new(folder: &Path) -> Self {
        Self {
            path: folder.join(FILE),
            file: None,
            written: 0,
            waiting: Vec::new(),
            torn: false,
            synced: Instant::now(),
        }
    }

    /// Notes a question, to be written by [`Journal::flush`].
    pub fn ask(&mut self, exchange: &Exchange) {
        self.note(&Event::Ask { exchange: Box::new(exchange.clone()) });
    }

    /// Notes a token, to be written by [`Journal::flush`].
    pub fn token(&mut self, exchange: u32, index: usize, token: &Token) {
        self.note(&Event::Token { exchange, index, token: token.clone() });
    }

    fn note(&mut self, event: &Event) {
        let start = self.waiting.len();
        // Nothing in an event has a form that JSON lacks; a line cut short is not kept.
        if serde_json::to_writer(&mut self.waiting, event).is_ok() {
            self.waiting.push(b'\n');
        } else {
            self.waiting.truncate(start);
        }
    }

    /// Writes what was noted. After an error it is still noted, and the file is as before.
    pub fn flush(&mut self, sync: bool) -> Result<(), SessionError> {
        self.try_flush(sync).map_err(|error| SessionError::io(&self.path, &error))
    }

    fn try_flush(&mut self, sync: bool) -> io::Result<()> {
        if self.waiting.is_empty() && self.file.is_none() {
            return Ok(());
        }
        if self.torn && self.written == 0 {
            self.file = None;
            self.torn = false;
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self
                .file
                .insert(File::options().create(true).write(true).truncate(true).open(&self.path)?),
        };
        let undo = |file: &mut File| {
            file.set_len(self.written).and_then(|()| file.seek(SeekFrom::Start(self.written)))
        };
        if self.torn {
            undo(file)?;
            self.torn = false;
        }
        if let Err(error) = file.write_all(&self.waiting) {
            // Half a line would hide the ones after it.
            self.torn = undo(file).is_err();
            return Err(error);
        }
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        if sync || self.synced.elapsed() >= SYNC_INTERVAL {
            file.sync_data()?;
            self.synced = Instant::now();
        }
        Ok(())
    }

    /// Removes the journal: all of it is in `session.json`.
    pub fn clear(&mut self) {
        self.file = None;
        self.written = 0;
        self.torn = false;
        self.waiting.clear();
        // A journal that stays is known by its exchanges' numbers, and written over by the next.
        let _: Result<(), SessionError> = files::remove_file(&self.path);
    }
}

/// The exchanges of a journal, each with the tokens that had come; nothing where there is none.
///
/// A line that is torn or makes no sense ends it.
pub fn read(folder: &Path) -> Result<Vec<Exchange>, SessionError> {
    let Some(bytes) = files::read(&folder.join(FILE), MAX_BYTES)? else { return Ok(Vec::new()) };
    let mut exchanges: Vec<Exchange> = Vec::new();
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').filter_map(|l| l.strip_suffix(b"\n"));
    for line in lines {
        match (serde_json::from_slice(line), exchanges.last_mut()) {
            (Ok(Event::Ask { exchange: new }), last)
                if last.as_ref().is_none_or(|last| last.id < new.id) =>
            {
                exchanges.push(*new);
            }
            (Ok(Event::Token { exchange, index, token }), Some(last))
                if exchange == last.id && index == last.answer.tokens.len() =>
            {
                last.answer.push(token);
            }
            _ => break,
        }
    }
    Ok(exchanges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit_tests::{exchange, token};

    fn journal(folder: &Path) -> Journal {
        let mut journal = Journal::new(folder);
        journal.ask(&exchange(1, "What?", vec![], ""));
        journal.flush(true).unwrap();
        for (index, text) in [" A", " cat", "."].into_iter().enumerate() {
            journal.token(1, index, &token(text));
            journal.flush(false).unwrap();
        }
        journal
    }

    #[test]
    fn wherever_it_is_torn_the_whole_lines_before_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = journal(folder.path()).path;
        let whole = std::fs::read(&path).unwrap();
        let mut seen = Vec::new();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let read = read(folder.path()).unwrap();
            let lines = whole[..length].split(|byte| *byte == b'\n').count() - 1;
            assert_eq!(read.len(), lines.min(1));
            if let Some(exchange) = read.first() {
                assert_eq!(exchange.answer.tokens.len(), lines - 1);
                seen.push(exchange.answer.text.clone());
            }
        }
        seen.dedup();
        assert_eq!(seen, ["", " A", " A cat", " A cat."]);
    }

    #[test]
    fn a_line_that_makes_no_sense_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = journal(folder.path());
        journal.token(1, 7, &token(" lost"));
        journal.token(1, 3, &token(" after"));
        journal.flush(false).unwrap();
        let exchanges = read(folder.path()).unwrap();
        assert_eq!(exchanges[0].answer.text, " A cat.");

        std::fs::write(folder.path().join(FILE), [0; 4096]).unwrap();
        assert_eq!(read(folder.path()), Ok(vec![]));
    }

    #[test]
    fn what_could_not_be_written_is_written_later() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("not yet");
        let mut journal = Journal::new(&missing);
        journal.ask(&exchange(1, "What?", vec![], ""));
        assert!(journal.flush(true).is_err());
        journal.token(1, 0, &token("A"));
        assert!(journal.flush(false).is_err());
        std::fs::create_dir(&missing).unwrap();
        journal.token(1, 1, &token(" cat"));
        journal.flush(false).unwrap();
        assert_eq!(read(&missing).unwrap()[0].answer.text, "A cat");
        journal.clear();
        assert_eq!(read(&missing), Ok(vec![]));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_and_forgiven() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let mut journal = Journal::new(folder.path());
        journal.ask(&exchange(1, "What?", vec![], ""));
        assert!(matches!(journal.flush(true), Err(SessionError::DiskFull { .. })));
        std::fs::remove_file(&path).unwrap();
        journal.token(1, 0, &token("A"));
        journal.flush(true).unwrap();
        assert_eq!(read(folder.path()).unwrap()[0].answer.text, "A");
    }
}
