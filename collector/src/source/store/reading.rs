//! Samples of a store into one [`Packed`] an instance: which round each is of, and of which of an instance's eras.

use std::collections::HashMap;

use super::answer::Series;
use super::instances::{Era, Fleet};
use super::names::Metric;
use super::rounds::Rounds;
use crate::observation::{Instance, Labels, Packed, Packer, Reading as Value, SeriesKey, Vocabulary};

/// After how long without a scrape an instance is stale, in seconds: when Prometheus itself no longer shows it.
const STALE_SECONDS: f64 = 300.0;

/// Which round of a series was taken last, by its instance and its own labels.
pub(super) type Taken = HashMap<(usize, Labels), usize>;

/// What was read so far.
#[derive(Debug)]
pub(super) struct Reading {
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
    /// Nothing yet of these instances. `source` is what the user calls the store.
    pub(super) fn new(source: &str, vocabulary: &Vocabulary, fleet: Fleet) -> Self {
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

    /// How many observations there are so far.
    pub(super) const fn observations(&self) -> usize {
        self.observations
    }

    /// Takes in the ends of rounds of a probe.
    pub(super) fn add_rounds(&mut self, series: Vec<Series>) {
        for one in series {
            if let Some(rounds) = self.fleet.find(&one.metric).and_then(|at| self.rounds.get_mut(at)) {
                rounds.add(&one.values.0);
            }
        }
    }

    /// Takes in which of them were disturbed.
    pub(super) fn mark_rounds(&mut self, series: Vec<Series>) {
        for one in series {
            if let Some(rounds) = self.fleet.find(&one.metric).and_then(|at| self.rounds.get_mut(at)) {
                rounds.mark(&one.values.0);
            }
        }
    }

    /// Takes in values of a metric of that probe.
    pub(super) fn observe(&mut self, metric: &Metric, series: Vec<Series>, taken: &mut Taken) {
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
    pub(super) fn end_probe(&mut self) {
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

    /// All instances, at the end of the span.
    pub(super) fn finish(mut self, to: f64) -> Vec<Packed> {
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
