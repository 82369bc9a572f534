//! When which probe runs: one measuring thread, intervals, slots, the budget.
//!
//! Rounds are due on a grid of the wall clock, so that agents that share a machine can take turns and a fleet does not
//! beat in step: by slot where the user gave one, else shifted by a phase that follows from the machine's id.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tierprobe_model::Detection;
use tierprobe_model::record::Outcome;

use crate::budget::Budget;
use crate::lookout::Lookout;
use crate::probe::Spec;
use crate::runner::Runner;
use crate::snapshot::{Board, Skip, Snapshot};
use crate::sys::clock;

/// Longest sleep: after it the wall clock is looked at again, in case it was set, and whether the place has changed.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// How often probes are asked for news, if any wants to be.
const NEWS_INTERVAL: Duration = Duration::from_secs(1);

/// Pause before the first round, in which the rest of the agent starts: neither must disturb the other.
const START_PAUSE_NANOS: u64 = 100_000_000;

/// How often at most a probe is tried again that has nothing to measure here: what is missing may come, such as a loopback
/// interface that is not up yet.
const UNSUPPORTED_RETRY: Duration = Duration::from_secs(300);

/// So little is not worth a round of everything at once, which is what follows when the clock was set back.
const SMALL_STEP: Duration = Duration::from_secs(1);

/// How often a probe that runs once is tried again after it failed, or as long as it says that there is more to come.
const RETRY: Duration = Duration::from_secs(15);

/// A share of each interval that one of several agents on a machine measures in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Which one, from 1.
    number: u32,
    /// Of how many.
    of: u32,
}

impl std::str::FromStr for Slot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts =
            text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if 1 <= number && number <= of && of <= 1000 => Ok(Self { number, of }),
            _ => Err(format!("{text:?} is no slot; write K/N with 1 <= K <= N <= 1000, for example 2/3")),
        }
    }
}

/// How probes are scheduled.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// The slot, if agents take turns.
    pub slot: Option<Slot>,
    /// Takes the place of every probe's own interval.
    pub interval: Option<Duration>,
    /// Share of one CPU that measuring may cost on average.
    pub budget: f64,
    /// Share of the last ten seconds in which tasks waited for a CPU, above which some probes pause; 1: never.
    pub pressure: f64,
    /// A number that differs from machine to machine; decides the phase where there is no slot.
    pub phase_seed: u64,
}

impl Timing {
    fn interval(&self, spec: &Spec) -> Option<Duration> {
        spec.interval.map(|own| self.interval.unwrap_or(own))
    }

    /// When a probe with this interval is due next.
    fn due(&self, interval: Duration, now: u64) -> Due {
        let (start, end) = self.next(interval, now);
        Due { start: Some(start), end, ahead: interval }
    }

    /// The first instant after `after` at which a probe with this interval is due, and until when it may start. In
    /// nanoseconds since the epoch.
    fn next(&self, interval: Duration, after: u64) -> (u64, u64) {
        let interval = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        let (offset, length) = match self.slot {
            Some(slot) => {
                let length = interval / u64::from(slot.of);
                (length * u64::from(slot.number - 1), length)
            }
            None => (self.phase_seed % interval, interval),
        };
        let mut start = after - after % interval + offset;
        if start <= after {
            start = start.saturating_add(interval);
        }
        (start, start.saturating_add(length))
    }
}

/// Tells the measuring thread to end.
#[derive(Debug, Default)]
pub struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Ends the measuring thread after the round that it is in.
    pub fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Sleeps for `duration`, or until stopped. Whether to go on.
    fn sleep(&self, duration: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let (stopped, _) = self
            .changed
            .wait_timeout_while(stopped, duration, |stopped| !*stopped)
            .unwrap_or_else(PoisonError::into_inner);
        !*stopped
    }
}

/// When a probe runs next.
#[derive(Debug, Clone, Copy)]
struct Due {
    /// From when on, in nanoseconds since the epoch; `None`: never again.
    start: Option<u64>,
    /// Until when it may begin.
    end: u64,
    /// How far away `start` was at the most when it was set.
    ahead: Duration,
}

impl Due {
    /// Never again.
    const NEVER: Self = Self { start: None, end: 0, ahead: Duration::MAX };

    /// Whether it is farther away than when it was set: then the wall clock was set back, and it would be late by that.
    fn has_receded(&self, now: u64) -> bool {
        let away = Duration::from_nanos(self.start.map_or(0, |start| start.saturating_sub(now)));
        away > self.ahead.saturating_add(SMALL_STEP)
    }
}

/// Measures until `stop`, and looks out whether the place has changed. Runs on a thread of its own.
pub fn run(
    prepare: impl Fn(&Detection) -> Runner,
    specs: &[&'static Spec],
    timing: Timing,
    lookout: &mut Lookout,
    board: &Board,
    stop: &Arc<Stop>,
) {
    let mut snapshot = (*board.latest()).clone();
    let mut runner = prepare(&snapshot.place.detection);
    let look_interval = LONGEST_SLEEP.min(lookout.interval());
    // Who takes turns measures in no other's slot, whatever has happened.
    let listens = |runner: &Runner| timing.slot.is_none() && runner.listens();
    let mut nap = if listens(&runner) { NEWS_INTERVAL.min(look_interval) } else { look_interval };
    let mut looked: Option<u64> = None;
    let mut budget = Budget::new(timing.budget);
    let mut due = first_due(specs, timing);
    let mut last_look = clock::monotonic_nanos();
    let mut turns: usize = 0;
    loop {
        let cpu = clock::thread_cpu();
        let is_time =
            |then| Duration::from_nanos(clock::monotonic_nanos().saturating_sub(then)) >= look_interval;
        if looked.is_none_or(is_time) {
            looked = Some(clock::monotonic_nanos());
            if let Some((place, reason)) = lookout.look() {
                if snapshot.arrive(place, reason) {
                    runner = prepare(&snapshot.place.detection);
                    due = first_due(specs, timing);
                    nap = if listens(&runner) { NEWS_INTERVAL.min(look_interval) } else { look_interval };
                }
                board.publish(snapshot.clone());
            }
        }
        if listens(&runner) {
            hear(&mut runner, &mut due);
        }
        budget.spend(clock::thread_cpu().saturating_sub(cpu));

        let Some(next) = due.iter().filter_map(|due| due.start).min() else {
            if !stop.sleep(nap) {
                return;
            }
            continue;
        };
        let now = clock::realtime_nanos();
        if next > now {
            // A wall clock that was set back would leave what is due far in the future.
            if due.iter().any(|due| due.has_receded(now)) {
                due = first_due(specs, timing);
                continue;
            }
            if !stop.sleep(Duration::from_nanos(next - now).min(nap)) {
                return;
            }
            continue;
        }
        let cpu = clock::thread_cpu();
        let look = clock::monotonic_nanos();
        budget.earn(Duration::from_nanos(look - last_look));
        last_look = look;

        // Who is first changes from turn to turn, so that a tight budget does not always skip the same.
        turns += 1;
        let is_ready = |due: &Due| due.start.is_some_and(|start| start <= now);
        let mut ready: Vec<usize> =
            due.iter().enumerate().filter(|(_, due)| is_ready(due)).map(|(probe, _)| probe).collect();
        let first = turns % ready.len().max(1);
        ready.rotate_left(first);
        let pressed = runner.cpu_pressure().is_some_and(|share| share > timing.pressure);
        turn(&mut runner, &ready, pressed, &due, &mut budget, &mut snapshot);
        let after = clock::realtime_nanos();
        for probe in ready {
            if let (Some(due), Some(spec)) = (due.get_mut(probe), specs.get(probe)) {
                *due = next_due(spec, timing, after, &snapshot, probe);
            }
        }
        board.publish(snapshot.clone());
        budget.spend(clock::thread_cpu().saturating_sub(cpu));
        if !stop.sleep(Duration::ZERO) {
            return;
        }
    }
}

/// Makes due at once what something has happened for, unless it never runs again.
fn hear(runner: &mut Runner, due: &mut [Due]) {
    for probe in runner.news() {
        if let Some(due) = due.get_mut(probe).filter(|due| due.start.is_some()) {
            *due = Due { start: Some(clock::realtime_nanos()), end: u64::MAX, ahead: Duration::ZERO };
        }
    }
}

/// Without a slot everything runs when the agent has started, so that the first scrape finds numbers soon.
fn first_due(specs: &[&'static Spec], timing: Timing) -> Vec<Due> {
    let now = clock::realtime_nanos();
    specs
        .iter()
        .map(|spec| match timing.slot {
            None => {
                let ahead = Duration::from_nanos(START_PAUSE_NANOS);
                Due { start: Some(now + START_PAUSE_NANOS), end: u64::MAX, ahead }
            }
            Some(_) => timing.due(timing.interval(spec).unwrap_or(RETRY), now),
        })
        .collect()
}

fn next_due(spec: &Spec, timing: Timing, now: u64, snapshot: &Snapshot, probe: usize) -> Due {
    let state = snapshot.probes.get(probe);
    let outcome = state.and_then(|state| state.last.as_ref()).map(|(outcome, _)| *outcome);
    let is_finished = state.and_then(|state| state.round.as_ref()).is_none_or(|round| !round.is_unfinished);
    let interval = match (timing.interval(spec), outcome) {
        (None, Some(Outcome::Unsupported)) => return Due::NEVER,
        (None, Some(Outcome::Ok)) if is_finished => return Due::NEVER,
        (Some(interval), Some(Outcome::Unsupported)) => interval.max(UNSUPPORTED_RETRY),
        (Some(interval), _) => interval,
        (None, _) => timing.interval.unwrap_or(RETRY),
    };
    timing.due(interval, now)
}

/// Runs what is due, one after another, as far as slot and budget reach.
fn turn(
    runner: &mut Runner,
    ready: &[usize],
    pressed: bool,
    due: &[Due],
    budget: &mut Budget,
    snapshot: &mut Snapshot,
) {
    let pauses =
        |probe: &usize| snapshot.probes.get(*probe).is_some_and(|state| state.spec.pauses_under_pressure);
    let reason = if budget.is_open() { Skip::Slot } else { Skip::Budget };
    let (paused, rest): (Vec<usize>, Vec<usize>) =
        if pressed { ready.iter().copied().partition(pauses) } else { (Vec::new(), ready.to_vec()) };
    let mut started = 0;
    let reports = if budget.is_open() {
        runner.turn(&rest, |probe| {
            let end = due.get(probe).map_or(0, |due| due.end);
            // What does not fit into the rest of the slot would run in somebody else's; unless it comes first
            // and cannot have more.
            let lasts = if started == 0 { 0 } else { last_nanos(snapshot, probe) };
            let fits = clock::realtime_nanos().saturating_add(lasts) < end;
            started += usize::from(fits);
            fits
        })
    } else {
        Vec::new()
    };
    for probe in paused {
        snapshot.skip(probe, Skip::Pressure);
    }
    for probe in rest.iter().filter(|probe| reports.iter().all(|report| report.probe != **probe)) {
        snapshot.skip(*probe, reason);
    }
    for report in reports {
        // What the measuring thread itself used is spent with the rest of its turn.
        budget.spend(report.helpers.cpu);
        snapshot.apply(report);
    }
}

/// How long a probe's last round took.
fn last_nanos(snapshot: &Snapshot, probe: usize) -> u64 {
    let round = snapshot.probes.get(probe).and_then(|state| state.round.as_ref());
    round.map_or(0, |round| u64::try_from(round.elapsed.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn timing(slot: Option<&str>, phase_seed: u64) -> Timing {
        Timing {
            slot: slot.map(|slot| slot.parse().unwrap()),
            interval: None,
            budget: 0.001,
            pressure: 0.5,
            phase_seed,
        }
    }

    #[test]
    fn slots_share_an_interval_without_overlap() {
        let interval = Duration::from_secs(15);
        let at = 1_000_000_007 * SECOND;
        let slots: Vec<(u64, u64)> =
            ["1/3", "2/3", "3/3"].iter().map(|slot| timing(Some(slot), 9).next(interval, at)).collect();
        for (start, end) in &slots {
            assert!(*start > at && end - start == 5 * SECOND, "{slots:?}");
        }
        let mut sorted = slots.clone();
        sorted.sort_unstable();
        for pair in sorted.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "{sorted:?}");
        }
    }

    #[test]
    fn a_phase_shifts_the_grid() {
        let (start, _) = timing(None, 4 * SECOND).next(Duration::from_secs(15), 150 * SECOND);
        assert_eq!(start, 154 * SECOND);
        let (start, _) = timing(None, 4 * SECOND).next(Duration::from_secs(15), 154 * SECOND);
        assert_eq!(start, 169 * SECOND);
    }

    #[test]
    fn what_runs_once_is_asked_again_until_it_is_finished() {
        let machine =
            crate::machine::Machine::live(crate::host::HostFs::fixture(std::path::Path::new("/nowhere")));
        let place = Arc::new(crate::lookout::locate(&machine));
        let once = crate::probe::find("boot").unwrap();
        let mut snapshot = Snapshot::new(place, &[once]);
        let now = 150 * SECOND;
        let mut after = |result: Result<bool, crate::probe::ProbeError>| {
            let result =
                result.map(|is_unfinished| crate::probe::Round { is_unfinished, ..Default::default() });
            let (cpu, elapsed) = (Duration::ZERO, Duration::ZERO);
            let causes = Vec::new();
            let helpers = crate::probe::Helpers::default();
            let report =
                crate::runner::Report { probe: 0, result, causes, cpu, helpers, elapsed, timestamp: 1.0 };
            snapshot.apply(report);
            next_due(once, timing(None, 4 * SECOND), now, &snapshot, 0).start
        };
        assert_eq!(after(Ok(true)), Some(154 * SECOND));
        assert_eq!(after(Err(crate::probe::ProbeError::Failed(String::new()))), Some(154 * SECOND));
        assert_eq!(after(Ok(false)), None);
        assert_eq!(after(Err(crate::probe::ProbeError::Unsupported(String::new()))), None);
    }

    #[test]
    fn what_is_not_there_yet_is_looked_for_now_and_then() {
        let machine =
            crate::machine::Machine::live(crate::host::HostFs::fixture(std::path::Path::new("/nowhere")));
        let network = crate::probe::find("network").unwrap();
        let mut snapshot = Snapshot::new(Arc::new(crate::lookout::locate(&machine)), &[network]);
        let result = Err(crate::probe::ProbeError::Unsupported("lo is down".to_owned()));
        snapshot.apply(crate::runner::Report {
            probe: 0,
            result,
            causes: Vec::new(),
            cpu: Duration::ZERO,
            helpers: crate::probe::Helpers::default(),
            elapsed: Duration::ZERO,
            timestamp: 1.0,
        });
        let due = next_due(network, timing(None, 4 * SECOND), 301 * SECOND, &snapshot, 0);
        assert_eq!(due.start, Some(304 * SECOND));
        assert_eq!(
            next_due(network, timing(None, 4 * SECOND), 305 * SECOND, &snapshot, 0).start,
            Some(604 * SECOND)
        );
    }

    #[test]
    fn a_clock_that_was_set_back_is_noticed_by_the_shortest_interval() {
        let now = 1_000_000 * SECOND;
        let due = timing(None, 4 * SECOND).due(Duration::from_secs(15), now);
        for (back, receded) in [(0, false), (1, false), (17, true), (480, true)] {
            assert_eq!(due.has_receded(now - back * SECOND), receded, "{back} s");
        }
        assert!(!Due::NEVER.has_receded(0));
    }

    #[test]
    fn a_slot_is_one_of_several() {
        assert!("2/3".parse::<Slot>().is_ok());
        for wrong in ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/2/3"] {
            let error = wrong.parse::<Slot>().unwrap_err();
            assert!(error.contains("K/N"), "{error}");
        }
    }
}
