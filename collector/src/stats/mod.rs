//! Intervals, tests and corrections on the logarithms of host values.
//!
//! Closed forms only, no random numbers: the same data give the same report. Everything is pure and knows no
//! hosts, rounds or families; differences of logarithms are ratios to whoever asks.
//!
//! - [`summary`]: median, mean, variance, MAD.
//! - [`student`]: Student's t with real degrees of freedom.
//! - [`estimate`]: a difference with its standard error, and what follows from them.
//! - [`welch`]: the primary interval, from the mean difference.
//! - [`rank`]: the robust companion, Hodges-Lehmann with the exact rank interval; `ranks` has the distributions,
//!   `ordered` all differences without writing them down.
//! - [`paired`]: pairs that share what makes hosts differ.
//! - [`stratified`]: like compared with like, and combined.
//! - [`outlier`]: which hosts stand apart.
//! - [`equivalence`]: the threshold below which a difference does not matter.
//! - [`contrast`]: both methods on two samples, and which of them decides.
//! - [`detectable`]: the smallest ratio that this much evidence would find.
//! - [`multiple`]: many rows at once.
//! - [`batch`]: what two hosts alone can say about themselves.
//! - [`single`]: one host against several.
//! - [`change`]: when a host's costs changed.
//! - [`bimodal`]: whether hosts fall into two camps.

pub mod batch;
pub mod bimodal;
pub mod change;
pub mod contrast;
pub mod detectable;
pub mod equivalence;
pub mod estimate;
pub mod multiple;
mod ordered;
pub mod outlier;
pub mod paired;
#[cfg(test)]
mod properties;
pub mod rank;
mod ranks;
pub mod single;
pub mod stratified;
pub mod student;
pub mod summary;
pub mod welch;

/// Level of the intervals that are shown.
pub const CONFIDENCE: f64 = 0.95;
/// Level of the intervals that equivalence is read from: two one-sided tests at 5 %.
pub const EQUIVALENCE_CONFIDENCE: f64 = 0.90;
/// Level of the tests: p and q values up to here count.
pub const ALPHA: f64 = 0.05;

/// An interval of a difference of logarithms; infinite where it has no bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogInterval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl LogInterval {
    /// The same as an interval of a ratio; an end without bound is `None`.
    #[must_use]
    pub fn ratios(self) -> (Option<f64>, Option<f64>) {
        (finite(self.low.exp()).filter(|low| *low > 0.0), finite(self.high.exp()))
    }

    /// The same with candidate and baseline swapped.
    #[must_use]
    pub fn mirrored(self) -> Self {
        Self { low: -self.high, high: -self.low }
    }

    /// Whether `value` is inside.
    #[must_use]
    pub fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Whether two intervals have a value in common.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.low <= other.high && other.low <= self.high
    }
}

/// A number that can be shown and written as JSON.
#[must_use]
pub fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// A number of things, as a real.
#[expect(clippy::cast_precision_loss, reason = "numbers of hosts and rounds are far below 2^52")]
pub(crate) const fn real(count: usize) -> f64 {
    count as f64
}
