//! Flags and a file into what to do.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use super::args::{
    Args, LISTEN_ADDRESS, RETENTION_SIZE, RETENTION_TIME, SCRAPE_INTERVAL, STATISTIC, STORAGE_PATH,
    THRESHOLD, WINDOW,
};
use super::file::File;
use crate::compare::{self, Options, like};
use crate::dataset::Filter;
use crate::duration;
use crate::http::{Net, Rules};
use crate::observation::Statistic;
use crate::source::discovery::Discovery;
use crate::source::quota::READINGS_LIMIT;
use crate::source::scrape::Pace;
use crate::stats::equivalence::Threshold;
use crate::store::Retention;

/// What to do.
#[derive(Debug)]
pub struct Config {
    /// What to scrape, by the names that the user gave.
    pub lists: Vec<(Arc<str>, Discovery)>,
    /// How often.
    pub pace: Pace,
    /// Which access goes to which address.
    pub rules: Arc<Rules>,
    /// What all clients share.
    pub net: Arc<Net>,
    /// Where to answer.
    pub listen: Vec<SocketAddr>,
    /// The store's folder.
    pub storage: PathBuf,
    /// How much to keep.
    pub retention: Retention,
    /// Length of a window.
    pub window: Duration,
    /// What is compared unless somebody asks for something else.
    pub options: Options,
    /// Most readings in a comparison.
    pub readings_limit: usize,
}

impl Config {
    /// What flags and file say, flags first.
    ///
    /// # Errors
    ///
    /// The flag or key that is wrong, and what it may be.
    pub fn new(args: &Args) -> anyhow::Result<Self> {
        let file = args.config_file.as_deref().map(File::read).transpose()?.unwrap_or_default();
        let interval = or(&args.scrape_interval, &file.scrape.interval, SCRAPE_INTERVAL);
        let interval = value("--scrape-interval", interval, duration::parse)?;
        anyhow::ensure!(
            interval >= Pace::MIN_INTERVAL,
            "--scrape-interval: more often than every 200ms shows no more rounds"
        );
        let window = value("--window", or(&args.window, &file.compare.window, WINDOW), duration::parse)?;
        anyhow::ensure!(
            window >= interval * 2,
            "--window: it must be at least two scrape intervals long, and ten for a verdict"
        );
        let retention = Retention {
            age: value(
                "--storage.retention.time",
                or(&args.retention_time, &file.storage.retention.time, RETENTION_TIME),
                duration::parse,
            )?,
            bytes: value(
                "--storage.retention.size",
                or(&args.retention_size, &file.storage.retention.size, RETENTION_SIZE),
                bytes,
            )?,
        };
        anyhow::ensure!(
            retention.age > window,
            "--storage.retention.time: it must be longer than --window, or there is nothing to compare"
        );
        let readings_limit = args.readings_limit.or(file.compare.readings_limit).unwrap_or(READINGS_LIMIT);
        anyhow::ensure!(
            readings_limit > 0,
            "--compare.readings-limit: it must be above 0, or there is nothing to compare"
        );
        let listen = if args.listen.is_empty() { &file.web.listen_address } else { &args.listen };
        let listen = if listen.is_empty() { &vec![LISTEN_ADDRESS.to_owned()] } else { listen };
        Ok(Self {
            lists: lists(args, &file)?,
            pace: Pace {
                interval,
                spread: interval,
                timeout: args.access.timeout.min(interval.max(Duration::from_secs(1))),
                concurrency: args.access.concurrency,
            },
            rules: args.access.rules()?,
            net: args.access.net(),
            listen: listen.iter().map(|text| address(text)).collect::<Result<_, _>>()?,
            storage: args
                .storage
                .clone()
                .or_else(|| file.storage.path.clone())
                .unwrap_or_else(|| STORAGE_PATH.into()),
            retention,
            window,
            options: options(args, &file)?,
            readings_limit,
        })
    }
}

fn or<'a>(flag: &'a Option<String>, key: &'a Option<String>, default: &'a str) -> &'a str {
    flag.as_deref().or(key.as_deref()).unwrap_or(default)
}

fn value<T>(flag: &str, text: &str, parse: impl Fn(&str) -> Result<T, String>) -> anyhow::Result<T> {
    parse(text).map_err(|message| anyhow!("{flag}: {text:?}: {message}"))
}

fn lists(args: &Args, file: &File) -> anyhow::Result<Vec<(Arc<str>, Discovery)>> {
    let mut sources = args.sources.clone();
    if sources.is_empty() {
        for text in &file.sources {
            sources.push(text.parse().with_context(|| format!("--config.file: sources: {text:?}"))?);
        }
    }
    anyhow::ensure!(
        !sources.is_empty(),
        "there is nothing to scrape: name agents, such as http://HOST:10990/metrics, or lists of them, such as \
         file_sd:agents.json, on the command line or as `sources` in --config.file"
    );
    let mut lists: Vec<(Arc<str>, Discovery)> = Vec::new();
    for source in sources {
        let name: Arc<str> = source.to_string().into();
        let Some(list) = source.discovery() else {
            anyhow::bail!("{name}: it does not change, and serve scrapes what does; `compare` reads it");
        };
        // The same source twice is one source.
        if !lists.iter().any(|(known, _)| *known == name) {
            lists.push((name, list));
        }
    }
    Ok(lists)
}

fn options(args: &Args, file: &File) -> anyhow::Result<Options> {
    let compare = &file.compare;
    let either =
        |flags: &[String], keys: &[String]| if flags.is_empty() { keys.to_vec() } else { flags.to_vec() };
    let filters = either(&args.filters, &compare.filters);
    let allow_mixed = either(&args.allow_mixed, &compare.allow_mixed);
    for label in &allow_mixed {
        anyhow::ensure!(
            label == like::ALL || like::LABELS.contains(&label.as_str()),
            "--allow-mixed: {label:?}: known are {} and {}",
            like::LABELS.join(", "),
            like::ALL
        );
    }
    Ok(Options {
        by: or(&args.by, &compare.by, "tier").to_owned(),
        baseline: args.baseline.clone().or_else(|| compare.baseline.clone()),
        filters: filters
            .iter()
            .map(|text| value("--where", text, Filter::from_str))
            .collect::<Result<_, _>>()?,
        statistic: value(
            "--statistic",
            or(&args.statistic, &compare.statistic, STATISTIC),
            Statistic::from_str,
        )?,
        threshold: value("--threshold", or(&args.threshold, &compare.threshold, THRESHOLD), threshold)?,
        pair: or(&args.pair, &compare.pair, compare::PAIR).to_owned(),
        allow_mixed,
        alike: either(&args.alike, &compare.alike),
        ..Options::default()
    })
}

fn threshold(text: &str) -> Result<Threshold, String> {
    let percent: f64 = text.trim_end_matches('%').trim().parse().map_err(|_| "it is no number".to_owned())?;
    Threshold::new(percent / 100.0).ok_or_else(|| "it must be above 0 and at most 100".to_owned())
}

/// A size such as `500MiB`.
fn bytes(text: &str) -> Result<u64, String> {
    const FORMS: &str = "write a number and a unit (KiB, MiB, GiB, TiB), such as 500MiB";
    const UNITS: [(&str, u32); 4] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let found = UNITS.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)));
    let (number, shift) = found.ok_or_else(|| FORMS.to_owned())?;
    let number: u64 = number.trim_end().parse().map_err(|_| FORMS.to_owned())?;
    let bytes = number.checked_mul(1 << shift).ok_or_else(|| FORMS.to_owned())?;
    if bytes < 1 << 20 { Err("less than 1MiB keeps nothing".to_owned()) } else { Ok(bytes) }
}

/// An address as exporters take it: `host:port`, or `:port` for all interfaces.
fn address(text: &str) -> anyhow::Result<SocketAddr> {
    let full = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
    let found = full.parse().ok().or_else(|| full.to_socket_addrs().ok()?.next());
    found.ok_or_else(|| {
        anyhow!("--web.listen-address: {text:?} is no address; write host:port, for example {LISTEN_ADDRESS} or :10991")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn config(flags: &[&str]) -> anyhow::Result<Config> {
        let flags = ["serve"].iter().chain(flags);
        Config::new(&Command::try_parse_from(flags)?.args)
    }

    #[test]
    fn flags_win_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("collector.toml");
        std::fs::write(
            &path,
            "sources = [\"http://a:1/metrics\"]\n[web]\nlisten-address = [\"127.0.0.1:1\", \":2\"]\n[storage]\npath = \"/x\"\n\
             [storage.retention]\ntime = \"2d\"\nsize = \"1GiB\"\n[scrape]\ninterval = \"5s\"\n\
             [compare]\nwindow = \"10m\"\nby = \"cloud\"\nwhere = [\"seccomp=none\"]\nthreshold = \"5\"\n",
        )
        .unwrap();
        let file = format!("--config.file={}", path.display());
        let one = config(&[&file]).unwrap();
        assert_eq!((one.lists.len(), one.listen.len(), one.options.by.as_str()), (1, 2, "cloud"));
        assert_eq!((one.retention.bytes, one.window), (1 << 30, Duration::from_secs(600)));
        assert_eq!(one.options.filters.len(), 1);
        let two = config(&[
            &file,
            "--by=tier",
            "--storage.path=/y",
            "--window=20m",
            "http://b:1/metrics",
            "http://c:1/metrics",
        ]);
        let two = two.unwrap();
        assert_eq!((two.lists.len(), two.options.by.as_str(), two.storage), (2, "tier", "/y".into()));
        assert_eq!(two.pace.interval, Duration::from_secs(5));
    }

    #[test]
    fn what_cannot_be_is_named_with_what_to_do() {
        let agent = "http://a:1/metrics";
        for (flags, words) in [
            (vec![], "nothing to scrape"),
            (vec!["a.prom"], "compare"),
            (vec![agent, "--window=1s"], "--window"),
            (vec![agent, "--scrape-interval=1ms"], "--scrape-interval"),
            (vec![agent, "--storage.retention.time=30m"], "--storage.retention.time"),
            (vec![agent, "--storage.retention.size=5"], "MiB"),
            (vec![agent, "--storage.retention.size=99999999999TiB"], "MiB"),
            (vec![agent, "--storage.retention.size=5KiB"], "1MiB"),
            (vec![agent, "--web.listen-address=nowhere"], "--web.listen-address"),
            (vec![agent, "--allow-mixed=arch"], "seccomp"),
            (vec![agent, "--where=x"], "KEY=VALUE"),
            (vec![agent, "--statistic=mean"], "--statistic"),
            (vec![agent, "--compare.readings-limit=0"], "--compare.readings-limit"),
            (vec![agent, "--threshold=0"], "--threshold"),
            (vec![agent, "--config.file=/nowhere.toml"], "/nowhere.toml"),
        ] {
            let error = format!("{:#}", config(&flags).unwrap_err());
            assert!(error.contains(words), "{flags:?}: {error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("collector.toml");
        std::fs::write(&path, "[compare]\nwindows = \"1h\"\n").unwrap();
        let error = config(&[agent, &format!("--config.file={}", path.display())]).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("window"), "{error}");
    }
}
