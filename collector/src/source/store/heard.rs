//! What an answer held, until it is known to be whole.
//!
//! An answer that breaks off is asked for again, in parts if need be. So nothing of it counts before its end was read,
//! and what was heard waits here: sixteen bytes a sample.

use foldhash::HashMap;

use super::answer::{Sample, Samples, Series};
use super::instances::Fleet;
use super::names::Metric;
use super::stream::{Label, Sink};
use crate::observation::{Labels, SeriesId, SeriesKey, Vocabulary};

/// The samples of series of one metric, by instance.
#[derive(Debug)]
pub(super) struct Heard<'f> {
    fleet: &'f Fleet,
    keys: Option<Keys<'f>>,
    /// In the order in which they came.
    series: Vec<Part>,
    samples: Vec<Sample>,
    /// What is known of the series that is being heard.
    current: Option<(usize, Option<SeriesId>)>,
    begin: usize,
    /// Room for what instances are found by.
    key: String,
}

/// Where a series is among the samples.
#[derive(Debug, Clone, Copy)]
struct Part {
    whose: usize,
    id: Option<SeriesId>,
    begin: usize,
    end: usize,
}

impl<'f> Heard<'f> {
    /// For a metric of which an instance has one series.
    pub(super) fn of_instances(fleet: &'f Fleet) -> Self {
        let (series, samples) = (Vec::new(), Vec::new());
        Self { fleet, keys: None, series, samples, current: None, begin: 0, key: String::new() }
    }

    /// For values of a metric.
    pub(super) fn of_values(fleet: &'f Fleet, metric: &'f Metric, vocabulary: &'f Vocabulary) -> Self {
        let keys = Keys { metric, vocabulary, known: HashMap::default(), written: Vec::new() };
        Self { keys: Some(keys), ..Self::of_instances(fleet) }
    }

    /// Each series: whose it is, which it is where there are several, and its samples.
    pub(super) fn series(&self) -> impl Iterator<Item = (usize, Option<SeriesId>, &[Sample])> {
        self.series
            .iter()
            .map(|part| (part.whose, part.id, self.samples.get(part.begin..part.end).unwrap_or_default()))
    }
}

impl Sink for Heard<'_> {
    fn series(&mut self, labels: &[Label<'_>]) {
        let whose = self.fleet.find_written(labels, &mut self.key);
        self.current = whose.map(|whose| (whose, self.keys.as_mut().map(|keys| keys.id(self.fleet, labels))));
    }

    fn sample(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    fn end(&mut self) {
        match self.current.take() {
            Some((whose, id)) if self.begin < self.samples.len() => {
                self.series.push(Part { whose, id, begin: self.begin, end: self.samples.len() });
            }
            Some(_) | None => self.samples.truncate(self.begin),
        }
        self.begin = self.samples.len();
    }

    fn clear(&mut self) {
        self.series.clear();
        self.samples.clear();
        self.current = None;
        self.begin = 0;
    }

    fn held_bytes(&self) -> usize {
        self.samples.capacity() * size_of::<Sample>() + self.series.capacity() * size_of::<Part>()
    }
}

/// Which series there are of a metric. All instances have the same ones, so each is looked up once.
#[derive(Debug)]
struct Keys<'f> {
    metric: &'f Metric,
    vocabulary: &'f Vocabulary,
    known: HashMap<Vec<u8>, SeriesId>,
    /// Room for the labels that are looked up.
    written: Vec<u8>,
}

impl Keys<'_> {
    fn id(&mut self, fleet: &Fleet, labels: &[Label<'_>]) -> SeriesId {
        self.written.clear();
        for (label, value) in labels.iter().filter(|(label, _)| fleet.is_own(label)) {
            for text in [label, value] {
                // With their lengths, as there may be any character in them.
                self.written.extend_from_slice(&text.len().to_le_bytes());
                self.written.extend_from_slice(text.as_bytes());
            }
        }
        if let Some(id) = self.known.get(&self.written) {
            return *id;
        }
        let all = labels.iter().map(|(label, value)| (label.to_string(), value.to_string()));
        let mut own = fleet.own(all.collect::<Labels>());
        own.remove("quantile");
        if self.metric.name != self.metric.family && self.metric.quantile.is_none() {
            // The rule has joined it.
            own.remove("tier");
        }
        let (family, statistic) = (self.metric.family.clone(), self.metric.statistic);
        let id = self.vocabulary.id(&SeriesKey { family, labels: own, statistic });
        self.known.insert(self.written.clone(), id);
        id
    }
}

/// An answer as it is, for what is not much.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// One entry a series.
    pub(super) series: Vec<Series>,
    labels: Labels,
    samples: Vec<Sample>,
}

impl Sink for Listed {
    fn series(&mut self, labels: &[Label<'_>]) {
        self.labels = labels.iter().map(|(label, value)| (label.to_string(), value.to_string())).collect();
    }

    fn sample(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    fn end(&mut self) {
        let (metric, values) = (std::mem::take(&mut self.labels), std::mem::take(&mut self.samples));
        self.series.push(Series { metric, values: Samples(values), value: None });
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    fn held_bytes(&self) -> usize {
        let samples: usize = self.series.iter().map(|one| one.values.0.capacity()).sum();
        samples * size_of::<Sample>()
    }
}
