//! The robust companion: the Hodges-Lehmann shift with the exact rank-sum interval.
//!
//! Hodges and Lehmann (1963), Mann and Whitney (1947). An outlier host moves it by a few per cent where it moves
//! the mean by 30. In return it needs four hosts a side to be bounded at 95 %, and sides of like spread when they
//! are of unlike size.

use std::cell::OnceCell;
use std::cmp::Ordering;

use super::LogInterval;
use super::equivalence::Threshold;
use super::ordered::Ordered;
use super::ranks::Distribution;

/// Two samples of log values, or the differences within pairs, compared by ranks.
///
/// Mostly nothing but the direction is asked for, which costs two walks along the samples; what costs more is found out
/// when it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct RankComparison {
    /// All pairwise differences, of pairs all averages of two.
    differences: Ordered,
    sizes: Sizes,
    /// The distribution, without a difference, of how many of them are below zero.
    distribution: OnceCell<Distribution>,
}

/// What the distribution follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sizes {
    /// The sizes of two samples.
    Samples(usize, usize),
    /// How many pairs there are.
    Pairs(usize),
}

impl RankComparison {
    /// Compares `a` with `b`; `None` when one is empty or holds what is not finite.
    #[must_use]
    pub fn of(a: &[f64], b: &[f64]) -> Option<Self> {
        Self::by(Ordered::differences(a, b), &[a, b], Sizes::Samples(a.len(), b.len()))
    }

    /// Compares by the differences within pairs: the signed-rank method of Wilcoxon (1945) on the averages of Walsh.
    ///
    /// `None` without pairs and with differences that are not finite.
    #[must_use]
    pub fn paired(within: &[f64]) -> Option<Self> {
        Self::by(Ordered::averages(within), &[within], Sizes::Pairs(within.len()))
    }

    fn by(differences: Ordered, samples: &[&[f64]], sizes: Sizes) -> Option<Self> {
        // The first and the last decide whether all are finite: a difference of finite values may be not.
        let (first, last) = differences.ends()?;
        let is_finite = |values: &&[f64]| values.iter().all(|value| value.is_finite());
        (samples.iter().all(is_finite) && first.is_finite() && last.is_finite()).then(|| Self {
            differences,
            sizes,
            distribution: OnceCell::new(),
        })
    }

    /// Median of all pairwise differences, of pairs the median of all averages of two: the log of the ratio.
    #[must_use]
    pub fn difference(&self) -> f64 {
        // There is one, as there are values.
        self.differences.median().unwrap_or(f64::NAN)
    }

    /// On which side of zero the difference is.
    #[must_use]
    pub fn direction(&self) -> Ordering {
        let all = self.differences.len();
        let (lower, upper) = (all.saturating_sub(1) / 2, all / 2);
        // Where both of the middle two are on one side, so is what lies between them.
        if all - self.differences.from(0.0) > upper {
            Ordering::Less
        } else if self.differences.up_to(0.0) <= lower {
            Ordering::Greater
        } else {
            self.difference().partial_cmp(&0.0).unwrap_or(Ordering::Equal)
        }
    }

    /// The interval of the difference at a confidence between 0 and 1; without bounds when there are too few
    /// values for that confidence.
    #[must_use]
    pub fn interval(&self, confidence: f64) -> LogInterval {
        let k = self.depth(confidence);
        let bounds = k.checked_sub(1).and_then(|at| {
            let low = self.differences.nth(at)?;
            let high = self.differences.nth(self.differences.len().checked_sub(k)?)?;
            Some(LogInterval { low, high })
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
            if self.distribution().up_to(middle) <= tail + 1e-12 {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn distribution(&self) -> &Distribution {
        self.distribution.get_or_init(|| match self.sizes {
            Sizes::Samples(m, n) => Distribution::rank_sum(m, n),
            Sizes::Pairs(n) => Distribution::signed_rank(n),
        })
    }

    /// p value of "the difference is `at` or less".
    fn above(&self, at: f64) -> f64 {
        self.distribution().up_to(self.differences.up_to(at))
    }

    /// p value of "the difference is `at` or more".
    fn below(&self, at: f64) -> f64 {
        self.distribution().up_to(self.differences.from(at))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::real;

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
        close(ranks.difference().exp(), 1.089_411_016_7);
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
    fn the_reference_vector_of_pairs_holds() {
        let a = logs(&[103.2, 99.8, 120.4, 88.1, 131.0, 95.5]);
        let b = logs(&[101.0, 98.9, 117.2, 87.5, 127.1, 94.2]);
        let within: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
        let ranks = RankComparison::paired(&within).unwrap();
        close(ranks.difference().exp(), 1.018_161_245_7);
        assert_eq!(ranks.depth(0.95), 1);
        let interval = ranks.interval(0.95);
        close(interval.low.exp(), 1.006_857_142_9);
        close(interval.high.exp(), 1.030_684_500_4);
        // All six are above zero: both tails of the smallest share there is, 1 / 2^6.
        close(ranks.p_difference(), 2.0 / 64.0);
    }

    #[test]
    fn depths_of_pairs_are_those_of_the_tables() {
        for (n, k) in [(5, 0), (6, 1), (7, 3), (8, 4), (9, 6), (10, 9), (12, 14), (16, 30), (20, 53)] {
            let within: Vec<f64> = (0..n).map(real).collect();
            assert_eq!(RankComparison::paired(&within).unwrap().depth(0.95), k, "{n} pairs");
        }
    }

    #[test]
    fn nothing_is_not_ranked() {
        assert!(RankComparison::paired(&[]).is_none());
        assert!(RankComparison::of(&[], &[1.0]).is_none());
        assert!(RankComparison::of(&[f64::NAN], &[1.0]).is_none());
        assert!(RankComparison::of(&[1.0, f64::INFINITY], &[1.0]).is_none());
        assert!(RankComparison::of(&[f64::MAX], &[f64::MIN]).is_none());
    }

    #[test]
    fn ten_thousand_hosts_are_ranked_in_no_time() {
        let side =
            |shift: f64| (0..5000).map(|i| shift + 0.001 * real(i * 7919 % 5000)).collect::<Vec<f64>>();
        let began = std::time::Instant::now();
        let ranks = RankComparison::of(&side(0.5), &side(0.0)).unwrap();
        let pairs = RankComparison::paired(&side(0.5)).unwrap();
        assert!((ranks.difference() - 0.5).abs() < 1e-9 && ranks.interval(0.95).contains(0.5));
        assert!(pairs.interval(0.95).contains(pairs.difference()));
        // A hundredth of what sorting 25 million differences takes, and of that by far the larger part is slack.
        assert!(began.elapsed().as_secs_f64() < 2.0, "{:?}", began.elapsed());
    }

    #[test]
    fn ties_count_against_a_difference() {
        let ranks = RankComparison::of(&[1.0; 6], &[1.0; 6]).unwrap();
        assert!(ranks.p_difference() > 0.999_999);
        assert!(ranks.p_equivalence(Threshold::default()) < 0.01);
    }

    fn agrees(ranks: Option<RankComparison>) {
        let Some(ranks) = ranks else { return };
        assert_eq!(Some(ranks.direction()), ranks.difference().partial_cmp(&0.0), "{ranks:?}");
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        // With ties, and medians of zero and between two sides of it.
        proptest::collection::vec(prop_oneof![(-2..3_i32).prop_map(f64::from), -1.0..1.0_f64], 1..9)
    }

    proptest! {
        #[test]
        fn the_direction_is_that_of_the_difference(a in values(), b in values()) {
            agrees(RankComparison::of(&a, &b));
            agrees(RankComparison::paired(&a));
        }
    }
}
