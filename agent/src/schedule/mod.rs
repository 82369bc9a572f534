//! When which probe runs: one measuring thread, intervals, slots, the budget.
//!
//! Rounds are due on a grid of the wall clock, so that agents that share a machine can take turns and a fleet does not
//! beat in step: by slot where the user gave one, else shifted by a phase that follows from the machine's id.

mod agenda;
mod stop;
mod timing;

use std::sync::Arc;
use std::time::Duration;

use tierprobe_model::Detection;

use crate::budget::Account;
use crate::lookout::Lookout;
use crate::probe::Spec;
use crate::runner::Runner;
use crate::snapshot::{Board, Skip, Snapshot};
use crate::sys::clock;
use agenda::Agenda;
pub use stop::Stop;
pub use timing::{Slot, Timing};

/// Longest sleep: after it the wall clock is looked at again, in case it was set, and whether the place has changed.
const LONGEST_SLEEP: Duration = Duration::from_secs(15);

/// How often probes are asked for news, if any wants to be: waking up for it is what costs.
const NEWS_INTERVAL: Duration = Duration::from_secs(2);

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
    let nap_of =
        |runner: &Runner| if listens(runner) { NEWS_INTERVAL.min(look_interval) } else { look_interval };
    let mut nap = nap_of(&runner);
    let mut looked: Option<u64> = None;
    let mut account = Account::new(timing.budget);
    let mut agenda = Agenda::new(specs, timing);
    loop {
        let is_time =
            |then| Duration::from_nanos(clock::monotonic_nanos().saturating_sub(then)) >= look_interval;
        if looked.is_none_or(is_time) {
            looked = Some(clock::monotonic_nanos());
            if let Some((place, reason)) = lookout.look() {
                if snapshot.arrive(place, reason) {
                    runner = prepare(&snapshot.place.detection);
                    agenda.start_anew();
                    nap = nap_of(&runner);
                }
                board.publish(snapshot.clone());
            }
        }
        if listens(&runner) {
            for probe in runner.news() {
                agenda.hurry(probe);
            }
        }

        let now = clock::realtime_nanos();
        match agenda.next() {
            Some(next) if next <= now => {
                account.pay_for_answers(board.answering_cpu());
                turn(&mut runner, &mut agenda, now, timing.pressure, &mut account, &mut snapshot);
                board.publish(snapshot.clone());
                if !stop.sleep(Duration::ZERO) {
                    return;
                }
            }
            Some(_) if agenda.has_receded(now) => agenda.start_anew(),
            next => {
                let rest = next.map_or(nap, |next| Duration::from_nanos(next - now).min(nap));
                if !stop.sleep(rest) {
                    return;
                }
            }
        }
    }
}

/// Runs what is due, one after another, as far as slot and budget reach.
fn turn(
    runner: &mut Runner,
    agenda: &mut Agenda,
    now: u64,
    most_pressure: f64,
    account: &mut Account,
    snapshot: &mut Snapshot,
) {
    let ready = agenda.ready(now);
    let is_pressed = runner.cpu_pressure().is_some_and(|share| share > most_pressure);
    let (mut turn, mut left_out) = (runner.begin(), Vec::new());
    for probe in ready.iter().copied() {
        let due = agenda.due(probe);
        // What does not fit into the rest of the slot would run in somebody else's; unless it comes first and cannot
        // have more.
        let lasts = if turn.is_empty() { 0 } else { last_nanos(snapshot, probe) };
        let reason = if is_pressed && turn.pauses(probe) {
            Skip::Pressure
        } else if !account.is_open(due.is_urgent) {
            Skip::Budget
        } else if clock::realtime_nanos().saturating_add(lasts) >= due.end {
            Skip::Slot
        } else {
            if let Some(report) = turn.run(probe) {
                // What the measuring thread itself used is on its clock.
                account.pay(report.helpers.cpu());
            }
            continue;
        };
        left_out.push((probe, reason));
    }
    let after = clock::realtime_nanos();
    for report in turn.end() {
        let probe = report.probe;
        snapshot.apply(report);
        if let Some(state) = snapshot.probes.get(probe) {
            agenda.has_run(probe, state, after);
        }
    }
    for (probe, reason) in left_out {
        snapshot.skip(probe, reason);
        agenda.was_left_out(probe, reason, snapshot.probes.get(probe), after);
    }
}

/// How long a probe's last round took.
fn last_nanos(snapshot: &Snapshot, probe: usize) -> u64 {
    let round = snapshot.probes.get(probe).and_then(|state| state.round.as_ref());
    round.map_or(0, |round| u64::try_from(round.elapsed.as_nanos()).unwrap_or(u64::MAX))
}
