//! Rows that decide nothing: why, and what the evidence excludes all the same.

use std::collections::BTreeMap;

use crate::compare::{Block, Comparison, Row};
use crate::report::figure;
use crate::verdict::Reason;
use crate::warning::some_of;

/// So many rows are told one by one, with what the evidence excludes in each.
const FEW: usize = 4;

/// Rows that decide nothing, by reason, always with what the evidence excludes all the same.
pub(super) fn undecided(block: &Block, names: &[String]) -> Vec<String> {
    let mut by_reason: BTreeMap<String, Vec<(&Row, &String)>> = BTreeMap::new();
    for (row, name) in block.rows.iter().zip(names) {
        let why = match (row.here, row.no_here, row.reason) {
            (Some(here), _, _) => here.reason.map(|reason| words(reason).to_owned()),
            (None, Some(no_here), _) => Some(no_here.words()),
            // Rows without data have a note of their own.
            (None, None, Some(Reason::NoData)) => None,
            (None, None, reason) => reason.map(|reason| words(reason).to_owned()),
        };
        if let Some(why) = why {
            by_reason.entry(why).or_default().push((row, name));
        }
    }
    let told = |(why, rows): (String, Vec<(&Row, &String)>)| {
        format!("Inconclusive ({why}): {}.", listed(&rows, block.rows.len()))
    };
    by_reason.into_iter().map(told).collect()
}

/// Rows with what the evidence excludes: each with its own as long as they are few, else with the range of them. `of`
/// is how many rows there are.
fn listed(rows: &[(&Row, &String)], of: usize) -> String {
    let is_bounded = rows.iter().any(|(row, _)| row.largest_not_excluded.is_some());
    if is_bounded && rows.len() <= FEW {
        return rows.iter().map(|(row, name)| with(name, bounds(&[row]))).collect::<Vec<_>>().join(", ");
    }
    let names = if rows.len() == of && of > 1 {
        "all rows".to_owned()
    } else {
        some_of(&rows.iter().map(|(_, name)| (*name).clone()).collect::<Vec<_>>())
    };
    let rows: Vec<&Row> = rows.iter().map(|(row, _)| *row).collect();
    with(&names, bounds(&rows))
}

fn with(name: &str, bounds: Option<String>) -> String {
    bounds.map_or_else(|| name.to_owned(), |bounds| format!("{name} ({bounds})"))
}

/// `any difference is below 1.09 to 1.12; 1.07 to 1.10 would have been found`; `None` where the evidence excludes
/// nothing.
fn bounds(rows: &[&Row]) -> Option<String> {
    let among = |count: usize| {
        if count == rows.len() { String::new() } else { format!(" in {count} of {}", rows.len()) }
    };
    let (largest, bounded) = range(rows, |row| row.largest_not_excluded)?;
    let mut text = format!("any difference{} is below {largest}", among(bounded));
    if let Some((found, known)) = range(rows, |row| row.detectable_ratio) {
        text.push_str(&format!("; {found} would have been found{}", among(known)));
    }
    Some(text)
}

/// From the smallest to the largest of a number, and how many rows have it.
fn range(rows: &[&Row], number: impl Fn(&Row) -> Option<f64>) -> Option<(String, usize)> {
    let numbers: Vec<f64> = rows.iter().filter_map(|row| number(row)).collect();
    let low = figure::ratio(numbers.iter().copied().reduce(f64::min)?);
    let high = figure::ratio(numbers.iter().copied().reduce(f64::max)?);
    Some((if low == high { low } else { format!("{low} to {high}") }, numbers.len()))
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
            .then(|| format!("Not compared, as {group} has no usable value: {}.", some_of(&rows)))
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
