//! The agent as a service of a whole Debian, in a virtual machine: its boot beside `systemd-analyze`, its memory beside
//! `/proc/meminfo` and the size of the machine, what the unit's hardening hides, a delay that was put on its network, and
//! what disturbs its rounds.
//!
//! One boot serves all of it, so that it is one test; it tells everything that is wrong, not only the first.

#![expect(clippy::print_stdout, reason = "a test says what it found")]

#[path = "debian/boot.rs"]
mod boot;
#[path = "debian/disturbance.rs"]
mod disturbance;
#[path = "debian/hardening.rs"]
mod hardening;
#[path = "debian/memory.rs"]
mod memory;
#[path = "debian/network.rs"]
mod network;
#[path = "debian/path.rs"]
mod path;

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tierprobe_model::record::Record;
use tierprobe_tests::binary;
use tierprobe_tests::guest::{Content, Guest, Options, Parts};
use tierprobe_tests::scrape::value;

/// Part of the boot until a file is there.
const HOLD: &str = "[Unit]\nDescription=Holds the boot\n[Service]\nType=oneshot\n\
    ExecStart=/bin/sh -c 'until [ -e /run/go ]; do sleep 0.2; done'\n";

/// An emulated processor is slower by a factor than any budget is made for.
const SLOW: &str = "[Service]\nExecStart=\nExecStart=/usr/bin/tierprobe-agent serve \
    --web.listen-address=127.0.0.1:10990 --probe.budget=0.5 --probe.pressure=1\n";

/// Where the shipped unit listens.
const PORT: u16 = 10990;

/// The agent run by root, without the unit.
const MEASURE: &str = "tierprobe-agent measure --pause 50ms";

/// What a scrape of the service finds.
fn scrape(guest: &mut Guest) -> anyhow::Result<String> {
    guest.get(PORT, "/metrics")
}

/// As [`value`], of a series that must be there.
fn known(scrape: &str, series: &str) -> anyhow::Result<f64> {
    value(scrape, series).with_context(|| format!("no {series}"))
}

/// What `measure` with these arguments writes.
fn measure(guest: &mut Guest, arguments: &str) -> anyhow::Result<Record> {
    record(guest, &format!("{MEASURE} {arguments} --format json"))
}

/// What a command writes that measures.
fn record(guest: &mut Guest, command: &str) -> anyhow::Result<Record> {
    let text = guest.output(&format!("{command} 2>/dev/null"))?;
    serde_json::from_str(&text).with_context(|| text.clone())
}

/// What root's agent writes in this format. systemd must have answered it the first time: a second question would hide that
/// the first was lost.
fn root(guest: &mut Guest, arguments: &str) -> anyhow::Result<String> {
    let text = guest.output(&format!("{MEASURE} --rounds 1 {arguments} 2>/run/said"))?;
    if !text.contains("tierprobe_boot_total_seconds") {
        bail!("no answer of systemd: {}", guest.output("cat /run/said")?);
    }
    Ok(text)
}

/// The value of a gauge in a record.
fn gauge(record: &Record, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let has = |gauge: &&tierprobe_model::record::GaugeRecord| {
        gauge.name == name
            && labels.iter().all(|(name, value)| gauge.labels.get(*name).is_some_and(|is| is == value))
    };
    record.gauges.iter().find(has).map(|gauge| gauge.value)
}

fn near(ours: f64, theirs: f64, largest: f64, what: &str) -> anyhow::Result<()> {
    ensure!((ours - theirs).abs() <= largest, "{what}: {ours}, but {theirs} expected");
    Ok(())
}

type Part = (&'static str, fn(&mut Guest) -> anyhow::Result<()>);

/// In this order: the first waits for the end of the boot, the last stops a part of the system.
const PARTS: [Part; 14] = [
    ("the boot is published when it is finished", boot::is_published_when_finished),
    ("the phases are those of systemd-analyze", boot::phases_are_those_of_systemd_analyze),
    ("each method says its own", boot::each_method_says_its_own),
    ("a time namespace shifts no boot", boot::a_time_namespace_shifts_nothing),
    ("memory adds up to the machine's size", memory::adds_up_to_the_machines_size),
    ("limits of control groups are seen", memory::limits_of_control_groups_are_seen),
    ("hardening falsifies nothing", hardening::falsifies_nothing),
    ("a delay on the network is measured", network::a_delay_is_measured),
    ("a way is called what it is", path::is_called_what_it_is),
    ("a card is called what its driver is for", path::a_card_is_called_what_its_driver_is_for),
    ("a clock that is set is seen", disturbance::a_clock_that_is_set_is_seen),
    ("dear probes pause under pressure", disturbance::dear_probes_pause_under_pressure),
    ("a sleep of the machine is seen", disturbance::a_sleep_of_the_machine_is_seen),
    ("without a bus root asks systemd itself", boot::without_a_bus_root_asks_systemd_itself),
];

#[test]
fn the_shipped_service_tells_the_truth_about_a_debian() {
    let Some(parts) = Parts::need() else { return };
    let options = Options::default().with_agent(binary::agent()).unwrap();
    let mut options = options.with_unit("tierprobe-tests-hold.service", HOLD);
    let drop_in = "etc/systemd/system/tierprobe-agent.service.d/emulated.conf";
    options.files.push((drop_in.to_owned(), Content::File(SLOW.into())));
    options.arguments.extend(path::CARDS.map(str::to_owned));
    let mut guest = Guest::start(&parts, &options).unwrap();
    let mut wrong = Vec::new();
    for (name, part) in PARTS {
        let begin = std::time::Instant::now();
        if let Err(error) = part(&mut guest) {
            wrong.push(format!("{name}: {error:?}"));
        }
        println!("{name}: {:.1} s", begin.elapsed().as_secs_f64());
    }
    if !wrong.is_empty() {
        let journal = guest.run("journalctl --no-pager -b -u tierprobe-agent | tail -n 40");
        panic!("{}\n{journal:?}\n{}", wrong.join("\n"), guest.log());
    }
}

/// How long something may take that takes a few seconds.
const LONG: Duration = Duration::from_secs(90);
