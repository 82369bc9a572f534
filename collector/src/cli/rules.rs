//! `rules`: recording rules for rulers of Prometheus, Thanos and Mimir.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;

use crate::observation::Statistic;
use crate::rules::{self, Family, Options};
use crate::{duration, output};

/// Which rules to write.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A family to record, such as tierprobe_memory_upkeep_bytes; one that this release does not know comes with
    /// its labels, NAME{LABEL,…}; repeatable [default: all durations]
    #[arg(long = "family", value_name = "NAME")]
    families: Vec<Family>,

    /// Record everything that `compare` shows: durations and gauges
    #[arg(long, conflicts_with = "families")]
    all: bool,

    /// Group instances by this label: the tier, another one of the agent's, or one of the targets'
    #[arg(long, value_name = "LABEL", default_value = "tier", value_parser = label)]
    by: String,

    /// The labels of targets that tell one instance from another, where job and instance do not, as over clusters in
    /// one Mimir or Thanos; repeatable, or with commas
    #[arg(long, value_name = "LABEL", value_delimiter = ',', default_values = rules::ON, value_parser = label)]
    on: Vec<String>,

    /// Which numbers of a duration's rounds: min, p50, p90, p99 or max, or another quantile of families that this
    /// release does not know; repeatable, or with commas
    #[arg(long = "statistic", value_name = "NAME", value_delimiter = ',', default_value = "p50,p99")]
    statistics: Vec<Statistic>,

    /// How often to evaluate them; not seldomer than agents are scraped [default: as the ruler does by itself]
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    interval: Option<Duration>,

    /// Write to FILE instead of the terminal
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes the rules.
///
/// # Errors
///
/// When agents do not publish what is to be recorded, or when the rules cannot be written.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let families = match (args.all, args.families.as_slice()) {
        (true, _) => Family::all(),
        (false, []) => Family::durations(),
        (false, some) => once(some),
    };
    for statistic in &args.statistics {
        if let Some(family) = families.iter().find(|family| !family.has(*statistic)) {
            bail!(
                "--statistic {statistic}: agents publish min, p50, p90, p99 and max of {}, so there is nothing to record",
                family.name
            );
        }
    }
    let options = Options {
        families,
        statistics: once(&args.statistics),
        by: args.by.clone(),
        on: once(&args.on),
        interval: args.interval,
    };
    output::write(&rules::render(&options), args.output.as_deref())
}

/// Each of them once: two rules of one name would be refused.
fn once<T: Clone + PartialEq>(all: &[T]) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for one in all {
        if !kept.contains(one) {
            kept.push(one.clone());
        }
    }
    kept
}

fn label(text: &str) -> Result<String, String> {
    let is_label = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_label { Ok(text.to_owned()) } else { Err("it is no label of Prometheus".to_owned()) }
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration::parse(text)?;
    if interval.is_zero() { Err("it must be above 0".to_owned()) } else { Ok(interval) }
}
