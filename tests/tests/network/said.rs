//! What an agent said.

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tierprobe_model::record::{Outcome, Record, RoundRecord};
use tierprobe_tests::agent::Agent;
use tierprobe_tests::binary;
use tierprobe_tests::program::Program;

/// One test at a time: they measure, on few CPUs.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The record of `measure` with these flags, by a command that is to start the agent.
pub(crate) fn record(mut command: Command, flags: &[&str]) -> Record {
    let output = command.arg("measure").args(flags).args(["--format", "json"]).output().unwrap();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The agent.
pub(crate) fn agent() -> Command {
    Command::new(binary::agent())
}

/// How a probe's run ended.
pub(crate) fn outcome<'a>(record: &'a Record, probe: &str) -> (Outcome, &'a str) {
    let found = record.probes.iter().find(|one| one.name == probe).unwrap();
    (found.outcome, &found.reason)
}

/// All rounds of the series that have these labels.
pub(crate) fn rounds<'a>(record: &'a Record, family: &str, labels: &[(&str, &str)]) -> Vec<&'a RoundRecord> {
    let families = record.families.iter().filter(|one| one.name == family);
    let has = |series: &&tierprobe_model::record::SeriesRecord| {
        labels.iter().all(|(name, value)| series.labels.get(*name).is_some_and(|has| has == value))
    };
    families.flat_map(|family| family.series.iter().filter(has)).flat_map(|series| &series.rounds).collect()
}

/// The smallest sample of them.
pub(crate) fn smallest(rounds: &[&RoundRecord]) -> f64 {
    assert!(!rounds.is_empty(), "nothing was measured");
    rounds.iter().map(|round| round.quantiles.min).fold(f64::INFINITY, f64::min)
}

/// The median of their medians.
pub(crate) fn median(rounds: &[&RoundRecord]) -> f64 {
    let mut medians: Vec<f64> = rounds.iter().map(|round| round.quantiles.p50).collect();
    medians.sort_by(f64::total_cmp);
    medians[medians.len() / 2]
}

/// The value of a gauge or a counter.
pub(crate) fn gauge(record: &Record, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let is = |gauge: &&tierprobe_model::record::GaugeRecord| {
        gauge.name == name
            && labels.iter().all(|(name, value)| gauge.labels.get(*name).is_some_and(|has| has == value))
    };
    record.gauges.iter().find(is).map(|gauge| gauge.value)
}

/// The label of an info.
pub(crate) fn info(record: &Record, path: &str, label: &str) -> Option<String> {
    let is = |gauge: &&tierprobe_model::record::GaugeRecord| {
        gauge.name == "tierprobe_network_path_info" && gauge.labels["path"] == path
    };
    record.gauges.iter().find(is).map(|gauge| gauge.labels[label].clone())
}

/// An agent that does nothing but echo, on `address`; where it does.
pub(crate) fn echo(mut command: Command, address: &str) -> (Program, String) {
    command.args(["serve", "--web.listen-address=127.0.0.1:0", "--probe.interval=1h"]);
    command.args(["--probe.network.echo-address", address]);
    for probe in ["cpu", "spawn", "scheduler", "syscall", "page_fault", "storage", "network"] {
        command.arg(format!("--no-probe.{probe}"));
    }
    let mut program = Program::start(&mut command, tempfile::tempdir().unwrap());
    let address = program.wait_for_log("answering other agents", "address=");
    (program, address)
}

/// An agent that measures the network alone, often.
pub(crate) fn serving(flags: &[&str]) -> Agent {
    let quiet = ["--no-probe.cpu", "--no-probe.spawn", "--no-probe.scheduler", "--no-probe.storage"];
    let often = ["--probe.interval=1s", "--probe.budget=1", "--probe.pressure=1"];
    Agent::start(&[&quiet[..], &often, flags].concat())
}
