//! The lab for real: a process, runc, Docker, bubblewrap and a QEMU guest, each with the shipped agent in it.
//!
//! What the agents found out is compared with what the lab started, and nothing may stay behind.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

use std::process::Command;

use serde_json::Value;
use tierprobe_model::{Detection, Kernel, Tier};
use tierprobe_tests::{agent, binary, contained, need, repository};

/// Long enough for some rounds of each; the numbers are not looked at.
const DURATION: &str = "20s";

/// The lab's document.
fn run(launchers: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("lab.json");
    let mut command = Command::new(binary::collector());
    command.args(["lab", "--tier", launchers, "--for", DURATION, "--starts", "1"]);
    command.arg("--agent").arg(binary::agent()).arg("--output").arg(&output);
    let kernel = repository("out/guest-kernel");
    if kernel.join("boot").is_dir() {
        command.arg("--kernel").arg(kernel);
    }
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{}\n{said}", ended.status);
    let text = std::fs::read_to_string(&output).unwrap_or_else(|error| panic!("{error}\n{said}"));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_tier_is_started_recognised_measured_and_cleaned_up() {
    let needed = ["runc", "bwrap", "dockerd", "qemu-system-x86_64", "busybox"];
    if needed.iter().any(|program| need::need(program).is_none()) {
        return;
    }
    let host: Detection = serde_json::from_str(&agent::output(&["detect", "--format", "json"])).unwrap();
    let document = run("process,runc,docker,bwrap,qemu");
    let lab = &document["lab"];
    assert_eq!(lab["skipped"], Value::Array(Vec::new()), "a launcher cannot run here");

    let inside = contained(host.tier).as_str();
    let expected = [
        ("process", host.tier.as_str(), "", ""),
        ("runc", inside, "container_runtime", ""),
        ("docker", inside, "container_runtime", "docker"),
        ("bwrap", inside, "container_runtime", "bubblewrap"),
        ("qemu", Tier::Vm.as_str(), "vmm", "qemu"),
    ];
    let tiers = lab["tiers"].as_array().unwrap();
    assert_eq!(tiers.len(), expected.len(), "{lab:#}");
    for (found, (launcher, tier, label, name)) in tiers.iter().zip(expected) {
        assert_eq!(found["failure"], Value::Null, "{launcher}: {found:#}");
        assert_eq!((found["launcher"].as_str(), found["tier"].as_str()), (Some(launcher), Some(tier)));
        let labels = &found["labels"];
        if !name.is_empty() {
            assert_eq!(labels[label].as_str(), Some(name), "{launcher}: {labels}");
        }
        let kernel = if contained(host.tier).as_str() == tier { Kernel::Shared } else { Kernel::Own };
        let kernel = if launcher == "process" { host.kernel } else { kernel };
        assert_eq!(labels["kernel"].as_str(), Some(kernel.as_str()), "{launcher}: {labels}");
        assert!(found["start_seconds_p50"].as_f64().unwrap() > 0.0, "{launcher}");
        assert!(found["host_memory_bytes_p50"].as_f64().unwrap() > 1e6, "{launcher}");
    }
    assert_eq!(tiers[2]["labels"]["seccomp"].as_str(), Some("filter"), "Docker's default");
    assert_eq!(tiers[1]["labels"]["seccomp"].as_str(), Some("none"));

    // Whatever is left carries the name of the run.
    let left: Vec<&str> = lab["warnings"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(left.iter().all(|warning| !warning.starts_with("left behind")), "{left:#?}");

    for family in [
        "tierprobe_syscall_seconds",
        "tierprobe_page_fault_seconds",
        "tierprobe_vm_exit_seconds",
        "tierprobe_scheduler_wakeup_delay_seconds",
        "tierprobe_network_round_trip_seconds",
        "tierprobe_network_connect_seconds",
        "tierprobe_lab_start_seconds",
        "tierprobe_lab_host_memory_bytes",
    ] {
        for group in ["runc", "docker", "bwrap", "qemu"] {
            let rows: Vec<&Value> = document["rows"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|row| row["family"].as_str() == Some(family) && row["group"].as_str() == Some(group))
                .collect();
            assert!(!rows.is_empty(), "no row of {family} for {group}");
            // So short a run may have too few clean rounds of what is measured inside; starts are never disturbed.
            let has_ratio = rows.iter().any(|row| row["ratio"].as_f64().is_some_and(|ratio| ratio > 0.0));
            assert!(has_ratio || !family.starts_with("tierprobe_lab_"), "{rows:#?}");
            for row in rows {
                let verdict = row["verdict"].as_str();
                assert_eq!(verdict, Some("inconclusive"), "one host a side says nothing of a tier: {row:#}");
            }
        }
    }
}
