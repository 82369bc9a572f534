//! Like with like: which instances of two groups may be compared at all.
//!
//! Instances that are alike in everything that makes costs differ apart from the tier are a *stratum*. Hosts are
//! compared within strata; an instance whose stratum the other side lacks is left out and counted. Without any
//! stratum in common the two tiers are compared all the same, and no verdict comes of it.

use std::collections::{BTreeMap, BTreeSet};

use super::Options;
use crate::dataset::Member;
use crate::dataset::group::{Group, listed};
use crate::error::CompareError;
use crate::warning::Exclusion;

/// Whether an instance is emulated, as a label: no agent publishes it, it follows from the hypervisor.
pub const EMULATED: &str = "emulated";
/// What must not be mixed unless the user says so.
pub const LABELS: [&str; 5] = ["seccomp", "cpu_model", "release", "clocksource", EMULATED];
/// Stands for all of them where the user allows mixing.
pub const ALL: &str = "all";

/// Two groups, reduced to what is alike.
pub(super) struct Alike<'a> {
    /// The baseline's instances, each with its stratum.
    pub baseline: Group<'a>,
    /// The candidate's.
    pub candidate: Group<'a>,
    /// What was left out for that.
    pub exclusions: Vec<Exclusion>,
    /// The labels in which no instance of one group is like any of the other: there is no verdict then.
    pub refused: Vec<String>,
    /// The labels that instances of one group say something of and none of the other does, each with the silent group:
    /// nobody knows whether they are alike in it.
    pub unsaid: Vec<(String, String)>,
    /// Whether the groups differ in something that the user allowed to mix.
    pub is_mixed: bool,
}

/// A stratum's values, one for each label.
type Key<'a> = Vec<&'a str>;

/// Reduces two groups to what is alike.
pub(super) fn of<'a>(baseline: &Group<'a>, candidate: &Group<'a>, options: &Options) -> Alike<'a> {
    let (baseline, candidate) = (baseline.clone(), candidate.clone());
    // Who groups by a label, or by what it follows from, wants to see what it costs.
    let is_grouped = |label: &str| label == options.by || (label == EMULATED && options.by == "hypervisor");
    let known = |label: &&str| says(&baseline, label) && says(&candidate, label);
    let is_allowed =
        |label: &str| options.allow_mixed.iter().any(|allowed| allowed == label || allowed == ALL);
    let asked = || {
        let labels = LABELS.into_iter().chain(options.alike.iter().map(String::as_str));
        labels.filter(|label| !is_grouped(label))
    };
    let all = || asked().filter(known);
    let silent = |label| match (says(&baseline, label), says(&candidate, label)) {
        (true, false) => Some((label.to_owned(), candidate.value.clone())),
        (false, true) => Some((label.to_owned(), baseline.value.clone())),
        (true, true) | (false, false) => None,
    };
    let unsaid: Vec<(String, String)> = asked().filter_map(silent).collect();
    let labels: Vec<&str> = all().filter(|label| !is_allowed(label)).collect();
    let is_mixed = all().filter(|label| is_allowed(label)).any(|label| differ(&baseline, &candidate, label));

    let of = |group: &Group<'a>| keys(group, &labels);
    let (keys_baseline, keys_candidate) = (of(&baseline), of(&candidate));
    let (in_baseline, in_candidate): (BTreeSet<&Key<'_>>, BTreeSet<&Key<'_>>) =
        (keys_baseline.iter().collect(), keys_candidate.iter().collect());
    let shared: Vec<&Key<'_>> = in_baseline.intersection(&in_candidate).copied().collect();
    if shared.is_empty() {
        let differing: Vec<&str> =
            labels.iter().copied().filter(|label| disjoint(&baseline, &candidate, label)).collect();
        let refused = if differing.is_empty() { &labels } else { &differing };
        let refused = refused.iter().map(|label| (*label).to_owned()).collect();
        return Alike { baseline, candidate, exclusions: Vec::new(), refused, unsaid, is_mixed };
    }
    let mut exclusions = excluded(&baseline, &keys_baseline, &candidate, &shared, &labels);
    exclusions.extend(excluded(&candidate, &keys_candidate, &baseline, &shared, &labels));
    let (baseline, split_baseline) = kept(baseline, &keys_baseline, &shared);
    let (candidate, split_candidate) = kept(candidate, &keys_candidate, &shared);
    exclusions.extend([split_baseline, split_candidate].into_iter().flatten());
    Alike { baseline, candidate, exclusions, refused: Vec::new(), unsaid, is_mixed }
}

/// Checks that the labels which are asked to be alike are labels of any instance at all.
///
/// # Errors
///
/// [`CompareError::NoLabel`] for the first that none has.
pub(super) fn check(groups: &[Group<'_>], options: &Options) -> Result<(), CompareError> {
    let is_known = |label: &&String| groups.iter().any(|group| says(group, label));
    let Some(unknown) = options.alike.iter().find(|label| !is_known(label)) else { return Ok(()) };
    let members = groups.iter().flat_map(|group| &group.members);
    let labels: BTreeSet<&str> =
        members.flat_map(|member| member.instance.labels.keys()).map(String::as_str).collect();
    Err(CompareError::NoLabel { by: unknown.clone(), known: listed(labels) })
}

/// An instance's value of a label that must be alike; empty where it does not say.
pub(super) fn value<'m>(member: &'m Member, label: &str) -> &'m str {
    let labels = &member.instance.labels;
    if label == EMULATED {
        let is_emulated = labels.get("hypervisor").is_some_and(|hypervisor| hypervisor == "tcg");
        return if is_emulated { "yes" } else { "no" };
    }
    labels.get(label).map_or("", String::as_str)
}

/// Whether any instance says something of the label: what a side does not say, nobody can compare.
fn says(group: &Group<'_>, label: &str) -> bool {
    group.members.iter().any(|member| !value(member, label).is_empty())
}

fn values<'a>(group: &Group<'a>, label: &str) -> BTreeSet<&'a str> {
    group.members.iter().map(|member| value(member, label)).collect()
}

fn differ(a: &Group<'_>, b: &Group<'_>, label: &str) -> bool {
    values(a, label) != values(b, label)
}

fn disjoint(a: &Group<'_>, b: &Group<'_>, label: &str) -> bool {
    values(a, label).is_disjoint(&values(b, label))
}

fn keys<'a>(group: &Group<'a>, labels: &[&str]) -> Vec<Key<'a>> {
    let key = |member: &&'a Member| labels.iter().map(|label| value(member, label)).collect();
    group.members.iter().map(key).collect()
}

/// What a group loses, by the first label whose value the other side lacks.
fn excluded(
    group: &Group<'_>,
    keys: &[Key<'_>],
    other: &Group<'_>,
    shared: &[&Key<'_>],
    labels: &[&str],
) -> Vec<Exclusion> {
    let theirs: Vec<BTreeSet<&str>> = labels.iter().map(|label| values(other, label)).collect();
    let mut by_label: BTreeMap<String, (BTreeSet<String>, usize)> = BTreeMap::new();
    let shared: BTreeSet<&Key<'_>> = shared.iter().copied().collect();
    for key in keys.iter().filter(|key| !shared.contains(key)) {
        let missing =
            labels.iter().zip(key).zip(&theirs).find(|((_, value), theirs)| !theirs.contains(*value));
        let (label, value) = match missing {
            Some(((label, value), _)) => ((*label).to_owned(), (*value).to_owned()),
            None => (labels.join(" with "), key.join(", ")),
        };
        let (values, count) = by_label.entry(label).or_default();
        values.insert(value);
        *count += 1;
    }
    let of = group.members.len();
    let exclusion = |(label, (values, count)): (String, (BTreeSet<String>, usize))| Exclusion {
        group: group.value.clone(),
        label,
        values: values.into_iter().collect(),
        count,
        of,
    };
    by_label.into_iter().map(exclusion).collect()
}

/// The members whose stratum is shared, and what it cost that a host counts in one stratum only: the one that has
/// most of its instances.
fn kept<'a>(group: Group<'a>, keys: &[Key<'_>], shared: &[&Key<'_>]) -> (Group<'a>, Option<Exclusion>) {
    let places: BTreeMap<&Key<'_>, usize> = shared.iter().enumerate().map(|(at, key)| (*key, at)).collect();
    let stratum = |key: &Key<'_>| places.get(key).copied();
    let placed: Vec<(&'a Member, u32, usize)> = group
        .members
        .iter()
        .zip(keys)
        .filter_map(|(member, key)| Some((*member, member.host(), stratum(key)?)))
        .collect();
    let mut counts: BTreeMap<u32, BTreeMap<usize, usize>> = BTreeMap::new();
    for (_, host, stratum) in &placed {
        *counts.entry(*host).or_default().entry(*stratum).or_default() += 1;
    }
    let home = |host: u32| {
        let counts = counts.get(&host)?;
        // The first of those with most, as `max_by_key` would give the last.
        counts
            .iter()
            .max_by_key(|(stratum, count)| (**count, usize::MAX - **stratum))
            .map(|(stratum, _)| *stratum)
    };
    let (mut members, mut strata) = (Vec::new(), Vec::new());
    for (member, host, stratum) in &placed {
        if home(*host) == Some(*stratum) {
            members.push(*member);
            strata.push(*stratum);
        }
    }
    let split = placed.len() - members.len();
    let exclusion = (split > 0).then(|| Exclusion {
        group: group.value.clone(),
        label: "boot_id".to_owned(),
        values: vec!["a kernel that counts elsewhere".to_owned()],
        count: split,
        of: group.members.len(),
    });
    (Group { members, strata, ..group }, exclusion)
}
