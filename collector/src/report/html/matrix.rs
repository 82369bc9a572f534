//! The decision matrix: what there is to choose between, filled with what was measured, and nothing else.

use std::collections::BTreeMap;

use maud::{Markup, html};
use tierprobe_model::Unit;

use super::facts::{Cost, Facts, GroupFacts};
use super::measures::{CRITERIA, INSTANCE};
use super::{badge, forest};
use crate::compare::Row;
use crate::report::{Input, figure};

const ABSENT: &str = "not measured";
/// Memory that instances are counted in.
const GIB: f64 = 1_073_741_824.0;

/// The section.
#[must_use]
pub fn section(input: &Input<'_>, facts: &Facts<'_>) -> Markup {
    html! {
        section #decision aria-labelledby="decision-title" {
            h2 #decision-title { "Decision matrix" }
            p.lead {
                "Medians over hosts, with the ratio to " strong { (input.comparison.baseline.group) }
                " where the data decide it."
            }
            div.scroll tabindex="0" role="region" aria-labelledby="decision-title" {
                table.matrix {
                    thead {
                        tr {
                            th scope="col" { "What counts" }
                            @for group in &facts.groups { th scope="col" { (badge(group)) } }
                        }
                    }
                    (isolation(facts))
                    @for criterion in CRITERIA { (costs(criterion.name, &criterion.costs(facts), facts)) }
                    (density(facts))
                }
            }
            @if !INSTANCE.costs(facts).is_empty() {
                p.lead.below {
                    "Density: 1 GiB over the memory that the host gives up for the processes of one idle instance. Memory "
                    "is the only limit that was measured, so this is an upper bound: work, CPU and storage lower it."
                }
            }
        }
    }
}

fn head(name: &str, columns: usize) -> Markup {
    html! { tr.criterion { th scope="rowgroup" colspan=(columns + 1) { (name) } } }
}

fn absent(facts: &Facts<'_>, what: &str) -> Markup {
    html! {
        tr {
            th scope="row" { (what) }
            @for _ in &facts.groups { td.absent { (ABSENT) } }
        }
    }
}

fn costs(name: &str, costs: &[&Cost<'_>], facts: &Facts<'_>) -> Markup {
    html! {
        tbody {
            (head(name, facts.groups.len()))
            @if costs.is_empty() { (absent(facts, "no cost of this kind")) }
            @for cost in costs {
                tr {
                    th scope="row" { (cost.name) }
                    @for (at, _) in facts.groups.iter().enumerate() { td { (cell(cost, at)) } }
                }
            }
        }
    }
}

/// The median of a group in a cost. The baseline's is in every row, a candidate's in its own.
fn cell(cost: &Cost<'_>, at: usize) -> Markup {
    let row = cost.rows.iter().find(|(group, _)| *group == at || at == 0).map(|(_, row)| *row);
    let side = row.map(|row| if at == 0 { row.baseline } else { row.candidate });
    let Some((row, median)) = row.zip(side.and_then(|side| side.median)) else {
        return html! { span.absent { (ABSENT) } };
    };
    html! {
        span.value { (cost.unit.human(median)) }
        @if at > 0 && is_decided(row) {
            span class={ "chip " (forest::shown_verdict(row)) } {
                (forest::mark(forest::shown_verdict(row)))
                "×" (forest::ratio(row).map(|(ratio, ..)| figure::ratio(ratio)).unwrap_or_default())
            }
        }
    }
}

fn is_decided(row: &Row) -> bool {
    forest::shown_verdict(row) != "inconclusive"
}

/// What holds instances apart, as far as their labels carry it.
fn isolation(facts: &Facts<'_>) -> Markup {
    let kernel = |value: &str| match value {
        "own" => "a kernel of its own".to_owned(),
        "shared" => "shares the kernel below".to_owned(),
        "emulated" => "a kernel in user space".to_owned(),
        other => other.to_owned(),
    };
    let seccomp = |value: &str| match value {
        "none" => "no filter".to_owned(),
        "filter" => "filter".to_owned(),
        other => other.to_owned(),
    };
    let privileges = |value: &str| match value {
        "true" => "cannot gain any".to_owned(),
        "false" => "can gain some".to_owned(),
        other => other.to_owned(),
    };
    html! {
        tbody {
            (head("Isolation", facts.groups.len()))
            (labels(facts, "kernel", "kernel", kernel))
            (labels(facts, "system call filter", "seccomp", seccomp))
            (labels(facts, "new privileges", "no_new_privs", privileges))
        }
    }
}

fn labels(facts: &Facts<'_>, name: &str, label: &str, words: impl Fn(&str) -> String) -> Markup {
    html! {
        tr {
            th scope="row" { (name) }
            @for group in &facts.groups {
                td {
                    @let values = counts(group, label);
                    @if values.is_empty() { span.absent { (ABSENT) } }
                    @for (value, count) in &values {
                        div {
                            (words(value))
                            @if *count < group.group.members.len() {
                                span.quiet { " " (count) " of " (group.group.members.len()) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn counts<'g>(group: &'g GroupFacts<'_>, label: &str) -> BTreeMap<&'g str, usize> {
    let mut counts = BTreeMap::new();
    for value in group.group.members.iter().filter_map(|member| member.instance.labels.get(label)) {
        *counts.entry(value.as_str()).or_default() += 1;
    }
    counts
}

/// How many idle instances the memory of their host holds, where what an instance costs its host was measured.
fn density(facts: &Facts<'_>) -> Markup {
    let costs = INSTANCE.costs(facts);
    let cost = costs.first();
    html! {
        tbody {
            (head("Density", facts.groups.len()))
            @match cost {
                None => { (absent(facts, "instances per GiB of host memory")) }
                Some(cost) => {
                    tr {
                        th scope="row" {
                            "instances per GiB of host memory"
                        }
                        @for (at, _) in facts.groups.iter().enumerate() { td { (per_gib(cost, at)) } }
                    }
                }
            }
        }
    }
}

fn per_gib(cost: &Cost<'_>, at: usize) -> Markup {
    let row = cost.rows.iter().find(|(group, _)| *group == at || at == 0).map(|(_, row)| *row);
    let median = row.and_then(|row| if at == 0 { row.baseline.median } else { row.candidate.median });
    html! {
        @match median.filter(|median| *median > 0.0) {
            Some(median) => { span.value { "at most " (Unit::Count.human((GIB / median).floor())) } }
            None => { span.absent { (ABSENT) } }
        }
    }
}
