//! Turns: instances that share a machine must not measure at the same time.
//!
//! Every interval of the wall clock is cut into equal units. Each instance measures in its own of them only, and
//! one more belongs to the lab: it scrapes then, when nobody measures. How long a turn takes was seen at the
//! starts. An emulated guest needs many times longer than the others and gets several units: a power of two, as an
//! agent knows its turn as one of N equal slots.

use std::time::Duration;

use serde::Serialize;

use crate::exposition;

/// How many rounds the statement about these instances needs, with a few to spare.
pub(crate) const ROUNDS_WANTED: u32 = 60;

/// The shortest unit.
const MIN_UNIT: Duration = Duration::from_millis(150);
/// The longest interval is so long for each unit: more rounds say more than rarer ones.
const MAX_UNIT: Duration = Duration::from_secs(1);
/// What a turn gets beyond the longest one seen so far: its share, and its time.
const SPARE_SHARE: f64 = 1.3;
const SPARE: Duration = Duration::from_millis(50);
/// Instances whose turns differ by less get slots of one length.
const ALIKE: u32 = 2;
/// Intervals are whole multiples of it, so that they are short to write.
const STEP_MS: u64 = 100;

/// How much longer than asked for a run may get on its own account.
const MAX_STRETCH: f64 = 1.8;

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
    /// Turns for instances whose turns take so long, so that the wanted rounds fit into `duration` if they can.
    #[must_use]
    pub(crate) fn plan(turns: &[Duration], duration: Duration) -> Self {
        let needs: Vec<Duration> =
            turns.iter().map(|turn| (turn.mul_f64(SPARE_SHARE) + SPARE).max(MIN_UNIT)).collect();
        let shortest = needs.iter().min().copied().unwrap_or(MIN_UNIT);
        let alike = needs.iter().filter(|need| **need <= shortest * ALIKE);
        let unit = alike.max().copied().unwrap_or(shortest);
        let widths: Vec<u32> = needs
            .iter()
            .map(|need| {
                let units = need.as_nanos().div_ceil(unit.as_nanos().max(1));
                u32::try_from(units).unwrap_or(u32::MAX).checked_next_power_of_two().unwrap_or(1)
            })
            .collect();
        // Wide slots first: then each begins at a multiple of its own width, and so is one of N equal ones.
        let widest = widths.iter().max().copied().unwrap_or(1);
        let units = (widths.iter().sum::<u32>() + 1).next_multiple_of(widest);
        let mut order: Vec<usize> = (0..widths.len()).collect();
        order.sort_by_key(|index| std::cmp::Reverse(widths.get(*index)));
        let mut slots = vec![Slot { number: units, of: units }; widths.len()];
        let mut next = 0;
        for index in order {
            if let (Some(slot), Some(width)) = (slots.get_mut(index), widths.get(index)) {
                *slot = Slot { number: next / width + 1, of: units / width };
                next += width;
            }
        }
        let fitting = (duration / ROUNDS_WANTED).min(MAX_UNIT * units);
        let steps = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let needed = steps(unit * units).div_ceil(STEP_MS);
        let steps = needed.max(steps(fitting) / STEP_MS);
        let interval = Duration::from_millis(steps.saturating_mul(STEP_MS));
        Self { interval, slots, own: Slot { number: units, of: units } }
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
            "--probe.pressure=1".to_owned(),
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

/// How long the latest turn took, in a scrape of an agent whose turn begins with each `interval`: the end of the
/// last round in it. `None` when it shows no round.
#[must_use]
pub(crate) fn latest_turn(text: &str, interval: Duration) -> Option<Duration> {
    let families = exposition::parse(text).ok()?;
    let ends =
        families.iter().find(|family| family.name == "tierprobe_probe_last_round_timestamp_seconds")?;
    let into = ends.samples.iter().map(|sample| sample.value.rem_euclid(interval.as_secs_f64()));
    Duration::try_from_secs_f64(into.fold(f64::NEG_INFINITY, f64::max)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Duration = Duration::from_secs(120);
    const SHORT: Duration = Duration::from_millis(250);
    const LONG: Duration = Duration::from_millis(650);

    fn slots(turns: &Turns, count: usize) -> Vec<String> {
        (0..count).filter_map(|index| turns.arguments(index).into_iter().next()).collect()
    }

    #[test]
    fn instances_alike_get_slots_alike_and_the_lab_the_last_one() {
        let turns = Turns::plan(&[SHORT, SHORT + SPARE, SHORT, SHORT], ASKED);
        assert_eq!(
            slots(&turns, 4),
            ["--probe.slot=1/5", "--probe.slot=2/5", "--probe.slot=3/5", "--probe.slot=4/5"]
        );
        assert_eq!(turns.interval(), Duration::from_millis(2200));
        assert_eq!(turns.arguments(0)[1], "--probe.interval=2200ms");
        assert_eq!(turns.duration(ASKED), Duration::from_secs(132));
        assert_eq!(turns.duration(Duration::from_secs(10)), Duration::from_secs(10));
    }

    #[test]
    fn an_emulated_guest_has_more_of_the_time() {
        let turns = Turns::plan(&[SHORT, SHORT, SHORT, LONG], ASKED);
        assert_eq!(
            slots(&turns, 4),
            ["--probe.slot=5/8", "--probe.slot=6/8", "--probe.slot=7/8", "--probe.slot=1/2"]
        );
        let quick = Turns::plan(&[SHORT, SHORT, SHORT, LONG / 2], ASKED);
        assert_eq!(slots(&quick, 4)[3], "--probe.slot=4/5");
    }

    #[test]
    fn no_two_slots_overlap() {
        let lengths = [Duration::from_secs(2), SHORT, LONG, SHORT, Duration::from_secs(1)];
        let turns = Turns::plan(&lengths, ASKED);
        let mut spans: Vec<(Duration, Duration)> = turns
            .slots
            .iter()
            .chain([&turns.own])
            .map(|slot| {
                (slot.begin(turns.interval), slot.begin(turns.interval) + slot.length(turns.interval))
            })
            .collect();
        for (turn, slot) in lengths.iter().zip(&turns.slots) {
            assert!(slot.length(turns.interval) > *turn, "{slot:?}");
        }
        spans.sort();
        for pair in spans.windows(2) {
            assert!(pair[0].1 <= pair[1].0 + Duration::from_nanos(10), "{spans:?}");
        }
        assert!(spans.last().is_some_and(|last| last.1 <= turns.interval + Duration::from_nanos(10)));
    }

    #[test]
    fn the_lab_scrapes_in_its_own_slot() {
        let turns = Turns::plan(&[Duration::ZERO; 3], ASKED);
        assert_eq!(turns.interval(), Duration::from_secs(2));
        assert_eq!(turns.next_scrape(Duration::from_millis(100_200)), Duration::from_millis(101_500));
        assert_eq!(turns.next_scrape(Duration::from_millis(101_500)), Duration::from_millis(103_500));
    }

    #[test]
    fn a_round_is_in_its_slot_or_so_far_outside() {
        let turns = Turns::plan(&[Duration::ZERO; 3], ASKED);
        let outside = |at| turns.outside_seconds(1, at);
        assert!(outside(100.6) < 1e-9);
        assert!((outside(101.1) - 0.1).abs() < 1e-6);
        assert!((outside(100.4) - 0.1).abs() < 1e-6);
        let kept = turns.kept(1, [100.6, 101.1, 102.6].into_iter());
        assert_eq!((kept.rounds, kept.outside), (3, 1));
    }

    #[test]
    fn a_turn_ends_with_its_last_round() {
        let text = "# TYPE tierprobe_probe_last_round_timestamp_seconds gauge\n\
                    tierprobe_probe_last_round_timestamp_seconds{probe=\"a\"} 300.25\n\
                    tierprobe_probe_last_round_timestamp_seconds{probe=\"b\"} 301.75\n";
        let interval = Duration::from_millis(1500);
        assert_eq!(latest_turn(text, interval), Some(Duration::from_millis(250)));
        assert_eq!(latest_turn("", interval), None);
    }
}
