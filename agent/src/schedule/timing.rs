//! When on the wall clock a probe is due: by slot, or shifted by a phase of the machine's own.

use std::time::Duration;

use crate::probe::Spec;

/// A share of each interval that one of several agents on a machine measures in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Which one, from 1.
    number: u32,
    /// Of how many.
    of: u32,
}

impl std::str::FromStr for Slot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts =
            text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if 1 <= number && number <= of && of <= 1000 => Ok(Self { number, of }),
            _ => Err(format!("{text:?} is no slot; write K/N with 1 <= K <= N <= 1000, for example 2/3")),
        }
    }
}

/// How probes are scheduled.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// The slot, if agents take turns.
    pub slot: Option<Slot>,
    /// Takes the place of every probe's own interval.
    pub interval: Option<Duration>,
    /// Share of one CPU that measuring may cost on average.
    pub budget: f64,
    /// Share of the last ten seconds in which tasks waited for a CPU, above which some probes pause; 1: never.
    pub pressure: f64,
    /// A number that differs from machine to machine; decides the phase where there is no slot.
    pub phase_seed: u64,
}

impl Timing {
    pub(super) fn interval(&self, spec: &Spec) -> Option<Duration> {
        spec.interval.map(|own| self.interval.unwrap_or(own))
    }

    /// The first instant after `after` at which a probe with this interval is due, and until when it may start. In
    /// nanoseconds since the epoch.
    pub(super) fn next(&self, interval: Duration, after: u64) -> (u64, u64) {
        let interval = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        let (offset, length) = match self.slot {
            Some(slot) => {
                let length = interval / u64::from(slot.of);
                (length * u64::from(slot.number - 1), length)
            }
            None => (self.phase_seed % interval, interval),
        };
        let mut start = after - after % interval + offset;
        if start <= after {
            start = start.saturating_add(interval);
        }
        (start, start.saturating_add(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn timing(slot: Option<&str>, phase_seed: u64) -> Timing {
        Timing {
            slot: slot.map(|slot| slot.parse().unwrap()),
            interval: None,
            budget: 0.001,
            pressure: 0.5,
            phase_seed,
        }
    }

    #[test]
    fn slots_share_an_interval_without_overlap() {
        let interval = Duration::from_secs(15);
        let at = 1_000_000_007 * SECOND;
        let slots: Vec<(u64, u64)> =
            ["1/3", "2/3", "3/3"].iter().map(|slot| timing(Some(slot), 9).next(interval, at)).collect();
        for (start, end) in &slots {
            assert!(*start > at && end - start == 5 * SECOND, "{slots:?}");
        }
        let mut sorted = slots.clone();
        sorted.sort_unstable();
        for pair in sorted.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "{sorted:?}");
        }
    }

    #[test]
    fn a_phase_shifts_the_grid() {
        let (start, _) = timing(None, 4 * SECOND).next(Duration::from_secs(15), 150 * SECOND);
        assert_eq!(start, 154 * SECOND);
        let (start, _) = timing(None, 4 * SECOND).next(Duration::from_secs(15), 154 * SECOND);
        assert_eq!(start, 169 * SECOND);
    }

    #[test]
    fn a_slot_is_one_of_several() {
        assert!("2/3".parse::<Slot>().is_ok());
        for wrong in ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/2/3"] {
            let error = wrong.parse::<Slot>().unwrap_err();
            assert!(error.contains("K/N"), "{error}");
        }
    }
}
