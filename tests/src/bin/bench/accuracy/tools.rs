//! The tools that people trust, and what they print.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tierprobe_tests::port;

use super::place::{Place, told};
use crate::table::median;

/// Runs of `perf bench` whose median counts.
const PERF_RUNS: usize = 25;

/// `perf bench`, which prints the mean of all its operations: the median of many short runs, as one long run has in its
/// mean whatever else the machine did.
pub(super) fn perf(place: Place, benchmark: &[&str]) -> anyhow::Result<f64> {
    let mut means = Vec::with_capacity(PERF_RUNS);
    for _ in 0..PERF_RUNS {
        let text = told(place.pinned("perf").arg("bench").args(benchmark))?;
        let micros = text.lines().find_map(|line| line.trim().strip_suffix(" usecs/op"));
        let micros = micros.with_context(|| format!("perf printed no usecs/op: {text}"))?;
        means.push(micros.trim().parse::<f64>()? / 1e6);
    }
    Ok(median(&mut means))
}

/// What `fio` is to do beside what all its runs have in common.
pub(super) enum Fio {
    /// Overwrites a file that has its blocks, with `fdatasync` after each block.
    Overwrite,
    /// Writes a file that has none.
    Append,
    /// Reads past the page cache.
    ReadDirect,
}

/// `fio` on 64 KiB in steps of 4 KiB, with pauses as the agent has them: the medians of the operation and
/// of the flush added.
pub(super) fn fio(place: Place, directory: &Path, what: &Fio) -> anyhow::Result<f64> {
    let mut command = place.pinned("fio");
    command.args(["--name=reference", "--size=64k", "--bs=4k", "--ioengine=sync", "--loops=5"]);
    command.args(["--thinktime=20ms", "--percentile_list=50", "--output-format=json"]);
    command.arg(format!("--directory={}", directory.display()));
    let (paths, keep): (&[&str], &[&str]) = match what {
        Fio::Overwrite => (
            &["/write/clat_ns", "/sync/lat_ns"],
            &["--rw=write", "--fdatasync=1", "--overwrite=1", "--thinktime_blocks=4"],
        ),
        Fio::Append => (
            &["/write/clat_ns", "/sync/lat_ns"],
            &[
                "--rw=write",
                "--fdatasync=1",
                "--fallocate=none",
                "--unlink_each_loop=1",
                "--thinktime_blocks=4",
            ],
        ),
        Fio::ReadDirect => (&["/read/clat_ns"], &["--rw=read", "--direct=1", "--thinktime_blocks=6"]),
    };
    let text = told(command.args(keep))?;
    let report: serde_json::Value = serde_json::from_str(&text).context("fio")?;
    let job = report.pointer("/jobs/0").context("fio reported no job")?;
    let mut nanos = 0.0;
    for path in paths {
        let path = format!("{path}/percentile/50.000000");
        let median = job.pointer(&path).and_then(serde_json::Value::as_f64);
        nanos += median.with_context(|| format!("fio reported no {path}"))?;
    }
    Ok(nanos / 1e9)
}

/// `sockperf ping-pong --full-rtt`, both ends on one CPU: the median round trip of a second.
pub(super) fn sockperf(place: Place, tcp: bool) -> anyhow::Result<f64> {
    let protocol: &[&str] = if tcp { &["--tcp"] } else { &[] };
    let port = port::unused().port().to_string();
    let start = |mode: &[&str]| {
        let mut command = place.pinned("sockperf");
        command.args(mode).args(["-i", "127.0.0.1", "-p", &port]).args(protocol).stdin(Stdio::null());
        command
    };
    let server = start(&["server"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let _server = Ended(server.context("sockperf")?);
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

/// `cyclictest`: the median of its histogram, in steps of a microsecond.
///
/// Its thread inherits the timer slack of who starts it, which is set as the agent sets its own.
pub(super) fn cyclictest(place: Place, realtime: bool) -> anyhow::Result<f64> {
    let cpu = place.cpu.to_string();
    let mut command = Command::new("cyclictest");
    // A bucket for each microsecond, up to so many; what is longer is counted as overflow.
    command.args(["--default-system", "-q", "-t", "1", "-i", "12000", "-l", "50", "-h", "2000", "-a", &cpu]);
    if realtime {
        command.args(["-p", "1"]);
    }
    // The slack is the calling thread's, and what it starts inherits it: a thread of its own, for this alone.
    let text = std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            nix::sys::prctl::set_timerslack(1)?;
            told(&mut command)
        });
        thread.join().unwrap_or_else(|_| bail!("the thread has died"))
    })?;
    let mut buckets: Vec<(f64, u64)> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())) {
        let (micros, count) = line.split_once(char::is_whitespace).context("cyclictest")?;
        buckets.push((micros.trim().parse()?, count.trim().parse()?));
    }
    ensure!(buckets.iter().any(|(_, count)| *count > 0), "cyclictest printed no histogram: {text}");
    // The clock is cut off to whole microseconds: the middle of a bucket is half a one up.
    Ok((median_of_counts(&buckets) + 0.5) / 1e6)
}

/// What `oslat` sees of the CPU that it has for itself.
pub(super) struct Oslat {
    /// Share of the time that was lost.
    pub lost: f64,
    /// Median of the gaps, in seconds.
    pub median: f64,
}

/// Shortest gap that the agent counts, in microseconds.
const SHORTEST_GAP: f64 = 2.0;

/// `oslat` for a second: a program that wants all of the CPU, and what interrupts it, in steps of a microsecond.
pub(super) fn oslat(place: Place) -> anyhow::Result<Oslat> {
    let cpu = place.cpu.to_string();
    let mut command = Command::new("oslat");
    command.args(["--cpu-list", &cpu, "--duration", "1s", "--bucket-size", "1024"]);
    command.args(["--cpu-main-thread", &place.other.to_string()]);
    let text = told(&mut command)?;
    // `    013 (us):	 26`, and `(including overflows)` behind the last one.
    let mut buckets: Vec<(f64, u64)> = Vec::new();
    let mut duration = None;
    for line in text.lines() {
        let Some((name, rest)) = line.split_once(':') else { continue };
        let number = rest.split_whitespace().next().unwrap_or_default();
        if let Some(micros) = name.trim().strip_suffix(" (us)") {
            buckets.push((micros.parse()?, number.parse()?));
        } else if name.trim() == "Duration" {
            duration = Some(number.parse::<f64>()?);
        }
    }
    buckets.retain(|(micros, _)| *micros >= SHORTEST_GAP);
    let duration = duration.with_context(|| format!("oslat printed no duration: {text}"))?;
    let lost: f64 = buckets.iter().map(|(micros, count)| (micros + 0.5) * real(*count)).sum();
    Ok(Oslat { lost: lost / 1e6 / duration, median: (median_of_counts(&buckets) + 0.5) / 1e6 })
}

/// The bucket that holds the median.
fn median_of_counts(buckets: &[(f64, u64)]) -> f64 {
    let half = buckets.iter().map(|(_, count)| count).sum::<u64>().div_ceil(2);
    let mut seen = 0;
    let holds = |(_, count): &&(f64, u64)| {
        seen += count;
        seen >= half
    };
    buckets.iter().find(holds).map_or(f64::NAN, |(value, _)| *value)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a second")]
const fn real(count: u64) -> f64 {
    count as f64
}

/// A child that is ended with the value.
pub(super) struct Ended(pub Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _may_be_gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}
