//! Where observations come from. Each source yields instances, [`Packed`].
//!
//! - [`accumulator`]: the text of scrapes into observations, whoever fetched it; `intake` is one scrape of it.
//! - [`agent`]: a live agent, scraped for a while.
//! - [`file`](mod@file): files, folders and standard input. [`record`]: the JSON of `tierprobe-agent measure`.
//! - [`unpack`]: gzip and zstd.

pub mod accumulator;
pub mod agent;
pub mod file;
mod identity;
pub(crate) mod intake;
pub mod record;
pub mod unpack;

use std::path::PathBuf;
use std::str::FromStr;

pub use accumulator::Accumulator;

use crate::error::{SourceError, SourceNameError};
use crate::observation::{Packed, Vocabulary};

/// A source, as the user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An agent's `/metrics`.
    Agent(String),
    /// Records of `tierprobe-agent measure --format json` and saved scrapes: a file, a folder, or standard input.
    File(PathBuf),
}

impl FromStr for Source {
    type Err = SourceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = |error: fn(String) -> SourceNameError| error(text.to_owned());
        if text.starts_with("prometheus+http://") || text.starts_with("prometheus+https://") {
            return Err(named(SourceNameError::NotYetPrometheus));
        }
        if text.starts_with("file_sd:") {
            return Err(named(SourceNameError::NotYetFileSd));
        }
        if text.starts_with("https://") {
            return Err(named(SourceNameError::NotYetHttps));
        }
        if text.starts_with("http://") {
            return match agent::host_of(text) {
                Some(_) => Ok(Self::Agent(text.to_owned())),
                None => Err(named(SourceNameError::BadAddress)),
            };
        }
        let path = PathBuf::from(text);
        if file::is_one(&path) { Ok(Self::File(path)) } else { Err(named(SourceNameError::Unknown)) }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Agent(address) => f.pad(address),
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

/// What all sources gave together.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    /// One entry per instance of each source.
    pub collected: Vec<Packed>,
    /// The sources that gave nothing.
    pub dropped: Vec<Dropped>,
}

/// Reads all sources at the same time, one thread each, and returns when the last one is through.
///
/// A source that fails does not fail the others. Agents are scraped by `schedule`; `report` hears of each scrape
/// as it happens. The order of the result is that of `sources`.
pub fn gather(
    sources: &[Source],
    schedule: &agent::Schedule,
    report: &(dyn Fn(&Source, &agent::Event) + Sync),
) -> Gathered {
    let vocabulary = Vocabulary::default();
    let results: Vec<file::Given> = std::thread::scope(|scope| {
        let threads: Vec<_> = sources
            .iter()
            .map(|source| scope.spawn(|| read(source, &vocabulary, schedule, report)))
            .collect();
        threads
            .into_iter()
            .zip(sources)
            // A panic in a thread is a bug in this program; one source less is better than all lost.
            .map(|(thread, source)| {
                thread.join().unwrap_or_else(|_| vec![(source.to_string(), Err(SourceError::Bug))])
            })
            .collect()
    });
    let mut gathered = Gathered::default();
    for (source, result) in results.into_iter().flatten() {
        match result {
            Ok(packed) => gathered.collected.push(packed),
            Err(error) => gathered.dropped.push(Dropped { source, reason: crate::error::chain(&error) }),
        }
    }
    gathered
}

fn read(
    source: &Source,
    vocabulary: &Vocabulary,
    schedule: &agent::Schedule,
    report: &(dyn Fn(&Source, &agent::Event) + Sync),
) -> file::Given {
    match source {
        Source::Agent(address) => {
            let result = agent::scrape(address, schedule, &|event| report(source, event));
            vec![(source.to_string(), result.map(|collected| collected.pack(vocabulary)))]
        }
        Source::File(path) => file::read(path, vocabulary),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_told_apart() {
        for file in ["a/b.json", "b.json.gz", "b.prom", "b.txt.zst", "b.om", "-", "/"] {
            assert_eq!(file.parse(), Ok(Source::File(file.into())));
        }
        let address = "http://host:10990/metrics";
        assert_eq!(address.parse(), Ok(Source::Agent(address.into())));
    }

    #[test]
    fn what_is_no_source_says_which_forms_exist() {
        let message = |text: &str| text.parse::<Source>().unwrap_err().to_string();
        for text in ["host:10990", "notes.md", "a.gz", "", "ftp://host/x", "https://host/metrics"] {
            assert!(message(text).contains("http://"), "{text}: {}", message(text));
        }
        assert!(message("prometheus+http://host:9090").contains("not yet"));
        assert!(message("file_sd:targets.json").contains("not yet"));
        assert!(message("https://host:1/metrics").contains("not yet"));
        assert!(message("http://").contains("host"));
        assert!(message("http://host:99999/metrics").contains("host"));
    }
}
