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

pub(crate) fn compare(agent: &Path) -> anyhow::Result<Table> {
    eprintln!("The agent's numbers beside their references, on CPU {CPU}, medians of {PAIRS} pairs:");
    let mut table = Table::new(
        format!("Beside the reference tools, medians of {PAIRS} pairs on one CPU"),
        ["figure", "tierprobe-agent", "reference", "ratio"],
    );
    let mut pair =
        |name: &str, probe: &str, series: &[(&str, &str)], reference: &dyn Fn() -> anyhow::Result<f64>| {
            let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..PAIRS {
                let (one, other) = (measure(agent, probe, series)?, reference()?);
                ours.push(one);
                theirs.push(other);
                ratios.push(one / other);
            }
            let human = |values: &mut [f64]| Unit::Seconds.human(median(values));
            let ratio = format!("{:.3}", median(&mut ratios));
            table.row([name.to_owned(), human(&mut ours), human(&mut theirs), ratio]);
            anyhow::Ok(())
        };
    pair("getppid p50; perf bench syscall basic", "syscall", &[("syscall", "getppid")], &perf)?;
    let udp = [("protocol", "udp"), ("placement", "same_cpu")];
    pair("UDP loopback p50; sockperf ping-pong --full-rtt", "network", &udp, &|| sockperf(false))?;
    let tcp = [("protocol", "tcp"), ("placement", "same_cpu")];
    pair("TCP loopback p50; sockperf ping-pong --full-rtt --tcp", "network", &tcp, &|| sockperf(true))?;
    Ok(table)
}

/// The median over the rounds of the p50 of a series, in seconds.
fn measure(agent: &Path, probe: &str, series: &[(&str, &str)]) -> anyhow::Result<f64> {
    let output = Command::new("taskset")
        .args(["-c", CPU])
        .arg(agent)
        .args(["measure", "--rounds", ROUNDS, "--pause", "20ms", "--format", "json", "--probe", probe])
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

/// `perf bench syscall basic`: the mean of a million calls of getppid.
fn perf() -> anyhow::Result<f64> {
    let output = Command::new("taskset")
        .args(["-c", CPU, "perf", "bench", "syscall", "basic", "-l", "1000000"])
        .output()
        .context("perf is not installed: apt-get install linux-perf")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let micros = text
        .lines()
        .find_map(|line| line.trim().strip_suffix(" usecs/op"))
        .with_context(|| format!("perf printed no usecs/op: {text}"))?;
    Ok(micros.trim().parse::<f64>()? / 1e6)
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
