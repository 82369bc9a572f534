//! The unit of evidence: the host, and its one value in a row.
//!
//! Rounds of one host resemble one another, so more rounds never make up for few hosts. Instances on one kernel
//! (same `boot_id`) share a host just as well: their log values are averaged first. An instance whose source
//! does not say its kernel is taken for a host of its own.

use std::collections::BTreeMap;

use tierprobe_model::Unit;

use super::group::Group;
use super::{Member, Reading, SeriesKey};
use crate::observation::{Statistic, probe_of};
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
        let mut hosts: BTreeMap<(usize, String), Vec<Valued<'_>>> = BTreeMap::new();
        for (at, member) in group.members.iter().enumerate() {
            let Some(readings) = group.readings(member, key) else { continue };
            let disturbed = readings.iter().filter(|reading| reading.disturbed).count();
            side.disturbed.0 += disturbed;
            side.disturbed.1 += readings.len();
            side.resolution = side.resolution.max(resolution(member, key));
            match value(readings, key.statistic, rounds) {
                Ok((value, rounds)) => {
                    hosts
                        .entry((group.stratum(at), host_key(member)))
                        .or_default()
                        .push((*member, value, rounds));
                }
                Err(reason) => side.left_out.push((member.instance.name.clone(), reason)),
            }
        }
        side.hosts =
            hosts.into_iter().filter_map(|((stratum, _), instances)| host(stratum, &instances)).collect();
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

/// An instance, its value, and the rounds that this rests on.
type Valued<'a> = (&'a Member, f64, usize);

/// The median of one instance's readings, above zero, and how many of them count.
pub(crate) fn value(
    readings: &[Reading],
    statistic: Statistic,
    rounds: Rounds,
) -> Result<(f64, usize), LeftOut> {
    let counting: Vec<f64> = counting(readings, rounds).map(|reading| reading.value).collect();
    let fewest = if statistic == Statistic::Value { 1 } else { MIN_ROUNDS };
    if (readings.len() - counting.len()) * 2 > readings.len() {
        return Err(LeftOut::MostlyDisturbed);
    }
    if counting.len() < fewest {
        return Err(LeftOut::FewRounds);
    }
    match summary::median(&counting) {
        Some(median) if median > 0.0 => Ok((median, counting.len())),
        Some(_) => Err(LeftOut::NonPositive),
        None => Err(LeftOut::FewRounds),
    }
}

/// The readings that count.
pub(crate) fn counting(readings: &[Reading], rounds: Rounds) -> impl Iterator<Item = &Reading> {
    readings.iter().filter(move |reading| rounds == Rounds::All || !reading.disturbed)
}

/// Instances of one host into the host.
fn host(stratum: usize, instances: &[Valued<'_>]) -> Option<Host> {
    let name = instances.iter().map(|(member, ..)| member.instance.name.as_str()).min()?;
    let logs: Vec<f64> = instances.iter().map(|(_, value, _)| value.ln()).collect();
    let log_value = summary::mean(&logs)?;
    let value = if let [(_, value, _)] = instances { *value } else { log_value.exp() };
    Some(Host {
        name: name.to_owned(),
        log_value,
        value,
        instances: instances.len(),
        rounds: instances.iter().map(|(.., rounds)| rounds).sum(),
        stratum,
    })
}

/// What instances of one host have in common.
pub(crate) fn host_key(member: &Member) -> String {
    match member.instance.labels.get("boot_id") {
        Some(boot_id) => format!("boot {boot_id}"),
        None => format!("instance {}", member.instance.name),
    }
}

fn resolution(member: &Member, key: &SeriesKey) -> f64 {
    match Unit::of_family(&key.family) {
        Unit::Bytes => PAGE_BYTES,
        Unit::Seconds => {
            let by_probe = &member.instance.resolution_seconds;
            probe_of(&key.family, by_probe.keys().map(String::as_str))
                .and_then(|probe| by_probe.get(probe))
                .copied()
                .unwrap_or(0.0)
        }
        Unit::Ratio | Unit::Count => 0.0,
    }
}
