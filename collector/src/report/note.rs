//! What stands below the rows: why some decide nothing, and what to know before believing the others.

use std::collections::{BTreeMap, BTreeSet};

use super::figure;
use crate::compare::{Block, Comparison, Row};
use crate::observation::{counted, is_of_before};
use crate::stats::batch::tipping_spread;
use crate::stats::contrast::Basis;
use crate::verdict::{Reason, Tag, Verdict};
use crate::warning::{Warning, some_of};

/// So many sources that gave nothing are told one by one; of more, as many groups of those that say the same.
const FEW: usize = 12;

/// Notes on a block, most important first; `names` are those of its rows.
#[must_use]
pub fn of_block(comparison: &Comparison, block: &Block, names: &[String]) -> Vec<String> {
    let mut notes: Vec<String> = block.warnings.iter().map(ToString::to_string).collect();
    notes.extend(of_rows(block, names));
    notes.extend(of_methods(block, names));
    notes.extend(one_sided(comparison, block, names));
    notes
}

/// Notes on how rows came about: methods, luck, what is not decided and why.
pub(super) fn of_methods(block: &Block, names: &[String]) -> Vec<String> {
    let mut notes = methods(block, names);
    notes.extend(one_against_several(block, names));
    notes.extend(host_luck(block, names));
    notes.extend(undecided(block, names));
    notes
}

/// Notes on the data as a whole.
#[must_use]
pub fn of_comparison(comparison: &Comparison) -> Vec<String> {
    let warnings = comparison.warnings.iter().map(ToString::to_string);
    no_data(comparison).into_iter().chain(warnings).collect()
}

/// Which sources gave nothing or a part of which is left out, and why, a sentence for each.
pub(super) fn no_data(comparison: &Comparison) -> Vec<String> {
    let sentence = |(who, why): (String, String)| {
        if is_of_before(&why) { format!("Of {who}, {why}.") } else { format!("No data from {who}: {why}.") }
    };
    dropped(comparison).into_iter().map(sentence).collect()
}

/// Which sources gave nothing, and why.
pub(super) fn dropped(comparison: &Comparison) -> Vec<(String, String)> {
    let all = comparison.dropped.iter().map(|one| (one.source.clone(), one.reason.trim_end_matches('.')));
    if comparison.dropped.len() <= FEW {
        return all.map(|(source, reason)| (source, reason.to_owned())).collect();
    }
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (source, reason) in all {
        by_reason.entry(reason).or_default().push(source);
    }
    let mut reasons: Vec<(&str, Vec<String>)> = by_reason.into_iter().collect();
    reasons.sort_by_key(|(_, sources)| std::cmp::Reverse(sources.len()));
    let others: usize = reasons.iter().skip(FEW).map(|(_, sources)| sources.len()).sum();
    let mut told: Vec<(String, String)> =
        reasons.iter().take(FEW).map(|(reason, sources)| (some_of(sources), (*reason).to_owned())).collect();
    if others > 0 {
        let why = "each for a reason of its own; --format json names them all".to_owned();
        told.push((counted(others, "more source"), why));
    }
    told
}

/// Warnings of rows: one note for all rows of which the same is said, with what is each one's own beside its name.
pub(super) fn of_rows(block: &Block, names: &[String]) -> Vec<String> {
    let mut alike: BTreeMap<(&str, String), Vec<(&Warning, &String)>> = BTreeMap::new();
    for (row, name) in block.rows.iter().zip(names) {
        for warning in row.warnings.iter().filter(|warning| !is_said_of_hosts(block, warning)) {
            let (_, shared) = warning.of_one_row();
            alike.entry((warning.kind(), shared)).or_default().push((warning, name));
        }
    }
    alike.into_iter().map(|((_, shared), rows)| of_alike(shared, &rows)).collect()
}

/// One note on several rows.
fn of_alike(shared: String, rows: &[(&Warning, &String)]) -> String {
    let texts: BTreeSet<String> = rows.iter().map(|(warning, _)| warning.to_string()).collect();
    // What says the same of each row needs no telling apart.
    let (text, tells_apart) = match texts.into_iter().collect::<Vec<_>>().as_slice() {
        [text] => (text.clone(), false),
        _ => (shared, true),
    };
    let named = |(warning, name): &(&Warning, &String)| match warning.of_one_row() {
        (Some(own), _) if tells_apart => format!("{name} ({own})"),
        _ => (*name).clone(),
    };
    format!("{}: {text}", some_of(&rows.iter().map(named).collect::<Vec<_>>()))
}

/// Whether a row's warning names only hosts that stand apart in most rows: they have a note of their own.
fn is_said_of_hosts(block: &Block, warning: &Warning) -> bool {
    let Warning::Outliers { hosts, .. } = warning else { return false };
    let said: Vec<&String> = block
        .warnings
        .iter()
        .filter_map(|warning| if let Warning::OutlierHosts { hosts } = warning { Some(hosts) } else { None })
        .flatten()
        .collect();
    hosts.iter().all(|host| said.contains(&host))
}

/// Rows that pairs or strata decide, and what hosts say where pairs do.
fn methods(block: &Block, names: &[String]) -> Vec<String> {
    let (mut paired, mut pairs, mut stratified, mut strata) = (Vec::new(), 0, Vec::new(), 0);
    for (row, name) in block.rows.iter().zip(names) {
        match row.basis {
            Some(Basis::Paired | Basis::PairedRobust) => {
                pairs = pairs.max(row.pairs);
                let beside = row.secondary.map(|other| {
                    let interval = figure::interval(other.ratio_low, other.ratio_high);
                    format!("{} {}", figure::ratio(other.ratio), interval.unwrap_or_default())
                });
                paired.push(match beside {
                    Some(beside) => format!("{name} (unpaired {})", beside.trim_end()),
                    None => name.clone(),
                });
            }
            Some(Basis::Stratified) => {
                strata = strata.max(row.strata);
                stratified.push(name.clone());
            }
            Some(Basis::Welch | Basis::Robust) | None => {}
        }
    }
    let mut notes = Vec::new();
    if !paired.is_empty() {
        notes.push(format!("Compared within up to {pairs} pairs: {}.", some_of(&paired)));
    }
    if !stratified.is_empty() {
        notes.push(format!(
            "Compared within up to {strata} kinds of hosts that are alike, and combined: {}.",
            some_of(&stratified)
        ));
    }
    notes
}

/// Where a ratio of one host against several would lie if both tiers spread alike.
fn one_against_several(block: &Block, names: &[String]) -> Option<String> {
    let rows: Vec<String> = block
        .rows
        .iter()
        .zip(names)
        .filter_map(|(row, name)| {
            let one = row.against_several?;
            let interval = figure::interval(Some(one.ratio_low), Some(one.ratio_high))?;
            Some(format!("{name} {} {interval}", figure::ratio(one.ratio)))
        })
        .collect();
    (!rows.is_empty()).then(|| {
        format!(
            "One host against several, if both tiers spread alike, which one host cannot show: {}.",
            some_of(&rows)
        )
    })
}

/// How much hosts of a tier need to differ for luck to make what two hosts show; of differences that a spread seen
/// in practice would make.
fn host_luck(block: &Block, names: &[String]) -> Option<String> {
    /// Hosts of one tier differ by 2 to 15 % in practice.
    const SEEN: f64 = 0.15;
    let rows: Vec<String> = block
        .rows
        .iter()
        .zip(names)
        .filter_map(|(row, name)| {
            let here = row.here.filter(|here| matches!(here.verdict, Verdict::Slower | Verdict::Faster))?;
            (here.tipping_spread <= SEEN).then(|| format!("{name} ({:.1} %)", here.tipping_spread * 100.0))
        })
        .collect();
    (!rows.is_empty()).then(|| {
        format!("Host luck alone explains these if hosts of a tier differ by as much as: {}.", some_of(&rows))
    })
}

/// Rows that decide nothing, by reason.
fn undecided(block: &Block, names: &[String]) -> Vec<String> {
    let mut by_reason: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (row, name) in block.rows.iter().zip(names) {
        let why = match (row.here, row.no_here, row.reason) {
            (Some(here), _, _) => here.reason.map(|reason| words(reason).to_owned()),
            (None, Some(no_here), _) => Some(no_here.words()),
            // Rows without data have a note of their own.
            (None, None, Some(Reason::NoData)) => None,
            (None, None, reason) => reason.map(|reason| words(reason).to_owned()),
        };
        if let Some(why) = why {
            by_reason.entry(why).or_default().push(with_bound(row, name));
        }
    }
    let listed = |rows: &[String]| {
        if rows.len() == block.rows.len() && rows.len() > 1 { "all rows".to_owned() } else { some_of(rows) }
    };
    by_reason.into_iter().map(|(why, rows)| format!("Inconclusive ({why}): {}.", listed(&rows))).collect()
}

/// The row's name with what the evidence does exclude.
fn with_bound(row: &Row, name: &str) -> String {
    match (row.largest_not_excluded, row.detectable_ratio) {
        (Some(largest), Some(found)) => format!(
            "{name} (any difference is below {}; {} would have been found)",
            figure::ratio(largest),
            figure::ratio(found)
        ),
        (Some(largest), None) => format!("{name} (any difference is below {})", figure::ratio(largest)),
        (None, _) => name.to_owned(),
    }
}

pub(super) const fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::NoData => "no value on a side",
        Reason::OneHost => "one host cannot stand for its tier",
        Reason::Unlike => "the sides are unlike in more than the tier",
        Reason::FewHosts => "two or three hosts on a side",
        Reason::ZeroVariance => "nothing varies and the clock's tick is unknown",
        Reason::NonPositive => "a value is zero or below, so there is no ratio",
        Reason::ManyRows => "it would count alone, but not among so many rows",
        Reason::Incomplete => "the store warns of its data, so some may be missing",
        Reason::CoarseClock => "the clock is too coarse for it",
        Reason::WideInterval => "the interval holds both no difference and one that matters",
    }
}

/// Rows that only one side has.
pub(super) fn one_sided(comparison: &Comparison, block: &Block, names: &[String]) -> Vec<String> {
    let without = |is_missing: fn(&Row) -> bool, group: &str| {
        let rows: Vec<String> = block
            .rows
            .iter()
            .zip(names)
            .filter(|(row, _)| row.reason == Some(Reason::NoData) && is_missing(row))
            .map(|(_, name)| name.clone())
            .collect();
        (!rows.is_empty())
            .then(|| format!("Not compared, as {group} has no usable value: {}.", rows.join(", ")))
    };
    without(|row| row.baseline.hosts == 0, &comparison.baseline.group)
        .into_iter()
        .chain(without(|row| row.candidate.hosts == 0 && row.baseline.hosts > 0, &block.candidate.group))
        .collect()
}

/// Rows that are shown among the others: those with a value on each side.
#[must_use]
pub fn is_shown(row: &Row) -> bool {
    row.reason != Some(Reason::NoData)
}

/// What the columns and marks mean, as far as they occur; `n` is what stands in the column of that name.
#[must_use]
pub fn legend(comparison: &Comparison, n: &str) -> Vec<String> {
    let no_difference = if comparison.is_live() {
        String::new()
    } else {
        format!("; no difference: below {} %", comparison.threshold.share() * 100.0)
    };
    let mut lines = vec![format!("n: {n}; ratio: candidate to baseline{no_difference}.")];
    if comparison.rows().any(|row| row.here.is_some()) {
        let luck =
            |ratio: f64| format!("{ratio} where they differ by {:.1} %", tipping_spread(ratio.ln()) * 100.0);
        lines.push(format!(
            "here: these two instances only, in this window. One host cannot stand for its tier: if hosts of a tier \
             differ, host luck alone makes a ratio of {}, of {}, of {}.",
            luck(1.05),
            luck(1.2),
            luck(2.0)
        ));
    }
    lines.extend(marks(comparison).map(str::to_owned));
    lines
}

/// What the marks behind verdicts mean, as far as they occur.
pub(super) fn marks(comparison: &Comparison) -> impl Iterator<Item = &'static str> {
    let meanings = [
        (
            Tag::Provisional,
            "?: provisional, from fewer than four hosts on a side, or of data that a store had something to say of.",
        ),
        (
            Tag::Confounded,
            "*: confounded, as the sides differ, or may differ, in more than what they are compared by; the warnings \
             say in what.",
        ),
    ];
    let occurs = |(tag, _): &(Tag, _)| comparison.rows().any(|row| figure::is_marked(row, *tag));
    meanings.into_iter().filter(occurs).map(|(_, meaning)| meaning)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::table::tests::{comparison, full_row};
    use crate::source::Dropped;

    fn noted(warnings: &[Warning]) -> Vec<String> {
        let row = |warning: &Warning| Row { warnings: vec![warning.clone()], ..full_row() };
        let rows = warnings.iter().map(row).collect();
        let comparison = comparison(rows, "container");
        let names: Vec<String> = (1..=warnings.len()).map(|at| format!("row {at}")).collect();
        of_rows(&comparison.blocks[0], &names)
    }

    #[test]
    fn what_is_a_rows_own_stands_beside_its_name() {
        let sensitive = |ratio_all| Warning::DisturbanceSensitive { ratio_all, verdict_all: Verdict::Slower };
        let outliers = |host: &str, ranked| Warning::Outliers { hosts: vec![host.to_owned()], ranked };
        let told = noted(&[
            sensitive(1.2),
            sensitive(1.5),
            outliers("a", true),
            outliers("b", true),
            outliers("c", false),
        ]);
        assert_eq!(told.len(), 3, "{told:?}");
        for words in [
            "row 1 (1.20, slower), row 2 (1.50, slower): With",
            "row 3 (a), row 4 (b): Ranks",
            "row 5: The interval is wide",
        ] {
            assert!(told.iter().any(|text| text.contains(words)), "{words}: {told:?}");
        }
    }

    #[test]
    fn what_is_said_of_all_rows_is_said_once() {
        let told = noted(&[Warning::FewReadings { readings: 3 }, Warning::FewReadings { readings: 3 }]);
        assert_eq!(told, ["row 1, row 2: A host's value rests on 3 readings and not on ten rounds."]);
    }

    #[test]
    fn a_fleet_that_is_silent_takes_as_many_lines_as_it_has_reasons() {
        let mut comparison = comparison(Vec::new(), "container");
        let silent = |at: usize| Dropped { source: format!("host-{at}:10990"), reason: "refused".to_owned() };
        comparison.dropped = (0..FEW).map(silent).collect();
        assert_eq!(of_comparison(&comparison).len(), FEW);
        comparison.dropped = (0..1000).map(silent).collect();
        let [told] = of_comparison(&comparison).try_into().unwrap();
        assert!(told.contains("host-0:10990") && told.contains("996 more: refused."), "{told}");
    }

    #[test]
    fn who_changed_is_not_said_to_be_silent() {
        let mut comparison = comparison(Vec::new(), "container");
        let labels = |boot: &str| [("boot_id".to_owned(), boot.to_owned())].into();
        let reason = crate::observation::before_change(5, &labels("a"), &labels("b"));
        comparison.dropped = vec![Dropped { source: "host-1:10990".to_owned(), reason }];
        let told = of_comparison(&comparison);
        let words = "Of host-1:10990, 5 rounds from before it changed (boot_id) are left out: they are of what it was then.";
        assert_eq!(told, [words]);
    }
}
