//! The probe `boot` beside `systemd-analyze time`.

use anyhow::{Context as _, ensure};
use tierprobe_model::record::Record;
use tierprobe_tests::guest::{self, Guest, systemd};

use super::{LONG, PORT, gauge, known, near, root, scrape, value};

const PHASE: &str = "tierprobe_boot_duration_seconds";
const TOTAL: &str = "tierprobe_boot_total_seconds{method=\"systemd\"}";
const RUNS: &str = "tierprobe_probe_runs_total{outcome=\"ok\",probe=\"boot\"}";

/// What systemd-analyze and the agent round to: milliseconds.
const ROUNDING: f64 = 0.001;

/// How often systemd itself is asked.
const QUESTIONS: u32 = 10;

fn phase(method: &str, phase: &str) -> String {
    format!("{PHASE}{{method=\"{method}\",phase=\"{phase}\"}}")
}

/// Before and after the last job of the boot.
pub(super) fn is_published_when_finished(guest: &mut Guest) -> anyhow::Result<()> {
    let fetch = guest::get(PORT, "/metrics");
    let early = guest.wait_for(&fetch, LONG, |answer| {
        answer.status == 0 && value(&answer.text, RUNS).is_some_and(|runs| runs >= 1.0)
    })?;
    ensure!(systemd::analyze(guest)?.is_none(), "the boot was to be held");
    ensure!(!early.contains("method=\"systemd\""), "a boot was published that is not finished:\n{early}");
    ensure!(
        value(&early, "tierprobe_probe_up{probe=\"boot\"}") == Some(1.0),
        "not finished is no failure:\n{early}"
    );
    guest.output("touch /run/go")?;
    guest.wait_for("systemd-analyze time", LONG, |answer| answer.status == 0)?;
    let late = guest.wait_for(&fetch, LONG, |answer| value(&answer.text, TOTAL).is_some())?;
    ensure!(known(&late, RUNS)? >= 2.0, "published without being asked again");
    Ok(())
}

/// The service asks over the bus: it is not root.
pub(super) fn phases_are_those_of_systemd_analyze(guest: &mut Guest) -> anyhow::Result<()> {
    let theirs = systemd::analyze(guest)?.context("not finished")?;
    let ours = scrape(guest)?;
    println!("systemd-analyze time: {theirs:?}");
    ensure!(theirs.keys().eq(["kernel", "total", "userspace"]), "{theirs:?}");
    for (name, seconds) in &theirs {
        let series = if name == "total" { TOTAL.to_owned() } else { phase("systemd", name) };
        near(known(&ours, &series)?, *seconds, ROUNDING, name)?;
    }
    let published =
        ours.lines().filter(|line| line.starts_with(PHASE) && line.contains("\"systemd\"")).count();
    ensure!(published == theirs.len() - 1, "{published} phases of {theirs:?}");
    Ok(())
}

/// The kernel's log and the first process's start, which root may see.
pub(super) fn each_method_says_its_own(guest: &mut Guest) -> anyhow::Result<()> {
    let record: Record = serde_json::from_str(&root(guest, "--probe boot --format json")?)?;
    let ours = |phase: &str, method: &str| {
        let found = gauge(&record, PHASE, &[("phase", phase), ("method", method)]);
        found.with_context(|| format!("no {phase} by {method}"))
    };
    let log = guest.output("dmesg | grep 'Run /init as init process'")?;
    let stamp = log.split_once('[').and_then(|(_, rest)| rest.split_once(']')).context("no stamp")?.0;
    near(ours("kernel", "kmsg")?, stamp.trim().parse()?, 1e-5, "kmsg")?;
    let ticks: f64 = guest.output("cut -d ' ' -f 22 /proc/1/stat")?.parse()?;
    near(ours("first_process", "starttime")?, ticks / 100.0, 1e-9, "starttime")?;
    println!(
        "first process {:.2} s, first program {:.2} s, systemd {:.2} s after the kernel's start",
        ours("first_process", "starttime")?,
        ours("kernel", "kmsg")?,
        ours("kernel", "systemd")?
    );
    // The first process is there before its program, and the program here is the initrd's.
    ensure!(ours("first_process", "starttime")? < ours("kernel", "kmsg")?, "{record:?}");
    ensure!(ours("kernel", "kmsg")? < ours("kernel", "systemd")?, "{record:?}");
    Ok(())
}

/// The kernel started when it did, whatever a process is told about it.
pub(super) fn a_time_namespace_shifts_nothing(guest: &mut Guest) -> anyhow::Result<()> {
    let start = |guest: &mut Guest, within: &str, of: &str| {
        let command = format!("{within} tierprobe-agent measure --rounds 1 --probe boot --format json");
        let record = super::record(guest, &command)?;
        let found = gauge(&record, "tierprobe_boot_start_timestamp_seconds", &[("of", of)]);
        found.with_context(|| format!("no start of {of}"))
    };
    let shifted = "unshare --time --boottime 5000000 --monotonic 5000000 --fork";
    let inside: f64 = guest.output(&format!("{shifted} cut -d . -f 1 /proc/uptime"))?.parse()?;
    ensure!(inside > 5_000_000.0, "the namespace shifts nothing: up for {inside} s");
    near(start(guest, shifted, "kernel")?, start(guest, "", "kernel")?, 1.0, "start of the kernel")?;
    let now: f64 = guest.output("date +%s")?.parse()?;
    near(start(guest, shifted, "agent")?, now, 30.0, "start of the agent")
}

/// `/run/systemd/private` is for root alone; without the bus nobody else has an answer.
pub(super) fn without_a_bus_root_asks_systemd_itself(guest: &mut Guest) -> anyhow::Result<()> {
    guest.output("systemctl stop dbus.socket dbus.service")?;
    let of = |guest: &mut Guest, within: &str| -> anyhow::Result<Option<f64>> {
        let command = format!("{within} tierprobe-agent measure --rounds 1 --probe boot --format json");
        let record = super::record(guest, &command)?;
        Ok(gauge(&record, PHASE, &[("phase", "userspace"), ("method", "systemd")]))
    };
    // More than once: a question can be lost by a race.
    for _ in 0..QUESTIONS {
        root(guest, "--probe boot --format json").context("systemd itself was not asked")?;
    }
    let somebody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    ensure!(of(guest, somebody)?.is_none(), "somebody else got an answer without the bus");
    Ok(())
}
