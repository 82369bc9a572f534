//! What each subcommand does.

mod bundle;
mod check;
mod measure;
mod serve;

use std::io::Write;
use std::process::ExitCode;

use crate::cli::{Command, DetectArgs, DetectFormat};
use crate::{detect, metrics_doc};

/// Runs a subcommand.
///
/// # Errors
///
/// Whatever keeps it from doing what it was asked to do.
pub fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => serve::run(&args),
        Command::Detect(args) => detect_tier(&args),
        Command::Measure(args) => measure::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Bundle(args) => bundle::run(&args),
        Command::Metrics => {
            print(metrics_doc::render().as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn detect_tier(args: &DetectArgs) -> anyhow::Result<ExitCode> {
    let detection = detect::detect(&args.machine.machine()?);
    match args.format {
        DetectFormat::Text => print(detect::text::render(&detection).as_bytes())?,
        DetectFormat::Json => print(format!("{}\n", serde_json::to_string_pretty(&detection)?).as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// To standard output. `println!` would panic when the reader has gone.
fn print(text: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text)?;
    out.flush()
}

/// The thread that probes run on, which they pin. Where the system has no thread to give, that is an error like others.
fn measuring_thread() -> std::thread::Builder {
    std::thread::Builder::new().name("measure".to_owned())
}
