//! Observations by instance and series, ready to be compared.
//!
//! - [`Dataset`]: all instances, each once, with the readings of each of its series in time order.
//! - [`group`]: the instances that share a label's value.
//! - [`host`]: the unit of evidence, and the one value that each host has in a row.

pub mod group;
pub mod host;

use std::collections::{BTreeMap, BTreeSet};

pub use group::{Filter, Group, Span};
pub use host::{Host, LeftOut, Rounds, Side};

use crate::observation::{Collected, Discarded, Instance, Labels, Observation, Statistic};
use crate::source::Dropped;

/// Which row of a comparison: one number of one series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// The family.
    pub family: String,
    /// Its labels.
    pub labels: Labels,
    /// Which number of its rounds.
    pub statistic: Statistic,
}

/// One number at one round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// When the round ended, in seconds since the epoch.
    pub timestamp: f64,
    /// The number, in the family's unit.
    pub value: f64,
    /// Whether the agent marked the round as disturbed.
    pub disturbed: bool,
}

/// One instance with its readings.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Whose they are.
    pub instance: Instance,
    /// The readings of each series, in time order, each round once.
    pub series: BTreeMap<SeriesKey, Vec<Reading>>,
    /// Families whose readings are independent repetitions; see [`Collected::independent`].
    pub independent: BTreeSet<String>,
    /// How long the target had not answered at the end, in seconds.
    pub stale_seconds: Option<f64>,
}

/// What one source gave.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SourceSummary {
    /// The source, as the user named it.
    pub source: String,
    /// How many instances it showed.
    pub instances: usize,
    /// How many observations it gave.
    pub observations: usize,
}

/// All instances.
#[derive(Debug, Clone, Default)]
pub struct Dataset {
    members: Vec<Member>,
    sources: Vec<SourceSummary>,
    dropped: Vec<Dropped>,
    discarded: Discarded,
    help: BTreeMap<String, String>,
}

impl Dataset {
    /// Puts together what the sources yielded.
    ///
    /// The same instance from two sources (same name, same labels) is one instance, and a round that both have
    /// counts once. Different instances of one name are told apart by `#2`, `#3` after it.
    #[must_use]
    pub fn new(collected: Vec<Collected>) -> Self {
        let mut dataset = Self::default();
        for one in collected {
            dataset.add(one);
        }
        for member in &mut dataset.members {
            for readings in member.series.values_mut() {
                dataset.discarded.duplicates += in_time_order(readings);
            }
        }
        dataset
    }

    /// The same, with the sources that gave nothing, for the report to name.
    #[must_use]
    pub fn with_dropped(mut self, dropped: Vec<Dropped>) -> Self {
        self.dropped.extend(dropped);
        self
    }

    /// All instances, in the order in which they came.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// What each source gave.
    #[must_use]
    pub fn sources(&self) -> &[SourceSummary] {
        &self.sources
    }

    /// The sources that gave nothing.
    #[must_use]
    pub fn dropped(&self) -> &[Dropped] {
        &self.dropped
    }

    /// What could not be used of the sources that gave something.
    #[must_use]
    pub fn discarded(&self) -> Discarded {
        self.discarded
    }

    /// One sentence on each family, where a source had it.
    #[must_use]
    pub fn help(&self) -> &BTreeMap<String, String> {
        &self.help
    }

    fn add(&mut self, one: Collected) {
        let observations = one.observations.len();
        // Instances of one source come one after the other.
        match self.sources.last_mut().filter(|last| last.source == one.source) {
            Some(last) => {
                last.instances += 1;
                last.observations += observations;
            }
            None => self.sources.push(SourceSummary { source: one.source, instances: 1, observations }),
        }
        self.discarded.not_finite += one.discarded.not_finite;
        self.discarded.clock_resets += one.discarded.clock_resets;
        self.discarded.duplicates += one.discarded.duplicates;
        self.help.extend(one.help);

        let known = self.members.iter().position(|member| same(&member.instance, &one.instance));
        let at = known.unwrap_or(self.members.len());
        if known.is_none() {
            self.members.push(Member {
                instance: Instance { name: self.free_name(&one.instance.name), ..one.instance },
                series: BTreeMap::new(),
                independent: BTreeSet::new(),
                stale_seconds: None,
            });
        }
        let Some(member) = self.members.get_mut(at) else { return };
        member.independent.extend(one.independent);
        member.stale_seconds = member.stale_seconds.or(one.stale_seconds);
        for observation in one.observations {
            if observation.value.is_finite() && observation.timestamp.is_finite() {
                let (key, reading) = split(observation);
                member.series.entry(key).or_default().push(reading);
            } else {
                self.discarded.not_finite += 1;
            }
        }
    }

    fn free_name(&self, name: &str) -> String {
        let taken = |name: &str| self.members.iter().any(|member| member.instance.name == name);
        if !taken(name) {
            return name.to_owned();
        }
        (2..).map(|n| format!("{name}#{n}")).find(|name| !taken(name)).unwrap_or_else(|| name.to_owned())
    }
}

/// Whether two sources speak of the same instance.
fn same(a: &Instance, b: &Instance) -> bool {
    a.name == b.name && a.labels == b.labels
}

fn split(observation: Observation) -> (SeriesKey, Reading) {
    let Observation { family, labels, statistic, timestamp, value, disturbed } = observation;
    (SeriesKey { family, labels, statistic }, Reading { timestamp, value, disturbed })
}

/// Sorts readings by time, removes those that came twice, and says how many those were.
fn in_time_order(readings: &mut Vec<Reading>) -> usize {
    let before = readings.len();
    // The value breaks ties so that the order does not depend on that of the sources.
    readings.sort_by(|a, b| a.timestamp.total_cmp(&b.timestamp).then(a.value.total_cmp(&b.value)));
    readings.dedup_by(|a, b| {
        a.timestamp.to_bits() == b.timestamp.to_bits() && a.value.to_bits() == b.value.to_bits()
    });
    before - readings.len()
}
