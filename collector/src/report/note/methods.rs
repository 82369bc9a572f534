//! How rows came about: what decides, what stands beside it, and what luck alone would explain.

use crate::compare::Block;
use crate::report::figure;
use crate::stats::contrast::Basis;
use crate::verdict::Verdict;
use crate::warning::some_of;

/// Rows that pairs or strata decide, and what hosts say where pairs do.
pub(super) fn deciding(block: &Block, names: &[String]) -> Vec<String> {
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
pub(super) fn one_against_several(block: &Block, names: &[String]) -> Option<String> {
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
pub(super) fn host_luck(block: &Block, names: &[String]) -> Option<String> {
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
