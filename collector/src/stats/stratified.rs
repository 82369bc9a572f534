//! Strata: like compared with like, such as hosts of one CPU model, and the differences combined.
//!
//! Each stratum weighs `w = m n / (m + n)`, the weight that is best for equal spreads (Cochran 1954). The degrees of
//! freedom are those of Satterthwaite (1946) over all groups, capped at their value for equal spreads for the reason
//! that [`super::welch`] gives.

use super::estimate::{Estimate, allowance, variance_of_mean};
use super::real;
use super::summary::{mean, variance};

/// Fewest hosts a side for a stratum to take part.
pub const MIN_HOSTS: usize = 2;

/// One stratum's log values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stratum {
    /// Of the candidate, at least two.
    pub candidate: Vec<f64>,
    /// Of the baseline, at least two.
    pub baseline: Vec<f64>,
}

/// The combined difference; `ticks` are the clock's ticks as shares of the sides' values, candidate first.
///
/// `None` without strata, and when one has fewer than two values a side or one that is not finite.
#[must_use]
pub fn stratified(strata: &[Stratum], ticks: (f64, f64)) -> Option<Estimate> {
    let weight = |stratum: &Stratum| {
        let (m, n) = (real(stratum.candidate.len()), real(stratum.baseline.len()));
        m * n / (m + n)
    };
    let total: f64 = strata.iter().map(weight).sum();
    let (mut difference, mut squared) = (0.0, 0.0);
    let (mut observed, mut equal) = (Freedom::default(), Freedom::default());
    for stratum in strata {
        let share = weight(stratum) / total;
        difference += share * (mean(&stratum.candidate)? - mean(&stratum.baseline)?);
        for (values, tick) in [(&stratum.candidate, ticks.0), (&stratum.baseline, ticks.1)] {
            let n = real(values.len());
            let part = share.powi(2) * variance_of_mean(variance(values)?, tick, n);
            squared += part;
            observed.add(part, n - 1.0);
            equal.add(share.powi(2) / n, n - 1.0);
        }
    }
    let error = squared.sqrt();
    let is_usable = !strata.is_empty() && difference.is_finite() && error.is_finite();
    is_usable.then(|| Estimate {
        difference,
        error,
        nu: observed.satterthwaite().min(equal.satterthwaite()).max(1.0),
        allowance: allowance(ticks),
    })
}

/// Sums for the degrees of freedom of a sum of variances.
#[derive(Default)]
struct Freedom {
    parts: f64,
    squares: f64,
}

impl Freedom {
    fn add(&mut self, part: f64, freedom: f64) {
        self.parts += part;
        self.squares += part.powi(2) / freedom;
    }

    /// NaN without any variance; `min` then gives the other.
    fn satterthwaite(&self) -> f64 {
        self.parts.powi(2) / self.squares
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::welch::welch;

    fn logs(values: &[f64]) -> Vec<f64> {
        values.iter().map(|value| value.ln()).collect()
    }

    fn first() -> Stratum {
        Stratum {
            candidate: logs(&[98.1, 101.7, 104.9, 99.3, 110.2]),
            baseline: logs(&[92.4, 95.0, 90.1, 97.7, 93.3, 94.6]),
        }
    }

    #[test]
    fn one_stratum_is_the_primary_method() {
        let (one, plain) = (first(), first());
        let combined = stratified(&[one], (0.01, 0.0)).unwrap();
        let primary = welch(&plain.candidate, &plain.baseline, (0.01, 0.0)).unwrap();
        for (a, b) in [
            (combined.difference, primary.difference),
            (combined.error, primary.error),
            (combined.nu, primary.nu),
            (combined.allowance, primary.allowance),
        ] {
            assert!((a - b).abs() < 1e-12, "{a} is not {b}");
        }
    }

    /// Worked by hand: weights 1 and 1, differences 0.2 and 0.1, variances of the means 0.0001 each.
    #[test]
    fn strata_weigh_by_their_hosts() {
        let stratum = |centre: f64, step: f64| {
            let around = |centre: f64| vec![centre - 0.01, centre + 0.01];
            Stratum { candidate: around(centre + step), baseline: around(centre) }
        };
        let estimate = stratified(&[stratum(0.0, 0.2), stratum(5.0, 0.1)], (0.0, 0.0)).unwrap();
        assert!((estimate.difference - 0.15).abs() < 1e-12);
        assert!((estimate.error - 0.01).abs() < 1e-12, "{}", estimate.error);
        assert!((estimate.nu - 4.0).abs() < 1e-9, "{}", estimate.nu);
    }

    #[test]
    fn what_all_hosts_of_a_stratum_share_falls_out() {
        let mut dearer = first();
        dearer.candidate.iter_mut().chain(&mut dearer.baseline).for_each(|value| *value += 1.0);
        let estimate = stratified(&[first(), dearer], (0.0, 0.0)).unwrap();
        assert!((estimate.difference - 0.090_909_067_6).abs() < 5e-10);
    }

    #[test]
    fn a_stratum_of_one_host_is_refused() {
        let thin = Stratum { candidate: vec![1.0], baseline: vec![1.0, 2.0] };
        assert_eq!(stratified(&[first(), thin], (0.0, 0.0)), None);
        assert_eq!(stratified(&[], (0.0, 0.0)), None);
    }
}
