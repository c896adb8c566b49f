//! Starts Lorgnette: the processor check, the environment, then the window or the command line.

// A window needs no console beside it.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

use std::process::ExitCode;

use lorgnette::cli::Start;

fn main() -> ExitCode {
    if let Err(missing) = lorgnette::cpu::require() {
        eprintln!("lorgnette: {missing}");
        return ExitCode::FAILURE;
    }
    match lorgnette::cli::main() {
        Start::Window { folders, pictures } => match lorgnette::app::run(folders, pictures) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("lorgnette: {error}");
                ExitCode::FAILURE
            }
        },
        Start::Done(code) => code,
    }
}
