//! History of observations, for `serve`: one SQLite database in a folder of its own.
//!
//! - [`pack`]: one scrape's rounds as bytes, and back.
//! - [`schema`]: tables and migrations.
//! - [`open`](mod@open): one process at a time, checked at start; what is broken is set aside.
//! - [`write`](mod@write): one transaction an interval; names are interned, rounds are packed.
//! - [`retention`]: forgets by age and by size.
//! - [`read`]: reads beside the writer and without keeping it waiting; [`window`] a span of time of a whole
//!   fleet, `loading` some targets of it.
//!
//! Numbers are kept to the seven digits of a single-precision float where that is close enough to them, else whole.

mod loading;
pub mod open;
pub mod pack;
pub mod read;
pub mod retention;
pub mod schema;
#[cfg(test)]
mod tests;
pub mod window;
pub mod write;

use std::path::{Path, PathBuf};

pub use open::{Opened, SetAside, open};
pub use read::Reader;
pub use retention::Retention;
pub use write::{Point, Scrape, Writer, Written};

/// The database's name within its folder.
pub const FILE: &str = "observations.db";

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder is not there and cannot be made, or cannot be written to.
    #[error("--storage.path: cannot use the folder {path}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// Another collector has it.
    #[error(
        "--storage.path: {path} is in use by another collector: stop that one, or give this one a folder of its own"
    )]
    Locked {
        /// Which folder.
        path: PathBuf,
    },
    /// A database of something else.
    #[error(
        "--storage.path: {path} is a database of another program, and is left as it is: name another folder"
    )]
    NotOurs {
        /// Which file.
        path: PathBuf,
    },
    /// A database of a later release.
    #[error(
        "--storage.path: {path} has schema {found}, this release knows up to {known}, and leaves it as it is: use the \
         later release, or name another folder"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// The schema it has.
        found: u32,
        /// The latest that this release knows.
        known: u32,
    },
    /// A broken database could not be moved out of the way.
    #[error("{path} is broken ({reason}) and cannot be set aside")]
    CannotSetAside {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// Why it cannot be moved.
        #[source]
        error: std::io::Error,
    },
    /// SQLite could not do something.
    #[error("the store {path}")]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// What.
        #[source]
        error: rusqlite::Error,
    },
    /// A window holds more than fits.
    #[error(
        "the window holds more than {limit} readings: ask for a shorter window or fewer instances (where=LABEL=VALUE), or \
         raise --compare.readings-limit; a million take some 12 MiB of memory"
    )]
    TooMuch {
        /// How many readings may be taken at a time.
        limit: usize,
    },
}

impl StoreError {
    fn sqlite(path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Sqlite { path, error }
    }

    /// Whether the disk, or what the user may have of it, is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let Self::Sqlite { error, .. } = self else { return false };
        error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
    }
}

/// Milliseconds since the epoch.
#[must_use]
pub fn milliseconds(seconds: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "what is out of range saturates")]
    let milliseconds = (seconds * 1000.0).round() as i64;
    milliseconds
}
