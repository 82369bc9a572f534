//! Both methods on two samples of host values, and which of them decides.

use std::cmp::Ordering;

use super::detectable::{self, Precision};
use super::equivalence::Threshold;
use super::estimate::Estimate;
use super::outlier::outliers;
use super::paired::{self, MIN_PAIRS, MIN_RANKED};
use super::rank::RankComparison;
use super::stratified::{self, Stratum};
use super::student::{MANY, quantile};
use super::summary::spread;
use super::welch::welch;
use super::{CONFIDENCE, EQUIVALENCE_CONFIDENCE, LogInterval};

/// Which method the numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Welch's t; the rule.
    Welch,
    /// Ranks; when a host stands apart from its group.
    Robust,
    /// t on the differences within pairs.
    Paired,
    /// Signed ranks of these differences; when a pair stands apart.
    PairedRobust,
    /// Welch's t within strata, combined.
    Stratified,
}

impl Basis {
    /// As reports and JSON write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Welch => "welch",
            Self::Robust => "robust",
            Self::Paired => "paired",
            Self::PairedRobust => "paired_robust",
            Self::Stratified => "stratified",
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
    /// Degrees of freedom; `None` where ranks decide, as they have none.
    pub nu: Option<f64>,
    /// What the smallest ratio that would be found follows from; `None` below four hosts a side, eight where ranks
    /// decide.
    pub precision: Option<Precision>,
    /// How far the clock alone may be off.
    pub allowance: f64,
    /// Places of the candidate's hosts that stand apart.
    pub outliers_candidate: Vec<usize>,
    /// Places of the baseline's hosts that stand apart.
    pub outliers_baseline: Vec<usize>,
    /// Places of the pairs that stand apart.
    pub outlier_pairs: Vec<usize>,
    /// Whether the two methods point in opposite directions without a flagged host that would explain it.
    pub is_contradicted: bool,
    /// Values on the smaller side.
    smaller: usize,
    estimate: Estimate,
    /// The same values by ranks; `None` in strata and of fewer pairs than ranks need.
    ranks: Option<RankComparison>,
}

impl Contrast {
    /// Compares two samples of host values (logarithms), at least two each, by the method that fits them; `ticks`
    /// as for [`welch`], candidate first.
    ///
    /// `None` for fewer values.
    #[must_use]
    pub fn of(candidate: &[f64], baseline: &[f64], ticks: (f64, f64), threshold: Threshold) -> Option<Self> {
        let mut contrast = Self::by_welch(candidate, baseline, ticks, threshold)?;
        let ranks = RankComparison::of(candidate, baseline)?;
        contrast.outliers_candidate = outliers(candidate);
        contrast.outliers_baseline = outliers(baseline);
        if contrast.outliers_candidate.is_empty() && contrast.outliers_baseline.is_empty() {
            contrast.is_contradicted = contrast.is_contradicted_by(&ranks);
        } else if !ranks_are_unsafe(candidate, baseline) {
            contrast.decide_by(Basis::Robust, &ranks, threshold);
        }
        contrast.ranks = Some(ranks);
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
        let smaller = candidate.len().min(baseline.len());
        Some(Self::by(Basis::Welch, welch(candidate, baseline, ticks)?, smaller, threshold))
    }

    /// Compares by the differences within pairs, at least two; signed ranks decide when a pair stands apart and
    /// there are enough pairs for them.
    ///
    /// `None` for fewer pairs.
    #[must_use]
    pub fn paired(within: &[f64], ticks: (f64, f64), threshold: Threshold) -> Option<Self> {
        let estimate = paired::paired(within, ticks)?;
        let mut contrast = Self::by(Basis::Paired, estimate, within.len(), threshold);
        contrast.outlier_pairs = outliers(within);
        if within.len() < MIN_RANKED {
            return Some(contrast);
        }
        let Some(ranks) = RankComparison::paired(within) else { return Some(contrast) };
        if contrast.outlier_pairs.is_empty() {
            contrast.is_contradicted = contrast.is_contradicted_by(&ranks);
        } else {
            contrast.decide_by(Basis::PairedRobust, &ranks, threshold);
        }
        contrast.ranks = Some(ranks);
        Some(contrast)
    }

    /// Compares within strata, at least two hosts a side each, and combines. Hosts that stand apart within their
    /// stratum are named; their places count through all strata. Nothing takes the place of means here.
    ///
    /// `None` for fewer hosts.
    #[must_use]
    pub fn stratified(strata: &[Stratum], ticks: (f64, f64), threshold: Threshold) -> Option<Self> {
        let estimate = stratified::stratified(strata, ticks)?;
        let side = |values: fn(&Stratum) -> &Vec<f64>| -> (usize, Vec<usize>) {
            let (mut hosts, mut apart) = (0, Vec::new());
            for stratum in strata {
                apart.extend(outliers(values(stratum)).into_iter().map(|place| hosts + place));
                hosts += values(stratum).len();
            }
            (hosts, apart)
        };
        let (candidates, outliers_candidate) = side(|stratum| &stratum.candidate);
        let (baselines, outliers_baseline) = side(|stratum| &stratum.baseline);
        let contrast = Self::by(Basis::Stratified, estimate, candidates.min(baselines), threshold);
        Some(Self { outliers_candidate, outliers_baseline, ..contrast })
    }

    /// What an estimate from so many values on the smaller side says.
    fn by(basis: Basis, estimate: Estimate, smaller: usize, threshold: Threshold) -> Self {
        let enough = smaller >= if basis == Basis::Paired { MIN_PAIRS } else { detectable::MIN_HOSTS };
        Self {
            basis,
            difference: estimate.difference,
            interval: estimate.interval(CONFIDENCE),
            narrower: estimate.interval(EQUIVALENCE_CONFIDENCE),
            p_difference: estimate.p_difference(),
            p_equivalence: estimate.p_equivalence(threshold),
            nu: Some(estimate.nu),
            precision: enough.then_some(Precision { error: estimate.error, nu: estimate.nu }),
            allowance: estimate.allowance,
            outliers_candidate: Vec::new(),
            outliers_baseline: Vec::new(),
            outlier_pairs: Vec::new(),
            is_contradicted: false,
            smaller,
            estimate,
            ranks: None,
        }
    }

    /// The interval at another confidence than those that are kept, by the method that decides.
    #[must_use]
    pub fn interval_at(&self, confidence: f64) -> LogInterval {
        match (self.basis, &self.ranks) {
            (Basis::Robust | Basis::PairedRobust, Some(ranks)) => ranks.interval(confidence),
            _ => self.estimate.interval(confidence),
        }
    }

    /// The same contrast as if ranks decided, which are shown whichever method does; `None` with fewer values than bound
    /// their interval, and in strata.
    #[must_use]
    pub fn by_ranks(&self, threshold: Threshold) -> Option<Self> {
        let ranks = self.ranks.as_ref().filter(|_| self.smaller >= detectable::MIN_HOSTS)?;
        let basis = match self.basis {
            Basis::Robust | Basis::PairedRobust => return Some(self.clone()),
            Basis::Welch => Basis::Robust,
            Basis::Paired => Basis::PairedRobust,
            Basis::Stratified => return None,
        };
        let mut contrast = self.clone();
        contrast.decide_by(basis, ranks, threshold);
        Some(contrast)
    }

    /// The same without what only [`Self::interval_at`] and [`Self::by_ranks`] need, which is the hosts' values.
    #[must_use]
    pub fn reduced(self) -> Self {
        Self { ranks: None, ..self }
    }

    /// Whether ranks point in the opposite direction and one of both methods is sure.
    fn is_contradicted_by(&self, ranks: &RankComparison) -> bool {
        let is_opposite = match ranks.direction() {
            Ordering::Less => self.difference > 0.0,
            Ordering::Greater => self.difference < 0.0,
            Ordering::Equal => false,
        };
        is_opposite && !(self.interval.contains(0.0) && ranks.interval(CONFIDENCE).contains(0.0))
    }

    fn decide_by(&mut self, basis: Basis, ranks: &RankComparison, threshold: Threshold) {
        self.basis = basis;
        self.difference = ranks.difference();
        self.interval = ranks.interval(CONFIDENCE);
        self.narrower = ranks.interval(EQUIVALENCE_CONFIDENCE);
        self.p_difference = Some(ranks.p_difference());
        self.p_equivalence = Some(ranks.p_equivalence(threshold));
        self.nu = None;
        // The standard error that a normal interval of this width would have. How often a ratio of the size that
        // follows is found is in CALIBRATION.md: between two of three and nearly always.
        let error = (self.interval.high - self.interval.low) / (2.0 * quantile(0.975, MANY));
        let enough = self.smaller >= detectable::MIN_RANKED;
        self.precision = enough.then(|| Precision { error, nu: super::real(self.smaller) - 1.0 });
    }
}

/// The rank interval is too short when sides differ both in size and in spread.
fn ranks_are_unsafe(a: &[f64], b: &[f64]) -> bool {
    let far = |a: f64, b: f64| a > 2.0 * b || b > 2.0 * a;
    let (Some(spread_a), Some(spread_b)) = (spread(a), spread(b)) else { return true };
    far(super::real(a.len()), super::real(b.len())) && far(spread_a, spread_b)
}

#[cfg(test)]
mod tests;
