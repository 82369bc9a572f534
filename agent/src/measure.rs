//! How samples are taken: warm-up, batches, and what disturbed the round. Knows no probe.

use std::time::Duration;

use tierprobe_model::{Cause, Quantiles, family::BUCKETS};

use crate::sys::clock;
use crate::sys::thread::{self, Cpu};
use crate::waiting::Waiting;

/// How far wall clock and monotonic clock may drift apart within a round without a step: NTP slews by at most
/// 500 ppm, and reading two clocks is not one instant.
const LARGEST_SLEW: Duration = Duration::from_millis(5);

/// How an operation is timed.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Operations between two clock reads. One for operations of two microseconds and more; below, so many
    /// that reading the clock is a small share of the whole.
    pub operations: u32,
    /// Samples that are taken and thrown away first.
    pub warm_up: u32,
    /// Samples that are kept: an odd number where the median counts, which is then the one in the middle. Of four it would be the second,
    /// and where each sample is of one of two kinds (a CPU asleep deeply or lightly) the cheaper kind three times in four.
    pub samples: u32,
}

/// How long the thread may wait for its CPU in a round, its own partners aside, before the round counts as preempted.
/// Another program's turn on the CPU lasts longer.
pub const LONGEST_WAIT: Duration = Duration::from_micros(500);

/// Samples of one series in one round.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// Seconds that the very first operation of the round took, alone: what a rare request meets, but for what the
    /// operations before it in the round have warmed. Holds the cost of one clock read.
    pub cold: Option<f64>,
    /// Seconds for one operation, warmed up, in the order in which they were taken.
    pub warm: Vec<f64>,
}

/// Times `operation` by `plan`.
///
/// # Errors
///
/// The first error of `operation`; what was measured up to it is dropped.
pub fn time<E>(plan: Plan, mut operation: impl FnMut() -> Result<(), E>) -> Result<Samples, E> {
    let cold = time_batch(1, &mut operation)?;
    for _ in 0..plan.warm_up {
        time_batch(plan.operations, &mut operation)?;
    }
    // Reserved first: the allocator must not run between two samples.
    let mut warm = Vec::with_capacity(usize::try_from(plan.samples).unwrap_or(0));
    for _ in 0..plan.samples {
        warm.push(time_batch(plan.operations, &mut operation)?);
    }
    Ok(Samples { cold: Some(cold), warm })
}

/// Seconds for one of `operations` operations between two clock reads.
#[inline]
fn time_batch<E>(operations: u32, operation: &mut impl FnMut() -> Result<(), E>) -> Result<f64, E> {
    let start = clock::monotonic_nanos();
    for _ in 0..operations {
        operation()?;
    }
    let end = clock::monotonic_nanos();
    Ok(seconds(end.saturating_sub(start)) / f64::from(operations.max(1)))
}

/// Nanoseconds as seconds.
#[must_use]
pub fn seconds(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64()
}

/// A count, of bytes or ticks or events, as Prometheus has it.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "exact below 2^53, which are 8 PiB or a hundred days of nanoseconds"
)]
pub const fn real(count: u64) -> f64 {
    count as f64
}

/// What one round says about one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The five numbers of the warm samples.
    pub quantiles: Quantiles,
    /// The cold sample, in seconds.
    pub cold: Option<f64>,
    /// How many warm samples there are.
    pub count: u64,
    /// Their sum, in seconds.
    pub sum: f64,
    /// How many of them are at most each of [`BUCKETS`] and above the one before.
    pub buckets: [u64; BUCKETS.len()],
}

impl Summary {
    /// Sums up samples; `None` when there are no warm ones.
    #[must_use]
    pub fn of(samples: Samples) -> Option<Self> {
        let Samples { cold, mut warm } = samples;
        let quantiles = Quantiles::of(&mut warm)?;
        let mut buckets = [0; BUCKETS.len()];
        for sample in &warm {
            let bucket = BUCKETS.partition_point(|bound| bound < sample);
            if let Some(count) = buckets.get_mut(bucket) {
                *count += 1;
            }
        }
        let count = u64::try_from(warm.len()).unwrap_or(u64::MAX);
        Some(Self { quantiles, cold, count, sum: warm.iter().sum(), buckets })
    }
}

/// Watches what happens to the measuring thread during a round.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    waited: Waiting,
    realtime: u64,
    monotonic: u64,
    boottime: u64,
}

impl Watch {
    /// Starts to watch the calling thread, which has `waited` for a CPU in its life as far as is known.
    #[must_use]
    pub fn start(waited: Waiting) -> Self {
        Self {
            waited,
            realtime: clock::realtime_nanos(),
            monotonic: clock::monotonic_nanos(),
            boottime: clock::boottime_nanos(),
        }
    }

    /// What disturbed the thread since, if it should have stayed on `cpu`, has `waited` so by now, and other threads of the
    /// probe used `partners` of CPU time there, which it may have waited for.
    #[must_use]
    pub fn causes(&self, cpu: Cpu, waited: Waiting, partners: Duration) -> Vec<Cause> {
        let now = Self::start(waited);
        let elapsed = now.monotonic.saturating_sub(self.monotonic);
        let apart = |other: u64| Duration::from_nanos(other.abs_diff(elapsed)) > LARGEST_SLEW;
        // A clock that was set back shows less than nothing.
        let realtime = now.realtime.checked_sub(self.realtime);
        let suspended = apart(now.boottime.saturating_sub(self.boottime));
        let preempted = match (self.waited, now.waited) {
            (Waiting::Delay(then), Waiting::Delay(now)) => now.saturating_sub(then) > LONGEST_WAIT + partners,
            // A partner on the same CPU takes it each time that it is woken: the count tells nothing then.
            (Waiting::Switches(then), Waiting::Switches(now)) => now > then && partners.is_zero(),
            _ => false,
        };
        [
            (Cause::Preempted, preempted),
            (Cause::Migrated, thread::current_cpu().is_ok_and(|current| current != cpu)),
            (Cause::ClockStep, !suspended && realtime.is_none_or(apart)),
            (Cause::Suspended, suspended),
        ]
        .into_iter()
        .filter_map(|(cause, happened)| happened.then_some(cause))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_how_often_the_operation_runs() {
        let mut runs = 0;
        let plan = Plan { operations: 8, warm_up: 2, samples: 4 };
        let samples = time(plan, || {
            runs += 1;
            Ok::<(), ()>(())
        })
        .unwrap();
        assert_eq!(runs, 1 + 8 * (2 + 4));
        assert_eq!(samples.warm.len(), 4);
    }

    #[test]
    fn an_operation_that_fails_ends_the_round() {
        let plan = Plan { operations: 1, warm_up: 0, samples: 4 };
        assert_eq!(time(plan, || Err::<(), _>("no such file")), Err("no such file"));
    }

    #[test]
    fn each_sample_is_in_the_bucket_that_holds_it() {
        let warm = vec![1.6e-8, 1.7e-8, 3.0e-7, 100.0];
        let summary = Summary::of(Samples { cold: None, warm }).unwrap();
        assert_eq!(summary.count, 4);
        assert_eq!(summary.buckets.iter().sum::<u64>(), 3, "100 s is above every bound");
        assert_eq!((summary.buckets[0], summary.buckets[2]), (2, 1));
    }

    #[test]
    fn waiting_for_the_cpu_disturbs_a_round() {
        let here = thread::current_cpu().unwrap();
        let elsewhere = usize::MAX;
        let watch = Watch::start(Waiting::Delay(Duration::from_millis(5)));
        let preempted = |waited_millis, partners_millis| {
            let waited = Waiting::Delay(Duration::from_millis(waited_millis));
            watch.causes(here, waited, Duration::from_millis(partners_millis)).contains(&Cause::Preempted)
        };
        assert!(!preempted(5, 0));
        assert!(preempted(6, 0));
        assert!(!preempted(6, 1), "the partner's own time is no disturbance");
        let unknown = watch.causes(elsewhere, Waiting::Unknown, Duration::ZERO);
        assert_eq!(unknown, [Cause::Migrated], "what is not known is no cause");
    }

    #[test]
    fn where_no_time_is_told_being_taken_off_the_cpu_counts() {
        let here = thread::current_cpu().unwrap();
        let watch = Watch::start(Waiting::Switches(3));
        let preempted = |switches, partners| {
            watch.causes(here, Waiting::Switches(switches), partners).contains(&Cause::Preempted)
        };
        assert!(!preempted(3, Duration::ZERO));
        assert!(preempted(4, Duration::ZERO));
        assert!(!preempted(4, Duration::from_micros(1)), "the partner may have been it");
    }

    #[test]
    fn nothing_measured_is_no_summary() {
        assert_eq!(Summary::of(Samples::default()), None);
    }
}
