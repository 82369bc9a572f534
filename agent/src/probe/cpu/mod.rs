//! # What is measured
//!
//! How much of a CPU does not reach a program that wants all of it. For 2 ms the pinned thread does nothing but read the
//! clock; two readings more than 2 µs apart (or 20 reads of a slow clock) are a gap, in which something else ran:
//! interrupts, another task, the hypervisor. Published are how many there were, their median and the longest, and how
//! long those were in which the timer ticked and moved `CLOCK_MONOTONIC_COARSE`. `lost`: the gaps' share of the 2 ms.
//! `unexplained`: the same less what the kernel says the thread has waited for its CPU, to which a used-up quota counts.
//! That is time which no other counter shows: interrupts, the hypervisor and the firmware.
//!
//! Beside it, as shares of the time since the last round: steal, as the hypervisor reports it (`steal_reported` says
//! whether it can); tasks waiting for a CPU (`/proc/schedstat`, 1 is one task waiting all the time); throttling by
//! the quotas of the agent's control group and of those around it, as far as they are visible; pressure (PSI, `some`) of the system and of the group.
//!
//! # What distorts it
//!
//! Steal is not subtracted from what is unexplained: the kernel counts it in steps of 10 ms, longer than the spin.
//! 2 ms see every other timer tick at 250 Hz at most, so average over many rounds. The first one after the tick was off, as it
//! is on a CPU that is idle for long, may find that the end of the idle time has moved the coarse clock already: it is a
//! gap, and not told as a tick. It is dearer, too: one virtual machine had ticks of 25 µs where files that were closed
//! shortly before had kept it on (the kernel frees them), of 35 µs after 5 ms without, of 50 µs after 100 ms.
//! A hypervisor that reports no steal shows zero, and zero is then no answer.
//!
//! # Cost
//!
//! 2 ms of CPU time for the spin and 0.2 ms for the files, every 15 s.

mod gaps;
mod shares;

use tierprobe_model::{Family, Kind};

use super::{NO_LABELS, Placement, Probe, ProbeError, Round, Spec};
use crate::host::HostFs;
use crate::measure::{Samples, Summary, seconds};
use crate::sys::{clock, cpuid};
use crate::waiting;
use shares::Shares;

const GAPS: Family = Family {
    name: "tierprobe_cpu_gaps",
    help: "How often something else ran in the middle of a program that wants all of the CPU, in the 2 ms of the round.",
    kind: Kind::Gauge,
    labels: &[],
};
const GAP_MEDIAN: Family = Family {
    name: "tierprobe_cpu_gap_median_seconds",
    help: "How long such a gap was, median of the round.",
    kind: Kind::Gauge,
    labels: &[],
};
const TICK: Family = Family {
    name: "tierprobe_cpu_tick_seconds",
    help: "How long the gap was in which the timer ticked, median of the round; absent in rounds without a tick.",
    kind: Kind::Gauge,
    labels: &[],
};
const GAP_LONGEST: Family = Family {
    name: "tierprobe_cpu_gap_longest_seconds",
    help: "The longest gap of the round.",
    kind: Kind::Gauge,
    labels: &[],
};
const LOST: Family = Family {
    name: "tierprobe_cpu_lost_ratio",
    help: "Share of the CPU that did not reach a program that wants all of it, by the gaps in it.",
    kind: Kind::Gauge,
    labels: &[],
};
const UNEXPLAINED: Family = Family {
    name: "tierprobe_cpu_unexplained_ratio",
    help: "Lost share less the thread's own wait for its CPU: interrupts, hypervisor and firmware; steal is in it.",
    kind: Kind::Gauge,
    labels: &[],
};
const STEAL_REPORTED: Family = Family {
    name: "tierprobe_cpu_steal_reported",
    help: "Whether the hypervisor reports steal; absent where that is not known, as on hardware.",
    kind: Kind::Gauge,
    labels: &[],
};

/// Lost time.
pub(super) const SPEC: Spec = Spec {
    name: "cpu",
    measures: "lost CPU time: gaps, steal, waiting, throttling, pressure",
    interval: super::USUAL_INTERVAL,
    operations: Some(1),
    measures_waiting: true,
    families: &[
        &GAPS,
        &GAP_MEDIAN,
        &GAP_LONGEST,
        &TICK,
        &LOST,
        &UNEXPLAINED,
        &STEAL_REPORTED,
        &shares::STEAL,
        &shares::WAITING,
        &shares::THROTTLED,
        &shares::PRESSURE,
    ],
    prepare: |site| {
        Ok(Box::new(Cpu {
            fs: site.fs.clone(),
            shares: Shares::new(site.fs),
            threshold_nanos: gaps::threshold_nanos(clock::cost().read_seconds),
            steal_reported: if site.fs.is_live() { cpuid::reports_steal() } else { None },
        }))
    },
};

struct Cpu {
    fs: HostFs,
    shares: Shares,
    threshold_nanos: u64,
    steal_reported: Option<bool>,
}

impl Probe for Cpu {
    fn measure(&mut self, _: Placement) -> Result<Round, ProbeError> {
        let mut round = Round::default();
        let waited = waiting::of_this_thread(&self.fs);
        let spin = gaps::spin(self.threshold_nanos);
        let waited = waiting::of_this_thread(&self.fs)
            .zip(waited)
            .map(|(after, before)| after.saturating_sub(before).as_secs_f64());

        let length = seconds(spin.elapsed_nanos);
        let lost = spin.gaps_nanos().map(seconds).sum::<f64>();
        round.gauge(&LOST, NO_LABELS, lost / length);
        if let Some(waited) = waited {
            // May be a little below zero: the two clocks are not read at one instant.
            round.gauge(&UNEXPLAINED, NO_LABELS, (lost - waited) / length);
        }
        if let Some(reported) = self.steal_reported {
            round.gauge(&STEAL_REPORTED, NO_LABELS, f64::from(u8::from(reported)));
        }
        round.gauge(&GAPS, NO_LABELS, u32::try_from(spin.gaps_nanos().len()).map_or(f64::NAN, f64::from));
        let summary = |nanos: Vec<u64>| {
            Summary::of(Samples { cold: None, warm: nanos.into_iter().map(seconds).collect() })
        };
        // Without a gap there is no length of one.
        if let Some(gaps) = summary(spin.gaps_nanos().collect()) {
            round.gauge(&GAP_MEDIAN, NO_LABELS, gaps.quantiles.p50);
            round.gauge(&GAP_LONGEST, NO_LABELS, gaps.quantiles.max);
        }
        if let Some(ticks) = summary(spin.ticks_nanos().collect()) {
            round.gauge(&TICK, NO_LABELS, ticks.quantiles.p50);
        }
        self.shares.add(&self.fs, &mut round);
        Ok(round)
    }
}
