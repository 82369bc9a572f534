//! Pairs: a candidate and a baseline that share a kernel, a rack or whatever else makes hosts differ.
//!
//! What both members of a pair share falls out of their difference, so a few pairs say more than many hosts that
//! are not paired. One-sample t on the differences, Student (1908).

use super::estimate::{Estimate, allowance};
use super::real;
use super::summary::{mean, variance};

/// From so many pairs on they are the headline, and what hosts say that are not paired is secondary.
pub const MIN_PAIRS: usize = 4;
/// From so many pairs on ranks have a bound at 95 %.
pub const MIN_RANKED: usize = 6;

/// The mean of the differences within pairs, at least two; `ticks` are the clock's ticks as shares of the sides'
/// values, 0 where unknown.
///
/// `None` for fewer pairs and for differences that are not finite.
#[must_use]
pub fn paired(within: &[f64], ticks: (f64, f64)) -> Option<Estimate> {
    let pairs = real(within.len());
    let difference = mean(within)?;
    let floor = (ticks.0.powi(2) + ticks.1.powi(2)) / 12.0;
    let error = (variance(within)?.max(floor) / pairs).sqrt();
    (difference.is_finite() && error.is_finite()).then(|| Estimate {
        difference,
        error,
        nu: pairs - 1.0,
        allowance: allowance(ticks),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_vector_holds() {
        let a = [103.2, 99.8, 120.4, 88.1, 131.0, 95.5_f64];
        let b = [101.0, 98.9, 117.2, 87.5, 127.1, 94.2_f64];
        let within: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a.ln() - b.ln()).collect();
        let estimate = paired(&within, (0.0, 0.0)).unwrap();
        let interval = estimate.interval(0.95);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 5e-10, "{a} is not {b}");
        close(estimate.difference.exp(), 1.018_215_224_3);
        close(interval.low.exp(), 1.007_963_251_3);
        close(interval.high.exp(), 1.028_571_469_8);
        close(estimate.p_difference().unwrap(), 0.005_918_341_0);
    }

    #[test]
    fn one_pair_has_no_interval_and_equal_ones_need_a_tick() {
        assert_eq!(paired(&[0.1], (0.0, 0.0)), None);
        assert_eq!(paired(&[0.1, 0.1], (0.0, 0.0)).unwrap().p_difference(), None);
        assert!(paired(&[0.1, 0.1], (0.001, 0.001)).unwrap().p_difference().is_some());
    }
}
