//! What a text says, one fact a number: by our parser and by the openmetrics-parser crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use openmetrics_parser::{
    Exemplar, HistogramValue, MetricFamily, MetricNumber, MetricsExposition, OpenMetricsValue,
    PrometheusValue, SummaryValue,
};
use tierprobe_collector::exposition::{self, ExpositionError, Format, Head, Line, Sink, Timestamp};

/// The facts of each family, each once: which series, which of its numbers, and what.
pub(super) type Facts = BTreeMap<String, BTreeSet<String>>;

/// Labels, the one that tells numbers of a series apart left out.
fn written<'t>(labels: impl Iterator<Item = (&'t str, &'t str)>) -> String {
    let labels: BTreeMap<&str, &str> =
        labels.filter(|(name, _)| !matches!(*name, "le" | "quantile")).collect();
    format!("{labels:?}")
}

fn number(series: &str, what: impl Display, value: f64) -> String {
    format!("{series} {what} {value:e}")
}

fn example(series: &str, what: impl Display, labels: &str, value: f64, at: Option<f64>) -> String {
    format!("{series} {what} such as {labels} {value:e} at {at:?}")
}

/// What our parser reads.
pub(super) fn ours(text: &str) -> Result<Facts, ExpositionError> {
    let mut reading = Ours { facts: Facts::new(), family: String::new() };
    exposition::read(text, Format::guess(text), &mut reading)?;
    Ok(reading.facts)
}

struct Ours {
    facts: Facts,
    family: String,
}

impl<'a> Sink<'a> for Ours {
    fn family(&mut self, head: &Head<'a>) {
        head.name.clone_into(&mut self.family);
    }

    fn line(&mut self, line: &Line<'a, '_>) {
        let labels: Vec<(&str, String)> =
            line.labels.iter().map(|label| (label.name, label.value.text().into_owned())).collect();
        let series = written(labels.iter().map(|(name, value)| (*name, value.as_str())));
        let bound = line.label("le").or_else(|| line.label("quantile"));
        let bound = bound.and_then(|bound| bound.raw().parse::<f64>().ok());
        let suffix = if line.suffix == "_total" { "" } else { line.suffix };
        let what = format!("{suffix}{}", bound.map(|bound| format!("{bound:e}")).unwrap_or_default());
        let facts = self.facts.entry(self.family.clone()).or_default();
        facts.insert(number(&series, &what, line.value));
        let at = line.timestamp.map(|at| match at {
            #[expect(clippy::cast_precision_loss, reason = "times of our days")]
            Timestamp::Milliseconds(milliseconds) => milliseconds as f64,
            Timestamp::Seconds(seconds) => seconds,
        });
        facts.extend(at.map(|at| number(&series, "at", at)));
        facts.extend(line.exemplar.map(|one| {
            let labels: BTreeMap<&str, String> =
                one.labels.iter().map(|label| (label.name, label.value.text().into_owned())).collect();
            example(&series, &what, &format!("{labels:?}"), one.value, one.timestamp)
        }));
    }
}

/// What the crate reads.
pub(super) fn theirs(text: &str, is_open: bool) -> Result<Facts, String> {
    if is_open {
        let parsed = openmetrics_parser::openmetrics::parse_openmetrics(text);
        return Ok(all(parsed.map_err(|error| error.to_string())?, |value, series, facts| match value {
            OpenMetricsValue::Unknown(value) | OpenMetricsValue::Gauge(value) => plain(value, series, facts),
            OpenMetricsValue::Counter(counter) => {
                plain(&counter.value, series, facts);
                facts.extend(counter.exemplar.as_ref().map(|one| exemplar(one, series, "")));
            }
            OpenMetricsValue::Histogram(histogram) => of_histogram(histogram, series, facts),
            OpenMetricsValue::Summary(summary) => of_summary(summary, series, facts),
            other => panic!("not generated: {other:?}"),
        }));
    }
    let parsed = openmetrics_parser::prometheus::parse_prometheus(text);
    Ok(all(parsed.map_err(|error| error.to_string())?, |value, series, facts| match value {
        PrometheusValue::Unknown(value) | PrometheusValue::Gauge(value) => plain(value, series, facts),
        PrometheusValue::Counter(counter) => plain(&counter.value, series, facts),
        PrometheusValue::Histogram(histogram) => of_histogram(histogram, series, facts),
        PrometheusValue::Summary(summary) => of_summary(summary, series, facts),
    }))
}

fn all<K: Clone, V>(parsed: MetricsExposition<K, V>, read: impl Fn(&V, &str, &mut BTreeSet<String>)) -> Facts
where
    MetricFamily<K, V>: Samples<V>,
{
    let mut all = Facts::new();
    for (name, family) in &parsed.families {
        let facts = all.entry(name.clone()).or_default();
        for (labels, timestamp, value) in family.samples() {
            let series = written(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            read(value, &series, facts);
            facts.extend(timestamp.map(|at| number(&series, "at", at)));
        }
    }
    all.retain(|_, facts| !facts.is_empty());
    all
}

/// Labels, time and value.
type Sample<'v, V> = (Vec<(String, String)>, Option<f64>, &'v V);

/// The samples of a family, whichever of the crate's formats it is of.
trait Samples<V> {
    fn samples(&self) -> Vec<Sample<'_, V>>;
}

macro_rules! samples {
    ($kind:ty, $value:ty) => {
        impl Samples<$value> for MetricFamily<$kind, $value> {
            fn samples(&self) -> Vec<Sample<'_, $value>> {
                let labels = |sample: &openmetrics_parser::Sample<$value>| {
                    let set = sample.get_labelset().unwrap();
                    set.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
                };
                self.iter_samples().map(|sample| (labels(sample), sample.timestamp, &sample.value)).collect()
            }
        }
    };
}

samples!(openmetrics_parser::OpenMetricsType, OpenMetricsValue);
samples!(openmetrics_parser::PrometheusType, PrometheusValue);

fn plain(value: &MetricNumber, series: &str, facts: &mut BTreeSet<String>) {
    facts.insert(number(series, "", value.as_f64()));
}

fn exemplar(one: &Exemplar, series: &str, what: &str) -> String {
    let labels: BTreeMap<&str, String> =
        one.labels.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    example(series, what, &format!("{labels:?}"), one.id, one.timestamp)
}

fn of_histogram(histogram: &HistogramValue, series: &str, facts: &mut BTreeSet<String>) {
    for bucket in &histogram.buckets {
        let what = format!("_bucket{:e}", bucket.upper_bound);
        facts.insert(number(series, &what, bucket.count.as_f64()));
        facts.extend(bucket.exemplar.as_ref().map(|one| exemplar(one, series, &what)));
    }
    sum_and_count(histogram.sum.as_ref(), histogram.count, series, facts);
}

fn of_summary(summary: &SummaryValue, series: &str, facts: &mut BTreeSet<String>) {
    for quantile in &summary.quantiles {
        facts.insert(number(series, format!("{:e}", quantile.quantile), quantile.value.as_f64()));
    }
    sum_and_count(summary.sum.as_ref(), summary.count, series, facts);
}

fn sum_and_count(sum: Option<&MetricNumber>, count: Option<u64>, series: &str, facts: &mut BTreeSet<String>) {
    facts.extend(sum.map(|sum| number(series, "_sum", sum.as_f64())));
    #[expect(clippy::cast_precision_loss, reason = "generated counts are small")]
    facts.extend(count.map(|count| number(series, "_count", count as f64)));
}
