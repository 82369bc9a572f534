//! Which probe is due when, and who comes first.

use std::cmp::Reverse;
use std::time::Duration;

use tierprobe_model::record::Outcome;

use super::timing::Timing;
use crate::probe::Spec;
use crate::snapshot::{ProbeState, Skip};
use crate::sys::clock;

/// Pause before the first round, in which the rest of the agent starts: neither must disturb the other.
const START_PAUSE_NANOS: u64 = 100_000_000;

/// How often at most a probe is tried again that has nothing to measure here: what is missing may come, such as a loopback
/// interface that is not up yet.
const UNSUPPORTED_RETRY: Duration = Duration::from_secs(300);

/// So little is not worth a round of everything at once, which is what follows when the clock was set back.
const SMALL_STEP: Duration = Duration::from_secs(1);

/// How often a probe that runs once is tried again after it failed, or as long as it says that there is more to come; and
/// how soon at the latest one that the budget did not reach.
const RETRY: Duration = Duration::from_secs(15);

/// When a probe runs next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    /// From when on, in nanoseconds since the epoch; `None`: never again.
    start: Option<u64>,
    /// Until when it may begin.
    pub(super) end: u64,
    /// How far away `start` was at the most when it was set.
    ahead: Duration,
    /// Whether something has happened that cannot be measured later, or nothing has been measured yet.
    pub(super) is_urgent: bool,
}

impl Due {
    /// Never again.
    const NEVER: Self = Self { start: None, end: 0, ahead: Duration::MAX, is_urgent: false };

    /// At the next of the instants that `timing` has for this interval.
    fn after(now: u64, interval: Duration, timing: Timing) -> Self {
        let (start, end) = timing.next(interval, now);
        Self { start: Some(start), end, ahead: interval, is_urgent: false }
    }

    /// `ahead` of `now`, whatever the grid says.
    fn soon(now: u64, ahead: Duration, is_urgent: bool) -> Self {
        let nanos = u64::try_from(ahead.as_nanos()).unwrap_or(u64::MAX);
        Self { start: Some(now.saturating_add(nanos)), end: u64::MAX, ahead, is_urgent }
    }

    /// Whether it is farther away than when it was set: then the wall clock was set back, and it would be late by that.
    fn has_receded(&self, now: u64) -> bool {
        let away = Duration::from_nanos(self.start.map_or(0, |start| start.saturating_sub(now)));
        away > self.ahead.saturating_add(SMALL_STEP)
    }
}

/// What is due when.
#[derive(Debug)]
pub(super) struct Agenda {
    timing: Timing,
    entries: Vec<Entry>,
    /// Turns so far.
    turns: usize,
}

#[derive(Debug)]
struct Entry {
    spec: &'static Spec,
    due: Due,
    /// How often in a row the budget did not reach it.
    passed_over: u32,
}

impl Agenda {
    /// Without a slot everything runs when the agent has started, so that the first scrape finds numbers soon.
    pub(super) fn new(specs: &[&'static Spec], timing: Timing) -> Self {
        let entry = |spec: &&'static Spec| Entry { spec, due: Due::NEVER, passed_over: 0 };
        let mut agenda = Self { timing, entries: specs.iter().map(entry).collect(), turns: 0 };
        agenda.start_anew();
        agenda
    }

    /// Everything becomes due as at the start: elsewhere, or after the wall clock was set back.
    pub(super) fn start_anew(&mut self) {
        let (now, timing) = (clock::realtime_nanos(), self.timing);
        for entry in &mut self.entries {
            entry.due = if timing.slot.is_none() {
                Due::soon(now, Duration::from_nanos(START_PAUSE_NANOS), true)
            } else {
                let first = Due::after(now, timing.interval(entry.spec).unwrap_or(RETRY), timing);
                Due { is_urgent: true, ..first }
            };
        }
    }

    /// When the next probe is due, in nanoseconds since the epoch; `None`: never.
    pub(super) fn next(&self) -> Option<u64> {
        self.entries.iter().filter_map(|entry| entry.due.start).min()
    }

    /// Whether the wall clock was set back, which would leave what is due far in the future.
    pub(super) fn has_receded(&self, now: u64) -> bool {
        self.entries.iter().any(|entry| entry.due.has_receded(now))
    }

    /// When `probe` is due.
    pub(super) fn due(&self, probe: usize) -> Due {
        self.entries.get(probe).map_or(Due::NEVER, |entry| entry.due)
    }

    /// The probes that are due, in the order in which they shall run. First those that the budget did not reach the last
    /// time; else who is first changes from turn to turn, so that a tight budget and a short slot do not always leave
    /// out the same.
    pub(super) fn ready(&mut self, now: u64) -> Vec<usize> {
        self.turns = self.turns.wrapping_add(1);
        let is_ready = |entry: &Entry| entry.due.start.is_some_and(|start| start <= now);
        let entries = self.entries.iter().enumerate();
        let mut ready: Vec<usize> =
            entries.filter(|(_, entry)| is_ready(entry)).map(|(probe, _)| probe).collect();
        let first = self.turns % ready.len().max(1);
        ready.rotate_left(first);
        ready.sort_by_key(|probe| Reverse(self.entries.get(*probe).map(|entry| entry.passed_over)));
        ready
    }

    /// Something has happened that is worth a round of `probe` at once, unless it never runs again.
    pub(super) fn hurry(&mut self, probe: usize) {
        let entry = self.entries.get_mut(probe).filter(|entry| entry.due.start.is_some());
        if let Some(entry) = entry {
            entry.due = Due::soon(clock::realtime_nanos(), Duration::ZERO, true);
        }
    }

    /// `probe` has run, and is now in this state.
    pub(super) fn has_run(&mut self, probe: usize, state: &ProbeState, now: u64) {
        let timing = self.timing;
        if let Some(entry) = self.entries.get_mut(probe) {
            entry.passed_over = 0;
            let next = next_interval(entry.spec, timing, Some(state));
            entry.due = next.map_or(Due::NEVER, |interval| Due::after(now, interval, timing));
        }
    }

    /// `probe` was left out. The budget may reach it before the next of its own intervals is over.
    pub(super) fn was_left_out(&mut self, probe: usize, reason: Skip, state: Option<&ProbeState>, now: u64) {
        let timing = self.timing;
        if let Some(entry) = self.entries.get_mut(probe) {
            let is_poor = reason == Skip::Budget;
            entry.passed_over = if is_poor { entry.passed_over.saturating_add(1) } else { 0 };
            let own = next_interval(entry.spec, timing, state);
            // What takes turns keeps to its slots.
            let sooner = |own: Duration| if is_poor && timing.slot.is_none() { own.min(RETRY) } else { own };
            entry.due = own.map_or(Due::NEVER, |own| Due::after(now, sooner(own), timing));
        }
    }
}

/// How long until a probe in this state is due again; `None`: it never is.
fn next_interval(spec: &Spec, timing: Timing, state: Option<&ProbeState>) -> Option<Duration> {
    let outcome = state.and_then(|state| state.last.as_ref()).map(|(outcome, _)| *outcome);
    let is_finished = state.and_then(|state| state.round.as_ref()).is_none_or(|round| !round.is_unfinished);
    match (timing.interval(spec), outcome) {
        (None, Some(Outcome::Unsupported)) => None,
        (None, Some(Outcome::Ok)) if is_finished => None,
        (Some(interval), Some(Outcome::Unsupported)) => Some(interval.max(UNSUPPORTED_RETRY)),
        (Some(interval), _) => Some(interval),
        (None, _) => Some(timing.interval.unwrap_or(RETRY)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::budget::Budget;
    use crate::host::HostFs;
    use crate::machine::Machine;
    use crate::probe::{self, Helpers, Placement, ProbeError, Round};
    use crate::runner::Report;
    use crate::snapshot::Snapshot;

    const SECOND: u64 = 1_000_000_000;

    fn timing() -> Timing {
        Timing { slot: None, interval: None, budget: 0.001, pressure: 0.5, phase_seed: 4 * SECOND }
    }

    fn snapshot(specs: &[&'static Spec]) -> Snapshot {
        let machine = Machine::live(HostFs::fixture(Path::new("/nowhere")));
        Snapshot::new(Arc::new(crate::lookout::locate(&machine)), specs)
    }

    fn report(probe: usize, result: Result<Round, ProbeError>) -> Report {
        Report {
            probe,
            result,
            placement: Placement { cpu: 0, other: None },
            causes: Vec::new(),
            cpu: Duration::ZERO,
            helpers: Helpers::default(),
            elapsed: Duration::ZERO,
            timestamp: 1.0,
        }
    }

    /// When a probe is due again whose run at `now` gave `result`.
    fn due_after(name: &str, result: Result<Round, ProbeError>, now: u64) -> Option<u64> {
        let specs = [probe::find(name).unwrap()];
        let (mut snapshot, mut agenda) = (snapshot(&specs), Agenda::new(&specs, timing()));
        snapshot.apply(report(0, result));
        agenda.has_run(0, &snapshot.probes[0], now);
        agenda.next()
    }

    #[test]
    fn what_runs_once_is_asked_again_until_it_is_finished() {
        let after = |result: Result<bool, ProbeError>| {
            let round = |is_unfinished| Round { is_unfinished, ..Round::default() };
            due_after("boot", result.map(round), 150 * SECOND)
        };
        assert_eq!(after(Ok(true)), Some(154 * SECOND));
        assert_eq!(after(Err(ProbeError::Failed(String::new()))), Some(154 * SECOND));
        assert_eq!(after(Ok(false)), None);
        assert_eq!(after(Err(ProbeError::Unsupported(String::new()))), None);
    }

    #[test]
    fn what_is_not_there_yet_is_looked_for_now_and_then() {
        let down = || Err(ProbeError::Unsupported("lo is down".to_owned()));
        assert_eq!(due_after("network", down(), 301 * SECOND), Some(304 * SECOND));
        assert_eq!(due_after("network", down(), 305 * SECOND), Some(604 * SECOND));
    }

    #[test]
    fn a_clock_that_was_set_back_is_noticed_by_the_shortest_interval() {
        let now = 1_000_000 * SECOND;
        let due = Due::after(now, Duration::from_secs(15), timing());
        for (back, receded) in [(0, false), (1, false), (17, true), (480, true)] {
            assert_eq!(due.has_receded(now - back * SECOND), receded, "{back} s");
        }
        assert!(!Due::NEVER.has_receded(0));
    }

    #[test]
    fn a_tight_budget_leaves_out_everyone_in_turn() {
        let specs: Vec<&'static Spec> = probe::PROBES.iter().filter(|spec| spec.interval.is_some()).collect();
        let costs: BTreeMap<&str, f64> = [
            ("memory", 0.2),
            ("syscall", 2.0),
            ("vm_exit", 0.5),
            ("page_fault", 1.5),
            ("scheduler", 2.0),
            ("cpu", 3.0),
            ("spawn", 6.0),
            ("network", 3.0),
            ("netfilter", 0.1),
            ("storage", 0.5),
        ]
        .into();
        // From hardly enough to far too little.
        for share in [0.0008, 0.0006, 0.0004] {
            let snapshot = snapshot(&specs);
            let mut agenda = Agenda::new(&specs, timing());
            let mut budget = Budget::new(share);
            let (mut ran, mut left_out) = (vec![0_u32; specs.len()], vec![0_u32; specs.len()]);
            let (begin, mut now) = (agenda.next().unwrap(), 0);
            while now < begin + 8 * 3600 * SECOND {
                let next = agenda.next().unwrap();
                budget.earn(Duration::from_nanos(next - now.max(begin)));
                now = next;
                for probe in agenda.ready(now) {
                    if budget.is_open() {
                        budget.spend(Duration::from_secs_f64(costs[specs[probe].name] / 1e3));
                        ran[probe] += 1;
                        agenda.has_run(probe, &snapshot.probes[probe], now);
                    } else {
                        left_out[probe] += 1;
                        agenda.was_left_out(probe, Skip::Budget, None, now);
                    }
                }
            }
            let hours = 8.0;
            for (probe, spec) in specs.iter().enumerate() {
                let due = hours * 3600.0 / spec.interval.unwrap().as_secs_f64();
                let share_of_due = f64::from(ran[probe]) / due;
                let all: f64 =
                    specs.iter().map(|spec| costs[spec.name] / spec.interval.unwrap().as_secs_f64()).sum();
                let fair = (share * 1e3 / all).min(1.0);
                assert!(
                    share_of_due > fair * 0.6,
                    "{}: {share_of_due:.2} of its rounds with {share}, {fair:.2} would be fair",
                    spec.name
                );
            }
            assert!(left_out.iter().sum::<u32>() > 0, "{share} is not tight");
        }
    }
}
