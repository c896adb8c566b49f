//! Starts Lorgnette: the processor check, the environment, the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Err(missing) = lorgnette::cpu::require() {
        eprintln!("lorgnette: {missing}");
        return ExitCode::FAILURE;
    }
    lorgnette::cli::main()
}
