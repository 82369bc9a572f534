//! The robust companion: the Hodges-Lehmann shift with the exact rank-sum interval.
//!
//! Hodges and Lehmann (1963), Mann and Whitney (1947). An outlier host moves it by a few per cent where it moves
//! the mean by 30. In return it needs four hosts a side to be bounded at 95 %, and sides of like spread when they
//! are of unlike size.

use super::equivalence::Threshold;
use super::student::{MANY, upper_tail};
use super::{LogInterval, real, summary};

/// Up to so many pairs the distribution is exact. Beyond, rounding would show in the exact one sooner than the
/// error of the normal approximation does.
const EXACT_PAIRS: usize = 2500;

/// Two samples of log values, compared by ranks.
#[derive(Debug, Clone, PartialEq)]
pub struct RankComparison {
    /// Median of all pairwise differences: the log of the ratio.
    pub difference: f64,
    /// All pairwise differences, sorted.
    differences: Vec<f64>,
    /// The distribution of U under no difference.
    distribution: Distribution,
}

impl RankComparison {
    /// Compares `a` with `b`; `None` when one is empty or holds what is not finite.
    #[must_use]
    pub fn of(a: &[f64], b: &[f64]) -> Option<Self> {
        let mut differences: Vec<f64> = a.iter().flat_map(|x| b.iter().map(move |y| x - y)).collect();
        if differences.iter().any(|difference| !difference.is_finite()) {
            return None;
        }
        differences.sort_by(f64::total_cmp);
        let difference = summary::median(&differences)?;
        Some(Self { difference, differences, distribution: Distribution::of(a.len(), b.len()) })
    }

    /// The interval of the difference at a confidence between 0 and 1; without bounds when there are too few
    /// values for that confidence.
    #[must_use]
    pub fn interval(&self, confidence: f64) -> LogInterval {
        let k = self.depth(confidence);
        let bounds = k.checked_sub(1).and_then(|at| {
            let low = self.differences.get(at)?;
            let high = self.differences.get(self.differences.len().checked_sub(k)?)?;
            Some(LogInterval { low: *low, high: *high })
        });
        bounds.unwrap_or(LogInterval { low: f64::NEG_INFINITY, high: f64::INFINITY })
    }

    /// Two-sided p value of "there is no difference". Ties count against it.
    #[must_use]
    pub fn p_difference(&self) -> f64 {
        (2.0 * self.above(0.0).min(self.below(0.0))).min(1.0)
    }

    /// p value of "the difference is the threshold or more". Ties count against equivalence.
    #[must_use]
    pub fn p_equivalence(&self, threshold: Threshold) -> f64 {
        self.above(-threshold.log()).max(self.below(threshold.log()))
    }

    /// How many differences from either end the interval begins; 0 when it has no bounds.
    fn depth(&self, confidence: f64) -> usize {
        let tail = (1.0 - confidence) / 2.0;
        // The sums are exact to some 1e-15: what is equal on paper must not fail by that.
        let (mut low, mut high) = (0, self.differences.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.distribution.up_to(middle) <= tail + 1e-12 {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// p value of "the difference is `at` or less".
    fn above(&self, at: f64) -> f64 {
        self.distribution.up_to(self.differences.iter().filter(|difference| **difference <= at).count())
    }

    /// p value of "the difference is `at` or more".
    fn below(&self, at: f64) -> f64 {
        self.distribution.up_to(self.differences.iter().filter(|difference| **difference >= at).count())
    }
}

/// The distribution of the Mann-Whitney statistic of two samples that do not differ and have no ties.
#[derive(Debug, Clone, PartialEq)]
enum Distribution {
    /// `P(U <= u)` for each u.
    Exact(Vec<f64>),
    /// Mean and standard deviation of the normal approximation.
    Normal(f64, f64),
}

impl Distribution {
    fn of(m: usize, n: usize) -> Self {
        if m * n <= EXACT_PAIRS {
            return Self::Exact(cumulative(m, n));
        }
        let pairs = real(m) * real(n);
        Self::Normal(pairs / 2.0, (pairs * (real(m + n) + 1.0) / 12.0).sqrt())
    }

    /// `P(U <= u)`.
    fn up_to(&self, u: usize) -> f64 {
        match self {
            Self::Exact(cumulative) => cumulative.get(u).copied().unwrap_or(1.0).min(1.0),
            // Half a step more, as U only takes whole numbers.
            Self::Normal(mean, deviation) => upper_tail((mean - real(u) - 0.5) / deviation, MANY),
        }
    }
}

/// `P(U <= u)` for all u of the Mann-Whitney statistic of m and n values without ties.
///
/// The counts are the coefficients of the Gaussian binomial `prod_(i=1..m) (1 - z^(n+i)) / (1 - z^i)`. After each
/// factor they are divided by their sum, so that they stay probabilities.
fn cumulative(m: usize, n: usize) -> Vec<f64> {
    let mut shares = vec![0.0; m * n + 1];
    if let Some(first) = shares.first_mut() {
        *first = 1.0;
    }
    for i in 1..=m {
        subtract_shifted(&mut shares, n + i);
        add_shifted(&mut shares, i);
        let total = real(n + i) / real(i);
        shares.iter_mut().for_each(|share| *share /= total);
    }
    let mut sum = 0.0;
    shares
        .iter()
        .map(|share| {
            sum += share;
            sum
        })
        .collect()
}

/// Multiplies the polynomial by `1 - z^by`.
fn subtract_shifted(coefficients: &mut [f64], by: usize) {
    for at in (by..coefficients.len()).rev() {
        let shifted = coefficients.get(at - by).copied().unwrap_or(0.0);
        if let Some(coefficient) = coefficients.get_mut(at) {
            *coefficient -= shifted;
        }
    }
}

/// Divides the polynomial by `1 - z^by`.
fn add_shifted(coefficients: &mut [f64], by: usize) {
    for at in by..coefficients.len() {
        let shifted = coefficients.get(at - by).copied().unwrap_or(0.0);
        if let Some(coefficient) = coefficients.get_mut(at) {
            *coefficient += shifted;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(values: &[f64]) -> Vec<f64> {
        values.iter().map(|value| value.ln()).collect()
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 5e-10, "{a} is not {b}");
    }

    fn of_sizes(m: usize, n: usize) -> RankComparison {
        let values = |n: usize| (0..n).map(real).collect::<Vec<f64>>();
        RankComparison::of(&values(m), &values(n)).unwrap()
    }

    #[test]
    fn the_reference_vector_holds() {
        let a = logs(&[98.1, 101.7, 104.9, 99.3, 110.2]);
        let b = logs(&[92.4, 95.0, 90.1, 97.7, 93.3, 94.6]);
        let ranks = RankComparison::of(&a, &b).unwrap();
        close(ranks.difference.exp(), 1.089_411_016_7);
        assert_eq!(ranks.depth(0.95), 4);
        let interval = ranks.interval(0.95);
        close(interval.low.exp(), 1.036_997_885_8);
        close(interval.high.exp(), 1.164_904_862_6);
        // Every value of A is above every one of B: both tails of the smallest share there is, 1 / C(11, 5).
        close(ranks.p_difference(), 2.0 / 462.0);
    }

    #[test]
    fn depths_are_those_of_the_tables() {
        for (m, n, k) in [
            (3, 3, 0),
            (3, 4, 0),
            (4, 4, 1),
            (4, 5, 2),
            (5, 5, 3),
            (5, 6, 4),
            (6, 6, 6),
            (7, 7, 9),
            (8, 8, 14),
            (9, 9, 18),
            (10, 10, 24),
            (12, 12, 38),
            (4, 20, 15),
        ] {
            assert_eq!(of_sizes(m, n).depth(0.95), k, "{m} x {n}");
            assert_eq!(of_sizes(n, m).depth(0.95), k, "{n} x {m}");
        }
        for (m, n, k) in [(3, 3, 1), (4, 4, 2), (5, 5, 5), (6, 6, 8), (8, 8, 16), (10, 10, 28), (4, 20, 19)] {
            assert_eq!(of_sizes(m, n).depth(0.90), k, "{m} x {n}");
        }
    }

    /// The distribution by the recurrence on the largest value, which only adds.
    fn by_recurrence(m: usize, n: usize) -> Vec<f64> {
        let mut shares = vec![vec![vec![]; n + 1]; m + 1];
        for i in 0..=m {
            for j in 0..=n {
                let mut row = vec![0.0; i * j + 1];
                if i * j == 0 {
                    row[0] = 1.0;
                } else {
                    let (from_first, from_second) = (real(i) / real(i + j), real(j) / real(i + j));
                    for (u, share) in row.iter_mut().enumerate() {
                        let first: &Vec<f64> = &shares[i - 1][j];
                        let second: &Vec<f64> = &shares[i][j - 1];
                        *share += from_first * u.checked_sub(j).and_then(|u| first.get(u)).unwrap_or(&0.0);
                        *share += from_second * second.get(u).unwrap_or(&0.0);
                    }
                }
                shares[i][j] = row;
            }
        }
        let mut sum = 0.0;
        shares[m][n]
            .iter()
            .map(|share| {
                sum += share;
                sum
            })
            .collect()
    }

    #[test]
    fn the_exact_distribution_keeps_its_digits() {
        for (m, n) in [(5, 6), (20, 30), (50, 50), (4, 60)] {
            let difference = |(a, b): (&f64, &f64)| (a - b).abs();
            let worst = cumulative(m, n).iter().zip(&by_recurrence(m, n)).map(difference).fold(0.0, f64::max);
            assert!(worst < 1e-9, "{m} x {n}: {worst}");
        }
    }

    #[test]
    fn the_approximation_continues_the_exact_distribution() {
        let exact = Distribution::of(50, 50);
        let pairs = 2500.0;
        let normal = Distribution::Normal(pairs / 2.0, (pairs * 101.0_f64 / 12.0).sqrt());
        for u in [900, 965, 1000, 1250, 1400] {
            assert!((exact.up_to(u) - normal.up_to(u)).abs() < 2e-3, "{u}: {}", exact.up_to(u));
        }
        assert!(Distribution::of(1000, 1000).up_to(1_000_000) > 0.999_999);
    }

    #[test]
    fn the_interval_is_bounded_exactly_when_the_p_value_can_be_small() {
        for (m, n) in [(2, 2), (3, 3), (3, 5), (4, 4), (2, 8), (6, 3)] {
            let low: Vec<f64> = (0..m).map(real).collect();
            let high: Vec<f64> = (0..n).map(|i| 100.0 + real(i)).collect();
            let ranks = RankComparison::of(&low, &high).unwrap();
            assert_eq!(ranks.depth(0.95) >= 1, ranks.p_difference() <= 0.05, "{m} x {n}");
        }
    }

    #[test]
    fn ties_count_against_a_difference() {
        let ranks = RankComparison::of(&[1.0; 6], &[1.0; 6]).unwrap();
        assert!(ranks.p_difference() > 0.999_999);
        assert!(ranks.p_equivalence(Threshold::default()) < 0.01);
    }
}
