//! Rows before the correction for many rows, and the decision that needs all of them.

use tierprobe_model::Unit;

use super::Options;
use super::evidence::{Conclusion, Evidence, Groups};
use super::here::{self, Here, NoHere};
use super::row::{AgainstSeveral, HodgesLehmann, Quoted, Row, Secondary, SideSummary};
use crate::dataset::SeriesKey;
use crate::dataset::host::{LeftOut, MIN_ROUNDS, Rounds, Side};
use crate::observation::Statistic;
use crate::stats::bimodal::gap;
use crate::stats::contrast::{Basis, Contrast};
use crate::stats::equivalence::Threshold;
use crate::stats::estimate::COARSE;
use crate::stats::{ALPHA, batch, finite, multiple};
use crate::verdict::{Decision, Reason, Tag, decide};
use crate::warning::Warning;

/// A row's evidence, reduced to what its row needs: the hosts of ten thousand instances in sixty rows would take more
/// memory than their values. Of each host one number is kept, for ranks.
pub(super) struct Draft {
    key: SeriesKey,
    /// The candidate.
    group: String,
    is_confounded: bool,
    sides: [SideSummary; 2],
    pairs: usize,
    strata: usize,
    secondary: Option<Secondary>,
    against_several: Option<AgainstSeveral>,
    left_out: Vec<(String, LeftOut)>,
    /// The larger of both sides' resolution as a share of their median.
    tick: f64,
    /// What stands apart, and what else is to be known of the hosts.
    remarks: Vec<Warning>,
    clean: Conclusion,
    /// The same over all rounds: what the row would say if disturbance did not matter. `None` where no round was
    /// disturbed, so that it is the same.
    all: Option<Conclusion>,
    /// The two hosts alone; `None` unless a side has just one.
    here: Option<Result<Contrast, NoHere>>,
}

impl Draft {
    /// Of the row at a place, whose key that is.
    ///
    /// `is_confounded` says whether the groups differ in more than what they are grouped by.
    pub(super) fn of(
        groups: &Groups<'_, '_>,
        (row, key): (usize, SeriesKey),
        is_confounded: bool,
        options: &Options,
    ) -> Self {
        let alike = groups.alike;
        let (baseline, candidate) = (&alike.baseline, &alike.candidate);
        let clean = Evidence::of(groups, (row, &key), Rounds::Clean, options);
        let is_disturbed = clean.baseline.disturbed.0 + clean.candidate.disturbed.0 > 0;
        let all = is_disturbed
            .then(|| Evidence::of(groups, (row, &key), Rounds::All, options).conclusion.reduced());
        let here = matches!(clean.conclusion.contrast, Err(Reason::OneHost)).then(|| {
            here::contrast(
                (baseline, &clean.baseline),
                (candidate, &clean.candidate),
                &key,
                options.threshold,
            )
        });
        let is_independent = groups.baseline.is_independent(row) || groups.candidate.is_independent(row);
        let mut left_out = clean.baseline.left_out.clone();
        left_out.extend(clean.candidate.left_out.iter().cloned());
        let names = [baseline.value.as_str(), candidate.value.as_str()];
        Self {
            group: candidate.value.clone(),
            is_confounded,
            sides: [SideSummary::of(&clean.baseline), SideSummary::of(&clean.candidate)],
            pairs: clean.pairs.len(),
            strata: clean.strata.max(1),
            secondary: clean.secondary.as_ref().and_then(Secondary::of),
            against_several: clean.against_several(),
            left_out,
            tick: clean.baseline.relative_resolution().max(clean.candidate.relative_resolution()),
            remarks: remarks(&clean, names, (&key, is_independent), options.threshold),
            clean: clean.conclusion,
            all,
            here,
            key,
        }
    }

    /// What all rounds say together.
    fn all(&self) -> &Conclusion {
        self.all.as_ref().unwrap_or(&self.clean)
    }

    fn here_contrast(&self) -> Option<&Contrast> {
        self.here.as_ref()?.as_ref().ok()
    }

    fn here_p(&self) -> Option<f64> {
        self.here_contrast()?.p_difference
    }
}

/// Decides all rows of a report together: the tests of a report are one family, and the statements on two hosts
/// alone another.
pub(super) fn decide_all(drafts: Vec<Draft>, threshold: Threshold) -> Vec<Row> {
    let clean = corrected(&drafts, |draft| draft.clean.p_difference());
    let all = corrected(&drafts, |draft| draft.all().p_difference());
    let here = corrected(&drafts, Draft::here_p);
    let decided: Vec<Decided> = drafts
        .iter()
        .zip(&clean)
        .zip(all)
        .zip(&here)
        .map(|(((draft, clean), all), here)| Decided {
            q_value: *clean,
            clean: draft.clean.decide(*clean, threshold),
            all: draft.all().decide(all, threshold),
            here: draft.here_contrast().map(|contrast| decide(contrast, batch::BATCHES, *here, threshold)),
        })
        .collect();
    let confidences = Confidences { tiers: confidence(&clean), here: confidence(&here) };
    drafts
        .into_iter()
        .zip(decided)
        .map(|(draft, decided)| row(draft, decided, confidences, threshold))
        .collect()
}

/// What becomes of one draft.
struct Decided {
    q_value: Option<f64>,
    clean: Decision,
    all: Decision,
    here: Option<Decision>,
}

/// How sure one row of so many must be to be found, and for its interval to be quoted because it differs. Both are the
/// confidence at which the row is rejected, so that what is quoted of it leaves out 1.
#[derive(Clone, Copy)]
struct Confidences {
    /// Among the tests of a report.
    tiers: f64,
    /// Among its statements on two hosts alone.
    here: f64,
}

fn confidence(q_values: &[Option<f64>]) -> f64 {
    let rejected = q_values.iter().flatten().filter(|q_value| **q_value <= ALPHA).count();
    multiple::confidence(rejected, q_values.iter().flatten().count())
}

/// The q value of each draft that has a p value.
fn corrected(drafts: &[Draft], p_value: impl Fn(&Draft) -> Option<f64>) -> Vec<Option<f64>> {
    let p_values: Vec<Option<f64>> = drafts.iter().map(p_value).collect();
    let eligible: Vec<f64> = p_values.iter().copied().flatten().collect();
    let mut q_values = multiple::q_values(&eligible).into_iter();
    p_values.into_iter().map(|p_value| p_value.and_then(|_| q_values.next())).collect()
}

fn row(draft: Draft, decided: Decided, confidences: Confidences, threshold: Threshold) -> Row {
    let Decided { q_value, clean: mut decision, all: over_all, here: of_here } = decided;
    let (ratio_all, clean) = (draft.all().difference, &draft.clean);
    let by_ranks = clean.by_ranks(threshold);
    let mut warnings = warnings(&draft, &mut decision, &over_all, threshold);
    if clean.methods_disagree(by_ranks.as_ref(), threshold) {
        decision.tags.push(Tag::MethodsDisagree);
        warnings.push(Warning::MethodsDisagree);
    }
    let ratio = |difference: Option<f64>| difference.map(f64::exp).and_then(finite);
    let [baseline, candidate] = draft.sides;
    let contrast = clean.contrast.as_ref().ok();
    // A point is no interval: without variance the width is unknown, not zero.
    let interval = contrast.filter(|contrast| contrast.p_difference.is_some());
    let (ratio_low, ratio_high) = interval.map_or((None, None), |contrast| contrast.interval.ratios());
    let (ratio_low_90, ratio_high_90) = interval.map_or((None, None), |contrast| contrast.narrower.ratios());
    let quoted = match (draft.here_contrast(), &of_here) {
        (Some(here), Some(decision)) => Quoted::of(here, decision, confidences.here),
        _ => contrast.and_then(|contrast| Quoted::of(contrast, &decision, confidences.tiers)),
    };
    if draft.is_confounded && contrast.is_some() {
        decision.tags.push(Tag::Confounded);
    }
    let here = draft.here_contrast().zip(of_here).map(|(contrast, decision)| statement(contrast, decision));
    warnings.extend(draft.remarks);
    Row {
        group: draft.group,
        unit: Unit::of_family(&draft.key.family),
        ratio: ratio(clean.difference),
        ratio_low,
        ratio_high,
        ratio_low_90,
        ratio_high_90,
        hodges_lehmann: by_ranks.as_ref().and_then(HodgesLehmann::of),
        quoted,
        difference: candidate.median.zip(baseline.median).map(|(candidate, baseline)| candidate - baseline),
        baseline,
        candidate,
        basis: contrast.map(|contrast| contrast.basis),
        degrees_of_freedom: interval.and_then(|contrast| contrast.nu),
        pairs: draft.pairs,
        strata: draft.strata,
        secondary: draft.secondary,
        p_value: contrast.and_then(|contrast| contrast.p_difference),
        q_value,
        p_equivalence: contrast.and_then(|contrast| contrast.p_equivalence),
        verdict: decision.verdict,
        reason: decision.reason,
        tags: decision.tags,
        here,
        no_here: draft.here.and_then(Result::err),
        against_several: draft.against_several,
        detectable_ratio: interval.and_then(|contrast| contrast.precision?.smallest_ratio(confidences.tiers)),
        largest_not_excluded: interval
            .and_then(|contrast| finite(contrast.narrower.low.abs().max(contrast.narrower.high.abs()).exp())),
        ratio_all: ratio(ratio_all),
        resolution_allowance: contrast.map(|contrast| contrast.allowance),
        left_out: draft.left_out,
        warnings,
        key: draft.key,
    }
}

/// What is to be known of a row's numbers; tags the decision where that belongs beside the verdict.
fn warnings(
    draft: &Draft,
    decision: &mut Decision,
    over_all: &Decision,
    threshold: Threshold,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if draft.tick >= COARSE {
        warnings.push(Warning::CoarseClock { tick: draft.tick });
    }
    if let Some((difference, difference_all)) = draft.clean.difference.zip(draft.all().difference) {
        let moved = (difference - difference_all).abs() > threshold.log() / 2.0;
        if moved || decision.verdict != over_all.verdict {
            decision.tags.push(Tag::DisturbanceSensitive);
            warnings.push(Warning::DisturbanceSensitive {
                ratio_all: difference_all.exp(),
                verdict_all: over_all.verdict,
            });
        }
    }
    warnings
}

/// What is to be known of a row's hosts.
fn remarks(
    clean: &Evidence<'_>,
    groups: [&str; 2],
    (key, is_independent): (&SeriesKey, bool),
    threshold: Threshold,
) -> Vec<Warning> {
    let mut remarks = Vec::new();
    // With one host there is no verdict that anything could rest on.
    let Ok(contrast) = &clean.conclusion.contrast else { return remarks };
    let names = |side: &Side<'_>, places: &[usize]| -> Vec<String> {
        places.iter().filter_map(|place| side.hosts.get(*place)).map(|host| host.name.to_owned()).collect()
    };
    let mut hosts = names(&clean.baseline, &contrast.outliers_baseline);
    hosts.extend(names(&clean.candidate, &contrast.outliers_candidate));
    if !hosts.is_empty() {
        remarks.push(Warning::Outliers { hosts, ranked: contrast.basis == Basis::Robust });
    }
    let pairs: Vec<String> = contrast
        .outlier_pairs
        .iter()
        .filter_map(|place| clean.pairs.get(*place))
        .map(|pair| pair.name.clone())
        .collect();
    if !pairs.is_empty() {
        remarks.push(Warning::OutlierPairs { pairs, ranked: contrast.basis == Basis::PairedRobust });
    }
    if matches!(contrast.basis, Basis::Welch | Basis::Robust) {
        remarks.extend(bimodal(clean, groups, threshold));
    }
    let hosts = clean.baseline.hosts.iter().chain(&clean.candidate.hosts);
    if key.statistic == Statistic::Value
        && !is_independent
        && let Some(readings) = hosts.map(|host| host.rounds).min().filter(|fewest| *fewest < MIN_ROUNDS)
    {
        remarks.push(Warning::FewReadings { readings });
    }
    remarks
}

/// The groups whose hosts fall into two camps that are further apart than the threshold.
fn bimodal(clean: &Evidence<'_>, groups: [&str; 2], threshold: Threshold) -> Option<Warning> {
    let sides = [&clean.baseline, &clean.candidate];
    let is_wide = |side: &Side<'_>| gap(&side.log_values()).is_some_and(|gap| gap > threshold.log());
    let groups: Vec<String> = groups
        .into_iter()
        .zip(sides)
        .filter(|(_, side)| is_wide(side))
        .map(|(group, _)| group.to_owned())
        .collect();
    (!groups.is_empty()).then_some(Warning::Bimodal { groups })
}

/// The statement on two hosts. Their batches stood for hosts in the rules of the verdict.
fn statement(contrast: &Contrast, decision: Decision) -> Here {
    let (low, high) = contrast.interval.ratios();
    let varies = contrast.p_difference.is_some();
    Here {
        verdict: decision.verdict,
        reason: decision.reason,
        ratio: contrast.difference.exp(),
        ratio_low: low.filter(|_| varies),
        ratio_high: high.filter(|_| varies),
        tipping_spread: batch::tipping_spread(contrast.difference),
    }
}
