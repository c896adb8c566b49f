//! What long work shares with whoever started it, and the one kind of thread that does it.

mod worker;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use worker::{Desk, Lane, Refused, Rest, Trouble, Work, Worker};

/// How far a long job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Units done, in whatever unit the job counts (bytes for files).
    pub done: u64,
    /// Units in all; never 0.
    pub total: u64,
}

impl Progress {
    /// Progress over `total` units, with an empty job taken for a finished one of one unit.
    #[must_use]
    pub fn new(done: u64, total: u64) -> Self {
        if total == 0 { Self { done: 1, total: 1 } } else { Self { done: done.min(total), total } }
    }

    /// The part done, 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a progress bar needs no more")]
    pub fn fraction(self) -> f32 {
        self.done as f32 / self.total as f32
    }
}

/// A place for one value, of which only the newest counts: what nobody took in time is replaced.
///
/// For heavy data (frames, heatmaps), so that a slow reader costs neither memory nor waiting.
#[derive(Debug)]
pub struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Slot<T> {
    /// Puts a value in place of the one nobody took.
    pub fn put(&self, value: T) {
        // The old value is dropped after the lock is let go.
        let old = self.lock().replace(value);
        drop(old);
    }

    /// Takes the value, if one came since.
    #[must_use]
    pub fn take(&self) -> Option<T> {
        self.lock().take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<T>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }
}

/// The same place, seen from another thread.
impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A wish, shared by its clones, that some work end early.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Asks for the end.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the end was asked for.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_keeps_the_newest_alone() {
        let slot = Slot::default();
        let writer = slot.clone();
        assert_eq!(slot.take(), None);
        writer.put(1);
        writer.put(2);
        assert_eq!(slot.take(), Some(2));
        assert_eq!(slot.take(), None);
    }

    #[test]
    fn a_wish_to_end_reaches_every_clone() {
        let token = CancelToken::default();
        let other = token.clone();
        assert!(!other.is_cancelled());
        token.cancel();
        assert!(other.is_cancelled());
    }

    #[test]
    fn a_fraction_stays_between_nothing_and_all() {
        assert!((Progress::new(0, 0).fraction() - 1.0).abs() < f32::EPSILON);
        assert!((Progress::new(9, 4).fraction() - 1.0).abs() < f32::EPSILON);
        assert!((Progress::new(1, 4).fraction() - 0.25).abs() < f32::EPSILON);
    }
}
