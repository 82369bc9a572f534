//! Reads beside the writer and without keeping it waiting: what is known of instances, names, and windows of time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::StoreError;
use super::open::open_reader;
use super::window::Window;
use crate::dataset::{Dataset, Filter, SeriesKey, Span};
use crate::observation::{Instance, Statistic};

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
        for (_, known) in all.known {
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
    /// # Errors
    ///
    /// As [`Reader::window`].
    pub fn dataset(&self, query: &Query<'_>) -> Result<Dataset, StoreError> {
        Ok(self.window(query)?.dataset)
    }

    /// The observations of a window, ready to be compared, and how much of it was observed.
    ///
    /// A target that became another within it, as by starting anew, counts as what it was last: its rounds from
    /// before are left out and named, as `compare` does.
    ///
    /// # Errors
    ///
    /// Those of SQLite, and [`StoreError::TooMuch`].
    pub fn window(&self, query: &Query<'_>) -> Result<Window, StoreError> {
        let connection = open_reader(&self.path)?;
        // One view of the database, however long this takes.
        let transaction = connection.unchecked_transaction().map_err(StoreError::sqlite(&self.path))?;
        super::window::read(&transaction, query, &self.path)
    }
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

/// All instances by number.
#[derive(Default)]
pub(super) struct Instances {
    pub(super) known: Vec<(i64, Known)>,
    /// Those of which it cannot be read what they are.
    pub(super) nameless: Vec<i64>,
}

pub(super) fn instances(connection: &Connection) -> rusqlite::Result<Instances> {
    let mut select = connection
        .prepare("SELECT id, source, name, labels, tier_confidence, resolution, last_at FROM instance")?;
    let mut rows = select.query([])?;
    let mut all = Instances::default();
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        match known(row) {
            Ok(known) => all.known.push((id, known)),
            Err(error) if is_nonsense(&error) => all.nameless.push(id),
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

fn known(row: &rusqlite::Row<'_>) -> rusqlite::Result<Known> {
    let instance = Instance {
        name: row.get(2)?,
        labels: parsed(row, 3)?,
        tier_confidence: row.get(4)?,
        resolution_seconds: parsed(row, 5)?,
    };
    Ok(Known { source: row.get(1)?, instance, last_at: seconds(row.get(6)?) })
}

/// Whether what is in a row makes no sense, though SQLite can read it.
pub(super) const fn is_nonsense(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
    )
}

pub(super) fn help(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
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
pub(super) fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
