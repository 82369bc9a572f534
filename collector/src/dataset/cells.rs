//! What each instance of a group has in each of some rows.
//!
//! An instance's readings lie together in memory, and those of a row all over it. So the medians of all rows are taken
//! from one instance after the other, and a row then reads a few bytes of each instance, one after the other again.

use tierprobe_model::Unit;

use super::group::Group;
use super::host::{LeftOut, Rounds, Side, value};
use super::{Member, SeriesKey};
use crate::observation::probe_of;

/// Memory is handed out in pages, so that is the smallest difference that a value in bytes can show.
const PAGE_BYTES: f64 = 4096.0;

/// The medians of a group's instances in some rows.
#[derive(Debug, Clone)]
pub struct Cells<'a> {
    group: Group<'a>,
    rows: Vec<RowCells>,
}

/// One row.
#[derive(Debug, Clone)]
pub(super) struct RowCells {
    /// One entry a member, in the order of the group; nothing where the dataset lacks the series.
    pub(super) cells: Vec<Cell>,
    /// Rounds that were disturbed, and all rounds, of all instances that have the series.
    pub(super) disturbed: (usize, usize),
    /// Smallest difference that a single value can show, in the family's unit; zero where unknown.
    pub(super) resolution: f64,
    /// Whether any member of the group says that the row's readings are independent repetitions.
    is_independent: bool,
}

/// One instance in one row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    clean: Median,
    all: Median,
}

/// The median of an instance's rounds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Median {
    /// It does not have the series.
    Absent,
    /// It has the series, and yet no value.
    LeftOut(LeftOut),
    /// The median, and how many rounds it rests on.
    Of { value: f64, rounds: u32 },
}

impl Cell {
    pub(super) const fn median(&self, rounds: Rounds) -> Median {
        match rounds {
            Rounds::Clean => self.clean,
            Rounds::All => self.all,
        }
    }
}

impl<'a> Cells<'a> {
    /// Those of `group` in the rows of these keys.
    #[must_use]
    pub fn of(group: &Group<'a>, keys: &[SeriesKey]) -> Self {
        let places: Vec<_> = keys.iter().map(|key| (key, group.id(key), Resolution::of(key))).collect();
        let room = |(_, id, _): &(_, Option<_>, _)| if id.is_some() { group.members.len() } else { 0 };
        let mut rows: Vec<RowCells> = places.iter().map(|place| RowCells::with_room(room(place))).collect();
        let mut scratch = Vec::new();
        for member in &group.members {
            for ((key, id, resolution), row) in places.iter().zip(&mut rows) {
                row.is_independent |= member.independent.contains(&key.family);
                let Some(id) = *id else { continue };
                let Some(readings) = group.readings_of(member, id, key.statistic) else {
                    row.cells.push(Cell { clean: Median::Absent, all: Median::Absent });
                    continue;
                };
                let disturbed = readings.disturbed();
                row.disturbed.0 += disturbed;
                row.disturbed.1 += readings.len();
                row.resolution = row.resolution.max(resolution.at(member));
                let mut median =
                    |rounds| match value(readings, disturbed, key.statistic, rounds, &mut scratch) {
                        // A series of four thousand million rounds does not fit into memory.
                        Ok((value, rounds)) => {
                            Median::Of { value, rounds: u32::try_from(rounds).unwrap_or(u32::MAX) }
                        }
                        Err(reason) => Median::LeftOut(reason),
                    };
                let clean = median(Rounds::Clean);
                let all = if disturbed == 0 { clean } else { median(Rounds::All) };
                row.cells.push(Cell { clean, all });
            }
        }
        Self { group: group.clone(), rows }
    }

    /// The hosts in the row of the key at this place.
    #[must_use]
    pub fn side(&self, row: usize, rounds: Rounds) -> Side<'a> {
        self.rows.get(row).map_or_else(Side::default, |row| Side::of_row(&self.group, row, rounds))
    }

    /// Whether any instance says that the readings of the row at this place are independent repetitions.
    #[must_use]
    pub fn is_independent(&self, row: usize) -> bool {
        self.rows.get(row).is_some_and(|row| row.is_independent)
    }
}

impl RowCells {
    fn with_room(members: usize) -> Self {
        Self { cells: Vec::with_capacity(members), disturbed: (0, 0), resolution: 0.0, is_independent: false }
    }
}

/// The smallest difference that a value of a series can show.
enum Resolution<'k> {
    /// The same everywhere.
    Known(f64),
    /// As each instance says for the probe of this family.
    OfProbe(&'k str),
}

impl<'k> Resolution<'k> {
    fn of(key: &'k SeriesKey) -> Self {
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

#[cfg(test)]
mod tests;
