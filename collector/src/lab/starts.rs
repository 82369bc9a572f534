//! The starts: how long until the agent answers, and what the host then gives up for it.
//!
//! Each start is a repetition of its own: a new instance, alone on the machine as far as the lab goes, measured a
//! fixed time after its first answer, and ended. The launchers take turns, so that a machine that gets slower
//! makes all of them slower.
//!
//! # What distorts it
//!
//! Proportional set size divides a page among all processes that map it. Two instances of one program would share
//! its text and each look cheaper than it is alone. So every launcher has its own copy of the agent, with an inode
//! and pages of its own, and one instance runs at a time: what is measured is the cost of the first instance.
//! Further ones of the same tier cost less, by the text that they share. Libraries of launchers (bwrap, QEMU) are
//! shared with whatever else on the machine uses them, as they would be in daily use.
//!
//! Caches are warm: a start that is not counted comes first.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tierprobe_model::Quantiles;

use super::instance::{HostMemory, Instance};
use super::launcher::{Launcher, Plan, SharedCost, Starter};
use super::session::Session;
use super::stop::Interrupted;
use super::turns;

/// How long an instance may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(90);

/// From the first answer to the measurement of memory: the first rounds of the probes are over by then.
pub(crate) const SETTLE: Duration = Duration::from_millis(2500);

/// From one turn of an instance to the next meanwhile: it begins one, and ends it, before its memory is measured.
const INTERVAL: Duration = Duration::from_millis(1500);

/// How long a turn is taken to be where none was seen.
const USUAL_TURN: Duration = Duration::from_millis(300);

/// A launcher in a run, and what it has shown so far.
pub(crate) struct Entrant<'a> {
    /// The launcher.
    pub(crate) launcher: &'static dyn Launcher,
    /// The launcher, ready.
    pub(crate) starter: Box<dyn Starter + 'a>,
    /// Its counted starts, in time order.
    pub(crate) starts: Vec<Start>,
    /// How its instances run, where that is said.
    pub(crate) accel: Option<&'static str>,
    /// What serves all its instances.
    pub(crate) shared: Vec<SharedCost>,
    /// How long its longest turn took, where one was seen.
    pub(crate) longest_turn: Option<Duration>,
    /// What a reader must know of how its instances ran.
    pub(crate) note: Option<String>,
    /// Why it is out.
    pub(crate) failure: Option<String>,
}

/// One start.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Start {
    /// When it began, in seconds since the epoch.
    pub(crate) timestamp: f64,
    /// From the spawn of the launcher to the first HTTP 200, in seconds.
    pub(crate) start_seconds: f64,
    /// What the host gave up for it a while later.
    pub(crate) host_memory: HostMemory,
    /// How often it had to be tried again; the failed attempts' time is not in `start_seconds`.
    pub(crate) retries: u32,
}

impl<'a> Entrant<'a> {
    /// An entrant that has shown nothing yet.
    #[must_use]
    pub(crate) fn new(launcher: &'static dyn Launcher, starter: Box<dyn Starter + 'a>) -> Self {
        Self {
            launcher,
            starter,
            starts: Vec::new(),
            accel: None,
            shared: Vec::new(),
            longest_turn: None,
            note: None,
            failure: None,
        }
    }

    /// Whether it is still in the run.
    #[must_use]
    pub(crate) fn is_in(&self) -> bool {
        self.failure.is_none()
    }

    /// How long its longest turn took so far.
    #[must_use]
    pub(crate) fn turn(&self) -> Duration {
        // An agent that showed no round gets what one takes on a busy machine.
        self.longest_turn.unwrap_or(USUAL_TURN)
    }

    /// The median of a number over its starts.
    #[must_use]
    pub(crate) fn median(&self, number: impl Fn(&Start) -> f64) -> Option<f64> {
        let mut values: Vec<f64> = self.starts.iter().map(number).collect();
        Quantiles::of(&mut values).map(|quantiles| quantiles.p50)
    }
}

/// Starts every entrant `count` times, in turns, after one start each that only warms the caches.
///
/// An entrant that fails is out; the others go on.
///
/// # Errors
///
/// Only when somebody wants the run to end.
pub(crate) fn measure(
    session: &Session,
    entrants: &mut [Entrant<'_>],
    count: u32,
) -> Result<(), Interrupted> {
    for number in 0..=count {
        for entrant in entrants.iter_mut().filter(|entrant| entrant.is_in()) {
            let name = entrant.launcher.name();
            let what = if number == 0 { "warm-up".to_owned() } else { format!("start {number} of {count}") };
            session.progress.say(&format!("{name}: {what}"));
            let result = measure_one(session, entrant, number);
            session.stop.check()?;
            session.progress.step();
            match result {
                Ok(start) if number > 0 => entrant.starts.push(start),
                Ok(_) => {}
                Err(error) => {
                    let reason = format!("{what} failed: {error:#}");
                    session.progress.note(&format!("{name} is out, {reason}"));
                    entrant.failure = Some(reason);
                }
            }
        }
    }
    Ok(())
}

fn measure_one(session: &Session, entrant: &mut Entrant<'_>, number: u32) -> anyhow::Result<Start> {
    let plan = Plan {
        name: format!("{}-{}-{number}", session.name, entrant.launcher.name()),
        arguments: vec![
            "--probe.slot=1/1".to_owned(),
            format!("--probe.interval={}ms", INTERVAL.as_millis()),
            "--probe.budget=0.5".to_owned(),
            "--probe.pressure=1".to_owned(),
            "--log.level=warn".to_owned(),
        ],
    };
    let mark = session.cleanup.mark();
    let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let result = start(session, entrant, &plan).and_then(|(instance, took)| {
        // The warm-up's numbers are not used: no need to let it settle.
        if number > 0 {
            session.stop.sleep(SETTLE)?;
        }
        entrant.shared = entrant.starter.shared();
        let host_memory = instance.host_memory()?;
        let retries = instance.retries;
        if number > 0 {
            let turn = instance.scrape().ok().and_then(|text| turns::latest_turn(&text, INTERVAL));
            entrant.longest_turn = entrant.longest_turn.max(turn);
        }
        Ok(Start { timestamp, start_seconds: took.as_secs_f64(), host_memory, retries })
    });
    let left = session.cleanup.back_to(mark);
    match result {
        Ok(_) if !left.is_empty() => anyhow::bail!("it did not end: {}", left.join("; ")),
        other => other,
    }
}

/// Starts an instance and waits until it answers; says how long that took.
///
/// # Errors
///
/// When it does not.
pub(crate) fn start(
    session: &Session,
    entrant: &mut Entrant<'_>,
    plan: &Plan,
) -> anyhow::Result<(Instance, Duration)> {
    let mut instance = entrant.starter.start(plan)?;
    let took = instance.wait_for_answer(ANSWER_LIMIT, &session.stop)?;
    instance.wait_for_command(&session.stop)?;
    entrant.accel = instance.accel;
    entrant.note = entrant.starter.note();
    Ok((instance, took))
}
