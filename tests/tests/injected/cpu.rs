//! CPU time that somebody else takes, or that a quota keeps back.

use std::path::PathBuf;
use std::process::Command;

use tierprobe_model::Cause;
use tierprobe_tests::confine::cgroup::{Group, Version};
use tierprobe_tests::confine::cpu;
use tierprobe_tests::hog::Hog;
use tierprobe_tests::measured::{Measured, median};
use tierprobe_tests::need::{have, need};

use crate::{agent, alone};

const TURNS: usize = 3;

/// What one run saw.
#[derive(Debug)]
struct Run {
    /// Series of rounds that are marked as preempted.
    marked: usize,
    /// The longest gap, in seconds.
    gap: f64,
    /// The unexplained share of what was lost.
    unexplained: f64,
    /// The same as `marked` of new processes.
    started: usize,
}

/// The largest; of nothing, nothing is.
fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// The quota of a group, or none: 1 ms, less than a spin, in a time that is no multiple of the timer tick. The kernel
/// holds a group's tasks at a tick or when they wake; a spin that always began at the same distance from a tick might
/// always lie between two.
fn quota(group: &Group, limited: bool) -> std::io::Result<()> {
    match group.version {
        Version::V1 => {
            group.set("cpu.cfs_period_us", "201300")?;
            group.set("cpu.cfs_quota_us", if limited { "1000" } else { "-1" })
        }
        Version::V2 => group.set("cpu.max", if limited { "1000 201300" } else { "max 201300" }),
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
                // What it wants is most of a CPU, what it gets a hundredth.
                assert!(throttled > 0.3, "{throttled}");
                assert!(marked * 2 > rounds, "{marked} of {rounds} rounds are marked as throttled");
            } else {
                // Both are exact: without a quota nobody is throttled.
                assert!(throttled.abs() < 1e-9 && marked == 0, "{throttled}, {marked} of {rounds}");
            }
            let gaps = largest(&measured.gauges("tierprobe_cpu_gap_longest_seconds", &[]));
            let shares = measured.gauges("tierprobe_cpu_lost_ratio", &[]);
            let unexplained = measured.gauges("tierprobe_cpu_unexplained_ratio", &[]);
            let rounds = shares.iter().copied().zip(unexplained);
            let worst = rounds.max_by(|(one, _), (other, _)| one.total_cmp(other));
            println!("  lost and unexplained of the worst round: {worst:?}");
            // A run of which no spin was held says nothing here; most are not of that kind, as below.
            if let Some((lost, unexplained)) = worst.filter(|(lost, _)| limited && *lost > 0.5) {
                // The kernel counts the thread as waiting while its group is held.
                assert!(unexplained < 0.5 * lost, "{unexplained} of {lost} unexplained");
            }
            lost[usize::from(limited)].push((gaps, largest(&shares)));
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
    let Some(chrt) = chrt() else { return };
    let cpu = cpu::last().unwrap();
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
    // For 25 ms on end nobody else runs, and deadlines are 12 ms apart.
    assert!(late(&hogged) > 0.015, "{hogged:?}");
    assert!(late(&hogged) > late(&quiet), "{quiet:?} {hogged:?}");
    assert!(hogged.iter().all(|(_, missed)| *missed > 0.0), "no deadline was missed: {hogged:?}");
}

/// `chrt`, where it may make programs real-time ones.
fn chrt() -> Option<PathBuf> {
    let chrt = need("chrt")?;
    let allowed = Command::new(&chrt).args(["-f", "10", "true"]).status().unwrap();
    let allowed = if allowed.success() { Ok(()) } else { Err("chrt -f 10: not permitted") };
    have("a real-time program", allowed).map(|()| chrt)
}

#[test]
fn a_program_that_takes_the_cpu_is_waited_for() {
    let _alone = alone();
    let Some(chrt) = chrt() else { return };
    let cpu = cpu::last().unwrap();
    let run = || {
        let measure = |rounds, probes: &[&str]| {
            let mut command = agent(&["--rounds", rounds, "--pause", "0ms"]);
            cpu::pin(command.args(probes), cpu);
            Measured::by(&mut command)
        };
        let calls = measure("30", &["--probe", "syscall", "--probe", "page_fault", "--probe", "cpu"]);
        let gap = largest(&calls.gauges("tierprobe_cpu_gap_longest_seconds", &[]));
        let lost = calls.gauges("tierprobe_cpu_lost_ratio", &[]).iter().sum::<f64>();
        let unexplained = calls.gauges("tierprobe_cpu_unexplained_ratio", &[]).iter().sum::<f64>();
        // Here it is not the agent that waits, but those that it has started.
        let (started, _) = measure("10", &["--probe", "spawn"]).marked(Cause::Preempted);
        Run { marked: calls.marked(Cause::Preempted).0, gap, unexplained: unexplained / lost, started }
    };
    let (mut quiet, mut hogged) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        quiet.push(run());
        // Two milliseconds in four. Programs with an equal right to the CPU would not do: the scheduler lets a round of a
        // few milliseconds come to its end first, and then it is not disturbed.
        let mut command = Command::new(&chrt);
        command.args(["-f", "10", env!("CARGO_BIN_EXE_hog"), "half", "2"]);
        cpu::pin(&mut command, cpu);
        let hog = Hog::start(&mut command);
        hogged.push(run());
        drop(hog);
    }
    println!("{quiet:?} alone, {hogged:?} beside a real-time program");
    let sum = |runs: &[Run], of: fn(&Run) -> usize| runs.iter().map(of).sum::<usize>();
    for of in [|run: &Run| run.marked, |run: &Run| run.started] {
        let (quiet, hogged) = (sum(&quiet, of), sum(&hogged, of));
        assert!(hogged > 0 && hogged > quiet, "marked as preempted: {quiet} alone, {hogged} beside it");
    }
    let gap = |runs: &[Run]| median(runs.iter().map(|run| run.gap));
    assert!(gap(&hogged) > 0.0015 && gap(&hogged) > gap(&quiet), "the longest gap");
    // The kernel knows whom the thread waited for: hardly any of it is unexplained.
    let unexplained = median(hogged.iter().map(|run| run.unexplained));
    assert!(unexplained < 0.5, "{unexplained} of what was lost is unexplained");
}
