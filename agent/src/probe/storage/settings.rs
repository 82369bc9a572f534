//! Where to write, and how much.

use std::path::PathBuf;

use serde::Deserialize;

use crate::error::ConfigError;

/// Most directories: each is a label value of every series.
const MOST_DIRECTORIES: usize = 8;

/// Bytes a day unless told otherwise: what rounds of 32 KiB every 20 s write, an hour's worth for what is written at once,
/// and a little more.
const DEFAULT_DAILY_BYTES: u64 = 144 << 20;

/// What the probe needs to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The directories, absolute, each once.
    pub directories: Vec<PathBuf>,
    /// Bytes that may be written a day, over all of them.
    pub daily_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { directories: Vec::new(), daily_bytes: DEFAULT_DAILY_BYTES }
    }
}

/// The same as the user wrote it.
#[derive(Debug, Default, Clone, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Wishes {
    /// Time writes and reads in this directory; may be given up to eight times
    #[arg(id = "probe.storage.directory", long = "probe.storage.directory", value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// Bytes that the storage probe may write a day [default: 150994944]
    #[arg(id = "probe.storage.daily-bytes", long = "probe.storage.daily-bytes", value_name = "BYTES")]
    daily_bytes: Option<u64>,
}

impl Wishes {
    /// These, and `other` where these say nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let directories = if self.directories.is_empty() { other.directories } else { self.directories };
        Self { directories, daily_bytes: self.daily_bytes.or(other.daily_bytes) }
    }

    /// Checks them and fills in defaults.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the flag.
    pub fn settings(self) -> Result<Settings, ConfigError> {
        let flag = "--probe.storage.directory";
        let mut directories = self.directories;
        directories.sort();
        directories.dedup();
        if directories.len() > MOST_DIRECTORIES {
            let message =
                format!("{} directories are too many; name at most {MOST_DIRECTORIES}", directories.len());
            return Err(ConfigError::value(flag, message));
        }
        if let Some(wrong) = directories.iter().find(|directory| !directory.is_absolute()) {
            let message = format!("{} is no absolute path; write one such as /var/tmp", wrong.display());
            return Err(ConfigError::value(flag, message));
        }
        if let Some(wrong) = directories.iter().find(|directory| !directory.is_dir()) {
            return Err(ConfigError::value(flag, format!("{} is no directory", wrong.display())));
        }
        let daily_bytes = self.daily_bytes.unwrap_or(DEFAULT_DAILY_BYTES);
        Ok(Settings { directories, daily_bytes })
    }
}
