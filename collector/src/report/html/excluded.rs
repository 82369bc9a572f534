//! What is not in the numbers, and why: nothing is dropped silently.

use maud::{Markup, html};

use super::facts::Facts;
use super::{sources, words};
use crate::dataset::LeftOut;
use crate::report::{Input, name, note};
use crate::warning::some_of;

/// The section.
#[must_use]
pub fn section(input: &Input<'_>, facts: &Facts<'_>) -> Markup {
    let lines = lines(input, facts);
    html! {
        section #excluded aria-labelledby="excluded-title" {
            h2 #excluded-title { "Left out, and sources" }
            @if lines.is_empty() { p.calm { "Nothing was left out." } } @else {
                ul { @for line in &lines { li { (line) } } }
            }
            (sources::table(input.comparison))
        }
    }
}

fn lines(input: &Input<'_>, facts: &Facts<'_>) -> Vec<String> {
    let comparison = input.comparison;
    let mut lines = note::no_data(comparison);
    for block in &comparison.blocks {
        let group = &block.candidate.group;
        for one in &block.exclusions {
            lines.push(format!(
                "Against {group}, {} of {} instances of {} are out: the other side has none with their {} ({}).",
                one.count,
                one.of,
                one.group,
                one.label,
                some_of(&one.values)
            ));
        }
        let [baseline, candidate] = block.rounds.dropped;
        if baseline + candidate > 0 {
            lines.push(format!(
                "Against {group}, rounds outside the window are out: {baseline} of {} and {candidate} of {group}.",
                comparison.baseline.group
            ));
        }
        let names: Vec<String> = block.rows.iter().map(|row| name::full(&row.key)).collect();
        lines.extend(note::one_sided(comparison, block, &names));
    }
    lines.extend(left_out(facts));
    let discarded = input.dataset.discarded();
    if discarded.duplicates > 0 {
        lines.push(format!("{} came twice and count once.", words::counted(discarded.duplicates, "reading")));
    }
    if discarded.not_finite + discarded.clock_resets > 0 {
        lines.push(format!(
            "{} were no finite numbers, {} came after a clock was set back.",
            words::counted(discarded.not_finite, "value"),
            words::counted(discarded.clock_resets, "round")
        ));
    }
    lines
}

/// Costs in which instances have rounds and yet no value, by reason.
fn left_out(facts: &Facts<'_>) -> Vec<String> {
    let of = |reason: LeftOut, why: &str| {
        let of_cost = |cost: &super::facts::Cost<'_>| {
            let mut instances: Vec<&str> = cost
                .rows
                .iter()
                .flat_map(|(_, row)| &row.left_out)
                .filter(|(_, own)| *own == reason)
                .map(|(name, _)| name.as_str())
                .collect();
            instances.sort_unstable();
            instances.dedup();
            let count = instances.len();
            (count > 0).then(|| format!("{} ({})", cost.name, words::counted(count, "instance")))
        };
        let costs: Vec<String> = facts.costs.iter().filter_map(of_cost).collect();
        (!costs.is_empty()).then(|| format!("{why}: {}.", some_of(&costs)))
    };
    [
        of(LeftOut::FewRounds, "Fewer than ten clean rounds"),
        of(LeftOut::MostlyDisturbed, "Most rounds were disturbed"),
        of(LeftOut::NonPositive, "Zero or below, so that there is no ratio"),
        of(LeftOut::FewAlike, "Fewer than two hosts a side are like them"),
    ]
    .into_iter()
    .flatten()
    .collect()
}
