//! What two groups say in one row: their hosts, their pairs, and the method that decides.

use std::collections::BTreeMap;

use super::Options;
use super::like::Alike;
use super::pairs::{self, Pair, Partners};
use super::row::AgainstSeveral;
use crate::dataset::host::{LeftOut, Rounds, Side};
use crate::dataset::{Cells, SeriesKey};
use crate::stats::contrast::{Basis, Contrast};
use crate::stats::equivalence::Threshold;
use crate::stats::paired::MIN_PAIRS;
use crate::stats::stratified::{MIN_HOSTS, Stratum};
use crate::stats::{batch, finite, single, summary};
use crate::verdict::{Decision, Reason, decide, methods_disagree};

/// Two groups, and what is the same in all rows or computed for all of them at once.
pub(super) struct Groups<'g, 'a> {
    /// The groups.
    pub alike: &'g Alike<'a>,
    partners: Partners<'a>,
    /// The medians of the baseline's instances in each row.
    pub baseline: Cells<'a>,
    /// The same of the candidate's.
    pub candidate: Cells<'a>,
}

impl<'g, 'a> Groups<'g, 'a> {
    /// Two groups and the keys of their rows.
    pub(super) fn of(alike: &'g Alike<'a>, keys: &[SeriesKey], options: &Options) -> Self {
        Self {
            alike,
            partners: Partners::of(&alike.baseline, &alike.candidate, options),
            baseline: Cells::of(&alike.baseline, keys),
            candidate: Cells::of(&alike.candidate, keys),
        }
    }
}

/// Two sides and what they say together.
pub(super) struct Evidence<'a> {
    /// The baseline's hosts.
    pub baseline: Side<'a>,
    /// The candidate's.
    pub candidate: Side<'a>,
    /// What they share pairwise.
    pub pairs: Vec<Pair>,
    /// Strata that hosts are compared within.
    pub strata: usize,
    /// Pairs where hosts decide, hosts where pairs do.
    pub secondary: Option<Contrast>,
    /// What comes of it.
    pub conclusion: Conclusion,
}

/// What the evidence of a row comes to, without the hosts.
#[derive(Debug, Clone)]
pub(super) struct Conclusion {
    /// Why there is no contrast, or the contrast.
    pub contrast: Result<Contrast, Reason>,
    /// Candidate minus baseline on the log scale, by the method that decides; plain where none can.
    pub difference: Option<f64>,
    /// Pairs where they decide, else hosts on the smaller side.
    smaller: usize,
    /// Whether what decides compares unlike things, so that there is no verdict.
    is_refused: bool,
}

impl<'a> Evidence<'a> {
    /// Of the row at a place, whose key that is.
    pub(super) fn of(
        groups: &Groups<'_, 'a>,
        (row, key): (usize, &SeriesKey),
        rounds: Rounds,
        options: &Options,
    ) -> Self {
        let Groups { alike, partners, .. } = groups;
        let mut baseline = groups.baseline.side(row, rounds);
        let mut candidate = groups.candidate.side(row, rounds);
        let strata = strata(&mut baseline, &mut candidate);
        let pairs = pairs::of(partners, &alike.baseline, &alike.candidate, key, rounds);
        let ticks = (candidate.relative_resolution(), baseline.relative_resolution());
        let within: Vec<f64> = pairs.iter().map(|pair| pair.difference).collect();
        let of_pairs = Contrast::paired(&within, ticks, options.threshold);
        let of_hosts = of_hosts(&baseline, &candidate, strata, options.threshold);
        // Nothing alike at all, or no two hosts a side that are.
        let nothing_alike = !alike.refused.is_empty();
        let (contrast, secondary, is_refused) = match of_pairs {
            Some(paired) if pairs.len() >= MIN_PAIRS && of_hosts != Err(Reason::NonPositive) => {
                (Ok(paired), of_hosts.ok(), nothing_alike)
            }
            secondary => (of_hosts, secondary, nothing_alike || strata == 0),
        };
        let smaller = match contrast.as_ref().map(|contrast| contrast.basis) {
            Ok(Basis::Paired | Basis::PairedRobust) => pairs.len(),
            Ok(Basis::Welch | Basis::Robust | Basis::Stratified) | Err(_) => {
                baseline.hosts.len().min(candidate.hosts.len())
            }
        };
        let difference = match &contrast {
            Ok(contrast) => Some(contrast.difference),
            Err(_) => plain_difference(&candidate, &baseline),
        };
        let conclusion = Conclusion { contrast, difference, smaller, is_refused };
        Self { baseline, candidate, pairs, strata, secondary, conclusion }
    }

    /// One host against four or more; nothing where the sides are unlike in more than the tier.
    pub(super) fn against_several(&self) -> Option<AgainstSeveral> {
        if self.conclusion.is_refused {
            return None;
        }
        let (ours, theirs) = (self.candidate.log_values(), self.baseline.log_values());
        let (difference, interval) = match (ours.as_slice(), theirs.as_slice()) {
            ([one], several) => single::against_several(*one, several)?,
            (several, [one]) => {
                let (difference, interval) = single::against_several(*one, several)?;
                (-difference, interval.mirrored())
            }
            _ => return None,
        };
        Some(AgainstSeveral {
            hosts: ours.len().max(theirs.len()),
            ratio: finite(difference.exp())?,
            ratio_low: finite(interval.low.exp())?,
            ratio_high: finite(interval.high.exp())?,
            tipping_spread: batch::tipping_spread(difference),
        })
    }
}

impl Conclusion {
    /// p value of "there is no difference", where there is to be a verdict.
    pub(super) fn p_difference(&self) -> Option<f64> {
        if self.is_refused { None } else { self.contrast.as_ref().ok()?.p_difference }
    }

    /// The same without the hosts' values, which ranks keep.
    pub(super) fn reduced(self) -> Self {
        Self { contrast: self.contrast.map(Contrast::reduced), ..self }
    }

    /// What ranks say, whichever method decides; `None` where nothing varies, as the width of an interval is unknown then.
    pub(super) fn by_ranks(&self, threshold: Threshold) -> Option<Contrast> {
        let contrast = self.contrast.as_ref().ok().filter(|contrast| contrast.p_difference.is_some());
        contrast?.by_ranks(threshold)
    }

    /// Whether ranks say otherwise than the method that decides.
    pub(super) fn methods_disagree(&self, by_ranks: Option<&Contrast>, threshold: Threshold) -> bool {
        let disagree = |contrast: &Contrast| methods_disagree(contrast, by_ranks, self.smaller, threshold);
        !self.is_refused && self.contrast.as_ref().is_ok_and(disagree)
    }

    pub(super) fn decide(&self, q_difference: Option<f64>, threshold: Threshold) -> Decision {
        match &self.contrast {
            Ok(_) if self.is_refused => Decision::inconclusive(Reason::Unlike),
            Ok(contrast) => decide(contrast, self.smaller, q_difference, threshold),
            Err(reason) => Decision::inconclusive(*reason),
        }
    }
}

fn plain_difference(candidate: &Side<'_>, baseline: &Side<'_>) -> Option<f64> {
    Some(summary::mean(&candidate.log_values())? - summary::mean(&baseline.log_values())?)
}

/// Leaves the strata that have enough hosts on both sides and says how many those are. Where hosts are in several
/// strata and none is large enough, all stay, and it is 0.
fn strata(baseline: &mut Side<'_>, candidate: &mut Side<'_>) -> usize {
    let (of_baseline, of_candidate) = (baseline.strata(), candidate.strata());
    let mut all: Vec<usize> = of_baseline.keys().chain(of_candidate.keys()).copied().collect();
    all.sort_unstable();
    all.dedup();
    if all.len() <= 1 {
        return 1;
    }
    let enough = |side: &BTreeMap<usize, usize>, stratum: &usize| {
        side.get(stratum).is_some_and(|hosts| *hosts >= MIN_HOSTS)
    };
    all.retain(|stratum| enough(&of_baseline, stratum) && enough(&of_candidate, stratum));
    if !all.is_empty() {
        baseline.keep_strata(&all);
        candidate.keep_strata(&all);
    }
    all.len()
}

fn of_hosts(
    baseline: &Side<'_>,
    candidate: &Side<'_>,
    strata: usize,
    threshold: Threshold,
) -> Result<Contrast, Reason> {
    let non_positive =
        |side: &Side<'_>| side.left_out.iter().any(|(_, reason)| *reason == LeftOut::NonPositive);
    if non_positive(baseline) || non_positive(candidate) {
        return Err(Reason::NonPositive);
    }
    match baseline.hosts.len().min(candidate.hosts.len()) {
        0 => return Err(Reason::NoData),
        1 => return Err(Reason::OneHost),
        _ => {}
    }
    let ticks = (candidate.relative_resolution(), baseline.relative_resolution());
    let contrast = if strata > 1 {
        let stratum = |stratum: usize| Stratum {
            candidate: candidate.log_values_of(stratum),
            baseline: baseline.log_values_of(stratum),
        };
        let strata: Vec<Stratum> = baseline.strata().into_keys().map(stratum).collect();
        Contrast::stratified(&strata, ticks, threshold)
    } else {
        Contrast::of(&candidate.log_values(), &baseline.log_values(), ticks, threshold)
    };
    contrast.ok_or(Reason::NoData)
}
