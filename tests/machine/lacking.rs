//! Tests that are ignored where the machine lacks something.

use std::path::PathBuf;
use std::process::Command;

use libtest_mimic::Trial;

/// A test, ignored because of what is `lacking`.
pub fn needing(lacking: Option<String>, name: &str, test: fn()) -> Trial {
    let test = Trial::test(name, move || {
        test();
        Ok(())
    });
    match lacking {
        Some(what) => test.with_kind(format!("skipped, because {what}")).with_ignored_flag(true),
        None => test,
    }
}

/// A program that is installed.
pub fn program(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// What is missing of these programs, in words.
pub fn without(programs: &[&str]) -> Option<String> {
    let missing: Vec<&str> =
        programs.iter().copied().filter(|name| program(name).is_none()).collect();
    let words = missing.join(" and ");
    (!missing.is_empty()).then(|| format!("{words} cannot be found"))
}

pub fn test() -> Trial {
    needing(None, "lacking::what_is_lacking_is_said_and_does_not_count_as_passed", || {
        let program = std::env::current_exe().unwrap();
        let run = Command::new(program).arg("real_window").env("PATH", "").output().unwrap();
        let said = String::from_utf8(run.stdout).unwrap();
        assert!(run.status.success(), "{said}");
        assert!(said.contains("skipped, because Xvfb and xdotool and import cannot"), "{said}");
        assert!(said.contains("0 passed; 0 failed; 2 ignored"), "{said}");
    })
}
