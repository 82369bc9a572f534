//! Pairs: candidates and baselines that share a kernel, or any label that the user names.

use std::collections::BTreeMap;

use super::Options;
use crate::dataset::group::{Group, label};
use crate::dataset::host::{Rounds, counting, host_key, value};
use crate::dataset::{Member, Reading, SeriesKey};
use crate::observation::Statistic;
use crate::stats::{real, summary};

/// Rounds that end in the same slot are matched; the agent's default interval, in seconds.
const SLOT_SECONDS: f64 = 15.0;
/// Rounds are matched in time where so many of them have a partner.
const MATCHED: f64 = 0.8;
/// With more combinations of instances in a pair, medians are compared and not matched rounds.
const MOST_COMBINATIONS: usize = 64;

/// One pair.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    /// What its members share.
    pub name: String,
    /// Candidate minus baseline, as logarithms.
    pub difference: f64,
}

/// A side of a pair: its hosts, each with the instances that have a value.
type Hosts<'a> = BTreeMap<String, Vec<Entry<'a>>>;

/// An instance's readings and the logarithm of its value.
#[derive(Clone, Copy)]
struct Entry<'a> {
    readings: &'a [Reading],
    log_value: f64,
}

/// The pairs of two groups in one row, in the order of what they share.
pub(super) fn of(
    baseline: &Group<'_>,
    candidate: &Group<'_>,
    key: &SeriesKey,
    rounds: Rounds,
    options: &Options,
) -> Vec<Pair> {
    let mut baselines = by_label(baseline, key, rounds, &options.pair);
    let candidates = by_label(candidate, key, rounds, &options.pair);
    let pairs = candidates.into_iter().filter_map(|((name, stratum), candidates)| {
        let baselines = baselines.remove(&(name.clone(), stratum))?;
        let difference = difference(&candidates, &baselines, key.statistic, rounds)?;
        Some(Pair { name, difference })
    });
    pairs.collect()
}

/// Hosts by what makes pairs of them. Only what is alike is paired.
fn by_label<'a>(
    group: &Group<'a>,
    key: &SeriesKey,
    rounds: Rounds,
    by: &str,
) -> BTreeMap<(String, usize), Hosts<'a>> {
    let mut found: BTreeMap<(String, usize), Hosts<'a>> = BTreeMap::new();
    for (at, member) in group.members.iter().enumerate() {
        let member: &'a Member = member;
        let (Some(name), Some(readings)) = (label(member, by), group.readings(member, key)) else { continue };
        let Ok((value, _)) = value(readings, key.statistic, rounds) else { continue };
        let hosts = found.entry((name.to_owned(), group.stratum(at))).or_default();
        hosts.entry(host_key(member)).or_default().push(Entry { readings, log_value: value.ln() });
    }
    found
}

/// One host on either side: the mean over combinations of their instances. Several: the means of the hosts.
fn difference(
    candidates: &Hosts<'_>,
    baselines: &Hosts<'_>,
    statistic: Statistic,
    rounds: Rounds,
) -> Option<f64> {
    if statistic != Statistic::Value
        && let (Some(ours), Some(theirs)) = (only_host(candidates), only_host(baselines))
        && ours.len() * theirs.len() <= MOST_COMBINATIONS
    {
        let matched = |ours: &Entry<'_>, theirs: &Entry<'_>| {
            matched(ours.readings, theirs.readings, rounds).unwrap_or(ours.log_value - theirs.log_value)
        };
        let combinations: Vec<f64> =
            ours.iter().flat_map(|ours| theirs.iter().map(move |theirs| matched(ours, theirs))).collect();
        return summary::mean(&combinations);
    }
    let side = |hosts: &Hosts<'_>| {
        let of_host = |entries: &Vec<Entry<'_>>| {
            summary::mean(&entries.iter().map(|entry| entry.log_value).collect::<Vec<f64>>())
        };
        summary::mean(&hosts.values().filter_map(of_host).collect::<Vec<f64>>())
    };
    Some(side(candidates)? - side(baselines)?)
}

/// The instances of the only host; `None` where there are several.
fn only_host<'h, 'a>(hosts: &'h Hosts<'a>) -> Option<&'h [Entry<'a>]> {
    if hosts.len() == 1 { hosts.values().next().map(Vec::as_slice) } else { None }
}

/// The median over slots of the difference of what both measured in them; `None` where too few rounds match.
fn matched(ours: &[Reading], theirs: &[Reading], rounds: Rounds) -> Option<f64> {
    let (ours, theirs) = (slots(ours, rounds), slots(theirs, rounds));
    let differences: Vec<f64> = ours
        .iter()
        .filter_map(|(slot, ours)| Some(summary::median(ours)? - summary::median(theirs.get(slot)?)?))
        .collect();
    let all = real(ours.len().max(theirs.len()));
    (real(differences.len()) >= MATCHED * all).then(|| summary::median(&differences)).flatten()
}

/// Log values by slot of time.
fn slots(readings: &[Reading], rounds: Rounds) -> BTreeMap<u64, Vec<f64>> {
    let mut slots: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for reading in counting(readings, rounds).filter(|reading| reading.value > 0.0) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds since the epoch; what is out of range saturates and matches nothing else"
        )]
        let slot = (reading.timestamp / SLOT_SECONDS).floor() as u64;
        slots.entry(slot).or_default().push(reading.value.ln());
    }
    slots
}
