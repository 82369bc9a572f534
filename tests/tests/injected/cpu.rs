//! CPU time that somebody else takes, or that a quota keeps back.

use std::process::Command;

use tierprobe_model::Cause;
use tierprobe_tests::confine::cgroup::{Group, Version};
use tierprobe_tests::confine::cpu;
use tierprobe_tests::measured::{Measured, median};
use tierprobe_tests::need::{have, need};

use crate::{Hog, agent, alone};

const TURNS: usize = 3;

/// Programs that want one CPU.
const HOGS: usize = 16;

/// Rounds that are marked, of how many, the longest gap, the unexplained share of what is lost, and marked rounds of new
/// processes.
type Run = ((usize, usize), f64, f64, usize);

/// The largest; of nothing, nothing is.
fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// The quota of a group, 5 ms in 200, or none.
fn quota(group: &Group, limited: bool) -> std::io::Result<()> {
    match group.version {
        Version::V1 => {
            group.set("cpu.cfs_period_us", "200000")?;
            group.set("cpu.cfs_quota_us", if limited { "5000" } else { "-1" })
        }
        Version::V2 => group.set("cpu.max", if limited { "5000 200000" } else { "max 200000" }),
    }
}

#[test]
fn a_quota_shows_as_throttling_lost_time_and_marked_rounds() {
    let _alone = alone();
    let made = have("a control group for the CPU", Group::make("cpu", "quota"));
    let Some(group) = made else { return };
    let run = |limited: bool| {
        quota(&group, limited).unwrap();
        let mut command = agent(&["--rounds", "14", "--pause", "1ms", "--probe", "cpu"]);
        group.confine(&mut command);
        Measured::by(&mut command)
    };
    let mut lost = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for limited in [false, true] {
            let measured = run(limited);
            let throttled = largest(&measured.gauges("tierprobe_cpu_throttled_ratio", &[]));
            let (marked, rounds) = measured.marked(Cause::Throttled);
            println!("limited {limited}: throttled {throttled}, {marked} of {rounds} marked");
            if limited {
                // What it wants is most of a CPU, what it gets a fortieth.
                assert!(throttled > 0.3, "{throttled}");
                assert!(marked * 2 > rounds, "{marked} of {rounds} rounds are marked as throttled");
            } else {
                // Both are exact: without a quota nobody is throttled.
                assert!(throttled.abs() < 1e-9 && marked == 0, "{throttled}, {marked} of {rounds}");
            }
            let gaps = largest(&measured.gauges("tierprobe_cpu_gap_longest_seconds", &[]));
            lost[usize::from(limited)]
                .push((gaps, largest(&measured.gauges("tierprobe_cpu_lost_ratio", &[]))));
        }
    }
    println!("longest gap, lost: {:?} without a quota, {:?} with", lost[0], lost[1]);
    let gap = lost.each_ref().map(|runs| median(runs.iter().map(|run| run.0)));
    assert!(gap[1] > 0.1 && gap[1] > gap[0], "the longest gap: {lost:?}");
    let share = lost.each_ref().map(|runs| median(runs.iter().map(|run| run.1)));
    assert!(share[1] > 0.95 && share[1] > share[0], "the lost share of the worst round: {lost:?}");
}

#[test]
fn a_real_time_program_delays_wake_ups() {
    let _alone = alone();
    let Some(chrt) = need("chrt") else { return };
    let cpu = cpu::last().unwrap();
    let allowed = Command::new(&chrt).args(["-f", "10", "true"]).status().unwrap();
    let allowed = if allowed.success() { Ok(()) } else { Err("chrt -f 10: not permitted") };
    if have("a real-time program", allowed).is_none() {
        return;
    }
    let run = || {
        let mut command = agent(&["--rounds", "2", "--pause", "5ms", "--probe", "scheduler"]);
        cpu::pin(&mut command, cpu);
        let measured = Measured::by(&mut command);
        let delays = measured.quantiles("tierprobe_scheduler_wakeup_delay_seconds", &[]);
        let longest = measured.gauges("tierprobe_scheduler_wakeup_service_longest_seconds", &[]);
        let missed = measured.gauges("tierprobe_scheduler_missed_deadlines", &[]);
        let late = median(delays.iter().map(|round| round.max));
        for (round, service) in delays.iter().zip(&longest) {
            assert!(*service <= round.max, "a wake-up cannot take longer than since its deadline");
        }
        (late, missed.iter().sum::<f64>())
    };
    let (mut quiet, mut hogged) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        quiet.push(run());
        let mut command = Command::new(&chrt);
        command.args(["-f", "10", env!("CARGO_BIN_EXE_hog"), "half", "25"]);
        cpu::pin(&mut command, cpu);
        let hog = Hog::start(&mut command);
        hogged.push(run());
        drop(hog);
    }
    println!("longest delay, missed: {quiet:?} alone, {hogged:?} beside a real-time program");
    let late = |runs: &[(f64, f64)]| median(runs.iter().map(|(late, _)| *late));
    // For 25 ms on end nobody else runs, and deadlines are 5 ms apart.
    assert!(late(&hogged) > 0.015, "{hogged:?}");
    assert!(late(&hogged) > late(&quiet), "{quiet:?} {hogged:?}");
    assert!(hogged.iter().all(|(_, missed)| *missed > 0.0), "no deadline was missed: {hogged:?}");
}

#[test]
fn programs_that_want_the_same_cpu_are_waited_for() {
    let _alone = alone();
    let cpu = cpu::last().unwrap();
    let run = || {
        // Without a pause: a thread that has slept may run for some milliseconds before anybody else has a turn, and a
        // round after each sleep would always be over by then.
        let measure = |rounds, probes: &[&str]| {
            let mut command = agent(&["--rounds", rounds, "--pause", "0ms"]);
            cpu::pin(command.args(probes), cpu);
            Measured::by(&mut command)
        };
        let spins = measure("30", &["--probe", "cpu"]);
        let gap = largest(&spins.gauges("tierprobe_cpu_gap_longest_seconds", &[]));
        let lost = spins.gauges("tierprobe_cpu_lost_ratio", &[]).iter().sum::<f64>();
        let unexplained = spins.gauges("tierprobe_cpu_unexplained_ratio", &[]).iter().sum::<f64>();
        let calls = measure("30", &["--probe", "syscall", "--probe", "page_fault"]);
        // Here it is not the agent that waits, but those that it has started.
        let (started, _) = measure("10", &["--probe", "spawn"]).marked(Cause::Preempted);
        (calls.marked(Cause::Preempted), gap, unexplained / lost, started)
    };
    let (mut quiet, mut hogged) = (Vec::new(), Vec::new());
    for _ in 0..2 * TURNS {
        quiet.push(run());
        let hogs: Vec<Hog> = (0..HOGS)
            .map(|_| {
                let mut command = Hog::command(&["cpu"]);
                cpu::pin(&mut command, cpu);
                Hog::start(&mut command)
            })
            .collect();
        hogged.push(run());
        drop(hogs);
    }
    println!("marked, longest gap, unexplained: {quiet:?} alone, {hogged:?} beside {HOGS} programs");
    // The scheduler may let a thread that is new run for a tenth of a second first, and that is a whole run: what counts is
    // what all runs of a side saw.
    let marked: usize = hogged.iter().map(|((marked, _), ..)| marked).sum();
    assert!(marked > 0, "no round is marked as preempted");
    let started = |runs: &[Run]| runs.iter().map(|(.., started)| started).sum::<usize>();
    assert!(started(&hogged) > started(&quiet), "rounds of new processes: {quiet:?} {hogged:?}");
    let worst = |runs: &[Run]| {
        runs.iter()
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(_, gap, unexplained, _)| (*gap, *unexplained))
            .unwrap()
    };
    let ((quiet, _), (hogged, unexplained)) = (worst(&quiet), worst(&hogged));
    // Each of them has its turn, of some milliseconds, before the agent has one again.
    assert!(hogged > 0.02 && hogged > quiet, "the longest gap: {quiet} s alone, {hogged} s beside them");
    // The kernel knows whom the thread waited for: hardly any of it is unexplained.
    assert!(unexplained < 0.5, "{unexplained} of what was lost is unexplained");
}
