//! What a row says, and by which rule.

use tierprobe_model::Unit;

use crate::stats::contrast::Contrast;
use crate::stats::detectable::MIN_HOSTS;
use crate::stats::equivalence::Threshold;
use crate::stats::{ALPHA, LogInterval};

/// The outcome of a comparison. All costs are better when they are lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The candidate costs more.
    Slower,
    /// The candidate costs less.
    Faster,
    /// Whatever the difference is, it is below the threshold.
    NoDifference,
    /// The evidence does not decide.
    Inconclusive,
    /// None: the window is not over.
    Live,
}

impl Verdict {
    /// As JSON writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slower => "slower",
            Self::Faster => "faster",
            Self::NoDifference => "no_difference",
            Self::Inconclusive => "inconclusive",
            Self::Live => "live",
        }
    }

    /// As people read it: memory is not slow, it is more.
    #[must_use]
    pub const fn words(self, unit: Unit) -> &'static str {
        match (self, unit) {
            (Self::Slower, Unit::Seconds) => "slower",
            (Self::Faster, Unit::Seconds) => "faster",
            (Self::Slower, _) => "more",
            (Self::Faster, _) => "less",
            (Self::NoDifference, _) => "no difference",
            (Self::Inconclusive, _) => "inconclusive",
            (Self::Live, _) => "live",
        }
    }

    fn of_direction(difference: f64) -> Self {
        if difference > 0.0 { Self::Slower } else { Self::Faster }
    }
}

/// Why a row is inconclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A side has no usable host.
    NoData,
    /// A side has one host, which cannot stand for its tier.
    OneHost,
    /// The sides are unlike in what must not be mixed, such as the seccomp state.
    Unlike,
    /// Two or three hosts a side, and the difference is not so large that this would be enough.
    FewHosts,
    /// Nothing varies and the clock's tick is unknown.
    ZeroVariance,
    /// A side's value is zero or negative, so there is no ratio.
    NonPositive,
    /// The difference would count alone, but not among so many rows.
    ManyRows,
    /// A store warns of its data, so some may be missing.
    Incomplete,
    /// The clock is too coarse to rule out a difference of the threshold.
    CoarseClock,
    /// The interval holds both no difference and one that matters.
    WideInterval,
}

impl Reason {
    /// As JSON writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoData => "no_data",
            Self::OneHost => "one_host",
            Self::Unlike => "unlike",
            Self::FewHosts => "few_hosts",
            Self::ZeroVariance => "zero_variance",
            Self::NonPositive => "non_positive",
            Self::ManyRows => "many_rows",
            Self::Incomplete => "incomplete",
            Self::CoarseClock => "coarse_clock",
            Self::WideInterval => "wide_interval",
        }
    }
}

/// What is to be known beside the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// From two or three hosts a side, or of data that a store had something to say of.
    Provisional,
    /// A difference is there, and it is below the threshold.
    DetectableButBelowThreshold,
    /// The whole interval is beyond the threshold.
    BeyondThreshold,
    /// The difference is there; whether it matters is not sure.
    SizeUncertain,
    /// With the disturbed rounds in it, the row would say something else.
    DisturbanceSensitive,
    /// Means and ranks point in opposite directions or come to different verdicts.
    MethodsDisagree,
    /// The sides also differ, or may differ, in something other than what they are grouped by, so the difference may be
    /// that.
    Confounded,
}

impl Tag {
    /// As JSON writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provisional => "provisional",
            Self::DetectableButBelowThreshold => "detectable_but_below_threshold",
            Self::BeyondThreshold => "beyond_threshold",
            Self::SizeUncertain => "size_uncertain",
            Self::DisturbanceSensitive => "disturbance_sensitive",
            Self::MethodsDisagree => "methods_disagree",
            Self::Confounded => "confounded",
        }
    }
}

/// A verdict with its reason and tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is inconclusive; `None` for the other verdicts.
    pub reason: Option<Reason>,
    /// What is to be known beside it.
    pub tags: Vec<Tag>,
}

impl Decision {
    /// No verdict, for this reason.
    #[must_use]
    pub const fn inconclusive(reason: Reason) -> Self {
        Self { verdict: Verdict::Inconclusive, reason: Some(reason), tags: Vec::new() }
    }

    fn of(verdict: Verdict, tag: Tag) -> Self {
        Self { verdict, reason: None, tags: vec![tag] }
    }
}

/// Decides a row.
///
/// `smaller` is the number of values on the smaller side, at least 2; `q_difference` the p value of the contrast
/// after the correction for many rows, `None` when the contrast has none. The rules are tried in this order:
///
/// 1. Without variance and without a known tick there is no evidence.
/// 2. Two or three hosts a side give a verdict only when the whole interval is beyond the threshold.
/// 3. A difference that is proven to be below the threshold is none, significant or not.
/// 4. A significant difference counts.
/// 5. Everything else is open.
#[must_use]
pub fn decide(
    contrast: &Contrast,
    smaller: usize,
    q_difference: Option<f64>,
    threshold: Threshold,
) -> Decision {
    let (Some(p), Some(q), Some(p_equivalence)) =
        (contrast.p_difference, q_difference, contrast.p_equivalence)
    else {
        return Decision::inconclusive(Reason::ZeroVariance);
    };
    let limit = threshold.log();
    let significant = q <= ALPHA;
    let beyond = is_beyond(contrast.interval, limit);
    let direction = Verdict::of_direction(contrast.difference);

    if smaller < MIN_HOSTS {
        return if significant && beyond {
            Decision::of(direction, Tag::Provisional)
        } else {
            Decision::inconclusive(Reason::FewHosts)
        };
    }
    if p_equivalence <= ALPHA && contrast.allowance < limit {
        let tags =
            if contrast.interval.contains(0.0) { Vec::new() } else { vec![Tag::DetectableButBelowThreshold] };
        return Decision { verdict: Verdict::NoDifference, reason: None, tags };
    }
    if significant {
        return Decision::of(direction, if beyond { Tag::BeyondThreshold } else { Tag::SizeUncertain });
    }
    Decision::inconclusive(if p <= ALPHA {
        Reason::ManyRows
    } else if contrast.allowance >= limit {
        Reason::CoarseClock
    } else {
        Reason::WideInterval
    })
}

/// Whether ranks say otherwise of a row than the method that decides, though no host stands apart that would explain
/// it: they point in the opposite direction, or come to another verdict. `by_ranks` is the same contrast by them.
///
/// The verdicts are those of the row alone. Among many rows a few hosts can be significant by means and never by ranks,
/// whose p value has a smallest one. With a coarse clock they are not compared, as only means are widened for it.
#[must_use]
pub fn methods_disagree(
    contrast: &Contrast,
    by_ranks: Option<&Contrast>,
    smaller: usize,
    threshold: Threshold,
) -> bool {
    let Contrast { outliers_candidate, outliers_baseline, outlier_pairs, .. } = contrast;
    let is_explained =
        [outliers_candidate, outliers_baseline, outlier_pairs].iter().any(|hosts| !hosts.is_empty());
    if is_explained || contrast.p_difference.is_none() || contrast.allowance > 0.0 {
        return contrast.is_contradicted;
    }
    let alone = |contrast: &Contrast| decide(contrast, smaller, contrast.p_difference, threshold).verdict;
    contrast.is_contradicted || by_ranks.is_some_and(|ranks| alone(ranks) != alone(contrast))
}

fn is_beyond(interval: LogInterval, limit: f64) -> bool {
    interval.low > limit || interval.high < -limit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(candidate: &[f64], baseline: &[f64], ticks: (f64, f64)) -> Decision {
        let logs = |values: &[f64]| values.iter().map(|value| value.ln()).collect::<Vec<f64>>();
        let contrast = Contrast::of(&logs(candidate), &logs(baseline), ticks, Threshold::default()).unwrap();
        decide(&contrast, candidate.len().min(baseline.len()), contrast.p_difference, Threshold::default())
    }

    const BASE: [f64; 6] = [100.0, 100.8, 99.3, 100.4, 99.6, 100.1];

    fn times(ratio: f64) -> [f64; 6] {
        [100.3, 99.5, 100.6, 99.8, 100.2, 99.9].map(|value| value * ratio)
    }

    #[test]
    fn a_large_difference_is_slower_or_faster() {
        assert_eq!(row(&times(1.2), &BASE, (0.0, 0.0)), Decision::of(Verdict::Slower, Tag::BeyondThreshold));
        assert_eq!(row(&times(0.8), &BASE, (0.0, 0.0)), Decision::of(Verdict::Faster, Tag::BeyondThreshold));
    }

    #[test]
    fn a_difference_around_the_threshold_is_of_uncertain_size() {
        assert_eq!(row(&times(1.031), &BASE, (0.0, 0.0)), Decision::of(Verdict::Slower, Tag::SizeUncertain));
    }

    #[test]
    fn a_proven_small_difference_is_no_difference_even_if_significant() {
        let decision = row(&times(1.015), &BASE, (0.0, 0.0));
        assert_eq!(decision.verdict, Verdict::NoDifference);
        assert_eq!(decision.tags, [Tag::DetectableButBelowThreshold]);
        assert_eq!(row(&times(1.0), &BASE, (0.0, 0.0)).tags, []);
    }

    #[test]
    fn no_difference_needs_a_fine_clock() {
        assert_eq!(row(&times(1.0), &BASE, (0.04, 0.04)), Decision::inconclusive(Reason::CoarseClock));
    }

    #[test]
    fn no_difference_needs_four_hosts() {
        assert_eq!(row(&times(1.0)[..3], &BASE[..3], (0.0, 0.0)), Decision::inconclusive(Reason::FewHosts));
        assert_eq!(
            row(&times(1.5)[..3], &BASE[..3], (0.0, 0.0)),
            Decision::of(Verdict::Slower, Tag::Provisional)
        );
    }

    #[test]
    fn wide_intervals_decide_nothing() {
        let wide = [80.0, 120.0, 95.0, 130.0, 85.0, 110.0];
        assert_eq!(row(&wide, &BASE, (0.0, 0.0)), Decision::inconclusive(Reason::WideInterval));
    }

    #[test]
    fn identical_numbers_without_a_known_tick_decide_nothing() {
        assert_eq!(row(&[5.0; 4], &[6.0; 4], (0.0, 0.0)), Decision::inconclusive(Reason::ZeroVariance));
        assert_eq!(row(&[6.0; 4], &[5.0; 4], (0.001, 0.001)).verdict, Verdict::Slower);
    }

    #[test]
    fn a_difference_that_counts_alone_may_not_count_among_many() {
        let logs = |values: &[f64]| values.iter().map(|value| value.ln()).collect::<Vec<f64>>();
        let wide = [100.0, 115.0, 104.0, 122.0, 108.0, 117.0];
        let contrast = Contrast::of(&logs(&wide), &logs(&BASE), (0.0, 0.0), Threshold::default()).unwrap();
        assert!(contrast.p_difference.unwrap() < 0.05);
        let decision = decide(&contrast, 6, Some(0.2), Threshold::default());
        assert_eq!(decision, Decision::inconclusive(Reason::ManyRows));
    }

    fn disagree(candidate: &[f64], baseline: &[f64], ticks: (f64, f64)) -> bool {
        let logs = |values: &[f64]| values.iter().map(|value| value.ln()).collect::<Vec<f64>>();
        let contrast = Contrast::of(&logs(candidate), &logs(baseline), ticks, Threshold::default()).unwrap();
        let by_ranks = contrast.by_ranks(Threshold::default());
        let smaller = candidate.len().min(baseline.len());
        methods_disagree(&contrast, by_ranks.as_ref(), smaller, Threshold::default())
    }

    #[test]
    fn methods_disagree_where_ranks_come_to_another_verdict() {
        // Two hosts of six are dearer, by too little to stand apart: means are wide for them, ranks are not.
        let some = [104.0, 104.2, 104.4, 104.6, 138.0, 139.0];
        assert_eq!(row(&some, &BASE, (0.0, 0.0)).verdict, Verdict::Inconclusive);
        assert!(disagree(&some, &BASE, (0.0, 0.0)));
        for agreed in [times(1.0), times(1.2), times(0.8)] {
            assert!(!disagree(&agreed, &BASE, (0.0, 0.0)), "{agreed:?}");
        }
        // What ranks say of fewer hosts or of steps of the clock is no contradiction.
        assert!(!disagree(&some[3..], &BASE[..3], (0.0, 0.0)));
        assert!(!disagree(&some, &BASE, (0.04, 0.04)));
    }
}
