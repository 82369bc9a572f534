//! Rounds of some targets, from rows to what is packed.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::Connection;

use super::pack::{self, Group, unpack};
use super::read::{Known, Query, layouts, seconds, series};
use super::{StoreError, milliseconds};
use crate::dataset::{Filter, Reading, SeriesKey};
use crate::observation::{Packed, Packer, Statistic, Vocabulary};

/// How long after its end a round may be scraped: an agent's clock may be off, and its scrape late.
const LATE_SECONDS: f64 = 120.0;

/// One identity of one target while it is read.
pub(super) struct Loading {
    pub(super) id: i64,
    pub(super) known: Known,
    pub(super) is_kept: bool,
    /// Latest scrape, in milliseconds since the epoch; `None` without any in the span.
    pub(super) last: Option<i64>,
    pub(super) rounds: usize,
    tracks: HashMap<u32, Track>,
}

/// Rounds of one layout.
#[derive(Default)]
struct Track {
    rounds: Vec<(f64, bool)>,
    /// Values of the layout's wanted series at these rounds, round by round.
    values: Vec<f64>,
}

/// What is counted over all rows.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) readings: usize,
    /// Rows that cannot be unpacked.
    pub(super) broken: usize,
    /// Instances with rows of which it cannot be read what they are.
    pub(super) nameless: usize,
}

/// Series and layouts by number; of series only what is asked for.
pub(super) struct Names {
    series: HashMap<u32, SeriesKey>,
    /// Of each layout, its wanted series with their places in it.
    layouts: HashMap<u32, Vec<(usize, u32)>>,
}

impl Names {
    pub(super) fn load(connection: &Connection, query: &Query<'_>) -> rusqlite::Result<Self> {
        let wanted = |key: &SeriesKey| key.statistic == query.statistic || key.statistic == Statistic::Value;
        let series: HashMap<u32, SeriesKey> =
            series(connection)?.into_iter().filter(|(_, key)| wanted(key)).collect();
        let mut names = Self { series, layouts: HashMap::new() };
        for (id, layout) in layouts(connection)? {
            let places = layout.into_iter().enumerate().filter(|(_, one)| names.series.contains_key(one));
            let places = places.collect();
            names.layouts.insert(id, places);
        }
        Ok(names)
    }

    fn wanted(&self, layout: u32) -> &[(usize, u32)] {
        self.layouts.get(&layout).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Track {
    /// Adds a round and says how many readings that were.
    fn push(&mut self, group: &Group, wanted: &[(usize, u32)]) -> usize {
        self.rounds.push((group.timestamp, group.disturbed));
        // A round that is too short for its layout was cut; what is no number is left out by whoever packs it.
        let value = |(at, _): &(usize, u32)| group.values.get(*at).copied().unwrap_or(f64::NAN);
        self.values.extend(wanted.iter().map(value));
        wanted.len()
    }

    /// The readings of the `at`-th of `all` wanted series.
    fn readings(&self, at: usize, all: usize) -> impl Iterator<Item = Reading> {
        let values = self.values.iter().skip(at).step_by(all.max(1));
        let reading = |((timestamp, disturbed), value): (&(f64, bool), &f64)| Reading {
            timestamp: *timestamp,
            value: *value,
            disturbed: *disturbed,
        };
        self.rounds.iter().zip(values).map(reading)
    }
}

impl Loading {
    pub(super) fn new(id: i64, known: Known, filters: &[Filter]) -> Self {
        let label = |key: &str| {
            let name = (key == "instance").then_some(&known.instance.name);
            known.instance.labels.get(key).or(name).map_or("", String::as_str)
        };
        let is_kept = filters.iter().all(|filter| label(&filter.key) == filter.value);
        Self { id, known, is_kept, last: None, rounds: 0, tracks: HashMap::new() }
    }
}

/// Reads the rounds of the span of these instances.
pub(super) fn rounds(
    connection: &Connection,
    query: &Query<'_>,
    names: &Names,
    loading: &mut HashMap<i64, &mut Loading>,
    counts: &mut Counts,
    path: &Path,
) -> Result<(), StoreError> {
    let sqlite = || StoreError::sqlite(path);
    let mut select = connection
        .prepare("SELECT at, instance, data FROM round WHERE at BETWEEN ? AND ? ORDER BY at")
        .map_err(sqlite())?;
    let mut rows = select.query(bounds(query)).map_err(sqlite())?;
    while let Some(row) = rows.next().map_err(sqlite())? {
        let (at, instance): (i64, i64) = (row.get(0).map_err(sqlite())?, row.get(1).map_err(sqlite())?);
        let Some(one) = loading.get_mut(&instance) else { continue };
        let data = row.get_ref(2).map_err(sqlite())?.as_blob().unwrap_or_default();
        let groups = if one.is_kept { unpack(data) } else { Ok(Vec::new()) };
        let Ok(groups) = groups else {
            counts.broken += 1;
            continue;
        };
        let within =
            |group: &&Group| group.timestamp >= query.span.from && group.timestamp < query.span.until;
        let found = pack::rounds(groups.iter().filter(within));
        one.rounds += found;
        let is_in = !one.is_kept || found > 0;
        for group in groups.iter().filter(within) {
            let wanted = names.wanted(group.layout);
            if !wanted.is_empty() {
                counts.readings += one.tracks.entry(group.layout).or_default().push(group, wanted);
            }
        }
        if is_in {
            one.last = Some(at);
        }
        if counts.readings > query.limit {
            return Err(StoreError::TooMuch { limit: query.limit });
        }
    }
    Ok(())
}

/// What was read once holds in the window, too.
pub(super) fn keep_latest_once(
    connection: &Connection,
    names: &Names,
    loading: &mut HashMap<i64, &mut Loading>,
) -> rusqlite::Result<()> {
    let mut select = connection.prepare("SELECT instance, data FROM once")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let instance: i64 = row.get(0)?;
        let Some(one) = loading.get_mut(&instance).filter(|one| one.rounds > 0) else { continue };
        for group in unpack(row.get_ref(1)?.as_blob().unwrap_or_default()).unwrap_or_default() {
            let wanted = names.wanted(group.layout);
            if !wanted.is_empty() && !one.tracks.contains_key(&group.layout) {
                one.tracks.entry(group.layout).or_default().push(&group, wanted);
            }
        }
    }
    Ok(())
}

/// One instance; what was loaded of it is gone then, so that a fleet need not be in memory twice.
pub(super) fn packed(
    source: &str,
    one: Loading,
    names: &Names,
    query: &Query<'_>,
    vocabulary: &Vocabulary,
) -> Packed {
    let mut packer = Packer::new(source, one.known.instance, vocabulary);
    for (layout, track) in one.tracks {
        let wanted = names.wanted(layout);
        for (at, (_, series)) in wanted.iter().enumerate() {
            if let Some(key) = names.series.get(series) {
                packer.series(key, track.readings(at, wanted.len()));
            }
        }
    }
    let silent = one.last.map(|last| query.span.until - seconds(last));
    let mut packed = packer.pack();
    packed.stale_seconds = silent.filter(|silent| *silent > query.stale_seconds);
    packed
}

/// The scrapes that may have rounds of the span, in milliseconds since the epoch.
pub(super) fn bounds(query: &Query<'_>) -> [i64; 2] {
    [milliseconds(query.span.from - LATE_SECONDS), milliseconds(query.span.until + LATE_SECONDS)]
}
