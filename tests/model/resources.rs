//! What the engine holds on to over time: memory over many loads, the processor when idle.
//!
//! Measured in a process of its own.

use std::time::Duration;

use conversation::Options;
use engine::EngineEvent;
use values::config::Precision;
use values::frame::{Frame, Source};
use values::picture::Look;

use crate::ahead::look_ahead;
use crate::listener::{Listener, seeing};
use crate::support::{picture, sample};

const CYCLES: usize = 50;
/// Pictures that are looked at ahead: what is held of one takes 24 MB.
const LOOKS: usize = 40;
/// Cycles after which memory must have settled.
const SETTLED: usize = 10;
/// Growth that no leak of a model (400 MB), its tokenizer or a cache could hide in.
const ALLOWED_GROWTH: f64 = 40e6;

/// Resident memory in bytes, without pages of mapped files.
fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap() * 1024.0
}

/// Processor time this process has used, in seconds.
fn processor_time() -> f64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is a valid place for the one value that is written.
    let usage = unsafe {
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()), 0);
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

#[test]
fn loads_leave_nothing_behind_and_an_idle_engine_rests() {
    crate::alone("resources::of_a_process");
}

#[test]
fn what_was_looked_at_ahead_and_answered_is_let_go_of() {
    crate::alone("resources::of_looking_ahead");
}

#[test]
#[ignore = "measures its process, so the test above starts one for it"]
fn of_looking_ahead() {
    let listener = Listener::with_default(Precision::Q8_0);
    let mut settled = 0f64;
    let mut last = 0f64;
    for cycle in 0..LOOKS {
        let pixels = image::RgbImage::from_pixel(64, 48, image::Rgb([cycle as u8 * 5, 90, 30]));
        let frame = Frame::new(pixels, Source::Memory("plain".into()));
        let mut question = seeing(&[Look { frame, region: None }], "What is that?");
        question.options.max_tokens = 2;
        look_ahead(&listener, &question);
        if cycle % 2 == 0 {
            listener.ask(question).unwrap();
        }
        last = memory();
        if cycle < SETTLED {
            settled = settled.max(last);
        }
    }
    eprintln!("{:.0} MB once settled, {:.0} MB after {LOOKS} looks", settled / 1e6, last / 1e6);
    assert!(last < settled + ALLOWED_GROWTH, "{settled} grew to {last}");
}

#[test]
#[ignore = "measures its process, so the test above starts one for it"]
fn of_a_process() {
    let listener = Listener::start();
    let question = || {
        let mut question = seeing(&[picture(&sample("cat.jpg"))], "What is that?");
        question.options = Options { max_tokens: 1, ..Options::default() };
        question
    };
    let mut settled = 0f64;
    let mut last = 0f64;
    for cycle in 0..CYCLES {
        listener.load_default(Precision::Q8_0).unwrap();
        listener.ask(question()).unwrap();
        listener.engine.unload().unwrap();
        while !matches!(listener.next(), EngineEvent::Unloaded(_)) {}
        last = memory();
        if cycle < SETTLED {
            settled = settled.max(last);
        }
    }
    eprintln!("{:.0} MB once settled, {:.0} MB after {CYCLES} loads", settled / 1e6, last / 1e6);
    assert!(last < settled + ALLOWED_GROWTH, "{settled} grew to {last}");

    // mistral.rs 0.8.1 leaves one sleeping thread a model, its log's; nothing else may stay.
    let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
    assert!(threads < CYCLES + 20, "{threads} threads");

    listener.load_default(Precision::Q8_0).unwrap();
    listener.ask(question()).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let (before, rest) = (processor_time(), Duration::from_secs(5));
    std::thread::sleep(rest);
    let share = (processor_time() - before) / rest.as_secs_f64();
    eprintln!("{:.2} % of a processor when idle", share * 100.0);
    assert!(share < 0.01, "{share}");
}
