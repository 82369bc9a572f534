//! What the agent costs beside prometheus-node-exporter, and how close its numbers come to the tools people trust.
//!
//! Everything in pairs on one machine, in turn, so that a machine whose speed drifts does not favour either side.
//! `make bench` (`bench budget`) writes its tables into `agent/BUDGET.md`, `make accuracy` (`bench accuracy`) into
//! `agent/ACCURACY.md`, `make bench-collector` (`bench collector`) what the collector costs into
//! `collector/BENCH.md`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]

mod accuracy;
mod budget;
mod collector;
mod exporter;
mod latency;
mod table;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use table::Table;

/// Where the tables go.
const BEGIN: &str = "<!-- bench: begin -->";
const END: &str = "<!-- bench: end -->";

fn main() -> anyhow::Result<()> {
    let mut agent = None;
    let mut document = None;
    let mut minutes = 10;
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    if what == "collector-child" {
        return collector::child(arguments);
    }
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--agent" => agent = Some(PathBuf::from(value()?)),
            "--write" => document = Some(PathBuf::from(value()?)),
            "--minutes" => minutes = value()?.parse().context("--minutes takes a whole number")?,
            _ => bail!("unknown argument {argument}; there are --agent FILE, --write FILE and --minutes N"),
        }
    }
    let agent = || agent.as_deref().context("--agent FILE is needed: the static binary");

    let tables = match what.as_str() {
        "budget" => vec![exporter::compare(agent()?)?, budget::over(agent()?, minutes)?],
        "accuracy" => vec![accuracy::compare(agent()?)?],
        "collector" => collector::tables()?,
        "scraping" => vec![collector::scraping::table()?],
        "stored" => vec![collector::stored::table()?],
        _ => bail!(
            "say what to measure first: budget, accuracy or collector, or of that scraping or stored alone"
        ),
    };
    let text: String = tables.iter().map(Table::markdown).collect::<Vec<_>>().join("\n");
    println!("{text}");
    if let Some(path) = document {
        let old = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let (Some(begin), Some(end)) = (old.find(BEGIN), old.find(END)) else {
            bail!("{} has no place between {BEGIN} and {END}", path.display());
        };
        let (head, tail) = (old.get(..begin).unwrap_or_default(), old.get(end..).unwrap_or_default());
        std::fs::write(&path, format!("{head}{BEGIN}\n\n{text}\n{tail}"))?;
    }
    Ok(())
}
