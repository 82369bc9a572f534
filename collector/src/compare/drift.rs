//! Which instances changed while they were measured, and when.

use std::collections::BTreeMap;

use super::Options;
use crate::dataset::group::Group;
use crate::dataset::host::{Rounds, counting};
use crate::dataset::{Readings, SeriesKey};
use crate::observation::Statistic;
use crate::stats::change::likeliest_ratio;
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
    let mut tested = 0;
    let mut scratch = Scratch::default();
    for group in groups {
        for member in &group.members {
            for (_, key, readings) in group.series_of(member) {
                let is_wanted = key.statistic == options.statistic && key.statistic != Statistic::Value;
                if !is_wanted || member.independent.contains(&key.family) {
                    continue;
                }
                let Some((timestamp, step, p_value)) = scratch.changed(readings) else { continue };
                tested += 1;
                // A q value is never below its p value, so the others only count.
                if p_value <= ALPHA {
                    let instance = member.instance.name.as_str();
                    found.push(Found { instance, series: key, timestamp, step, p_value });
                }
            }
        }
    }
    let limit = options.threshold.log();
    let mut by_instance: BTreeMap<&str, Changed> = BTreeMap::new();
    let p_values: Vec<f64> = found.iter().map(|one| one.p_value).collect();
    let q_values = multiple::q_values_of_smallest(&p_values, tested);
    for (one, q_value) in found.into_iter().zip(q_values) {
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

/// Room for the clean rounds of one series after the other.
#[derive(Default)]
struct Scratch {
    values: Vec<f64>,
    timestamps: Vec<f64>,
}

impl Scratch {
    /// When the clean rounds changed, by how much on the log scale, and the p value of "they did not".
    fn changed(&mut self, readings: Readings<'_>) -> Option<(f64, f64, f64)> {
        self.values.clear();
        self.timestamps.clear();
        for reading in counting(readings, Rounds::Clean).filter(|reading| reading.value > 0.0) {
            self.values.push(reading.value);
            self.timestamps.push(reading.timestamp);
        }
        let change = likeliest_ratio(&mut self.values)?;
        Some((*self.timestamps.get(change.at)?, change.step, change.p_value))
    }
}
