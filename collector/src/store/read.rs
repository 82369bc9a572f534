//! A window of time, read beside the writer and without keeping it waiting.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::open::open_reader;
use super::pack::{self, Group, unpack};
use super::{StoreError, milliseconds};
use crate::dataset::{Builder, Dataset, Filter, Reading, SeriesKey, Span};
use crate::observation::{Instance, Labels, Packed, Packer, Statistic, Vocabulary};
use crate::source::Dropped;

/// How long after its end a round may be scraped: an agent's clock may be off, and its scrape late.
const LATE_SECONDS: f64 = 120.0;

/// What to read.
#[derive(Debug, Clone)]
pub struct Query<'a> {
    /// Rounds that ended within; its end is not in it.
    pub span: Span,
    /// Which number of a duration's rounds; gauges have one only.
    pub statistic: Statistic,
    /// Only instances that all of these keep.
    pub filters: &'a [Filter],
    /// Most readings.
    pub limit: usize,
    /// A target without a scrape for this long before the end of the span is stale, in seconds.
    pub stale_seconds: f64,
}

/// An instance that the store knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Where it came from.
    pub source: String,
    /// What it said of itself.
    pub instance: Instance,
    /// When it was last noted, in seconds since the epoch; up to ten minutes behind its last scrape.
    pub last_at: f64,
}

/// Reads from the store; any number may do so at a time.
#[derive(Debug, Clone)]
pub struct Reader {
    path: PathBuf,
}

/// One identity of one target while it is read.
struct Loading {
    known: Known,
    is_kept: bool,
    /// Latest scrape, in milliseconds since the epoch; `None` without any in the span.
    last: Option<i64>,
    rounds: usize,
    tracks: HashMap<u32, Track>,
}

/// Rounds of one layout.
#[derive(Default)]
struct Track {
    rounds: Vec<(f64, bool)>,
    /// Values of the layout's wanted series at these rounds, round by round.
    values: Vec<f64>,
}

impl Reader {
    /// A reader of the database at `path`.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Instances, as they described themselves last, by source.
    ///
    /// # Errors
    ///
    /// Those of SQLite.
    pub fn instances(&self) -> Result<Vec<Known>, StoreError> {
        let connection = open_reader(&self.path)?;
        let all = instances(&connection).map_err(StoreError::sqlite(&self.path))?;
        let mut latest: BTreeMap<(String, String), Known> = BTreeMap::new();
        for (_, known) in all {
            let key = (known.source.clone(), known.instance.name.clone());
            match latest.get(&key) {
                Some(other) if other.last_at > known.last_at => {}
                Some(_) | None => drop(latest.insert(key, known)),
            }
        }
        Ok(latest.into_values().collect())
    }

    /// The observations of a window, ready to be compared.
    ///
    /// A target that became another within it, as by starting anew, counts as what it was last: its rounds from
    /// before are left out and named.
    ///
    /// # Errors
    ///
    /// Those of SQLite, and [`StoreError::TooMuch`].
    pub fn dataset(&self, query: &Query<'_>) -> Result<Dataset, StoreError> {
        let connection = open_reader(&self.path)?;
        let sqlite = || StoreError::sqlite(&self.path);
        // One view of the database, however long this takes.
        let transaction = connection.unchecked_transaction().map_err(sqlite())?;
        let names = Names::load(&transaction, query).map_err(sqlite())?;
        let all = instances(&transaction).map_err(sqlite())?;
        let mut loading: HashMap<i64, Loading> =
            all.into_iter().map(|(id, known)| (id, Loading::new(known, query.filters))).collect();
        let broken = rounds(&transaction, query, &names, &mut loading, &self.path)?;
        keep_latest_once(&transaction, &names, &mut loading).map_err(sqlite())?;
        let help = help(&transaction).map_err(sqlite())?;
        drop(transaction);
        Ok(into_dataset(loading, &names, query, help, broken))
    }
}

/// Series and layouts by number; of series only what is asked for.
struct Names {
    series: HashMap<u32, SeriesKey>,
    /// Of each layout, its wanted series with their places in it.
    layouts: HashMap<u32, Vec<(usize, u32)>>,
}

impl Names {
    fn load(connection: &Connection, query: &Query<'_>) -> rusqlite::Result<Self> {
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
    fn new(known: Known, filters: &[Filter]) -> Self {
        let label = |key: &str| {
            let name = (key == "instance").then_some(&known.instance.name);
            known.instance.labels.get(key).or(name).map_or("", String::as_str)
        };
        let is_kept = filters.iter().all(|filter| label(&filter.key) == filter.value);
        Self { known, is_kept, last: None, rounds: 0, tracks: HashMap::new() }
    }
}

/// Reads the rounds of the span and says how many were broken.
fn rounds(
    connection: &Connection,
    query: &Query<'_>,
    names: &Names,
    loading: &mut HashMap<i64, Loading>,
    path: &Path,
) -> Result<usize, StoreError> {
    let sqlite = || StoreError::sqlite(path);
    let (mut count, mut broken) = (0, 0);
    let mut select = connection
        .prepare("SELECT at, instance, data FROM round WHERE at BETWEEN ? AND ? ORDER BY at")
        .map_err(sqlite())?;
    let bounds =
        [milliseconds(query.span.from - LATE_SECONDS), milliseconds(query.span.until + LATE_SECONDS)];
    let mut rows = select.query(bounds).map_err(sqlite())?;
    while let Some(row) = rows.next().map_err(sqlite())? {
        let (at, instance): (i64, i64) = (row.get(0).map_err(sqlite())?, row.get(1).map_err(sqlite())?);
        let Some(one) = loading.get_mut(&instance) else { continue };
        let data = row.get_ref(2).map_err(sqlite())?.as_blob().unwrap_or_default();
        let groups = if one.is_kept { unpack(data) } else { Ok(Vec::new()) };
        let Ok(groups) = groups else {
            broken += 1;
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
                count += one.tracks.entry(group.layout).or_default().push(group, wanted);
            }
        }
        if is_in {
            one.last = Some(at);
        }
        if count > query.limit {
            return Err(StoreError::TooMuch { limit: query.limit });
        }
    }
    Ok(broken)
}

/// What was read once holds in the window, too.
fn keep_latest_once(
    connection: &Connection,
    names: &Names,
    loading: &mut HashMap<i64, Loading>,
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

fn into_dataset(
    loading: HashMap<i64, Loading>,
    names: &Names,
    query: &Query<'_>,
    help: BTreeMap<String, String>,
    broken: usize,
) -> Dataset {
    let mut targets: BTreeMap<(String, String), Vec<Loading>> = BTreeMap::new();
    for one in loading.into_values().filter(|one| one.last.is_some()) {
        let key = (one.known.source.clone(), one.known.instance.name.clone());
        targets.entry(key).or_default().push(one);
    }
    let mut dropped = Vec::new();
    let vocabulary = Vocabulary::default();
    let mut builder = Builder::default();
    help.iter().for_each(|(family, help)| vocabulary.describe(family, help));
    for ((source, _), mut identities) in targets {
        identities.sort_by_key(|one| one.last);
        let Some(current) = identities.pop() else { continue };
        for before in identities.iter().filter(|before| before.is_kept && before.rounds > 0) {
            let reason = format!(
                "{} from before it changed ({}) are left out: they were measured elsewhere",
                counted(before.rounds, "round"),
                changed(&before.known.instance.labels, &current.known.instance.labels)
            );
            dropped.push(Dropped { source: source.clone(), reason });
        }
        if current.is_kept && current.rounds > 0 {
            builder.add(packed(&source, current, names, query, &vocabulary));
        }
    }
    if broken > 0 {
        let reason = format!("{} in the store cannot be read", counted(broken, "scrape"));
        dropped.push(Dropped { source: "the store".to_owned(), reason });
    }
    builder.build().with_dropped(dropped)
}

/// One instance; what was loaded of it is gone then, so that a fleet need not be in memory twice.
fn packed(source: &str, one: Loading, names: &Names, query: &Query<'_>, vocabulary: &Vocabulary) -> Packed {
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

/// Names of labels that differ.
fn changed(before: &Labels, after: &Labels) -> String {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let names: Vec<&str> =
        names.filter(|name| before.get(*name) != after.get(*name)).map(String::as_str).collect();
    names.join(", ")
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// All series by number.
pub(super) fn series(connection: &Connection) -> rusqlite::Result<Vec<(u32, SeriesKey)>> {
    let mut select = connection.prepare("SELECT id, family, labels, statistic FROM series")?;
    let mut rows = select.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let statistic: String = row.get(3)?;
        // A statistic of a later release is none that can be asked for.
        let known = if statistic == "value" { Some(Statistic::Value) } else { statistic.parse().ok() };
        let Some(statistic) = known else { continue };
        all.push((row.get(0)?, SeriesKey { family: row.get(1)?, labels: parsed(row, 2)?, statistic }));
    }
    Ok(all)
}

/// All layouts by number.
pub(super) fn layouts(connection: &Connection) -> rusqlite::Result<Vec<(u32, Vec<u32>)>> {
    let mut select = connection.prepare("SELECT id, series FROM layout")?;
    let mut rows = select.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(1)?.as_blob().unwrap_or_default();
        let series = bytes.chunks(4).filter_map(|chunk| chunk.try_into().ok()).map(u32::from_le_bytes);
        all.push((row.get(0)?, series.collect()));
    }
    Ok(all)
}

fn instances(connection: &Connection) -> rusqlite::Result<Vec<(i64, Known)>> {
    let mut select = connection
        .prepare("SELECT id, source, name, labels, tier_confidence, resolution, last_at FROM instance")?;
    let mut rows = select.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let instance = Instance {
            name: row.get(2)?,
            labels: parsed(row, 3)?,
            tier_confidence: row.get(4)?,
            resolution_seconds: parsed(row, 5)?,
        };
        all.push((row.get(0)?, Known { source: row.get(1)?, instance, last_at: seconds(row.get(6)?) }));
    }
    Ok(all)
}

fn help(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut select = connection.prepare("SELECT name, help FROM family")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn parsed<T: serde::de::DeserializeOwned>(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<T> {
    let text: String = row.get(at)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, Box::new(error))
    })
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since the epoch are below 2^53")]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
