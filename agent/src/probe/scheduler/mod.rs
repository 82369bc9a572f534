//! # What is measured
//!
//! The delay between the instant for which a sleeping thread asked to be woken and the instant at which it ran: an
//! absolute `clock_nanosleep`, 13 times after a cold one, 10 to 14 ms apart so that neither the timer tick nor the rest of
//! the machine beats in step with it. The timer slack is 1 ns: with the default of 50 µs the kernel may put the wake-up
//! off, and every tier looks alike; where it stays, there is no such series.
//! Intended and service time are apart: the delay counts from the deadline, and so has in it how late the thread was
//! from the time before; the service time counts from the deadline or, where that had passed, from the call. Deadlines
//! that had passed before the thread could even sleep for them are counted.
//!
//! The time of one exchange between two threads through two pipes, a byte each way, on one CPU (`same_cpu`: two
//! switches) and on two (`cross_cpu`: with the wake-up of an idle CPU): each timed alone, 13 and 5 of them after one of
//! warm-up. The control is one thread that writes to a pipe and reads from it, in batches of 16: what the pipes
//! cost without a switch. It is published beside, never subtracted.
//!
//! # What distorts it
//!
//! Idle states: a CPU that sleeps deeply wakes slowly, so an idle machine may look slower than a busy one, and how deeply
//! it sleeps follows from how long: compare with nothing that wakes at another rate. Both CPUs have been left alone for
//! 60 ms before bytes go across: at once after the files and pipes of a round were closed an exchange took a fifth less.
//! Other work on the same CPU is part of the answer, not a disturbance: it is in p99 and the maximum.
//!
//! # Cost
//!
//! 14 wake-ups, 15 and 7 exchanges, 129 controls: 1 to 2.5 ms of CPU time and a quarter of a second of sleep, every
//! 15 s.

mod ping_pong;

use std::time::Duration;

use tierprobe_model::{Family, Kind};

use super::partner::{IDLE, Partner};
use super::{Helpers, NO_LABELS, Placement, Probe, ProbeError, Round, Spec};
use crate::measure::{Samples, Summary, seconds};
use crate::sys::{clock, thread};

const DELAY: Family = Family {
    name: "tierprobe_scheduler_wakeup_delay_seconds",
    help: "Delay between the instant that a sleeping thread asked to be woken at and the instant it ran.",
    kind: Kind::Duration,
    labels: &[],
};
const COLD: Family = Family {
    name: "tierprobe_scheduler_wakeup_delay_cold_seconds",
    help: "The same delay for the first wake-up of the round.",
    kind: Kind::Gauge,
    labels: &[],
};
const SERVICE: Family = Family {
    name: "tierprobe_scheduler_wakeup_service_median_seconds",
    help: "Time that a wake-up itself took, from its deadline or, where that had passed, from the call; median.",
    kind: Kind::Gauge,
    labels: &[],
};
const SERVICE_LONGEST: Family = Family {
    name: "tierprobe_scheduler_wakeup_service_longest_seconds",
    help: "The longest of them; far below the longest delay where one late wake-up made the next ones late.",
    kind: Kind::Gauge,
    labels: &[],
};
const MISSED: Family = Family {
    name: "tierprobe_scheduler_missed_deadlines",
    help: "Deadlines of the last round that had passed before the thread could sleep for them; their delays count as well.",
    kind: Kind::Gauge,
    labels: &[],
};
const PING_PONG: Family = Family {
    name: "tierprobe_scheduler_ping_pong_seconds",
    help: "Time of one exchange of a byte between two threads through pipes, warmed up.",
    kind: Kind::Duration,
    labels: &["placement"],
};
const PING_PONG_COLD: Family = Family {
    name: "tierprobe_scheduler_ping_pong_cold_seconds",
    help: "Time of the first exchange of the round, after the wake-ups.",
    kind: Kind::Gauge,
    labels: &["placement"],
};
const PIPE: Family = Family {
    name: "tierprobe_scheduler_pipe_control_seconds",
    help: "Time of writing a byte to a pipe and reading it in the same thread, the control without a switch; median.",
    kind: Kind::Gauge,
    labels: &[],
};

/// Wake-ups and switches.
pub(super) const SPEC: Spec = Spec {
    name: "scheduler",
    measures: "the delay of a wake-up at an absolute time; exchanges between threads through pipes",
    interval: super::USUAL_INTERVAL,
    operations: Some(1),
    measures_waiting: true,
    families: &[&DELAY, &COLD, &SERVICE, &SERVICE_LONGEST, &MISSED, &PING_PONG, &PING_PONG_COLD, &PIPE],
    prepare: |_| Ok(Box::new(Scheduler { seed: clock::realtime_nanos(), partner: None })),
};

const WAKE_UPS: usize = 13;

/// What the runner asks for. Real-time threads have none.
const MOST_SLACK_NANOS: i32 = 1;
const SHORTEST_GAP_NANOS: u64 = 10_000_000;
const GAP_SPREAD_NANOS: u64 = 4_000_000;

struct Scheduler {
    /// State of the generator that spreads the gaps.
    seed: u64,
    /// The other thread; started by the first round, ended with the probe.
    partner: Option<Partner>,
}

impl Scheduler {
    /// A gap that is not predictable from the tick. Knuth's linear congruential generator; its upper bits are
    /// random enough to be out of step.
    fn gap_nanos(&mut self) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        SHORTEST_GAP_NANOS + (self.seed >> 33) % GAP_SPREAD_NANOS
    }
}

impl Probe for Scheduler {
    fn measure(&mut self, placement: Placement) -> Result<Round, ProbeError> {
        let mut round = Round::default();
        if let Err(why) = self.wake_ups(&mut round) {
            round.miss("wake-ups", why);
        }
        if let Err(why) = self.exchanges(placement, &mut round) {
            round.miss("exchanges through pipes", why);
        }
        round.complete()
    }

    fn take_helpers(&mut self) -> Helpers {
        self.partner.as_mut().map_or_else(Helpers::default, Partner::take)
    }
}

impl Scheduler {
    fn exchanges(&mut self, placement: Placement, round: &mut Round) -> Result<(), ProbeError> {
        let failed = |what: &'static str| move |error: std::io::Error| ProbeError::failed(what, error);
        if let Some(control) = Summary::of(ping_pong::control().map_err(failed("pipe"))?) {
            round.gauge(&PIPE, NO_LABELS, control.quantiles.p50);
        }
        let partner = Partner::in_place(&mut self.partner)?;
        let mut places = vec![("same_cpu", placement.cpu, Duration::ZERO, ping_pong::SAME_CPU)];
        places.extend(placement.other.map(|other| ("cross_cpu", other, IDLE, ping_pong::CROSS_CPU)));
        for (name, cpu, pause, plan) in places {
            let samples = ping_pong::exchange(partner, cpu, pause, plan).map_err(failed(name))?;
            round.add(&PING_PONG, Some(&PING_PONG_COLD), [name], samples);
        }
        Ok(())
    }

    fn wake_ups(&mut self, round: &mut Round) -> Result<(), ProbeError> {
        let slack = thread::timer_slack_nanos().map_err(|errno| ProbeError::failed("timer slack", errno))?;
        if slack > MOST_SLACK_NANOS {
            return Err(ProbeError::Failed(format!("the timer slack stays at {slack} ns")));
        }
        let mut delays = Samples { cold: None, warm: Vec::with_capacity(WAKE_UPS) };
        let mut service = Vec::with_capacity(WAKE_UPS);
        let mut missed: u32 = 0;
        let mut deadline = clock::monotonic_nanos() + self.gap_nanos();
        for wake_up in 0..=WAKE_UPS {
            let asked = clock::monotonic_nanos();
            thread::sleep_until(deadline).map_err(|errno| ProbeError::failed("clock_nanosleep", errno))?;
            let woken = clock::monotonic_nanos();
            let delay = seconds(woken.saturating_sub(deadline));
            if wake_up == 0 {
                delays.cold = Some(delay);
            } else {
                missed += u32::from(asked >= deadline);
                delays.warm.push(delay);
                service.push(seconds(woken.saturating_sub(deadline.max(asked))));
            }
            // The next deadline follows from this one, not from when it was met: a late wake-up must not
            // excuse the next (coordinated omission).
            deadline += self.gap_nanos();
        }
        round.add(&DELAY, Some(&COLD), NO_LABELS, delays);
        if let Some(service) = Summary::of(Samples { cold: None, warm: service }) {
            round.gauge(&SERVICE, NO_LABELS, service.quantiles.p50);
            round.gauge(&SERVICE_LONGEST, NO_LABELS, service.quantiles.max);
        }
        round.gauge(&MISSED, NO_LABELS, f64::from(missed));
        Ok(())
    }
}
