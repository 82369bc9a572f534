//! What was read of a host: kept for `bundle`, which writes exactly that.

use std::sync::{Mutex, PoisonError};

use super::ReadError;

/// What a path turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A file with this content.
    File(Vec<u8>),
    /// A link to there.
    Link(String),
    /// A directory with these names in it.
    Names(Vec<String>),
    /// Something of which only the existence was asked.
    Exists {
        /// Whether it is a directory.
        is_directory: bool,
    },
    /// Nothing: often an answer in itself.
    Missing,
    /// Something that could not be read.
    Unreadable(ReadError),
}

impl Found {
    /// From a read and what it gave.
    pub(super) fn of<T>(read: &Result<T, ReadError>, found: impl FnOnce(&T) -> Self) -> Self {
        match read {
            Ok(value) => found(value),
            Err(ReadError::NotFound) => Self::Missing,
            Err(error) => Self::Unreadable(error.clone()),
        }
    }
}

/// Everything that was read so far, in order.
#[derive(Debug, Default)]
pub struct Trace(Mutex<Vec<(String, Found)>>);

impl Trace {
    pub(super) fn note(&self, path: &str, found: Found) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((path.to_owned(), found));
    }

    /// What was read, by path as the host knows it, in the order in which it was read.
    #[must_use]
    pub fn reads(&self) -> Vec<(String, Found)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
