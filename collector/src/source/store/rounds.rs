//! Which round of a probe a scrape showed.
//!
//! Scrapes between two rounds show the same one, and the time of a scrape is not that of the round. Each scrape has
//! `tierprobe_probe_last_round_timestamp_seconds` in it, which tells.

use super::answer::Sample;

/// What the scrapes of one instance, from one on, showed of one probe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Round {
    /// The first scrape that showed it, in seconds since the epoch.
    pub scraped: f64,
    /// When it ended, by the instance's own clock, in seconds since the epoch.
    pub ended: f64,
    /// Whether the agent marked it as disturbed.
    pub disturbed: bool,
    /// Whether it counts: not if its end lies before that of the round before, as after a clock was set back.
    pub counts: bool,
}

/// The rounds of one probe on one instance, in the order of their scrapes.
#[derive(Debug, Clone, Default)]
pub struct Rounds {
    rounds: Vec<Round>,
    /// The last scrape of all.
    last_scraped: f64,
}

impl Rounds {
    /// Takes in the ends of rounds that later scrapes showed. Scrapes that were taken in before are passed over.
    pub fn add(&mut self, samples: &[Sample]) {
        for sample in samples {
            if sample.at <= self.last_scraped {
                continue;
            }
            self.last_scraped = sample.at;
            // Zero and below: there was no round yet.
            if !sample.value.is_finite() || sample.value <= 0.0 {
                continue;
            }
            let before = self.rounds.last().map(|round| round.ended);
            if before.is_some_and(|before| before.total_cmp(&sample.value).is_eq()) {
                continue;
            }
            let counts = before.is_none_or(|before| sample.value > before);
            self.rounds.push(Round { scraped: sample.at, ended: sample.value, disturbed: false, counts });
        }
    }

    /// Marks the rounds that scrapes showed as disturbed.
    pub fn mark(&mut self, samples: &[Sample]) {
        for sample in samples.iter().filter(|sample| sample.value > 0.0) {
            if let Some((at, _)) = self.at(sample.at)
                && let Some(round) = self.rounds.get_mut(at)
            {
                round.disturbed = true;
            }
        }
    }

    /// The round that a scrape showed, and its place. What a rule has recorded is of the scrape before.
    #[must_use]
    pub fn at(&self, scraped: f64) -> Option<(usize, Round)> {
        let at = self.rounds.partition_point(|round| round.scraped <= scraped).checked_sub(1)?;
        self.rounds.get(at).map(|round| (at, *round))
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rounds.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rounds.is_empty()
    }

    /// All of them, in the order of their scrapes.
    pub fn iter(&self) -> impl Iterator<Item = &Round> {
        self.rounds.iter()
    }

    /// How often the clock was set back.
    #[must_use]
    pub fn clock_resets(&self) -> usize {
        self.rounds.iter().filter(|round| !round.counts).count()
    }

    /// The last scrape, in seconds since the epoch; 0 without any.
    #[must_use]
    pub const fn last_scraped(&self) -> f64 {
        self.last_scraped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(pairs: &[(f64, f64)]) -> Vec<Sample> {
        pairs.iter().map(|(at, value)| Sample { at: *at, value: *value }).collect()
    }

    #[test]
    fn a_round_is_one_however_often_it_was_scraped() {
        let mut rounds = Rounds::default();
        rounds.add(&samples(&[(10.0, 9.0), (20.0, 9.0)]));
        // The next answer begins with the last sample of the one before.
        rounds.add(&samples(&[(20.0, 9.0), (30.0, 25.0)]));
        rounds.mark(&samples(&[(10.0, 0.0), (20.0, 0.0), (30.0, 1.0)]));
        assert_eq!(rounds.at(9.9), None);
        let (at, round) = rounds.at(20.0).unwrap();
        assert_eq!((at, round.ended, round.disturbed), (0, 9.0, false));
        let (at, round) = rounds.at(31.0).unwrap();
        assert_eq!((at, round.ended, round.disturbed), (1, 25.0, true));
        assert!((rounds.last_scraped() - 30.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_clock_that_is_set_back_costs_one_round() {
        let mut rounds = Rounds::default();
        rounds.add(&samples(&[(1.0, 100.0), (2.0, 0.0), (3.0, f64::NAN), (4.0, 50.0), (5.0, 65.0)]));
        let counts: Vec<bool> = [1.0, 4.0, 5.0].map(|at| rounds.at(at).unwrap().1.counts).into();
        assert_eq!(counts, [true, false, true]);
        assert_eq!(rounds.clock_resets(), 1);
    }
}
