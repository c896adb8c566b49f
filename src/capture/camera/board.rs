//! What the threads of a camera share.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use values::frame::Frame;
use values::job::{CancelToken, Slot};

use super::mode::{CameraFormatInfo, Wanted};
use super::{CameraChoice, CameraDevice, CameraState, PixelFormat};

/// What the owner wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    pub choice: CameraChoice,
    pub pixels: Option<PixelFormat>,
}

impl Wish {
    pub fn wanted(&self) -> Wanted {
        Wanted { size: self.choice.size, pixels: self.pixels }
    }
}

/// How a worker ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// It was asked to.
    Stopped,
    Busy,
    Denied,
    Asking,
    /// The camera is not there any more.
    Gone,
    /// The mode it was in, or tried, works no longer.
    Broke(String),
    /// No mode works.
    NoneWorks(String),
}

/// The worker under way, as far as others need to know.
#[derive(Debug)]
pub(super) struct Work {
    /// Tells its reports from those of workers given up.
    pub number: u64,
    pub cancel: CancelToken,
    pub device: CameraDevice,
    /// The last sign of life.
    pub alive: Instant,
    /// The mode it is in, or trying.
    pub mode: Option<CameraFormatInfo>,
    pub live_since: Option<Instant>,
    pub end: Option<End>,
}

/// Everything that changes, behind one mutex that nobody holds for long.
#[derive(Debug)]
pub(super) struct Board {
    pub ended: bool,
    /// Grows with every change, so that none is slept through.
    pub version: u64,
    pub wish: Option<Wish>,
    /// Grows with every wish.
    pub wish_number: u64,
    pub state: CameraState,
    pub devices: Vec<CameraDevice>,
    /// Grows with every look at the devices.
    pub list_number: u64,
    /// Whether a look is wanted before its time.
    pub list_wanted: bool,
    pub sizes: Vec<(u32, u32)>,
    /// Modes that were found not to work, of the camera last tried.
    pub failed: Vec<CameraFormatInfo>,
    pub tried_all: bool,
    pub work: Option<Work>,
}

impl Board {
    /// The work of this number, unless it was given up or serves an old wish.
    pub fn work(&mut self, number: u64) -> Option<&mut Work> {
        self.work.as_mut().filter(|work| work.number == number && !work.cancel.is_cancelled())
    }
}

pub(super) struct Shared {
    board: Mutex<Board>,
    bell: Condvar,
    pub slot: Slot<Frame>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Shared {
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        let board = Board {
            ended: false,
            version: 0,
            wish: None,
            wish_number: 0,
            state: CameraState::Off,
            devices: Vec::new(),
            list_number: 0,
            list_wanted: false,
            sizes: Vec::new(),
            failed: Vec::new(),
            tried_all: false,
            work: None,
        };
        let wake = Box::new(wake);
        Self { board: Mutex::new(board), bell: Condvar::new(), slot: Slot::default(), wake }
    }

    pub fn lock(&self) -> MutexGuard<'_, Board> {
        // Nothing panics while it holds the lock.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the board, and tells the threads, and the owner if it concerns him.
    pub fn change<T>(&self, change: impl FnOnce(&mut Board) -> T) -> T {
        let mut board = self.lock();
        let before = (board.state.clone(), board.sizes.len(), board.devices.clone());
        board.version += 1;
        let result = change(&mut board);
        let differs = board.state != before.0
            || board.sizes.len() != before.1
            || board.devices != before.2
            || board.list_number == 1;
        if board.state != before.0 {
            tracing::info!(state = ?board.state, "camera");
        }
        drop(board);
        self.bell.notify_all();
        if differs {
            (self.wake)();
        }
        result
    }

    /// Takes a frame in, unless the worker that read it was given up.
    pub fn show(&self, number: u64, frame: Frame) {
        let mut board = self.lock();
        let Some(work) = board.work(number) else {
            return;
        };
        work.alive = Instant::now();
        self.slot.put(frame);
        drop(board);
        (self.wake)();
    }

    pub fn wish(&self, wish: Option<Wish>) {
        let changed = self.change(|board| {
            if board.wish == wish {
                return false;
            }
            board.state = if wish.is_some() { CameraState::Starting } else { CameraState::Off };
            board.wish = wish;
            board.wish_number += 1;
            board.sizes.clear();
            board.failed.clear();
            board.tried_all = false;
            if let Some(work) = &board.work {
                work.cancel.cancel();
            }
            true
        });
        if changed {
            // No frame of the old camera is seen after this.
            drop(self.slot.take());
        }
    }

    /// Waits until something changes, at most until `deadline`.
    pub fn wait<'a>(
        &self,
        board: MutexGuard<'a, Board>,
        deadline: Option<Instant>,
    ) -> MutexGuard<'a, Board> {
        match deadline {
            None => self.bell.wait(board).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let result = self.bell.wait_timeout(board, left);
                result.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }
}
