//! Both methods on two samples of host values, and which of them decides.

use super::detectable::{self, smallest_ratio};
use super::equivalence::Threshold;
use super::outlier::outliers;
use super::rank::RankComparison;
use super::student::{MANY, quantile};
use super::summary::spread;
use super::welch::Welch;
use super::{CONFIDENCE, EQUIVALENCE_CONFIDENCE, LogInterval};

/// Which method the numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Welch's t; the rule.
    Welch,
    /// Ranks; when a host stands apart from its group.
    Robust,
}

impl Basis {
    /// As reports and JSON write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Welch => "welch",
            Self::Robust => "robust",
        }
    }
}

/// One candidate sample against one baseline sample, on the log scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Contrast {
    /// The method that decides.
    pub basis: Basis,
    /// Candidate minus baseline.
    pub difference: f64,
    /// The interval that is shown, at [`CONFIDENCE`].
    pub interval: LogInterval,
    /// The interval that equivalence is read from, at [`EQUIVALENCE_CONFIDENCE`].
    pub narrower: LogInterval,
    /// p value of "there is no difference"; `None` when nothing varies and no tick is known.
    pub p_difference: Option<f64>,
    /// p value of "the difference is the threshold or more"; `None` as above.
    pub p_equivalence: Option<f64>,
    /// The smallest ratio that would have been found; `None` below four hosts a side.
    pub detectable: Option<f64>,
    /// How far the clock alone may be off.
    pub allowance: f64,
    /// Places of the candidate's hosts that stand apart.
    pub outliers_candidate: Vec<usize>,
    /// Places of the baseline's hosts that stand apart.
    pub outliers_baseline: Vec<usize>,
    /// Whether the two methods point in opposite directions without a flagged host that would explain it.
    pub methods_disagree: bool,
}

impl Contrast {
    /// Compares two samples of host values (logarithms), at least two each, by the method that fits them; `ticks`
    /// as for [`Welch::of`], candidate first.
    ///
    /// `None` for fewer values.
    #[must_use]
    pub fn of(candidate: &[f64], baseline: &[f64], ticks: (f64, f64), threshold: Threshold) -> Option<Self> {
        let mut contrast = Self::by_welch(candidate, baseline, ticks, threshold)?;
        let ranks = RankComparison::of(candidate, baseline)?;
        contrast.outliers_candidate = outliers(candidate);
        contrast.outliers_baseline = outliers(baseline);
        if contrast.outliers_candidate.is_empty() && contrast.outliers_baseline.is_empty() {
            contrast.methods_disagree = contrast.disagrees_with(&ranks);
        } else if !ranks_are_unsafe(candidate, baseline) {
            contrast.decide_by(&ranks, candidate.len().min(baseline.len()), threshold);
        }
        Some(contrast)
    }

    /// The same by Welch's method whatever the values look like.
    #[must_use]
    pub fn by_welch(
        candidate: &[f64],
        baseline: &[f64],
        ticks: (f64, f64),
        threshold: Threshold,
    ) -> Option<Self> {
        let welch = Welch::of(candidate, baseline, ticks)?;
        let enough = candidate.len().min(baseline.len()) >= detectable::MIN_HOSTS;
        Some(Self {
            basis: Basis::Welch,
            difference: welch.difference,
            interval: welch.interval(CONFIDENCE),
            narrower: welch.interval(EQUIVALENCE_CONFIDENCE),
            p_difference: welch.p_difference(),
            p_equivalence: welch.p_equivalence(threshold),
            detectable: enough.then(|| smallest_ratio(welch.error, welch.nu)).flatten(),
            allowance: welch.allowance,
            outliers_candidate: Vec::new(),
            outliers_baseline: Vec::new(),
            methods_disagree: false,
        })
    }

    /// Whether ranks point in the opposite direction and one of both methods is sure.
    fn disagrees_with(&self, ranks: &RankComparison) -> bool {
        self.difference * ranks.difference < 0.0
            && !(self.interval.contains(0.0) && ranks.interval(CONFIDENCE).contains(0.0))
    }

    fn decide_by(&mut self, ranks: &RankComparison, smaller: usize, threshold: Threshold) {
        self.basis = Basis::Robust;
        self.difference = ranks.difference;
        self.interval = ranks.interval(CONFIDENCE);
        self.narrower = ranks.interval(EQUIVALENCE_CONFIDENCE);
        self.p_difference = Some(ranks.p_difference());
        self.p_equivalence = Some(ranks.p_equivalence(threshold));
        // A heuristic: the standard error that a normal interval of this width would have.
        let error = (self.interval.high - self.interval.low) / (2.0 * quantile(0.975, MANY));
        self.detectable = self.detectable.and_then(|_| smallest_ratio(error, super::real(smaller) - 1.0));
    }
}

/// The rank interval is too short when sides differ both in size and in spread.
fn ranks_are_unsafe(a: &[f64], b: &[f64]) -> bool {
    let far = |a: f64, b: f64| a > 2.0 * b || b > 2.0 * a;
    let (Some(spread_a), Some(spread_b)) = (spread(a), spread(b)) else { return true };
    far(super::real(a.len()), super::real(b.len())) && far(spread_a, spread_b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(values: &[f64]) -> Vec<f64> {
        values.iter().map(|value| value.ln()).collect()
    }

    const QUIET: [f64; 8] = [100.0, 102.0, 98.0, 101.0, 99.0, 103.0, 97.0, 100.5];

    fn against_quiet(values: &[f64]) -> Contrast {
        Contrast::of(&logs(values), &logs(&QUIET), (0.0, 0.0), Threshold::default()).unwrap()
    }

    #[test]
    fn welch_decides_as_long_as_no_host_stands_apart() {
        let contrast = against_quiet(&QUIET.map(|value| value * 1.2));
        assert_eq!(contrast.basis, Basis::Welch);
        assert!(contrast.interval.contains(1.2_f64.ln()));
        assert!(contrast.p_difference.unwrap() < 1e-6);
        assert!(!contrast.methods_disagree);
    }

    #[test]
    fn ranks_decide_when_a_host_stands_apart() {
        let mut slower = QUIET.map(|value| value * 1.2);
        slower[2] = 400.0;
        let contrast = against_quiet(&slower);
        assert_eq!(contrast.basis, Basis::Robust);
        assert_eq!(contrast.outliers_candidate, [2]);
        assert!((contrast.difference.exp() - 1.2).abs() < 0.03, "{}", contrast.difference.exp());
        assert!(contrast.p_difference.unwrap() < 0.01);
    }

    #[test]
    fn ranks_do_not_decide_between_sides_of_unlike_size_and_spread() {
        let apart: Vec<f64> =
            (0..20).map(|i| 100.0 * 1.1_f64.powi(i % 5) * if i == 7 { 30.0 } else { 1.0 }).collect();
        let contrast = against_quiet(&apart);
        assert_eq!(contrast.outliers_candidate, [7]);
        assert_eq!(contrast.basis, Basis::Welch);
    }

    #[test]
    fn power_is_not_promised_below_four_hosts() {
        assert_eq!(against_quiet(&[100.0, 101.0, 102.0]).detectable, None);
        assert!(against_quiet(&[100.0, 101.0, 102.0, 103.0]).detectable.is_some());
    }
}
