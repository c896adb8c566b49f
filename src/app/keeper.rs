//! The conversations on disk, kept by a thread of their own: the window never waits for a disk.

mod scribe;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use conversation::{Answer, Exchange, ModelInfo, Picture, Token};
use scribe::Scribe;
use session::{ExportFormat, ExportOptions, Session, SessionId};
use ui::history::Row;
use values::frame::Frame;
use values::job::{self, Lane, Refused, Trouble, Worker};
use values::picture::Look;

/// What may wait for the disk.
const QUEUE: usize = 256;
/// The part of it that only answers may take: the questions were taken before.
const ROOM_FOR_ANSWERS: usize = 8;

/// The search.
const LIST: Lane = Lane::new(1);
/// What goes into the conversation that is shown, in order.
const TALK: Lane = Lane::new(2);

const BEHIND: &str = "The disk does not keep up, and this is not kept: wait a moment.";

/// What the thread is to do.
pub enum Job {
    /// List the conversations with these words.
    List(String),
    /// A question was asked.
    Ask(Box<Asked>),
    /// The model that answers it is ready only now.
    Model(ModelInfo),
    /// Tokens of its answer came.
    Tokens(Vec<Token>),
    /// Its answer ended.
    Finish(Box<Answer>),
    /// The next question begins a new conversation.
    New,
    /// Read this conversation, to be gone on with once it is shown.
    Open(SessionId),
    /// It is shown.
    Enter(SessionId),
    /// It is not to be shown after all.
    Leave,
    /// Go on with this conversation, or a new one, with what the window has of it: the thread has
    /// lost it.
    TakeOver(Option<SessionId>, Vec<Asked>),
    /// Read these pictures of a conversation.
    Look(SessionId, Vec<Picture>),
    /// Give one another title.
    Rename(SessionId, String),
    /// Take one away.
    Delete(SessionId),
    /// Bring one back.
    Undelete(SessionId),
    /// Take all away for good.
    DeleteAll,
    /// Write one to this path.
    Export(SessionId, PathBuf, ExportFormat, ExportOptions),
    /// Read one from this path.
    Import(PathBuf),
    /// Keep conversations in this folder from now on.
    Move(PathBuf),
    #[cfg(test)]
    Panic,
}

/// A question as it was put, with its pixels.
pub struct Asked {
    /// The question, without an answer unless it is to be taken over.
    pub exchange: Exchange,
    /// Its pictures, in order.
    pub looks: Vec<Look>,
}

/// What came of it.
pub enum News {
    /// The conversations that were searched for, as yet without their thumbnails.
    Listed(Vec<Row>),
    /// A thumbnail that was not there yet.
    Thumbnail(SessionId, egui::ColorImage),
    /// The conversation that the questions go to.
    Current(SessionId, String),
    /// One was imported, and will be opened.
    Imported(SessionId),
    /// A conversation to be shown.
    Opened(Box<Opened>),
    /// These pictures were to be read: they themselves, or why one is gone.
    Looked(Vec<Picture>, Result<Vec<Look>, String>),
    /// One was taken away.
    Deleted(SessionId, String),
    /// What was asked for is done, in words.
    Done(String),
    /// A file of that name is there already: whether to write over it.
    Exists(SessionId, PathBuf, ExportFormat),
    /// Something to know.
    Note(String),
    /// Something failed.
    Failed(String),
    /// The conversations cannot be kept at all.
    Unkept(String),
}

/// A conversation to be shown, with its pictures.
pub struct Opened {
    /// The conversation.
    pub session: Session,
    /// Whether another window writes it.
    pub borrowed: bool,
    /// Its pictures, small, by their files.
    pub pictures: HashMap<String, egui::ColorImage>,
    /// The last of them, with its pixels for the screen.
    pub shown: Option<(Frame, egui::ColorImage)>,
}

/// The thread. Dropping it lets the thread write what waits, and waits for that.
pub struct Keeper {
    worker: Worker<Job, News>,
    /// There was no room for the last question: its answer is not kept either.
    refused: bool,
}

impl Keeper {
    /// Starts the thread for the conversations in `folder`. `wake` is called after each piece of
    /// news.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(folder: PathBuf, wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let folder = Arc::new(Mutex::new(folder));
        let make = move |desk: &Desk<'_>| Scribe::new(Arc::clone(&folder), desk);
        let worker = Worker::start("lorgnette-history", QUEUE, make, wake)?;
        Ok(Self { worker, refused: false })
    }

    /// Has `job` done, after those before it. A thread that is dead says so by itself.
    ///
    /// # Errors
    /// In words, where too much waits for the disk.
    pub fn send(&mut self, job: Job) -> Result<(), &'static str> {
        let answers = matches!(job, Job::Model(_) | Job::Tokens(_) | Job::Finish(_));
        if answers && self.refused {
            return Ok(());
        }
        let asks = matches!(job, Job::Ask(_));
        let sent = match job {
            Job::List(_) => self.worker.replace(LIST, job),
            _ if !answers && self.worker.waiting() + ROOM_FOR_ANSWERS >= QUEUE => {
                Err(Refused::Full(job))
            }
            _ => self.worker.join(lane(&job), job, joined),
        };
        if asks {
            self.refused = sent.is_err();
        }
        match sent {
            Err(Refused::Full(_)) => Err(BEHIND),
            Ok(()) | Err(Refused::Gone(_)) => Ok(()),
        }
    }

    /// The next piece of news.
    pub fn news(&self) -> Option<News> {
        self.worker.news()
    }

    /// What befell the thread. Where it was started again, it waits for [`Keeper::go_on`].
    pub fn trouble(&self) -> Option<Trouble> {
        self.worker.coming_trouble()
    }

    /// Forgets what was to go into the conversation, before [`Job::TakeOver`] brings what the window
    /// has.
    pub fn forget(&self) {
        self.worker.forget(TALK);
    }

    /// Lets the thread go on after trouble.
    pub fn go_on(&self) {
        // It was heard already.
        let _ = self.worker.trouble();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.worker.close();
    }
}

type Desk<'a> = job::Desk<'a, Job, News>;

fn lane(job: &Job) -> Lane {
    match job {
        Job::Ask(_)
        | Job::Model(_)
        | Job::Tokens(_)
        | Job::Finish(_)
        | Job::New
        | Job::Open(_)
        | Job::Enter(_)
        | Job::Leave
        | Job::TakeOver(..)
        | Job::Look(..) => TALK,
        _ => Lane::LASTING,
    }
}

/// Tokens join those that wait.
fn joined(waiting: &mut Job, job: Job) -> Option<Job> {
    match (waiting, job) {
        (Job::Tokens(waiting), Job::Tokens(tokens)) => {
            waiting.extend(tokens);
            None
        }
        (_, job) => Some(job),
    }
}

#[cfg(test)]
mod tests;
