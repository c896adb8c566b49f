//! The conversations on disk, kept by a thread of their own: the window never waits for a disk.

mod worker;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use conversation::{Answer, Exchange, ModelInfo, Picture, Token};
use session::{ExportFormat, Session, SessionId};
use values::frame::Frame;
use values::picture::Look;
use worker::Worker;

/// What may wait for the disk before tokens are held back in the window.
const QUEUE: usize = 256;

/// What the thread is to do.
pub enum Job {
    /// List the conversations with these words.
    List(String),
    /// A question was asked.
    Ask(Box<Asked>),
    /// The model that answers it is ready only now.
    Model(ModelInfo),
    /// A token of its answer came.
    Token(Token),
    /// Its answer ended.
    Finish(Box<Answer>),
    /// The next question begins a new conversation.
    New,
    /// Show this conversation and go on with it.
    Open(SessionId),
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
    Export(SessionId, PathBuf, ExportFormat, bool),
    /// Read one from this path.
    Import(PathBuf),
    /// Keep conversations in this folder from now on.
    Move(PathBuf),
}

/// A question as it was put, with its pixels.
pub struct Asked {
    /// The question, without an answer.
    pub exchange: Exchange,
    /// Its pictures, in order.
    pub looks: Vec<Look>,
}

/// A row of the sidebar.
pub struct Listed {
    /// The conversation's name on disk.
    pub id: SessionId,
    /// What it is called.
    pub title: String,
    /// When it was last changed, in words.
    pub when: String,
    /// How many questions it has.
    pub questions: usize,
}

/// What came of it.
pub enum News {
    /// The conversations that were searched for.
    Listed(Vec<Listed>),
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
    jobs: Option<SyncSender<Job>>,
    /// Taken away before the thread is waited for, which may itself wait to be heard.
    news: Option<Receiver<News>>,
    /// What did not fit into the queue, in order.
    held: VecDeque<Job>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread for the conversations in `folder`. `wake` is called after each piece of
    /// news.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(folder: PathBuf, wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let (jobs, inbox) = sync_channel(QUEUE);
        let (outbox, news) = sync_channel(QUEUE);
        let thread =
            std::thread::Builder::new().name("lorgnette-history".into()).spawn(move || {
                let tell = |news| {
                    // Nobody listens while the window closes, and nothing may be lost for it.
                    let _ = outbox.send(news);
                    wake();
                };
                Worker::new(&folder, &tell).run(&inbox);
            })?;
        Ok(Self { jobs: Some(jobs), news: Some(news), held: VecDeque::new(), thread: Some(thread) })
    }

    /// Has `job` done, after those before it.
    pub fn send(&mut self, job: Job) {
        self.held.push_back(job);
        self.pass_on();
    }

    /// The next piece of news.
    pub fn news(&mut self) -> Option<News> {
        self.pass_on();
        self.news.as_ref()?.try_recv().ok()
    }

    /// Whether something waits that the queue had no room for.
    pub fn is_behind(&self) -> bool {
        !self.held.is_empty()
    }

    fn pass_on(&mut self) {
        let Some(jobs) = &self.jobs else { return };
        while let Some(job) = self.held.pop_front() {
            match jobs.try_send(job) {
                Ok(()) => {}
                Err(TrySendError::Full(job)) => {
                    self.held.push_front(job);
                    return;
                }
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.news = None;
        if let Some(jobs) = self.jobs.take() {
            for job in self.held.drain(..) {
                if jobs.send(job).is_err() {
                    break;
                }
            }
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
