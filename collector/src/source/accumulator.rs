//! Scrapes of one instance into its observations, each round once.
//!
//! Knows nothing of where the text came from: the caller fetches, the accumulator takes in.

use std::collections::BTreeMap;

use tierprobe_model::Family as Named;

use super::identity;
use crate::error::TakeError;
use crate::exposition::{self, Family, Kind};
use crate::observation::{Collected, Instance, Labels, Observation, Packed, Statistic, Vocabulary, probe_of};

const LAST_ROUND: &str = "tierprobe_probe_last_round_timestamp_seconds";
const LAST_ROUND_DISTURBED: &str = "tierprobe_probe_last_round_disturbed";
const OF_AN_AGENT: &str = "tierprobe_";

/// Scrapes of one instance, taken in one after the other.
#[derive(Debug, Clone)]
pub struct Accumulator {
    collected: Collected,
    /// Each probe's latest round, and how many there were.
    seen: BTreeMap<String, Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    timestamp: f64,
    rounds: usize,
}

/// A probe's round, as one scrape shows it.
#[derive(Debug, Clone, Copy)]
struct Round {
    timestamp: f64,
    disturbed: bool,
}

impl Accumulator {
    /// An accumulator for one instance.
    ///
    /// `source` is where it comes from as the user named it, `instance` its name.
    #[must_use]
    pub fn new(source: impl Into<String>, instance: impl Into<String>) -> Self {
        let instance = Instance { name: instance.into(), ..Instance::default() };
        let collected = Collected { source: source.into(), instance, ..Collected::default() };
        Self { collected, seen: BTreeMap::new() }
    }

    /// Takes in one scrape and says how many rounds were new in it, over all probes.
    ///
    /// A round that an earlier scrape already showed is not counted again.
    ///
    /// # Errors
    ///
    /// When the text is no exposition, or not an agent's. Nothing of it is taken in then.
    pub fn take(&mut self, text: &str) -> Result<usize, TakeError> {
        let families = exposition::parse(text)?;
        if !families.iter().any(|family| family.name.starts_with(OF_AN_AGENT)) {
            return Err(TakeError::NotAnAgent);
        }
        for family in families.iter().filter(|family| family.kind != Kind::Histogram) {
            for sample in &family.samples {
                identity::note(&mut self.collected.instance, &sample.name, &sample.labels, sample.value);
            }
        }
        let rounds = rounds(&families);
        let new = self.new_rounds(&rounds);
        for family in &families {
            self.observe(family, &rounds, &new);
        }
        Ok(new.len())
    }

    /// Everything taken in so far, in time order.
    #[must_use]
    pub fn finish(mut self) -> Collected {
        self.collected.observations.sort_by(|a, b| a.timestamp.total_cmp(&b.timestamp));
        self.collected
    }

    /// The same, packed, with the keys of a vocabulary that other accumulators may share.
    #[must_use]
    pub fn pack(self, vocabulary: &Vocabulary) -> Packed {
        self.finish().pack(vocabulary)
    }

    /// The most rounds of any one probe so far; for showing progress.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.seen.values().map(|seen| seen.rounds).max().unwrap_or(0)
    }

    /// The probes whose round no earlier scrape showed.
    fn new_rounds(&mut self, rounds: &BTreeMap<String, Round>) -> Vec<String> {
        let mut new = Vec::new();
        for (probe, round) in rounds {
            let before = self.seen.get(probe).copied();
            let mut count = before.map_or(0, |seen| seen.rounds);
            if before.is_some_and(|seen| round.timestamp < seen.timestamp) {
                // The clock was set back, so when this round ran is unknown. The next ones count again.
                self.collected.discarded.clock_resets += 1;
            } else if before.is_none_or(|seen| round.timestamp > seen.timestamp) {
                count += 1;
                new.push(probe.clone());
            }
            self.seen.insert(probe.clone(), Seen { timestamp: round.timestamp, rounds: count });
        }
        new
    }

    fn observe(&mut self, family: &Family, rounds: &BTreeMap<String, Round>, new: &[String]) {
        let Some(name) = compared_name(family) else { return };
        let Some(probe) = probe_of(&name, rounds.keys().map(String::as_str)) else { return };
        let Some(round) = rounds.get(probe).filter(|_| new.iter().any(|one| one == probe)) else { return };
        if let Some(help) = &family.help {
            self.collected.help.entry(name.clone()).or_insert_with(|| help.clone());
        }
        for sample in &family.samples {
            let Some((labels, statistic)) = series(family, &sample.name, &sample.labels) else { continue };
            if !sample.value.is_finite() {
                self.collected.discarded.not_finite += 1;
                continue;
            }
            self.collected.observations.push(Observation {
                family: name.clone(),
                labels,
                statistic,
                timestamp: round.timestamp,
                value: sample.value,
                disturbed: round.disturbed,
            });
        }
    }
}

/// The latest round of each probe that has had one.
fn rounds(families: &[Family]) -> BTreeMap<String, Round> {
    let samples = |name: &str| {
        let family = families.iter().find(|family| family.name == name);
        family.map(|family| family.samples.as_slice()).unwrap_or_default()
    };
    let disturbed: Vec<&str> = samples(LAST_ROUND_DISTURBED)
        .iter()
        .filter(|sample| sample.value > 0.0)
        .filter_map(|sample| sample.labels.get("probe").map(String::as_str))
        .collect();
    samples(LAST_ROUND)
        .iter()
        .filter(|sample| sample.value.is_finite() && sample.value > 0.0)
        .filter_map(|sample| {
            let probe = sample.labels.get("probe")?;
            let disturbed = disturbed.contains(&probe.as_str());
            Some((probe.clone(), Round { timestamp: sample.value, disturbed }))
        })
        .collect()
}

/// What the family's values are compared as; `None` for families that are not compared.
///
/// A round summary stands for its duration family. The histogram of that family is of no use here: its buckets
/// cannot show a few per cent, and counters are totals since the agent's start.
fn compared_name(family: &Family) -> Option<String> {
    if identity::is_about_the_agent(&family.name) {
        return None;
    }
    match family.kind {
        Kind::Summary => Named::name_of_round(&family.name),
        Kind::Gauge => Some(family.name.clone()),
        Kind::Counter | Kind::Histogram | Kind::Untyped => None,
    }
}

/// Which series a line is of, and which of its numbers; `None` for `_sum`, `_count` and unknown quantiles.
fn series(family: &Family, name: &str, labels: &Labels) -> Option<(Labels, Statistic)> {
    if family.kind == Kind::Gauge {
        return Some((labels.clone(), Statistic::Value));
    }
    if name != family.name {
        return None;
    }
    let mut labels = labels.clone();
    let statistic = Statistic::of_quantile(&labels.remove("quantile")?)?;
    Some((labels, statistic))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrape(timestamp: f64, disturbed: u8, getppid: &str) -> String {
        format!(
            "# TYPE tierprobe_tier_info gauge\n\
             tierprobe_tier_info{{tier=\"vm\",hypervisor=\"kvm\",vmm=\"\"}} 1\n\
             # TYPE tierprobe_tier_confidence_ratio gauge\n\
             tierprobe_tier_confidence_ratio 0.97\n\
             # TYPE tierprobe_probe_resolution_seconds gauge\n\
             tierprobe_probe_resolution_seconds{{probe=\"syscall\"}} 1e-11\n\
             # TYPE tierprobe_probe_last_round_timestamp_seconds gauge\n\
             tierprobe_probe_last_round_timestamp_seconds{{probe=\"syscall\"}} {timestamp}\n\
             # TYPE tierprobe_probe_last_round_disturbed gauge\n\
             tierprobe_probe_last_round_disturbed{{probe=\"syscall\"}} {disturbed}\n\
             # TYPE tierprobe_syscall_seconds histogram\n\
             tierprobe_syscall_seconds_bucket{{syscall=\"getppid\",le=\"+Inf\"}} 3\n\
             tierprobe_syscall_seconds_sum{{syscall=\"getppid\"}} 3\n\
             tierprobe_syscall_seconds_count{{syscall=\"getppid\"}} 3\n\
             # HELP tierprobe_syscall_round_seconds Time of one system call.\n\
             # TYPE tierprobe_syscall_round_seconds summary\n\
             tierprobe_syscall_round_seconds{{syscall=\"getppid\",quantile=\"0.5\"}} {getppid}\n\
             tierprobe_syscall_round_seconds_sum{{syscall=\"getppid\"}} 3\n\
             tierprobe_syscall_round_seconds_count{{syscall=\"getppid\"}} 3\n\
             # TYPE tierprobe_syscall_cold_seconds gauge\n\
             tierprobe_syscall_cold_seconds{{syscall=\"getppid\"}} 2e-6\n\
             # TYPE process_resident_memory_bytes gauge\n\
             process_resident_memory_bytes 1e6\n"
        )
    }

    fn taken(scrapes: &[String]) -> Collected {
        let mut accumulator = Accumulator::new("http://h:1/metrics", "h:1");
        for scrape in scrapes {
            accumulator.take(scrape).unwrap();
        }
        accumulator.finish()
    }

    #[test]
    fn a_round_counts_once_however_often_it_is_scraped() {
        let collected =
            taken(&[scrape(100.0, 0, "1e-7"), scrape(100.0, 0, "1e-7"), scrape(115.0, 1, "2e-7")]);
        let p50: Vec<_> =
            collected.observations.iter().filter(|one| one.statistic == Statistic::P50).collect();
        assert_eq!(p50.len(), 2);
        assert_eq!(p50[0].family, "tierprobe_syscall_seconds");
        assert_eq!(p50[0].labels, Labels::from([("syscall".into(), "getppid".into())]));
        assert_eq!((p50[0].value, p50[0].disturbed), (1e-7, false));
        assert_eq!((p50[1].value, p50[1].disturbed), (2e-7, true));
        let families: Vec<_> = collected.observations.iter().map(|one| one.family.as_str()).collect();
        assert!(families.contains(&"tierprobe_syscall_cold_seconds"), "{families:?}");
        assert!(!families.iter().any(|family| family.contains("process") || family.contains("probe_probe")));
        assert_eq!(collected.help["tierprobe_syscall_seconds"], "Time of one system call.");
    }

    #[test]
    fn identity_comes_from_the_info_metrics() {
        let collected = taken(&[scrape(100.0, 0, "1e-7")]);
        assert_eq!(collected.instance.labels["tier"], "vm");
        assert!(!collected.instance.labels.contains_key("vmm"));
        assert_eq!(collected.instance.tier_confidence, Some(0.97));
        assert_eq!(collected.instance.resolution_seconds.get("syscall"), Some(&1e-11));
    }

    #[test]
    fn what_is_no_number_is_dropped_and_counted() {
        let collected = taken(&[scrape(100.0, 0, "NaN"), scrape(115.0, 0, "+Inf")]);
        assert_eq!(collected.discarded.not_finite, 2);
        assert!(collected.observations.iter().all(|one| one.statistic == Statistic::Value));
    }

    #[test]
    fn a_clock_that_is_set_back_costs_one_round() {
        let rounds = [100.0, 115.0, 50.0, 65.0].map(|at| scrape(at, 0, "1e-7"));
        let collected = taken(&rounds);
        assert_eq!(collected.discarded.clock_resets, 1);
        let times: Vec<f64> = collected
            .observations
            .iter()
            .filter(|one| one.statistic == Statistic::P50)
            .map(|one| one.timestamp)
            .collect();
        assert_eq!(times, [65.0, 100.0, 115.0]);
    }

    #[test]
    fn what_is_not_an_agent_is_refused() {
        let mut accumulator = Accumulator::new("s", "i");
        assert_eq!(accumulator.take("node_load1 3\n"), Err(TakeError::NotAnAgent));
        assert_eq!(accumulator.take(""), Err(TakeError::NotAnAgent));
        assert!(matches!(accumulator.take("<html>\n"), Err(TakeError::Exposition(_))));
        assert_eq!(accumulator.finish().observations, []);
    }
}
