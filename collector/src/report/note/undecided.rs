//! Rows that decide nothing: why, and what the evidence excludes all the same.

use std::collections::BTreeMap;

use crate::compare::{Block, Comparison, Row};
use crate::report::figure;
use crate::verdict::Reason;
use crate::warning::some_of;

/// Rows that decide nothing, by reason.
pub(super) fn undecided(block: &Block, names: &[String]) -> Vec<String> {
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

pub(in crate::report) const fn words(reason: Reason) -> &'static str {
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
pub(in crate::report) fn one_sided(comparison: &Comparison, block: &Block, names: &[String]) -> Vec<String> {
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
