//! Starting, loading and asking open no internet socket.
//!
//! The program runs under a system call filter that ends it at its first attempt; a shell that
//! does open one shows that the filter would have seen it.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use crate::support::{cache, forbid_internet, sample};

/// Runs `command` so that opening an internet socket kills it.
fn without_internet(mut command: Command) -> Output {
    forbid_internet(&mut command);
    command.output().unwrap()
}

#[test]
fn the_filter_sees_a_socket() {
    let mut shell = Command::new("bash");
    shell.args(["-c", "exec 3<>/dev/tcp/127.0.0.1/9"]);
    assert_eq!(without_internet(shell).status.signal(), Some(libc::SIGSYS));
}

#[test]
fn a_question_is_answered_without_any() {
    let mut ask = Command::new(env!("CARGO_BIN_EXE_lorgnette"));
    ask.arg("ask").arg(sample("cat.jpg")).arg("What is that?");
    ask.env("LORGNETTE_CACHE_DIR", cache());
    let output = without_internet(ask);
    assert_eq!(output.status.code(), Some(0), "{:?}", output.status.signal());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "An Egyptian cat.\n");
}

/// The first start of a new user: unpacking, too, and a network that is not there at all.
#[test]
fn the_first_start_needs_none() {
    let home = tempfile::tempdir().unwrap();
    let mut ask = Command::new(env!("CARGO_BIN_EXE_lorgnette"));
    ask.arg("ask").arg(sample("lemon.jpg")).arg("What is that?");
    ask.env("LORGNETTE_CACHE_DIR", home.path());
    let output = without_internet(ask);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "A lemon.\n");
}
