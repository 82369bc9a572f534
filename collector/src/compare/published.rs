//! Whether any instance publishes the number of durations' rounds that is asked for.

use std::collections::BTreeSet;

use crate::dataset::group::{Group, listed};
use crate::error::CompareError;
use crate::observation::Statistic;

/// Checks it. Gauges have one number only, so where all are gauges the usual one is as good as any.
///
/// # Errors
///
/// [`CompareError::NoStatistic`], with what the dataset has instead, or with what agents publish where it has kept
/// nothing else.
pub(super) fn check(groups: &[Group<'_>], asked: Statistic) -> Result<(), CompareError> {
    let of_group = |group: &Group<'_>| -> BTreeSet<Statistic> {
        let keys = group.keys();
        let statistic = |id| Some(keys?.get(id)?.statistic);
        group.ids().into_iter().filter_map(statistic).collect()
    };
    let mut published: BTreeSet<Statistic> = groups.iter().flat_map(of_group).collect();
    if published.contains(&asked) {
        return Ok(());
    }
    let has_gauges = published.remove(&Statistic::Value);
    if has_gauges && published.is_empty() && asked == Statistic::P50 {
        return Ok(());
    }
    let known = if published.is_empty() {
        format!("agents publish {}", listed(Statistic::OF_DURATIONS.iter().map(Statistic::as_str)))
    } else {
        format!("there are: {}", listed(published.iter().map(Statistic::as_str)))
    };
    Err(CompareError::NoStatistic { statistic: asked, known })
}
