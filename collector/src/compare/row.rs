//! A row: one number of one series in a candidate group and in the baseline.

use tierprobe_model::Unit;

use super::here::{Here, NoHere};
use crate::dataset::{LeftOut, SeriesKey, Side};
use crate::stats::contrast::{Basis, Contrast};
use crate::stats::summary::variance;
use crate::stats::{finite, real};
use crate::verdict::{Decision, Reason, Tag, Verdict};
use crate::warning::Warning;

/// One side of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SideSummary {
    /// Instances with a value.
    pub instances: usize,
    /// Hosts that they are on.
    pub hosts: usize,
    /// Clean rounds that the values rest on, over all instances.
    pub rounds: usize,
    /// Median over the hosts' medians, in the row's unit; `None` without hosts.
    pub median: Option<f64>,
    /// Share of disturbed rounds, 0 to 1; `None` without rounds.
    pub disturbed: Option<f64>,
    /// How far hosts are apart: the standard deviation of the logarithms of their medians; `None` below two hosts.
    pub host_spread: Option<f64>,
}

impl SideSummary {
    pub(super) fn of(side: &Side<'_>) -> Self {
        let (disturbed, all) = side.disturbed;
        Self {
            instances: side.instances(),
            hosts: side.hosts.len(),
            rounds: side.rounds(),
            median: side.median().and_then(finite),
            disturbed: (all > 0).then(|| real(disturbed) / real(all)),
            host_spread: variance(&side.log_values()).map(f64::sqrt).and_then(finite),
        }
    }
}

/// What the method that is not the headline says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Secondary {
    /// That method.
    pub basis: Basis,
    /// Its ratio.
    pub ratio: f64,
    /// Lower end of its 95 % interval; `None` without bound.
    pub ratio_low: Option<f64>,
    /// Upper end of its 95 % interval; `None` without bound.
    pub ratio_high: Option<f64>,
}

impl Secondary {
    /// `None` where nothing varies, as the width of the interval is unknown then.
    pub(super) fn of(contrast: &Contrast) -> Option<Self> {
        contrast.p_difference?;
        let (ratio_low, ratio_high) = contrast.interval.ratios();
        Some(Self { basis: contrast.basis, ratio: contrast.difference.exp(), ratio_low, ratio_high })
    }
}

/// What ranks say, whichever method decides: the shift of Hodges and Lehmann.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HodgesLehmann {
    /// Its ratio.
    pub ratio: f64,
    /// Lower end of its exact 95 % interval; `None` without bound.
    pub ratio_low: Option<f64>,
    /// Upper end of its exact 95 % interval; `None` without bound.
    pub ratio_high: Option<f64>,
}

impl HodgesLehmann {
    /// Of a contrast in which ranks decide.
    pub(super) fn of(by_ranks: &Contrast) -> Option<Self> {
        let (ratio_low, ratio_high) = by_ranks.interval.ratios();
        Some(Self { ratio: finite(by_ranks.difference.exp())?, ratio_low, ratio_high })
    }
}

/// The interval that prose quotes of a row because it differs. Of many rows those are looked at that seem to, so each
/// must be surer than 95 % for all that are quoted to be right as often as that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quoted {
    /// How sure, 0 to 1.
    pub confidence: f64,
    /// Its lower end; `None` without bound.
    pub ratio_low: Option<f64>,
    /// Its upper end; `None` without bound.
    pub ratio_high: Option<f64>,
}

impl Quoted {
    /// `None` of a row that does not differ.
    pub(super) fn of(contrast: &Contrast, decision: &Decision, confidence: f64) -> Option<Self> {
        let differs = matches!(decision.verdict, Verdict::Slower | Verdict::Faster);
        let (ratio_low, ratio_high) = contrast.interval_at(confidence).ratios();
        differs.then_some(Self { confidence, ratio_low, ratio_high })
    }
}

/// One host against four or more: where the ratio is if both tiers spread alike, which one host cannot show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AgainstSeveral {
    /// Hosts on the side of several.
    pub hosts: usize,
    /// The ratio.
    pub ratio: f64,
    /// Lower end of its 95 % interval.
    pub ratio_low: f64,
    /// Upper end of its 95 % interval.
    pub ratio_high: f64,
    /// If hosts of one tier differ by this share or more, host luck alone explains the ratio.
    pub tipping_spread: f64,
}

/// One row. Ratios are candidate to baseline; above 1 the candidate costs more.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Family, labels and statistic.
    pub key: SeriesKey,
    /// The candidate group.
    pub group: String,
    /// The unit of the medians and of the difference.
    pub unit: Unit,
    /// The baseline's side.
    pub baseline: SideSummary,
    /// The candidate's side.
    pub candidate: SideSummary,
    /// The ratio; `None` where a side has no positive value.
    pub ratio: Option<f64>,
    /// Lower end of its 95 % interval; `None` where it has no bound or there is no interval.
    pub ratio_low: Option<f64>,
    /// Upper end of its 95 % interval; `None` as above.
    pub ratio_high: Option<f64>,
    /// Lower end of the 90 % interval, which `no_difference` is read from; `None` as above.
    pub ratio_low_90: Option<f64>,
    /// Upper end of the 90 % interval; `None` as above.
    pub ratio_high_90: Option<f64>,
    /// What ranks say; `None` below four hosts a side or six pairs, and in strata.
    pub hodges_lehmann: Option<HodgesLehmann>,
    /// The interval for prose, of the tiers or of the two hosts, whichever is told; `None` where they do not differ.
    pub quoted: Option<Quoted>,
    /// Candidate's median minus baseline's, in the unit.
    pub difference: Option<f64>,
    /// The method that the ratio comes from; `None` below two hosts a side.
    pub basis: Option<Basis>,
    /// Degrees of freedom of its t; `None` on ranks.
    pub degrees_of_freedom: Option<f64>,
    /// Pairs with a value; they are the headline from four on.
    pub pairs: usize,
    /// Strata that were compared within and combined; 1 where all hosts are alike.
    pub strata: usize,
    /// The other of both methods where there are pairs as well as hosts.
    pub secondary: Option<Secondary>,
    /// p value of "there is no difference".
    pub p_value: Option<f64>,
    /// The same after the correction for all rows of the report.
    pub q_value: Option<f64>,
    /// p value of "the difference is the threshold or more".
    pub p_equivalence: Option<f64>,
    /// The verdict on the tiers.
    pub verdict: Verdict,
    /// Why it is inconclusive.
    pub reason: Option<Reason>,
    /// What is to be known beside it.
    pub tags: Vec<Tag>,
    /// What can be said of these instances only, where each side is one host.
    pub here: Option<Here>,
    /// Why nothing can be said of these instances, where a side is one host.
    pub no_here: Option<NoHere>,
    /// One host against four or more; no verdict.
    pub against_several: Option<AgainstSeveral>,
    /// The smallest ratio that this much evidence would find among so many rows; `None` below four hosts a side.
    pub detectable_ratio: Option<f64>,
    /// The largest ratio, in either direction, that the evidence does not exclude; `None` without bound.
    pub largest_not_excluded: Option<f64>,
    /// The ratio over all rounds, the disturbed ones with them.
    pub ratio_all: Option<f64>,
    /// How far the clock alone may be off, as a difference of logarithms; the intervals are wider by it.
    pub resolution_allowance: Option<f64>,
    /// Instances of either side that have the series, and yet no value in the row.
    pub left_out: Vec<(String, LeftOut)>,
    /// What is to be known of this row.
    pub warnings: Vec<Warning>,
}

impl Row {
    /// Forgets what tells a verdict by another way than the row's own, which is taken back.
    pub(super) fn forget_verdicts(&mut self) {
        self.warnings.retain(|warning| {
            !matches!(warning, Warning::DisturbanceSensitive { .. } | Warning::MethodsDisagree)
        });
        self.tags.retain(|tag| !matches!(tag, Tag::DisturbanceSensitive | Tag::MethodsDisagree));
    }

    /// Takes back what the row says, as its data may be incomplete.
    pub(super) fn lower(&mut self) {
        self.forget_verdicts();
        self.here = None;
        self.quoted = None;
        if self.verdict != Verdict::Inconclusive {
            self.verdict = Verdict::Inconclusive;
            self.reason = Some(Reason::Incomplete);
            self.tags.clear();
        }
    }

    /// Keeps what the row says, as something that is to be known of its data.
    pub(super) fn hedge(&mut self) {
        if !self.tags.contains(&Tag::Provisional) {
            self.tags.push(Tag::Provisional);
        }
    }
}
