//! Rows before the correction for many rows, and the decision that needs all of them.

use tierprobe_model::Unit;

use super::here::{self, Here, NoHere};
use super::row::{Row, SideSummary};
use crate::dataset::SeriesKey;
use crate::dataset::group::Group;
use crate::dataset::host::{LeftOut, MIN_ROUNDS, Rounds, Side};
use crate::observation::Statistic;
use crate::stats::contrast::Contrast;
use crate::stats::equivalence::Threshold;
use crate::stats::estimate::COARSE;
use crate::stats::{batch, finite, multiple, summary};
use crate::verdict::{Decision, Reason, Tag, decide};
use crate::warning::Warning;

/// A row's evidence.
pub(super) struct Draft {
    key: SeriesKey,
    group: String,
    independent: bool,
    clean: Evidence,
    /// The same over all rounds: what the row would say if disturbance did not matter.
    all: Evidence,
    /// The two hosts alone; `None` unless a side has just one.
    here: Option<Result<Contrast, NoHere>>,
}

/// Two sides and what they say together.
struct Evidence {
    baseline: Side,
    candidate: Side,
    /// Why there is no contrast, or the contrast.
    contrast: Result<Contrast, Reason>,
}

impl Evidence {
    fn of(
        baseline: &Group<'_>,
        candidate: &Group<'_>,
        key: &SeriesKey,
        rounds: Rounds,
        threshold: Threshold,
    ) -> Self {
        let (baseline, candidate) = (Side::of(baseline, key, rounds), Side::of(candidate, key, rounds));
        let contrast = contrast(&baseline, &candidate, threshold);
        Self { baseline, candidate, contrast }
    }

    fn p_difference(&self) -> Option<f64> {
        self.contrast.as_ref().ok()?.p_difference
    }

    /// Values on the smaller side.
    fn smaller(&self) -> usize {
        self.baseline.hosts.len().min(self.candidate.hosts.len())
    }

    /// Candidate minus baseline on the log scale, by the method that decides; plain where none can.
    fn difference(&self) -> Option<f64> {
        match &self.contrast {
            Ok(contrast) => Some(contrast.difference),
            Err(_) => Some(
                summary::mean(&self.candidate.log_values())? - summary::mean(&self.baseline.log_values())?,
            ),
        }
    }

    fn decide(&self, q_difference: Option<f64>, threshold: Threshold) -> Decision {
        match &self.contrast {
            Ok(contrast) => decide(contrast, self.smaller(), q_difference, threshold),
            Err(reason) => Decision::inconclusive(*reason),
        }
    }
}

fn contrast(baseline: &Side, candidate: &Side, threshold: Threshold) -> Result<Contrast, Reason> {
    let non_positive = |side: &Side| side.left_out.iter().any(|(_, reason)| *reason == LeftOut::NonPositive);
    if non_positive(baseline) || non_positive(candidate) {
        return Err(Reason::NonPositive);
    }
    match baseline.hosts.len().min(candidate.hosts.len()) {
        0 => return Err(Reason::NoData),
        1 => return Err(Reason::OneHost),
        _ => {}
    }
    let ticks = (candidate.relative_resolution(), baseline.relative_resolution());
    Contrast::of(&candidate.log_values(), &baseline.log_values(), ticks, threshold).ok_or(Reason::NoData)
}

impl Draft {
    pub(super) fn of(
        baseline: &Group<'_>,
        candidate: &Group<'_>,
        key: SeriesKey,
        threshold: Threshold,
    ) -> Self {
        let clean = Evidence::of(baseline, candidate, &key, Rounds::Clean, threshold);
        let all = Evidence::of(baseline, candidate, &key, Rounds::All, threshold);
        let here = matches!(clean.contrast, Err(Reason::OneHost)).then(|| {
            here::contrast((baseline, &clean.baseline), (candidate, &clean.candidate), &key, threshold)
        });
        let mut members = baseline.members.iter().chain(&candidate.members);
        let independent = members.any(|member| member.independent.contains(&key.family));
        Self { group: candidate.value.clone(), independent, clean, all, here, key }
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
    let here = draft.here.map(|result| result.map(|contrast| statement(&contrast, q.here, threshold)));
    Row {
        group: draft.group,
        unit: Unit::of_family(&draft.key.family),
        ratio: ratio(draft.clean.difference()),
        ratio_low,
        ratio_high,
        difference: candidate.median.zip(baseline.median).map(|(candidate, baseline)| candidate - baseline),
        baseline,
        candidate,
        basis: contrast.map(|contrast| contrast.basis),
        p_value: contrast.and_then(|contrast| contrast.p_difference),
        q_value: q.clean,
        verdict: decision.verdict,
        reason: decision.reason,
        tags: decision.tags,
        here: here.and_then(Result::ok),
        no_here: here.and_then(Result::err),
        detectable_ratio: interval.and_then(|contrast| contrast.detectable),
        largest_not_excluded: interval
            .and_then(|contrast| finite(contrast.narrower.low.abs().max(contrast.narrower.high.abs()).exp())),
        ratio_all: ratio(draft.all.difference()),
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
            warnings.push(Warning::Outliers { hosts });
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
