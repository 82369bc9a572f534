//! The commands.
//!
//! - [`access`]: how sources are asked over HTTP.
//! - [`compare`]: tiers of a fleet, from live agents or from files.
//! - [`progress`]: what the user sees while waiting.
//! - [`rules`]: recording rules.
//! - [`store`]: what stores are asked for.

pub mod access;
pub mod compare;
pub mod progress;
pub mod rules;
pub mod store;

use clap::{Parser, Subcommand};

/// Compares what tiers cost, from live agents or from their records, with honest statistics.
#[derive(Debug, Parser)]
#[command(name = "tierprobe-collector", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// One entry per command; [`Cli::run`] has the other line.
#[derive(Debug, Subcommand)]
enum Command {
    /// Compare tiers: a baseline against each other one, row by row
    Compare(Box<compare::Args>),
    /// Scrape agents all the time, keep what they measure, and serve the comparison
    Serve(Box<crate::serve::args::Args>),
    /// Start the agent in every tier that this machine can run, and compare what they cost here
    Lab(crate::lab::Args),
    /// Write recording rules, with the tier joined once, for rulers of Prometheus, Thanos and Mimir
    Rules(rules::Args),
}

impl Cli {
    /// Does what the user asked for.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being done.
    pub fn run(&self) -> anyhow::Result<()> {
        match &self.command {
            Command::Compare(args) => compare::run(args),
            Command::Serve(args) => crate::serve::run(args),
            Command::Lab(args) => crate::lab::run(args),
            Command::Rules(args) => rules::run(args),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_of_the_commands_is_sound() {
        Cli::command().debug_assert();
    }
}
