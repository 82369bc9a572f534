//! What a scrape shows, whole, over a fixture host; and METRICS.md.
//!
//! Measured values are masked, everything else is exact: names, labels, help, types, order, and what follows from the
//! fixture's files. `make golden` writes the files anew; a review sees the difference.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tierprobe_agent::machine::Machine;
use tierprobe_agent::probe::{PROBES, Settings, Spec};
use tierprobe_agent::process::ProcessStats;
use tierprobe_agent::snapshot::Snapshot;
use tierprobe_agent::{export, locate, metrics_doc, record, runner};

const HOST: &str = "kvm_qemu_q35";

fn in_tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares with the file, or writes it under `TIERPROBE_GOLDEN=write`.
fn assert_golden(path: &Path, actual: &str) {
    if std::env::var_os("TIERPROBE_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(path, actual).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    if expected != actual {
        let mut difference = String::new();
        for line in actual.lines().filter(|line| !expected.lines().any(|known| known == *line)) {
            writeln!(difference, "+ {line}").unwrap();
        }
        for line in expected.lines().filter(|line| !actual.lines().any(|new| new == *line)) {
            writeln!(difference, "- {line}").unwrap();
        }
        panic!("{} is stale; look at the difference, then run `make golden`:\n{difference}", path.display());
    }
}

#[test]
fn a_scrape_of_a_fixture_host_shows_what_the_golden_file_says() {
    let folder = in_tests("fixtures/hosts").join(HOST);
    let machine =
        Machine::fixture(&folder.join("root"), Some(&folder.join("cpuid.toml")), Some("x86_64")).unwrap();
    let place = Arc::new(locate(&machine));
    // `spawn` starts the program that it is in, which here is a test.
    let specs: Vec<&'static Spec> = PROBES.iter().filter(|spec| spec.name != "spawn").collect();
    let snapshot = Snapshot::new(Arc::clone(&place), &specs);
    let recorder = std::thread::spawn(move || {
        let runner = runner(&specs, &Settings::default(), &machine.fs, &place.detection);
        record::measure(runner, snapshot, 1, Duration::ZERO, |_| {})
    })
    .join()
    .unwrap();
    let process = ProcessStats {
        cpu_seconds: Some(1.5),
        resident_bytes: Some(4_194_304.0),
        virtual_bytes: Some(8_388_608.0),
        start_seconds: Some(1_790_000_000.0),
        threads: Some(3.0),
        open_files: Some(12.0),
        max_files: Some(1024.0),
    };
    let text = String::from_utf8(export::text(recorder.snapshot(), &process).unwrap()).unwrap();
    assert_golden(&in_tests("golden/exposition.prom"), &masked(&text));
}

/// Families whose values do not change from run to run.
const EXACT: &[&str] = &[
    "process_",
    "tierprobe_build_info",
    "tierprobe_tier_info",
    "tierprobe_tier_confidence_ratio",
    "tierprobe_tier_changes_total",
    "tierprobe_kernel_info",
    "tierprobe_host_info",
    "tierprobe_isolation_",
    "tierprobe_memory_",
    "tierprobe_boot_",
    "tierprobe_probe_supported",
    "tierprobe_probe_up",
    "tierprobe_probe_runs_total",
];

/// What one run disturbs and another does not, what a single CPU does not have, and what a spin without a gap in it, or
/// without a tick, has no length of.
const CHANCE: &[&str] = &["disturbed_rounds_total", "cross_cpu", "tierprobe_cpu_gap_", "tierprobe_cpu_tick_"];

fn masked(text: &str) -> String {
    text.lines().filter(|line| !CHANCE.iter().any(|name| line.contains(name))).fold(
        String::new(),
        |mut masked, line| {
            let exact = line.starts_with('#') || EXACT.iter().any(|prefix| line.starts_with(prefix));
            match line.rsplit_once(' ') {
                Some((series, value)) if !exact => {
                    let value: f64 = value.parse().unwrap();
                    assert!(value.is_finite(), "{line}");
                    writeln!(masked, "{series} VALUE").unwrap();
                }
                _ => writeln!(masked, "{line}").unwrap(),
            }
            masked
        },
    )
}

#[test]
fn metrics_md_is_what_the_code_publishes() {
    assert_golden(&in_tests("../agent/METRICS.md"), &metrics_doc::render());
}
