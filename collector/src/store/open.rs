//! Opens the store: one process at a time, checked, at the latest schema.
//!
//! What is broken is set aside under a name with the time, and a new database begun: history is worth less than
//! measuring on. What belongs to something else, or to a later release, is left as it is.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags};

use super::schema::{self, APPLICATION_ID};
use super::{FILE, StoreError, read};
use crate::date;

/// How long a statement waits for a lock; only checkpoints and readers that begin hold any.
const BUSY: Duration = Duration::from_secs(10);

/// Memory for pages of the database, per connection, in KiB.
const CACHE_KIB: i64 = 4096;

/// Size that the log ahead of the database is cut back to, in bytes.
const LOG_BYTES: i64 = 16 << 20;

/// A broken database that was moved out of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Where it is now.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// An open store, for its one writer.
#[derive(Debug)]
pub struct Opened {
    /// The connection for writing.
    pub connection: Connection,
    /// The database's file.
    pub path: PathBuf,
    /// What was broken.
    pub set_aside: Option<SetAside>,
    /// Steps that were taken from an earlier schema; all of them for a new database.
    pub steps: usize,
    /// Released when it is dropped, or when the process ends, whichever way.
    pub lock: File,
}

/// Opens the store in `folder`, which is made if it is not there.
///
/// # Errors
///
/// [`StoreError`], by what is to be done about it.
pub fn open(folder: &Path) -> Result<Opened, StoreError> {
    let lock = lock(folder)?;
    let path = folder.join(FILE);
    let set_aside = match examine(&path)? {
        Some(reason) => Some(set_aside(&path, reason)?),
        None => None,
    };
    let sqlite = || StoreError::sqlite(&path);
    let mut connection = Connection::open(&path).map_err(sqlite())?;
    configure(&connection).map_err(sqlite())?;
    let steps = schema::migrate(&mut connection).map_err(sqlite())?;
    Ok(Opened { connection, path, set_aside, steps, lock })
}

/// A second connection, which cannot write and keeps nobody waiting.
///
/// # Errors
///
/// Those of SQLite.
pub fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(StoreError::sqlite(path))?;
    connection.busy_timeout(BUSY).map_err(StoreError::sqlite(path))?;
    Ok(connection)
}

/// Everything that is wrong with the database, as SQLite's thorough check says it; empty where all is well.
///
/// # Errors
///
/// When it cannot be opened, or is in use.
pub fn check(folder: &Path) -> Result<Vec<String>, StoreError> {
    let _lock = lock(folder)?;
    let path = folder.join(FILE);
    if let Some(reason) = examine(&path)? {
        return Ok(vec![reason]);
    }
    Ok(verdict(&path, "integrity_check(100)"))
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let cannot = |error| StoreError::Folder { path: folder.to_owned(), error };
    fs::create_dir_all(folder).map_err(cannot)?;
    let file = File::options().create(true).truncate(false).write(true).open(folder.join("lock"));
    let file = file.map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    // Only before there are tables; so that what is forgotten gives its pages back.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // The end of the process loses nothing, the end of the machine at most the last transactions, and neither breaks
    // the file.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)
}

/// What is wrong with the file; `None` if it is ours and sound, or not there.
fn examine(path: &Path) -> Result<Option<String>, StoreError> {
    let mut head = [0; 100];
    match File::open(path).and_then(|mut file| file.read_exact(&mut head)) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            let is_empty = fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0);
            // Empty is how SQLite itself begins.
            return Ok((!is_empty).then(|| "shorter than a database's head".to_owned()));
        }
        Err(error) => return Err(StoreError::Folder { path: path.to_owned(), error }),
    }
    // https://www.sqlite.org/fileformat.html, section 1.3.
    if !head.starts_with(b"SQLite format 3\0") {
        return Ok(Some("not a database".to_owned()));
    }
    let number = |at: usize| {
        let bytes = head.get(at..).and_then(<[u8]>::first_chunk);
        u32::from_be_bytes(bytes.copied().unwrap_or_default())
    };
    let (found, owner) = (number(60), number(68));
    // Without owner and schema: perhaps ours, killed before its first pages came from the log into the file.
    let is_blank = owner == 0 && found == 0;
    if !is_blank {
        belongs(path, owner, found)?;
    }
    let problems = verdict(path, "quick_check(1)");
    if problems.is_empty() && is_blank {
        let blank = Connection::open(path).and_then(|connection| {
            let owner: u32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
            let tables: u32 =
                connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
            Ok((owner, tables, schema::version(&connection)?))
        });
        let (owner, tables, found) = blank.map_err(StoreError::sqlite(path))?;
        if tables > 0 || owner != 0 {
            belongs(path, owner, found)?;
        }
    }
    match problems.into_iter().next() {
        None => nonsense(path),
        problem => Ok(problem),
    }
}

/// What in the names of series makes no sense, which SQLite's checks do not look at: a byte of a text may be another one.
/// Without its name, no number is of use.
fn nonsense(path: &Path) -> Result<Option<String>, StoreError> {
    let names = Connection::open(path).and_then(|connection| {
        connection.busy_timeout(BUSY)?;
        let version = schema::version(&connection)?;
        if version > 0 {
            read::series(&connection)?;
            read::layouts(&connection)?;
        }
        if version > 1 {
            read::help(&connection)?;
        }
        Ok(())
    });
    match names {
        Ok(()) => Ok(None),
        Err(error) if read::is_nonsense(&error) => Ok(Some(format!("a name in it cannot be read: {error}"))),
        Err(error) => Err(StoreError::sqlite(path)(error)),
    }
}

fn belongs(path: &Path, owner: u32, found: u32) -> Result<(), StoreError> {
    if owner != APPLICATION_ID {
        return Err(StoreError::NotOurs { path: path.to_owned() });
    }
    let known = schema::latest();
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    Ok(())
}

/// What one of SQLite's checks finds wrong.
fn verdict(path: &Path, check: &str) -> Vec<String> {
    let found = Connection::open(path).and_then(|connection| {
        connection.busy_timeout(BUSY)?;
        let mut statement = connection.prepare(&format!("PRAGMA {check}"))?;
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
    });
    match found {
        Ok(lines) => lines.into_iter().filter(|line| line != "ok").collect(),
        // What cannot even be checked is broken as well.
        Err(error) => vec![error.to_string()],
    }
}

/// Moves the database and its log out of the way.
fn set_aside(path: &Path, reason: String) -> Result<SetAside, StoreError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let mut aside = free_name(path, &date::utc_compact(now));
    for suffix in ["-wal", "-shm", ""] {
        let with = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        match fs::rename(with(path), with(&aside)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound && !suffix.is_empty() => {}
            Err(error) => {
                return Err(StoreError::CannotSetAside { path: path.to_owned(), reason, error });
            }
        }
    }
    aside = aside.canonicalize().unwrap_or(aside);
    Ok(SetAside { path: aside, reason })
}

/// A name beside the file that nothing has: it may be broken twice within a second.
fn free_name(path: &Path, time: &str) -> PathBuf {
    let name = |n: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".broken-{time}"));
        if n > 1 {
            name.push(format!("-{n}"));
        }
        PathBuf::from(name)
    };
    (1..1000_u32).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(1000))
}
