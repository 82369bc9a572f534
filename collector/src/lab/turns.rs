//! Turns: instances that share a machine must not measure at the same time.
//!
//! Every interval of the wall clock is cut into equal slots. Each instance measures in one slot only, and one more
//! slot belongs to the lab: it scrapes then, when nobody measures.

use std::time::Duration;

use serde::Serialize;

/// How many rounds the statement about these instances needs, with a few to spare.
pub(crate) const ROUNDS_WANTED: u32 = 45;

/// The shortest slot: all probes' rounds have to fit, emulated guests' too.
const MIN_SLOT: Duration = Duration::from_millis(400);
/// The longest: more rounds say more than rarer ones.
const MAX_SLOT: Duration = Duration::from_secs(1);
/// Slots are whole multiples of it, so that intervals are short to write.
const SLOT_STEP_MS: u64 = 100;

/// How much longer than asked for a run may get on its own account.
const MAX_STRETCH: f64 = 1.35;

/// Who measures when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turns {
    /// Slots in an interval: one for each instance, the last one for the lab.
    slots: u32,
    /// The length of a slot.
    slot: Duration,
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
    /// Turns for this many instances, so that the wanted rounds fit into `duration` if they can.
    #[must_use]
    pub(crate) fn plan(instances: usize, duration: Duration) -> Self {
        let slots = u32::try_from(instances).unwrap_or(u32::MAX).saturating_add(1);
        let fitting = duration / ROUNDS_WANTED / slots;
        let steps = u64::try_from(fitting.as_millis()).unwrap_or(u64::MAX) / SLOT_STEP_MS;
        let slot = Duration::from_millis(steps.saturating_mul(SLOT_STEP_MS)).clamp(MIN_SLOT, MAX_SLOT);
        Self { slots, slot }
    }

    /// From one turn of an instance to its next.
    #[must_use]
    pub(crate) fn interval(&self) -> Duration {
        self.slot * self.slots
    }

    /// How long to measure: `asked`, or a little more where that is what the wanted rounds take.
    #[must_use]
    pub(crate) fn duration(&self, asked: Duration) -> Duration {
        let needed = self.interval() * ROUNDS_WANTED;
        if needed > asked && needed <= asked.mul_f64(MAX_STRETCH) { needed } else { asked }
    }

    /// What the instance with this index, counted from 0, is told.
    #[must_use]
    pub(crate) fn arguments(&self, index: usize) -> Vec<String> {
        vec![
            format!("--probe.slot={}/{}", index + 1, self.slots),
            format!("--probe.interval={}ms", self.interval().as_millis()),
            "--probe.budget=0.5".to_owned(),
            "--log.level=warn".to_owned(),
        ]
    }

    /// The begin of the next slot of the lab, for a time since the epoch.
    #[must_use]
    pub(crate) fn next_scrape(&self, now: Duration) -> Duration {
        let interval = self.interval().as_nanos().max(1);
        let into = now.as_nanos() % interval;
        let begin = (self.slot * (self.slots - 1)).as_nanos();
        let wait = if into < begin { begin - into } else { begin + interval - into };
        now + Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX))
    }

    /// How far a round that ended at `timestamp` lies outside the slot of the instance with this index, in
    /// seconds; 0 inside.
    #[must_use]
    pub(crate) fn outside_seconds(&self, index: usize, timestamp: f64) -> f64 {
        let slot = self.slot.as_secs_f64();
        let interval = self.interval().as_secs_f64();
        let begin = slot * f64::from(u32::try_from(index).unwrap_or(u32::MAX));
        let into = (timestamp - begin).rem_euclid(interval);
        if into <= slot { 0.0 } else { (into - slot).min(interval - into) }
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

    #[test]
    fn ninety_seconds_hold_enough_rounds_of_four_instances() {
        let turns = Turns::plan(4, Duration::from_secs(90));
        assert_eq!(turns.interval(), Duration::from_secs(2));
        assert_eq!(turns.duration(Duration::from_secs(90)), Duration::from_secs(90));
        assert_eq!(turns.arguments(0)[..2], ["--probe.slot=1/5", "--probe.interval=2000ms"]);
    }

    #[test]
    fn five_instances_take_a_little_longer_and_a_short_run_stays_short() {
        let turns = Turns::plan(5, Duration::from_secs(90));
        assert_eq!(turns.duration(Duration::from_secs(90)), Duration::from_secs(108));
        assert_eq!(turns.duration(Duration::from_secs(10)), Duration::from_secs(10));
    }

    #[test]
    fn the_lab_scrapes_in_the_last_slot() {
        let turns = Turns::plan(4, Duration::from_secs(90));
        assert_eq!(turns.next_scrape(Duration::from_millis(100_500)), Duration::from_millis(101_600));
        assert_eq!(turns.next_scrape(Duration::from_millis(101_600)), Duration::from_millis(103_600));
    }

    #[test]
    fn a_round_is_in_its_slot_or_so_far_outside() {
        let turns = Turns::plan(4, Duration::from_secs(90));
        let outside = |at| turns.outside_seconds(1, at);
        assert!(outside(100.5) < 1e-9);
        assert!((outside(100.9) - 0.1).abs() < 1e-6);
        assert!((outside(100.3) - 0.1).abs() < 1e-6);
        let kept = turns.kept(1, [100.5, 100.9, 102.5].into_iter());
        assert_eq!((kept.rounds, kept.outside), (3, 1));
    }
}
