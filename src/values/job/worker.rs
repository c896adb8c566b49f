//! A thread that does one job after the other, and lives through a panic.
//!
//! ```text
//! Worker ── send, replace ──► jobs ─► Work::work ─┐
//!        ◄── news, trouble ── news ◄─ Desk::tell ─┘
//! ```
//!
//! Both queues are bounded. Whoever owns the [`Worker`] never waits for it. What goes out of date,
//! jobs and news alike, is taken out at once: what is heard is wanted.
//!
//! Where a job panics, the work is made anew, once; what waits is done only when whoever owns it
//! has heard of that, so that it can be put right first. A second panic ends the thread.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::panics;

#[cfg(test)]
mod tests;

/// Which jobs take each other's place; their news belong to the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane(u8);

impl Lane {
    /// For what never goes out of date.
    pub const LASTING: Self = Self(0);

    /// The lane with this number, 0 being [`Lane::LASTING`].
    #[must_use]
    pub const fn new(number: u8) -> Self {
        Self(number)
    }
}

/// What a thread does, one job after the other. It is made on the thread and need not leave it.
pub trait Work {
    /// What is to be done.
    type Job: Send + 'static;
    /// What comes of it.
    type News: Send + 'static;

    /// Does it.
    fn work(&mut self, job: Self::Job, desk: &Desk<'_, Self::Job, Self::News>);

    /// Is called when no job waits, and again when the rest is over or the bell rings.
    fn idle(&mut self, _desk: &Desk<'_, Self::Job, Self::News>) -> Rest {
        Rest::Job
    }
}

/// How long a thread without a job rests. A job always ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Until a job comes.
    Job,
    /// No longer than this.
    For(Duration),
    /// Not at all: there is more to do.
    Again,
}

/// Why a job is not done: here it is back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused<J> {
    /// As many wait as may.
    Full(J),
    /// The thread is dead.
    Gone(J),
}

/// What befell the thread, with the panic's words. They may quote what the user said: for the user's
/// eyes, and not for the log, which has the panic already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The work panicked and was made anew. The job is lost, and whatever the work had in memory.
    Restarted(String),
    /// It did so a second time: nothing more is done.
    Dead(String),
}

/// Where the thread tells what came of a job.
pub struct Desk<'a, J, N> {
    shared: &'a Arc<Shared<J, N>>,
    wake: &'a dyn Fn(),
}

impl<J: Send + 'static, N: Send + 'static> Desk<'_, J, N> {
    /// Tells it, once there is room. `false` where it will not be heard: the job is out of date,
    /// or nobody listens any more.
    pub fn tell(&self, news: N) -> bool {
        self.tell_instead(news, |_| false)
    }

    /// As [`Desk::tell`], in place of what is `old` and nobody has taken: for heavy news of which
    /// only the newest counts.
    pub fn tell_instead(&self, news: N, old: impl Fn(&N) -> bool) -> bool {
        let mut state = self.shared.lock();
        let lane = state.under_way.map_or(Lane::LASTING, |(lane, _)| lane);
        let old = state.take_news(|(_, news)| old(news));
        while state.is_wanted() && state.news.len() >= self.shared.most {
            state = self.shared.wait(state);
        }
        let wanted = state.is_wanted();
        if wanted {
            state.news.push_back((lane, news));
        }
        drop(state);
        // What may be heavy is dropped after the lock is let go, here and below.
        drop(old);
        if wanted {
            (self.wake)();
        }
        wanted
    }

    /// Whether what is being done is still wanted: a long job ends where it is not.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.shared.lock().is_wanted()
    }

    /// Ends the rest of a thread that has no job, so that it looks again.
    pub fn bell(&self) -> impl Fn() + Send + Sync + use<J, N> {
        let shared = Arc::clone(self.shared);
        move || {
            shared.lock().rung = true;
            shared.turn.notify_one();
        }
    }
}

/// The owner's side of a thread. Dropping it ends the thread after what it is doing, without
/// waiting for that.
pub struct Worker<J, N> {
    shared: Arc<Shared<J, N>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared<J, N> {
    state: Mutex<State<J, N>>,
    /// What the thread waits on; nobody else waits.
    turn: Condvar,
    /// Jobs and pieces of news that may wait.
    most: usize,
}

struct State<J, N> {
    jobs: VecDeque<(Lane, J)>,
    news: VecDeque<(Lane, N)>,
    /// The lane of the job that is being done, and whether it is still wanted.
    under_way: Option<(Lane, bool)>,
    rung: bool,
    course: Course,
    /// Until it is heard nothing more is done.
    trouble: Option<Trouble>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    /// Jobs are taken.
    Open,
    /// What waits is done; nobody listens.
    Closing,
    /// Nothing is done any more.
    Over,
}

/// What the thread does next.
enum Next<J> {
    Job(J),
    Idle,
    End,
}

impl<J: Send + 'static, N: Send + 'static> Worker<J, N> {
    /// Starts a thread of this name, with room for `most` jobs and as many pieces of news. `make`
    /// makes the work, there and anew after a panic; `wake` is called there after each piece of
    /// news and in trouble.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start<W: Work<Job = J, News = N>>(
        name: &str,
        most: usize,
        mut make: impl FnMut(&Desk<'_, J, N>) -> W + Send + 'static,
        wake: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let state = State {
            jobs: VecDeque::new(),
            news: VecDeque::new(),
            under_way: None,
            rung: false,
            course: Course::Open,
            trouble: None,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), turn: Condvar::new(), most });
        let own = Arc::clone(&shared);
        let live = move || {
            let desk = Desk { shared: &own, wake: &wake };
            let mut life = || panics::guard(|| work(&desk, make(&desk)));
            if let Err(reason) = life()
                && own.restarts(reason, &wake)
                && let Err(reason) = life()
            {
                own.dies(reason);
                wake();
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(live)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Has `job` done after those that wait.
    ///
    /// # Errors
    /// The job, where it cannot be done.
    pub fn send(&self, lane: Lane, job: J) -> Result<(), Refused<J>> {
        self.join(lane, job, |_, job| Some(job))
    }

    /// Has `job` done as a part of the last one that waits, where that is of the same lane and
    /// `merge` takes it in; else, where `merge` gives it back, after those that wait.
    ///
    /// # Errors
    /// The job, where it cannot be done.
    pub fn join(
        &self,
        lane: Lane,
        job: J,
        merge: impl FnOnce(&mut J, J) -> Option<J>,
    ) -> Result<(), Refused<J>> {
        let mut state = self.shared.lock();
        if state.course != Course::Open {
            return Err(Refused::Gone(job));
        }
        let job = match state.jobs.back_mut() {
            Some((last, waiting)) if *last == lane => merge(waiting, job),
            _ => Some(job),
        };
        match job {
            Some(job) if state.jobs.len() >= self.shared.most => return Err(Refused::Full(job)),
            Some(job) => state.jobs.push_back((lane, job)),
            None => {}
        }
        self.shared.turn.notify_one();
        Ok(())
    }

    /// Has `job` done in place of all jobs of its lane: see [`Worker::forget`].
    ///
    /// # Errors
    /// The job, where it cannot be done. The others are forgotten all the same.
    pub fn replace(&self, lane: Lane, job: J) -> Result<(), Refused<J>> {
        self.forget(lane);
        self.send(lane, job)
    }

    /// Makes all jobs of a lane go out of date: those that wait are not done, and nothing more is
    /// heard of those that were.
    pub fn forget(&self, lane: Lane) {
        let mut state = self.shared.lock();
        let (jobs, rest) = state.jobs.drain(..).partition(|(of, _)| *of == lane);
        state.jobs = rest;
        let news = state.take_news(|(of, _)| *of == lane);
        if let Some((_, wanted)) = state.under_way.as_mut().filter(|(of, _)| *of == lane) {
            *wanted = false;
        }
        drop(state);
        self.shared.turn.notify_one();
        drop((jobs, news));
    }

    /// The next piece of news, without waiting.
    #[must_use]
    pub fn news(&self) -> Option<N> {
        let (_, news) = self.shared.lock().news.pop_front()?;
        self.shared.turn.notify_one();
        Some(news)
    }

    /// As [`Worker::trouble`], without letting what waits be done: it can be put right before.
    #[must_use]
    pub fn coming_trouble(&self) -> Option<Trouble> {
        self.shared.lock().trouble.clone()
    }

    /// What befell the thread, each once. What was waiting is done after this.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        let trouble = self.shared.lock().trouble.take()?;
        self.shared.turn.notify_one();
        Some(trouble)
    }

    /// How many jobs wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.lock().jobs.len()
    }

    /// Waits until everything that waits is done. Nothing more is taken, and nothing heard.
    pub fn close(&mut self) {
        self.shared.end(Course::Closing);
        if let Some(thread) = self.thread.take() {
            // It ends without a panic of its own.
            let _ = thread.join();
        }
    }
}

impl<J, N> Drop for Worker<J, N> {
    fn drop(&mut self) {
        self.shared.end(Course::Over);
    }
}

/// Does what comes, to the end.
fn work<W: Work>(desk: &Desk<'_, W::Job, W::News>, mut work: W) {
    loop {
        match desk.shared.next() {
            Next::Job(job) => work.work(job, desk),
            Next::Idle => {
                let rest = work.idle(desk);
                desk.shared.rest(rest);
            }
            Next::End => return,
        }
    }
}

impl<J, N> Shared<J, N> {
    fn lock(&self) -> MutexGuard<'_, State<J, N>> {
        // Nothing panics while it holds the lock, but what `join` and `tell_instead` are given may.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<J, N>>) -> MutexGuard<'a, State<J, N>> {
        self.turn.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Next<J> {
        let mut state = self.lock();
        state.under_way = None;
        if state.course == Course::Over {
            return Next::End;
        }
        match state.jobs.pop_front() {
            Some((lane, job)) => {
                state.under_way = Some((lane, true));
                Next::Job(job)
            }
            None if state.course == Course::Open => Next::Idle,
            None => Next::End,
        }
    }

    fn rest(&self, rest: Rest) {
        let until = match rest {
            Rest::Again => return,
            Rest::Job => None,
            Rest::For(time) => Some(Instant::now() + time),
        };
        let mut state = self.lock();
        while state.jobs.is_empty() && state.course == Course::Open && !state.rung {
            state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.wait(state),
                Some(Duration::ZERO) => break,
                Some(left) => {
                    let woken = self.turn.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state.rung = false;
    }

    /// Tells of the first panic and waits until that is heard. `false` where nothing is to be done
    /// any more.
    fn restarts(&self, reason: String, wake: &dyn Fn()) -> bool {
        let mut state = self.lock();
        state.under_way = None;
        state.trouble = Some(Trouble::Restarted(reason));
        drop(state);
        wake();
        let mut state = self.lock();
        while state.trouble.is_some() && state.course == Course::Open {
            state = self.wait(state);
        }
        state.course != Course::Over
    }

    /// Tells of the second.
    fn dies(&self, reason: String) {
        self.end(Course::Over);
        self.lock().trouble = Some(Trouble::Dead(reason));
    }

    fn end(&self, course: Course) {
        let mut state = self.lock();
        // A thread that is dead stays so.
        if state.course != Course::Over {
            state.course = course;
        }
        let jobs = (state.course == Course::Over).then(|| std::mem::take(&mut state.jobs));
        drop(state);
        self.turn.notify_one();
        drop(jobs);
    }
}

impl<J, N> State<J, N> {
    fn is_wanted(&self) -> bool {
        self.course == Course::Open && self.under_way.is_none_or(|(_, wanted)| wanted)
    }

    fn take_news(&mut self, which: impl Fn(&(Lane, N)) -> bool) -> VecDeque<(Lane, N)> {
        let (taken, rest) = self.news.drain(..).partition(which);
        self.news = rest;
        taken
    }
}
