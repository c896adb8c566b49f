//! Answers read back for the window: what is computed between the readings is computed on a thread
//! of its own.

use std::collections::HashMap;

use engine::{ScoreRequest, Scores};
use evidence::Witness;
use values::job::{Desk, Lane, Trouble, Work, Worker};
use values::panics;
use values::picture::ImageInput;

use super::{Aim, Finding, Readback, Told};

/// Jobs and pieces of news that may wait. There are as many readbacks as kinds of [`Aim`], with one
/// reading under way each.
const WAITING: usize = 32;

/// Tells readbacks apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReadId(u64);

/// What is to be done.
pub enum ReadJob {
    /// Begin a readback.
    Begin(ReadId, Box<(Told, ImageInput, Aim)>),
    /// Go on with one: this was read.
    Take(ReadId, Box<Scores>),
    /// End it.
    End(ReadId),
}

/// What came of it.
pub enum ReadNews {
    /// A readback wants this to be read next.
    Wants(ReadId, Box<ScoreRequest>),
    /// What is known by now.
    Found(ReadId, Box<Finding>),
    /// It is complete.
    Over(ReadId),
    /// It came to nothing, for this reason.
    Failed(ReadId, String),
}

/// The thread.
pub struct Reader {
    worker: Worker<ReadJob, ReadNews>,
    last: u64,
}

impl Reader {
    /// Starts the thread, on which `witness` looks at what is left of a picture; `wake` is called on
    /// it after each piece of news.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(witness: Witness, wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let make = move |_: &Desk<'_, ReadJob, ReadNews>| Readbacks {
            witness: witness.clone(),
            under_way: HashMap::new(),
        };
        let worker = Worker::start("lorgnette-readback", WAITING, make, wake)?;
        Ok(Self { worker, last: 0 })
    }

    /// Begins to find out what `aim` says about `told`; `None` where the thread is gone or behind.
    pub fn begin(&mut self, told: Told, input: ImageInput, aim: Aim) -> Option<ReadId> {
        self.last += 1;
        let id = ReadId(self.last);
        self.send(ReadJob::Begin(id, Box::new((told, input, aim)))).then_some(id)
    }

    /// Goes on with what was read. `false` where the thread is gone or behind.
    pub fn take(&self, id: ReadId, scores: Box<Scores>) -> bool {
        self.send(ReadJob::Take(id, scores))
    }

    /// Ends a readback.
    pub fn end(&self, id: ReadId) {
        self.send(ReadJob::End(id));
    }

    /// The next piece of news, without waiting.
    #[must_use]
    pub fn news(&self) -> Option<ReadNews> {
        self.worker.news()
    }

    /// What befell the thread. Begun anew, it knows of no readback.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        self.worker.trouble()
    }

    fn send(&self, job: ReadJob) -> bool {
        self.worker.send(Lane::LASTING, job).is_ok()
    }
}

struct Readbacks {
    witness: Witness,
    under_way: HashMap<ReadId, Readback>,
}

impl Work for Readbacks {
    type Job = ReadJob;
    type News = ReadNews;

    fn work(&mut self, job: ReadJob, desk: &Desk<'_, ReadJob, ReadNews>) {
        let (id, step) = match job {
            ReadJob::Begin(id, begun) => {
                let (told, input, aim) = *begun;
                (id, panics::guard(|| Ok(Readback::new(told, &input, aim, &self.witness))))
            }
            ReadJob::Take(id, scores) => {
                let Some(mut readback) = self.under_way.remove(&id) else { return };
                (id, panics::guard(|| readback.take(&scores).map(|()| readback)))
            }
            ReadJob::End(id) => {
                self.under_way.remove(&id);
                return;
            }
        };
        // One answer that cannot be computed with leaves the others as they are.
        match step.map_or_else(Err, |step| step.map_err(|error| error.to_string())) {
            Ok(readback) => self.tell(id, readback, desk),
            Err(reason) => {
                desk.tell(ReadNews::Failed(id, reason));
            }
        }
    }
}

impl Readbacks {
    /// Tells what is known by now, and what is to be read next.
    fn tell(&mut self, id: ReadId, readback: Readback, desk: &Desk<'_, ReadJob, ReadNews>) {
        if let Some(found) = readback.found() {
            desk.tell(ReadNews::Found(id, Box::new(found)));
        }
        let news = match panics::guard(|| readback.next()) {
            Ok(Ok(Some(wanted))) => {
                self.under_way.insert(id, readback);
                ReadNews::Wants(id, Box::new(wanted))
            }
            Ok(Ok(None)) => ReadNews::Over(id),
            Ok(Err(error)) => ReadNews::Failed(id, error.to_string()),
            Err(reason) => ReadNews::Failed(id, reason),
        };
        desk.tell(news);
    }
}
