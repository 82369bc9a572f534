//! What stands below the rows: why some decide nothing, and what to know before believing the others.
//!
//! - `rows`: warnings of rows, put together.
//! - `methods`: how rows came about.
//! - `undecided`: rows that decide nothing.
//! - `sources`: what gave nothing.
//! - `legend`: what columns and marks mean.

mod legend;
mod methods;
mod rows;
mod sources;
mod undecided;

pub use legend::legend;
pub(super) use legend::marks;
pub(super) use rows::of_rows;
pub(super) use sources::{dropped, no_data};
pub use undecided::is_shown;
use undecided::undecided;
pub(super) use undecided::{one_sided, words};

use crate::compare::{Block, Comparison};
use crate::warning::percent;

/// Notes on a block, most important first; `names` are those of its rows.
#[must_use]
pub fn of_block(comparison: &Comparison, block: &Block, names: &[String]) -> Vec<String> {
    let mut notes: Vec<String> = block.warnings.iter().map(ToString::to_string).collect();
    notes.extend(of_rows(block, names));
    notes.extend(of_methods(block, names));
    notes.extend(one_sided(comparison, block, names));
    notes
}

/// The share of disturbed rounds of each side that has rounds; `None` where none has.
pub(super) fn disturbed(comparison: &Comparison, block: &Block) -> Option<String> {
    let groups = [&comparison.baseline.group, &block.candidate.group];
    let share = |(group, share): (&String, Option<f64>)| {
        share.map(|share| match percent(share) {
            percent if share > 0.0 => format!("{percent} of {group}"),
            _ => format!("none of {group}"),
        })
    };
    let shares: Vec<String> = groups.into_iter().zip(block.disturbed).filter_map(share).collect();
    (!shares.is_empty()).then(|| format!("Disturbed rounds: {}.", shares.join(", ")))
}

/// Notes on how rows came about: methods, luck, what is not decided and why.
pub(super) fn of_methods(block: &Block, names: &[String]) -> Vec<String> {
    let mut notes = methods::deciding(block, names);
    notes.extend(methods::one_against_several(block, names));
    notes.extend(methods::host_luck(block, names));
    notes.extend(undecided(block, names));
    notes
}

/// Notes on the data as a whole.
#[must_use]
pub fn of_comparison(comparison: &Comparison) -> Vec<String> {
    let warnings = comparison.warnings.iter().map(ToString::to_string);
    no_data(comparison).into_iter().chain(warnings).collect()
}
