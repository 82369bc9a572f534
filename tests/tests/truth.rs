//! From a known cost to a verdict: two groups of real agents, one of which something was done to, through the real
//! collector.
//!
//! All agents run on this machine. Each is given a kernel of its own in its record, so that it counts as a host: what is
//! true of the two groups is what was done to them, and nothing else.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tierprobe_tests::binary;
use tierprobe_tests::confine::seccomp;
use tierprobe_tests::measured::{Measured, measuring};
use tierprobe_tests::program::Program;
use tierprobe_tests::relay::Relay;

/// Agents of each group. The first and the last to run share no time with the other group, and are left out for it.
const AGENTS: usize = 6;
const SIDES: [&str; 2] = ["plain", "changed"];

/// Tests of this file measure: one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tries before a machine counts as too busy for these tests.
const TRIES: usize = 4;

/// Measures with agents of both sides in turns, each made by `agent`, and compares them with these options; again where
/// the machine left so few rounds in peace that not one row of `family` with these labels has hosts enough.
fn compare(
    agent: impl Fn(&str) -> Command,
    options: &[&str],
    family: &str,
    labels: &[(&str, &str)],
) -> (Value, Vec<Value>) {
    for _ in 0..TRIES {
        let comparison = once(&agent, options);
        let mut found: Vec<Value> = rows(&comparison, family, labels).into_iter().cloned().collect();
        found.retain(|row| !["no_data", "one_host", "few_hosts"].map(Value::from).contains(&row["reason"]));
        if !found.is_empty() {
            return (comparison, found);
        }
        println!("too few rounds in peace");
    }
    panic!("no row of {family} {labels:?} has hosts enough in {TRIES} tries");
}

fn once(agent: &impl Fn(&str) -> Command, options: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    for turn in 0..AGENTS {
        for side in SIDES {
            let Measured(record) = Measured::by(&mut agent(side));
            let mut record = serde_json::to_value(&record).unwrap();
            for gauge in record["gauges"].as_array_mut().unwrap() {
                if gauge["name"] == "tierprobe_kernel_info" {
                    gauge["labels"]["boot_id"] = format!("{side}-{turn}").into();
                    gauge["labels"]["side"] = side.into();
                }
            }
            record["instance"] = format!("{side}-{turn}").into();
            std::fs::write(folder.path().join(format!("{side}-{turn}.json")), record.to_string()).unwrap();
        }
    }
    of_records(folder.path(), options)
}

fn of_records(folder: &Path, options: &[&str]) -> Value {
    let mut records: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    records.sort();
    let mut command = Command::new(binary::collector());
    command.args(["compare", "--by", "side", "--baseline", "plain", "--format", "json"]).args(options);
    let output = command.args(records).output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The rows that have these labels.
fn rows<'a>(comparison: &'a Value, family: &str, labels: &[(&str, &str)]) -> Vec<&'a Value> {
    let has = |row: &&Value| {
        row["family"] == family && labels.iter().all(|(name, value)| row["labels"][*name] == *value)
    };
    comparison["rows"].as_array().unwrap().iter().filter(has).collect()
}

/// What is called slower or faster, by family and labels.
fn different(comparison: &Value) -> Vec<String> {
    let rows = comparison["rows"].as_array().unwrap().iter();
    rows.filter(|row| row["verdict"] == "slower" || row["verdict"] == "faster")
        .map(|row| format!("{} {}", row["family"], row["labels"]))
        .collect()
}

/// The kinds of warnings of the only candidate.
fn warnings(comparison: &Value) -> Vec<&str> {
    let groups = comparison["groups"].as_array().unwrap().iter();
    groups
        .flat_map(|group| group["warnings"].as_array().unwrap())
        .filter_map(|warning| warning["kind"].as_str())
        .collect()
}

/// An agent that echoes, and where.
fn echo() -> (Program, SocketAddr) {
    let mut command = Command::new(binary::agent());
    command.args(["serve", "--web.listen-address=127.0.0.1:0", "--probe.interval=1h"]);
    command.arg("--probe.network.echo-address=127.0.0.1:0");
    for probe in ["cpu", "spawn", "scheduler", "syscall", "page_fault", "network"] {
        command.arg(format!("--no-probe.{probe}"));
    }
    let mut program = Program::start(&mut command, tempfile::tempdir().unwrap());
    let address = program.wait_for_log("answering other agents", "address=").parse().unwrap();
    (program, address)
}

#[test]
fn a_way_that_is_longer_by_a_millisecond_is_found_to_be() {
    const DELAY: Duration = Duration::from_millis(1);
    let _alone = alone();
    let (_echo, server) = echo();
    let relays = [Duration::ZERO, DELAY].map(|delay| Relay::start(server, delay));
    let agent = |side: &str| {
        let relay = &relays[SIDES.iter().position(|one| *one == side).unwrap()];
        let mut command =
            measuring(binary::agent(), &["--rounds", "30", "--pause", "2ms", "--probe", "network"]);
        command.arg(format!("--probe.network.peer=far={}", relay.address()));
        command
    };
    let labels = [("path", "far"), ("protocol", "udp"), ("size", "64")];
    let (comparison, far) = compare(agent, &[], "tierprobe_network_round_trip_seconds", &labels);
    for row in far {
        assert_eq!(row["verdict"], "slower", "{row:#}");
        let number = |name: &str| row[name].as_f64().unwrap();
        // Both ways lead through a relay, so the delay is all that differs. With three processes to a CPU 0.98 to 1.04 ms
        // were found: a relay wakes up late, and the shorter way takes some 50 us, give or take as much.
        assert!((0.9e-3..1.5e-3).contains(&number("difference")), "{row:#}");
        // What is added is several times what the shorter way takes, however noisy that is.
        assert!(number("ratio_low") > 3.0, "{row:#}");
    }
    // What nothing was done to is not called slower by as much.
    for row in rows(&comparison, "tierprobe_network_round_trip_seconds", &[("path", "loopback")]) {
        assert!(row["ratio"].as_f64().unwrap() < 2.0, "{row:#}");
    }
}

#[test]
fn a_seccomp_filter_is_found_and_is_said_to_be_the_reason() {
    let _alone = alone();
    let agent = |side: &str| {
        let mut command =
            measuring(binary::agent(), &["--rounds", "24", "--pause", "2ms", "--probe", "syscall"]);
        if side == "changed" {
            seccomp::confine(&mut command, seccomp::long(300));
        }
        command
    };
    let getppid =
        |options: &[&str]| compare(agent, options, "tierprobe_syscall_seconds", &[("syscall", "getppid")]);
    let (refused, found) = getppid(&[]);
    let row = &found[0];
    assert_eq!((&row["verdict"], &row["reason"]), (&"inconclusive".into(), &"unlike".into()), "{row:#}");
    assert!(warnings(&refused).contains(&"refused"), "{refused:#}");
    assert!(row["ratio"].as_f64().unwrap() > 1.2, "the difference is shown all the same: {row:#}");

    let (told, found) = getppid(&["--allow-mixed", "seccomp"]);
    let row = &found[0];
    assert_eq!(row["verdict"], "slower", "{row:#}");
    assert!(row["tags"].as_array().unwrap().contains(&"confounded".into()), "{row:#}");
    assert!(warnings(&told).contains(&"unlike_seccomp"), "{told:#}");
}

#[test]
fn groups_that_nothing_was_done_to_are_not_told_apart() {
    let _alone = alone();
    let agent = |_: &str| {
        measuring(
            binary::agent(),
            &["--rounds", "20", "--pause", "2ms", "--probe", "syscall", "--probe", "vm_exit"],
        )
    };
    // One report in twenty may hold a false row, by what is promised. The same row twice is none of them.
    let pair = || compare(agent, &[], "tierprobe_syscall_seconds", &[("syscall", "getppid")]).0;
    let first = pair();
    let wrong = different(&first);
    if wrong.is_empty() {
        return;
    }
    let second = different(&pair());
    let twice: Vec<&String> = wrong.iter().filter(|row| second.contains(row)).collect();
    assert!(twice.is_empty(), "{twice:?}\n{first:#}");
}
