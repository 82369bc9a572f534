//! What two hosts alone can say about themselves.
//!
//! Nothing about their tiers: hosts of one tier differ, and two of them cannot show by how much. But "this machine
//! against that one, in this window" has an interval. Rounds resemble their neighbours, so each host's rounds are
//! cut into five consecutive batches whose medians are nearly independent; five and not more, as longer batches
//! beat more batches at every strength of correlation that was simulated.

use super::contrast::Contrast;
use super::equivalence::Threshold;
use super::summary::median;
use super::welch::welch;
use super::{CONFIDENCE, LogInterval};

/// Batches a host.
pub const BATCHES: usize = 5;
/// Fewest clean rounds a host: ten minutes at the default interval.
pub const MIN_ROUNDS: usize = 40;
/// Fewest independent repetitions a host.
pub const MIN_REPETITIONS: usize = 5;

/// Values of one host in time order, as logarithms.
pub type InTimeOrder<'a> = &'a [f64];

/// Why two hosts cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// A host has fewer than [`MIN_ROUNDS`] rounds.
    FewRounds,
    /// A host has fewer than [`MIN_REPETITIONS`] independent repetitions.
    FewRepetitions,
    /// The first half of the window says otherwise than the second.
    Drifting,
}

/// Compares two hosts by batches of their rounds.
///
/// # Errors
///
/// See [`Unusable`].
pub fn by_batches(
    candidate: InTimeOrder<'_>,
    baseline: InTimeOrder<'_>,
    ticks: (f64, f64),
    threshold: Threshold,
) -> Result<Contrast, Unusable> {
    if candidate.len().min(baseline.len()) < MIN_ROUNDS {
        return Err(Unusable::FewRounds);
    }
    let whole = Contrast::by_welch(&batches(candidate), &batches(baseline), ticks, threshold);
    let half = |candidate: InTimeOrder<'_>, baseline: InTimeOrder<'_>| -> Option<LogInterval> {
        Some(welch(&batches(candidate), &batches(baseline), ticks)?.interval(CONFIDENCE))
    };
    let (candidate_1, candidate_2) = candidate.split_at(candidate.len() / 2);
    let (baseline_1, baseline_2) = baseline.split_at(baseline.len() / 2);
    let (first, second) = (half(candidate_1, baseline_1), half(candidate_2, baseline_2));
    match (whole, first, second) {
        (Some(_), Some(first), Some(second)) if !first.overlaps(second) => Err(Unusable::Drifting),
        (Some(whole), Some(_), Some(_)) => Ok(whole),
        _ => Err(Unusable::FewRounds),
    }
}

/// Compares two hosts by values that each are a repetition of their own. One that stands far apart, such as a start
/// that something else got in the way of, makes ranks decide.
///
/// # Errors
///
/// See [`Unusable`].
pub fn by_repetitions(
    candidate: &[f64],
    baseline: &[f64],
    ticks: (f64, f64),
    threshold: Threshold,
) -> Result<Contrast, Unusable> {
    if candidate.len().min(baseline.len()) < MIN_REPETITIONS {
        return Err(Unusable::FewRepetitions);
    }
    Contrast::of(candidate, baseline, ticks, threshold).ok_or(Unusable::FewRepetitions)
}

/// Medians of [`BATCHES`] consecutive batches whose sizes differ by one at most.
fn batches(values: InTimeOrder<'_>) -> Vec<f64> {
    let begin = |batch: usize| batch * values.len() / BATCHES;
    (0..BATCHES).filter_map(|batch| median(values.get(begin(batch)..begin(batch + 1))?)).collect()
}

/// The spread of hosts within a tier, as log standard deviation, from which on host luck alone is a live
/// explanation of this difference: `|d| / (1.96 * sqrt(2))`.
#[must_use]
pub fn tipping_spread(difference: f64) -> f64 {
    difference.abs() / (1.96 * std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::contrast::Basis;
    use crate::stats::real;

    /// Rounds around `centre` that go up and down without a trend.
    fn rounds(centre: f64, n: usize) -> Vec<f64> {
        (0..n).map(|i| (centre * (1.0 + 0.01 * (real(i * 7 % 11) - 5.0) / 5.0)).ln()).collect()
    }

    #[test]
    fn two_hosts_can_be_told_apart() {
        let contrast =
            by_batches(&rounds(120.0, 60), &rounds(100.0, 47), (0.0, 0.0), Threshold::default()).unwrap();
        assert!(contrast.interval.contains(1.2_f64.ln()), "{contrast:?}");
        assert!(contrast.p_difference.unwrap() < 0.01);
    }

    #[test]
    fn ten_minutes_of_rounds_are_needed() {
        let short = rounds(1.0, 39);
        let error = by_batches(&short, &rounds(1.0, 80), (0.0, 0.0), Threshold::default());
        assert_eq!(error, Err(Unusable::FewRounds));
    }

    #[test]
    fn a_drift_has_no_verdict() {
        let mut drifting = rounds(100.0, 40);
        drifting.extend(rounds(150.0, 40));
        let error = by_batches(&drifting, &rounds(100.0, 80), (0.0, 0.0), Threshold::default());
        assert_eq!(error, Err(Unusable::Drifting));
    }

    #[test]
    fn batches_use_every_round_once() {
        let values: Vec<f64> = (0..43).map(real).collect();
        assert_eq!(batches(&values).len(), BATCHES);
        let begin = |batch: usize| batch * 43 / BATCHES;
        assert_eq!((begin(0), begin(BATCHES)), (0, 43));
    }

    #[test]
    fn repetitions_go_in_as_they_are() {
        let starts = |centre: f64| [0.98, 1.0, 1.03, 1.01, 0.99].map(|share| (share * centre).ln());
        let contrast =
            by_repetitions(&starts(30.0), &starts(10.0), (0.0, 0.0), Threshold::default()).unwrap();
        assert!(contrast.interval.contains(3.0_f64.ln()));
        let mut hampered = starts(10.0);
        hampered[2] += 3.0;
        let contrast = by_repetitions(&starts(30.0), &hampered, (0.0, 0.0), Threshold::default()).unwrap();
        assert_eq!(contrast.basis, Basis::Robust);
        assert!(contrast.interval.contains(3.0_f64.ln()), "{contrast:?}");
        let few = by_repetitions(&starts(1.0)[..4], &starts(1.0), (0.0, 0.0), Threshold::default());
        assert_eq!(few, Err(Unusable::FewRepetitions));
    }

    #[test]
    fn the_tipping_spread_is_that_of_the_method() {
        for (ratio, spread) in [(1.05_f64, 0.018), (1.10, 0.034), (1.20, 0.066), (2.0, 0.25)] {
            assert!((tipping_spread(ratio.ln()) - spread).abs() < 0.0005, "{ratio}");
        }
    }
}
