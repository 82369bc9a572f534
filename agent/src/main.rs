//! Parse, run, exit code.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = tierprobe_agent::probe::spawn::helper::answer(std::env::args_os().nth(1).as_deref()) {
        return code;
    }
    match tierprobe_agent::command::run(tierprobe_agent::cli::parse()) {
        Ok(code) => code,
        // `tierprobe-agent detect | head -1` has got what it wanted.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _nobody_to_tell = writeln!(std::io::stderr(), "tierprobe-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == ErrorKind::BrokenPipe)
}
