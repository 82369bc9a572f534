//! What `serve` takes with two thousand agents and an hour of them in its store: while it scrapes, and while it compares
//! that hour, with the usual statistic and then with another one.
//!
//! The hour is written into the store before the start, as the collector itself writes it, so that nobody has to wait
//! for it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tierprobe_collector::observation::Vocabulary;
use tierprobe_collector::source::Accumulator;
use tierprobe_collector::store::{self, Point, Scrape, Writer};
use tierprobe_tests::collector::Collector;
use tierprobe_tests::fleet::Random;
use tierprobe_tests::http::get;
use tierprobe_tests::simulated::Template;

use super::scraping::{AGENTS, Cost, INTERVAL, MEASURED, WARM_UP};
use crate::process::{cpu_seconds, peak};

/// The default length of a window.
const WINDOW: f64 = 3600.0;
/// How long after its end a window is compared.
const LATE: f64 = 20.0;
/// How long a comparison may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// What `serve` takes, and what the comparison of an hour did.
pub(super) struct Served {
    pub(super) cost: Cost,
    /// Seconds that the comparison of the usual statistic took.
    pub(super) compared_seconds: f64,
    /// Readings in it.
    pub(super) readings: f64,
}

pub(super) fn measure(targets: &[String]) -> anyhow::Result<Served> {
    let folder = tempfile::tempdir()?;
    let list = folder.path().join("agents.json");
    std::fs::write(&list, serde_json::json!([{ "targets": targets }]).to_string())?;
    let source = format!("file_sd:{}", list.display());
    let storage = folder.path().join("store");
    std::fs::create_dir(&storage)?;
    write_an_hour(&storage, &source, targets)?;

    let mut collector = Collector::start(&storage, &[&source]);
    // The store is looked at first, and every agent is scraped once.
    let opened = "tierprobe_collector_store_up 1\n";
    collector.wait_for("/metrics", "the store", |text| text.contains(opened));
    collector.wait_until_ready();
    std::thread::sleep(WARM_UP);
    let id = collector.id();
    let readings = answered(&collector, "/api/v1/comparison")?;
    let took = collector.metric("tierprobe_collector_comparison_duration_seconds");
    let compared_seconds = took.context("there is no comparison of the last window")?;

    let began = Instant::now();
    let before = cpu_seconds(id)?;
    // Another number of the same rounds is another comparison, while the first one is kept.
    answered(&collector, "/api/v1/comparison?statistic=max")?;
    get(&collector.url("/"), &[]).map_err(anyhow::Error::msg)?;
    std::thread::sleep(MEASURED.saturating_sub(began.elapsed()));
    let cores = (cpu_seconds(id)? - before) / began.elapsed().as_secs_f64();
    let cost = Cost { cores, peak: peak(id)? };
    let failed = get(&collector.url("/metrics"), &[]).map_err(anyhow::Error::msg)?;
    let up = format!("tierprobe_collector_targets{{state=\"up\"}} {AGENTS}\n");
    anyhow::ensure!(failed.contains(&up), "not all agents are up");
    Ok(Served { cost, compared_seconds, readings })
}

/// Asks until there is an answer, which must be of all agents; the readings in it.
fn answered(collector: &Collector, path: &str) -> anyhow::Result<f64> {
    let end = Instant::now() + PATIENCE;
    let text = loop {
        match get(&collector.url(path), &[]) {
            Ok(text) => break text,
            Err(reason) if Instant::now() > end || !reason.contains("503") => {
                anyhow::bail!("{path}: {reason}")
            }
            Err(_) => std::thread::sleep(Duration::from_secs(1)),
        }
    };
    let document: serde_json::Value = serde_json::from_str(&text)?;
    let groups = document.pointer("/groups").and_then(serde_json::Value::as_array).context("no groups")?;
    let instances = |group: &serde_json::Value| group.get("instances").and_then(serde_json::Value::as_u64);
    let all: u64 = groups.iter().filter_map(instances).sum();
    anyhow::ensure!(all == 2000, "{path}: {all} instances");
    let complete = document.pointer("/window/complete").and_then(serde_json::Value::as_bool);
    anyhow::ensure!(complete == Some(true), "{path}: the window is not complete");
    let sources = document.pointer("/sources").and_then(serde_json::Value::as_array).context("no sources")?;
    Ok(sources.iter().filter_map(|source| source.get("observations")?.as_f64()).sum())
}

/// A round every 15 s of every agent in the last window that is over.
fn write_an_hour(storage: &Path, source: &str, targets: &[String]) -> anyhow::Result<()> {
    eprintln!("Writing an hour of {} agents:", targets.len());
    let template = Template::golden();
    let vocabulary = Vocabulary::default();
    let mut random = Random::new(60);
    let agents: Vec<Scrape> = targets
        .iter()
        .enumerate()
        .map(|(agent, target)| {
            let name = format!("http://{target}/metrics of {source}");
            let mut accumulator = Accumulator::new(&*name, &**target).sharing(&vocabulary);
            accumulator.take(&template.render(agent, 1, 1.0))?;
            let mut points = Vec::new();
            accumulator.drain(|series, reading| points.push(Point { series, reading }));
            let instance = Arc::new(accumulator.instance().clone());
            Ok(Scrape { source: name.into(), instance, points, at: 0.0 })
        })
        .collect::<anyhow::Result<_>>()?;
    let mut writer = Writer::new(store::open(storage)?, vocabulary)?;
    let interval = INTERVAL.as_secs_f64();
    let until = ((tierprobe_tests::fake::now() - LATE) / WINDOW).floor() * WINDOW;
    let mut at = until - WINDOW;
    while at < until {
        let ended = at;
        let spread = interval / f64::from(u32::try_from(agents.len())?);
        let scrapes: Vec<Scrape> = agents
            .iter()
            .enumerate()
            .map(|(agent, scrape)| {
                let mut scrape = scrape.clone();
                scrape.at = at + spread * f64::from(u32::try_from(agent).unwrap_or(u32::MAX));
                for point in &mut scrape.points {
                    point.reading.timestamp = ended;
                    point.reading.value *= 1.0 + 0.02 * random.normal();
                }
                scrape
            })
            .collect();
        writer.write(&scrapes)?;
        at += interval;
    }
    Ok(())
}
