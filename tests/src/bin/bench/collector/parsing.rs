//! How fast expositions are parsed, beside the parsers that can be had.
//!
//! All parse the same text in turn, one after the other, again and again; the ratio is the median of those pairs. The
//! others make values of their own of each line; so does `parse`, which is for what is not much. Scrapes go through
//! the events, and the accumulator on top of them.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tierprobe_collector::exposition::{self, Format, Head, Line, Sink};
use tierprobe_collector::source::Accumulator;
use tierprobe_tests::repository;

use crate::table::{Table, median};

/// How long each parser is timed at a turn, and how many turns there are.
const TURN: Duration = Duration::from_millis(100);
const TURNS: usize = 15;

/// A parser: its name, and what it does with a text; the number of samples, where it says.
type Parser = (&'static str, fn(&str) -> anyhow::Result<usize>);

const OURS: Parser = ("tierprobe, events", events);
const OTHERS: [Parser; 5] = [
    ("tierprobe, accumulator", accumulator),
    ("tierprobe, values", |text| {
        Ok(exposition::parse(text)?.iter().map(|family| family.samples.len()).sum())
    }),
    ("openmetrics-parser 0.5.1", |text| {
        let parsed = openmetrics_parser::prometheus::parse_prometheus(text)
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(parsed.families.len())
    }),
    ("prometheus-parse 0.2.5", |text| {
        Ok(prometheus_parse::Scrape::parse(text.lines().map(|line| Ok(line.to_owned())))?.samples.len())
    }),
    ("prometheus-scrape 0.1.1", |text| {
        Ok(prometheus_scrape::Scrape::parse(text.lines().map(|line| Ok(line.to_owned())))?.samples.len())
    }),
];

#[derive(Default)]
struct Sum {
    samples: usize,
    values: f64,
}

impl<'a> Sink<'a> for Sum {
    fn family(&mut self, head: &Head<'a>) {
        black_box(head);
    }

    fn line(&mut self, line: &Line<'a, '_>) {
        self.samples += 1;
        self.values += black_box(line).value;
    }
}

fn events(text: &str) -> anyhow::Result<usize> {
    let mut sum = Sum::default();
    exposition::read(text, Format::Text, &mut sum)?;
    black_box(sum.values);
    Ok(sum.samples)
}

fn accumulator(text: &str) -> anyhow::Result<usize> {
    thread_local! {
        // As in a fleet: the agent was scraped before.
        static KNOWN: std::cell::RefCell<Accumulator> = std::cell::RefCell::new(Accumulator::new("s", "i"));
    }
    KNOWN.with_borrow_mut(|accumulator| match accumulator.take(text) {
        Ok(rounds) => Ok(rounds),
        // Parsed to the end all the same.
        Err(tierprobe_collector::error::TakeError::NotAnAgent) => Ok(0),
        Err(error) => Err(error.into()),
    })
}

pub(super) fn tables() -> anyhow::Result<Vec<Table>> {
    let golden = std::fs::read_to_string(repository("tests/golden/exposition.prom"))?;
    // Values that cannot be the same twice are masked in it; these have as many digits as most.
    let value = |line: &str| {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let is_count = ["_count", "_bucket", "_total"].iter().any(|suffix| name.ends_with(suffix));
        line.replace(" VALUE", if is_count { " 48211" } else { " 0.00000021387" }) + "\n"
    };
    let agent: String = golden.lines().map(value).collect();
    [("an agent's exposition", agent), ("a node_exporter's of 64 CPUs", node_exporter())]
        .into_iter()
        .map(|(what, text)| table(what, &text))
        .collect()
}

fn table(what: &str, text: &str) -> anyhow::Result<Table> {
    let lines = text.lines().filter(|line| !line.starts_with('#')).count();
    ensure!(events(text)? == lines, "not every line is a sample");
    eprintln!("Parsing {what}:");
    let title = format!("Parsing {what}, {} KiB with {lines} samples, on one core", text.len() / 1024);
    let mut table = Table::new(title, &["parser", "MB/s", "our events against it"]);
    let mut ours = Vec::new();
    let mut rows = Vec::new();
    for (name, parser) in OTHERS {
        // The first time is not like the others.
        parser(text).with_context(|| name)?;
        let (mut rates, mut ratios) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let (one, other) = (rate(OURS.1, text)?, rate(parser, text)?);
            ours.push(one);
            rates.push(other);
            ratios.push(one / other);
        }
        rows.push([
            name.to_owned(),
            format!("{:.1}", median(&mut rates)),
            format!("{:.2}", median(&mut ratios)),
        ]);
    }
    let rate = median(&mut ours);
    let met = if rate >= 200.0 { "200 promised, met" } else { "200 promised, not met" };
    table.row([OURS.0.to_owned(), format!("{rate:.0}"), met.to_owned()]);
    rows.into_iter().for_each(|row| table.row(row));
    Ok(table)
}

/// Megabytes a second.
fn rate(parser: fn(&str) -> anyhow::Result<usize>, text: &str) -> anyhow::Result<f64> {
    let began = Instant::now();
    let mut bytes = 0.0;
    while began.elapsed() < TURN {
        black_box(parser(black_box(text))?);
        bytes += f64::from(u32::try_from(text.len())?);
    }
    Ok(bytes / began.elapsed().as_secs_f64() / 1e6)
}

/// What node_exporter exposes of a machine with 64 processors, as far as its form goes.
fn node_exporter() -> String {
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, series: &mut dyn Iterator<Item = String>| {
        let _infallible = writeln!(
            text,
            "# HELP {name} What {name} is, in a sentence of usual length.\n# TYPE {name} {kind}"
        );
        let values = [1.234_567_89e6, 0.0, 48_211.37, 9.0, 1.677_721_6e7];
        for (labels, value) in series.zip(values.into_iter().cycle()) {
            let _infallible = writeln!(text, "{name}{labels} {value:e}");
        }
    };
    const MODES: [&str; 8] = ["idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"];
    let of_cpus = (0..64).flat_map(|cpu| MODES.map(|mode| format!("{{cpu=\"{cpu}\",mode=\"{mode}\"}}")));
    family("node_cpu_seconds_total", "counter", &mut of_cpus.into_iter());
    for what in ["avail", "files", "files_free", "free", "readonly", "size"] {
        let mount = |at: u32| {
            format!(
                "{{device=\"/dev/mapper/vg0-data{at}\",fstype=\"ext4\",mountpoint=\"/var/lib/data/{at}\"}}"
            )
        };
        family(&format!("node_filesystem_{what}_bytes"), "gauge", &mut (0..20).map(mount));
    }
    for what in [
        "receive_bytes",
        "receive_drop",
        "receive_errs",
        "receive_packets",
        "transmit_bytes",
        "transmit_packets",
    ] {
        let device = |at: u32| format!("{{device=\"veth{at:07x}\"}}");
        family(&format!("node_network_{what}_total"), "counter", &mut (0..40).map(device));
    }
    for at in 0..120 {
        family(&format!("node_memory_Of_Kind_{at}_bytes"), "gauge", &mut std::iter::once(String::new()));
    }
    text
}
