//! Forgets by age and by size.

use std::collections::HashSet;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};

use super::{StoreError, Writer, milliseconds, read};

/// Most turns of forgetting at a time: the next interval goes on, and measuring must not wait.
const MAX_TURNS: usize = 20;

/// Share of its time span that a store that is too large forgets in one turn.
const SHARE: i64 = 50;

/// How much to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Rounds that were scraped longer ago are forgotten.
    pub age: Duration,
    /// Above this many bytes of the database the oldest rounds are forgotten; the log ahead of it, at most some 16 MiB
    /// and more only while somebody reads, comes on top.
    pub bytes: u64,
}

/// How large the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Bytes of the database.
    pub bytes: u64,
    /// Bytes of it that are in use.
    pub used: u64,
    /// Bytes of the log ahead of it.
    pub log: u64,
    /// When the oldest round was scraped, in milliseconds since the epoch; `None` without rounds.
    pub oldest: Option<i64>,
}

impl Writer {
    /// Forgets what is too old or too much, and says how many scrapes that were. `now` is in seconds since the epoch.
    ///
    /// # Errors
    ///
    /// Those of SQLite.
    pub fn retain(&mut self, retention: &Retention, now: f64) -> Result<usize, StoreError> {
        let path = self.path.clone();
        self.try_retain(retention, now).map_err(StoreError::sqlite(&path))
    }

    fn try_retain(&mut self, retention: &Retention, now: f64) -> rusqlite::Result<usize> {
        let cutoff = milliseconds(now - retention.age.as_secs_f64());
        let mut forgotten = self.connection.execute("DELETE FROM round WHERE at < ?", [cutoff])?;
        for _ in 0..MAX_TURNS {
            if used(&self.connection)? <= retention.bytes {
                break;
            }
            let Some((first, last)) = span(&self.connection)? else { break };
            let until = first + ((last - first) / SHARE).max(1);
            forgotten += self.connection.execute("DELETE FROM round WHERE at < ?", [until])?;
        }
        if forgotten > 0 {
            let oldest = span(&self.connection)?.map_or(cutoff, |(first, _)| first);
            // What was noted before the oldest round has no rounds; it is noted again should it come back.
            let gone = "SELECT id FROM instance WHERE last_at < ?1 AND \
                        NOT EXISTS (SELECT 1 FROM round WHERE round.instance = instance.id)";
            let stale = oldest - super::write::NOTE_MS;
            self.connection
                .execute(&format!("DELETE FROM once WHERE instance IN ({gone})"), params![stale])?;
            let instances = self
                .connection
                .execute(&format!("DELETE FROM instance WHERE id IN ({gone})"), params![stale])?;
            // A round may be a little later than what was noted last of its layout.
            let names = self.forget_names(stale - super::write::NOTE_MS)?;
            if instances + names > 0 {
                self.reload()?;
            }
            let mut vacuum = self.connection.prepare("PRAGMA incremental_vacuum")?;
            let mut rows = vacuum.query([])?;
            // It frees a page a row.
            while rows.next()?.is_some() {}
        }
        Ok(forgotten)
    }

    /// Forgets the layouts that were last used before, the series that are in none, and the families without any, and
    /// says how many layouts and series those were. Else a target that once made up labels would leave no room for others.
    fn forget_names(&mut self, stale: i64) -> rusqlite::Result<usize> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let layouts = transaction.execute(
            "DELETE FROM layout WHERE last_at < ? AND id NOT IN (SELECT layout FROM once)",
            [stale],
        )?;
        if layouts == 0 {
            return Ok(0);
        }
        let used: HashSet<u32> =
            read::layouts(&transaction)?.into_iter().flat_map(|(_, series)| series).collect();
        let mut forgotten = layouts;
        {
            let mut select = transaction.prepare("SELECT id FROM series")?;
            let all = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<u32>>>()?;
            let mut delete = transaction.prepare("DELETE FROM series WHERE id = ?")?;
            for id in all.into_iter().filter(|id| !used.contains(id)) {
                forgotten += delete.execute([id])?;
            }
        }
        transaction.execute("DELETE FROM family WHERE name NOT IN (SELECT family FROM series)", [])?;
        transaction.commit()?;
        Ok(forgotten)
    }

    /// How large the store is.
    ///
    /// # Errors
    ///
    /// Those of SQLite.
    pub fn size(&self) -> Result<Size, StoreError> {
        let sqlite = || StoreError::sqlite(&self.path);
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        Ok(Size {
            bytes: pages(&self.connection, "page_count").map_err(sqlite())?,
            used: used(&self.connection).map_err(sqlite())?,
            log: std::fs::metadata(log).map_or(0, |metadata| metadata.len()),
            oldest: span(&self.connection).map_err(sqlite())?.map(|(first, _)| first),
        })
    }
}

fn used(connection: &Connection) -> rusqlite::Result<u64> {
    Ok(pages(connection, "page_count")?.saturating_sub(pages(connection, "freelist_count")?))
}

fn pages(connection: &Connection, pragma: &str) -> rusqlite::Result<u64> {
    let number = |pragma: &str| {
        let number: i64 = connection.pragma_query_value(None, pragma, |row| row.get(0))?;
        Ok::<_, rusqlite::Error>(u64::try_from(number).unwrap_or_default())
    };
    Ok(number(pragma)? * number("page_size")?)
}

/// First and last scrape.
fn span(connection: &Connection) -> rusqlite::Result<Option<(i64, i64)>> {
    let first: Option<i64> = connection.query_row("SELECT min(at) FROM round", [], |row| row.get(0))?;
    let last: Option<i64> = connection.query_row("SELECT max(at) FROM round", [], |row| row.get(0))?;
    Ok(first.zip(last))
}
