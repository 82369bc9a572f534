//! Samples of a store into one [`Packed`] an instance: which round each is of, and of which of an instance's eras.

use std::collections::HashMap;

use super::answer::Sample;
use super::heard::Heard;
use super::instances::{Era, Fleet};
use super::rounds::{Round, Rounds};
use crate::observation::{Instance, Packed, Packer, Vocabulary, before_change};

/// After how long without a scrape an instance is stale, in seconds: when Prometheus itself no longer shows it.
const STALE_SECONDS: f64 = 300.0;

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
    /// The eras of each instance: from when on, and which of `collected` it is.
    eras: Vec<Vec<(f64, usize)>>,
    collected: Vec<Collected>,
    last_scraped: Vec<f64>,
    observations: usize,
    /// Room for the values of one series.
    placed: Vec<(Place, f64)>,
}

/// The rounds of one probe, of each instance: where the values of its series belong.
#[derive(Debug)]
pub(super) struct Timeline {
    instances: Vec<Shown>,
    /// The tracks of those in `collected`.
    tracks: HashMap<usize, usize>,
}

/// Which rounds the scrapes of one instance showed.
#[derive(Debug)]
struct Shown {
    /// The first scrape that showed each, in seconds since the epoch.
    scraped: Box<[f64]>,
    /// Where each belongs; nowhere if it does not count.
    places: Box<[Option<Place>]>,
}

/// A round of what an instance was for a while.
#[derive(Debug, Clone, Copy)]
struct Place {
    which: u32,
    /// Along its track.
    at: u32,
}

impl Shown {
    /// Where samples belong, each round once. What a rule has recorded is of the scrape before.
    fn place(&self, samples: &[Sample], placed: &mut Vec<(Place, f64)>) {
        placed.clear();
        // How many rounds had been shown by the time of a sample, and by that of the one before.
        let (mut shown, mut before) = (0, 0);
        for sample in samples {
            let is_next = |at: usize| self.scraped.get(at).is_some_and(|scraped| *scraped <= sample.at);
            // There is mostly one sample a round, so that the next one is where the last one was, or one further.
            if !is_next(shown) && shown.checked_sub(1).is_some_and(is_next) {
            } else if is_next(shown) && !is_next(shown + 1) {
                shown += 1;
            } else {
                shown = self.scraped.partition_point(|scraped| *scraped <= sample.at);
            }
            // A store that shows where a series ends shows it as NaN. Scrapes that failed show no new round, so of a
            // new one that is what the agent said, and counted as what is no number.
            if shown > before
                && let Some(Some(place)) = self.places.get(shown - 1)
            {
                before = shown;
                placed.push((*place, sample.value));
            }
        }
    }
}

impl Reading {
    /// Nothing yet of these instances. `source` is what the user calls the store.
    pub(super) fn new(source: &str, vocabulary: &Vocabulary, fleet: &Fleet) -> Self {
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
        let last_scraped = vec![0.0; fleet.len()];
        Self { eras, collected, last_scraped, observations: 0, placed: Vec::new() }
    }

    /// How many observations there are so far.
    pub(super) const fn observations(&self) -> usize {
        self.observations
    }

    /// Which rounds of a probe there were, of each instance: the values of its series may come. They count as read.
    pub(super) fn begin(&mut self, rounds: &[Rounds]) -> Timeline {
        let mut timeline = Timeline { instances: Vec::with_capacity(rounds.len()), tracks: HashMap::new() };
        for ((rounds, eras), last) in rounds.iter().zip(&self.eras).zip(&mut self.last_scraped) {
            *last = last.max(rounds.last_scraped());
            // What belongs to one era, along one track of rounds.
            let mut of_eras: Vec<(usize, Vec<(f64, bool)>)> = Vec::new();
            let place = |round: &Round| {
                let which = era(eras, round.scraped).filter(|_| round.counts)?;
                if !of_eras.iter().any(|(other, _)| *other == which) {
                    of_eras.push((which, Vec::with_capacity(rounds.len())));
                }
                let (_, own) = of_eras.iter_mut().find(|(other, _)| *other == which)?;
                own.push((round.ended, round.disturbed));
                // Four thousand million do not fit into memory.
                Some(Place { which: u32::try_from(which).ok()?, at: u32::try_from(own.len() - 1).ok()? })
            };
            let places: Box<[Option<Place>]> = rounds.iter().map(place).collect();
            let scraped = rounds.iter().map(|round| round.scraped).collect();
            timeline.instances.push(Shown { scraped, places });
            for (which, own) in of_eras {
                let Some(collected) = self.collected.get_mut(which) else { continue };
                collected.rounds += own.len();
                timeline.tracks.insert(which, collected.packer.track(own));
            }
            if let Some(collected) = eras.last().and_then(|(_, which)| self.collected.get_mut(*which)) {
                collected.packer.about().discarded.clock_resets += rounds.clock_resets();
            }
        }
        timeline
    }

    /// Takes in values of a metric of the probe that the rounds are of. Says how many observations they were.
    pub(super) fn observe(&mut self, timeline: &Timeline, heard: &Heard<'_>) -> usize {
        let before = self.observations;
        for (whose, id, samples) in heard.series() {
            let (Some(shown), Some(id)) = (timeline.instances.get(whose), id) else { continue };
            shown.place(samples, &mut self.placed);
            for of_era in self.placed.chunk_by(|(a, _), (b, _)| a.which == b.which) {
                if let Some(which) = of_era.first().map(|(place, _)| place.which as usize)
                    && let Some(track) = timeline.tracks.get(&which)
                    && let Some(collected) = self.collected.get_mut(which)
                {
                    let values = of_era.iter().map(|(place, value)| (place.at as usize, *value));
                    self.observations += collected.packer.along(*track, id, values);
                }
            }
        }
        self.observations - before
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
