//! The program as a user meets it: what it prints, how it ends, what it says to bad input.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test starts the program and fails by panicking"
)]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use tierprobe_model::record::{Outcome, Record};
use tierprobe_model::{Detection, Tier};

fn agent(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tierprobe-agent")).args(arguments).output().unwrap()
}

/// What a run that must fail said.
fn refused(arguments: &[&str]) -> String {
    let output = agent(arguments);
    assert!(!output.status.success(), "{arguments:?} was accepted");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!text.contains("panicked"), "{text}");
    text
}

#[test]
fn wrong_flags_are_named_with_what_to_write() {
    for (arguments, expected) in [
        (&["serve", "--probe.slot", "4/3"][..], "K/N"),
        (&["serve", "--probe.slot", "nonsense"], "K/N"),
        (&["serve", "--probe.interval", "15"], "for example 15s"),
        (&["serve", "--probe.interval", "1ms"], "--probe.interval"),
        (&["serve", "--probe.budget", "2"], "--probe.budget"),
        (&["serve", "--web.listen-address", "nowhere"], "--web.listen-address"),
        (&["serve", "--web.telemetry-path", "metrics"], "--web.telemetry-path"),
        (&["serve", "--probe.nonsense"], "--probe.nonsense"),
        (&["serve", "--path.rootfs", "/nowhere"], "--path.rootfs"),
        (&["serve", "--config.file", "/nowhere.toml"], "/nowhere.toml"),
        (&["detect", "--cpuid", "/nowhere.toml"], "/nowhere.toml"),
        (&["detect", "--path.procfs", "/etc/passwd"], "--path.procfs"),
        (&["measure", "--probe", "nonsense"], "there are boot, memory"),
        (&["measure", "--rounds", "0"], "--rounds"),
        (&["measure", "--rounds", "1", "--probe", "boot", "--output", "/nowhere/x"], "/nowhere/x"),
        (&[], "Usage"),
    ] {
        let text = refused(arguments);
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
}

#[test]
fn a_config_file_that_is_no_config_is_named_with_the_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agent.toml");
    let path = file.to_str().unwrap();
    for (content, expected) in [
        (&b"[web]\nport = 1\n"[..], "line 2"),
        (b"\xff\xfe\x00", path),
        (&vec![b'#'; 2 << 20], "larger than"),
    ] {
        fs::write(&file, content).unwrap();
        let text = refused(&["serve", "--config.file", path]);
        assert!(text.contains(expected) && text.contains(path), "{text}");
    }
    let text = refused(&["serve", "--config.file", directory.path().to_str().unwrap()]);
    assert!(text.contains("directory"), "{text}");
}

#[test]
fn an_occupied_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = refused(&["serve", "--web.listen-address", &address]);
    assert!(text.contains(&address) && text.contains("in use"), "{text}");
}

#[test]
fn detect_tells_the_same_in_words_and_in_json() {
    let detection: Detection =
        serde_json::from_slice(&agent(&["detect", "--format", "json"]).stdout).unwrap();
    let words = String::from_utf8(agent(&["detect"]).stdout).unwrap();
    assert!(words.starts_with(detection.tier.as_str()), "{words}");
    for layer in &detection.stack {
        assert!(words.contains(&layer.name), "{words}");
    }
}

#[test]
fn an_empty_root_is_unknown_whatever_the_live_host_is() {
    let root = tempfile::tempdir().unwrap();
    let output = agent(&["detect", "--format", "json", "--path.rootfs", root.path().to_str().unwrap()]);
    let detection: Detection = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((detection.tier, detection.evidence.len()), (Tier::Unknown, 0));
}

#[test]
fn a_record_has_every_round_of_every_probe() {
    let output =
        agent(&["measure", "--rounds", "3", "--pause", "1ms", "--format", "json", "--instance", "me"]);
    let record: Record = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(record.instance, "me");
    let getppid = record
        .families
        .iter()
        .find(|family| family.name == "tierprobe_syscall_seconds")
        .and_then(|family| family.series.iter().find(|series| series.labels["syscall"] == "getppid"))
        .unwrap();
    assert_eq!(getppid.rounds.len(), 3);
    for round in &getppid.rounds {
        let values = round.quantiles.by_quantile().map(|(_, value)| value);
        assert!(values.is_sorted() && values[0] > 0.0 && values[0] < 1e-3, "{round:?}");
    }
    assert!(record.gauges.iter().any(|gauge| gauge.name == "tierprobe_kernel_info"));
}

/// The outcome of the memory probe with this for `/proc/meminfo`.
fn memory_with(meminfo: Option<&[u8]>) -> (Outcome, String) {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("proc")).unwrap();
    if let Some(content) = meminfo {
        fs::write(root.path().join("proc/meminfo"), content).unwrap();
    }
    let root = root.path().to_str().unwrap();
    let output =
        agent(&["measure", "--rounds", "1", "--probe", "memory", "--format", "json", "--path.rootfs", root]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let record: Record = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        record.gauges.iter().all(|gauge| !gauge.name.starts_with("tierprobe_memory_")),
        "a number out of nothing"
    );
    let probe = record.probes.into_iter().next().unwrap();
    (probe.outcome, probe.reason)
}

#[test]
fn a_kernel_file_that_is_not_what_it_should_be_is_a_failed_probe() {
    let huge = vec![b'x'; 8 << 20];
    for content in [&b""[..], b"MemTotal: many kB\n", b"\x00\xff\xfe\x80", &huge] {
        let (outcome, reason) = memory_with(Some(content));
        assert_eq!(outcome, Outcome::Failed);
        assert!(reason.contains("/proc/meminfo"), "{reason}");
    }
    let (outcome, reason) = memory_with(None);
    assert_eq!(outcome, Outcome::Unsupported, "where there is no file there is nothing to measure");
    assert!(reason.contains("/proc/meminfo"), "{reason}");
}

#[test]
fn check_says_of_every_probe_what_became_of_it() {
    let output = agent(&["check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for probe in [
        "boot",
        "memory",
        "syscall",
        "vm_exit",
        "page_fault",
        "scheduler",
        "cpu",
        "spawn",
        "network",
        "netfilter",
        "storage",
    ] {
        assert!(text.lines().any(|line| line.starts_with(probe)), "{text}");
    }
}

#[test]
fn output_is_written_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("record.json");
    let arguments = [
        "measure",
        "--rounds",
        "1",
        "--probe",
        "syscall",
        "--format",
        "json",
        "--output",
        file.to_str().unwrap(),
    ];
    assert!(agent(&arguments).status.success());
    let _record: Record = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let names: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [Path::new("record.json").as_os_str()]);
}
