//! The thread that decides: which camera, when, and what to do when one fails.

use std::mem;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use values::job::CancelToken;
use values::panics;

use super::board::{Board, End, Shared, Work};
use super::device::{Devices, name_apart};
use super::mode::{CameraFormatInfo, Wanted};
use super::worker::Worker;
use super::{CameraDevice, CameraState, Times, thread};

/// Threads that hang in a driver, until no further one is risked.
const MOST_STUCK: usize = 4;

const HANGS: &str = "it sends no picture";
const STILL_HANGS: &str = "it does not answer any more: pull it out and put it in again";

/// What the watcher waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// For a wish.
    Idle,
    /// For the end of what the worker does.
    Working,
    /// For a cancelled worker to let go of its camera, until then.
    Closing(Instant),
    /// To try, then.
    Trying(Instant),
}

/// What is left to do when the board is let go.
enum Deed {
    Nothing,
    Start(Box<Start>),
    /// A thread that hangs with this camera is to be freed.
    Free(u32),
}

struct Start {
    number: u64,
    cancel: CancelToken,
    device: CameraDevice,
    wanted: Wanted,
    failed: Vec<CameraFormatInfo>,
    life: Arc<()>,
}

pub(super) struct Watcher {
    shared: Arc<Shared>,
    devices: Arc<dyn Devices>,
    times: Times,
    phase: Phase,
    /// The wish that is being served.
    wish_number: u64,
    next_number: u64,
    /// The camera that was pulled out, by name.
    lost: Option<String>,
    /// The list that was looked at in vain.
    list_seen: u64,
    /// Alive as long as the worker under way.
    life: Weak<()>,
    /// Workers that were given up, with the camera they hang with.
    stuck: Vec<(u32, Weak<()>)>,
}

impl Watcher {
    pub fn new(shared: Arc<Shared>, devices: Arc<dyn Devices>, times: Times) -> Self {
        Self {
            shared,
            devices,
            times,
            phase: Phase::Idle,
            wish_number: 0,
            next_number: 0,
            lost: None,
            list_seen: 0,
            life: Weak::new(),
            stuck: Vec::new(),
        }
    }

    pub fn run(&mut self) {
        let shared = Arc::clone(&self.shared);
        loop {
            let (deed, version) =
                shared.change(|board| (self.step(board, Instant::now()), board.version));
            match deed {
                Deed::Start(start) => self.start(*start),
                Deed::Free(index) => self.free(index),
                Deed::Nothing => {
                    let board = shared.lock();
                    if board.ended {
                        drop(board);
                        return self.finish();
                    }
                    if board.version == version {
                        let deadline = self.deadline(&board);
                        drop(shared.wait(board, deadline));
                    }
                }
            }
        }
    }

    /// When to look again, should nothing change before.
    fn deadline(&self, board: &Board) -> Option<Instant> {
        match self.phase {
            Phase::Idle => None,
            Phase::Working => board.work.as_ref().map(|work| work.alive + self.times.hang),
            Phase::Closing(until) => Some(until),
            Phase::Trying(_) if board.list_number == 0 => None,
            Phase::Trying(at) => Some(at),
        }
    }

    /// Decides what comes next.
    fn step(&mut self, board: &mut Board, now: Instant) -> Deed {
        if self.wish_number != board.wish_number {
            self.wish_number = board.wish_number;
            self.lost = None;
            self.phase = match (&board.work, self.phase) {
                (Some(_), Phase::Closing(until)) => Phase::Closing(until),
                (Some(_), _) => Phase::Closing(now + self.times.close),
                (None, _) => next_phase(board, now),
            };
        }
        match self.phase {
            Phase::Idle => Deed::Nothing,
            Phase::Working => self.look_after_work(board, now),
            Phase::Closing(until) => match &board.work {
                Some(work) if work.end.is_none() && now < until => Deed::Nothing,
                Some(work) if work.end.is_none() => {
                    let index = self.give_up(board);
                    self.phase = next_phase(board, now);
                    Deed::Free(index)
                }
                _ => {
                    board.work = None;
                    self.phase = next_phase(board, now);
                    self.step(board, now)
                }
            },
            Phase::Trying(at) => {
                let absent = matches!(board.state, CameraState::Missing | CameraState::Lost(_));
                let news = absent && board.list_number > self.list_seen;
                if board.list_number > 0 && (now >= at || news) {
                    self.try_camera(board, now)
                } else {
                    Deed::Nothing
                }
            }
        }
    }

    fn look_after_work(&mut self, board: &mut Board, now: Instant) -> Deed {
        let Some(work) = &board.work else {
            self.phase = next_phase(board, now);
            return Deed::Nothing;
        };
        let name = work.device.name.clone();
        let lasted = work.live_since.is_some_and(|since| {
            // A mode that worked for long is not to blame.
            work.alive.saturating_duration_since(since) > self.times.hang * 2
        });
        let blamed = if lasted { None } else { work.mode };
        if let Some(end) = work.end.clone() {
            let index = work.device.index;
            board.work = None;
            board.sizes.clear();
            self.phase = Phase::Trying(now + self.times.retry);
            board.state = match end {
                End::Stopped | End::Asking => CameraState::Starting,
                End::Busy if self.hangs_with(index) => CameraState::Failed(STILL_HANGS.into()),
                End::Busy => CameraState::Busy(name),
                End::Denied => CameraState::Denied,
                End::Gone => {
                    board.list_wanted = true;
                    self.lose(board, name)
                }
                End::Broke(reason) => {
                    board.tried_all = blamed.is_none();
                    board.failed.extend(blamed);
                    CameraState::Failed(reason)
                }
                End::NoneWorks(reason) => {
                    board.failed.clear();
                    board.tried_all = true;
                    CameraState::Failed(reason)
                }
            };
            return Deed::Nothing;
        }
        if now >= work.alive + self.times.hang {
            board.failed.extend(blamed);
            board.sizes.clear();
            board.state = CameraState::Failed(HANGS.into());
            self.phase = Phase::Trying(now + self.times.retry);
            return Deed::Free(self.give_up(board));
        }
        let is_it = |other: &CameraDevice| other.index == work.device.index || other.name == name;
        if board.list_number > self.list_seen && !board.devices.iter().any(is_it) {
            work.cancel.cancel();
            board.state = self.lose(board, name);
            self.phase = Phase::Closing(now + self.times.close);
        }
        Deed::Nothing
    }

    /// Picks the camera that is wanted, if it is there.
    fn try_camera(&mut self, board: &mut Board, now: Instant) -> Deed {
        self.phase = Phase::Trying(now + self.times.retry);
        self.list_seen = board.list_number;
        let Some(wish) = &board.wish else {
            self.phase = Phase::Idle;
            return Deed::Nothing;
        };
        let wanted = wish.choice.name.as_ref();
        let is_it = |device: &&CameraDevice| wanted.is_none_or(|name| *name == device.name);
        let Some(device) = board.devices.iter().find(is_it).cloned() else {
            board.state = match (&self.lost, wanted) {
                (Some(name), _) => CameraState::Lost(name.clone()),
                (None, Some(name)) if !board.devices.is_empty() => CameraState::Lost(name.clone()),
                (None, _) => CameraState::Missing,
            };
            return Deed::Nothing;
        };
        self.stuck.retain(|(_, life)| life.strong_count() > 0);
        if self.stuck.len() >= MOST_STUCK {
            board.tried_all = true;
            board.state = CameraState::Failed(STILL_HANGS.into());
            return Deed::Nothing;
        }
        if matches!(board.state, CameraState::Missing | CameraState::Lost(_)) {
            board.state = CameraState::Starting;
        }
        self.next_number += 1;
        let number = self.next_number;
        let life = Arc::new(());
        let cancel = CancelToken::default();
        self.life = Arc::downgrade(&life);
        self.phase = Phase::Working;
        board.work = Some(Work {
            number,
            cancel: cancel.clone(),
            device: device.clone(),
            alive: now,
            mode: None,
            live_since: None,
            end: None,
        });
        let (wanted, failed) = (wish.wanted(), board.failed.clone());
        Deed::Start(Box::new(Start { number, cancel, device, wanted, failed, life }))
    }

    fn start(&mut self, start: Start) {
        let (shared, devices) = (Arc::clone(&self.shared), Arc::clone(&self.devices));
        let Start { number, cancel, device, wanted, failed, life } = start;
        let started = thread("camera", move || {
            let worker = Worker { shared: &shared, number, cancel, device, wanted, failed };
            worker.run(&*devices);
            // Its end tells that this thread does not hang.
            drop(life);
        });
        if let Err(error) = started {
            self.shared.change(|board| {
                if let Some(work) = &mut board.work {
                    work.end = Some(End::NoneWorks(error.to_string()));
                }
            });
        }
    }

    fn lose(&mut self, board: &mut Board, name: String) -> CameraState {
        board.sizes.clear();
        board.failed.clear();
        self.lost = Some(name.clone());
        CameraState::Lost(name)
    }

    /// Forgets a worker that hangs; what it still reports is not heard. Returns its camera.
    fn give_up(&mut self, board: &mut Board) -> u32 {
        let Some(work) = board.work.take() else {
            return 0;
        };
        work.cancel.cancel();
        self.stuck.push((work.device.index, mem::take(&mut self.life)));
        work.device.index
    }

    fn hangs_with(&self, index: u32) -> bool {
        self.stuck.iter().any(|(with, life)| *with == index && life.strong_count() > 0)
    }

    /// On a thread of its own, since the driver may hang in this as well.
    fn free(&self, index: u32) {
        let devices = Arc::clone(&self.devices);
        let freed = thread("camera rescue", move || {
            let _: Result<(), String> = panics::guard(|| devices.unstick(index));
        });
        if let Err(error) = freed {
            tracing::warn!(%error, "a hanging camera is left as it is");
        }
    }

    /// Gives the worker a moment to stop its camera.
    fn finish(&mut self) {
        let until = Instant::now() + self.times.close;
        let shared = Arc::clone(&self.shared);
        let mut board = shared.lock();
        if let Some(work) = &board.work {
            work.cancel.cancel();
        }
        while board.work.as_ref().is_some_and(|work| work.end.is_none()) {
            if Instant::now() >= until {
                let index = self.give_up(&mut board);
                drop(board);
                return self.free(index);
            }
            board = shared.wait(board, Some(until));
        }
    }
}

fn next_phase(board: &Board, now: Instant) -> Phase {
    if board.wish.is_some() { Phase::Trying(now) } else { Phase::Idle }
}

/// Keeps the list of cameras fresh, until the end.
pub(super) fn keep_list(shared: &Shared, devices: &dyn Devices, every: Duration) {
    loop {
        let found = panics::guard(|| devices.list()).unwrap_or_else(Err);
        shared.change(|board| {
            board.list_number += 1;
            match found {
                Ok(mut devices) => {
                    name_apart(&mut devices);
                    board.devices = devices;
                }
                // The last list is the best guess.
                Err(reason) => tracing::warn!(reason, "the cameras were not listed"),
            }
        });
        let next = Instant::now() + every;
        let mut board = shared.lock();
        while !board.ended && !board.list_wanted && Instant::now() < next {
            board = shared.wait(board, Some(next));
        }
        board.list_wanted = false;
        if board.ended {
            return;
        }
    }
}
