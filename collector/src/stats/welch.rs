//! The primary interval: Welch's t on host values, with capped degrees of freedom.
//!
//! Welch (1947), degrees of freedom by Satterthwaite (1946). Two additions:
//!
//! - The degrees of freedom are capped at their value for equal spreads. Satterthwaite's number is random: when
//!   the small side happens to look quiet, standard error and quantile shrink together. The cap takes away the
//!   second error and changes nothing for sides of equal size.
//! - A clock with coarse ticks makes hosts look more alike than they are. The variance has the floor of a uniform
//!   error, `q^2 / 12`, and the interval is widened by half a tick a side when a tick is 0.5 % of a value or more.

use super::LogInterval;
use super::student::{quantile, upper_tail};
use super::summary::{mean, variance};
use super::{equivalence::Threshold, real};

/// From which share of the value on a tick widens the interval.
pub const COARSE: f64 = 0.005;

/// Two samples of log values, compared by their means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Welch {
    /// Mean of the first minus mean of the second: the log of the ratio.
    pub difference: f64,
    /// Standard error of the difference; zero when nothing varies and no tick is known.
    pub error: f64,
    /// Degrees of freedom, at least 1.
    pub nu: f64,
    /// How far the clock alone may be off, as a difference of logarithms.
    pub allowance: f64,
}

impl Welch {
    /// Compares `a` with `b`, at least two values each; `ticks` are the clock's ticks as shares of the sides'
    /// values, 0 where unknown.
    ///
    /// `None` for fewer values and for values that are not finite.
    #[must_use]
    pub fn of(a: &[f64], b: &[f64], ticks: (f64, f64)) -> Option<Self> {
        let (m, n) = (real(a.len()), real(b.len()));
        let difference = mean(a)? - mean(b)?;
        let va = (variance(a)? / m).max(ticks.0.powi(2) / 12.0 / m);
        let vb = (variance(b)? / n).max(ticks.1.powi(2) / 12.0 / n);
        let error = (va + vb).sqrt();
        if !difference.is_finite() || !error.is_finite() {
            return None;
        }
        let allowance =
            if ticks.0 < COARSE && ticks.1 < COARSE { 0.0 } else { ticks.0 / 2.0 + ticks.1 / 2.0 };
        Some(Self { difference, error, nu: capped(va, vb, m, n), allowance })
    }

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

fn capped(va: f64, vb: f64, m: f64, n: f64) -> f64 {
    let welch = (va + vb).powi(2) / (va.powi(2) / (m - 1.0) + vb.powi(2) / (n - 1.0));
    let equal = (1.0 / m + 1.0 / n).powi(2) / (1.0 / (m.powi(2) * (m - 1.0)) + 1.0 / (n.powi(2) * (n - 1.0)));
    // Without any variance the first is NaN, and `min` then gives the other.
    welch.min(equal).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(values: &[f64]) -> Vec<f64> {
        values.iter().map(|value| value.ln()).collect()
    }

    fn reference() -> Welch {
        let a = logs(&[98.1, 101.7, 104.9, 99.3, 110.2]);
        let b = logs(&[92.4, 95.0, 90.1, 97.7, 93.3, 94.6]);
        Welch::of(&a, &b, (0.0, 0.0)).unwrap()
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 5e-10, "{a} is not {b}");
    }

    #[test]
    fn the_reference_vector_holds() {
        let welch = reference();
        close(welch.difference, 0.090_909_067_6);
        close(welch.difference.exp(), 1.095_169_414_3);
        close(welch.error, 0.023_724_228_6);
        close(welch.nu, 6.217_160_806_4);
        close(quantile(0.975, welch.nu), 2.426_342_557_2);
        let shown = welch.interval(0.95);
        close(shown.low.exp(), 1.033_908_170_5);
        close(shown.high.exp(), 1.160_060_516_4);
        let narrower = welch.interval(0.90);
        close(narrower.low.exp(), 1.046_127_652_2);
        close(narrower.high.exp(), 1.146_510_221_3);
        close(welch.p_difference().unwrap(), 0.008_073_599_0);
        close(welch.p_equivalence(Threshold::default()).unwrap(), 0.979_935_285_3);
    }

    #[test]
    fn degrees_of_freedom_are_capped_at_those_of_equal_spreads() {
        // The reference's cap, reached by a small side that happens to be quiet.
        let quiet = [1.0, 1.0001, 0.9999, 1.0, 1.0];
        let loud = [1.0, 1.4, 0.7, 1.2, 0.9, 1.1];
        let welch = Welch::of(&logs(&quiet), &logs(&loud), (0.0, 0.0)).unwrap();
        assert!(welch.nu <= 8.642_857_142_9 + 1e-9);
        close(capped(1.0 / 5.0, 1.0 / 6.0, 5.0, 6.0), 8.642_857_142_857_142);
    }

    #[test]
    fn identical_values_have_a_finite_interval_where_the_tick_is_known() {
        let same = [5.0_f64.ln(); 5];
        assert_eq!(Welch::of(&same, &same, (0.0, 0.0)).unwrap().p_difference(), None);
        let welch = Welch::of(&same, &same, (0.01, 0.01)).unwrap();
        let interval = welch.interval(0.95);
        assert!(interval.low < -0.01 && interval.high > 0.01 && interval.high < 0.02, "{interval:?}");
        assert_eq!(welch.p_difference(), Some(1.0));
    }

    #[test]
    fn one_value_a_side_is_not_compared() {
        assert_eq!(Welch::of(&[1.0], &[1.0, 2.0], (0.0, 0.0)), None);
        assert_eq!(Welch::of(&[1.0, f64::INFINITY], &[1.0, 2.0], (0.0, 0.0)), None);
    }
}
