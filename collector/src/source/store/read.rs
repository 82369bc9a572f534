//! A store's samples into one [`Packed`] an instance.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::api::{Api, Span, equals, matches};
use super::instances::Fleet;
use super::intake::{Intake, Part};
use super::names::{self, Metric};
use super::pages::Pages;
use super::reading::Reading;
use super::{Options, StoreError};
use crate::date::utc_minute;
use crate::http::{Access, Address, Net};
use crate::observation::{Packed, Vocabulary, probe_of};
use crate::source::{Quota, identity};

const LAST_ROUND: &str = "tierprobe_probe_last_round_timestamp_seconds";
const LAST_ROUND_DISTURBED: &str = "tierprobe_probe_last_round_disturbed";
const ALL_NAMES: &str = "(instance:)?tierprobe_.+";
/// What is asked for besides what was computed, in seconds.
const RECENT_SECONDS: f64 = 60.0;
/// Up to how many instances are asked for by name; beyond, asking for all is cheaper.
const FEW: usize = 50;

/// What a store gave.
#[derive(Debug, Default)]
pub struct Stored {
    /// One entry an instance.
    pub collected: Vec<Packed>,
    /// What the store warned of: the data may be incomplete.
    pub warnings: Vec<String>,
    /// What else it said.
    pub infos: Vec<String>,
}

/// Reads the store at `prefix`. `source` is what the user calls it, `vocabulary` keeps its series, `quota` says
/// how many readings there may be; `progress` hears how many observations there are.
///
/// # Errors
///
/// When the store does not answer, or cannot be relied on, or has no agents.
pub async fn read(
    (source, vocabulary, quota): (&str, &Vocabulary, &Arc<Quota>),
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

    let probes = fleet.probes.clone();
    let mut intake = Intake::start(Reading::new(source, vocabulary, fleet), Arc::clone(quota));
    for probe in &probes {
        let is_of = |metric: &&Metric| {
            probe_of(&metric.family, probes.iter().map(String::as_str)) == Some(probe.as_str())
        };
        let metrics: Vec<&Metric> = wanted.iter().filter(is_of).collect();
        if metrics.is_empty() {
            continue;
        }
        let of_probe = [equals("probe", probe)];
        let mut pages = paged(&mut api, LAST_ROUND, &of_probe, span);
        while let Some(body) = pages.next(&mut api).await? {
            intake.give(Part::Rounds(body)).await?;
        }
        let mut pages = paged(&mut api, LAST_ROUND_DISTURBED, &of_probe, span);
        while let Some(body) = pages.next(&mut api).await? {
            intake.give(Part::Marks(body)).await?;
        }
        for metric in metrics {
            intake.give(Part::Metric(metric.clone())).await?;
            let quantile: Vec<String> =
                metric.quantile.iter().map(|quantile| matches("quantile", quantile)).collect();
            let mut pages = paged(&mut api, &metric.name, &quantile, span);
            while let Some(body) = pages.next(&mut api).await? {
                intake.give(Part::Values(body)).await?;
            }
            progress(intake.observations());
        }
        intake.give(Part::EndOfProbe).await?;
    }
    describe(&mut api, &wanted, vocabulary).await;
    let (reading, heard) = intake.end().await?;
    progress(reading.observations());
    api.heard.add(heard);
    Ok(Stored {
        collected: reading.finish(span.to),
        warnings: api.heard.warnings.into_iter().collect(),
        infos: api.heard.infos.into_iter().collect(),
    })
}

/// The samples of a metric, page by page.
fn paged(api: &mut Api, name: &str, matchers: &[String], span: Span) -> Pages {
    let selector = api.selector(name, matchers);
    Pages::of(api, selector, span)
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
