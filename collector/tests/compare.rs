//! The binary from files to reports: what a user runs.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// A record with rounds around `getppid` seconds, disturbed at every `disturbed`-th round.
struct Instance {
    name: &'static str,
    tier: &'static str,
    seccomp: &'static str,
    boot_id: &'static str,
    getppid: f64,
    rounds: u32,
    disturbed: u32,
}

const VM: Instance = Instance {
    name: "vm-1",
    tier: "vm",
    seccomp: "none",
    boot_id: "a",
    getppid: 169e-9,
    rounds: 60,
    disturbed: 0,
};
const CONTAINER: Instance = Instance {
    name: "web-1",
    tier: "container_in_vm",
    seccomp: "filter",
    boot_id: "b",
    getppid: 211e-9,
    rounds: 60,
    disturbed: 10,
};

impl Instance {
    fn write(&self, folder: &Path) -> PathBuf {
        let round = |i: u32| {
            let is_disturbed = self.disturbed > 0 && i.is_multiple_of(self.disturbed);
            let value = self.getppid * (1.0 + 0.004 * (f64::from(i * 7 % 11) - 5.0) / 5.0);
            let value = if is_disturbed { value * 3.0 } else { value };
            json!({
                "timestamp": 1_700_000_000.0 + 15.0 * f64::from(i), "min": value * 0.9, "p50": value,
                "p90": value * 1.2, "p99": value * 2.0, "max": value * 9.0, "samples": 1000,
                "disturbed": if is_disturbed { json!(["steal"]) } else { json!([]) },
            })
        };
        let rounds: Vec<Value> = (0..self.rounds).map(round).collect();
        let info = |name: &str, labels: Value| json!({"name": name, "labels": labels, "value": 1.0});
        let record = json!({
            "schema": 1,
            "instance": self.name,
            "detection": {
                "schema": 1, "tier": self.tier, "confidence": 0.97, "kernel": "own",
                "stack": [{"layer": "hypervisor", "name": "kvm", "confidence": 0.99}],
                "evidence": [], "unreadable": [], "roles": [], "isolation": {"seccomp": self.seccomp},
            },
            "probes": [{"name": "syscall", "outcome": "ok", "reason": ""},
                       {"name": "memory", "outcome": "ok", "reason": ""}],
            "families": [{"name": "tierprobe_syscall_seconds", "unit": "seconds",
                          "series": [{"labels": {"syscall": "getppid"}, "rounds": rounds}]}],
            "gauges": [
                info("tierprobe_kernel_info", json!({"release": "6.1.0", "boot_id": self.boot_id, "clocksource": "tsc"})),
                {"name": "tierprobe_probe_resolution_seconds", "labels": {"probe": "syscall"}, "value": 1e-11},
                {"name": "tierprobe_memory_footprint_bytes", "labels": {"part": "slab"}, "value": 5_242_880.0},
                {"name": "tierprobe_tier_confidence_ratio", "labels": {}, "value": 0.97},
            ],
        });
        let path = folder.join(format!("{}.json", self.name));
        std::fs::write(&path, record.to_string()).unwrap();
        path
    }
}

fn compare(arguments: &[&str], files: &[PathBuf]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tierprobe-collector"))
        .arg("compare")
        .args(arguments)
        .args(files)
        .output()
        .unwrap()
}

fn text(arguments: &[&str], files: &[PathBuf]) -> String {
    let output = compare(arguments, files);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(arguments: &[&str], files: &[PathBuf]) -> String {
    let output = compare(arguments, files);
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

fn fleet(folder: &Path) -> Vec<PathBuf> {
    const NAMES: [[&str; 2]; 5] = [["v1", "c1"], ["v2", "c2"], ["v3", "c3"], ["v4", "c4"], ["v5", "c5"]];
    NAMES
        .iter()
        .zip([0.99, 1.01, 1.0, 1.005, 0.995])
        .flat_map(|([vm, container], luck)| {
            [
                Instance { name: vm, boot_id: vm, getppid: VM.getppid * luck, ..VM }.write(folder),
                Instance {
                    name: container,
                    boot_id: container,
                    getppid: CONTAINER.getppid * luck,
                    ..CONTAINER
                }
                .write(folder),
            ]
        })
        .collect()
}

#[test]
fn a_fleet_has_a_verdict_on_its_tiers() {
    let folder = tempfile::tempdir().unwrap();
    let files = fleet(folder.path());
    let table = text(&["--allow-mixed", "seccomp"], &files);
    assert!(
        table.starts_with("vm against container_in_vm: 5 and 5 instances, 15 min, 95 % intervals\n"),
        "{table}"
    );
    assert!(table.contains("slower*\n") && table.contains("*: confounded"), "{table}");
    assert!(
        table.contains("5 of 5 container_in_vm instances run under a seccomp filter, 0 of 5 vm"),
        "{table}"
    );
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");

    let told = ["--allow-mixed", "seccomp", "--format", "json"];
    let json: Value = serde_json::from_str(&text(&told, &files)).unwrap();
    assert_eq!((&json["schema"], &json["by"], &json["baseline"]), (&json!(1), &json!("tier"), &json!("vm")));
    assert_eq!(json["sources"].as_array().unwrap().len(), 10);
    assert_eq!(json["dropped"], json!([]));
    let row = json["rows"].as_array().unwrap().iter().find(|row| row["unit"] == "seconds").unwrap();
    assert_eq!(
        (&row["verdict"], &row["reason"], &row["here"]),
        (&json!("slower"), &json!(null), &json!(null))
    );
    assert_eq!(row["baseline"]["rounds"], json!(300));
    assert_eq!(row["candidate"]["rounds"], json!(270));
    let ratio = row["ratio"].as_f64().unwrap();
    assert!((1.23..1.27).contains(&ratio), "{ratio}");
    assert!(row["ratio_low"].as_f64().unwrap() < ratio && ratio < row["ratio_high"].as_f64().unwrap());
    assert!(row["detectable_ratio"].as_f64().unwrap() < 1.1);
    let memory = json["rows"].as_array().unwrap().iter().find(|row| row["unit"] == "bytes").unwrap();
    assert_eq!(memory["verdict"], json!("no_difference"), "{memory}");
    assert_eq!(memory["warnings"][0]["kind"], json!("few_readings"));
}

#[test]
fn unlike_filters_have_no_verdict_until_the_user_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = fleet(folder.path());
    let table = text(&[], &files);
    assert!(
        table.contains("! No verdict: no instance of one side is like any of the other in seccomp."),
        "{table}"
    );
    assert!(table.contains("--allow-mixed seccomp"), "{table}");
    assert!(table.contains("inconclusive\n") && !table.contains("slower\n"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let json =
        |files: &[PathBuf]| -> Value { serde_json::from_str(&text(&["--format", "json"], files)).unwrap() };
    let row = &json(&files)["rows"][0];
    assert_eq!((&row["verdict"], &row["reason"]), (&json!("inconclusive"), &json!("unlike")));
    assert!(row["ratio_low"].as_f64().is_some(), "{row}");

    // With containers that have no filter, those that have one are left out, and it is said how many.
    for name in ["p1", "p2", "p3", "p4"] {
        let plain = Instance { name, boot_id: name, seccomp: "none", getppid: 170e-9, ..CONTAINER };
        files.push(plain.write(folder.path()));
    }
    let json = json(&files);
    assert_eq!(
        json["groups"][1]["excluded"],
        json!([{"group": "container_in_vm", "label": "seccomp", "values": ["filter"], "instances": 5, "of": 9}])
    );
    assert_eq!(
        (&json["rows"][0]["candidate"]["hosts"], &json["rows"][0]["reason"]),
        (&json!(4), &json!(null))
    );
}

#[test]
fn the_last_complete_window_can_be_compared() {
    let folder = tempfile::tempdir().unwrap();
    let files = fleet(folder.path());
    let arguments = ["--allow-mixed", "all", "--window", "5m", "--format", "json"];
    let json: Value = serde_json::from_str(&text(&arguments, &files)).unwrap();
    // The records are of 900 s from 1 700 000 000 on: 1 700 000 100 is a multiple of 300, and so is 1 700 000 700.
    let window = &json["groups"][1]["window"];
    assert!(
        window["from"].as_f64().unwrap() >= 1_700_000_400.0
            && window["to"].as_f64().unwrap() < 1_700_000_700.0
    );
    assert_eq!(json["rows"][0]["baseline"]["rounds"], json!(100));
    assert!(window["dropped_rounds"]["baseline"].as_u64().unwrap() == 200, "{window}");
    let long = refused(&["--window", "1h"], &files);
    assert!(long.contains("no complete window of 3600 s"), "{long}");
}

#[test]
fn two_hosts_have_a_statement_on_themselves_only() {
    let folder = tempfile::tempdir().unwrap();
    let files = [VM.write(folder.path()), CONTAINER.write(folder.path())];
    let table = text(&[], &files);
    assert!(table.contains("slower here"), "{table}");
    assert!(table.contains("here: these two instances only"), "{table}");
    let json: Value = serde_json::from_str(&text(&["--format", "json"], &files)).unwrap();
    let row = &json["rows"][0];
    assert_eq!((&row["verdict"], &row["reason"]), (&json!("inconclusive"), &json!("one_host")));
    assert_eq!(row["here"]["verdict"], json!("slower"));
    assert_eq!((&row["ratio_low"], &row["detectable_ratio"]), (&json!(null), &json!(null)));
}

#[test]
fn agents_on_one_kernel_compare_here_and_are_one_host() {
    let folder = tempfile::tempdir().unwrap();
    let beside = Instance { boot_id: "a", ..CONTAINER };
    let second = Instance { name: "web-2", getppid: 213e-9, ..beside };
    let files = [VM, beside, second].map(|instance| instance.write(folder.path()));
    let json: Value = serde_json::from_str(&text(&["--format", "json"], &files)).unwrap();
    let row = &json["rows"][0];
    assert_eq!((&row["candidate"]["instances"], &row["candidate"]["hosts"]), (&json!(2), &json!(1)));
    assert_eq!((&row["reason"], &row["here"]["verdict"]), (&json!("one_host"), &json!("slower")));
}

#[test]
fn too_few_rounds_have_no_statement_and_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let short = Instance { rounds: 30, ..CONTAINER };
    let files = [VM.write(folder.path()), short.write(folder.path())];
    let json: Value = serde_json::from_str(&text(&["--format", "json"], &files)).unwrap();
    assert_eq!(
        (&json["rows"][0]["here"], &json["rows"][0]["no_here_reason"]),
        (&json!(null), &json!("few_rounds"))
    );
    assert!(text(&[], &files).contains("fewer than 40 clean rounds"));
}

#[test]
fn the_same_file_twice_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let files = [VM.write(folder.path()), CONTAINER.write(folder.path())];
    let twice = [files.clone(), files.clone()].concat();
    let rows = |files: &[PathBuf]| {
        let json: Value = serde_json::from_str(&text(&["--format", "json"], files)).unwrap();
        json["rows"].clone()
    };
    assert_eq!(rows(&files), rows(&twice));
}

#[test]
fn the_baseline_and_the_statistic_can_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let files = [VM.write(folder.path()), CONTAINER.write(folder.path())];
    let arguments = ["--baseline", "container_in_vm", "--statistic", "p99", "--format", "json"];
    let json: Value = serde_json::from_str(&text(&arguments, &files)).unwrap();
    assert_eq!(json["rows"][0]["here"]["verdict"], json!("faster"));
    assert_eq!(json["rows"][0]["statistic"], json!("p99"));
}

#[test]
fn a_report_goes_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let files = [VM.write(folder.path()), CONTAINER.write(folder.path())];
    let report = folder.path().join("report.md");
    let out = text(&["--format", "markdown", "--output", report.to_str().unwrap()], &files);
    assert_eq!(out, "");
    let markdown = std::fs::read_to_string(report).unwrap();
    assert!(markdown.contains("| syscall getppid | 60/54 |"), "{markdown}");
}

#[test]
fn what_cannot_be_compared_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let vm = VM.write(folder.path());
    let files = [vm.clone(), CONTAINER.write(folder.path())];
    let has = |message: String, expected: &str| assert!(message.contains(expected), "{message}");
    has(refused(&[], &[vm]), "nothing to compare");
    has(refused(&["--baseline", "sandbox"], &files), "there are: vm, container_in_vm");
    has(refused(&["--where", "seccomp=none"], &files), "nothing to compare");
    has(refused(&["--where", "seccomp=strict"], &files), "there are: filter, none");
    has(refused(&["--by", "region"], &files), "no instance has the label");
    // Each has sixty medians and a gauge.
    has(
        refused(&["--readings-limit", "121"], &files),
        "more than 121 readings: ask for a shorter time (--for)",
    );
    text(&["--readings-limit", "122"], &files);
    has(refused(&[], &["host:10990".into()]), "http(s)://HOST:PORT/metrics");
    has(refused(&[], &["/nowhere.json".into()]), "cannot read /nowhere.json");
}

#[test]
fn a_broken_file_is_named_and_the_others_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.json");
    std::fs::write(&broken, "{\"schema\": 1, \"instance\":").unwrap();
    let other = folder.path().join("other.prom");
    std::fs::write(&other, "up 1\n").unwrap();
    let files = [VM.write(folder.path()), CONTAINER.write(folder.path()), broken.clone(), other];
    let json: Value = serde_json::from_str(&text(&["--format", "json"], &files)).unwrap();
    assert_eq!(json["dropped"][0]["source"], json!(broken.to_str().unwrap()));
    assert!(json["dropped"][0]["reason"].as_str().unwrap().contains("line 1"), "{json}");
    assert!(json["dropped"][1]["reason"].as_str().unwrap().contains("not of a tierprobe agent"));
    assert!(text(&[], &files).contains("No data from"));
}

#[test]
fn a_reader_that_stops_early_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let files = [VM.write(folder.path()), CONTAINER.write(folder.path())];
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = Command::new(env!("CARGO_BIN_EXE_tierprobe-collector"))
        .arg("compare")
        .args(&files)
        .stdout(writer)
        .status()
        .unwrap();
    assert!(status.success());
}
