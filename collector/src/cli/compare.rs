//! `compare`: tiers of a fleet, from live agents or from files.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::{access, progress, store};
use crate::compare::{self, Options, Window, like};
use crate::dataset::{Builder, Dataset, Filter};
use crate::error::CompareError;
use crate::observation::Statistic;
use crate::report::{self, Format, Input};
use crate::source::quota::READINGS_LIMIT;
use crate::source::scrape::collect::{Event, Report, Schedule};
use crate::source::{self, Quota, Source};
use crate::stats::equivalence::Threshold;
use crate::warning::some_of;
use crate::{duration, output};

/// What to compare, and how.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// http(s)://HOST:PORT/metrics of an agent; file_sd:FILE, http_sd:URL, dns:NAME:PORT or dns+srv:NAME for a list
    /// of agents; prometheus+http(s)://HOST:PORT/PREFIX of a Prometheus, Thanos, Mimir or VictoriaMetrics; a .json file
    /// of `tierprobe-agent measure --format json`; a .prom, .txt or .om file with a saved scrape; each also packed as
    /// .gz or .zst; a folder of such files; or - for standard input
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<Source>,

    /// Group instances by this label
    #[arg(long, value_name = "LABEL", default_value = "tier")]
    by: String,

    /// Compare the other groups with this one [default: the first, from bare_metal upwards]
    #[arg(long, value_name = "VALUE")]
    baseline: Option<String>,

    /// Only instances with this label value, such as seccomp=none; repeatable
    #[arg(long = "where", value_name = "KEY=VALUE")]
    filters: Vec<Filter>,

    /// Compare hosts of both sides within pairs that share this label, such as rack or machine; four pairs or
    /// more decide
    #[arg(long, value_name = "LABEL", default_value = compare::PAIR)]
    pair: String,

    /// Give a verdict although the sides are unlike in this: seccomp, cpu_model, release, clocksource, emulated or
    /// all; repeatable, or with commas
    #[arg(long, value_name = "LABEL", value_delimiter = ',', value_parser = mixable)]
    allow_mixed: Vec<String>,

    /// Compare only instances that are alike in this label, too; repeatable, or with commas
    #[arg(long, value_name = "LABEL", value_delimiter = ',')]
    alike: Vec<String>,

    /// Compare only the last complete window of this length, which begins at a whole multiple of it
    /// [default: the time that both sides share]
    #[arg(long, value_name = "DURATION", value_parser = window)]
    window: Option<Duration>,

    /// How long to scrape agents, and how far back to ask stores
    #[arg(long = "for", value_name = "DURATION", default_value = "15m", value_parser = duration::parse)]
    duration: Duration,

    /// How often to scrape each agent, at least 200ms
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = interval)]
    scrape_interval: Duration,

    /// Which number of a duration's rounds: min, p50, p90, p99 or max, or any other quantile that is published, such as
    /// p95 or 0.999
    #[arg(long, value_name = "NAME", default_value = "p50", value_parser = statistic)]
    statistic: Statistic,

    /// Differences below this many per cent do not matter; decide before looking at the data
    #[arg(long, value_name = "PERCENT", default_value = "3", value_parser = threshold)]
    threshold: Threshold,

    /// Most readings of all sources together; a million take some 12 MiB of memory
    #[arg(long, value_name = "NUMBER", default_value_t = READINGS_LIMIT, value_parser = readings_limit)]
    readings_limit: usize,

    /// In which form
    #[arg(long, value_enum, default_value = "table")]
    format: Format,

    /// Write to FILE instead of the terminal
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    access: access::Args,

    #[command(flatten)]
    store: store::Args,
}

/// Gathers, compares and reports.
///
/// # Errors
///
/// When standard input is named twice, when there are no two groups to compare, or the report cannot be written. A source that fails is named in the
/// report and is no error as long as the others are enough.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let inputs = args.sources.iter().filter(|source| source.is_standard_input()).count();
    ensure!(inputs <= 1, "standard input (-) is named twice, and can be read once: put its parts into files");
    let schedule = Schedule {
        duration: args.duration,
        interval: args.scrape_interval,
        timeout: args.access.timeout,
        concurrency: args.access.concurrency,
    };
    let asking = source::Options {
        schedule,
        rules: args.access.rules()?,
        net: args.access.net(),
        store: args.store.options(args.duration, args.statistic)?,
        only: Some(args.statistic),
        quota: Arc::new(Quota::new(args.readings_limit)),
        ..source::Options::default()
    };
    let progress = Arc::new(progress::Progress::begin(&args.sources, &schedule));
    let listener = Arc::clone(&progress);
    let report: Report = Arc::new(move |place: &str, event: &Event| listener.report(place, event));
    let gathered = source::gather(&args.sources, &asking, &report);
    progress.end();
    asking.quota.check()?;

    let mut builder = Builder::keeping(args.statistic);
    gathered.collected.into_iter().for_each(|one| builder.add(one));
    let dataset = builder.build().with_dropped(gathered.dropped).with_notes(gathered.notes);
    let options = Options {
        by: args.by.clone(),
        baseline: args.baseline.clone(),
        filters: args.filters.clone(),
        statistic: args.statistic,
        threshold: args.threshold,
        pair: args.pair.clone(),
        allow_mixed: args.allow_mixed.clone(),
        alike: args.alike.clone(),
        window: args.window.map_or(Window::Common, Window::Last),
        ..Options::default()
    };
    let comparison = compare::compare(&dataset, &options)
        .map_err(|error| published(error, args, &options))
        // What was dropped may well be why, and without a report nobody else says so.
        .with_context(|| dropped(&dataset))?;
    let text = report::render(&Input::new(&comparison, &dataset, &options), args.format)?;
    output::write(&text, args.output.as_deref())
}

/// The error, with what the files publish where that is the question: only the number that is asked for was kept of
/// them.
fn published(error: CompareError, args: &Args, options: &Options) -> CompareError {
    if !matches!(error, CompareError::NoStatistic { .. }) {
        return error;
    }
    let is_there_still = |source: &&Source| matches!(source, Source::File(path) if path.as_os_str() != source::file::STANDARD_INPUT);
    let files: Vec<Source> = args.sources.iter().filter(is_there_still).cloned().collect();
    let all =
        source::Options { quota: Arc::new(Quota::new(args.readings_limit)), ..source::Options::default() };
    let nobody: Report = Arc::new(|_: &str, _: &Event| {});
    let mut builder = Builder::default();
    source::gather(&files, &all, &nobody).collected.into_iter().for_each(|one| builder.add(one));
    match compare::compare(&builder.build(), options) {
        Err(better @ CompareError::NoStatistic { .. }) => better,
        Ok(_) | Err(_) => error,
    }
}

fn dropped(dataset: &Dataset) -> String {
    let dropped: Vec<String> =
        dataset.dropped().iter().map(|one| format!("{}: {}", one.source, one.reason)).collect();
    if dropped.is_empty() {
        "cannot compare".to_owned()
    } else {
        format!("cannot compare (no data from {})", some_of(&dropped))
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration::parse(text)?;
    if interval < Schedule::MIN_INTERVAL {
        return Err("scraping more often than every 200ms shows no more rounds".to_owned());
    }
    Ok(interval)
}

fn mixable(text: &str) -> Result<String, String> {
    if text == like::ALL || like::LABELS.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("known are {} and {}", like::LABELS.join(", "), like::ALL))
}

fn window(text: &str) -> Result<Duration, String> {
    let window = duration::parse(text)?;
    if window.is_zero() { Err("it must be above 0".to_owned()) } else { Ok(window) }
}

fn statistic(text: &str) -> Result<Statistic, String> {
    text.parse()
}

pub(crate) fn readings_limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be above 0, or there is nothing to compare".to_owned()),
        Ok(limit) => Ok(limit),
        Err(_) => Err("it is no whole number".to_owned()),
    }
}

fn threshold(text: &str) -> Result<Threshold, String> {
    let percent: f64 = text.trim_end_matches('%').trim().parse().map_err(|_| "it is no number".to_owned())?;
    Threshold::new(percent / 100.0).ok_or_else(|| "it must be above 0 and at most 100".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_out_of_range_are_refused() {
        assert!(interval("100ms").is_err());
        assert!(interval("200ms").is_ok());
        assert!(statistic("p95").is_ok() && statistic("median").is_err());
        assert!(mixable("arch").is_err() && mixable("release").is_ok() && mixable("all").is_ok());
        assert!(readings_limit("0").is_err() && readings_limit("x").is_err() && readings_limit("1") == Ok(1));
        assert!(window("0s").is_err() && window("10m").is_ok());
        for text in ["0", "-1", "101", "x", "NaN"] {
            assert!(threshold(text).is_err(), "{text}");
        }
        assert_eq!(threshold("5%").map(Threshold::share), Ok(0.05));
    }
}
