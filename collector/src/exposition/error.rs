//! What can be wrong with an exposition.

use super::{MAX_BYTES, MAX_LABELS, MAX_LINE_BYTES, MAX_SERIES};

/// Why a text is refused: where and what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct ExpositionError {
    /// Counted from 1.
    pub line: usize,
    /// The character at which it shows, counted from 1.
    pub column: usize,
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
    #[error("more than {MAX_LABELS} labels in one series: this is hardly an exposition")]
    TooManyLabels,
    #[error("the last line does not end: the text is cut off, fetch it again")]
    CutOff,
    #[error("OpenMetrics ends with # EOF, and this does not: the text is cut off, fetch it again")]
    NoEnd,
    #[error("there is something after # EOF: take each scrape for itself")]
    AfterEnd,
    #[error("expected {expected}, found {found}: check that the address is that of a /metrics page")]
    Unexpected { expected: &'static str, found: String },
    #[error("{0:?} is no number")]
    NotANumber(String),
    #[error("{0:?} is no type; known are counter, gauge, histogram, summary and untyped")]
    UnknownType(String),
    #[error(
        "{0:?} is no type of OpenMetrics; known are counter, gauge, histogram, gaugehistogram, summary, info, stateset and unknown"
    )]
    UnknownOpenMetricsType(String),
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
    #[error("{family} and a family before it can both have a line called {name}: rename one of them")]
    Clash { family: String, name: String },
    #[error("{line_name} needs a label {label:?} with a number, as {family} is a {kind}")]
    MissingLabel { line_name: String, family: String, kind: &'static str, label: &'static str },
    #[error("{line_name}: {rule}")]
    Rule { line_name: String, rule: &'static str },
}

/// Keeps messages readable when a line is not.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 120;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}
