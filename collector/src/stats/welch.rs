//! The primary interval: Welch's t on host values, with capped degrees of freedom.
//!
//! Welch (1947), degrees of freedom by Satterthwaite (1946). Two additions:
//!
//! - The degrees of freedom are capped at their value for equal spreads. Satterthwaite's number is random: when
//!   the small side happens to look quiet, standard error and quantile shrink together. The cap takes away the
//!   second error and changes nothing for sides of equal size.
//! - A clock with coarse ticks makes hosts look more alike than they are. The variance has the floor of a uniform
//!   error, `q^2 / 12`, and the interval is widened by half a tick a side when a tick is 0.5 % of a value or more.

use super::estimate::{Estimate, allowance, variance_of_mean};
use super::real;
use super::summary::{mean, variance};

/// Compares the means of `a` and `b`, log values, at least two each; `ticks` are the clock's ticks as shares of
/// the sides' values, 0 where unknown.
///
/// `None` for fewer values and for values that are not finite.
#[must_use]
pub fn welch(a: &[f64], b: &[f64], ticks: (f64, f64)) -> Option<Estimate> {
    let (m, n) = (real(a.len()), real(b.len()));
    let difference = mean(a)? - mean(b)?;
    let va = variance_of_mean(variance(a)?, ticks.0, m);
    let vb = variance_of_mean(variance(b)?, ticks.1, n);
    let error = (va + vb).sqrt();
    (difference.is_finite() && error.is_finite()).then(|| Estimate {
        difference,
        error,
        nu: capped(va, vb, m, n),
        allowance: allowance(ticks),
    })
}

fn capped(va: f64, vb: f64, m: f64, n: f64) -> f64 {
    let welch = (va + vb).powi(2) / (va.powi(2) / (m - 1.0) + vb.powi(2) / (n - 1.0));
    let equal = (1.0 / m + 1.0 / n).powi(2) / (1.0 / (m.powi(2) * (m - 1.0)) + 1.0 / (n.powi(2) * (n - 1.0)));
    // Without any variance the first is NaN, and `min` then gives the other.
    welch.min(equal).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::equivalence::Threshold;
    use crate::stats::student::quantile;

    fn logs(values: &[f64]) -> Vec<f64> {
        values.iter().map(|value| value.ln()).collect()
    }

    fn reference() -> Estimate {
        let a = logs(&[98.1, 101.7, 104.9, 99.3, 110.2]);
        let b = logs(&[92.4, 95.0, 90.1, 97.7, 93.3, 94.6]);
        welch(&a, &b, (0.0, 0.0)).unwrap()
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 5e-10, "{a} is not {b}");
    }

    #[test]
    fn the_reference_vector_holds() {
        let estimate = reference();
        close(estimate.difference, 0.090_909_067_6);
        close(estimate.difference.exp(), 1.095_169_414_3);
        close(estimate.error, 0.023_724_228_6);
        close(estimate.nu, 6.217_160_806_4);
        close(quantile(0.975, estimate.nu), 2.426_342_557_2);
        let shown = estimate.interval(0.95);
        close(shown.low.exp(), 1.033_908_170_5);
        close(shown.high.exp(), 1.160_060_516_4);
        let narrower = estimate.interval(0.90);
        close(narrower.low.exp(), 1.046_127_652_2);
        close(narrower.high.exp(), 1.146_510_221_3);
        close(estimate.p_difference().unwrap(), 0.008_073_599_0);
        close(estimate.p_equivalence(Threshold::default()).unwrap(), 0.979_935_285_3);
    }

    #[test]
    fn degrees_of_freedom_are_capped_at_those_of_equal_spreads() {
        // The reference's cap, reached by a small side that happens to be quiet.
        let quiet = [1.0, 1.0001, 0.9999, 1.0, 1.0];
        let loud = [1.0, 1.4, 0.7, 1.2, 0.9, 1.1];
        let estimate = welch(&logs(&quiet), &logs(&loud), (0.0, 0.0)).unwrap();
        assert!(estimate.nu <= 8.642_857_142_9 + 1e-9);
        close(capped(1.0 / 5.0, 1.0 / 6.0, 5.0, 6.0), 8.642_857_142_857_142);
    }

    #[test]
    fn identical_values_have_a_finite_interval_where_the_tick_is_known() {
        let same = [5.0_f64.ln(); 5];
        assert_eq!(welch(&same, &same, (0.0, 0.0)).unwrap().p_difference(), None);
        let estimate = welch(&same, &same, (0.01, 0.01)).unwrap();
        let interval = estimate.interval(0.95);
        assert!(interval.low < -0.01 && interval.high > 0.01 && interval.high < 0.02, "{interval:?}");
        assert_eq!(estimate.p_difference(), Some(1.0));
    }

    #[test]
    fn one_value_a_side_is_not_compared() {
        assert_eq!(welch(&[1.0], &[1.0, 2.0], (0.0, 0.0)), None);
        assert_eq!(welch(&[1.0, f64::INFINITY], &[1.0, 2.0], (0.0, 0.0)), None);
    }
}
