//! The unit of evidence: the host, and its one value in a row.
//!
//! Rounds of one host resemble one another, so more rounds never make up for few hosts. Instances on one kernel
//! (same `boot_id`) share a host just as well: their log values are averaged first. An instance whose source
//! does not say its kernel is taken for a host of its own.

use std::collections::BTreeMap;

use super::cells::{Cells, Median, RowCells};
use super::group::Group;
use super::{Member, SeriesKey};
use crate::observation::{Readings, Statistic};
use crate::stats::summary;

/// Fewest clean rounds of an instance for a quantile of its rounds.
///
/// Gauges are exempt ([`Statistic::Value`]): some are read once per start of the machine, and between hosts a
/// noisier value shows as spread, which the interval has in it. Rows with fewer readings say so.
pub const MIN_ROUNDS: usize = 10;

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
pub struct Host<'a> {
    /// Its first instance's name.
    pub name: &'a str,
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
pub struct Side<'a> {
    /// They, by stratum and name.
    pub hosts: Vec<Host<'a>>,
    /// Instances that have no value, by name.
    pub left_out: Vec<(String, LeftOut)>,
    /// Rounds that were disturbed, and all rounds, of all instances that have the series.
    pub disturbed: (usize, usize),
    /// Smallest difference that a single value can show, in the family's unit; zero where unknown.
    pub resolution: f64,
}

impl<'a> Side<'a> {
    /// The hosts of `group` in the row `key`; for many rows, [`Cells`] finds them sooner.
    #[must_use]
    pub fn of(group: &Group<'a>, key: &SeriesKey, rounds: Rounds) -> Self {
        Cells::of(group, std::slice::from_ref(key)).side(0, rounds)
    }

    pub(super) fn of_row(seats: &[Seat<'a>], row: &RowCells, rounds: Rounds) -> Self {
        let mut side = Self { disturbed: row.disturbed, resolution: row.resolution, ..Self::default() };
        let mut hosts: Vec<(u32, Host<'a>)> = Vec::with_capacity(seats.len());
        let mut valued: Vec<Valued<'_, 'a>> = Vec::new();
        for of_host in seats.chunk_by(|a, b| (a.stratum, a.host) == (b.stratum, b.host)) {
            valued.clear();
            for seat in of_host {
                match row.cells.get(seat.at).map_or(Median::Absent, |cell| cell.median(rounds)) {
                    Median::Absent => {}
                    Median::LeftOut(reason) => side.left_out.push((seat.name.to_owned(), reason)),
                    Median::Of { value, rounds } => valued.push(Valued { seat, value, rounds }),
                }
            }
            hosts.extend(host(&valued));
        }
        // Nearly so already, as hosts are numbered by name: one whose first instance has no value is called by another.
        hosts.sort_by_key(|(place, host)| (host.stratum, *place));
        side.hosts = hosts.into_iter().map(|(_, host)| host).collect();
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
        let others: Vec<Host<'_>> = others;
        self.left_out.extend(others.into_iter().map(|host| (host.name.to_owned(), LeftOut::FewAlike)));
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

/// What a row must know of an instance, without fetching the instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat<'a> {
    /// Its place in the group, and so in each row.
    at: usize,
    stratum: usize,
    host: u32,
    /// The place of its name among all names.
    place: u32,
    name: &'a str,
}

impl<'a> Seat<'a> {
    /// Those of a group, by stratum and host.
    pub(super) fn of(group: &Group<'a>) -> Vec<Self> {
        let seat = |(at, member): (usize, &&'a Member)| Self {
            at,
            stratum: group.stratum(at),
            host: member.host(),
            place: member.place(),
            name: &member.instance.name,
        };
        let mut seats: Vec<Self> = group.members.iter().enumerate().map(seat).collect();
        seats.sort_by_key(|seat| (seat.stratum, seat.host));
        seats
    }
}

/// An instance and its value.
struct Valued<'s, 'a> {
    seat: &'s Seat<'a>,
    value: f64,
    /// That the value rests on.
    rounds: u32,
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

/// Instances of one host into the host, and the place of its name among all names.
fn host<'a>(instances: &[Valued<'_, 'a>]) -> Option<(u32, Host<'a>)> {
    let first = instances.iter().map(|one| one.seat).min_by_key(|seat| seat.place)?;
    let (log_value, value) = if let [one] = instances {
        (one.value.ln(), one.value)
    } else {
        let logs: Vec<f64> = instances.iter().map(|one| one.value.ln()).collect();
        let log_value = summary::mean(&logs)?;
        (log_value, log_value.exp())
    };
    let host = Host {
        name: first.name,
        log_value,
        value,
        instances: instances.len(),
        rounds: instances.iter().map(|one| one.rounds as usize).sum(),
        stratum: first.stratum,
    };
    Some((first.place, host))
}
