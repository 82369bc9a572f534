//! # What is measured
//!
//! The delay between the instant for which a sleeping thread asked to be woken and the instant at which it ran: an
//! absolute `clock_nanosleep`, 20 times, 4 to 6 ms apart so that neither the timer tick nor the rest of the machine
//! beats in step with it. The timer slack is 1 ns: with the default of 50 µs the kernel may put the wake-up off, and
//! every tier looks alike. Deadlines that had passed before the thread could even sleep for them are counted apart.
//!
//! The time of one exchange between two threads through two pipes, a byte each way, on one CPU (`same_cpu`: two
//! switches) and on two (`cross_cpu`: with the wake-up of an idle CPU): each timed alone, 32 and 12 of them after four of
//! warm-up. The control is one thread that writes to a pipe and reads from it, in batches of 16: what the pipes
//! cost without a switch. It is published beside, never subtracted.
//!
//! # What distorts it
//!
//! Idle states: a CPU that sleeps deeply wakes slowly, so an idle machine may look slower than a busy one. Other work
//! on the same CPU is part of the answer, not a disturbance: it is in p99 and the maximum.
//!
//! # Cost
//!
//! 20 wake-ups, 37 and 17 exchanges, 144 controls: 1.5 to 2.5 ms of CPU time and a tenth of a second of sleep, every
//! 15 s.

mod ping_pong;

use tierprobe_model::{Family, Kind};

use super::partner::Partner;
use super::{NO_LABELS, Placement, Probe, ProbeError, Round, Spec};
use crate::measure::{Samples, Summary, seconds};
use crate::sys::{clock, thread};

const DELAY: Family = Family {
    name: "tierprobe_scheduler_wakeup_delay_seconds",
    help: "Delay between the instant that a sleeping thread asked to be woken at and the instant it ran.",
    kind: Kind::Duration,
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
    help: "Time of the first exchange after the pause since the last round.",
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
    pauses_under_pressure: false,
    families: &[&DELAY, &MISSED, &PING_PONG, &PING_PONG_COLD, &PIPE],
    prepare: |_| Ok(Box::new(Scheduler { seed: clock::realtime_nanos(), partner: None })),
};

const WAKE_UPS: usize = 20;
const SHORTEST_GAP_NANOS: u64 = 4_000_000;
const GAP_SPREAD_NANOS: u64 = 2_000_000;

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
        self.wake_ups(&mut round);

        let failed = |what: &'static str| move |error: std::io::Error| ProbeError::failed(what, error);
        if let Some(control) = Summary::of(ping_pong::control().map_err(failed("pipe"))?) {
            round.gauge(&PIPE, NO_LABELS, control.quantiles.p50);
        }
        let partner = Partner::in_place(&mut self.partner)?;
        let mut places = vec![("same_cpu", placement.cpu, ping_pong::SAME_CPU)];
        places.extend(placement.other.map(|other| ("cross_cpu", other, ping_pong::CROSS_CPU)));
        for (name, cpu, plan) in places {
            let samples =
                ping_pong::exchange(partner, cpu, plan).map_err(failed("exchange through pipes"))?;
            round.add(&PING_PONG, Some(&PING_PONG_COLD), [name], samples);
        }
        round.own_helpers_cpu = partner.take_cpu();
        Ok(round)
    }
}

impl Scheduler {
    fn wake_ups(&mut self, round: &mut Round) {
        let mut warm = Vec::with_capacity(WAKE_UPS);
        let mut missed: u32 = 0;
        let mut deadline = clock::monotonic_nanos() + self.gap_nanos();
        for _ in 0..WAKE_UPS {
            missed += u32::from(clock::monotonic_nanos() >= deadline);
            thread::sleep_until(deadline);
            let woken = clock::monotonic_nanos();
            warm.push(seconds(woken.saturating_sub(deadline)));
            // The next deadline follows from this one, not from when it was met: a late wake-up must not
            // excuse the next (coordinated omission).
            deadline += self.gap_nanos();
        }
        round.add(&DELAY, None, NO_LABELS, Samples { cold: None, warm });
        round.gauge(&MISSED, NO_LABELS, f64::from(missed));
    }
}
