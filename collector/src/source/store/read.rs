//! A store's samples into one [`Packed`] an instance.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::answer::Series;
use super::api::{Api, Span, equals, matches};
use super::instances::{Era, Fleet};
use super::names::{self, Metric};
use super::rounds::Rounds;
use super::{Options, StoreError};
use crate::date::utc_minute;
use crate::http::{Access, Address, Net};
use crate::observation::{
    Instance, Labels, Packed, Packer, Reading as Value, SeriesKey, Vocabulary, probe_of,
};
use crate::source::identity;

const LAST_ROUND: &str = "tierprobe_probe_last_round_timestamp_seconds";
const LAST_ROUND_DISTURBED: &str = "tierprobe_probe_last_round_disturbed";
const ALL_NAMES: &str = "(instance:)?tierprobe_.+";
/// After how long without a scrape an instance is stale, in seconds: when Prometheus itself no longer shows it.
const STALE_SECONDS: f64 = 300.0;
/// What is asked for besides what was computed, in seconds.
const RECENT_SECONDS: f64 = 60.0;
/// Up to how many instances are asked for by name; beyond, asking for all is cheaper.
const FEW: usize = 50;

/// What a store gave.
#[derive(Debug, Default)]
pub struct Stored {
    /// One entry an instance, and one for each of its eras.
    pub collected: Vec<Packed>,
    /// What the store warned of: the data may be incomplete.
    pub warnings: Vec<String>,
    /// What else it said.
    pub infos: Vec<String>,
}

/// Reads the store at `prefix`. `source` is what the user calls it, `vocabulary` keeps its series; `progress` hears
/// how many observations there are.
///
/// # Errors
///
/// When the store does not answer, or cannot be relied on, or has no agents.
pub async fn read(
    (source, vocabulary): (&str, &Vocabulary),
    prefix: Address,
    access: &Access,
    net: Arc<Net>,
    options: Options,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Stored, StoreError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let to = options.end.unwrap_or(now);
    let span = Span { from: to - options.range.as_secs_f64(), to };
    let statistic = options.statistic;
    let mut api = Api::new(prefix, access, net, options);

    let rounds = api.series(&[api.selector(LAST_ROUND, &[])], span).await?;
    let mut fleet = Fleet::new(rounds);
    if fleet.is_empty() {
        return Err(StoreError::NoAgents { from: utc_minute(span.from), to: utc_minute(span.to) });
    }
    identify(&mut api, &mut fleet, span).await?;
    let all = api.selector("", &[matches("__name__", ALL_NAMES)]);
    let names: BTreeSet<String> = api.values_of("__name__", &all, span).await?;
    let wanted = names::wanted(&names, statistic);

    let mut reading = Reading::new(source, vocabulary, fleet);
    for probe in reading.fleet.probes.clone() {
        let all = reading.fleet.probes.iter().map(String::as_str);
        let is_of = |metric: &&Metric| probe_of(&metric.family, all.clone()) == Some(&probe);
        let metrics: Vec<&Metric> = wanted.iter().filter(is_of).collect();
        if metrics.is_empty() {
            continue;
        }
        let of_probe = [equals("probe", &probe)];
        let selector = api.selector(LAST_ROUND, &of_probe);
        api.samples(&selector, span, |series| reading.add_rounds(series)).await?;
        let selector = api.selector(LAST_ROUND_DISTURBED, &of_probe);
        api.samples(&selector, span, |series| reading.mark_rounds(series)).await?;
        for metric in metrics {
            let quantile: Vec<String> =
                metric.quantile.iter().map(|quantile| matches("quantile", quantile)).collect();
            let selector = api.selector(&metric.name, &quantile);
            let mut taken = Taken::new();
            api.samples(&selector, span, |series| reading.observe(metric, series, &mut taken)).await?;
            progress(reading.observations);
        }
        reading.end_probe();
    }
    describe(&mut api, &wanted, vocabulary).await;
    Ok(Stored {
        collected: reading.finish(span.to),
        warnings: api.warnings.into_iter().collect(),
        infos: api.infos.into_iter().collect(),
    })
}

/// Finds out what each instance is, and when.
async fn identify(api: &mut Api, fleet: &mut Fleet, span: Span) -> Result<(), StoreError> {
    let selectors: Vec<String> = identity::IDENTITY.iter().map(|name| api.selector(name, &[])).collect();
    let infos = api.series(&selectors, span).await?;
    for (name, instances) in fleet.note_infos(infos) {
        let few = (instances.len() <= FEW).then(|| {
            let names: Vec<String> = instances.iter().map(|name| escaped(name)).collect();
            matches("instance", &names.join("|"))
        });
        let few: Vec<String> = few.into_iter().collect();
        let selector = api.selector(&name, &few);
        api.samples(&selector, span, |series| fleet.note_changes(series)).await?;
    }
    for name in [identity::TIER_CONFIDENCE, identity::RESOLUTION] {
        let milliseconds = ((span.to - span.from) * 1000.0).ceil();
        let latest = format!("last_over_time({}[{milliseconds:.0}ms])", api.selector(name, &[]));
        fleet.note_numbers(api.query(&latest, span.to).await?);
        // VictoriaMetrics leaves the last half minute out of what is computed; samples as they are have it.
        let recent = Span { from: span.from.max(span.to - RECENT_SECONDS), to: span.to };
        let selector = api.selector(name, &[]);
        api.samples(&selector, recent, |series| fleet.note_numbers(series)).await?;
    }
    Ok(())
}

/// What a metric is, by the metadata of the store.
#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    help: String,
}

/// One sentence on each family. Not all stores know any, and nothing depends on it.
async fn describe(api: &mut Api, wanted: &BTreeSet<Metric>, vocabulary: &Vocabulary) {
    for metric in wanted {
        let known: Result<BTreeMap<String, Vec<Metadata>>, _> = api.metadata(&metric.name).await;
        let Ok(known) = known else { return };
        if let Some(metadata) = known.into_values().flatten().find(|metadata| !metadata.help.is_empty()) {
            vocabulary.describe(&metric.family, &metadata.help);
        }
    }
}

/// Which round of a series was taken last, by its instance and its own labels.
type Taken = HashMap<(usize, Labels), usize>;

/// What was read so far.
struct Reading {
    fleet: Fleet,
    /// The eras of each instance: from when on, and which of `collected` it is.
    eras: Vec<Vec<(f64, usize)>>,
    collected: Vec<Packer>,
    /// Of the probe that is read.
    rounds: Vec<Rounds>,
    last_scraped: Vec<f64>,
    observations: usize,
}

impl Reading {
    fn new(source: &str, vocabulary: &Vocabulary, fleet: Fleet) -> Self {
        let mut collected: Vec<Packer> = Vec::new();
        let mut eras = Vec::new();
        for at in 0..fleet.len() {
            let first = collected.len();
            let mut told: Vec<Instance> = Vec::new();
            let mut own = Vec::new();
            for Era { from, instance } in fleet.eras(at) {
                // Who was away and came back is the same again.
                let known = told.iter().position(|one| *one == instance);
                own.push((from, first + known.unwrap_or(told.len())));
                if known.is_none() {
                    collected.push(Packer::new(source, instance.clone(), vocabulary));
                    told.push(instance);
                }
            }
            eras.push(own);
        }
        let rounds = vec![Rounds::default(); fleet.len()];
        let last_scraped = vec![0.0; fleet.len()];
        Self { fleet, eras, collected, rounds, last_scraped, observations: 0 }
    }

    fn add_rounds(&mut self, series: Vec<Series>) {
        for one in series {
            if let Some(rounds) = self.fleet.find(&one.metric).and_then(|at| self.rounds.get_mut(at)) {
                rounds.add(&one.values.0);
            }
        }
    }

    fn mark_rounds(&mut self, series: Vec<Series>) {
        for one in series {
            if let Some(rounds) = self.fleet.find(&one.metric).and_then(|at| self.rounds.get_mut(at)) {
                rounds.mark(&one.values.0);
            }
        }
    }

    fn observe(&mut self, metric: &Metric, series: Vec<Series>, taken: &mut Taken) {
        for one in series {
            let Some(at) = self.fleet.find(&one.metric) else { continue };
            let (Some(rounds), Some(eras)) = (self.rounds.get(at), self.eras.get(at)) else { continue };
            let mut labels = self.fleet.own(one.metric);
            labels.remove("quantile");
            if metric.name != metric.family && metric.quantile.is_none() {
                // The rule has joined it.
                labels.remove("tier");
            }
            let key = SeriesKey { family: metric.family.clone(), labels, statistic: metric.statistic };
            let mut last = taken.get(&(at, key.labels.clone())).copied();
            let mut values: Vec<(usize, Value)> = Vec::new();
            for sample in &one.values.0 {
                let Some((round_at, round)) = rounds.at(sample.at) else { continue };
                // A store that shows where a series ends shows it as NaN.
                if !round.counts || last.is_some_and(|last| round_at <= last) || sample.value.is_nan() {
                    continue;
                }
                last = Some(round_at);
                let Some((_, which)) = eras.iter().rfind(|(from, _)| *from <= sample.at) else { continue };
                let (timestamp, disturbed) = (round.ended, round.disturbed);
                values.push((*which, Value { timestamp, value: sample.value, disturbed }));
            }
            self.observations += values.len();
            for of_era in values.chunk_by(|(a, _), (b, _)| a == b) {
                if let Some((which, _)) = of_era.first()
                    && let Some(collected) = self.collected.get_mut(*which)
                {
                    collected.series(&key, of_era.iter().map(|(_, value)| *value));
                }
            }
            if let Some(last) = last {
                taken.insert((at, key.labels), last);
            }
        }
    }

    /// Forgets the rounds of one probe, as those of all together would be the most of all that is kept.
    fn end_probe(&mut self) {
        for (at, rounds) in self.rounds.iter_mut().enumerate() {
            let rounds = std::mem::take(rounds);
            if let Some(last) = self.last_scraped.get_mut(at) {
                *last = last.max(rounds.last_scraped());
            }
            let latest = self.eras.get(at).and_then(|eras| eras.last());
            if let Some(collected) = latest.and_then(|(_, which)| self.collected.get_mut(*which)) {
                collected.about().discarded.clock_resets += rounds.clock_resets();
            }
        }
    }

    fn finish(mut self, to: f64) -> Vec<Packed> {
        for (eras, last) in self.eras.iter().zip(&self.last_scraped) {
            let age = to - last;
            if let Some(collected) = eras.last().and_then(|(_, which)| self.collected.get_mut(*which))
                && age > STALE_SECONDS
                && *last > 0.0
            {
                collected.about().stale_seconds = Some(age);
            }
        }
        let mut packed: Vec<Packed> = self.collected.into_iter().map(Packer::pack).collect();
        packed.retain(|packed| !packed.is_empty());
        packed
    }
}

/// A text as a regular expression that matches it alone.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if !character.is_alphanumeric() && !matches!(character, '_' | '-' | ':' | '/' | ' ') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_themselves_alone() {
        assert_eq!(escaped("10.0.0.1:9|x"), r"10\.0\.0\.1:9\|x");
    }
}
