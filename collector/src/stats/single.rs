//! One host against several: where it would have to lie if it were one of them.
//!
//! Crawford and Howell (1998). Holds if both tiers spread alike, which one host cannot show: it is a statement
//! beside the verdict and never one.

use super::student::quantile;
use super::summary::{mean, variance};
use super::{CONFIDENCE, LogInterval, real};

/// Fewest hosts on the side of several.
pub const MIN_HOSTS: usize = 4;

/// The difference of one log value from the mean of several, and its interval at [`CONFIDENCE`].
///
/// `None` for fewer than [`MIN_HOSTS`], without variance and for values that are not finite.
#[must_use]
pub fn against_several(one: f64, several: &[f64]) -> Option<(f64, LogInterval)> {
    let n = real(several.len());
    let deviation = variance(several)?.sqrt();
    let difference = one - mean(several)?;
    let half = quantile(0.5 + CONFIDENCE / 2.0, n - 1.0) * deviation * (1.0 + 1.0 / n).sqrt();
    let is_usable =
        several.len() >= MIN_HOSTS && deviation > 0.0 && difference.is_finite() && half.is_finite();
    is_usable.then_some((difference, LogInterval { low: difference - half, high: difference + half }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked by hand: mean 2, standard deviation 1, t(.975, 4) = 2.776445.
    #[test]
    fn the_interval_is_that_of_a_prediction() {
        let (difference, interval) = against_several(3.0, &[1.0, 1.0, 2.0, 3.0, 3.0]).unwrap();
        assert!((difference - 1.0).abs() < 1e-12);
        assert!((interval.high - 1.0 - 2.776_445 * 1.2_f64.sqrt()).abs() < 1e-5, "{interval:?}");
    }

    #[test]
    fn three_hosts_and_equal_ones_say_nothing() {
        assert_eq!(against_several(1.0, &[1.0, 2.0, 3.0]), None);
        assert_eq!(against_several(1.0, &[2.0; 5]), None);
    }
}
