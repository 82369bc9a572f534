//! Which metrics of a store to ask for.

use std::borrow::Cow;
use std::collections::BTreeSet;

use tierprobe_model::Family;

use crate::observation::Statistic;
use crate::source::identity;

/// A metric that holds a family's values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    /// Its name in the store.
    pub name: String,
    /// The family that it is an observation of.
    pub family: String,
    /// Which number of a round it is.
    pub statistic: Statistic,
    /// The values that its label `quantile` may have, where it has one, as a regular expression.
    pub quantile: Option<String>,
}

/// The metrics to ask for, of those that are there, for one number of the rounds of durations.
///
/// The type of a metric is not in its samples, and stores need not know it. So a name says it: what has `_bucket`,
/// `_sum` or `_count` beside it is a histogram or a summary, `_total` is a counter, and the rest are gauges. Where
/// the rounds of a family are not there but the rule `instance:FAMILY:STATISTIC` is, that is taken.
#[must_use]
pub fn wanted(names: &BTreeSet<String>, statistic: Statistic) -> BTreeSet<Metric> {
    let quantile = statistic.quantile_pattern().map(Cow::into_owned);
    let mut wanted = BTreeSet::new();
    for name in names {
        if let Some(family) = Family::name_of_round(name) {
            let is_cost = !identity::is_about_the_agent(&family);
            if is_cost && quantile.is_some() {
                wanted.insert(Metric { name: name.clone(), family, statistic, quantile: quantile.clone() });
            }
        } else if let Some((family, recorded)) = recorded(name) {
            let is_there = names.contains(&round_name(family)) || names.contains(family);
            if !is_there && (recorded == statistic || recorded == Statistic::Value) {
                let family = family.to_owned();
                wanted.insert(Metric { name: name.clone(), family, statistic: recorded, quantile: None });
            }
        } else if is_gauge(name, names) && !identity::is_about_the_agent(name) {
            let family = name.clone();
            wanted.insert(Metric { name: name.clone(), family, statistic: Statistic::Value, quantile: None });
        }
    }
    wanted
}

fn is_gauge(name: &str, names: &BTreeSet<String>) -> bool {
    let has = |name: String| names.contains(&name);
    let is_part = ["_bucket", "_sum", "_count", "_created"].iter().any(|end| {
        let Some(stem) = name.strip_suffix(end) else { return false };
        has(stem.to_owned()) || has(format!("{stem}_bucket")) || has(format!("{stem}_sum")) && *end != "_sum"
    });
    let has_parts = has(format!("{name}_bucket")) || has(format!("{name}_sum")) || has(round_name(name));
    !is_part && !has_parts && !name.ends_with("_total")
}

/// The name of the summary of a family's rounds.
fn round_name(family: &str) -> String {
    format!("{}_round_seconds", family.strip_suffix("_seconds").unwrap_or(family))
}

/// The family and the statistic of `instance:FAMILY:STATISTIC`.
fn recorded(name: &str) -> Option<(&str, Statistic)> {
    let (family, statistic) = name.strip_prefix("instance:")?.rsplit_once(':')?;
    let statistic = Statistic::of_a_name(statistic)?;
    (family.starts_with("tierprobe_") && !identity::is_about_the_agent(family)).then_some((family, statistic))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Vec<(String, String)> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        wanted(&names, Statistic::P50).into_iter().map(|metric| (metric.name, metric.family)).collect()
    }

    fn pair(name: &str, family: &str) -> (String, String) {
        (name.to_owned(), family.to_owned())
    }

    #[test]
    fn rounds_and_gauges_are_wanted_and_nothing_else() {
        let rounds = "tierprobe_syscall_round_seconds";
        assert_eq!(
            of(&[
                "node_load1",
                "tierprobe_cpu_gaps",
                "tierprobe_memory_process_count",
                "tierprobe_probe_up",
                "tierprobe_syscall_round_seconds",
                "tierprobe_syscall_round_seconds_count",
                "tierprobe_syscall_round_seconds_sum",
                "tierprobe_syscall_seconds_bucket",
                "tierprobe_syscall_seconds_count",
                "tierprobe_syscall_seconds_sum",
                "tierprobe_tier_changes_total",
                "tierprobe_tier_info",
            ]),
            [
                pair("tierprobe_cpu_gaps", "tierprobe_cpu_gaps"),
                pair("tierprobe_memory_process_count", "tierprobe_memory_process_count"),
                pair(rounds, "tierprobe_syscall_seconds"),
            ]
        );
    }

    #[test]
    fn rules_stand_in_for_what_is_not_there() {
        let rule = "instance:tierprobe_syscall_seconds:p50";
        assert_eq!(of(&[rule]), [pair(rule, "tierprobe_syscall_seconds")]);
        assert_eq!(of(&["instance:tierprobe_syscall_seconds:p99", "tier:tierprobe_syscall_seconds:p50"]), []);
        let raw = "tierprobe_syscall_round_seconds";
        assert_eq!(of(&[rule, raw]), [pair(raw, "tierprobe_syscall_seconds")]);
        let gauge = "instance:tierprobe_cpu_gaps:value";
        assert_eq!(of(&[gauge]), [pair(gauge, "tierprobe_cpu_gaps")]);
        assert_eq!(of(&[gauge, "tierprobe_cpu_gaps"]), [pair("tierprobe_cpu_gaps", "tierprobe_cpu_gaps")]);
        let names = ["instance:tierprobe_syscall_seconds:p99_9".to_owned()].into();
        let wanted = wanted(&names, Statistic::of_quantile("0.999").unwrap());
        assert_eq!(wanted.first().unwrap().family, "tierprobe_syscall_seconds");
    }
}
