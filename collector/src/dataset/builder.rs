//! Puts together what the sources yield, one instance after the other.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::{Dataset, Member, SourceSummary};
use crate::observation::packed::Series;
use crate::observation::{Discarded, Instance, Packed, SeriesId, Statistic, Vocabulary};
use crate::source::Dropped;

/// A dataset that grows.
///
/// The same instance from two sources (same name, same labels) is one instance, and a round that both have counts
/// once. Different instances of one name are told apart by `#2`, `#3` after it. What was added is packed and gone, so
/// that a fleet need never be in memory twice.
#[derive(Debug, Default)]
pub struct Builder {
    vocabulary: Vocabulary,
    only: Option<Statistic>,
    translation: Translation,
    pending: Vec<Pending>,
    /// Places in `pending` by the name that the source gave.
    by_name: HashMap<String, Vec<usize>>,
    names: HashSet<String>,
    sources: Vec<SourceSummary>,
    by_source: HashMap<String, usize>,
    shown: HashSet<(usize, usize)>,
    discarded: Discarded,
    dropped: Vec<Dropped>,
}

/// An instance, and what each of its sources gave.
#[derive(Debug)]
struct Pending {
    instance: Instance,
    parts: Vec<Series>,
    independent: BTreeSet<String>,
    stale_seconds: Option<f64>,
}

impl Builder {
    /// Keeps one number of each duration's rounds, the one that is going to be compared, and all gauges. The others
    /// are dropped as they come: a fleet then takes a fifth of the memory.
    #[must_use]
    pub fn keeping(statistic: Statistic) -> Self {
        Self { only: Some(statistic), ..Self::default() }
    }

    /// Adds what a source gave of one instance.
    pub fn add(&mut self, one: Packed) {
        self.discarded.not_finite += one.discarded.not_finite;
        self.discarded.clock_resets += one.discarded.clock_resets;
        self.discarded.duplicates += one.discarded.duplicates;
        let whose = if one.source.contains(&one.instance.name) {
            one.source.clone()
        } else {
            format!("{} of {}", one.instance.name, one.source)
        };
        let dropped = one.left_out.into_iter().map(|reason| Dropped { source: whose.clone(), reason });
        self.dropped.extend(dropped);
        let series = self.translation.of(one.series, &one.vocabulary, &self.vocabulary, self.only);
        let observations = series.len();

        let at = self.place(one.instance);
        if let Some(pending) = self.pending.get_mut(at) {
            pending.parts.push(series);
            pending.independent.extend(one.independent);
            pending.stale_seconds = pending.stale_seconds.or(one.stale_seconds);
        }
        self.sum_up(one.source, at, observations);
    }

    /// Done.
    #[must_use]
    pub fn build(self) -> Dataset {
        let keys = Arc::new(self.vocabulary.keys());
        let mut discarded = self.discarded;
        let mut hosts: HashMap<String, u32> = HashMap::new();
        let mut members = Vec::with_capacity(self.pending.len());
        for mut pending in self.pending {
            let series = if pending.parts.len() == 1 {
                pending.parts.pop().unwrap_or_default()
            } else {
                let (merged, duplicates) = Series::merged(&pending.parts);
                discarded.duplicates += duplicates;
                merged
            };
            let next = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
            let host = *hosts.entry(host_key(&pending.instance)).or_insert(next);
            let mut member = Member {
                instance: pending.instance,
                independent: pending.independent,
                stale_seconds: pending.stale_seconds,
                host,
                place: 0,
                duration_tracks: Box::default(),
                keys: Arc::clone(&keys),
                series,
            };
            member.duration_tracks = member.find_duration_tracks();
            members.push(member);
        }
        let mut by_name: Vec<&mut Member> = members.iter_mut().collect();
        by_name.sort_by(|a, b| a.instance.name.cmp(&b.instance.name));
        for (place, member) in (0..).zip(by_name) {
            member.place = place;
        }
        let help = keys.help().clone();
        Dataset { members, sources: self.sources, dropped: self.dropped, notes: Vec::new(), discarded, help }
    }

    /// The place of an instance, which is added if it is new.
    fn place(&mut self, instance: Instance) -> usize {
        let alike = self.by_name.entry(instance.name.clone()).or_default();
        let same =
            |at: &&usize| self.pending.get(**at).is_some_and(|one| one.instance.labels == instance.labels);
        if let Some(at) = alike.iter().find(same) {
            return *at;
        }
        let at = self.pending.len();
        alike.push(at);
        let name = free_name(&self.names, &instance.name);
        self.names.insert(name.clone());
        self.pending.push(Pending {
            instance: Instance { name, ..instance },
            parts: Vec::new(),
            independent: BTreeSet::new(),
            stale_seconds: None,
        });
        at
    }

    fn sum_up(&mut self, source: String, instance: usize, observations: usize) {
        let at = *self.by_source.entry(source).or_insert_with_key(|source| {
            self.sources.push(SourceSummary { source: source.clone(), instances: 0, observations: 0 });
            self.sources.len() - 1
        });
        if let Some(summary) = self.sources.get_mut(at) {
            summary.observations += observations;
            summary.instances += usize::from(self.shown.insert((at, instance)));
        }
    }
}

fn free_name(taken: &HashSet<String>, name: &str) -> String {
    if !taken.contains(name) {
        return name.to_owned();
    }
    (2..).map(|n| format!("{name}#{n}")).find(|name| !taken.contains(name)).unwrap_or_else(|| name.to_owned())
}

/// What instances of one host have in common.
fn host_key(instance: &Instance) -> String {
    // An empty one is none, or all that lack it would be one host.
    match instance.labels.get("boot_id").filter(|boot_id| !boot_id.is_empty()) {
        Some(boot_id) => format!("boot {boot_id}"),
        None => format!("instance {}", instance.name),
    }
}

/// What places of the sources' vocabulary are in the dataset's, where sources mostly share one.
#[derive(Debug, Default)]
struct Translation {
    from: Vocabulary,
    known: HashMap<SeriesId, Option<SeriesId>>,
}

impl Translation {
    /// A source's series under the dataset's places, without those that are not kept.
    fn of(&mut self, series: Series, from: &Vocabulary, to: &Vocabulary, only: Option<Statistic>) -> Series {
        if !self.from.is(from) {
            *self = Self { from: from.clone(), known: HashMap::new() };
        }
        for id in series.ids() {
            self.known.entry(id).or_insert_with(|| {
                let key = from.key(id)?;
                let is_kept = only.is_none_or(|only| key.statistic.is_kept_for(only));
                if !is_kept {
                    return None;
                }
                if let Some(help) = from.help(&key.family) {
                    to.describe(&key.family, &help);
                }
                Some(to.id(&key))
            });
        }
        let known = |id: SeriesId| self.known.get(&id).copied().flatten();
        series.retained(|id| known(id).is_some()).renumbered(known)
    }
}
