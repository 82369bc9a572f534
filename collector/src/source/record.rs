//! The record that `tierprobe-agent measure --format json` writes.

use std::path::Path;

use tierprobe_model::record::{GaugeRecord, Record, RoundRecord, SeriesRecord};
use tierprobe_model::{Detection, LayerKind, Quantiles, SCHEMA};

use super::identity;
use crate::error::SourceError;
use crate::observation::{Instance, Packed, Packer, Reading, SeriesKey, Statistic, Vocabulary, probe_of};

/// Reads the records in a text: one, or several one after the other, each of an instance of its own. `path` is where
/// the text came from.
///
/// What comes of each record is an error when it is no record or holds no observation. Nothing is read after what is
/// no record.
pub fn parse<'b>(
    path: &'b Path,
    bytes: &'b [u8],
    vocabulary: &'b Vocabulary,
) -> impl Iterator<Item = Result<Packed, SourceError>> + use<'b> {
    let not_a_record = |error| SourceError::Record { path: path.to_owned(), error };
    let mut records = serde_json::Deserializer::from_slice(bytes).into_iter::<Record>();
    let mut is_first = true;
    std::iter::from_fn(move || {
        let next = records.next().map(|record| record.map_err(not_a_record));
        // Of nothing, serde says what is missing.
        let nothing = || serde_json::from_slice::<Record>(bytes).map_err(not_a_record);
        let record =
            if std::mem::replace(&mut is_first, false) { Some(next.unwrap_or_else(nothing)) } else { next };
        record.map(|record| {
            let record = record?;
            if record.schema != SCHEMA {
                return Err(SourceError::Schema {
                    path: path.to_owned(),
                    found: record.schema,
                    known: SCHEMA,
                });
            }
            let packed = pack(&record, &path.display().to_string(), vocabulary);
            if packed.is_empty() { Err(SourceError::NoRounds) } else { Ok(packed) }
        })
    })
}

/// The observations of a record, for whoever holds one already.
#[must_use]
pub fn pack(record: &Record, source: &str, vocabulary: &Vocabulary) -> Packed {
    let mut packer = Packer::new(source, instance(record), vocabulary);
    let mut end = 0.0_f64;
    for family in &record.families {
        for series in &family.series {
            observe_rounds(&mut packer, &family.name, series);
            let finite = series.rounds.iter().map(|round| round.timestamp).filter(|time| time.is_finite());
            end = finite.fold(end, f64::max);
        }
    }
    // Gauges without rounds of their own were read once, at the end.
    for gauge in &record.gauges {
        let probes = record.probes.iter().map(|probe| probe.name.as_str());
        if !identity::is_about_the_agent(&gauge.name) && probe_of(&gauge.name, probes).is_some() {
            observe_gauge(&mut packer, gauge, end);
        }
    }
    packer.pack()
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

/// A number of a round, and where it is.
type Number = (Statistic, fn(&Quantiles) -> f64);

const NUMBERS: [Number; 5] = [
    (Statistic::Min, |quantiles| quantiles.min),
    (Statistic::P50, |quantiles| quantiles.p50),
    (Statistic::P90, |quantiles| quantiles.p90),
    (Statistic::P99, |quantiles| quantiles.p99),
    (Statistic::Max, |quantiles| quantiles.max),
];

fn observe_rounds(packer: &mut Packer, family: &str, series: &SeriesRecord) {
    for (statistic, number) in NUMBERS {
        let key = SeriesKey { family: family.to_owned(), labels: series.labels.clone(), statistic };
        let reading = |round: &RoundRecord| Reading {
            timestamp: round.timestamp,
            value: number(&round.quantiles),
            disturbed: !round.disturbed.is_empty(),
        };
        packer.series(&key, series.rounds.iter().map(reading));
    }
}

fn observe_gauge(packer: &mut Packer, gauge: &GaugeRecord, end: f64) {
    let key =
        SeriesKey { family: gauge.name.clone(), labels: gauge.labels.clone(), statistic: Statistic::Value };
    if gauge.rounds.is_empty() {
        packer.series(&key, [Reading { timestamp: end, value: gauge.value, disturbed: false }]);
    }
    packer.series(
        &key,
        gauge.rounds.iter().map(|round| Reading {
            timestamp: round.timestamp,
            value: round.value,
            disturbed: !round.disturbed.is_empty(),
        }),
    );
}
