//! Samples of a store into one [`Packed`] an instance: which round each is of, and of which of an instance's eras.

use std::collections::HashMap;

use super::answer::Series;
use super::instances::{Era, Fleet};
use super::names::Metric;
use super::rounds::Rounds;
use crate::observation::{
    Instance, Labels, Packed, Packer, Reading as Value, SeriesKey, Vocabulary, before_change,
};

/// After how long without a scrape an instance is stale, in seconds: when Prometheus itself no longer shows it.
const STALE_SECONDS: f64 = 300.0;

/// Which round of a series was taken last, by its instance and its own labels.
pub(super) type Taken = HashMap<(usize, Labels), usize>;

/// What was read so far of what an instance was for a while.
#[derive(Debug)]
struct Collected {
    packer: Packer,
    /// Of all probes.
    rounds: usize,
    whose: usize,
}

/// What was read so far.
#[derive(Debug)]
pub(super) struct Reading {
    fleet: Fleet,
    /// The eras of each instance: from when on, and which of `collected` it is.
    eras: Vec<Vec<(f64, usize)>>,
    collected: Vec<Collected>,
    /// Of the probe that is read.
    rounds: Vec<Rounds>,
    last_scraped: Vec<f64>,
    observations: usize,
}

impl Reading {
    /// Nothing yet of these instances. `source` is what the user calls the store.
    pub(super) fn new(source: &str, vocabulary: &Vocabulary, fleet: Fleet) -> Self {
        let mut collected: Vec<Collected> = Vec::new();
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
                    let packer = Packer::new(source, instance.clone(), vocabulary);
                    collected.push(Collected { packer, rounds: 0, whose: at });
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

    /// How many rounds there are so far of the probe that is read.
    pub(super) fn rounds(&self) -> usize {
        self.rounds.iter().map(Rounds::len).sum()
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
                // A store that shows where a series ends shows it as NaN. Scrapes that failed show no new round, so of
                // a new one that is what the agent said, and counted as what is no number.
                if !round.counts || last.is_some_and(|last| round_at <= last) {
                    continue;
                }
                last = Some(round_at);
                let Some(which) = era(eras, round.scraped) else { continue };
                let (timestamp, disturbed) = (round.ended, round.disturbed);
                values.push((which, Value { timestamp, value: sample.value, disturbed }));
            }
            self.observations += values.iter().filter(|(_, value)| value.value.is_finite()).count();
            for of_era in values.chunk_by(|(a, _), (b, _)| a == b) {
                if let Some((which, _)) = of_era.first()
                    && let Some(collected) = self.collected.get_mut(*which)
                {
                    collected.packer.series(&key, of_era.iter().map(|(_, value)| *value));
                }
            }
            if let Some(last) = last {
                taken.insert((at, key.labels), last);
            }
        }
    }

    /// Forgets the rounds of one probe, as those of all together would be the most of all that is kept.
    pub(super) fn end_probe(&mut self) {
        for ((rounds, last), eras) in self.rounds.iter_mut().zip(&mut self.last_scraped).zip(&self.eras) {
            let rounds = std::mem::take(rounds);
            *last = last.max(rounds.last_scraped());
            for scraped in rounds.iter().filter(|round| round.counts).map(|round| round.scraped) {
                if let Some(collected) = era(eras, scraped).and_then(|which| self.collected.get_mut(which)) {
                    collected.rounds += 1;
                }
            }
            if let Some(collected) = eras.last().and_then(|(_, which)| self.collected.get_mut(*which)) {
                collected.packer.about().discarded.clock_resets += rounds.clock_resets();
            }
        }
    }

    /// All instances as what they were last, at the end of the span; the rounds of what they were before are named.
    pub(super) fn finish(self, to: f64) -> Vec<Packed> {
        let Self { eras, collected, last_scraped, .. } = self;
        // In the order in which each was the last time.
        let turn = |at: usize, one: &Collected| {
            eras.get(one.whose).and_then(|eras| eras.iter().rposition(|(_, which)| *which == at))
        };
        let mut turns: Vec<(usize, Option<usize>, Collected)> = collected
            .into_iter()
            .enumerate()
            .map(|(at, one)| (one.whose, turn(at, &one), one))
            .filter(|(.., one)| one.rounds > 0)
            .collect();
        turns.sort_by_key(|(whose, turn, _)| (*whose, *turn));
        let mut all = Vec::new();
        let mut turns = turns.into_iter().peekable();
        let mut before: Vec<(usize, Instance)> = Vec::new();
        while let Some((whose, _, mut one)) = turns.next() {
            if turns.peek().is_some_and(|(next, ..)| *next == whose) {
                before.push((one.rounds, one.packer.about().instance.clone()));
                continue;
            }
            let about = one.packer.about();
            let is = about.instance.labels.clone();
            let left_out = before.drain(..).map(|(rounds, was)| before_change(rounds, &was.labels, &is));
            about.left_out.extend(left_out);
            let age = last_scraped.get(whose).filter(|last| **last > 0.0).map(|last| to - last);
            about.stale_seconds = age.filter(|age| *age > STALE_SECONDS);
            all.push(one.packer.pack());
        }
        all.retain(|packed| !packed.is_empty());
        all
    }
}

/// What an instance was at a time.
fn era(eras: &[(f64, usize)], at: f64) -> Option<usize> {
    eras.iter().rfind(|(from, _)| *from <= at).map(|(_, which)| *which)
}
