//! Files that hold what lets one in, read anew from time to time.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long what was read is good for. Passwords and certificates are exchanged under running programs.
const FRESH: Duration = Duration::from_secs(10);
/// Longest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why a file does not let one in. What is in it is never said.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("cannot read {path}: {why}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It holds something else.
    #[error("{path}: {why}")]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl SecretError {
    pub(super) fn unusable(path: &Path, why: impl ToString) -> Self {
        Self::Unusable { path: path.to_owned(), why: why.to_string() }
    }
}

/// The bytes of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, SecretError> {
    use std::io::Read as _;
    let unreadable =
        |error: std::io::Error| SecretError::Unreadable { path: path.to_owned(), why: error.to_string() };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// The one line of a file, without the end of the line that editors add.
pub(super) fn line(path: &Path) -> Result<String, SecretError> {
    let text = String::from_utf8(read(path)?).map_err(|_| SecretError::unusable(path, "it is no UTF-8"))?;
    let line = text.trim_end_matches(['\n', '\r']);
    if line.is_empty() {
        return Err(SecretError::unusable(path, "it is empty"));
    }
    if line.contains(['\n', '\r']) {
        return Err(SecretError::unusable(path, "it has more than one line"));
    }
    Ok(line.to_owned())
}

/// A value made of files, made anew when it is no longer fresh.
pub(super) struct Fresh<T> {
    latest: Mutex<Option<(Instant, T)>>,
}

impl<T: Clone> Fresh<T> {
    pub(super) const fn new() -> Self {
        Self { latest: Mutex::new(None) }
    }

    /// The value. While the files cannot be used, as in the middle of an exchange, the one before is good.
    pub(super) fn get<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, value)) = latest.as_ref()
            && at.elapsed() < FRESH
        {
            return Ok(value.clone());
        }
        match (make(), latest.as_ref()) {
            (Err(_), Some((_, before))) => Ok(before.clone()),
            (Err(error), None) => Err(error),
            (Ok(value), _) => {
                *latest = Some((Instant::now(), value.clone()));
                Ok(value)
            }
        }
    }
}

/// Without the value.
impl<T> std::fmt::Debug for Fresh<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fresh")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let of = |text: &str| {
            std::fs::write(&path, text).unwrap();
            line(&path)
        };
        assert_eq!(of("hunter2\n").unwrap(), "hunter2");
        assert_eq!(of("hunter2\r\n").unwrap(), "hunter2");
        assert_eq!(of(" a b ").unwrap(), " a b ");
        for text in ["", "\n", "hunter2\nhunter3\n"] {
            let error = of(text).unwrap_err().to_string();
            assert!(error.contains("secret") && !error.contains("hunter"), "{error}");
        }
    }

    #[test]
    fn the_value_before_is_good_while_files_are_exchanged() {
        let fresh = Fresh::new();
        assert_eq!(fresh.get(|| Err::<u8, _>("gone")), Err("gone"));
        assert_eq!(fresh.get(|| Ok::<u8, &str>(1)), Ok(1));
        assert_eq!(fresh.get(|| Ok::<u8, &str>(2)), Ok(1));
    }
}
