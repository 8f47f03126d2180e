//! The suite as tests: each case one.

use std::process::ExitCode;

fn main() -> ExitCode {
    caplab::Suite::new("scenarios").run()
}
