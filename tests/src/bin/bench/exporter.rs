//! The agent beside prometheus-node-exporter: memory, CPU, latency, start, size.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tierprobe_model::Unit;
use tierprobe_tests::port;

use crate::latency::scrape;
use crate::process;
use crate::table::{Table, median, quantile};

const PEER: &str = "/usr/bin/prometheus-node-exporter";
const STARTS: usize = 20;
/// Batches of scrapes; the two take turns.
const BATCHES: usize = 20;
const SCRAPES_A_BATCH: usize = 30;

/// A program that is scraped; ended with the value.
#[derive(Debug)]
pub(crate) struct Exporter {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Seconds from the start to the first answer.
    pub(crate) first_answer: f64,
}

impl Exporter {
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let address = port::unused();
        let begin = Instant::now();
        let child = Command::new(program)
            .args(arguments)
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut exporter = Self { child, address, first_answer: 0.0 };
        while scrape(address).is_err() {
            if begin.elapsed() > Duration::from_secs(10) {
                bail!("{} does not answer", program.display());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        exporter.first_answer = begin.elapsed().as_secs_f64();
        Ok(exporter)
    }

    /// Seconds of CPU that all its threads have used.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        process::cpu_seconds(self.child.id())
    }

    /// A number of kB in a file of `/proc/PID`, in bytes.
    pub(crate) fn memory(&self, file: &str, key: &str) -> anyhow::Result<f64> {
        process::memory(self.child.id(), file, key)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _may_be_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

pub(crate) fn compare(agent: &Path) -> anyhow::Result<Table> {
    let peer = PathBuf::from(PEER);
    if !peer.exists() {
        bail!("{PEER} is not installed: apt-get install prometheus-node-exporter");
    }
    eprintln!("The agent beside prometheus-node-exporter:");
    let title = format!("Beside {}", version(&peer)?);
    let mut table = Table::new(title, &["figure", "tierprobe-agent", "node_exporter", "ratio"]);
    let mut row = |name: &str, unit: Unit, ours: f64, theirs: f64| {
        table.row([name.to_owned(), unit.human(ours), unit.human(theirs), format!("{:.2}", ours / theirs)]);
    };

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        ours.push(Exporter::start(agent, &["serve"])?.first_answer);
        theirs.push(Exporter::start(&peer, &[])?.first_answer);
    }
    row("start to first answer, p50 of 20", Unit::Seconds, median(&mut ours), median(&mut theirs));

    let (one, other) = (Exporter::start(agent, &["serve"])?, Exporter::start(&peer, &[])?);
    // The agent's first round is over by then.
    std::thread::sleep(Duration::from_secs(2));
    let (mut one_times, mut other_times) = (Vec::new(), Vec::new());
    let (mut one_cpu, mut other_cpu) = (0.0, 0.0);
    for _ in 0..BATCHES {
        for (exporter, times, cpu) in
            [(&one, &mut one_times, &mut one_cpu), (&other, &mut other_times, &mut other_cpu)]
        {
            let before = exporter.cpu_seconds()?;
            for _ in 0..SCRAPES_A_BATCH {
                times.push(scrape(exporter.address)?.seconds);
            }
            *cpu += exporter.cpu_seconds()? - before;
        }
    }
    let scrapes = one_times.len();
    row("scrape latency p50", Unit::Seconds, quantile(&mut one_times, 50), quantile(&mut other_times, 50));
    row("scrape latency p99", Unit::Seconds, quantile(&mut one_times, 99), quantile(&mut other_times, 99));
    let per_scrape = f64::from(u32::try_from(scrapes)?);
    row("CPU a scrape", Unit::Seconds, one_cpu / per_scrape, other_cpu / per_scrape);
    row(
        "resident memory after 600 scrapes",
        Unit::Bytes,
        one.memory("status", "VmRSS")?,
        other.memory("status", "VmRSS")?,
    );
    row(
        "PSS after 600 scrapes",
        Unit::Bytes,
        one.memory("smaps_rollup", "Pss")?,
        other.memory("smaps_rollup", "Pss")?,
    );
    let bytes = |exporter: &Exporter| scrape(exporter.address).map(|answer| answer.bytes);
    row("bytes a scrape", Unit::Bytes, bytes(&one)?, bytes(&other)?);
    #[expect(clippy::cast_precision_loss, reason = "exact below 8 PiB")]
    let size = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.len() as f64);
    row("binary", Unit::Bytes, size(agent)?, size(&peer)?);
    Ok(table)
}

/// The first line of `--version`, up to the parenthesis.
fn version(program: &Path) -> anyhow::Result<String> {
    let output = Command::new(program).arg("--version").output()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(text.lines().next().unwrap_or_default().split(" (").next().unwrap_or_default().to_owned())
}
