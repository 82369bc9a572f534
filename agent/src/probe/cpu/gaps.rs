//! Spinning on the clock, and what interrupts it.

use std::time::Duration;

use crate::sys::clock;

/// How long a round spins.
const SPIN_NANOS: u64 = 3_000_000;

/// Shortest gap: longer than any clock read that nothing interrupts.
const SHORTEST_NANOS: u64 = 2_000;

/// Where reading the clock is dear, a gap is this many reads.
const READS_IN_A_GAP: u32 = 20;

/// Most gaps that are kept: one every 3 µs, which leaves nothing between them.
const MOST_GAPS: usize = 1024;

/// What one spin saw.
#[derive(Debug, Default)]
pub(super) struct Spin {
    /// How long it was, in nanoseconds.
    pub elapsed_nanos: u64,
    /// The gaps, in the order in which they came.
    pub gaps_nanos: Vec<u64>,
}

/// From how many nanoseconds on two readings have a gap between them, if one read takes `read_seconds`.
pub(super) fn threshold_nanos(read_seconds: f64) -> u64 {
    let reads = Duration::try_from_secs_f64(read_seconds).unwrap_or_default() * READS_IN_A_GAP;
    u64::try_from(reads.as_nanos()).unwrap_or(u64::MAX).max(SHORTEST_NANOS)
}

/// Reads the clock until the time is over.
pub(super) fn spin(threshold_nanos: u64) -> Spin {
    // Reserved and touched first: neither the allocator nor a page fault must look like a gap.
    let mut gaps = vec![0; MOST_GAPS];
    let mut found = 0;
    let start = clock::monotonic_nanos();
    let mut last = start;
    while last - start < SPIN_NANOS {
        let now = clock::monotonic_nanos();
        if now - last >= threshold_nanos
            && let Some(gap) = gaps.get_mut(found)
        {
            *gap = now - last;
            found += 1;
        }
        last = now;
    }
    gaps.truncate(found);
    Spin { elapsed_nanos: last - start, gaps_nanos: gaps }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_clock_is_no_gap() {
        assert_eq!(threshold_nanos(30e-9), 2_000);
        assert_eq!(threshold_nanos(1e-6), 20_000);
        assert_eq!(threshold_nanos(f64::NAN), 2_000);
    }

    #[test]
    fn gaps_are_within_the_spin() {
        let spin = spin(2_000);
        assert!(spin.elapsed_nanos >= SPIN_NANOS, "{spin:?}");
        assert!(spin.gaps_nanos.iter().sum::<u64>() <= spin.elapsed_nanos, "{spin:?}");
        assert!(spin.gaps_nanos.iter().all(|gap| *gap >= 2_000), "{spin:?}");
    }
}
