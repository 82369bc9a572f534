//! Tables and migrations.
//!
//! A schema's number is the database's `user_version`; each step goes from one to the next, in a transaction. A new
//! database takes all of them, so that there is one way to every schema.

use rusqlite::{Connection, TransactionBehavior};

/// `tprb`, as SQLite's `application_id`: whose database this is.
pub const APPLICATION_ID: u32 = 0x7470_7262;

/// From each schema to the next; the first makes the tables.
const STEPS: &[&str] = &[
    // Labels are JSON objects with sorted names, so that equal ones are equal texts. Times are milliseconds since the
    // epoch on the collector's clock. Rounds are clustered by time: windows are read and the oldest are forgotten
    // page by page.
    "
    CREATE TABLE instance (
        id INTEGER PRIMARY KEY, source TEXT NOT NULL, name TEXT NOT NULL, labels TEXT NOT NULL,
        tier_confidence REAL, resolution TEXT NOT NULL, last_at INTEGER NOT NULL,
        UNIQUE (source, name, labels)
    ) STRICT;
    CREATE TABLE series (
        id INTEGER PRIMARY KEY, family TEXT NOT NULL, labels TEXT NOT NULL, statistic TEXT NOT NULL,
        UNIQUE (family, labels, statistic)
    ) STRICT;
    CREATE TABLE layout (id INTEGER PRIMARY KEY, series BLOB NOT NULL UNIQUE) STRICT;
    CREATE TABLE round (
        at INTEGER NOT NULL, instance INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (at, instance)
    ) STRICT, WITHOUT ROWID;
    ",
    // What is read once holds at any time, and must outlive its window. Reports quote what agents say of a family.
    "
    CREATE TABLE once (
        instance INTEGER NOT NULL, layout INTEGER NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL,
        PRIMARY KEY (instance, layout)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE family (name TEXT PRIMARY KEY, help TEXT NOT NULL) STRICT, WITHOUT ROWID;
    ",
    // Which layouts rounds are of is known to what is packed alone, and nobody unpacks all of it to forget a name. So it
    // is noted when a layout was last used; of those from before, nobody knows better than the latest round.
    "
    ALTER TABLE layout ADD COLUMN last_at INTEGER NOT NULL DEFAULT 0;
    UPDATE layout SET last_at = (SELECT coalesce(max(at), 0) FROM round);
    ",
];

/// The latest schema.
#[must_use]
pub fn latest() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

/// The schema of a database; 0 without tables.
///
/// # Errors
///
/// Those of SQLite.
pub fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Takes the steps that a database lacks, and says how many those were.
///
/// # Errors
///
/// Those of SQLite; the database is then as it was, or at a step between.
pub fn migrate(connection: &mut Connection) -> rusqlite::Result<usize> {
    let begin = version(connection)?;
    let missing: Vec<(u32, &str)> = (1..).zip(STEPS.iter().copied()).filter(|(to, _)| *to > begin).collect();
    for (to, step) in &missing {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", to)?;
        transaction.commit()?;
    }
    Ok(missing.len())
}

/// The database's own file as it was before this release's steps, for tests of migrating.
#[cfg(test)]
pub(super) fn first_only(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(STEPS.first().copied().unwrap_or_default())?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", 1)
}
