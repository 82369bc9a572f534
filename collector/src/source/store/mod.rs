//! `prometheus+http(s)://HOST:PORT/PREFIX`: a store with the HTTP API of Prometheus, asked for what agents showed.
//!
//! # How it is asked
//!
//! By range selectors in instant queries, `metric{…}[5m]` at a point in time, which give the samples as they were
//! scraped, with the times of the scrapes. A range query would not do: it looks back from each step for the sample
//! before, so a round of which no step saw the first scrape is put down at a wrong time, one shorter than the step is
//! lost, and one scraped often is computed often. Samples need no step that has to be aligned, and the limit of
//! 11 000 points a series, which range queries have, does not hold for them; spans are split by size instead. The
//! functions that are used besides are as old as Prometheus 2.26: Thanos, Mimir and VictoriaMetrics have them all.
//!
//! # What becomes of it
//!
//! - [`api`]: one query after the other, with retries; what the store warns of.
//! - [`answer`]: JSON into what it says; [`stream`]: samples as they come, as they are
//!   `written`, and `envelope` what is said beside them; `quotes`: what of either is text.
//! - [`names`]: which metrics to ask for.
//! - [`instances`]: who was there, and what it was when.
//! - [`rounds`]: which round a scrape showed.
//! - `pages`: spans that make answers of a size; `heard`: what one held, until it is known to be whole.
//! - `reading`: samples into one [`Packed`](crate::observation::Packed) an instance.
//! - `plan`: what to ask for, by as many as ask at the same time.
//! - [`read`](mod@read): asks for all that, in its order.
//!
//! Rounds are told apart by `tierprobe_probe_last_round_timestamp_seconds` of the same scrape, as on the wire, so
//! the same rounds give the same observations whether they come through a store or not.

pub mod answer;
pub mod api;
mod envelope;
mod heard;
pub mod instances;
pub mod names;
mod pages;
mod plan;
mod quotes;
pub mod read;
mod reading;
pub mod rounds;
pub mod stream;
mod written;

use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};

pub use read::{Stored, read};

use crate::http::HttpError;
use crate::observation::Statistic;
use crate::source::quota::TooMuch;

/// What to ask a store for.
#[derive(Debug, Clone)]
pub struct Options {
    /// How far back.
    pub range: Duration,
    /// Back from when, in seconds since the epoch; from now where it is not said.
    pub end: Option<f64>,
    /// Which number of a duration's rounds.
    pub statistic: Statistic,
    /// Labels and values that all series must have.
    pub matchers: Vec<(String, String)>,
    /// Headers of each request, such as the tenant's.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How long one query may take.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            range: Duration::from_secs(15 * 60),
            end: None,
            statistic: Statistic::P50,
            matchers: Vec::new(),
            headers: Vec::new(),
            timeout: Duration::from_secs(60),
        }
    }
}

/// Why a store gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A status that is not 200, and that waiting does not change.
    #[error("it answers HTTP {status}: {why}")]
    Status {
        /// The status.
        status: u16,
        /// What it says itself, or what to do.
        why: String,
    },
    /// It answers, but not as the HTTP API of Prometheus does.
    #[error("it does not answer as the HTTP API of Prometheus does ({why}): check host, port and prefix")]
    NoApi {
        /// What is odd.
        why: String,
    },
    /// It refuses the query.
    #[error("it refuses a query ({kind}): {why}")]
    Refused {
        /// Its own name for the kind of error.
        kind: String,
        /// Its own words.
        why: String,
    },
    /// It says that it left something out.
    #[error(
        "it gives a part of the data only ({0}): a comparison of a part may say anything; try again when it is whole"
    )]
    Partial(String),
    /// A shortest span is still too much.
    #[error(
        "a single minute of {selector} is more than an answer may be: narrow it down with --store.match LABEL=VALUE"
    )]
    TooLarge {
        /// What was asked for.
        selector: String,
    },
    /// All sources together hold more than may be read.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// No agent has been scraped into it.
    #[error(
        "it holds no rounds of agents between {from} and {to}: check the time, the tenant and --store.match"
    )]
    NoAgents {
        /// Begin of the span.
        from: String,
        /// End of the span.
        to: String,
    },
    /// All together takes too long.
    #[error("timeout: not read within {} s", .0.as_secs())]
    Deadline(Duration),
}
