//! What each source gave: all while they are few, and of a fleet those that gave least.

use maud::{Markup, html};

use super::words;
use crate::compare::Comparison;
use crate::dataset::SourceSummary;

/// Up to so many are in sight at once.
const FEW: usize = 12;
/// Lines in the table of sources at most.
const MANY: usize = 100;

/// The table of what each source gave. Of a fleet, those that gave least, as they are what one looks for.
#[must_use]
pub fn table(comparison: &Comparison) -> Markup {
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
