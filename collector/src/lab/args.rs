//! The command line of `lab`.

use std::path::PathBuf;
use std::time::Duration;

use super::launcher::LAUNCHERS;
use crate::duration;
use crate::report::Format;

/// What to start, and for how long.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Launchers to use, separated by commas; all that can run here unless given. `--list` names them
    #[arg(long, value_name = "LAUNCHER,…", value_delimiter = ',', value_parser = launcher_name)]
    pub tier: Vec<String>,

    /// How long all instances measure together, in turns; less says little
    #[arg(long = "for", value_name = "DURATION", default_value = "2m", value_parser = at_least_a_second)]
    pub duration: Duration,

    /// How often each launcher starts an instance, to measure start time and memory
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub starts: u32,

    /// Write the result to this file, too: a page if its name ends with .html, rows with .csv, Markdown with .md; any
    /// other gets everything the lab measured, as JSON
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// In which form to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,

    /// The agent's program, static; else the one beside this program, or cargo's
    #[arg(long, value_name = "FILE")]
    pub agent: Option<PathBuf>,

    /// Guest kernel for virtual machines: an image, or a folder that its package was unpacked into
    #[arg(long, value_name = "PATH")]
    pub kernel: Option<PathBuf>,

    /// Say of each launcher whether it can run here, and end
    #[arg(long)]
    pub list: bool,

    /// Clean up after the lab at the other end of the pipe, once it is gone
    #[arg(long, hide = true)]
    pub guard: bool,
}

fn launcher_name(text: &str) -> Result<String, String> {
    if LAUNCHERS.iter().any(|launcher| launcher.name() == text) {
        return Ok(text.to_owned());
    }
    let names: Vec<&str> = LAUNCHERS.iter().map(|launcher| launcher.name()).collect();
    Err(format!("there is {}", names.join(", ")))
}

/// At least one turn of each instance.
fn at_least_a_second(text: &str) -> Result<Duration, String> {
    let span = duration::parse(text)?;
    if span < Duration::from_secs(1) { Err("too short for a single round".to_owned()) } else { Ok(span) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Lab {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn an_unknown_launcher_is_answered_with_the_known_ones() {
        let error = Lab::try_parse_from(["lab", "--tier", "process,zone"]).unwrap_err().to_string();
        assert!(error.contains("zone") && error.contains("runc, docker"), "{error}");
        let args = Lab::try_parse_from(["lab", "--tier", "process,qemu"]).unwrap().args;
        assert_eq!(args.tier, ["process", "qemu"]);
    }
}
