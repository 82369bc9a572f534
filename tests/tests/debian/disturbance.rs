//! What happens to a machine while a round runs: the clock is set, the machine sleeps, its CPUs are wanted by others.

use anyhow::{Context as _, ensure};
use tierprobe_model::Cause;
use tierprobe_model::record::Record;
use tierprobe_tests::guest::Guest;

use super::{LONG, known, record, value};

/// Rounds of a tenth of a second each, of which most is sleep.
const MEASURE: &str = "tierprobe-agent measure --probe scheduler --rounds 40 --pause 1ms --format json";

/// Measures while `meanwhile` happens in the middle; how many rounds there are, and how many bear this mark.
fn marked(guest: &mut Guest, meanwhile: &str, cause: Cause) -> anyhow::Result<(usize, usize)> {
    let record = record(guest, &format!("(sleep 2; {meanwhile}) >/run/meanwhile 2>&1 & {MEASURE}"))?;
    let said = guest.output("wait; cat /run/meanwhile")?;
    let rounds = wake_ups(&record)?;
    let marked = rounds.iter().filter(|disturbed| disturbed.contains(&cause)).count();
    println!("{meanwhile}: {marked} of {} rounds are marked {cause} {said}", rounds.len());
    Ok((rounds.len(), marked))
}

/// The marks of each round's wake-ups.
fn wake_ups(record: &Record) -> anyhow::Result<Vec<Vec<Cause>>> {
    let family =
        record.families.iter().find(|family| family.name == "tierprobe_scheduler_wakeup_delay_seconds");
    let series = family.and_then(|family| family.series.first()).context("no wake-ups")?;
    Ok(series.rounds.iter().map(|round| round.disturbed.clone()).collect())
}

/// An hour ahead and an hour back: two rounds, or one that has both.
pub(super) fn a_clock_that_is_set_is_seen(guest: &mut Guest) -> anyhow::Result<()> {
    let (rounds, marked) = marked(
        guest,
        "date -s @$(($(date +%s) + 3600)); sleep 1; date -s @$(($(date +%s) - 3600))",
        Cause::ClockStep,
    )?;
    ensure!((1..=2).contains(&marked), "{marked} of {rounds} rounds are marked");
    Ok(())
}

/// Asleep for three seconds, woken by the clock of the machine.
pub(super) fn a_sleep_of_the_machine_is_seen(guest: &mut Guest) -> anyhow::Result<()> {
    let (rounds, marked) = marked(guest, "rtcwake -m mem -s 3", Cause::Suspended)?;
    ensure!((1..=2).contains(&marked), "{marked} of {rounds} rounds are marked");
    Ok(())
}

/// Programs that want the CPU, for as long as the agent takes to notice.
pub(super) fn dear_probes_pause_under_pressure(guest: &mut Guest) -> anyhow::Result<()> {
    const PORT: u16 = 10991;
    guest.output(&format!(
        "systemd-run --quiet --unit=pressed tierprobe-agent serve --web.listen-address=127.0.0.1:{PORT} \
         --probe.interval=2s --probe.budget=0.5 --probe.pressure=0.5"
    ))?;
    let skipped = |probe: &str| {
        format!("tierprobe_probe_skipped_rounds_total{{probe=\"{probe}\",reason=\"pressure\"}}")
    };
    let get = tierprobe_tests::guest::get(PORT, "/metrics");
    // Before, nothing pauses, and pressure is what the kernel says it is.
    let pressure = "tierprobe_cpu_pressure_ratio{resource=\"cpu\",scope=\"system\"}";
    let before = guest.wait_for(&get, LONG, |answer| value(&answer.text, pressure).is_some())?;
    ensure!(value(&before, &skipped("spawn")).is_none(), "paused already:\n{before}");
    for hog in 0..4 {
        guest.output(&format!("systemd-run --quiet --unit=hog{hog} sh -c 'while :; do :; done'"))?;
    }
    let is_paused = |text: &str| value(text, &skipped("spawn")).is_some_and(|count| count >= 2.0);
    let paused = guest.wait_for(&get, LONG, |answer| is_paused(&answer.text));
    guest.output("systemctl stop hog0 hog1 hog2 hog3 pressed")?;
    let paused = paused?;
    ensure!(value(&paused, &skipped("syscall")).is_none(), "a cheap one paused, too:\n{paused}");
    let ran = "tierprobe_probe_runs_total{outcome=\"ok\",probe=\"syscall\"}";
    ensure!(known(&paused, ran)? > known(&before, ran)?, "a cheap one did not go on:\n{paused}");
    Ok(())
}
