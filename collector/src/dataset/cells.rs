//! What each instance of a group has in each of some rows.
//!
//! An instance's readings lie together in memory, and those of a row all over it. So the medians of all rows are taken
//! from one instance after the other, and a row then reads a few bytes of each instance, one after the other again.

use tierprobe_model::Unit;

use super::group::Group;
use super::host::{LeftOut, Rounds, Seat, Side, value};
use super::{Member, SeriesKey};
use crate::observation::probe_of;
use crate::observation::series::Keys;

/// Memory is handed out in pages, so that is the smallest difference that a value in bytes can show.
const PAGE_BYTES: f64 = 4096.0;

/// The medians of a group's instances in some rows.
#[derive(Debug, Clone)]
pub struct Cells<'a> {
    seats: Vec<Seat<'a>>,
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
        let absent = Cell { clean: Median::Absent, all: Median::Absent };
        let mut rows: Vec<RowCells> = Vec::with_capacity(keys.len());
        // The row of each of the dataset's series.
        let mut places: Vec<Option<usize>> = vec![None; group.keys().map_or(0, Keys::len)];
        for (row, key) in keys.iter().enumerate() {
            let place = group.id(key).and_then(|id| places.get_mut(id.index()));
            let members = if place.is_some() { group.members.len() } else { 0 };
            rows.push(RowCells::new(vec![absent; members]));
            if let Some(place) = place {
                *place = Some(row);
            }
        }
        let mut resolutions = Resolutions::of(keys);
        let mut scratch = Vec::new();
        for (at, member) in group.members.iter().enumerate() {
            resolutions.turn_to(member);
            for (row, key) in rows.iter_mut().zip(keys).filter(|_| !member.independent.is_empty()) {
                row.is_independent |= member.independent.contains(&key.family);
            }
            for (id, key, readings) in group.series_of(member) {
                let Some(place) = places.get(id.index()).copied().flatten() else { continue };
                let Some(row) = rows.get_mut(place) else { continue };
                let disturbed = readings.disturbed();
                row.disturbed.0 += disturbed;
                row.disturbed.1 += readings.len();
                row.resolution = row.resolution.max(resolutions.of_row(place));
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
                if let Some(cell) = row.cells.get_mut(at) {
                    *cell = Cell { clean, all };
                }
            }
        }
        Self { seats: Seat::of(group), rows }
    }

    /// The hosts in the row of the key at this place.
    #[must_use]
    pub fn side(&self, row: usize, rounds: Rounds) -> Side<'a> {
        self.rows.get(row).map_or_else(Side::default, |row| Side::of_row(&self.seats, row, rounds))
    }

    /// Whether any instance says that the readings of the row at this place are independent repetitions.
    #[must_use]
    pub fn is_independent(&self, row: usize) -> bool {
        self.rows.get(row).is_some_and(|row| row.is_independent)
    }
}

impl RowCells {
    const fn new(cells: Vec<Cell>) -> Self {
        Self { cells, disturbed: (0, 0), resolution: 0.0, is_independent: false }
    }
}

/// The smallest differences that a value of each row can show, as one instance after the other says.
struct Resolutions<'k> {
    rows: Vec<Resolution<'k>>,
    /// The probes that the instance speaks of: nearly all of a fleet speak of the same ones.
    probes: Vec<String>,
    /// The place of each row's probe among them.
    places: Vec<Option<usize>>,
    /// What it says of each.
    said: Vec<f64>,
}

/// Of one row.
enum Resolution<'k> {
    /// The same everywhere.
    Known(f64),
    /// As each instance says for the probe of this family.
    OfProbe(&'k str),
}

impl<'k> Resolutions<'k> {
    fn of(keys: &'k [SeriesKey]) -> Self {
        let row = |key: &'k SeriesKey| match Unit::of_family(&key.family) {
            Unit::Bytes => Resolution::Known(PAGE_BYTES),
            Unit::Seconds => Resolution::OfProbe(&key.family),
            Unit::Ratio | Unit::Count => Resolution::Known(0.0),
        };
        Self {
            rows: keys.iter().map(row).collect(),
            probes: Vec::new(),
            places: vec![None; keys.len()],
            said: Vec::new(),
        }
    }

    fn turn_to(&mut self, member: &Member) {
        let by_probe = &member.instance.resolution_seconds;
        self.said.clear();
        self.said.extend(by_probe.values());
        if by_probe.keys().eq(&self.probes) {
            return;
        }
        self.probes = by_probe.keys().cloned().collect();
        let place = |row: &Resolution<'_>| match row {
            Resolution::Known(_) => None,
            Resolution::OfProbe(family) => {
                let probe = probe_of(family, self.probes.iter().map(String::as_str))?;
                self.probes.iter().position(|one| one == probe)
            }
        };
        self.places = self.rows.iter().map(place).collect();
    }

    /// That of the row at a place; zero where the instance does not say.
    fn of_row(&self, row: usize) -> f64 {
        if let Some(Resolution::Known(resolution)) = self.rows.get(row) {
            return *resolution;
        }
        let said = self.places.get(row).copied().flatten().and_then(|place| self.said.get(place));
        said.copied().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests;
