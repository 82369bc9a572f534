//! Puts together what the sources yield, one instance after the other.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::{Dataset, Member, SourceSummary};
use crate::observation::packed::Series;
use crate::observation::{
    Discarded, Instance, Labels, Packed, SeriesId, Statistic, Vocabulary, before_change,
};
use crate::source::Dropped;

/// A dataset that grows.
///
/// The same instance from two sources (same name, same labels) is one instance, and a round that both have counts
/// once. Different instances of one name are told apart by `#2`, `#3` after it, unless nothing but the name says which
/// they are ([`Packed::is_known_by_name`]): then one is what the other was before, and counts as what it was last, as a
/// target does that is scraped. Only what ran on the last one's kernel stays beside it, as that is one host.
/// What was added is packed and gone, so that a fleet need never be in memory twice.
#[derive(Debug, Default)]
pub struct Builder {
    vocabulary: Vocabulary,
    only: Option<Statistic>,
    translation: Translation,
    pending: Vec<Pending>,
    /// Places in `pending` by the name that the source gave.
    by_name: HashMap<String, Vec<usize>>,
    /// In the order in which they came.
    sources: Vec<String>,
    by_source: HashMap<String, usize>,
    discarded: Discarded,
    dropped: Vec<Dropped>,
}

/// An instance, and what each of its sources gave.
#[derive(Debug)]
struct Pending {
    instance: Instance,
    parts: Vec<Series>,
    /// Places of the parts' sources, in their order.
    sources: Vec<usize>,
    is_known_by_name: bool,
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
        let whose = whose(&one.instance.name, &one.source);
        let dropped = one.left_out.into_iter().map(|reason| Dropped { source: whose.clone(), reason });
        self.dropped.extend(dropped);
        let series = self.translation.of(one.series, &one.vocabulary, &self.vocabulary, self.only);

        let source = self.source(one.source);
        let at = self.place(one.instance);
        if let Some(pending) = self.pending.get_mut(at) {
            pending.parts.push(series);
            pending.sources.push(source);
            pending.independent.extend(one.independent);
            pending.stale_seconds = pending.stale_seconds.or(one.stale_seconds);
            pending.is_known_by_name &= one.is_known_by_name;
        }
    }

    /// Done.
    #[must_use]
    pub fn build(mut self) -> Dataset {
        self.leave_out_what_was_before();
        let sources = self.summaries();
        let keys = Arc::new(self.vocabulary.keys());
        let mut discarded = self.discarded;
        let mut names: HashSet<String> = HashSet::new();
        let mut members = Vec::with_capacity(self.pending.len());
        for mut pending in self.pending {
            pending.instance.name = free_name(&names, &pending.instance.name);
            names.insert(pending.instance.name.clone());
            let series = if pending.parts.len() == 1 {
                pending.parts.pop().unwrap_or_default()
            } else {
                let (merged, duplicates) = Series::merged(&pending.parts);
                discarded.duplicates += duplicates;
                merged
            };
            let mut member = Member {
                instance: pending.instance,
                independent: pending.independent,
                stale_seconds: pending.stale_seconds,
                host: 0,
                place: 0,
                uses: Box::default(),
                keys: Arc::clone(&keys),
                series,
            };
            member.count_uses();
            members.push(member);
        }
        let mut by_name: Vec<&mut Member> = members.iter_mut().collect();
        by_name.sort_by(|a, b| a.instance.name.cmp(&b.instance.name));
        let mut hosts: HashMap<String, u32> = HashMap::new();
        for (place, member) in (0..).zip(by_name) {
            let next = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
            member.host = *hosts.entry(host_key(&member.instance)).or_insert(next);
            member.place = place;
        }
        let help = keys.help().clone();
        Dataset { members, sources, dropped: self.dropped, notes: Vec::new(), discarded, help }
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
        self.pending.push(Pending {
            instance,
            parts: Vec::new(),
            sources: Vec::new(),
            is_known_by_name: true,
            independent: BTreeSet::new(),
            stale_seconds: None,
        });
        at
    }

    /// The place of a source.
    fn source(&mut self, source: String) -> usize {
        *self.by_source.entry(source).or_insert_with_key(|source| {
            self.sources.push(source.clone());
            self.sources.len() - 1
        })
    }

    /// Of instances that are known by their name alone, leaves out what each was before it became what it was last.
    fn leave_out_what_was_before(&mut self) {
        // In the order in which they came, each with what it became.
        let mut left_out: BTreeMap<usize, Labels> = BTreeMap::new();
        for alike in self.by_name.values().filter(|alike| alike.len() > 1) {
            let known = |at: &&usize| self.pending.get(**at).is_some_and(|one| one.is_known_by_name);
            let all = || alike.iter().filter(known).filter_map(|at| Some((*at, self.pending.get(*at)?)));
            let Some((last, is)) = all().max_by(|(_, a), (_, b)| a.end().total_cmp(&b.end())) else {
                continue;
            };
            let kernel = boot_id(&is.instance);
            for (at, was) in all().filter(|(at, _)| *at != last) {
                if kernel.is_none() || boot_id(&was.instance) != kernel {
                    left_out.insert(at, is.instance.labels.clone());
                }
            }
        }
        for (at, is) in &left_out {
            let Some(was) = self.pending.get(*at) else { continue };
            for (source, rounds) in was.rounds() {
                let source = self.sources.get(source).map(String::as_str).unwrap_or_default();
                let reason = before_change(rounds, &was.instance.labels, is);
                self.dropped.push(Dropped { source: whose(&was.instance.name, source), reason });
            }
        }
        let mut at = 0..;
        self.pending.retain(|_| at.next().is_none_or(|at| !left_out.contains_key(&at)));
    }

    /// What each source gave, of those that gave something that counts.
    fn summaries(&self) -> Vec<SourceSummary> {
        let none = |source: &String| SourceSummary { source: source.clone(), instances: 0, observations: 0 };
        let mut summaries: Vec<SourceSummary> = self.sources.iter().map(none).collect();
        for pending in &self.pending {
            let mut seen = BTreeSet::new();
            for (source, part) in pending.sources.iter().zip(&pending.parts) {
                if let Some(summary) = summaries.get_mut(*source) {
                    summary.observations += part.len();
                    summary.instances += usize::from(seen.insert(*source));
                }
            }
        }
        summaries.retain(|summary| summary.instances > 0);
        summaries
    }
}

impl Pending {
    /// When its last round ended, in seconds since the epoch.
    fn end(&self) -> f64 {
        self.parts.iter().filter_map(|part| part.ends().last().copied()).fold(f64::NEG_INFINITY, f64::max)
    }

    /// How many rounds each of its sources gave.
    fn rounds(&self) -> BTreeMap<usize, usize> {
        let mut ends: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for (source, part) in self.sources.iter().zip(&self.parts) {
            ends.entry(*source).or_default().extend(part.ends());
        }
        let count = |mut ends: Vec<f64>| {
            ends.sort_by(f64::total_cmp);
            ends.dedup();
            ends.len()
        };
        ends.into_iter().map(|(source, ends)| (source, count(ends))).collect()
    }
}

/// How an instance is called where it is told of what a source gave.
fn whose(instance: &str, source: &str) -> String {
    if source.contains(instance) { source.to_owned() } else { format!("{instance} of {source}") }
}

fn free_name(taken: &HashSet<String>, name: &str) -> String {
    if !taken.contains(name) {
        return name.to_owned();
    }
    (2..).map(|n| format!("{name}#{n}")).find(|name| !taken.contains(name)).unwrap_or_else(|| name.to_owned())
}

/// What instances of one host have in common.
fn host_key(instance: &Instance) -> String {
    match boot_id(instance) {
        Some(boot_id) => format!("boot {boot_id}"),
        None => format!("instance {}", instance.name),
    }
}

/// The kernel that an instance ran on; `None` where its source does not say.
fn boot_id(instance: &Instance) -> Option<&str> {
    // An empty one is none, or all that lack it would be one host.
    instance.labels.get("boot_id").map(String::as_str).filter(|boot_id| !boot_id.is_empty())
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
