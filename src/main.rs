//! The command line: arguments in, exit status out.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(caplab::cli::main(std::env::args_os()))
}
