//! What a reader must know of the groups before believing a row.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tierprobe_model::{Kernel, Tier};

use super::like::Alike;
use super::row::Row;
use super::{Options, drift, place, summary};
use crate::dataset::group::{Group, Grouped, label};
use crate::dataset::host::{LeftOut, MIN_ROUNDS};
use crate::dataset::{Dataset, Member, SeriesKey};
use crate::stats::detectable::MIN_HOSTS;
use crate::warning::{Ranked, Share, Warning};

/// Below this confidence a tier is worth a warning.
const SURE: f64 = 0.9;
/// From this difference on between the groups' shares of disturbed rounds, it is worth a warning.
const UNLIKE_SHARES: f64 = 0.10;

/// Of the data as a whole.
pub(super) fn of_data(dataset: &Dataset, grouped: &Grouped<'_>, options: &Options) -> Vec<Warning> {
    let by = options.by.as_str();
    let members: Vec<&Member> = grouped.groups.iter().flat_map(|group| &group.members).copied().collect();
    let mut warnings = Vec::new();
    // The confidence is that of the tier, so it does not matter for other groupings.
    let uncertain = with_number(&members, |member| {
        member.instance.tier_confidence.filter(|sure| by == "tier" && *sure < SURE)
    });
    if !uncertain.is_empty() {
        warnings.push(Warning::UncertainTier { instances: uncertain });
    }
    let stale = with_number(&members, |member| member.stale_seconds);
    if !stale.is_empty() {
        warnings.push(Warning::Stale { instances: stale });
    }
    if !grouped.without.is_empty() {
        warnings.push(Warning::WithoutLabel { by: by.to_owned(), instances: grouped.without.clone() });
    }
    let unpaired: Vec<String> = members
        .iter()
        .filter(|member| options.pair != super::PAIR && label(member, &options.pair).is_none())
        .map(|member| member.instance.name.clone())
        .collect();
    if !unpaired.is_empty() {
        warnings.push(Warning::Unpaired { by: options.pair.clone(), instances: unpaired });
    }
    let said = dataset.notes().iter().cloned();
    warnings.extend(said.map(|note| Warning::Store { note }));
    warnings.extend(drift::of(&grouped.groups, options));
    let discarded = dataset.discarded();
    if discarded.not_finite + discarded.clock_resets > 0 {
        warnings.push(Warning::Discarded {
            not_finite: discarded.not_finite,
            clock_resets: discarded.clock_resets,
        });
    }
    warnings
}

/// Of what was left out, or refused, for being unlike.
pub(super) fn of_likeness(alike: &Alike<'_>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if !alike.refused.is_empty() {
        warnings.push(Warning::Refused { labels: alike.refused.clone() });
    }
    if !alike.exclusions.is_empty() {
        warnings.push(Warning::Excluded { exclusions: alike.exclusions.clone() });
    }
    warnings
}

/// In what two groups differ, or may differ, beside what they are grouped by, though no rule of likeness keeps them
/// apart: rows are tagged for it.
pub(super) fn confounders(
    baseline: &Group<'_>,
    candidate: &Group<'_>,
    unsaid: &[(String, String)],
    options: &Options,
) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = place::apart(baseline, candidate, &options.by).into_iter().collect();
    warnings.extend(unknown_kernel(baseline, candidate));
    if !unsaid.is_empty() {
        warnings.push(Warning::Unsaid { labels: unsaid.to_vec() });
    }
    warnings
}

/// Instances that share a kernel with others and do not say which, where there are several on a side: each counts as
/// a host of its own then, and may be one with another.
fn unknown_kernel(baseline: &Group<'_>, candidate: &Group<'_>) -> Option<Warning> {
    let unknown = |group: &Group<'_>| {
        let without =
            |member: &&&Member| label(member, super::PAIR).is_none_or(str::is_empty) && shares_kernel(member);
        let names: Vec<String> =
            group.members.iter().filter(without).map(|member| member.instance.name.clone()).collect();
        if names.len() > 1 { names } else { Vec::new() }
    };
    let instances = [unknown(baseline), unknown(candidate)].concat();
    (!instances.is_empty()).then_some(Warning::UnknownKernel { instances })
}

/// By what the instance says of its kernel; by its tier where it says nothing.
fn shares_kernel(member: &Member) -> bool {
    if let Some(kernel) = label(member, "kernel") {
        return kernel != Kernel::Own.as_str();
    }
    let tier = label(member, "tier").and_then(|tier| tier.parse().ok());
    matches!(tier, Some(Tier::Container | Tier::ContainerInVm | Tier::ContainerInMicroVm))
}

/// Of rounds that the window does not hold.
pub(super) fn outside_window(alike: &Alike<'_>, dropped: [usize; 2]) -> Option<Warning> {
    let [a, b] = dropped;
    let groups = [(alike.baseline.value.clone(), a), (alike.candidate.value.clone(), b)];
    (a + b > 0).then_some(Warning::OutsideWindow { groups })
}

/// Of two groups and their rows; `disturbed` are their shares of disturbed rounds.
pub(super) fn of_groups(
    baseline: &Group<'_>,
    candidate: &Group<'_>,
    disturbed: [Option<f64>; 2],
    rows: &[Row],
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let few: Vec<(String, usize)> = [baseline, candidate].into_iter().filter_map(few_hosts).collect();
    if !few.is_empty() {
        warnings.push(Warning::FewHosts { groups: few });
    }
    warnings.extend(unlike_seccomp(baseline, candidate));
    warnings.extend([baseline, candidate].into_iter().filter_map(emulated));
    warnings
        .extend(unlike(baseline, candidate, "release").map(|releases| Warning::UnlikeKernels { releases }));
    warnings
        .extend(unlike(baseline, candidate, "cpu_model").map(|models| Warning::UnlikeProcessors { models }));
    warnings.extend(
        unlike(baseline, candidate, "clocksource").map(|clocks| Warning::UnlikeClocks { sources: clocks }),
    );
    warnings.extend(unlike_disturbance([baseline, candidate], disturbed));
    warnings.extend(outlier_hosts(rows));
    warnings.extend(left_out([baseline, candidate], rows));
    warnings
}

fn with_number(members: &[&Member], number: impl Fn(&Member) -> Option<f64>) -> Vec<(String, f64)> {
    members.iter().filter_map(|member| Some((member.instance.name.clone(), number(member)?))).collect()
}

fn few_hosts(group: &Group<'_>) -> Option<(String, usize)> {
    let hosts = summary(group).hosts;
    (hosts < MIN_HOSTS).then(|| (group.value.clone(), hosts))
}

fn unlike_seccomp(baseline: &Group<'_>, candidate: &Group<'_>) -> Option<Warning> {
    let filtered = |group: &Group<'_>| Share {
        group: group.value.clone(),
        count: group.count("seccomp", "filter"),
        of: group.members.len(),
    };
    let (a, b) = (filtered(candidate), filtered(baseline));
    // Products instead of shares: 1 of 3 and 2 of 6 are alike, and floats might not say so.
    (a.count * b.of != b.count * a.of).then_some(Warning::UnlikeSeccomp { filtered: [a, b] })
}

fn emulated(group: &Group<'_>) -> Option<Warning> {
    let count = group.count("hypervisor", "tcg");
    let share = Share { group: group.value.clone(), count, of: group.members.len() };
    (count > 0).then_some(Warning::Emulated { share })
}

/// The values of a label on both sides, unless they are the same or a side does not say.
fn unlike(baseline: &Group<'_>, candidate: &Group<'_>, label: &str) -> Option<[Vec<String>; 2]> {
    let (a, b) = (baseline.values(label), candidate.values(label));
    let owned = |values: BTreeSet<&str>| values.into_iter().map(str::to_owned).collect();
    (!a.is_empty() && !b.is_empty() && a != b).then(|| [owned(a), owned(b)])
}

fn unlike_disturbance([a, b]: [&Group<'_>; 2], shares: [Option<f64>; 2]) -> Option<Warning> {
    let [share_a, share_b] = shares.map(|share| share.unwrap_or(0.0));
    ((share_a - share_b).abs() > UNLIKE_SHARES).then(|| Warning::UnlikeDisturbance {
        shares: [(a.value.clone(), share_a), (b.value.clone(), share_b)],
    })
}

/// Hosts that are flagged in more than half of the rows: something is different about the host, not the rows.
fn outlier_hosts(rows: &[Row]) -> Option<Warning> {
    let flags = || {
        rows.iter().flat_map(|row| &row.warnings).filter_map(|warning| {
            if let Warning::Outliers { hosts, ranked } = warning { Some((hosts, *ranked)) } else { None }
        })
    };
    let mut flagged: BTreeMap<&str, usize> = BTreeMap::new();
    for host in flags().flat_map(|(hosts, _)| hosts) {
        *flagged.entry(host).or_default() += 1;
    }
    let eligible = rows.iter().filter(|row| row.basis.is_some()).count();
    flagged.retain(|_, rows| *rows * 2 > eligible);
    let of_these = flags().filter(|(hosts, _)| hosts.iter().any(|host| flagged.contains_key(host.as_str())));
    let by_ranks: BTreeSet<bool> = of_these.map(|(_, ranked)| ranked).collect();
    let ranked = match (by_ranks.contains(&true), by_ranks.contains(&false)) {
        (true, false) => Ranked::All,
        (true, true) => Ranked::Some,
        (false, _) => Ranked::None,
    };
    let hosts: Vec<String> = flagged.into_keys().map(str::to_owned).collect();
    (!hosts.is_empty()).then_some(Warning::OutlierHosts { hosts, ranked })
}

/// Instances that are missing in some rows, by reason.
fn left_out(groups: [&Group<'_>; 2], rows: &[Row]) -> Vec<Warning> {
    let (mut few, mut cut) = (BTreeSet::new(), BTreeSet::new());
    let (mut disturbed, mut thin) = (BTreeSet::new(), BTreeSet::new());
    let has_enough = enough_outside(groups);
    for (row, (name, reason)) in rows.iter().flat_map(|row| row.left_out.iter().map(move |one| (row, one))) {
        let names = match reason {
            LeftOut::FewRounds if has_enough(name, &row.key) => &mut cut,
            LeftOut::FewRounds => &mut few,
            LeftOut::MostlyDisturbed => &mut disturbed,
            LeftOut::FewAlike => &mut thin,
            // The row says so itself.
            LeftOut::NonPositive => continue,
        };
        names.insert(name.clone());
    }
    let warning = |names: BTreeSet<String>, of: fn(Vec<String>) -> Warning| {
        (!names.is_empty()).then(|| of(names.into_iter().collect()))
    };
    let warnings = [
        warning(thin, |hosts| Warning::FewAlike { hosts }),
        warning(few, |instances| Warning::FewRounds { instances, are_cut: false }),
        warning(cut, |instances| Warning::FewRounds { instances, are_cut: true }),
        warning(disturbed, |instances| Warning::MostlyDisturbed { instances }),
    ];
    warnings.into_iter().flatten().collect()
}

/// Whether an instance has enough clean rounds of a series if those outside the window are counted, too.
fn enough_outside<'g>(groups: [&'g Group<'_>; 2]) -> impl Fn(&str, &SeriesKey) -> bool + 'g {
    let members = groups.into_iter().flat_map(|group| group.members.iter().copied());
    let by_name: HashMap<&str, &Member> =
        members.map(|member| (member.instance.name.as_str(), member)).collect();
    move |name, key| {
        let readings = by_name.get(name).and_then(|member| member.readings(key));
        readings.is_some_and(|readings| readings.len() - readings.disturbed() >= MIN_ROUNDS)
    }
}
