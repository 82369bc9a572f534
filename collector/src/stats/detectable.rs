//! The smallest ratio that this much evidence would find.
//!
//! `exp((t(.975, nu) + t(.80, nu)) * SE)`: a true ratio of that size is found in about 80 % of such comparisons. It
//! depends on the spread only, never on the ratio that was seen: power "at the observed effect" says nothing new.

use super::student::quantile;

/// Fewest hosts a side for an estimate; below, the formula promises power that is not there.
pub const MIN_HOSTS: usize = 4;

/// The same where ranks decide: with fewer, one host that stands apart is the interval's end, and the formula would
/// state a ratio of three where 1.2 is found (`CALIBRATION.md`).
pub const MIN_RANKED: usize = 8;

/// The smallest detectable ratio, above 1; `None` when it is not finite.
#[must_use]
pub fn smallest_ratio(error: f64, nu: f64) -> Option<f64> {
    super::finite(((quantile(0.975, nu) + quantile(0.80, nu)) * error).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_vector_holds() {
        let ratio = smallest_ratio(0.023_724_228_6, 6.217_160_806_4).unwrap();
        assert!((ratio - 1.082_197_523_1).abs() < 5e-10, "{ratio}");
    }
}
