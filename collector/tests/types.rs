//! Types that somebody changed between the agent and the collector, through the real binary: the source is named with
//! the family, and neither a row is made up nor a host lost in silence.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// Scrapes of a host in a folder, with the types as `changed` has them.
fn host(folder: &Path, name: &str, changed: &dyn Fn(String) -> String) -> String {
    let (tier, cost) = if name.starts_with("vm") { ("vm", 1e-7) } else { ("microvm", 2e-7) };
    let host = folder.join(name);
    std::fs::create_dir(&host).unwrap();
    for round in 0..12_u32 {
        let value = cost * (1.0 + 0.001 * f64::from(round * 7 % 11));
        let ended = 1_700_000_000 + 15 * round;
        let text = format!(
            "# TYPE tierprobe_tier_info gauge\ntierprobe_tier_info{{tier=\"{tier}\"}} 1\n\
             # TYPE tierprobe_kernel_info gauge\ntierprobe_kernel_info{{boot_id=\"{name}\"}} 1\n\
             # TYPE tierprobe_probe_last_round_timestamp_seconds gauge\n\
             tierprobe_probe_last_round_timestamp_seconds{{probe=\"syscall\"}} {ended}\n\
             # TYPE tierprobe_syscall_round_seconds summary\n\
             tierprobe_syscall_round_seconds{{syscall=\"read\",quantile=\"0.5\"}} {value}\n\
             tierprobe_syscall_round_seconds{{syscall=\"read\",quantile=\"1\"}} {}\n",
            value * 9.0
        );
        std::fs::write(host.join(format!("{round}.prom")), changed(text)).unwrap();
    }
    host.to_str().unwrap().to_owned()
}

/// Four hosts a side, of which the last one's types are `changed`.
fn report(changed: &dyn Fn(String) -> String) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let mut sources: Vec<String> = ["vm-0", "vm-1", "vm-2", "vm-3", "microvm-0", "microvm-1", "microvm-2"]
        .map(|name| host(folder.path(), name, &|text| text))
        .to_vec();
    sources.push(host(folder.path(), "microvm-3", changed));
    let mut command = Command::new(env!("CARGO_BIN_EXE_tierprobe-collector"));
    let output = command.args(["compare", "--format", "json"]).args(sources).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_changed_type_is_named_with_its_source() {
    for (family, expected, is) in [
        ("tierprobe_syscall_round_seconds", "summary", "gauge"),
        ("tierprobe_syscall_round_seconds", "summary", "counter"),
        ("tierprobe_probe_last_round_timestamp_seconds", "gauge", "counter"),
        ("tierprobe_tier_info", "gauge", "counter"),
    ] {
        let [before, after] = [expected, is].map(|kind| format!("# TYPE {family} {kind}\n"));
        let report = report(&|text| text.replace(&before, &after));
        let rows = report["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 1, "{family} as {is}: {rows:?}");
        assert_eq!(rows[0]["candidate"]["hosts"], json!(3));
        let dropped = report["dropped"].as_array().unwrap();
        let said = format!("{family} is of the type {is}, which an agent gives the type {expected}");
        let told = |one: &Value| {
            let of_host = one["source"].as_str().unwrap().contains("microvm-3");
            of_host && one["reason"].as_str().unwrap().contains(&said)
        };
        assert!(!dropped.is_empty() && dropped.iter().all(told), "{family} as {is}: {dropped:?}");
    }
}

#[test]
fn lost_types_lose_nothing() {
    let changes: [&dyn Fn(String) -> String; 2] =
        [&|text| text.replace(" summary\n", " untyped\n").replace(" gauge\n", " untyped\n"), &|text| {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(|line| format!("{line}\n")).collect()
        }];
    for changed in changes {
        let report = report(changed);
        assert_eq!(report["dropped"], json!([]));
        assert_eq!(report["rows"][0]["candidate"]["hosts"], json!(4), "{report}");
    }
}
