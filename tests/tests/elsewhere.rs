//! An agent whose machine becomes another while it runs, as when it is restored from a snapshot on another host.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tierprobe_agent::detect::detect;
use tierprobe_agent::machine::Machine;
use tierprobe_tests::agent::Agent;
use tierprobe_tests::scrape;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hosts").join(name).join("root")
}

/// The tier that the agent finds in a tree, as it stands in the metrics.
fn tier(root: &Path) -> String {
    let tier = detect(&Machine::fixture(root, None, None).unwrap()).tier;
    format!("tier=\"{}\"", tier.as_str())
}

/// Makes `link` lead there, at one instant.
fn lead(link: &Path, root: &Path) {
    let new = link.with_extension("new");
    symlink(root, &new).unwrap();
    fs::rename(new, link).unwrap();
}

fn value(metrics: &str, family: &str) -> f64 {
    scrape::value(metrics, family).unwrap()
}

const CHANGES: &str = "tierprobe_tier_changes_total";
const LAST: &str = "tierprobe_tier_last_detection_timestamp_seconds";

#[test]
fn a_host_that_changes_is_another_by_the_next_detection() {
    let (before, after) = (fixture("kvm_qemu_q35"), fixture("docker_on_bare_metal"));
    let (old, new) = (tier(&before), tier(&after));
    assert_ne!(old, new);
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    lead(&root, &before);
    let mut agent = Agent::start(&[&format!("--path.rootfs={}", root.display()), "--detect.interval=1s"]);
    let first = agent.metrics();
    assert!(first.contains(&old) && !first.contains(&new), "{first}");
    assert!(value(&first, CHANGES).abs() < 0.5, "{first}");

    // Just after a detection, so that none reads a part of each host.
    let again = agent.wait_for_metrics("a second detection", |text| value(text, LAST) > value(&first, LAST));
    lead(&root, &after);
    agent.wait_for_metrics("the new tier", |text| text.contains(&new));
    let text = agent.wait_for_metrics("rounds of the new host", |text| {
        text.contains("tierprobe_probe_last_round_timestamp_seconds{")
    });
    assert!(!text.contains(&old), "{text}");
    assert!((value(&text, CHANGES) - 1.0).abs() < 0.5, "{text}");
    assert!(value(&text, LAST) > value(&again, LAST), "{text}");
    let series: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.rsplit_once(' ')?.0))
        .collect();
    assert_eq!(
        series.iter().collect::<BTreeSet<_>>().len(),
        series.len(),
        "a series is there twice:\n{text}"
    );

    // Detected again and again since, and logged once.
    let seen = value(&text, LAST);
    agent.wait_for_metrics("one more detection", |text| value(text, LAST) > seen);
    let log = agent.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("the verdict has changed")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(
        lines[0].contains("level=warn") && lines[0].contains("old=") && lines[0].contains("new="),
        "{log}"
    );
}

#[test]
fn another_boot_is_detected_without_waiting_for_the_interval() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let host = |name: &str, boot_id: &str| {
        let copy = folder.path().join(name);
        assert!(
            std::process::Command::new("cp")
                .arg("-a")
                .arg(fixture(name))
                .arg(&copy)
                .status()
                .unwrap()
                .success()
        );
        fs::create_dir_all(copy.join("proc/sys/kernel/random")).unwrap();
        fs::write(copy.join("proc/sys/kernel/random/boot_id"), boot_id).unwrap();
        copy
    };
    let (before, after) = (host("kvm_qemu_q35", "one"), host("docker_on_bare_metal", "two"));
    lead(&root, &before);
    let mut agent = Agent::start(&[&format!("--path.rootfs={}", root.display()), "--detect.interval=24h"]);
    lead(&root, &after);
    let text = agent.wait_for_metrics("the new tier", |text| text.contains(&tier(&after)));
    assert!((value(&text, CHANGES) - 1.0).abs() < 0.5, "{text}");
    assert!(agent.log().contains("another boot id"), "{}", agent.log());
}
