//! Spinning on the clock, and what interrupts it.

use std::time::Duration;

use crate::sys::clock;

/// How long a round spins.
const SPIN_NANOS: u64 = 2_000_000;

/// All CPUs' timers tick at once, but none starts at the very instant at which the one that keeps the time moves it.
const TICK_TOLERANCE_NANOS: u64 = 20_000;

/// Most ticks in a spin, at 1000 Hz and with the spin interrupted for longer than it lasts.
const MOST_TICKS: usize = 16;

/// Shortest gap: longer than any clock read that nothing interrupts.
const SHORTEST_NANOS: u64 = 2_000;

/// Where reading the clock is dear, a gap is this many reads.
const READS_IN_A_GAP: u32 = 20;

/// Most gaps that are kept: one every 3 µs, which leaves nothing between them.
const MOST_GAPS: usize = 1024;

/// Time in which something else ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Gap {
    start: u64,
    end: u64,
}

impl Gap {
    const fn nanos(self) -> u64 {
        self.end - self.start
    }

    /// Whether the timer ticked in it, if the coarse clock was seen moved at `moved`.
    const fn holds_tick(self, moved: u64) -> bool {
        self.start <= moved + TICK_TOLERANCE_NANOS && moved <= self.end + TICK_TOLERANCE_NANOS
    }
}

/// What one spin saw.
#[derive(Debug, Default)]
pub(super) struct Spin {
    /// How long it was, in nanoseconds.
    pub elapsed_nanos: u64,
    gaps: Vec<Gap>,
    /// When the coarse clock was seen to have moved, which it does at a timer tick.
    moved: Vec<u64>,
}

impl Spin {
    /// The lengths of the gaps in nanoseconds, in the order in which they came.
    pub(super) fn gaps_nanos(&self) -> impl ExactSizeIterator<Item = u64> {
        self.gaps.iter().map(|gap| gap.nanos())
    }

    /// The lengths of those in which the timer ticked.
    pub(super) fn ticks_nanos(&self) -> impl Iterator<Item = u64> {
        let is_tick = |gap: &&Gap| self.moved.iter().any(|moved| gap.holds_tick(*moved));
        self.gaps.iter().filter(is_tick).map(|gap| gap.nanos())
    }
}

/// From how many nanoseconds on two readings have a gap between them, if one read takes `read_seconds`.
pub(super) fn threshold_nanos(read_seconds: f64) -> u64 {
    let reads = Duration::try_from_secs_f64(read_seconds).unwrap_or_default() * READS_IN_A_GAP;
    u64::try_from(reads.as_nanos()).unwrap_or(u64::MAX).max(SHORTEST_NANOS)
}

/// Reads the clock until the time is over.
pub(super) fn spin(threshold_nanos: u64) -> Spin {
    // Reserved and touched first: neither the allocator nor a page fault must look like a gap.
    let mut gaps = vec![Gap::default(); MOST_GAPS];
    let mut moved = vec![0; MOST_TICKS];
    let (mut found, mut ticks) = (0, 0);
    let mut coarse = clock::coarse_nanos();
    let start = clock::monotonic_nanos();
    let mut last = start;
    while last - start < SPIN_NANOS {
        let now = clock::monotonic_nanos();
        if now - last >= threshold_nanos
            && let Some(gap) = gaps.get_mut(found)
        {
            *gap = Gap { start: last, end: now };
            found += 1;
        }
        last = now;
        let coarse_now = clock::coarse_nanos();
        if coarse_now != coarse {
            coarse = coarse_now;
            if let Some(tick) = moved.get_mut(ticks) {
                *tick = now;
                ticks += 1;
            }
        }
    }
    gaps.truncate(found);
    moved.truncate(ticks);
    Spin { elapsed_nanos: last - start, gaps, moved }
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
        assert!(spin.gaps_nanos().sum::<u64>() <= spin.elapsed_nanos, "{spin:?}");
        assert!(spin.gaps_nanos().all(|gap| gap >= 2_000), "{spin:?}");
        assert!(spin.ticks_nanos().count() <= spin.gaps_nanos().len(), "{spin:?}");
    }

    #[test]
    fn a_gap_in_which_the_coarse_clock_moved_is_a_tick() {
        let gap = |start, end| Gap { start, end };
        let gaps = vec![gap(100_000, 105_000), gap(1_000_000, 1_004_000), gap(1_500_000, 1_900_000)];
        let of = |moved: Vec<u64>| -> Vec<u64> {
            Spin { elapsed_nanos: 2_000_000, gaps: gaps.clone(), moved }.ticks_nanos().collect()
        };
        assert_eq!(of(vec![1_004_000]), [4_000], "seen right after the gap");
        assert_eq!(of(vec![990_000]), [4_000], "the CPU that keeps the time was a little earlier");
        assert!(of(vec![500_000]).is_empty(), "this CPU does not tick");
        assert_eq!(of(vec![105_000, 1_600_000]), [5_000, 400_000]);
    }

    #[test]
    fn a_busy_cpu_ticks() {
        // At 100 Hz, one spin in five sees a tick; it is on a CPU that does nothing else.
        let ticked = (0..300).any(|_| spin(2_000).ticks_nanos().next().is_some());
        assert!(ticked);
    }
}
