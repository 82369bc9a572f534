//! The Prometheus text format, version 0.0.4: text into metric families.
//!
//! Strict where the [format] is: a scrape that is cut off, repeats a series or mixes families says nothing
//! that could be relied on, so it is refused as a whole, with the line and what to do about it.
//!
//! [format]: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format

mod cursor;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use parse::{decode, parse};

/// Longest text that is read, in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Longest line that is read, in bytes.
pub const MAX_LINE_BYTES: usize = 64 * 1024;
/// Most series in one text.
pub const MAX_SERIES: usize = 100_000;

/// What `# TYPE` says of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Cumulative buckets, a sum and a count.
    Histogram,
    /// Quantiles, a sum and a count.
    Summary,
    /// Nothing is said.
    Untyped,
}

/// One line with a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name as it stands on the line, `_bucket`, `_sum` or `_count` included.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value; NaN and infinities are values, too.
    pub value: f64,
    /// Milliseconds since the epoch, where the line has them.
    pub timestamp_ms: Option<i64>,
}

/// A metric family.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// The text of `# HELP`.
    pub help: Option<String>,
    /// The type.
    pub kind: Kind,
    /// Its lines, in their order.
    pub samples: Vec<Sample>,
}

/// Why a text is refused: where and what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ExpositionError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub problem: Problem,
}

/// What can be wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message is the documentation of its variant")]
pub enum Problem {
    #[error("not UTF-8: this is not the Prometheus text format")]
    NotUtf8,
    #[error("the text is longer than {} MiB: narrow down what the target exposes", MAX_BYTES / 1024 / 1024)]
    TooLong,
    #[error("the line is longer than {} KiB: this is hardly an exposition", MAX_LINE_BYTES / 1024)]
    LineTooLong,
    #[error("more than {MAX_SERIES} series: narrow down what the target exposes")]
    TooManySeries,
    #[error("the last line does not end: the text is cut off, fetch it again")]
    CutOff,
    #[error("expected {expected}, found {found}: check that the address is that of a /metrics page")]
    Unexpected { expected: &'static str, found: String },
    #[error("{0:?} is no number")]
    NotANumber(String),
    #[error("{0:?} is no type; known are counter, gauge, histogram, summary and untyped")]
    UnknownType(String),
    #[error("label {0:?} appears twice in one series")]
    DuplicateLabel(String),
    #[error("{0} appears a second time: each series may have one line only")]
    DuplicateSeries(String),
    #[error("a second {what} line for {family}: merge the outputs of several exporters by family")]
    DuplicateHeader { what: &'static str, family: String },
    #[error("{what} of {family} stands after its first line: it must come before")]
    LateHeader { what: &'static str, family: String },
    #[error("the lines of {0} do not stand together: merge the outputs of several exporters by family")]
    Split(String),
    #[error("{line_name} needs a label {label:?} with a number, as {family} is a {kind}")]
    MissingLabel { line_name: String, family: String, kind: &'static str, label: &'static str },
}
