//! The user's mistakes and the world's, each with what to do about it.

use std::path::PathBuf;

use crate::exposition::ExpositionError;
use crate::http::HttpError;
use crate::http::address::AddressError;
use crate::observation::{Statistic, counted};
use crate::source::intake::MOST_SERIES;
use crate::source::quota::TooMuch;
use crate::source::store::StoreError;
use crate::source::unpack::UnpackError;

const FORMS: &str = "a source is http(s)://HOST:PORT/metrics of an agent, prometheus+http(s)://HOST:PORT/PREFIX of a \
                     store, file_sd:FILE, http_sd:URL, dns:NAME:PORT or dns+srv:NAME for lists of agents, a .json file \
                     of `tierprobe-agent measure --format json`, a .prom, .txt or .om file with a saved scrape, \
                     each also packed as .gz or .zst, a folder of such files, or - for standard input";

/// Why a text names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceNameError {
    /// No form that is known.
    #[error("{0:?} is no source: {FORMS}")]
    Unknown(String),
    /// An address that is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// `dns:` without a usable name and port.
    #[error(
        "{0:?} names nothing to look up: write dns:NAME:PORT, dns+srv:NAME, or dns:https://NAME:PORT/PATH"
    )]
    Dns(String),
    /// `file_sd:` without a file.
    #[error(
        "{0:?} names no list: write file_sd:FILE, where FILE ends with .json, .yml or .yaml and may have a * in its name"
    )]
    List(String),
}

/// Why a source gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file could not be read.
    #[error("cannot read {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// A record is no record.
    #[error("{path} is no record of `tierprobe-agent measure --format json`")]
    Record {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        #[source]
        error: serde_json::Error,
    },
    /// A record of a schema this program does not know.
    #[error("{path} has schema {found}, known is {known}: use the collector of the agent's release")]
    Schema {
        /// Which file.
        path: PathBuf,
        /// The schema it has.
        found: u32,
        /// The schema this program reads.
        known: u32,
    },
    /// A file could not be unpacked, or is larger than any that this program's formats need.
    #[error("cannot read {path}")]
    Unpack {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: UnpackError,
    },
    /// A device, a pipe or a socket.
    #[error("{path} is no file; what is piped is named -")]
    NotAFile {
        /// Which path.
        path: PathBuf,
    },
    /// A folder with nothing to read.
    #[error(
        "there is no file in {path} that ends with .json, .prom, .txt or .om, with or without .gz or .zst"
    )]
    NoFiles {
        /// Which folder.
        path: PathBuf,
    },
    /// A folder with too much to read.
    #[error("there are more than {limit} files in {path}: name them one by one")]
    TooManyFiles {
        /// Which folder.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// A saved exposition is not one.
    #[error("{path} cannot be used")]
    Prom {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        #[source]
        error: TakeError,
    },
    /// A target never gave a usable answer.
    #[error("no usable answer, tried {}; the last one: {}", counted(*.attempts, "time"), chain(.last))]
    NeverGood {
        /// How many scrapes were tried.
        attempts: usize,
        /// What the last one ended with.
        last: FetchError,
    },
    /// No list of targets was to be had.
    #[error("{0}")]
    Discovery(String),
    /// A list of targets has none.
    #[error("it lists no targets")]
    NoTargets,
    /// The system does not give what asking over HTTP needs.
    #[error("cannot scrape: {0}")]
    Runtime(String),
    /// A store gave nothing usable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// All sources together hold more than may be read.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// Nothing in it can be compared.
    #[error("it holds no measurement: no probe has finished a round; run the agent longer")]
    NoRounds,
    /// A thread of this program failed.
    #[error("the collector failed on it; please report this as a bug")]
    Bug,
}

/// Why one scrape failed.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection, no answer, or none in time.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The status is not 200.
    #[error("it answers HTTP {status}: {}", advice(*.status))]
    Status {
        /// The status.
        status: u16,
    },
    /// The answer is a page for people.
    #[error("it answers {0} instead of metrics: check the port and the path; agents use /metrics")]
    ContentType(String),
    /// The body is no exposition, or not an agent's.
    #[error(transparent)]
    Take(#[from] TakeError),
}

/// What to do about a status.
const fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => "redirects are not followed; name the place where it sends to",
        401 => "it wants to know who asks; give a password or a token with --source.config",
        403 => "it does not let this one in; check the password, token or certificate of --source.config",
        429 => "it is asked too often; scrape less often",
        500.. => "it is broken or overloaded",
        _ => "check the path; agents use /metrics",
    }
}

impl From<ExpositionError> for FetchError {
    fn from(error: ExpositionError) -> Self {
        Self::Take(TakeError::Exposition(error))
    }
}

/// Why a comparison cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CompareError {
    /// No source gave anything.
    #[error("no source gave any observation")]
    Nothing,
    /// A filter left nothing.
    #[error("no instance has {filter}; there are: {known}")]
    NothingLeft {
        /// The filter.
        filter: String,
        /// What could be asked for instead.
        known: String,
    },
    /// No instance has the label that groups are made by.
    #[error("no instance has the label {by:?}; there are: {known}")]
    NoLabel {
        /// The label asked for.
        by: String,
        /// The labels that exist.
        known: String,
    },
    /// No duration has the number of its rounds that is asked for.
    #[error("no instance publishes {} of its rounds; {known}", statistic.as_str())]
    NoStatistic {
        /// The number asked for.
        statistic: Statistic,
        /// What could be asked for instead, in words.
        known: String,
    },
    /// The baseline is no group.
    #[error("there is no {by} {baseline:?}; there are: {known}")]
    NoBaseline {
        /// The grouping label.
        by: String,
        /// The baseline asked for.
        baseline: String,
        /// The groups that exist.
        known: String,
    },
    /// The groups have no complete window of this length in common.
    #[error(
        "there is no complete window of {length} s: all groups have {shared:.0} s of rounds in common, and windows begin at whole multiples of their length"
    )]
    NoWindow {
        /// The length asked for, in seconds.
        length: f64,
        /// What they have in common, in seconds.
        shared: f64,
    },
    /// All instances are in one group.
    #[error(
        "every instance has {by} {only:?}, so there is nothing to compare: add a source of another {by}, or group by another label with --by"
    )]
    OneGroup {
        /// The grouping label.
        by: String,
        /// The only group.
        only: String,
    },
}

/// An error and all that led to it, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        // Wrappers that show their source in their own text would say it twice.
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = source.source();
    }
    text
}

/// Why a text was not taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TakeError {
    /// It is no exposition.
    #[error(transparent)]
    Exposition(#[from] ExpositionError),
    /// It is one, and nothing in it is tierprobe's.
    #[error(
        "an exposition, but not of a tierprobe agent: no metric begins with tierprobe_; check host, port and path"
    )]
    NotAnAgent,
    /// Its label values change from scrape to scrape.
    #[error(
        "more than {MOST_SERIES} series over all scrapes: its label values change from scrape to scrape; check that it is an agent"
    )]
    TooManySeries,
    /// A family is not what an agent makes of it.
    #[error(transparent)]
    WrongType(#[from] WrongType),
}

/// A family of an agent's that is said to be of another type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{family} is of the type {is}, which an agent gives the type {expected}: the types were changed on the way; ask the \
     agent itself, or let whatever is between keep the types or leave them out"
)]
pub struct WrongType {
    /// Its name.
    pub family: String,
    /// The type it has.
    pub is: &'static str,
    /// The type an agent gives it.
    pub expected: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_counted_in_words() {
        let told = |attempts| {
            SourceError::NeverGood { attempts, last: FetchError::Status { status: 503 } }.to_string()
        };
        assert!(told(1).contains("tried 1 time; the last one: it answers HTTP 503"), "{}", told(1));
        assert!(told(3).contains("tried 3 times;"), "{}", told(3));
    }
}
