//! Rows before the correction for many rows, and the decision that needs all of them.

use tierprobe_model::Unit;

use super::Options;
use super::evidence::Evidence;
use super::here::{self, Here, NoHere};
use super::like::Alike;
use super::row::{Row, Secondary, SideSummary};
use crate::dataset::SeriesKey;
use crate::dataset::host::{MIN_ROUNDS, Rounds, Side};
use crate::observation::Statistic;
use crate::stats::bimodal::gap;
use crate::stats::contrast::{Basis, Contrast};
use crate::stats::equivalence::Threshold;
use crate::stats::estimate::COARSE;
use crate::stats::{batch, finite, multiple};
use crate::verdict::{Decision, Reason, Tag, decide};
use crate::warning::Warning;

/// A row's evidence.
pub(super) struct Draft {
    key: SeriesKey,
    /// The baseline and the candidate.
    groups: [String; 2],
    independent: bool,
    is_confounded: bool,
    clean: Evidence,
    /// The same over all rounds: what the row would say if disturbance did not matter.
    all: Evidence,
    /// The two hosts alone; `None` unless a side has just one.
    here: Option<Result<Contrast, NoHere>>,
}

impl Draft {
    pub(super) fn of(alike: &Alike<'_>, key: SeriesKey, options: &Options) -> Self {
        let (baseline, candidate) = (&alike.baseline, &alike.candidate);
        let clean = Evidence::of(alike, &key, Rounds::Clean, options);
        let all = Evidence::of(alike, &key, Rounds::All, options);
        let here = matches!(clean.contrast, Err(Reason::OneHost)).then(|| {
            here::contrast(
                (baseline, &clean.baseline),
                (candidate, &clean.candidate),
                &key,
                options.threshold,
            )
        });
        let mut members = baseline.members.iter().chain(&candidate.members);
        let independent = members.any(|member| member.independent.contains(&key.family));
        let is_confounded = alike.is_mixed || !alike.refused.is_empty();
        let groups = [baseline.value.clone(), candidate.value.clone()];
        Self { groups, independent, is_confounded, clean, all, here, key }
    }

    fn here_p(&self) -> Option<f64> {
        self.here.as_ref()?.as_ref().ok()?.p_difference
    }
}

/// Decides all rows of a report together: the tests of a report are one family, and the statements on two hosts
/// alone another.
pub(super) fn decide_all(drafts: Vec<Draft>, threshold: Threshold) -> Vec<Row> {
    let clean = corrected(&drafts, |draft| draft.clean.p_difference());
    let all = corrected(&drafts, |draft| draft.all.p_difference());
    let here = corrected(&drafts, Draft::here_p);
    drafts
        .into_iter()
        .zip(clean)
        .zip(all)
        .zip(here)
        .map(|(((draft, clean), all), here)| row(draft, Corrected { clean, all, here }, threshold))
        .collect()
}

/// q values of one draft.
struct Corrected {
    clean: Option<f64>,
    all: Option<f64>,
    here: Option<f64>,
}

/// The q value of each draft that has a p value.
fn corrected(drafts: &[Draft], p_value: impl Fn(&Draft) -> Option<f64>) -> Vec<Option<f64>> {
    let p_values: Vec<Option<f64>> = drafts.iter().map(p_value).collect();
    let eligible: Vec<f64> = p_values.iter().copied().flatten().collect();
    let mut q_values = multiple::q_values(&eligible).into_iter();
    p_values.into_iter().map(|p_value| p_value.and_then(|_| q_values.next())).collect()
}

fn row(draft: Draft, q: Corrected, threshold: Threshold) -> Row {
    let mut decision = draft.clean.decide(q.clean, threshold);
    let warnings = warnings(&draft, &mut decision, &draft.all.decide(q.all, threshold), threshold);
    let ratio = |difference: Option<f64>| difference.map(f64::exp).and_then(finite);
    let (baseline, candidate) =
        (SideSummary::of(&draft.clean.baseline), SideSummary::of(&draft.clean.candidate));
    let contrast = draft.clean.contrast.as_ref().ok();
    // A point is no interval: without variance the width is unknown, not zero.
    let interval = contrast.filter(|contrast| contrast.p_difference.is_some());
    let (ratio_low, ratio_high) = interval.map_or((None, None), |contrast| contrast.interval.ratios());
    if draft.is_confounded && contrast.is_some() {
        decision.tags.push(Tag::Confounded);
    }
    let mut left_out = draft.clean.baseline.left_out.clone();
    left_out.extend(draft.clean.candidate.left_out.iter().cloned());
    let here = draft.here.map(|result| result.map(|contrast| statement(&contrast, q.here, threshold)));
    let [_, group] = draft.groups;
    Row {
        group,
        unit: Unit::of_family(&draft.key.family),
        ratio: ratio(draft.clean.difference()),
        ratio_low,
        ratio_high,
        difference: candidate.median.zip(baseline.median).map(|(candidate, baseline)| candidate - baseline),
        baseline,
        candidate,
        basis: contrast.map(|contrast| contrast.basis),
        pairs: draft.clean.pairs.len(),
        strata: draft.clean.strata.max(1),
        secondary: draft.clean.secondary.as_ref().and_then(Secondary::of),
        p_value: contrast.and_then(|contrast| contrast.p_difference),
        q_value: q.clean,
        verdict: decision.verdict,
        reason: decision.reason,
        tags: decision.tags,
        here: here.and_then(Result::ok),
        no_here: here.and_then(Result::err),
        against_several: draft.clean.against_several(),
        detectable_ratio: interval.and_then(|contrast| contrast.detectable),
        largest_not_excluded: interval
            .and_then(|contrast| finite(contrast.narrower.low.abs().max(contrast.narrower.high.abs()).exp())),
        ratio_all: ratio(draft.all.difference()),
        left_out,
        warnings,
        key: draft.key,
    }
}

/// What is to be known of a row; tags the decision where that belongs beside the verdict.
fn warnings(
    draft: &Draft,
    decision: &mut Decision,
    over_all: &Decision,
    threshold: Threshold,
) -> Vec<Warning> {
    let clean = &draft.clean;
    let mut warnings = Vec::new();
    let tick = clean.baseline.relative_resolution().max(clean.candidate.relative_resolution());
    if tick >= COARSE {
        warnings.push(Warning::CoarseClock { tick });
    }
    if let Some((difference, difference_all)) = clean.difference().zip(draft.all.difference()) {
        let moved = (difference - difference_all).abs() > threshold.log() / 2.0;
        if moved || decision.verdict != over_all.verdict {
            decision.tags.push(Tag::DisturbanceSensitive);
            warnings.push(Warning::DisturbanceSensitive {
                ratio_all: difference_all.exp(),
                verdict_all: over_all.verdict,
            });
        }
    }
    if let Ok(contrast) = &clean.contrast {
        if contrast.methods_disagree {
            decision.tags.push(Tag::MethodsDisagree);
            warnings.push(Warning::MethodsDisagree);
        }
        let names = |side: &Side, places: &[usize]| -> Vec<String> {
            places.iter().filter_map(|place| side.hosts.get(*place)).map(|host| host.name.clone()).collect()
        };
        let mut hosts = names(&clean.baseline, &contrast.outliers_baseline);
        hosts.extend(names(&clean.candidate, &contrast.outliers_candidate));
        if !hosts.is_empty() {
            warnings.push(Warning::Outliers { hosts, ranked: contrast.basis == Basis::Robust });
        }
        let pairs: Vec<String> = contrast
            .outlier_pairs
            .iter()
            .filter_map(|place| clean.pairs.get(*place))
            .map(|pair| pair.name.clone())
            .collect();
        if !pairs.is_empty() {
            warnings.push(Warning::OutlierPairs { pairs, ranked: contrast.basis == Basis::PairedRobust });
        }
        if matches!(contrast.basis, Basis::Welch | Basis::Robust) {
            warnings.extend(bimodal(draft, threshold));
        }
    }
    let hosts = || clean.baseline.hosts.iter().chain(&clean.candidate.hosts);
    // With one host there is no verdict that could rest on it.
    if clean.contrast.is_ok()
        && draft.key.statistic == Statistic::Value
        && !draft.independent
        && let Some(readings) = hosts().map(|host| host.rounds).min().filter(|fewest| *fewest < MIN_ROUNDS)
    {
        warnings.push(Warning::FewReadings { readings });
    }
    warnings
}

/// The groups whose hosts fall into two camps that are further apart than the threshold.
fn bimodal(draft: &Draft, threshold: Threshold) -> Option<Warning> {
    let sides = [&draft.clean.baseline, &draft.clean.candidate];
    let is_wide = |side: &Side| gap(&side.log_values()).is_some_and(|gap| gap > threshold.log());
    let groups: Vec<String> = draft
        .groups
        .iter()
        .zip(sides)
        .filter(|(_, side)| is_wide(side))
        .map(|(group, _)| group.clone())
        .collect();
    (!groups.is_empty()).then_some(Warning::Bimodal { groups })
}

/// The statement on two hosts. Their batches stand for hosts in the rules of the verdict.
fn statement(contrast: &Contrast, q_difference: Option<f64>, threshold: Threshold) -> Here {
    let decision = decide(contrast, batch::BATCHES, q_difference, threshold);
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
