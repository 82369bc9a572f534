//! The user's mistakes, in words that name the file or flag and say what to do.

use std::path::{Path, PathBuf};

/// A file or flag that is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that the user named cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that the user named is larger than it may be.
    #[error("{}: larger than {limit_kib} KiB", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in KiB.
        limit_kib: u64,
    },
    /// A file that the user named is not in its format.
    #[error("{}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        message: String,
    },
    /// A value that a flag or key does not take.
    #[error("{flag}: {message}")]
    Value {
        /// The flag or key, as the user writes it.
        flag: String,
        /// What is wrong with the value, and what to write instead.
        message: String,
    },
}

impl ConfigError {
    /// A TOML file that does not parse.
    pub(crate) fn syntax(path: &Path, error: &toml::de::Error) -> Self {
        // The first line of toml's message says `TOML parse error at line 3, column 1`, the rest shows it.
        Self::Syntax { path: path.to_owned(), message: error.to_string().trim_end().to_owned() }
    }

    /// A value that `flag` does not take.
    pub(crate) fn value(flag: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Value { flag: flag.into(), message: message.into() }
    }
}
