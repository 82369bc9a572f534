//! A machine that was started anew between its files is one host, through the real binary: what it was last.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// What a machine is from one start to the next, and what a system call costs there.
#[derive(Clone, Copy)]
struct Boot<'a> {
    tier: &'a str,
    id: &'a str,
    /// When its first round ends, in seconds since the epoch.
    begin: f64,
    cost: f64,
}

const ROUNDS: u32 = 48;
const PAUSE: f64 = 15.0;
const DAY: f64 = 86_400.0;

impl Boot<'_> {
    fn round(&self, at: u32) -> (f64, f64) {
        let value = self.cost * (1.0 + 0.004 * (f64::from(at * 7 % 11) - 5.0) / 5.0);
        (self.begin + PAUSE * f64::from(at), value)
    }

    fn scrape(&self, at: u32) -> String {
        let (ended, value) = self.round(at);
        format!(
            "# TYPE tierprobe_tier_info gauge\ntierprobe_tier_info{{tier=\"{}\"}} 1\n\
             # TYPE tierprobe_kernel_info gauge\ntierprobe_kernel_info{{release=\"6.1.0\",boot_id=\"{}\"}} 1\n\
             # TYPE tierprobe_probe_last_round_timestamp_seconds gauge\n\
             tierprobe_probe_last_round_timestamp_seconds{{probe=\"syscall\"}} {ended}\n\
             # TYPE tierprobe_syscall_round_seconds summary\n\
             tierprobe_syscall_round_seconds{{quantile=\"0.5\"}} {value}\n",
            self.tier, self.id
        )
    }

    fn record(&self, instance: &str) -> String {
        let round = |at: u32| {
            let (ended, value) = self.round(at);
            json!({"timestamp": ended, "min": value, "p50": value, "p90": value, "p99": value, "max": value, "samples": 9})
        };
        json!({
            "schema": 1, "instance": instance, "probes": [],
            "detection": {"schema": 1, "tier": self.tier, "confidence": 0.97, "kernel": "own", "stack": [], "evidence": [],
                          "unreadable": [], "roles": [], "isolation": {}},
            "families": [{"name": "tierprobe_syscall_seconds", "unit": "seconds",
                          "series": [{"labels": {}, "rounds": (0..ROUNDS).map(round).collect::<Vec<_>>()}]}],
            "gauges": [{"name": "tierprobe_kernel_info", "labels": {"release": "6.1.0", "boot_id": self.id}, "value": 1.0}],
        })
        .to_string()
    }
}

/// Two machines of each of two tiers, each started four times, with what is theirs in `write`.
fn machines(write: &mut dyn FnMut(&str, u8, Boot<'_>)) {
    for (tier, cost) in [("vm", 1e-7), ("microvm", 1.2e-7)] {
        for machine in 0..2_u8 {
            for boot in 0..4_u8 {
                let id = format!("{tier}-{machine}-{boot}");
                let luck = 1.0 + 0.002 * f64::from(machine) + 0.001 * f64::from(boot);
                let begin = 1.7e9 + DAY * f64::from(boot);
                write(&format!("{tier}-{machine}"), boot, Boot { tier, id: &id, begin, cost: cost * luck });
            }
        }
    }
}

fn report(sources: &[PathBuf]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tierprobe-collector"));
    let output = command.args(["compare", "--format", "json"]).args(sources).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What is said of the rounds that are left out: three starts of four machines.
fn are_two_hosts_a_side(report: &Value) {
    let row = &report["rows"][0];
    for side in ["baseline", "candidate"] {
        assert_eq!((&row[side]["instances"], &row[side]["hosts"]), (&json!(2), &json!(2)), "{row}");
        assert_eq!(row[side]["rounds"], json!(2 * ROUNDS), "{row}");
    }
    assert!(row["tags"].as_array().unwrap().contains(&json!("provisional")), "{row}");
    let dropped = report["dropped"].as_array().unwrap();
    let before = format!("{ROUNDS} rounds from before it changed (boot_id) are left out");
    let told = dropped.iter().filter(|one| one["reason"].as_str().unwrap().starts_with(&before)).count();
    assert_eq!((told, dropped.len()), (12, 12), "{dropped:?}");
}

#[test]
fn a_folder_of_scrapes_is_one_host_however_often_it_was_started() {
    let folder = tempfile::tempdir().unwrap();
    machines(&mut |machine, boot, what| {
        let scrapes = folder.path().join(machine);
        std::fs::create_dir_all(&scrapes).unwrap();
        for at in 0..ROUNDS {
            // The names say nothing of the order.
            let name = format!("{}-{boot}-{}.prom", at * 7 % 11, ROUNDS - at);
            std::fs::write(scrapes.join(name), what.scrape(at)).unwrap();
        }
    });
    let alone = ["vm-0", "vm-1", "microvm-0", "microvm-1"].map(|machine| folder.path().join(machine));
    let report_of_each = report(&alone);
    are_two_hosts_a_side(&report_of_each);
    let sources = report_of_each["sources"].as_array().unwrap();
    assert_eq!((sources.len(), &sources[0]["instances"]), (4, &json!(1)), "{sources:?}");
    are_two_hosts_a_side(&report(&[folder.path().to_owned()]));
}

#[test]
fn records_of_one_name_are_one_host_however_often_it_was_started() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    machines(&mut |machine, boot, what| {
        let path = folder.path().join(format!("{boot}-{machine}.json"));
        std::fs::write(&path, what.record(machine)).unwrap();
        files.push(path);
    });
    let in_order = report(&files);
    are_two_hosts_a_side(&in_order);
    // Only those that count are sources of something.
    assert_eq!(in_order["sources"].as_array().unwrap().len(), 4);
    files.reverse();
    let reversed = report(&files);
    are_two_hosts_a_side(&reversed);
    assert_eq!(in_order["rows"], reversed["rows"]);
}

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn what_ran_on_one_kernel_under_one_name_is_compared() {
    // A container that shares its host's name, measured after it.
    let folder = tempfile::tempdir().unwrap();
    let host = Boot { tier: "vm", id: "a", begin: 1.7e9, cost: 1e-7 };
    let container = Boot { tier: "container_in_vm", begin: 1.7e9 + 3600.0, cost: 2e-7, ..host };
    let files = [("host.json", host), ("container.json", container)]
        .map(|(name, what)| written(folder.path(), name, &what.record("node")));
    let report = report(&files);
    assert_eq!(report["dropped"], json!([]));
    assert_eq!(report["rows"][0]["here"]["verdict"], json!("slower"), "{}", report["rows"]);
}

#[test]
fn a_folder_names_what_is_no_use_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let boot = Boot { tier: "vm", id: "a", begin: 1.7e9, cost: 1e-7 };
    let vm = folder.path().join("vm");
    std::fs::create_dir(&vm).unwrap();
    for at in 0..ROUNDS {
        written(&vm, &format!("{at}.prom"), &boot.scrape(at));
    }
    let early = boot.scrape(0).replace("1700000000", "0");
    let bad = [
        ("early.prom", early.as_str(), "no probe has finished a round"),
        ("other.prom", "node_load1 1\n", "not of a tierprobe agent"),
        ("cut.txt", "tierprobe_x 1", "cut off"),
    ];
    let bad = bad.map(|(name, text, said)| (written(&vm, name, text), said));
    let nothing = folder.path().join("nothing");
    std::fs::create_dir(&nothing).unwrap();
    let silent = written(&nothing, "silent.prom", &early);
    let other = Boot { tier: "microvm", id: "b", ..boot };
    let other = written(folder.path(), "other.json", &other.record("other"));
    let report = report(&[vm, nothing, other]);
    let dropped = report["dropped"].as_array().unwrap();
    let reason = |path: &Path| {
        let found = dropped.iter().find(|one| one["source"].as_str() == path.to_str());
        found.unwrap_or_else(|| panic!("{} is not in {dropped:?}", path.display()))["reason"]
            .as_str()
            .unwrap()
    };
    for (path, said) in &bad {
        assert!(reason(path).contains(said), "{}: {}", path.display(), reason(path));
    }
    assert!(reason(&silent).contains("no probe has finished a round"));
    assert_eq!(dropped.len(), 4);
    assert_eq!(report["rows"][0]["baseline"]["rounds"], json!(ROUNDS));
}
