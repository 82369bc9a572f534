//! tierprobe-collector: compares what tiers cost.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use tierprobe_collector::cli::Cli;
use tierprobe_collector::printable::printable_lines;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output may stop early, as `head` does: that is no failure.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // With standard error closed, the exit code is all that can be said.
            let _ = writeln!(io::stderr(), "error: {}", printable_lines(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
