//! An estimate with a standard error: what Welch's method, pairs and strata have in common.

use super::LogInterval;
use super::equivalence::Threshold;
use super::student::{quantile, upper_tail};

/// From which share of the value on a tick widens the interval.
pub const COARSE: f64 = 0.005;

/// A difference of logarithms whose error follows Student's t.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Candidate minus baseline: the log of the ratio.
    pub difference: f64,
    /// Standard error of the difference; zero when nothing varies and no tick is known.
    pub error: f64,
    /// Degrees of freedom, at least 1.
    pub nu: f64,
    /// How far the clock alone may be off, as a difference of logarithms.
    pub allowance: f64,
}

impl Estimate {
    /// The interval of the difference at a confidence between 0 and 1.
    #[must_use]
    pub fn interval(&self, confidence: f64) -> LogInterval {
        let half = quantile(0.5 + confidence / 2.0, self.nu) * self.error + self.allowance;
        LogInterval { low: self.difference - half, high: self.difference + half }
    }

    /// Two-sided p value of "there is no difference"; `None` without variance.
    #[must_use]
    pub fn p_difference(&self) -> Option<f64> {
        let beyond = (self.difference.abs() - self.allowance).max(0.0);
        (self.error > 0.0).then(|| 2.0 * upper_tail(beyond / self.error, self.nu))
    }

    /// p value of "the difference is the threshold or more", by two one-sided tests; `None` without variance.
    #[must_use]
    pub fn p_equivalence(&self, threshold: Threshold) -> Option<f64> {
        let room = threshold.log() - self.allowance;
        let tail = |distance: f64| upper_tail(distance / self.error, self.nu);
        (self.error > 0.0).then(|| tail(room + self.difference).max(tail(room - self.difference)))
    }
}

/// How far clocks with these ticks, as shares of the values, may move a difference: half a tick a side, nothing
/// where both are fine.
#[must_use]
pub fn allowance(ticks: (f64, f64)) -> f64 {
    if ticks.0 < COARSE && ticks.1 < COARSE { 0.0 } else { ticks.0 / 2.0 + ticks.1 / 2.0 }
}

/// The variance of the mean of `n` values, with the floor that a tick gives: a uniform error, `q^2 / 12`.
pub(super) fn variance_of_mean(variance: f64, tick: f64, n: f64) -> f64 {
    (variance / n).max(tick.powi(2) / 12.0 / n)
}
