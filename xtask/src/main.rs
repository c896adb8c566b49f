//! The project's own commands: `cargo xtask run` and `cargo xtask test`.

#[cfg(test)]
#[path = "../../tests/architecture.rs"]
mod architecture;
#[path = "../../src/values/cpu.rs"]
mod cpu;
mod executable;
mod rooms;

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

use rooms::{Choice, Room};

const USAGE: &str = "\
Usage: cargo xtask run [ARGUMENT...]            build Lorgnette and start it with these arguments
       cargo xtask test [ROOM...] [FILTER...]   check the formatting, lint, and run the tests: all,
                                                those of some rooms (ui, engine/worker, model,
                                                machine ...), or of the rooms with a part of that
                                                name (history)
";

/// `-D warnings` in the form that clippy reads from its environment.
const DENY: &str = "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__";

/// Where `packaging/bootstrap.sh` was called: the pictures that its user names lie there.
const START_FOLDER: &str = "XTASK_START_FOLDER";

#[expect(clippy::disallowed_methods, reason = "only `exit` passes a Windows exit code on whole")]
fn main() {
    let mut arguments = env::args_os().skip(1);
    let verb = arguments.next();
    let arguments: Vec<_> = arguments.collect();
    let outcome = match verb.as_deref().and_then(OsStr::to_str) {
        Some("run") => prepare().and_then(|()| run(arguments)),
        Some("test") => prepare().and_then(|()| test(arguments)),
        _ => {
            eprint!("{USAGE}");
            process::exit(2);
        }
    };
    process::exit(outcome.unwrap_or_else(|error| {
        eprintln!("{error}");
        1
    }));
}

fn prepare() -> Result<(), String> {
    cpu::require().map_err(|missing| missing.to_string())?;
    if cfg!(target_arch = "x86_64")
        && let Some(warning) = replaced_flags(|variable| env::var_os(variable))
    {
        eprintln!("{warning}");
    }
    Ok(())
}

/// Cargo takes the flags in these variables instead of the project's own, not beside them.
fn replaced_flags(value_of: impl Fn(&str) -> Option<OsString>) -> Option<String> {
    let (variable, flags) = ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"]
        .into_iter()
        .find_map(|variable| Some((variable, value_of(variable)?)))?;
    let names_a_processor = flags.to_string_lossy().contains("target-cpu");
    (!names_a_processor).then(|| {
        format!(
            "warning: {variable} replaces the flags of .cargo/config.toml, so the model is \
             compiled without AVX2 and answers far more slowly; unset it, or add \
             -C target-cpu=x86-64-v3 to it"
        )
    })
}

/// Builds the application and becomes it.
fn run(arguments: Vec<OsString>) -> Result<i32, String> {
    let build = cargo()
        .args(["build", "--package=lorgnette", "--bin=lorgnette"])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo did not start: {error}"))?;
    if !build.status.success() {
        return Ok(build.status.code().unwrap_or(1));
    }
    let program = executable::find(&String::from_utf8_lossy(&build.stdout))
        .ok_or("cargo built the application but did not say where")?;

    let mut application = Command::new(&program);
    // Without any, it opens its window.
    application.args(arguments);
    if let Some(folder) = env::var_os(START_FOLDER) {
        application.current_dir(folder).env_remove(START_FOLDER);
    }
    become_it(application).map_err(|error| format!("{program} did not start: {error}"))
}

/// Gives the terminal, its signals and the exit code over to the application.
#[cfg(unix)]
fn become_it(mut application: Command) -> std::io::Result<i32> {
    use std::os::unix::process::CommandExt;
    Err(application.exec())
}

/// Waits for the application and leaves Ctrl-C, which reaches every process of a console, to it.
#[cfg(windows)]
fn become_it(mut application: Command) -> std::io::Result<i32> {
    type Handler = extern "system" fn(u32) -> i32;
    unsafe extern "system" {
        safe fn SetConsoleCtrlHandler(handler: Option<Handler>, add: i32) -> i32;
    }
    extern "system" fn handled(_event: u32) -> i32 {
        1
    }
    SetConsoleCtrlHandler(Some(handled), 1);
    Ok(application.status()?.code().unwrap_or(1))
}

/// Runs what must pass before a change lands, up to the first failure: all of it, or that of some
/// rooms.
fn test(words: Vec<OsString>) -> Result<i32, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(""));
    let Choice { selection, rest } = rooms::choose(&Room::all(root)?, words);
    let mut tests = vec![OsString::from("test")];
    tests.extend(selection);
    tests.extend(rest);
    let format = ["fmt", "--all", "--check"].map(OsString::from).to_vec();
    for (arguments, lints) in [(format, false), (tests, true)] {
        eprintln!("$ cargo {}", arguments.join(OsStr::new(" ")).display());
        let mut command = cargo();
        if lints {
            command.env("RUSTC_WORKSPACE_WRAPPER", clippy()).env("CLIPPY_ARGS", DENY);
        }
        let status = command
            .args(&arguments)
            .status()
            .map_err(|error| format!("cargo did not start: {error}"))?;
        if !status.success() {
            return Ok(status.code().unwrap_or(1));
        }
    }
    Ok(0)
}

/// The linting compiler beside the cargo that started this program. `cargo clippy` would check all
/// dependencies a second time; in the compiler's place it lints what is built for the tests anyway.
fn clippy() -> PathBuf {
    let name = PathBuf::from("clippy-driver").with_extension(env::consts::EXE_EXTENSION);
    let beside = env::var_os("CARGO").map(|cargo| Path::new(&cargo).with_file_name(&name));
    beside.filter(|path| path.is_file()).unwrap_or(name)
}

/// The cargo that started this program, so that both use one toolchain.
fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What it told this program of itself would start builds over: `ring` looks at it, and the
    // engine stands on `ring`.
    for (name, _) in env::vars_os() {
        if describes_xtask(&name.to_string_lossy()) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Whether cargo sets the variable for the program that it runs, to say which one it is.
fn describes_xtask(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"]
        .iter()
        .any(|prefix| variable.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(set: &[(&str, &str)]) -> Option<String> {
        replaced_flags(|variable| {
            let (_, flags) = set.iter().find(|(name, _)| *name == variable)?;
            Some((*flags).into())
        })
    }

    #[test]
    fn a_variable_that_replaces_the_flags_is_named() {
        assert_eq!(with(&[]), None);
        assert!(with(&[("RUSTFLAGS", "-D warnings")]).unwrap().contains(" RUSTFLAGS "));
        // An empty one replaces them as well.
        assert!(
            with(&[("CARGO_ENCODED_RUSTFLAGS", "")]).unwrap().contains(" CARGO_ENCODED_RUSTFLAGS ")
        );
    }

    #[test]
    fn a_chosen_processor_is_no_accident() {
        assert_eq!(with(&[("RUSTFLAGS", "-C target-cpu=native")]), None);
        // The encoded one wins, and it names none.
        let both = [("RUSTFLAGS", "-Ctarget-cpu=native"), ("CARGO_ENCODED_RUSTFLAGS", "-g")];
        assert!(with(&both).is_some());
    }

    #[test]
    fn the_builds_are_not_told_who_started_them() {
        assert!(describes_xtask("CARGO_MANIFEST_DIR") && describes_xtask("CARGO_PKG_NAME"));
        assert!(!describes_xtask("CARGO_TARGET_DIR") && !describes_xtask("CARGO_HOME"));
    }
}
