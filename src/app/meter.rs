//! What drawing the window costs: the processor time of the window's own thread for logic and layout,
//! frame by frame. Making triangles of it and presenting them is egui's and the driver's.

use std::time::Duration;

/// Frames that are remembered.
const FRAMES: usize = 4096;

/// The times of the last frames.
#[derive(Debug, Default)]
pub struct Meter {
    started: Option<Duration>,
    /// Microseconds, the oldest overwritten.
    times: Vec<u32>,
    next: usize,
}

/// What the times come to, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Cost {
    /// Frames counted.
    pub frames: usize,
    /// Half of them took less.
    pub median: f64,
    /// 99 of 100 took less.
    pub p99: f64,
    /// The longest.
    pub longest: f64,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { frames, median, p99, longest } = self;
        write!(
            f,
            "{median:.1} ms, 99 % below {p99:.1} ms, longest {longest:.1} ms ({frames} frames)"
        )
    }
}

impl Meter {
    /// A frame begins.
    pub fn start(&mut self) {
        self.started = thread_time();
    }

    /// The frame ends.
    pub fn stop(&mut self) {
        let (Some(started), Some(now)) = (self.started.take(), thread_time()) else { return };
        let time = now.saturating_sub(started).as_micros().min(u128::from(u32::MAX)) as u32;
        if self.times.len() < FRAMES {
            self.times.push(time);
        } else {
            self.times[self.next] = time;
            self.next = (self.next + 1) % FRAMES;
        }
    }

    /// What the frames took, once there are any.
    pub fn cost(&self) -> Option<Cost> {
        let mut times = self.times.clone();
        times.sort_unstable();
        let last = times.len().checked_sub(1)?;
        let at = |part: f64| f64::from(times[(last as f64 * part).round() as usize]) / 1000.0;
        Some(Cost { frames: times.len(), median: at(0.5), p99: at(0.99), longest: at(1.0) })
    }
}

/// The processor time of this thread, where the system counts it.
fn thread_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the clock is a constant of the system's, and `time` outlives the call.
        let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
        let seconds = u64::try_from(time.tv_sec).ok()?;
        let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
        (result == 0).then(|| Duration::new(seconds, nanoseconds))
    }
    #[cfg(not(unix))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_costs_of_frames_are_ranked() {
        let mut meter = Meter::default();
        assert_eq!(meter.cost(), None);
        meter.times = (1..=101).map(|number| number * 1000).collect();
        let cost = meter.cost().unwrap();
        assert_eq!((cost.frames, cost.median, cost.p99, cost.longest), (101, 51.0, 100.0, 101.0));
    }

    #[cfg(unix)]
    #[test]
    fn waiting_costs_no_processor_time_and_counting_does() {
        let mut meter = Meter::default();
        meter.start();
        std::thread::sleep(Duration::from_millis(60));
        meter.stop();
        meter.start();
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(80) {
            std::hint::spin_loop();
        }
        meter.stop();
        let slept = meter.times[0];
        let spun = meter.times[1];
        assert!(slept < 30_000 && spun > slept, "{slept} {spun}");
    }
}
