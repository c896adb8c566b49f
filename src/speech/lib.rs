//! Answers read aloud, by the program that the system has for it.
//!
//! The text goes to the program's standard input and never onto its command line, which every user
//! of the machine can read. Nothing here waits: a thread of its own feeds the program and sees it
//! end.

mod program;

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use values::text::{one_line, shorten};

use program::Program;

/// The most that waits to be read aloud, in bytes: some hours.
const MOST_BYTES: usize = 256 << 10;
/// The longest line, in bytes: `spd-say` takes 16 KiB.
const LINE_BYTES: usize = 1000;
/// How often it is looked whether the program has ended.
const LOOK: Duration = Duration::from_millis(30);
/// How long a program may take to silence another.
const SILENCE: Duration = Duration::from_secs(3);
/// A program that fails later than this may have read some of the text; another one would repeat it.
const EARLY: Duration = Duration::from_secs(10);

/// Why nothing is read aloud.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpeechError {
    /// The system has none of the programs that are known here.
    #[error("{}", NO_PROGRAM)]
    NoProgram,
    /// The program failed, and no other one could take over.
    #[error("{program} could not read this aloud ({reason}): check that the sound works")]
    Failed {
        /// The program's name.
        program: String,
        /// Its words, or the system's, as one printable line.
        reason: String,
    },
    /// More than 256 KiB would wait.
    #[error("this is too long to read aloud: select a part of it")]
    TooLong,
    /// The system gives no thread.
    #[error("the system has no thread left to read aloud with: close other programs")]
    NoThread,
}

#[cfg(target_os = "macos")]
const NO_PROGRAM: &str =
    "nothing can read aloud here: the system's program /usr/bin/say is missing";
#[cfg(windows)]
const NO_PROGRAM: &str = "nothing can read aloud here: Windows PowerShell is missing";
#[cfg(all(unix, not(target_os = "macos")))]
const NO_PROGRAM: &str =
    "nothing can read aloud here: install speech-dispatcher (the program spd-say) or espeak-ng";

/// Something that reads aloud. No method waits for it.
pub trait Voice: Send {
    /// Whether there is anything to read aloud with.
    fn available(&self) -> bool;

    /// Reads `text` aloud, in place of what is being read.
    ///
    /// # Errors
    /// Any [`SpeechError`]. What goes wrong later is told by [`Voice::trouble`].
    fn say(&mut self, text: &str) -> Result<(), SpeechError>;

    /// Reads `text` aloud after what is being read: for an answer that comes bit by bit.
    ///
    /// # Errors
    /// As for [`Voice::say`].
    fn add(&mut self, text: &str) -> Result<(), SpeechError>;

    /// Falls silent.
    fn stop(&mut self);

    /// Whether anything is being read, or waits to be.
    fn speaking(&mut self) -> bool;

    /// Why the reading ended before the text did. Told once.
    fn trouble(&mut self) -> Option<SpeechError>;
}

/// The voice of this system. Falls silent when dropped.
#[derive(Debug)]
pub struct SystemVoice {
    /// The best first; the others are tried where it fails.
    programs: Vec<Program>,
    talk: Option<Talk>,
}

/// Texts being read one after the other, by one thread.
#[derive(Debug)]
struct Talk {
    state: Arc<Mutex<State>>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<String>,
    /// The program that is reading.
    reading: Option<(Child, Program)>,
    /// What silences it.
    silencing: Option<Child>,
    stopped: bool,
    /// The thread takes nothing more.
    done: bool,
    trouble: Option<SpeechError>,
}

impl SystemVoice {
    /// Looks for the system's programs, without starting any.
    pub fn find() -> Self {
        #[allow(unused_mut, reason = "only Windows adds to it")]
        let mut path = env::var_os("PATH").unwrap_or_default();
        #[cfg(windows)]
        if let Some(root) = env::var_os("SystemRoot") {
            path.push(";");
            path.push(root);
            path.push(r"\System32\WindowsPowerShell\v1.0");
        }
        Self::find_in(&path)
    }

    /// Looks in the folders of `path`, which is written like the variable `PATH`.
    pub fn find_in(path: &OsStr) -> Self {
        Self { programs: program::find(path), talk: None }
    }

    fn begin(&mut self, text: String) -> Result<(), SpeechError> {
        // What silences the old program must not silence the new one.
        let before = self.talk.take().map(|talk| talk.thread);
        let state = Arc::new(Mutex::new(State { waiting: vec![text], ..State::default() }));
        let (shared, programs) = (Arc::clone(&state), self.programs.clone());
        let work = move || {
            if let Some(before) = before {
                drop(before.join());
            }
            read_all(&shared, &programs);
        };
        let thread = std::thread::Builder::new()
            .name("lorgnette-voice".into())
            .spawn(work)
            .map_err(|_| SpeechError::NoThread)?;
        self.talk = Some(Talk { state, thread });
        Ok(())
    }
}

impl Voice for SystemVoice {
    fn available(&self) -> bool {
        !self.programs.is_empty()
    }

    fn say(&mut self, text: &str) -> Result<(), SpeechError> {
        self.stop();
        if self.programs.is_empty() {
            return Err(SpeechError::NoProgram);
        }
        match speakable(text) {
            text if text.is_empty() => Ok(()),
            text if text.len() > MOST_BYTES => Err(SpeechError::TooLong),
            text => self.begin(text),
        }
    }

    fn add(&mut self, text: &str) -> Result<(), SpeechError> {
        if let Some(talk) = &self.talk {
            let mut state = lock(&talk.state);
            if !state.done && !state.stopped {
                let text = speakable(text);
                let waiting: usize = state.waiting.iter().map(String::len).sum();
                if waiting + text.len() > MOST_BYTES {
                    return Err(SpeechError::TooLong);
                }
                state.waiting.push(text);
                return Ok(());
            }
        }
        self.say(text)
    }

    fn stop(&mut self) {
        let Some(talk) = &self.talk else { return };
        let mut state = lock(&talk.state);
        state.waiting.clear();
        if state.done || state.stopped {
            return;
        }
        state.stopped = true;
        let Some((child, program)) = &mut state.reading else { return };
        // It fails only where the program has just ended. The thread sees it end.
        drop(child.kill());
        let silencing = program.silence();
        state.silencing = silencing;
    }

    fn speaking(&mut self) -> bool {
        self.talk.as_ref().is_some_and(|talk| {
            let state = lock(&talk.state);
            !state.done && !state.stopped
        })
    }

    fn trouble(&mut self) -> Option<SpeechError> {
        self.talk.as_ref().and_then(|talk| lock(&talk.state).trouble.take())
    }
}

impl Drop for SystemVoice {
    fn drop(&mut self) {
        self.stop();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Nothing panics while it holds the lock.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads what waits until nothing does.
fn read_all(state: &Mutex<State>, mut programs: &[Program]) {
    loop {
        let text = {
            let mut state = lock(state);
            if state.waiting.is_empty() || state.stopped {
                state.done = true;
                break;
            }
            // One program for all of it pauses less between the bits.
            std::mem::take(&mut state.waiting).concat()
        };
        match read_one(state, &mut programs, &text) {
            Ok(()) => {}
            Err(error) => {
                let mut state = lock(state);
                state.trouble = Some(error);
                state.waiting.clear();
            }
        }
    }
    let silencing = lock(state).silencing.take();
    if let Some(mut child) = silencing {
        end(&mut child);
    }
}

/// Has `text` read by the first program that can; those before it are not tried again.
fn read_one(
    state: &Mutex<State>,
    programs: &mut &[Program],
    text: &str,
) -> Result<(), SpeechError> {
    loop {
        let Some((program, others)) = programs.split_first() else {
            return Err(SpeechError::NoProgram);
        };
        let start = Instant::now();
        let reason = match run(state, program, text) {
            Ok(None) => return Ok(()),
            Ok(Some(complaint)) => complaint,
            Err(error) => error.to_string(),
        };
        tracing::warn!("{} cannot read aloud: {reason}", program.name());
        if others.is_empty() || start.elapsed() > EARLY {
            return Err(SpeechError::Failed { program: program.name(), reason });
        }
        *programs = others;
    }
}

/// Runs `program` to its end or to that of the talk; what it complained of where it failed.
fn run(state: &Mutex<State>, program: &Program, text: &str) -> io::Result<Option<String>> {
    let mut errors = tempfile::tempfile()?;
    let mut child = program.start(errors.try_clone()?)?;
    let stdin = child.stdin.take();
    {
        let mut state = lock(state);
        if state.stopped {
            drop(child.kill());
        }
        state.reading = Some((child, program.clone()));
    }
    if let Some(mut stdin) = stdin {
        // A program that ends early says why in its own way.
        drop(stdin.write_all(text.as_bytes()));
    }
    let deadline = Instant::now() + patience(text.len());
    let (status, late) = loop {
        let late = Instant::now() > deadline;
        {
            let mut state = lock(state);
            let Some((child, _)) = &mut state.reading else { return Ok(None) };
            if late {
                drop(child.kill());
            }
            if let Some(status) = child.try_wait()? {
                state.reading = None;
                break (status, late);
            }
        }
        std::thread::sleep(LOOK);
    };
    if status.success() || lock(state).stopped {
        return Ok(None);
    }
    let late = late.then(|| "it did not come to an end".to_owned());
    Ok(Some(late.unwrap_or_else(|| complaint(&mut errors, status))))
}

/// How long reading may take: much longer than the slowest voice needs for a text of so many bytes.
/// Without a sound card `spd-say` waits for ever.
fn patience(bytes: usize) -> Duration {
    Duration::from_mins(1) + Duration::from_millis(500) * bytes as u32
}

/// The last line a program wrote about its failure.
fn complaint(errors: &mut File, status: ExitStatus) -> String {
    const MOST: usize = 160;
    let mut text = Vec::new();
    let read = errors.rewind().and_then(|()| errors.take(1 << 16).read_to_end(&mut text));
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    match last.filter(|_| read.is_ok()) {
        Some(line) => shorten(&one_line(line), MOST),
        None => status.to_string(),
    }
}

/// Waits for a program that ends at once, or ends it.
fn end(child: &mut Child) {
    let deadline = Instant::now() + SILENCE;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > deadline {
            drop(child.kill());
            drop(child.wait());
            return;
        }
        std::thread::sleep(LOOK);
    }
}

/// `text` as lines that no program takes for anything but words.
fn speakable(text: &str) -> String {
    // Sound commands to `say`, phonemes to `espeak`.
    let text = text.replace("[[", "[ [").replace("[[", "[ [");
    let mut lines = String::with_capacity(text.len());
    for line in text.lines() {
        let mut length = 0;
        for word in line.split(|c: char| c.is_whitespace() || c.is_control()) {
            for part in parts(word) {
                if length > 0 && length + part.len() >= LINE_BYTES {
                    lines.push('\n');
                    length = 0;
                }
                // At the beginning of a line `!-!` would be a command to `spd-say`.
                if length > 0 || part.starts_with('!') {
                    lines.push(' ');
                }
                lines.push_str(part);
                length += part.len() + 1;
            }
        }
        if length > 0 {
            lines.push('\n');
        }
    }
    lines
}

/// A word in parts that fit into a line; none for an empty one.
fn parts(mut word: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (part, rest) = word.split_at(word.floor_char_boundary(LINE_BYTES - 1));
        word = rest;
        (!part.is_empty()).then_some(part)
    })
}

#[cfg(test)]
mod tests;
