//! Pairs: candidates and baselines that share a kernel, or any label that the user names.

use std::collections::BTreeMap;

use super::Options;
use crate::dataset::group::{Group, label};
use crate::dataset::host::{Rounds, counting, value};
use crate::dataset::{Member, Readings, SeriesKey};
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

/// Who of two groups may be in pairs, which is the same in all rows.
pub(super) struct Partners<'a> {
    /// By what they share and by stratum, as only what is alike is paired: candidates and baselines.
    shared: BTreeMap<(&'a str, usize), [Vec<&'a Member>; 2]>,
}

impl<'a> Partners<'a> {
    /// The instances of both groups that share the label that pairs are made by.
    pub(super) fn of(baseline: &Group<'a>, candidate: &Group<'a>, options: &Options) -> Self {
        let mut shared: BTreeMap<(&'a str, usize), [Vec<&'a Member>; 2]> = BTreeMap::new();
        let named = |group: &Group<'a>| {
            let place = |(at, member): (usize, &&'a Member)| {
                let member: &'a Member = member;
                Some(((label(member, &options.pair)?, group.stratum(at)), member))
            };
            group.members.iter().enumerate().filter_map(place).collect::<Vec<_>>()
        };
        for (key, member) in named(candidate) {
            shared.entry(key).or_default()[0].push(member);
        }
        for (key, member) in named(baseline) {
            if let Some([_, baselines]) = shared.get_mut(&key) {
                baselines.push(member);
            }
        }
        shared.retain(|_, [_, baselines]| !baselines.is_empty());
        Self { shared }
    }
}

/// A side of a pair: its hosts, each with the instances that have a value.
type Hosts<'a> = BTreeMap<u32, Vec<Entry<'a>>>;

/// An instance's readings and the logarithm of its value.
#[derive(Clone, Copy)]
struct Entry<'a> {
    readings: Readings<'a>,
    log_value: f64,
}

/// The pairs of two groups in one row, in the order of what they share.
pub(super) fn of(
    partners: &Partners<'_>,
    baseline: &Group<'_>,
    candidate: &Group<'_>,
    key: &SeriesKey,
    rounds: Rounds,
) -> Vec<Pair> {
    let pairs = partners.shared.iter().filter_map(|((name, _), [candidates, baselines])| {
        let candidates = hosts(candidate, candidates, key, rounds);
        let baselines = hosts(baseline, baselines, key, rounds);
        let difference = difference(&candidates, &baselines, key.statistic, rounds)?;
        Some(Pair { name: (*name).to_owned(), difference })
    });
    pairs.collect()
}

/// Members by host.
fn hosts<'a>(group: &Group<'_>, members: &[&'a Member], key: &SeriesKey, rounds: Rounds) -> Hosts<'a> {
    let mut hosts: Hosts<'a> = BTreeMap::new();
    let mut scratch = Vec::new();
    for member in members {
        let Some(readings) = group.within(member, key) else { continue };
        let disturbed = readings.disturbed();
        let Ok((value, _)) = value(readings, disturbed, key.statistic, rounds, &mut scratch) else {
            continue;
        };
        hosts.entry(member.host()).or_default().push(Entry { readings, log_value: value.ln() });
    }
    hosts
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
fn matched(ours: Readings<'_>, theirs: Readings<'_>, rounds: Rounds) -> Option<f64> {
    let (ours, theirs) = (slots(ours, rounds), slots(theirs, rounds));
    let differences: Vec<f64> = ours
        .iter()
        .filter_map(|(slot, ours)| Some(summary::median(ours)? - summary::median(theirs.get(slot)?)?))
        .collect();
    let all = real(ours.len().max(theirs.len()));
    (real(differences.len()) >= MATCHED * all).then(|| summary::median(&differences)).flatten()
}

/// Log values by slot of time.
fn slots(readings: Readings<'_>, rounds: Rounds) -> BTreeMap<u64, Vec<f64>> {
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
