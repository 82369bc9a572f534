//! Where observations come from. Each instance is one [`Packed`].
//!
//! - [`accumulator`]: the text of scrapes into observations, whoever fetched it; `intake` is one scrape of it.
//! - [`scrape`]: live agents, for a while or for ever; [`discovery`] says which.
//! - [`store`]: Prometheus and what answers like it.
//! - [`file`](mod@file): files and standard input; `folder`: the files of one, or of many instances; [`record`] is the JSON of `tierprobe-agent measure`.
//! - [`quota`]: how much all of them may bring into memory.
//! - [`unpack`]: gzip and zstd, within limits.
//! - [`gather`](mod@gather): all of them at the same time.

pub mod accumulator;
pub mod discovery;
pub mod file;
mod folder;
pub mod gather;
mod identity;
pub(crate) mod intake;
pub mod quota;
pub mod record;
pub mod scrape;
pub mod store;
pub mod unpack;

use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use accumulator::Accumulator;
pub use gather::{Options, gather};
pub use quota::Quota;

use crate::error::SourceNameError;
use crate::http::Address;
use crate::observation::Packed;
use discovery::{Discovery, name};

/// A source, as the user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An agent's `/metrics`.
    Agent(Address),
    /// `file_sd:`: files with lists of agents.
    FileSd(PathBuf),
    /// `http_sd:`: a page with a list of agents.
    HttpSd(Address),
    /// `dns:` and `dns+srv:`: a name with agents behind it.
    Dns(name::Question),
    /// `prometheus+http(s)://`: a store with the HTTP API of Prometheus.
    Store(Address),
    /// Records of `tierprobe-agent measure --format json` and saved scrapes: a file, a folder, or standard input.
    File(PathBuf),
}

impl Source {
    /// The file, of a source that is read from one.
    fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Agent(_) | Self::FileSd(_) | Self::HttpSd(_) | Self::Dns(_) | Self::Store(_) => None,
        }
    }

    /// Whether it is what comes in by standard input.
    #[must_use]
    pub fn is_standard_input(&self) -> bool {
        self.file() == Some(Path::new(file::STANDARD_INPUT))
    }

    /// Where its targets are, of a source that is scraped; for [`discovery::watch`](fn@discovery::watch).
    #[must_use]
    pub fn discovery(&self) -> Option<Discovery> {
        match self {
            Self::Agent(address) => Some(Discovery::Static(address.clone())),
            Self::FileSd(pattern) => Some(Discovery::Files(pattern.clone())),
            Self::HttpSd(address) => Some(Discovery::Page(address.clone())),
            Self::Dns(question) => Some(Discovery::Name(question.clone())),
            Self::Store(_) | Self::File(_) => None,
        }
    }
}

impl FromStr for Source {
    type Err = SourceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("http://") || text.starts_with("https://") {
            return Ok(Self::Agent(text.parse()?));
        }
        if let Some(prefix) = text.strip_prefix("prometheus+") {
            return Ok(Self::Store(prefix.parse()?));
        }
        if let Some(pattern) = text.strip_prefix("file_sd:") {
            let pattern = PathBuf::from(pattern);
            let is_list = discovery::file::is_list(&pattern);
            return if is_list {
                Ok(Self::FileSd(pattern))
            } else {
                Err(SourceNameError::List(text.to_owned()))
            };
        }
        if let Some(address) = text.strip_prefix("http_sd:") {
            return Ok(Self::HttpSd(address.parse()?));
        }
        for (prefix, is_service) in [("dns:", false), ("dns+srv:", true)] {
            if let Some(name) = text.strip_prefix(prefix) {
                let question = name::Question::new(name, is_service);
                return question.map(Self::Dns).ok_or_else(|| SourceNameError::Dns(text.to_owned()));
            }
        }
        let path = PathBuf::from(text);
        if file::is_one(&path) {
            Ok(Self::File(path))
        } else {
            Err(SourceNameError::Unknown(text.to_owned()))
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Agent(address) => address.fmt(f),
            Self::FileSd(pattern) => f.pad(&format!("file_sd:{}", pattern.display())),
            Self::Store(prefix) => f.pad(&format!("prometheus+{prefix}")),
            Self::HttpSd(address) => f.pad(&format!("http_sd:{address}")),
            Self::Dns(question) => f.pad(&question.to_string()),
            Self::File(path) => f.pad(&path.to_string_lossy()),
        }
    }
}

/// A source that gave nothing, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Dropped {
    /// The source, as the user named it.
    pub source: String,
    /// What was wrong with it.
    pub reason: String,
}

/// What a store said of what it gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The source, as the user named it.
    pub source: String,
    /// What it said.
    pub text: String,
    /// Whether the data may be incomplete for it.
    pub is_warning: bool,
}

/// What all sources gave together.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    /// One entry per instance that a source gave something of.
    pub collected: Vec<Packed>,
    /// The sources that gave nothing.
    pub dropped: Vec<Dropped>,
    /// What stores said of what they gave.
    pub notes: Vec<Note>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_are_told_apart_and_written_as_they_were_read() {
        for file in ["a/b.json", "b.json.gz", "b.prom", "b.txt.zst", "b.om", "-", "/"] {
            assert_eq!(file.parse(), Ok(Source::File(file.into())));
        }
        assert_eq!("file_sd:agents/*.yml".parse(), Ok(Source::FileSd("agents/*.yml".into())));
        for text in [
            "http://host:10990/metrics",
            "https://[::1]:10990/metrics",
            "prometheus+https://mimir.example.org/prometheus",
            "file_sd:agents.json",
            "http_sd:https://host/targets",
            "dns:http://agents:10990/metrics",
            "dns+srv:https://_agents._tcp.example.org/metrics",
        ] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_source_says_which_forms_exist() {
        let message = |text: &str| text.parse::<Source>().unwrap_err().to_string();
        for text in ["host:10990", "notes.md", "a.gz", "", "ftp://host/x"] {
            assert!(message(text).contains("http(s)://"), "{text}: {}", message(text));
        }
        for text in ["http://", "http://host:99999/metrics", "http_sd:targets.json"] {
            assert!(message(text).contains("host"), "{text}: {}", message(text));
        }
        assert!(message("dns:agents").contains("dns:NAME:PORT"));
        assert!(message("file_sd:agents").contains(".json"));
    }
}
