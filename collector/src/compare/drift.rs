//! Which instances changed while they were measured, and when.

use std::collections::BTreeMap;

use super::Options;
use crate::dataset::group::Group;
use crate::dataset::host::{Rounds, counting};
use crate::dataset::{Reading, SeriesKey};
use crate::observation::Statistic;
use crate::stats::change::likeliest;
use crate::stats::{ALPHA, multiple};
use crate::warning::{Changed, Warning};

/// A change that may be one.
struct Found<'a> {
    instance: &'a str,
    series: &'a SeriesKey,
    timestamp: f64,
    step: f64,
    p_value: f64,
}

/// Names the instances whose durations changed by more than the threshold. All series of all instances are one
/// family of tests.
pub(super) fn of(groups: &[Group<'_>], options: &Options) -> Option<Warning> {
    let mut found: Vec<Found<'_>> = Vec::new();
    for group in groups {
        for member in &group.members {
            let keys = member.series.keys().filter(|key| {
                key.statistic == options.statistic
                    && key.statistic != Statistic::Value
                    && !member.independent.contains(&key.family)
            });
            found.extend(keys.filter_map(|key| {
                let (timestamp, step, p_value) = changed(group.readings(member, key)?)?;
                Some(Found { instance: &member.instance.name, series: key, timestamp, step, p_value })
            }));
        }
    }
    let p_values: Vec<f64> = found.iter().map(|one| one.p_value).collect();
    let limit = options.threshold.log();
    let mut by_instance: BTreeMap<&str, Changed> = BTreeMap::new();
    for (one, q_value) in found.into_iter().zip(multiple::q_values(&p_values)) {
        if q_value > ALPHA || one.step.abs() <= limit {
            continue;
        }
        let Found { instance, series, timestamp, step, .. } = one;
        let (ratio, series) = (step.exp(), series.clone());
        match by_instance.get_mut(instance) {
            None => {
                let changed = Changed { instance: instance.to_owned(), series, timestamp, ratio, others: 0 };
                by_instance.insert(instance, changed);
            }
            Some(known) => {
                known.others += 1;
                // The largest stands for all.
                if known.ratio.ln().abs() < step.abs() {
                    *known = Changed { series, timestamp, ratio, ..known.clone() };
                }
            }
        }
    }
    let changes: Vec<Changed> = by_instance.into_values().collect();
    (!changes.is_empty()).then_some(Warning::Changed { changes })
}

/// When the clean rounds changed, by how much on the log scale, and the p value of "they did not".
fn changed(readings: &[Reading]) -> Option<(f64, f64, f64)> {
    let clean: Vec<&Reading> =
        counting(readings, Rounds::Clean).filter(|reading| reading.value > 0.0).collect();
    let values: Vec<f64> = clean.iter().map(|reading| reading.value.ln()).collect();
    let change = likeliest(&values)?;
    Some((clean.get(change.at)?.timestamp, change.step, change.p_value))
}
