//! Writes one interval's scrapes in one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::pack::{Group, pack, rounds, unpack};
use super::{Opened, StoreError, milliseconds};
use crate::dataset::SeriesKey;
use crate::observation::{Instance, Reading, SeriesId, Statistic, Vocabulary};

/// How far back rounds are looked at to know, after a start, which of the agents' latest rounds are there already.
const RECENT_MS: i64 = 30 * 60 * 1000;

/// How often it is noted again that an instance is there, and what is read once; they cost pages of their own.
pub(super) const NOTE_MS: i64 = 10 * 60 * 1000;

/// Most series that are kept apart, of all rounds that are kept. Agents have a few hundred; a target that makes up labels
/// must not fill the store.
const MAX_SERIES: usize = 100_000;

/// A number of a round, its series by its place in the writer's vocabulary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The place.
    pub series: SeriesId,
    /// When the round ended, on the agent's clock, the number, and whether the round was disturbed.
    pub reading: Reading,
}

/// What one scrape of one target showed that was new.
#[derive(Debug, Clone, PartialEq)]
pub struct Scrape {
    /// The target, as the user named it.
    pub source: Arc<str>,
    /// What it says of itself.
    pub instance: Arc<Instance>,
    /// The numbers of its rounds that no earlier scrape showed.
    pub points: Vec<Point>,
    /// When, in seconds since the epoch, on the collector's clock.
    pub at: f64,
}

/// What a transaction wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Rounds of a probe.
    pub rounds: usize,
    /// Numbers in them.
    pub values: usize,
    /// Bytes that they are packed into.
    pub bytes: usize,
    /// Numbers that were left out because there are too many different series.
    pub left_out: usize,
}

/// The store's one writer.
#[derive(Debug)]
pub struct Writer {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    vocabulary: Vocabulary,
    names: Names,
    /// Each instance's latest rounds as they were at the start: an agent shows its last round until it has the next,
    /// so that a collector that was started again sees it twice.
    recent: HashMap<i64, HashMap<u32, u64>>,
    /// [`MAX_SERIES`], and less in tests.
    pub(super) max_series: usize,
    _lock: std::fs::File,
}

/// What has been given a number.
#[derive(Debug, Default)]
struct Names {
    series: HashMap<SeriesKey, u32>,
    /// The same by the place in the vocabulary, and whether it is a gauge.
    places: HashMap<SeriesId, (u32, bool)>,
    layouts: HashMap<Vec<u32>, Layout>,
    /// By source, name and labels.
    instances: HashMap<(String, String, String), Known>,
    /// When each value that is read once was noted last.
    once: HashMap<(i64, u32), i64>,
    help: HashMap<String, String>,
}

#[derive(Debug, Clone, Copy)]
struct Layout {
    id: u32,
    /// When a round of it was scraped last, to [`NOTE_MS`].
    last_at: i64,
}

#[derive(Debug, Clone, PartialEq)]
struct Known {
    id: i64,
    tier_confidence: Option<f64>,
    resolution: String,
    last_at: i64,
}

impl Writer {
    /// A writer to an open store.
    ///
    /// # Errors
    ///
    /// Those of SQLite.
    pub fn new(opened: Opened, vocabulary: Vocabulary) -> Result<Self, StoreError> {
        let Opened { connection, path, lock, .. } = opened;
        let names = Names::load(&connection).map_err(StoreError::sqlite(&path))?;
        let recent = recent(&connection).map_err(StoreError::sqlite(&path))?;
        Ok(Self { connection, path, vocabulary, names, recent, max_series: MAX_SERIES, _lock: lock })
    }

    /// Writes scrapes, all or none.
    ///
    /// # Errors
    ///
    /// Those of SQLite, a full disk among them. Nothing is written then, and the same may be tried again.
    pub fn write(&mut self, scrapes: &[Scrape]) -> Result<Written, StoreError> {
        match self.try_write(scrapes) {
            Ok(written) => Ok(written),
            Err(error) => {
                // Numbers that were given within it are not in the database.
                let _the_first_error_counts = self.reload();
                Err(StoreError::sqlite(&self.path)(error))
            }
        }
    }

    /// Numbers as they are in the database.
    pub(super) fn reload(&mut self) -> rusqlite::Result<()> {
        self.names = Names::load(&self.connection)?;
        let known: HashSet<u32> = self.names.layouts.values().map(|layout| layout.id).collect();
        // The number of one that is gone may be given to another.
        self.recent.values_mut().for_each(|rounds| rounds.retain(|layout, _| known.contains(layout)));
        Ok(())
    }

    fn try_write(&mut self, scrapes: &[Scrape]) -> rusqlite::Result<Written> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut written = Written::default();
        let mut met = Vec::new();
        for scrape in scrapes {
            let at = milliseconds(scrape.at);
            let instance = self.names.instance(&transaction, scrape, at)?;
            let (mut groups, left_out) =
                self.names.groups(&transaction, (&self.vocabulary, self.max_series), &scrape.points, at)?;
            written.left_out += left_out;
            if let Some(seen) = self.recent.get(&instance) {
                groups.retain(|(group, _)| seen.get(&group.layout) != Some(&group.timestamp.to_bits()));
                met.push(instance);
            }
            for (group, is_gauge) in &groups {
                if *is_gauge {
                    self.names.note_once(&transaction, instance, group, at)?;
                }
                written.values += group.values.len();
            }
            let groups: Vec<Group> = groups.into_iter().map(|(group, _)| group).collect();
            if groups.is_empty() {
                continue;
            }
            written.rounds += rounds(groups.iter());
            let data = pack(&groups);
            written.bytes += data.len();
            insert_round(&transaction, at, instance, &data)?;
        }
        transaction.commit()?;
        for instance in met {
            self.recent.remove(&instance);
        }
        Ok(written)
    }
}

/// Two scrapes of one instance may fall into one millisecond of a clock that was set back.
fn insert_round(transaction: &Transaction<'_>, at: i64, instance: i64, data: &[u8]) -> rusqlite::Result<()> {
    let mut insert =
        transaction.prepare_cached("INSERT OR IGNORE INTO round (at, instance, data) VALUES (?, ?, ?)")?;
    let mut at = at;
    while insert.execute(params![at, instance, data])? == 0 {
        at += 1;
    }
    Ok(())
}

impl Names {
    fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut names = Self::default();
        for (id, key) in super::read::series(connection)? {
            names.series.insert(key, id);
        }
        let mut last_at: HashMap<u32, i64> = HashMap::new();
        let mut layouts = connection.prepare("SELECT id, last_at FROM layout")?;
        let mut rows = layouts.query([])?;
        while let Some(row) = rows.next()? {
            last_at.insert(row.get(0)?, row.get(1)?);
        }
        for (id, layout) in super::read::layouts(connection)? {
            let last_at = last_at.get(&id).copied().unwrap_or_default();
            names.layouts.insert(layout, Layout { id, last_at });
        }
        let mut instances = connection
            .prepare("SELECT id, source, name, labels, tier_confidence, resolution, last_at FROM instance")?;
        let mut rows = instances.query([])?;
        while let Some(row) = rows.next()? {
            let known = Known {
                id: row.get(0)?,
                tier_confidence: row.get(4)?,
                // What cannot be read is written anew.
                resolution: row.get(5).unwrap_or_default(),
                last_at: row.get(6)?,
            };
            let key = || Ok((row.get(1)?, row.get(2)?, row.get(3)?));
            match key() {
                Ok(key) => drop(names.instances.insert(key, known)),
                // Its target is one that is not known yet.
                Err(error) if super::read::is_nonsense(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let mut families = connection.prepare("SELECT name, help FROM family")?;
        let mut rows = families.query([])?;
        while let Some(row) = rows.next()? {
            names.help.insert(row.get(0)?, row.get(1)?);
        }
        Ok(names)
    }

    fn instance(&mut self, transaction: &Transaction<'_>, scrape: &Scrape, at: i64) -> rusqlite::Result<i64> {
        let labels = json(&scrape.instance.labels);
        let resolution = json(&scrape.instance.resolution_seconds);
        let tier_confidence = scrape.instance.tier_confidence;
        let key = (scrape.source.to_string(), scrape.instance.name.clone(), labels);
        let id = match self.instances.get(&key) {
            Some(known)
                if known.resolution == resolution
                    && known.tier_confidence.map(f64::to_bits) == tier_confidence.map(f64::to_bits)
                    && (at - known.last_at).abs() < NOTE_MS =>
            {
                return Ok(known.id);
            }
            Some(known) => {
                let mut update = transaction.prepare_cached(
                    "UPDATE instance SET tier_confidence = ?, resolution = ?, last_at = ? WHERE id = ?",
                )?;
                update.execute(params![tier_confidence, resolution, at, known.id])?;
                known.id
            }
            None => {
                let mut insert = transaction.prepare_cached(
                    "INSERT INTO instance (source, name, labels, tier_confidence, resolution, last_at) \
                     VALUES (?, ?, ?, ?, ?, ?)",
                )?;
                insert.insert(params![key.0, key.1, key.2, tier_confidence, resolution, at])?
            }
        };
        self.instances.insert(key, Known { id, tier_confidence, resolution, last_at: at });
        Ok(id)
    }

    /// Points as groups, each with whether it is of gauges alone, and how many were left out.
    fn groups(
        &mut self,
        transaction: &Transaction<'_>,
        (vocabulary, max_series): (&Vocabulary, usize),
        points: &[Point],
        at: i64,
    ) -> rusqlite::Result<(Vec<(Group, bool)>, usize)> {
        let mut by_round: BTreeMap<(u64, bool, bool), BTreeMap<u32, f64>> = BTreeMap::new();
        let mut left_out = 0;
        for Point { series, reading } in points {
            let Some((series, is_gauge)) = self.series(transaction, (vocabulary, max_series), *series)?
            else {
                left_out += 1;
                continue;
            };
            let key = (reading.timestamp.to_bits(), reading.disturbed, is_gauge);
            by_round.entry(key).or_default().insert(series, reading.value);
        }
        let mut groups = Vec::new();
        for ((timestamp, disturbed, is_gauge), values) in by_round {
            let layout = self.layout(transaction, values.keys().copied().collect(), at)?;
            let timestamp = f64::from_bits(timestamp);
            let values = values.into_values().collect();
            groups.push((Group { layout, timestamp, disturbed, values }, is_gauge));
        }
        Ok((groups, left_out))
    }

    fn series(
        &mut self,
        transaction: &Transaction<'_>,
        (vocabulary, max_series): (&Vocabulary, usize),
        place: SeriesId,
    ) -> rusqlite::Result<Option<(u32, bool)>> {
        if let Some(known) = self.places.get(&place) {
            return Ok(Some(*known));
        }
        let Some(key) = vocabulary.key(place) else { return Ok(None) };
        let id = match self.series.get(&*key) {
            Some(id) => *id,
            None if self.series.len() >= max_series => return Ok(None),
            None => {
                let mut insert = transaction
                    .prepare_cached("INSERT INTO series (family, labels, statistic) VALUES (?, ?, ?)")?;
                let id = insert.insert(params![key.family, json(&key.labels), key.statistic.as_str()])?;
                let id = u32::try_from(id).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, id))?;
                self.series.insert((*key).clone(), id);
                id
            }
        };
        self.note_help(transaction, vocabulary, &key.family)?;
        let known = (id, key.statistic == Statistic::Value);
        self.places.insert(place, known);
        Ok(Some(known))
    }

    fn layout(&mut self, transaction: &Transaction<'_>, series: Vec<u32>, at: i64) -> rusqlite::Result<u32> {
        if let Some(known) = self.layouts.get_mut(&series) {
            // Never back, or rounds of a clock that was ahead would be without their layout.
            if at - known.last_at >= NOTE_MS {
                let mut update = transaction.prepare_cached("UPDATE layout SET last_at = ? WHERE id = ?")?;
                update.execute(params![at, known.id])?;
                known.last_at = at;
            }
            return Ok(known.id);
        }
        let bytes: Vec<u8> = series.iter().flat_map(|id| id.to_le_bytes()).collect();
        let mut insert = transaction.prepare_cached("INSERT INTO layout (series, last_at) VALUES (?, ?)")?;
        let id = insert.insert(params![bytes, at])?;
        let id = u32::try_from(id).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, id))?;
        self.layouts.insert(series, Layout { id, last_at: at });
        Ok(id)
    }

    /// Keeps a group of gauges beside the windows.
    fn note_once(
        &mut self,
        transaction: &Transaction<'_>,
        instance: i64,
        group: &Group,
        at: i64,
    ) -> rusqlite::Result<()> {
        let key = (instance, group.layout);
        if self.once.get(&key).is_some_and(|before| (at - before).abs() < NOTE_MS) {
            return Ok(());
        }
        let mut replace = transaction
            .prepare_cached("INSERT OR REPLACE INTO once (instance, layout, at, data) VALUES (?, ?, ?, ?)")?;
        replace.execute(params![instance, group.layout, at, pack(std::slice::from_ref(group))])?;
        self.once.insert(key, at);
        Ok(())
    }

    fn note_help(
        &mut self,
        transaction: &Transaction<'_>,
        vocabulary: &Vocabulary,
        family: &str,
    ) -> rusqlite::Result<()> {
        let Some(text) = vocabulary.help(family) else { return Ok(()) };
        if self.help.get(family) != Some(&text) {
            let mut replace =
                transaction.prepare_cached("INSERT OR REPLACE INTO family (name, help) VALUES (?, ?)")?;
            replace.execute(params![family, text])?;
            self.help.insert(family.to_owned(), text);
        }
        Ok(())
    }
}

/// Each instance's latest rounds, by layout.
fn recent(connection: &Connection) -> rusqlite::Result<HashMap<i64, HashMap<u32, u64>>> {
    let mut recent: HashMap<i64, HashMap<u32, u64>> = HashMap::new();
    let mut note = |instance: i64, data: &[u8]| {
        for group in unpack(data).unwrap_or_default() {
            let layouts = recent.entry(instance).or_default();
            layouts.insert(group.layout, group.timestamp.to_bits());
        }
    };
    let mut once = connection.prepare("SELECT instance, data FROM once")?;
    let mut rows = once.query([])?;
    while let Some(row) = rows.next()? {
        note(row.get(0)?, row.get_ref(1)?.as_blob().unwrap_or_default());
    }
    let last: Option<i64> =
        connection.query_row("SELECT max(at) FROM round", [], |row| row.get(0)).optional()?.flatten();
    let Some(last) = last else { return Ok(recent) };
    let mut select = connection.prepare("SELECT instance, data FROM round WHERE at >= ? ORDER BY at")?;
    let mut rows = select.query([last - RECENT_MS])?;
    while let Some(row) = rows.next()? {
        note(row.get(0)?, row.get_ref(1)?.as_blob().unwrap_or_default());
    }
    Ok(recent)
}

/// An object with its names sorted. Texts and finite numbers are always written.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned())
}
