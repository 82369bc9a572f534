//! What the agent costs beside prometheus-node-exporter, and how close its numbers come to the tools people trust.
//!
//! Everything in pairs on one machine, in turn, so that a machine whose speed drifts does not favour either side.
//! `make bench` (`bench budget`) writes its tables into `agent/BUDGET.md`, `make accuracy` (`bench accuracy`) and
//! `make alike` (`bench alike`) into `agent/ACCURACY.md`, `make bench-collector` (`bench collector`) what the collector
//! costs into `collector/BENCH.md`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]

mod accuracy;
mod alike;
mod budget;
mod collector;
mod exporter;
mod latency;
mod process;
mod table;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use table::Table;

fn main() -> anyhow::Result<()> {
    let mut agent = None;
    let mut document = None;
    let mut methodology = None;
    let mut reference = None;
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
            "--reference" => reference = Some(PathBuf::from(value()?)),
            "--methodology" => methodology = Some(PathBuf::from(value()?)),
            "--write" => document = Some(PathBuf::from(value()?)),
            "--minutes" => minutes = value()?.parse().context("--minutes takes a whole number")?,
            _ => bail!(
                "unknown argument {argument}; there are --agent, --reference, --write and --methodology FILE, and --minutes N"
            ),
        }
    }
    let agent = || agent.as_deref().context("--agent FILE is needed: the static binary");

    let tables = match what.as_str() {
        "budget" => vec![exporter::compare(agent()?)?, budget::over(agent()?, minutes)?],
        "accuracy" => {
            let reference =
                reference.context("--reference FILE is needed: the static program of that name")?;
            let (table, ratios) = accuracy::compare(agent()?, &reference)?;
            for (probe, ratios) in ratios {
                let text = format!("Measured: {}.\n", ratios.join("; "));
                methodology
                    .as_ref()
                    .map_or(Ok(()), |path| write(path, &format!("measured {probe}"), &text))?;
            }
            vec![table]
        }
        "alike" => vec![alike::compare(agent()?, minutes)?],
        "collector" => collector::tables()?,
        "comparing" => vec![collector::comparing::table()?],
        "scraping" => vec![collector::scraping::table()?],
        "serving" => vec![collector::scraping::serving()?],
        "stored" => vec![collector::stored::table()?],
        _ => bail!(
            "say what to measure first: budget, accuracy, alike or collector, or of that comparing, scraping, serving or stored alone"
        ),
    };
    let text: String = tables.iter().map(Table::markdown).collect::<Vec<_>>().join("\n");
    println!("{text}");
    // Tables of two runs may stand in one document.
    let mark = if what == "alike" { "alike" } else { "bench" };
    document.map_or(Ok(()), |path| write(&path, mark, &text))
}

/// Puts `text` where `mark` begins and ends in the document.
fn write(path: &std::path::Path, mark: &str, text: &str) -> anyhow::Result<()> {
    let old = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let (begin, end) = (format!("<!-- {mark}: begin -->"), format!("<!-- {mark}: end -->"));
    let (Some(from), Some(to)) = (old.find(&begin), old.find(&end)) else {
        bail!("{} has no place between {begin} and {end}", path.display());
    };
    let (head, tail) = (old.get(..from).unwrap_or_default(), old.get(to..).unwrap_or_default());
    Ok(std::fs::write(path, format!("{head}{begin}\n\n{text}\n{tail}"))?)
}
