//! One conversation's folder: `session.json` and the journal, read together and put in order.

use std::path::Path;

use conversation::{Exchange, Finish};
use serde::{Deserialize, Serialize};
use values::text::brief;

use super::error::{SessionError, show};
use super::id::SessionId;
use super::journal;
use super::lock::Lock;
use super::record::Session;
use super::{files, picture};

/// The file in a conversation's folder and in a bundle.
pub const FILE: &str = "session.json";
/// The number of the format that this program writes.
pub const FORMAT: u64 = 1;
/// The most bytes of a `session.json` that are read: 64 MiB, thousands of long answers.
pub const MAX_BYTES: u64 = 64 << 20;

/// What every edition of the format has.
#[derive(Deserialize)]
struct Header {
    format: u64,
}

/// `session.json` as it is written.
#[derive(Serialize)]
struct Written<'a> {
    format: u64,
    #[serde(flatten)]
    session: &'a Session,
}

/// In which state a conversation was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// All of it is there.
    Whole,
    /// Its file was damaged and set aside; what the journal and the pictures had is there.
    Damaged,
    /// A newer Lorgnette wrote it: it is listed, and this one leaves it alone.
    Newer,
}

/// The text of `session.json`; on many lines where a person is to read it.
pub fn encode(session: &Session, pretty: bool) -> Result<Vec<u8>, SessionError> {
    let written = Written { format: FORMAT, session };
    let text =
        if pretty { serde_json::to_vec_pretty(&written) } else { serde_json::to_vec(&written) };
    text.map_err(|error| SessionError::damaged(Path::new(FILE), error.to_string()))
}

/// Checks the format of a `session.json` and reads it as `T`. `name` is for messages.
pub fn parse<'a, T: Deserialize<'a>>(name: &Path, bytes: &'a [u8]) -> Result<T, SessionError> {
    let damaged = |error: serde_json::Error| SessionError::damaged(name, error.to_string());
    match serde_json::from_slice(bytes).map_err(damaged)? {
        Header { format: FORMAT } => serde_json::from_slice(bytes).map_err(damaged),
        Header { format: 0 } => Err(SessionError::damaged(name, "there is no format 0")),
        Header { format } => Err(SessionError::Newer { name: show(name), format }),
    }
}

/// Reads a `session.json` and checks what the rest of the program relies on.
pub fn decode(name: &Path, bytes: &[u8]) -> Result<Session, SessionError> {
    let mut session: Session = parse(name, bytes)?;
    let mut last = 0;
    for exchange in &mut session.exchanges {
        if exchange.id <= last {
            return Err(SessionError::damaged(name, "its exchanges are not in order"));
        }
        last = exchange.id;
        let mut files = exchange.pictures.iter().map(|picture| &picture.file);
        if let Some(file) = files.find(|file| picture::number(file).is_none()) {
            let reason = format!("{:?} is no picture's name", brief(file));
            return Err(SessionError::damaged(name, reason));
        }
        if exchange.answer.finish == Finish::Pending {
            exchange.answer.interrupt();
        }
    }
    Ok(session)
}

/// A conversation as it was found.
pub struct Found {
    pub session: Session,
    pub condition: Condition,
    /// Why `session.json` could not be read, where it could not.
    damage: Option<SessionError>,
    /// Whether there is a journal.
    journal: bool,
}

/// Reads a conversation without changing anything. `live` tells that another window may be writing
/// it: then an answer without an end is pending, and otherwise interrupted.
pub fn load(folder: &Path, id: &SessionId, live: bool) -> Result<Found, SessionError> {
    // In this order: what is folded in between is found twice, and not missed.
    let journal = journal::read(folder);
    let path = folder.join(FILE);
    let mut damage = None;
    let session = match files::read(&path, MAX_BYTES) {
        Ok(Some(bytes)) => match decode(&path, &bytes) {
            Ok(session) => Some(session),
            Err(error @ SessionError::Newer { .. }) => return Err(error),
            Err(error) => {
                damage = Some(error);
                None
            }
        },
        Ok(None) => None,
        Err(error @ SessionError::Damaged { .. }) => {
            damage = Some(error);
            None
        }
        Err(error) => return Err(error),
    };
    let set_aside = is_set_aside(folder);
    let has_journal = folder.join(journal::FILE).exists();
    if session.is_none() && !is_begun(folder) {
        return Err(SessionError::NotFound(id.to_string()));
    }
    let journal = match journal {
        Ok(exchanges) => exchanges,
        // No journal of this program: what `session.json` has stays.
        Err(SessionError::Damaged { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    let condition = match (&damage, set_aside) {
        (None, false) => Condition::Whole,
        _ => Condition::Damaged,
    };
    let mut session = session.unwrap_or_else(|| salvage(id, folder, &journal));
    // A copied folder has another name than is written in it.
    session.id = id.clone();
    merge(&mut session, journal, live);
    Ok(Found { session, condition, damage, journal: has_journal })
}

/// A conversation without its file: dated by the journal, or by its name.
fn salvage(id: &SessionId, folder: &Path, journal: &[Exchange]) -> Session {
    let written = || {
        let written = std::fs::metadata(folder).and_then(|folder| folder.modified()).ok()?;
        let since = written.duration_since(std::time::UNIX_EPOCH).ok()?;
        u64::try_from(since.as_millis()).ok()
    };
    let created = journal.first().map(|exchange| exchange.asked).or_else(written);
    let mut session = Session::new(id.clone(), created.unwrap_or_default());
    "Damaged conversation".clone_into(&mut session.title);
    session
}

/// Adds the exchanges of a journal that are not in the conversation yet.
fn merge(session: &mut Session, journal: Vec<Exchange>, live: bool) {
    for mut exchange in journal {
        // A journal that was folded, and whose removal something came before.
        if session.exchanges.last().is_some_and(|last| last.id >= exchange.id) {
            continue;
        }
        if !live {
            exchange.answer.interrupt();
        }
        session.updated = session.updated.max(exchange.asked);
        session.exchanges.push(exchange);
    }
    session.retitle();
}

/// Whether anything was ever asked in this folder.
pub fn is_begun(folder: &Path) -> bool {
    folder.join(FILE).exists() || folder.join(journal::FILE).exists() || is_set_aside(folder)
}

/// Whether a damaged file of this conversation was set aside.
pub fn is_set_aside(folder: &Path) -> bool {
    folder.join(format!("{FILE}.damaged")).exists()
}

/// Reads a conversation that nobody else writes, and puts its folder in order: a damaged file is
/// set aside, the journal folded, leftovers of a killed process removed.
///
/// What is wrong with the conversation is told beside it. Where the folder cannot be put in order
/// (a full disk), the conversation comes all the same.
pub fn settle(
    _lock: &Lock,
    folder: &Path,
    id: &SessionId,
) -> Result<(Session, Condition, Option<SessionError>), SessionError> {
    let Found { session, condition, damage, journal } = load(folder, id, false)?;
    files::sweep_unfinished(folder);
    files::sweep_unfinished(&folder.join(picture::FOLDER));
    let notice = damage.map(|damage| set_aside(folder, id, &damage));
    if notice.is_some() || journal {
        let path = folder.join(FILE);
        let written = notice.clone().transpose().and_then(|_| {
            files::write_bytes(&path, &encode(&session, false)?)?;
            files::remove_file(&folder.join(journal::FILE))
        });
        if let Err(error) = written {
            return Ok((session, condition, Some(error)));
        }
    }
    Ok((session, condition, notice.and_then(Result::ok)))
}

/// Renames the damaged file, never over an earlier one, and gives the notice of it.
fn set_aside(
    folder: &Path,
    id: &SessionId,
    damage: &SessionError,
) -> Result<SessionError, SessionError> {
    let reason = match damage {
        SessionError::Damaged { reason, .. } => reason.clone(),
        other => other.to_string(),
    };
    let mut kept = format!("{FILE}.damaged");
    let mut number = 1;
    while folder.join(&kept).exists() {
        number += 1;
        kept = format!("{FILE}.damaged-{number}");
    }
    let path = folder.join(FILE);
    if path.exists() {
        std::fs::rename(&path, folder.join(&kept))
            .map_err(|error| SessionError::io(&path, &error))?;
    }
    Ok(SessionError::SetAside { name: id.to_string(), reason, kept })
}
