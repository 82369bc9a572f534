//! The measuring phase: one instance of each launcher at the same time, taking turns, scraped between them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::instance::Instance;
use super::launcher::Plan;
use super::session::Session;
use super::starts::{self, Entrant};
use super::turns::{Kept, ROUNDS_WANTED, Turns};
use crate::observation::{Collected, Statistic};
use crate::source::Accumulator;

/// How often in a row an instance may fail to answer.
const PATIENCE: u32 = 3;

/// What one instance showed.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Its launcher.
    pub(crate) launcher: &'static str,
    /// Its observations.
    pub(crate) collected: Collected,
    /// How well it kept its turns.
    pub(crate) kept: Kept,
    /// What is known of its clock, where it has one of its own.
    pub(crate) clock: Option<Clock>,
    /// Scrapes that failed.
    pub(crate) failed_scrapes: u32,
}

/// A guest's clock against the host's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Clock {
    /// By how much it may have been late once it was set, at most, in seconds; absent when setting it failed.
    pub(crate) set_within_seconds: Option<f64>,
    /// How far it was from the host's at the end, in seconds; absent when it did not answer.
    pub(crate) offset_at_end_seconds: Option<f64>,
    /// How sure that offset is, to either side, in seconds.
    pub(crate) offset_error_seconds: Option<f64>,
}

/// An instance in the phase.
struct Running {
    launcher: &'static str,
    instance: Instance,
    accumulator: Accumulator,
    clock: Option<Clock>,
    rounds_before: usize,
    failures_in_a_row: u32,
    failed_scrapes: u32,
    last_failure: String,
}

/// Runs the phase and returns what each instance showed, and how long it took.
///
/// Entrants whose instance does not start, or stops answering, are out.
///
/// # Errors
///
/// When somebody wants the run to end.
pub(crate) fn measure(
    session: &Session,
    entrants: &mut [Entrant<'_>],
    turns: &Turns,
    duration: Duration,
) -> anyhow::Result<(Vec<Measured>, Duration)> {
    let mut running = start_all(session, entrants, turns)?;
    let begin = since_epoch() + turns.interval();
    let mut end = begin + duration;
    // Rounds get lost where a probe did not come to its turn; a little more time makes up for it.
    let latest_end = begin + duration.mul_f64(1.2);
    let steps = duration.as_secs_f64() / turns.interval().as_secs_f64();
    let wanted = ROUNDS_WANTED.min(to_count(steps));
    // One more: the interval in which the first rounds are taken.
    session.progress.expect(usize::try_from(to_count(steps) + 1).unwrap_or_default());
    session.progress.say(&format!("{} instances measure for {} s", running.len(), duration.as_secs()));
    loop {
        let next = turns.next_scrape(since_epoch());
        session.stop.sleep(next.saturating_sub(since_epoch()))?;
        scrape_all(session, &mut running, entrants);
        session.stop.check()?;
        session.progress.step();
        session.progress.tick(|| {
            let left = end.saturating_sub(since_epoch()).as_secs();
            format!("{} instances measure, {left} s left", running.len())
        });
        if running.is_empty() {
            break;
        }
        let now = since_epoch();
        let rounds =
            running.iter_mut().map(|(_, one)| one.rounds_since_begin(now < begin)).min().unwrap_or(0);
        if now >= end {
            if now >= latest_end || rounds >= usize::try_from(wanted).unwrap_or_default() {
                break;
            }
            end = latest_end;
            session.progress.note(&format!("only {rounds} rounds so far: measuring a little longer"));
        }
    }
    let took = since_epoch().saturating_sub(begin);
    Ok((running.into_iter().map(|(index, one)| one.finish(index, turns, begin)).collect(), took))
}

fn start_all(
    session: &Session,
    entrants: &mut [Entrant<'_>],
    turns: &Turns,
) -> anyhow::Result<Vec<(usize, Running)>> {
    let mut running = Vec::new();
    for (index, entrant) in entrants.iter_mut().filter(|entrant| entrant.is_in()).enumerate() {
        let launcher = entrant.launcher.name();
        session.progress.say(&format!("{launcher}: starting the instance that measures"));
        let plan = Plan { name: format!("{}-{launcher}-m", session.name), arguments: turns.arguments(index) };
        let mark = session.cleanup.mark();
        match starts::start(session, entrant, &plan) {
            Ok((instance, _)) => running.push((index, Running::new(session, launcher, instance))),
            Err(error) => {
                session.stop.check()?;
                let mut reason = format!("the instance that measures did not start: {error:#}");
                for left in session.cleanup.back_to(mark) {
                    reason.push_str(&format!("; {left}"));
                }
                session.progress.note(&format!("{launcher} is out, {reason}"));
                entrant.failure = Some(reason);
            }
        }
        session.stop.check()?;
    }
    Ok(running)
}

fn scrape_all(session: &Session, running: &mut Vec<(usize, Running)>, entrants: &mut [Entrant<'_>]) {
    running.retain_mut(|(_, one)| {
        if let Err(error) = one.scrape() {
            one.last_failure = format!("{error:#}");
            one.failed_scrapes += 1;
            one.failures_in_a_row += 1;
        } else {
            one.failures_in_a_row = 0;
        }
        if one.failures_in_a_row < PATIENCE {
            return true;
        }
        let reason = format!("it stopped answering while measuring: {}", one.last_failure);
        session.progress.note(&format!("{} is out, {reason}", one.launcher));
        if let Some(entrant) = entrants.iter_mut().find(|entrant| entrant.launcher.name() == one.launcher) {
            entrant.failure = Some(reason);
        }
        false
    });
}

impl Running {
    fn new(session: &Session, launcher: &'static str, mut instance: Instance) -> Self {
        let clock = instance.clock.as_mut().map(|clock| Clock {
            set_within_seconds: clock.set(&session.stop).ok().map(|within| within.as_secs_f64()),
            offset_at_end_seconds: None,
            offset_error_seconds: None,
        });
        let accumulator = Accumulator::new(format!("lab:{launcher}"), launcher);
        Self {
            launcher,
            instance,
            accumulator,
            clock,
            rounds_before: 0,
            failures_in_a_row: 0,
            failed_scrapes: 0,
            last_failure: String::new(),
        }
    }

    fn scrape(&mut self) -> anyhow::Result<()> {
        let text = self.instance.scrape()?;
        self.accumulator.take(&text)?;
        Ok(())
    }

    /// The rounds of its busiest probe, those from before the phase left out.
    fn rounds_since_begin(&mut self, is_before: bool) -> usize {
        if is_before {
            self.rounds_before = self.accumulator.rounds();
        }
        self.accumulator.rounds() - self.rounds_before
    }

    fn finish(mut self, index: usize, turns: &Turns, begin: Duration) -> Measured {
        if let (Some(clock), Some(Ok((offset, error)))) =
            (&mut self.clock, self.instance.clock.as_mut().map(super::guest_clock::GuestClock::offset))
        {
            clock.offset_at_end_seconds = Some(offset);
            clock.offset_error_seconds = Some(error);
        }
        let mut collected = self.accumulator.finish();
        // Before all instances were up there were no turns to keep. Gauges stay: the boot is measured only once.
        collected
            .observations
            .retain(|one| one.statistic == Statistic::Value || one.timestamp >= begin.as_secs_f64());
        let kept = turns.kept(index, round_ends(&collected));
        let labels = &mut collected.instance.labels;
        labels.insert("launcher".to_owned(), self.launcher.to_owned());
        if let Some(accel) = self.instance.accel {
            labels.insert("accel".to_owned(), accel.to_owned());
        }
        Measured {
            launcher: self.launcher,
            collected,
            kept,
            clock: self.clock,
            failed_scrapes: self.failed_scrapes,
        }
    }
}

/// The ends of the rounds of all probes that measure durations, each once.
fn round_ends(collected: &Collected) -> impl Iterator<Item = f64> {
    let rounds = collected.observations.iter().filter(|one| one.statistic == Statistic::P50);
    let ends: std::collections::BTreeSet<u64> = rounds.map(|one| one.timestamp.to_bits()).collect();
    ends.into_iter().map(f64::from_bits)
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and a count of intervals is small"
)]
fn to_count(steps: f64) -> u32 {
    steps.floor() as u32
}
