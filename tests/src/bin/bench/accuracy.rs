//! The agent's numbers beside the reference tool of their kind, on the same CPU in the same minute.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tierprobe_model::Unit;
use tierprobe_model::record::Record;

use crate::table::{Table, median};

/// The CPU of both sides.
const CPU: &str = "1";
const PAIRS: usize = 5;
const ROUNDS: &str = "20";

/// One figure of ours and its reference.
struct Pair<'a> {
    figure: &'a str,
    probe: &'a str,
    /// Labels of our series.
    series: &'a [(&'a str, &'a str)],
    /// Largest difference from 1 of the ratio's median.
    goal: f64,
    reference: &'a dyn Fn() -> anyhow::Result<f64>,
}

pub(crate) fn compare(agent: &Path) -> anyhow::Result<Table> {
    eprintln!("The agent's numbers beside their references, on CPU {CPU}, medians of {PAIRS} pairs:");
    let mut table = Table::new(
        format!("Beside the reference tools, medians of {PAIRS} pairs on one CPU"),
        &["figure; reference", "tierprobe-agent", "reference", "ratio", "of the five", "goal"],
    );
    let directory = tempfile::tempdir_in("/var/tmp").context("/var/tmp")?;
    let directory_text = directory.path().to_string_lossy().into_owned();
    let udp = [("protocol", "udp"), ("placement", "same_cpu")];
    let tcp = [("protocol", "tcp"), ("placement", "same_cpu")];
    let pairs = [
        Pair {
            figure: "getppid p50; perf bench syscall basic",
            probe: "syscall",
            series: &[("syscall", "getppid")],
            goal: 0.05,
            reference: &|| perf(&["syscall", "basic", "-l", "1000000"]),
        },
        Pair {
            figure: "pipes p50; perf bench sched pipe -T",
            probe: "scheduler",
            series: &[("placement", "same_cpu")],
            goal: 0.05,
            reference: &|| perf(&["sched", "pipe", "-T", "-l", "50000"]),
        },
        Pair {
            figure: "UDP loopback p50; sockperf ping-pong --full-rtt",
            probe: "network",
            series: &udp,
            goal: 0.05,
            reference: &|| sockperf(false),
        },
        Pair {
            figure: "TCP loopback p50; sockperf ping-pong --full-rtt --tcp",
            probe: "network",
            series: &tcp,
            goal: 0.05,
            reference: &|| sockperf(true),
        },
        Pair {
            figure: "4 KiB and fdatasync p50; fio --fdatasync=1",
            probe: "storage",
            series: &[("operation", "overwrite_sync")],
            goal: 0.10,
            reference: &|| fio(directory.path()),
        },
    ];
    for pair in pairs {
        let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            let (one, other) =
                (measure(agent, pair.probe, pair.series, &directory_text)?, (pair.reference)()?);
            ours.push(one);
            theirs.push(other);
            ratios.push(one / other);
        }
        let human = |values: &mut [f64]| Unit::Seconds.human(median(values));
        let ratio = median(&mut ratios);
        let (low, high) =
            (ratios.first().copied().unwrap_or(f64::NAN), ratios.last().copied().unwrap_or(f64::NAN));
        let met = if (ratio - 1.0).abs() <= pair.goal { "met" } else { "not met" };
        table.row([
            pair.figure.to_owned(),
            human(&mut ours),
            human(&mut theirs),
            format!("{ratio:.3}"),
            format!("{low:.2} to {high:.2}"),
            format!("{:.0} %, {met}", pair.goal * 100.0),
        ]);
    }
    Ok(table)
}

/// The median over the rounds of the p50 of a series, in seconds.
fn measure(agent: &Path, probe: &str, series: &[(&str, &str)], directory: &str) -> anyhow::Result<f64> {
    let output = Command::new("taskset")
        .args(["-c", CPU])
        .arg(agent)
        .args(["measure", "--rounds", ROUNDS, "--pause", "20ms", "--format", "json", "--probe", probe])
        .args(["--probe.storage.directory", directory])
        .output()
        .context("taskset")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let record: Record = serde_json::from_slice(&output.stdout)?;
    // On one CPU there is nothing to go across to: the other placement is taken from both CPUs.
    let found = record.families.iter().flat_map(|family| &family.series).find(|candidate| {
        series.iter().all(|(name, value)| candidate.labels.get(*name).is_some_and(|label| label == value))
    });
    let rounds = &found.with_context(|| format!("{probe} has no series {series:?}"))?.rounds;
    Ok(median(&mut rounds.iter().map(|round| round.quantiles.p50).collect::<Vec<_>>()))
}

/// `perf bench`: the mean of so many operations.
fn perf(benchmark: &[&str]) -> anyhow::Result<f64> {
    let output = Command::new("taskset")
        .args(["-c", CPU, "perf", "bench"])
        .args(benchmark)
        .output()
        .context("perf is not installed: apt-get install linux-perf")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let micros = text
        .lines()
        .find_map(|line| line.trim().strip_suffix(" usecs/op"))
        .with_context(|| format!("perf printed no usecs/op: {text}"))?;
    Ok(micros.trim().parse::<f64>()? / 1e6)
}

/// `fio` that overwrites a file of 64 KiB in steps of 4 KiB, each with fdatasync: the medians of both added.
fn fio(directory: &Path) -> anyhow::Result<f64> {
    let output = Command::new("taskset")
        .args([
            "-c",
            CPU,
            "fio",
            "--name=reference",
            "--size=64k",
            "--rw=write",
            "--bs=4k",
            "--ioengine=sync",
        ])
        .args([
            "--fdatasync=1",
            "--overwrite=1",
            "--loops=20",
            "--percentile_list=50",
            "--output-format=json",
        ])
        .arg(format!("--directory={}", directory.display()))
        .output()
        .context("fio is not installed: apt-get install fio")?;
    ensure!(output.status.success(), "fio: {}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).context("fio")?;
    let job = report.pointer("/jobs/0").context("fio reported no job")?;
    let nanos = |path: &str| {
        job.pointer(path)
            .and_then(serde_json::Value::as_f64)
            .with_context(|| format!("fio reported no {path}"))
    };
    Ok((nanos("/write/clat_ns/percentile/50.000000")? + nanos("/sync/lat_ns/percentile/50.000000")?) / 1e9)
}

/// `sockperf ping-pong --full-rtt`, both ends on one CPU: the median round trip of a second.
fn sockperf(tcp: bool) -> anyhow::Result<f64> {
    let protocol: &[&str] = if tcp { &["--tcp"] } else { &[] };
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let address = ["-i", "127.0.0.1", "-p", &port];
    let start = |mode: &[&str]| {
        let mut command = Command::new("taskset");
        command.args(["-c", CPU, "sockperf"]).args(mode).args(address).args(protocol).stdin(Stdio::null());
        command
    };
    let server = start(&["server"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let _server = Ended(server.context("sockperf is not installed: apt-get install sockperf")?);
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let output = start(&["ping-pong", "-t", "1", "-m", "64", "--full-rtt"]).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // The lines are coloured: `sockperf: ---> percentile 50.000 =   14.123`.
        let p50 = text.lines().find(|line| line.contains("percentile 50.000")).and_then(|line| {
            let number: String =
                line.rsplit('=').next()?.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
            number.parse::<f64>().ok()
        });
        match p50 {
            Some(micros) => return Ok(micros / 1e6),
            None if Instant::now() > deadline => bail!("sockperf gave no percentile: {text}"),
            None => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

/// A child that is ended with the value.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _may_be_gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}
