//! The programs of the system that read aloud, and how each wants to be called.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How a program wants to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Speech Dispatcher's `spd-say`: speaks with the voice that the user's screen reader has.
    #[cfg_attr(not(all(unix, not(target_os = "macos"))), expect(dead_code, reason = "Linux"))]
    SpeechDispatcher,
    /// `espeak-ng` or its elder `espeak`.
    #[cfg_attr(not(all(unix, not(target_os = "macos"))), expect(dead_code, reason = "Linux"))]
    Espeak,
    /// macOS's `say`.
    #[cfg_attr(not(target_os = "macos"), expect(dead_code, reason = "macOS"))]
    Say,
    /// Windows PowerShell, which has .NET's speech.
    #[cfg_attr(not(windows), expect(dead_code, reason = "Windows"))]
    PowerShell,
}

/// What may read aloud on this system, the best first.
#[cfg(target_os = "macos")]
pub const CANDIDATES: &[(&str, Kind)] = &[("say", Kind::Say)];
/// What may read aloud on this system, the best first.
#[cfg(windows)]
pub const CANDIDATES: &[(&str, Kind)] = &[("powershell.exe", Kind::PowerShell)];
/// What may read aloud on this system, the best first.
#[cfg(all(unix, not(target_os = "macos")))]
pub const CANDIDATES: &[(&str, Kind)] =
    &[("spd-say", Kind::SpeechDispatcher), ("espeak-ng", Kind::Espeak), ("espeak", Kind::Espeak)];

/// Speaks what comes on the standard input, as UTF-8 whatever the console has.
const POWERSHELL: &str = "$ErrorActionPreference = 'Stop'; \
    Add-Type -AssemblyName System.Speech; \
    $text = New-Object IO.StreamReader([Console]::OpenStandardInput(), [Text.Encoding]::UTF8); \
    $voice = New-Object System.Speech.Synthesis.SpeechSynthesizer; \
    $voice.Speak($text.ReadToEnd())";

/// A program that reads aloud what it gets on its standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub path: PathBuf,
    pub kind: Kind,
}

impl Program {
    /// Its name in messages.
    pub fn name(&self) -> String {
        let name = self.path.file_stem().unwrap_or_default();
        values::text::one_line(&name.to_string_lossy())
    }

    /// Starts it; its complaints go to `errors`.
    pub fn start(&self, errors: File) -> std::io::Result<Child> {
        let arguments: &[&str] = match self.kind {
            Kind::SpeechDispatcher => &["--wait", "--pipe-mode"],
            Kind::Espeak => &["--stdin"],
            Kind::Say => &["-f", "-"],
            Kind::PowerShell => &["-NoProfile", "-NonInteractive", "-Command", POWERSHELL],
        };
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stderr(errors).spawn()
    }

    /// Starts what silences the program beyond its own end, where that takes anything: Speech
    /// Dispatcher speaks in a service of its own.
    pub fn silence(&self) -> Option<Child> {
        let speaks_elsewhere = self.kind == Kind::SpeechDispatcher;
        speaks_elsewhere.then(|| self.command(&["--stop"]).spawn().ok()).flatten()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        #[cfg(windows)]
        {
            use std::os::windows::process::CommandExt;
            /// Or a console window would flash up.
            const CREATE_NO_WINDOW: u32 = 0x0800_0000;
            command.creation_flags(CREATE_NO_WINDOW);
        }
        command
    }
}

/// The programs of this system in the folders of `path`, which is written like the variable `PATH`.
pub fn find(path: &OsStr) -> Vec<Program> {
    // A relative folder would mean whatever the current one has to offer.
    let folders: Vec<_> = env::split_paths(path).filter(|folder| folder.is_absolute()).collect();
    let find = |name: &str| {
        folders.iter().map(|folder| folder.join(name)).find(|file| is_executable(file))
    };
    CANDIDATES
        .iter()
        .filter_map(|&(name, kind)| find(name).map(|path| Program { path, kind }))
        .collect()
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file)
        .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}
