//! Groups: the instances that share a label's value.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::str::FromStr;

use tierprobe_model::Tier;

use super::member::Uses;
use super::{Dataset, Member, SeriesKey};
use crate::error::CompareError;
use crate::observation::series::Keys;
use crate::observation::track::{Cut, Track};
use crate::observation::{Readings, SeriesId, Statistic};
use crate::printable::printable;

/// `KEY=VALUE`: keeps the instances whose label `KEY` is `VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The label.
    pub key: String,
    /// Its value; empty for instances without the label.
    pub value: String,
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                Ok(Self { key: key.to_owned(), value: value.to_owned() })
            }
            Some(_) | None => Err(format!("{text:?} is no KEY=VALUE, such as seccomp=none")),
        }
    }
}

impl std::fmt::Display for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// A span of time, in seconds since the epoch; its end is not in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Its beginning.
    pub from: f64,
    /// Its end.
    pub until: f64,
}

impl Span {
    /// All time.
    pub const WHOLE: Self = Self { from: f64::NEG_INFINITY, until: f64::INFINITY };
}

/// The instances of one group.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// The label's value that they share.
    pub value: String,
    /// They.
    pub members: Vec<&'a Member>,
    /// Which of their rounds count.
    pub span: Span,
    /// The stratum of each member, in their order; empty where there is one stratum only.
    pub strata: Vec<usize>,
}

impl<'a> Group<'a> {
    /// The same over all time.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { span: Span::WHOLE, ..self }
    }

    /// The readings of a member in a series within the span, in time order; `None` for a series it does not have.
    ///
    /// A gauge that was not read within the span keeps all its readings: what is read once, such as how long the
    /// start took, holds at any time.
    #[must_use]
    pub fn readings(&self, member: &'a Member, key: &SeriesKey) -> Option<Readings<'a>> {
        self.within(member, key)
    }

    /// The same of any member.
    pub(crate) fn within<'m>(&self, member: &'m Member, key: &SeriesKey) -> Option<Readings<'m>> {
        self.readings_of(member, self.id(key)?, key.statistic)
    }

    /// The same by the key's place in the dataset.
    pub(crate) fn readings_of<'m>(
        &self,
        member: &'m Member,
        id: SeriesId,
        statistic: Statistic,
    ) -> Option<Readings<'m>> {
        member.readings_of(id).map(|readings| self.cut(readings, statistic))
    }

    /// All series of a member, each with its readings within the span, in the order in which they lie in memory.
    pub(crate) fn series_of<'m>(
        &self,
        member: &'m Member,
    ) -> impl Iterator<Item = (SeriesId, &'m SeriesKey, Readings<'m>)> {
        member.identified().map(|(id, key, readings)| (id, key, self.cut(readings, key.statistic)))
    }

    fn cut<'m>(&self, readings: Readings<'m>, statistic: Statistic) -> Readings<'m> {
        readings.on(self.rounds(readings.track(), statistic == Statistic::Value))
    }

    /// The rounds of a track that count for its gauges, or for its durations.
    fn rounds<'t>(&self, track: &'t Track, are_gauges: bool) -> Cut<'t> {
        let within = track.within(self.span.from, self.span.until);
        if are_gauges && within.is_empty() { track.whole() } else { within }
    }

    /// A key's place in the dataset; `None` where no instance has the series.
    pub(crate) fn id(&self, key: &SeriesKey) -> Option<SeriesId> {
        self.keys()?.id(key)
    }

    /// The keys of the dataset; `None` without members.
    pub(crate) fn keys(&self) -> Option<&'a Keys> {
        self.members.first().map(|member| member.dataset_keys())
    }

    /// The places of all series that a member has.
    pub(crate) fn ids(&self) -> BTreeSet<SeriesId> {
        let mut seen = vec![false; self.keys().map_or(0, Keys::len)];
        let mut ids = BTreeSet::new();
        for id in self.members.iter().flat_map(|member| member.ids()) {
            if let Some(seen) = seen.get_mut(id.index())
                && !std::mem::replace(seen, true)
            {
                ids.insert(id);
            }
        }
        ids
    }

    /// How many readings of all members within the span are of disturbed rounds, and how many there are.
    pub(crate) fn disturbed(&self) -> (usize, usize) {
        let (mut disturbed, mut all) = (0, 0);
        for (track, Uses { durations, gauges }) in self.members.iter().flat_map(|member| member.tracks()) {
            for (are_gauges, series) in [(false, durations as usize), (true, gauges as usize)] {
                let rounds = self.rounds(track, are_gauges);
                disturbed += rounds.disturbed() * series;
                all += rounds.len() * series;
            }
        }
        (disturbed, all)
    }

    /// The stratum of the member at this place.
    #[must_use]
    pub fn stratum(&self, at: usize) -> usize {
        self.strata.get(at).copied().unwrap_or(0)
    }

    /// The values that a label has in the group.
    #[must_use]
    pub fn values(&self, label: &str) -> BTreeSet<&str> {
        self.members
            .iter()
            .filter_map(|member| member.instance.labels.get(label))
            .map(String::as_str)
            .collect()
    }

    /// How many members have this value of this label.
    #[must_use]
    pub fn count(&self, label: &str, value: &str) -> usize {
        self.members
            .iter()
            .filter(|member| member.instance.labels.get(label).map(String::as_str) == Some(value))
            .count()
    }
}

/// The groups of a dataset, and the instances that are in none.
#[derive(Debug, Clone)]
pub struct Grouped<'a> {
    /// In the order of [`Tier::ALL`], everything that is no tier behind it alphabetically.
    pub groups: Vec<Group<'a>>,
    /// Names of instances that lack the label.
    pub without: Vec<String>,
}

/// Groups the instances that all `filters` keep by the values of the label `by`.
///
/// # Errors
///
/// When there are no instances, none is left, or none has the label.
pub fn group<'a>(dataset: &'a Dataset, by: &str, filters: &[Filter]) -> Result<Grouped<'a>, CompareError> {
    if dataset.members().is_empty() {
        return Err(CompareError::Nothing);
    }
    let mut kept: Vec<&Member> = dataset.members().iter().collect();
    for filter in filters {
        let known = values(&kept, &filter.key);
        kept.retain(|member| label(member, &filter.key).unwrap_or_default() == filter.value);
        if kept.is_empty() {
            return Err(CompareError::NothingLeft { filter: filter.to_string(), known });
        }
    }
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut without = Vec::new();
    for member in &kept {
        let Some(value) = label(member, by) else {
            without.push(member.instance.name.clone());
            continue;
        };
        let at = *places.entry(value).or_insert_with(|| {
            groups.push(Group {
                value: value.to_owned(),
                members: Vec::new(),
                span: Span::WHOLE,
                strata: Vec::new(),
            });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(at) {
            group.members.push(member);
        }
    }
    if groups.is_empty() {
        let labels: BTreeSet<&str> =
            kept.iter().flat_map(|member| member.instance.labels.keys()).map(String::as_str).collect();
        return Err(CompareError::NoLabel { by: by.to_owned(), known: listed(labels) });
    }
    groups.sort_by(|a, b| rank(&a.value).cmp(&rank(&b.value)).then_with(|| a.value.cmp(&b.value)));
    Ok(Grouped { groups, without })
}

/// A label of an instance; `instance` is its name, as everywhere in Prometheus.
pub(crate) fn label<'a>(member: &'a Member, key: &str) -> Option<&'a str> {
    let named = || (key == "instance").then_some(&member.instance.name);
    member.instance.labels.get(key).or_else(named).map(String::as_str)
}

fn values(members: &[&Member], key: &str) -> String {
    listed(members.iter().filter_map(|member| label(member, key)).collect::<BTreeSet<&str>>())
}

/// Names for a message, each in one line whatever is in it; says so when there are none.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<Cow<'_, str>> = names.into_iter().map(printable).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Tiers stand in their own order, from the metal upwards.
fn rank(value: &str) -> usize {
    Tier::ALL.iter().position(|tier| tier.as_str() == value).unwrap_or(Tier::ALL.len())
}
