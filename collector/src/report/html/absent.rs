//! Sources, and those that gave nothing: each by itself while they are few, and together where they are a fleet.

use maud::{Markup, html};

use super::words;
use crate::compare::Comparison;
use crate::dataset::SourceSummary;
use crate::warning::some_of;

/// Up to so many are told one by one; of more, as many groups of those that say the same.
const FEW: usize = 12;
/// Lines in the table of sources at most.
const MANY: usize = 100;

/// Which sources gave nothing, and why.
#[must_use]
pub fn dropped(comparison: &Comparison) -> Vec<(String, String)> {
    let all = comparison.dropped.iter().map(|one| (one.source.clone(), one.reason.trim_end_matches('.')));
    if comparison.dropped.len() <= FEW {
        return all.map(|(source, reason)| (source, reason.to_owned())).collect();
    }
    let mut by_reason: std::collections::BTreeMap<&str, Vec<String>> = std::collections::BTreeMap::new();
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
        told.push((words::counted(others, "more source"), why));
    }
    told
}

/// The table of what each source gave. Of a fleet, those that gave least, as they are what one looks for.
#[must_use]
pub fn sources(comparison: &Comparison) -> Markup {
    let mut shown: Vec<&SourceSummary> = comparison.sources.iter().collect();
    if shown.len() > MANY {
        shown.sort_by_key(|source| source.observations);
    }
    let rest = shown.split_off(shown.len().min(MANY));
    html! {
        details open[comparison.sources.len() <= FEW] {
            summary { "Sources" span.count { (comparison.sources.len()) } }
            table.plain {
                thead { tr {
                    th scope="col" { "Source" }
                    th.number scope="col" { "Instances" }
                    th.number scope="col" { "Observations" }
                } }
                tbody {
                    @for source in &shown { tr {
                        th scope="row" { (source.source) }
                        td.number { (source.instances) }
                        td.number { (source.observations) }
                    } }
                    @if let Some(least) = rest.first() { tr {
                        th scope="row" {
                            (words::counted(rest.len(), "more source")) ", each with "
                            (words::counted(least.observations, "observation")) " or more"
                        }
                        td.number { (rest.iter().map(|source| source.instances).sum::<usize>()) }
                        td.number { (rest.iter().map(|source| source.observations).sum::<usize>()) }
                    } }
                }
            }
        }
    }
}
