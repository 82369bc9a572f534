//! The unit of evidence: the host, and its one value in a row.
//!
//! Rounds of one host resemble one another, so more rounds never make up for few hosts. Instances on one kernel
//! (same `boot_id`) share a host just as well: their log values are averaged first. An instance whose source
//! does not say its kernel is taken for a host of its own.

use std::collections::BTreeMap;

use tierprobe_model::Unit;

use super::group::Group;
use super::{Member, SeriesKey};
use crate::observation::{Readings, Statistic, probe_of};
use crate::stats::summary;

/// Fewest clean rounds of an instance for a quantile of its rounds.
///
/// Gauges are exempt ([`Statistic::Value`]): some are read once per start of the machine, and between hosts a
/// noisier value shows as spread, which the interval has in it. Rows with fewer readings say so.
pub const MIN_ROUNDS: usize = 10;

/// Memory is handed out in pages, so that is the smallest difference that a value in bytes can show.
const PAGE_BYTES: f64 = 4096.0;

/// Which rounds count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounds {
    /// Those that the agent did not mark as disturbed.
    Clean,
    /// All.
    All,
}

/// One host in one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// Its first instance's name.
    pub name: String,
    /// Natural logarithm of the median over its rounds; the mean of these over its instances.
    pub log_value: f64,
    /// The same in the family's unit, without the rounding of a logarithm where there is one instance.
    pub value: f64,
    /// Its instances with a value.
    pub instances: usize,
    /// Rounds that count, over its instances.
    pub rounds: usize,
    /// The stratum that it is in.
    pub stratum: usize,
}

/// An instance that has the series, and yet no value in the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// Fewer than [`MIN_ROUNDS`] clean rounds.
    FewRounds,
    /// More than half of its rounds were disturbed.
    MostlyDisturbed,
    /// The median is zero or negative, so there is no ratio.
    NonPositive,
    /// Its stratum has fewer than two hosts on a side.
    FewAlike,
}

/// One side of a row: a group's hosts with a value in one series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Side {
    /// They, by stratum and name.
    pub hosts: Vec<Host>,
    /// Instances that have no value, by name.
    pub left_out: Vec<(String, LeftOut)>,
    /// Rounds that were disturbed, and all rounds, of all instances that have the series.
    pub disturbed: (usize, usize),
    /// Smallest difference that a single value can show, in the family's unit; zero where unknown.
    pub resolution: f64,
}

impl Side {
    /// The hosts of `group` in the row `key`.
    #[must_use]
    pub fn of(group: &Group<'_>, key: &SeriesKey, rounds: Rounds) -> Self {
        let mut side = Self::default();
        let Some(id) = group.id(key) else { return side };
        let resolution = Resolution::of(key);
        let mut valued: Vec<Valued<'_>> = Vec::with_capacity(group.members.len());
        let mut scratch = Vec::new();
        for (at, member) in group.members.iter().enumerate() {
            let Some(readings) = group.readings_of(member, id, key.statistic) else { continue };
            let disturbed = readings.disturbed();
            side.disturbed.0 += disturbed;
            side.disturbed.1 += readings.len();
            side.resolution = side.resolution.max(resolution.at(member));
            match value(readings, disturbed, key.statistic, rounds, &mut scratch) {
                Ok((value, rounds)) => {
                    valued.push(Valued { member, stratum: group.stratum(at), value, rounds });
                }
                Err(reason) => side.left_out.push((member.instance.name.clone(), reason)),
            }
        }
        valued.sort_by_key(|one| (one.stratum, one.member.host()));
        side.hosts = valued
            .chunk_by(|a, b| (a.stratum, a.member.host()) == (b.stratum, b.member.host()))
            .filter_map(host)
            .collect();
        side.hosts.sort_by(|a, b| (a.stratum, &a.name).cmp(&(b.stratum, &b.name)));
        side.left_out.sort();
        side
    }

    /// How many hosts each stratum has.
    #[must_use]
    pub fn strata(&self) -> BTreeMap<usize, usize> {
        let mut strata = BTreeMap::new();
        for host in &self.hosts {
            *strata.entry(host.stratum).or_default() += 1;
        }
        strata
    }

    /// Leaves out the hosts of all other strata.
    pub fn keep_strata(&mut self, kept: &[usize]) {
        let (hosts, others) =
            std::mem::take(&mut self.hosts).into_iter().partition(|host| kept.contains(&host.stratum));
        self.hosts = hosts;
        let others: Vec<Host> = others;
        self.left_out.extend(others.into_iter().map(|host| (host.name, LeftOut::FewAlike)));
        self.left_out.sort();
    }

    /// The hosts' values in one stratum, as logarithms.
    #[must_use]
    pub fn log_values_of(&self, stratum: usize) -> Vec<f64> {
        self.hosts.iter().filter(|host| host.stratum == stratum).map(|host| host.log_value).collect()
    }

    /// The hosts' values, as logarithms.
    #[must_use]
    pub fn log_values(&self) -> Vec<f64> {
        self.hosts.iter().map(|host| host.log_value).collect()
    }

    /// Median over the hosts' values, in the family's unit; `None` without hosts.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        summary::median(&self.hosts.iter().map(|host| host.value).collect::<Vec<f64>>())
    }

    /// Instances with a value.
    #[must_use]
    pub fn instances(&self) -> usize {
        self.hosts.iter().map(|host| host.instances).sum()
    }

    /// Rounds that count.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.hosts.iter().map(|host| host.rounds).sum()
    }

    /// The resolution as a share of the side's median; zero where either is unknown.
    #[must_use]
    pub fn relative_resolution(&self) -> f64 {
        self.median().filter(|median| *median > 0.0).map_or(0.0, |median| self.resolution / median)
    }
}

/// An instance and its value.
struct Valued<'a> {
    member: &'a Member,
    stratum: usize,
    value: f64,
    /// That the value rests on.
    rounds: usize,
}

/// The median of one instance's readings, above zero, and how many of them count; `disturbed` of them are of disturbed
/// rounds, and `scratch` is for the caller to keep.
pub(crate) fn value(
    readings: Readings<'_>,
    disturbed: usize,
    statistic: Statistic,
    rounds: Rounds,
    scratch: &mut Vec<f64>,
) -> Result<(f64, usize), LeftOut> {
    scratch.clear();
    if disturbed == 0 || rounds == Rounds::All {
        readings.append_to(scratch);
    } else {
        scratch.extend(counting(readings, rounds).map(|reading| reading.value));
    }
    let fewest = if statistic == Statistic::Value { 1 } else { MIN_ROUNDS };
    let counting = scratch.len();
    if (readings.len() - counting) * 2 > readings.len() {
        return Err(LeftOut::MostlyDisturbed);
    }
    if counting < fewest {
        return Err(LeftOut::FewRounds);
    }
    match summary::median_of(scratch) {
        Some(median) if median > 0.0 => Ok((median, counting)),
        Some(_) => Err(LeftOut::NonPositive),
        None => Err(LeftOut::FewRounds),
    }
}

/// The readings that count.
pub(crate) fn counting(
    readings: Readings<'_>,
    rounds: Rounds,
) -> impl Iterator<Item = crate::observation::Reading> + use<'_> {
    readings.iter().filter(move |reading| rounds == Rounds::All || !reading.disturbed)
}

/// Instances of one host into the host.
fn host(instances: &[Valued<'_>]) -> Option<Host> {
    let name = instances.iter().map(|one| one.member.instance.name.as_str()).min()?;
    let logs: Vec<f64> = instances.iter().map(|one| one.value.ln()).collect();
    let log_value = summary::mean(&logs)?;
    let value = if let [one] = instances { one.value } else { log_value.exp() };
    Some(Host {
        name: name.to_owned(),
        log_value,
        value,
        instances: instances.len(),
        rounds: instances.iter().map(|one| one.rounds).sum(),
        stratum: instances.first()?.stratum,
    })
}

/// The smallest difference that a value of a series can show.
enum Resolution<'a> {
    /// The same everywhere.
    Known(f64),
    /// As each instance says for the probe of this family.
    OfProbe(&'a str),
}

impl<'a> Resolution<'a> {
    fn of(key: &'a SeriesKey) -> Self {
        match Unit::of_family(&key.family) {
            Unit::Bytes => Self::Known(PAGE_BYTES),
            Unit::Seconds => Self::OfProbe(&key.family),
            Unit::Ratio | Unit::Count => Self::Known(0.0),
        }
    }

    fn at(&self, member: &Member) -> f64 {
        match self {
            Self::Known(resolution) => *resolution,
            Self::OfProbe(family) => {
                let by_probe = &member.instance.resolution_seconds;
                probe_of(family, by_probe.keys().map(String::as_str))
                    .and_then(|probe| by_probe.get(probe))
                    .copied()
                    .unwrap_or(0.0)
            }
        }
    }
}
