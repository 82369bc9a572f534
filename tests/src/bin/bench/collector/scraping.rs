//! Two thousand simulated agents, scraped every 15 s by the collector and then by Prometheus.
//!
//! The agents are in this process, on a port each, and show what real ones show, 45 kB each.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tierprobe_model::Unit;
use tierprobe_tests::answering::every;
use tierprobe_tests::binary;
use tierprobe_tests::need::find;
use tierprobe_tests::prometheus::Prometheus;
use tierprobe_tests::simulated::Simulated;

use crate::process::{cpu_seconds, peak};
use crate::table::Table;

pub(super) const AGENTS: usize = 2000;
pub(super) const INTERVAL: Duration = Duration::from_secs(15);
/// The first scrapes open connections and learn names; they are left out.
pub(super) const WARM_UP: Duration = Duration::from_secs(30);
pub(super) const MEASURED: Duration = Duration::from_secs(90);
/// What the collector may take.
const MOST_CORES: f64 = 1.0;
const MOST_BYTES: f64 = 300.0 * 1_048_576.0;

/// What a process takes.
pub(super) struct Cost {
    /// Of one processor, 1 is all of it.
    pub(super) cores: f64,
    /// Resident at the most, in bytes.
    pub(super) peak: f64,
}

/// All rows.
pub(crate) fn table() -> anyhow::Result<Table> {
    eprintln!("Scraping {AGENTS} agents every {} s:", INTERVAL.as_secs());
    let (_agents, targets) = start();
    let mut table = empty();
    eprintln!("  by tierprobe-collector compare");
    let ours = collector(&targets)?;
    row(&mut table, "tierprobe-collector compare", &ours, true);
    add_serving(&mut table, &targets)?;
    if let Some(program) = find("prometheus") {
        eprintln!("  by Prometheus");
        row(&mut table, "Prometheus", &prometheus(&program, &targets)?, false);
    }
    Ok(table)
}

/// The row of `serve` alone.
pub(crate) fn serving() -> anyhow::Result<Table> {
    let (_agents, targets) = start();
    let mut table = empty();
    add_serving(&mut table, &targets)?;
    Ok(table)
}

fn start() -> (Simulated, Vec<String>) {
    let agents = Simulated::start(AGENTS, every(INTERVAL));
    let targets = agents.addresses().collect();
    (agents, targets)
}

fn empty() -> Table {
    let title = format!(
        "Scraping {AGENTS} agents every {} s, 45 kB each, for {} s",
        INTERVAL.as_secs(),
        MEASURED.as_secs()
    );
    Table::new(title, &["", "CPU", "a scrape", "peak of memory", "promised"])
}

fn add_serving(table: &mut Table, targets: &[String]) -> anyhow::Result<()> {
    let served = super::serving::measure(targets)?;
    let took = Unit::Seconds.human(served.compared_seconds);
    let who = format!("tierprobe-collector serve, comparing an hour of all, which takes {took}");
    row(table, &who, &served.cost, true);
    table.note(format!(
        "serve: its comparison holds {:.1} million readings, {} in all for a million of them",
        served.readings / 1e6,
        Unit::Bytes.human(served.cost.peak / served.readings * 1e6)
    ));
    Ok(())
}

fn row(table: &mut Table, who: &str, cost: &Cost, is_ours: bool) {
    let scrapes = f64::from(u32::try_from(AGENTS).unwrap_or(u32::MAX)) / INTERVAL.as_secs_f64();
    let promised = match (is_ours, cost.cores <= MOST_CORES && cost.peak <= MOST_BYTES) {
        (false, _) => "",
        (true, true) => "one core, 300 MiB, met",
        (true, false) => "one core, 300 MiB, not met",
    };
    table.row([
        who.to_owned(),
        format!("{:.1} % of a core", cost.cores * 100.0),
        Unit::Seconds.human(cost.cores / scrapes),
        Unit::Bytes.human(cost.peak),
        promised.to_owned(),
    ]);
}

fn collector(targets: &[String]) -> anyhow::Result<Cost> {
    let folder = tempfile::tempdir()?;
    let (list, report) = (folder.path().join("agents.json"), folder.path().join("report.json"));
    std::fs::write(&list, serde_json::json!([{ "targets": targets }]).to_string())?;
    // One interval more, so that it still scrapes when the last figures are taken.
    let span = WARM_UP + MEASURED + Duration::from_secs(5);
    let mut child = Command::new(binary::collector())
        .args([
            "compare",
            &format!("file_sd:{}", list.display()),
            "--format",
            "json",
            "--scrape-interval",
            "15s",
        ])
        .args(["--for", &format!("{}s", span.as_secs()), "--output"])
        .arg(&report)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let cost = measure(child.id());
    end(&mut child, cost.is_ok())?;
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&report)?)?;
    let instances = report.pointer("/sources/0/instances").and_then(serde_json::Value::as_u64);
    let dropped = report.pointer("/dropped").and_then(|dropped| dropped.as_array()).map(Vec::len);
    anyhow::ensure!(
        instances == Some(2000) && dropped == Some(0),
        "{instances:?} instances, {dropped:?} dropped"
    );
    cost
}

fn end(child: &mut Child, measured: bool) -> anyhow::Result<()> {
    if !measured {
        child.kill()?;
    }
    let status = child.wait()?;
    anyhow::ensure!(!measured || status.success(), "the collector ended: {status}");
    Ok(())
}

fn prometheus(program: &Path, targets: &[String]) -> anyhow::Result<Cost> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("prometheus.yml");
    let targets: Vec<String> = targets.iter().map(|target| format!("{target:?}")).collect();
    let text = format!(
        "global: {{scrape_interval: 15s}}\nscrape_configs:\n- job_name: tierprobe\n  static_configs:\n  - targets: [{}]\n",
        targets.join(", ")
    );
    std::fs::write(&config, text)?;
    let server = Prometheus::configured(program, folder, &config);
    let cost = measure(server.id())?;
    let up = server.query("count(up == 1)").map_err(anyhow::Error::msg)?;
    anyhow::ensure!(up.first().is_some_and(|up| (up.value - 2000.0).abs() < 0.5), "{up:?} agents are up");
    Ok(cost)
}

/// What the process takes from the end of the warm-up on.
fn measure(id: u32) -> anyhow::Result<Cost> {
    eprintln!("  warming up for {} s", WARM_UP.as_secs());
    std::thread::sleep(WARM_UP);
    eprintln!("  measuring for {} s", MEASURED.as_secs());
    let before = cpu_seconds(id)?;
    std::thread::sleep(MEASURED);
    let cores = (cpu_seconds(id)? - before) / MEASURED.as_secs_f64();
    Ok(Cost { cores, peak: peak(id)? })
}
