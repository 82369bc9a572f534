//! Turns: instances that share a machine must not measure at the same time.
//!
//! Every interval of the wall clock is cut into equal slots. Each instance measures in one slot only, and one more
//! slot belongs to the lab: it scrapes then, when nobody measures. An emulated guest needs many times longer for
//! its rounds than the others, so where there is one, the slots fill the first half of the interval, and the
//! second half belongs to the guests.

use std::time::Duration;

use serde::Serialize;

/// How many rounds the statement about these instances needs, with a few to spare.
pub(crate) const ROUNDS_WANTED: u32 = 45;

/// The shortest interval is so long for each slot: all probes' rounds have to fit.
const MIN_SLOT: Duration = Duration::from_millis(400);
/// With guests in the second half, it is so long for each slot of the first half.
const MIN_SLOT_BESIDE_GUESTS: Duration = Duration::from_millis(250);
/// The shortest second half: an emulated guest's network round alone takes most of half a second.
const MIN_GUESTS: Duration = Duration::from_secs(1);
/// The longest interval for each slot: more rounds say more than rarer ones.
const MAX_SLOT: Duration = Duration::from_secs(1);
/// Intervals are whole multiples of it, so that they are short to write.
const STEP_MS: u64 = 100;

/// How much longer than asked for a run may get on its own account.
const MAX_STRETCH: f64 = 1.35;

/// Who measures when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turns {
    /// From one turn of an instance to its next.
    interval: Duration,
    /// The slot of each instance.
    slots: Vec<Slot>,
    /// The slot of the lab.
    own: Slot,
}

/// One of the equal parts of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    /// Which, from 1.
    number: u32,
    /// Of how many.
    of: u32,
}

impl Slot {
    fn begin(self, interval: Duration) -> Duration {
        interval * (self.number - 1) / self.of
    }

    fn length(self, interval: Duration) -> Duration {
        interval / self.of
    }
}

/// How well the turns were kept.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub(crate) struct Kept {
    /// Rounds of the measuring phase, over all probes.
    pub(crate) rounds: usize,
    /// Rounds that did not end in the instance's own slot, by the instance's own clock.
    pub(crate) outside: usize,
    /// The farthest that one ended outside, in seconds.
    pub(crate) worst_seconds: f64,
}

impl Turns {
    /// Turns for these instances, each emulated or not, so that the wanted rounds fit into `duration` if they can.
    #[must_use]
    pub(crate) fn plan(is_emulated: &[bool], duration: Duration) -> Self {
        let count = |wanted: bool| {
            u32::try_from(is_emulated.iter().filter(|is| **is == wanted).count()).unwrap_or(u32::MAX)
        };
        // The lab's own slot is the last of those that are not guests'.
        let (slots, guests) = (count(false).saturating_add(1), count(true));
        let halves = if guests == 0 { 1 } else { 2 };
        let own = Slot { number: slots, of: slots * halves };
        let (mut next_slot, mut next_guest) = (0, guests);
        let slot = |is_emulated: &bool| {
            let (next, of) =
                if *is_emulated { (&mut next_guest, guests * 2) } else { (&mut next_slot, own.of) };
            *next += 1;
            Slot { number: *next, of }
        };
        let min = match guests {
            0 => MIN_SLOT * own.of,
            guests => (MIN_SLOT_BESIDE_GUESTS * own.of).max(MIN_GUESTS * 2 * guests),
        };
        let steps = u64::try_from((duration / ROUNDS_WANTED).as_millis()).unwrap_or(u64::MAX) / STEP_MS;
        let fitting = Duration::from_millis(steps.saturating_mul(STEP_MS));
        let interval = fitting.clamp(min, min.max(MAX_SLOT * own.of));
        Self { interval, slots: is_emulated.iter().map(slot).collect(), own }
    }

    /// From one turn of an instance to its next.
    #[must_use]
    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// How long to measure: `asked`, or a little more where that is what the wanted rounds take.
    #[must_use]
    pub(crate) fn duration(&self, asked: Duration) -> Duration {
        let needed = self.interval * ROUNDS_WANTED;
        if needed > asked && needed <= asked.mul_f64(MAX_STRETCH) { needed } else { asked }
    }

    /// What the instance with this index, counted from 0, is told.
    #[must_use]
    pub(crate) fn arguments(&self, index: usize) -> Vec<String> {
        let slot = self.slots.get(index).copied().unwrap_or(self.own);
        vec![
            format!("--probe.slot={}/{}", slot.number, slot.of),
            format!("--probe.interval={}ms", self.interval.as_millis()),
            "--probe.budget=0.5".to_owned(),
            "--log.level=warn".to_owned(),
        ]
    }

    /// The begin of the next slot of the lab, for a time since the epoch.
    #[must_use]
    pub(crate) fn next_scrape(&self, now: Duration) -> Duration {
        let interval = self.interval.as_nanos().max(1);
        let into = now.as_nanos() % interval;
        let begin = self.own.begin(self.interval).as_nanos();
        let wait = if into < begin { begin - into } else { begin + interval - into };
        now + Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX))
    }

    /// How far a round that ended at `timestamp` lies outside the slot of the instance with this index, in
    /// seconds; 0 inside.
    #[must_use]
    pub(crate) fn outside_seconds(&self, index: usize, timestamp: f64) -> f64 {
        let slot = self.slots.get(index).copied().unwrap_or(self.own);
        let length = slot.length(self.interval).as_secs_f64();
        let interval = self.interval.as_secs_f64();
        let into = (timestamp - slot.begin(self.interval).as_secs_f64()).rem_euclid(interval);
        if into <= length { 0.0 } else { (into - length).min(interval - into) }
    }

    /// How well an instance kept its turns, by the ends of its rounds.
    #[must_use]
    pub(crate) fn kept(&self, index: usize, ends: impl Iterator<Item = f64>) -> Kept {
        let mut kept = Kept::default();
        for seconds in ends.map(|end| self.outside_seconds(index, end)) {
            kept.rounds += 1;
            if seconds > 0.0 {
                kept.outside += 1;
                kept.worst_seconds = kept.worst_seconds.max(seconds);
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Duration = Duration::from_secs(90);

    #[test]
    fn ninety_seconds_hold_enough_rounds_of_four_instances() {
        let turns = Turns::plan(&[false; 4], ASKED);
        assert_eq!(turns.interval(), Duration::from_secs(2));
        assert_eq!(turns.duration(ASKED), ASKED);
        assert_eq!(turns.arguments(0)[..2], ["--probe.slot=1/5", "--probe.interval=2000ms"]);
    }

    #[test]
    fn five_instances_take_a_little_longer_and_a_short_run_stays_short() {
        let turns = Turns::plan(&[false; 5], ASKED);
        assert_eq!(turns.duration(ASKED), Duration::from_secs(108));
        assert_eq!(turns.duration(Duration::from_secs(10)), Duration::from_secs(10));
    }

    #[test]
    fn an_emulated_guest_has_half_of_the_time() {
        assert_eq!(Turns::plan(&[false, true], Duration::from_secs(10)).interval(), Duration::from_secs(2));
        let turns = Turns::plan(&[false, false, true, false], ASKED);
        let slots: Vec<String> =
            (0..4).filter_map(|index| turns.arguments(index).into_iter().next()).collect();
        assert_eq!(slots, ["--probe.slot=1/8", "--probe.slot=2/8", "--probe.slot=2/2", "--probe.slot=3/8"]);
        assert_eq!(turns.interval(), Duration::from_secs(2));
        // The lab's slot comes right before the guest's.
        assert_eq!(turns.next_scrape(Duration::from_secs(100)), Duration::from_millis(100_750));
        assert!(turns.outside_seconds(2, 101.5) < 1e-9);
        assert!((turns.outside_seconds(2, 100.9) - 0.1).abs() < 1e-6);
    }

    #[test]
    fn the_lab_scrapes_in_the_last_slot() {
        let turns = Turns::plan(&[false; 4], ASKED);
        assert_eq!(turns.next_scrape(Duration::from_millis(100_500)), Duration::from_millis(101_600));
        assert_eq!(turns.next_scrape(Duration::from_millis(101_600)), Duration::from_millis(103_600));
    }

    #[test]
    fn a_round_is_in_its_slot_or_so_far_outside() {
        let turns = Turns::plan(&[false; 4], ASKED);
        let outside = |at| turns.outside_seconds(1, at);
        assert!(outside(100.5) < 1e-9);
        assert!((outside(100.9) - 0.1).abs() < 1e-6);
        assert!((outside(100.3) - 0.1).abs() < 1e-6);
        let kept = turns.kept(1, [100.5, 100.9, 102.5].into_iter());
        assert_eq!((kept.rounds, kept.outside), (3, 1));
    }
}
