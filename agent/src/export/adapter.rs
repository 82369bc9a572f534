//! Our families as those of the `prometheus` crate.

use prometheus::proto;
use tierprobe_model::family::BUCKETS;
use tierprobe_model::{Family, Kind};

use crate::snapshot::DurationState;

/// Families in the order in which they were first mentioned, each once.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    families: Vec<proto::MetricFamily>,
}

impl Exposition {
    /// Adds a gauge, a counter or an info.
    pub(super) fn value(&mut self, family: &Family, labels: &[&str], value: f64) {
        let mut metric = labelled(family, labels);
        let kind = if family.kind == Kind::Counter {
            let mut counter = proto::Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
            proto::MetricType::COUNTER
        } else {
            let mut gauge = proto::Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
            proto::MetricType::GAUGE
        };
        self.push(family.name.to_owned(), family.help.to_owned(), kind, metric);
    }

    /// Adds a counter of things.
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact below 2^53; a counter a second takes 285 million years"
    )]
    pub(super) fn count(&mut self, family: &Family, labels: &[&str], count: u64) {
        self.value(family, labels, count as f64);
    }

    /// Adds a duration series: all rounds as a histogram, the last one as a summary.
    pub(super) fn duration(&mut self, series: &DurationState) {
        let labels: Vec<&str> = series.labels.iter().map(AsRef::as_ref).collect();
        let mut histogram = proto::Histogram::default();
        histogram.set_sample_count(series.total.count);
        histogram.set_sample_sum(series.total.sum);
        let mut below = 0;
        let buckets = BUCKETS.iter().zip(series.total.buckets).map(|(bound, count)| {
            below += count;
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(below);
            bucket
        });
        histogram.set_bucket(buckets.collect());
        let mut metric = labelled(series.family, &labels);
        metric.set_histogram(histogram);
        let name = series.family.name.to_owned();
        self.push(name, series.family.help.to_owned(), proto::MetricType::HISTOGRAM, metric);

        let Some(quantiles) = series.quantiles else { return };
        let mut summary = proto::Summary::default();
        summary.set_sample_count(series.total.count);
        summary.set_sample_sum(series.total.sum);
        let quantiles = quantiles.by_quantile().into_iter().map(|(rank, value)| {
            let mut quantile = proto::Quantile::default();
            quantile.set_quantile(rank);
            quantile.set_value(value);
            quantile
        });
        summary.set_quantile(quantiles.collect());
        let mut metric = labelled(series.family, &labels);
        metric.set_summary(summary);
        let help =
            format!("{} Quantiles of the last round alone; count and sum of all rounds.", series.family.help);
        self.push(series.family.round_name(), help, proto::MetricType::SUMMARY, metric);
    }

    fn push(&mut self, name: String, help: String, kind: proto::MetricType, metric: proto::Metric) {
        if let Some(family) = self.families.iter_mut().find(|family| family.name() == name) {
            family.mut_metric().push(metric);
            return;
        }
        let mut family = proto::MetricFamily::default();
        family.set_name(name);
        family.set_help(help);
        family.set_field_type(kind);
        family.set_metric(vec![metric]);
        self.families.push(family);
    }

    /// The families, sorted by name as in every exposition.
    pub(super) fn finish(mut self) -> Vec<proto::MetricFamily> {
        self.families.sort_by(|one, other| one.name().cmp(other.name()));
        self.families
    }
}

/// A metric with its labels, sorted by name as in every exposition.
fn labelled(family: &Family, values: &[&str]) -> proto::Metric {
    let mut pairs: Vec<proto::LabelPair> = family
        .labels
        .iter()
        .zip(values)
        .map(|(name, value)| {
            let mut pair = proto::LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        })
        .collect();
    pairs.sort_by(|one, other| one.name().cmp(other.name()));
    proto::Metric::from_label(pairs)
}
