//! Clocks.
//!
//! Samples are differences of `CLOCK_MONOTONIC`, read through the vDSO where the clock source allows.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeSpec, TimeValLike as _};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};

/// Nanoseconds in a second.
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Back-to-back reads that the cost of one read is taken from.
const READS: usize = 65;

fn nanos(clock: ClockId) -> u64 {
    // Fails only for clocks that the kernel does not know, and these are as old as the kernels we run on.
    nanos_of(clock_gettime(clock).unwrap_or(TimeSpec::new(0, 0)))
}

fn nanos_of(time: TimeSpec) -> u64 {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    seconds * NANOS_PER_SECOND + u64::try_from(time.tv_nsec()).unwrap_or(0)
}

/// `CLOCK_MONOTONIC` in nanoseconds.
#[inline]
#[must_use]
pub fn monotonic_nanos() -> u64 {
    nanos(ClockId::CLOCK_MONOTONIC)
}

/// `CLOCK_MONOTONIC_COARSE`: monotonic, as of the last timer tick of the CPU that keeps the time.
#[inline]
#[must_use]
pub fn coarse_nanos() -> u64 {
    nanos(ClockId::CLOCK_MONOTONIC_COARSE)
}

/// `CLOCK_BOOTTIME`: monotonic, with the time that the machine slept.
#[must_use]
pub fn boottime_nanos() -> u64 {
    nanos(ClockId::CLOCK_BOOTTIME)
}

/// `CLOCK_REALTIME`: nanoseconds since the epoch; jumps when the clock is set.
#[must_use]
pub fn realtime_nanos() -> u64 {
    nanos(ClockId::CLOCK_REALTIME)
}

/// Seconds since the epoch.
#[must_use]
pub fn realtime_seconds() -> f64 {
    Duration::from_nanos(realtime_nanos()).as_secs_f64()
}

/// CPU time that the calling thread has used.
///
/// The vDSO does not have this clock, so that a seccomp filter may refuse it. `getrusage` knows the same as of
/// the last timer tick; where that is refused, too, all time counts as used: who cannot tell what it costs must not cost more.
#[must_use]
pub fn thread_cpu() -> Duration {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_THREAD).ok()?;
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Some(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
    };
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .ok()
        .map(|time| Duration::from_nanos(nanos_of(time)))
        .or_else(used)
        .unwrap_or_else(|| Duration::from_nanos(monotonic_nanos()))
}

/// Ticks in a second, as `/proc/PID/stat` counts them (`_SC_CLK_TCK`).
#[must_use]
pub fn ticks_per_second() -> u32 {
    sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u32::try_from(ticks).ok()).unwrap_or(100)
}

/// What reading the clock costs, and the smallest step it shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockCost {
    /// Seconds that one read takes: the smallest of 64 differences of back-to-back reads.
    pub read_seconds: f64,
    /// Seconds between neighbouring readings: the smallest difference that occurred.
    pub tick_seconds: f64,
}

/// Measures the clock itself.
#[must_use]
pub fn cost() -> ClockCost {
    let mut reads = [0_u64; READS];
    for read in &mut reads {
        *read = monotonic_nanos();
    }
    let differences = || reads.iter().zip(reads.iter().skip(1)).map(|(first, second)| second - first);
    // Where the clock is coarser than a read, most differences are zero and the smallest would say that a
    // read is free. The span of all reads still tells.
    let read = match differences().min() {
        Some(smallest) if smallest > 0 => Duration::from_nanos(smallest),
        _ => {
            let span = reads.last().unwrap_or(&0) - reads.first().unwrap_or(&0);
            Duration::from_nanos(span) / 64
        }
    };
    // Where some reads see no time pass, the smallest step that they do see is the tick. Elsewhere the tick is
    // shorter than a read and shows in how differences differ; by one they differ from rounding alone.
    let mut steps: Vec<u64> = differences().collect();
    steps.sort_unstable();
    steps.dedup();
    let tick = match (steps.first(), steps.get(1)) {
        (Some(0), Some(step)) => *step,
        _ => {
            let between = steps.iter().zip(steps.iter().skip(1)).map(|(first, second)| second - first);
            between.filter(|step| *step > 1).min().unwrap_or(1)
        }
    };
    ClockCost { read_seconds: read.as_secs_f64(), tick_seconds: Duration::from_nanos(tick).as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_read_costs_something_but_not_much() {
        let cost = cost();
        assert!(cost.read_seconds > 0.0 && cost.read_seconds < 1e-3, "{cost:?}");
        assert!(cost.tick_seconds > 0.0 && cost.tick_seconds < 1e-2, "{cost:?}");
    }
}
