//! # What is measured
//!
//! The delay between the instant for which a sleeping thread asked to be woken and the instant at which it ran: an
//! absolute `clock_nanosleep`, 20 times, 4 to 6 ms apart so that neither the timer tick nor the rest of the machine
//! beats in step with it. The timer slack is 1 ns: with the default of 50 µs the kernel may put the wake-up off, and
//! every tier looks alike.
//!
//! # What distorts it
//!
//! Idle states: a CPU that sleeps deeply wakes slowly, so an idle machine may look slower than a busy one. Other work
//! on the same CPU is part of the answer, not a disturbance: it is in p99 and the maximum.
//!
//! # Cost
//!
//! 20 wake-ups, about 1 ms of CPU time and a tenth of a second of sleep, every 15 s.

use tierprobe_model::{Family, Kind};

use super::{NO_LABELS, Placement, Probe, ProbeError, Round, Spec};
use crate::measure::{Samples, seconds};
use crate::sys::{clock, thread};

const DELAY: Family = Family {
    name: "tierprobe_scheduler_wakeup_delay_seconds",
    help: "Delay between the instant that a sleeping thread asked to be woken at and the instant it ran.",
    kind: Kind::Duration,
    labels: &[],
};
/// Wake-ups.
pub(super) const SPEC: Spec = Spec {
    name: "scheduler",
    measures: "the delay of a wake-up at an absolute time",
    interval: super::USUAL_INTERVAL,
    operations: Some(1),
    measures_waiting: true,
    families: &[&DELAY],
    prepare: |_| Ok(Box::new(Scheduler { seed: clock::realtime_nanos() })),
};

const WAKE_UPS: usize = 20;
const SHORTEST_GAP_NANOS: u64 = 4_000_000;
const GAP_SPREAD_NANOS: u64 = 2_000_000;

struct Scheduler {
    /// State of the generator that spreads the gaps.
    seed: u64,
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
    fn measure(&mut self, _: Placement) -> Result<Round, ProbeError> {
        let mut warm = Vec::with_capacity(WAKE_UPS);
        let mut deadline = clock::monotonic_nanos() + self.gap_nanos();
        for _ in 0..WAKE_UPS {
            thread::sleep_until(deadline);
            let woken = clock::monotonic_nanos();
            warm.push(seconds(woken.saturating_sub(deadline)));
            // The next deadline follows from this one, not from when it was met: a late wake-up must not
            // excuse the next (coordinated omission).
            deadline += self.gap_nanos();
        }
        let mut round = Round::default();
        round.add(&DELAY, None, NO_LABELS, Samples { cold: None, warm });
        Ok(round)
    }
}
