//! The record that `tierprobe-agent measure --format json` writes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use tierprobe_model::record::{GaugeRecord, Record, SeriesRecord};
use tierprobe_model::{Detection, LayerKind, SCHEMA};

use super::identity;
use crate::error::SourceError;
use crate::observation::{Collected, Instance, Observation, Statistic, probe_of};

/// Longest record that is read, in bytes: far above a day's rounds of all probes.
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// Reads one record file.
///
/// # Errors
///
/// When the file cannot be read, is no record, or holds no observation.
pub fn read(path: &Path) -> Result<Collected, SourceError> {
    let bytes = read_limited(path, MAX_BYTES)?;
    let not_a_record = |error| SourceError::Record { path: path.to_owned(), error };
    let record: Record = serde_json::from_slice(&bytes).map_err(not_a_record)?;
    if record.schema != SCHEMA {
        return Err(SourceError::Schema { path: path.to_owned(), found: record.schema, known: SCHEMA });
    }
    let collected = collect(&record, &path.to_string_lossy());
    if collected.observations.is_empty() { Err(SourceError::NoRounds) } else { Ok(collected) }
}

/// The observations of a record, for whoever holds one already.
#[must_use]
pub fn collect(record: &Record, source: &str) -> Collected {
    let mut collected =
        Collected { source: source.to_owned(), instance: instance(record), ..Collected::default() };
    for family in &record.families {
        for series in &family.series {
            observe_rounds(&mut collected, &family.name, series);
        }
    }
    // Gauges without rounds of their own were read once, at the end.
    let end = collected.observations.iter().map(|one| one.timestamp).fold(0.0, f64::max);
    for gauge in &record.gauges {
        let probes = record.probes.iter().map(|probe| probe.name.as_str());
        if !identity::is_about_the_agent(&gauge.name) && probe_of(&gauge.name, probes).is_some() {
            observe_gauge(&mut collected, gauge, end);
        }
    }
    collected.observations.sort_by(|a, b| a.timestamp.total_cmp(&b.timestamp));
    collected
}

fn instance(record: &Record) -> Instance {
    let mut instance = Instance {
        name: record.instance.clone(),
        tier_confidence: Some(record.detection.confidence),
        ..Instance::default()
    };
    instance.labels.extend(detected(&record.detection).map(|(label, value)| (label.to_owned(), value)));
    // The agent's own info gauges come last: where both speak they say the same, in the wire's words.
    for gauge in &record.gauges {
        identity::note(&mut instance, &gauge.name, &gauge.labels, gauge.value);
    }
    instance
}

/// What a detection says in the labels of the wire's info metrics.
fn detected(detection: &Detection) -> impl Iterator<Item = (&'static str, String)> {
    let layer = |kind| detection.layer(kind).map(str::to_owned);
    [
        ("tier", Some(detection.tier.to_string())),
        ("kernel", Some(detection.kernel.to_string())),
        ("hypervisor", layer(LayerKind::Hypervisor)),
        ("vmm", layer(LayerKind::Vmm)),
        ("container_runtime", layer(LayerKind::Container)),
        ("orchestrator", layer(LayerKind::Orchestrator)),
        ("cloud", layer(LayerKind::Cloud)),
        ("seccomp", detection.isolation.seccomp.map(|state| state.to_string())),
        ("no_new_privs", detection.isolation.no_new_privs.map(|set| set.to_string())),
    ]
    .into_iter()
    .filter_map(|(label, value)| Some((label, value?)))
}

fn observe_rounds(collected: &mut Collected, family: &str, series: &SeriesRecord) {
    for round in &series.rounds {
        let quantiles = round.quantiles;
        let values = [quantiles.min, quantiles.p50, quantiles.p90, quantiles.p99, quantiles.max];
        for (statistic, value) in Statistic::OF_DURATIONS.into_iter().zip(values) {
            push(
                collected,
                Observation {
                    family: family.to_owned(),
                    labels: series.labels.clone(),
                    statistic,
                    timestamp: round.timestamp,
                    value,
                    disturbed: !round.disturbed.is_empty(),
                },
            );
        }
    }
}

fn observe_gauge(collected: &mut Collected, gauge: &GaugeRecord, end: f64) {
    let observation = |timestamp, value, disturbed| Observation {
        family: gauge.name.clone(),
        labels: gauge.labels.clone(),
        statistic: Statistic::Value,
        timestamp,
        value,
        disturbed,
    };
    if gauge.rounds.is_empty() {
        push(collected, observation(end, gauge.value, false));
    }
    for round in &gauge.rounds {
        push(collected, observation(round.timestamp, round.value, !round.disturbed.is_empty()));
    }
}

fn push(collected: &mut Collected, observation: Observation) {
    if observation.value.is_finite() && observation.timestamp.is_finite() {
        collected.observations.push(observation);
    } else {
        collected.discarded.not_finite += 1;
    }
}

/// A file's bytes, unless there are more than `limit`.
pub(super) fn read_limited(path: &Path, limit: usize) -> Result<Vec<u8>, SourceError> {
    let failed = |error| SourceError::File { path: path.to_owned(), error };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    // One byte above the limit tells a file of just that size from a longer one; devices never end.
    let longest = u64::try_from(limit).map_or(u64::MAX, |limit| limit.saturating_add(1));
    file.take(longest).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        return Err(SourceError::TooLarge { path: path.to_owned(), limit_mib: limit / 1024 / 1024 });
    }
    Ok(bytes)
}
