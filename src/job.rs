//! What long work shares with whoever started it.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_stays_between_nothing_and_all() {
        assert!((Progress::new(0, 0).fraction() - 1.0).abs() < f32::EPSILON);
        assert!((Progress::new(9, 4).fraction() - 1.0).abs() < f32::EPSILON);
        assert!((Progress::new(1, 4).fraction() - 0.25).abs() < f32::EPSILON);
    }
}
