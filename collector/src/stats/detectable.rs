//! The smallest ratio that this much evidence would find.
//!
//! `exp((t(1 - (1 - c) / 2, nu) + t(.80, nu)) * SE)`: a true ratio of that size is found in about 80 % of such
//! comparisons, at the confidence `c` that a test among so many has ([`super::multiple::confidence`]). It depends on
//! the spread only, never on the ratio that was seen: power "at the observed effect" says nothing new.

use super::student::quantile;

/// Fewest hosts a side for an estimate; below, the formula promises power that is not there.
pub const MIN_HOSTS: usize = 4;

/// The same where ranks decide: with fewer, one host that stands apart is the interval's end, and the formula would
/// state a ratio of three where 1.2 is found (`CALIBRATION.md`).
pub const MIN_RANKED: usize = 8;

/// How precise a difference of logarithms is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Precision {
    /// Its standard error.
    pub error: f64,
    /// Degrees of freedom.
    pub nu: f64,
}

impl Precision {
    /// The smallest ratio that is found at a confidence between 0 and 1, above 1; `None` when it is not finite.
    #[must_use]
    pub fn smallest_ratio(self, confidence: f64) -> Option<f64> {
        let Self { error, nu } = self;
        super::finite(((quantile(0.5 + confidence / 2.0, nu) + quantile(0.80, nu)) * error).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::CONFIDENCE;

    const REFERENCE: Precision = Precision { error: 0.023_724_228_6, nu: 6.217_160_806_4 };

    #[test]
    fn the_reference_vector_holds() {
        let ratio = REFERENCE.smallest_ratio(CONFIDENCE).unwrap();
        assert!((ratio - 1.082_197_523_1).abs() < 5e-10, "{ratio}");
    }

    #[test]
    fn what_must_be_surer_must_be_larger() {
        assert!(REFERENCE.smallest_ratio(0.999) > REFERENCE.smallest_ratio(CONFIDENCE));
    }
}
