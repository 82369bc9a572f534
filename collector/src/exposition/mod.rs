//! Expositions: the Prometheus text format 0.0.4 and OpenMetrics 1.0, as events.
//!
//! Strict where the formats are ([text], [OpenMetrics]): a scrape that is cut off, repeats a series or mixes families
//! says nothing that could be relied on, so it is refused as a whole, with the line and what to do about it.
//!
//! - [`read`](mod@read): lines into families and samples, borrowed from the text; nothing is allocated for a sample,
//!   only for tables that grow.
//! - [`owned`]: the same as values, for what is not much.
//! - [`error`]: what can be wrong.
//! - [`kind`]: what a family is. `value`: what a line ends with.
//! - `cursor`, `number`: the tokens of a line. `rules`: what OpenMetrics asks of a sample. `names`, `seen`: which
//!   families and which series there were.
//!
//! [text]: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
//! [OpenMetrics]: https://prometheus.io/docs/specs/om/open_metrics_spec/

mod cursor;
pub mod error;
pub mod kind;
mod names;
mod number;
pub mod owned;
pub mod read;
mod rules;
mod seen;
#[cfg(test)]
mod tests;
mod value;

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

pub use error::{ExpositionError, Problem};
pub use kind::Kind;
pub use owned::{Family, Sample, parse};
pub use read::read;

/// Longest text that is read, in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Longest line that is read, in bytes.
pub const MAX_LINE_BYTES: usize = 64 * 1024;
/// Most series in one text.
pub const MAX_SERIES: usize = 100_000;
/// Most labels of one series.
pub const MAX_LABELS: usize = 128;

/// Which format a text is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The text format, version 0.0.4.
    Text,
    /// OpenMetrics, version 1.0.
    OpenMetrics,
}

impl Format {
    /// The format that a media type names, such as that of a `Content-Type` with or without parameters; `None` where it
    /// is neither.
    #[must_use]
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        let name = media_type.split(';').next().unwrap_or_default().trim();
        if name.eq_ignore_ascii_case("application/openmetrics-text") {
            Some(Self::OpenMetrics)
        } else if name.eq_ignore_ascii_case("text/plain") {
            Some(Self::Text)
        } else {
            None
        }
    }

    /// The format that a text without a media type is in: only OpenMetrics ends with `# EOF`.
    #[must_use]
    pub fn guess(text: &str) -> Self {
        let last = text.strip_suffix('\n').unwrap_or(text);
        let is_end = last.strip_suffix("# EOF").is_some_and(|rest| rest.is_empty() || rest.ends_with('\n'));
        if is_end { Self::OpenMetrics } else { Self::Text }
    }
}

/// Text that may hold escapes. Texts that mean the same are equal, however they are written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Escaped<'a> {
    raw: &'a str,
    has_escapes: bool,
}

impl<'a> Escaped<'a> {
    /// As it stands in the exposition.
    #[must_use]
    pub const fn raw(self) -> &'a str {
        self.raw
    }

    /// As it is meant.
    #[must_use]
    pub fn text(self) -> Cow<'a, str> {
        if self.has_escapes { Cow::Owned(self.characters().collect()) } else { Cow::Borrowed(self.raw) }
    }

    /// Its characters, as they are meant.
    pub fn characters(self) -> impl Iterator<Item = char> + 'a {
        let mut raw = self.raw.chars();
        let mut literal = None;
        std::iter::from_fn(move || {
            let c = literal.take().or_else(|| raw.next())?;
            // Which escapes there may be was seen to when it was read.
            Some(match if c == '\\' { raw.next() } else { None } {
                Some('n') => '\n',
                Some(escaped @ ('\\' | '"')) => escaped,
                // OpenMetrics: a backslash that begins no escape stands for itself.
                Some(other) => {
                    literal = Some(other);
                    c
                }
                None => c,
            })
        })
    }
}

impl PartialEq for Escaped<'_> {
    fn eq(&self, other: &Self) -> bool {
        // What needs an escape has one in all ways to write it.
        self.raw == other.raw
            || (self.has_escapes && other.has_escapes && self.characters().eq(other.characters()))
    }
}

impl Eq for Escaped<'_> {}

impl Hash for Escaped<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.has_escapes {
            self.characters().for_each(|character| character.hash(state));
        } else {
            self.raw.hash(state);
        }
    }
}

/// A label of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Label<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value.
    pub value: Escaped<'a>,
}

/// What stands above the lines of a family.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Head<'a> {
    /// Its name; in OpenMetrics without the `_total` of a counter.
    pub name: &'a str,
    /// The type.
    pub kind: Kind,
    /// The text of `# HELP`.
    pub help: Option<Escaped<'a>>,
    /// What `# UNIT` says.
    pub unit: Option<&'a str>,
}

/// When a value was taken, where the line says so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Timestamp {
    /// Milliseconds since the epoch, in the text format.
    Milliseconds(i64),
    /// Seconds since the epoch, in OpenMetrics.
    Seconds(f64),
}

/// A single measurement behind a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar<'a> {
    /// Its labels, such as a trace's id.
    pub labels: Vec<Label<'a>>,
    /// Its value.
    pub value: f64,
    /// When it was taken, in seconds since the epoch.
    pub timestamp: Option<f64>,
}

/// One line with a value, borrowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line<'a, 'l> {
    /// The name as it stands on the line, `_bucket`, `_sum` or `_count` included.
    pub name: &'a str,
    /// What the name has beyond the family's: `_bucket`, `_total` or nothing.
    pub suffix: &'a str,
    /// The labels, in their order.
    pub labels: &'l [Label<'a>],
    /// The value; NaN and infinities are values, too.
    pub value: f64,
    /// When it was taken.
    pub timestamp: Option<Timestamp>,
    /// A measurement behind it; OpenMetrics only.
    pub exemplar: Option<&'l Exemplar<'a>>,
    /// The name and the labels as they stand on the line: what is written the same way is the same series.
    pub series: &'a str,
}

impl<'a> Line<'a, '_> {
    /// The value of a label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<Escaped<'a>> {
        self.labels.iter().find(|label| label.name == name).map(|label| label.value)
    }
}

/// Takes what [`read`](fn@read) finds, in its order.
pub trait Sink<'a> {
    /// A family begins; its lines follow. Each family comes once.
    fn family(&mut self, head: &Head<'a>);

    /// A line of the family that began last.
    fn line(&mut self, line: &Line<'a, '_>);
}

/// Bytes as text.
///
/// # Errors
///
/// When they are not UTF-8; the place is that of the first bad byte.
pub fn decode(bytes: &[u8]) -> Result<&str, ExpositionError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + memchr::memchr_iter(b'\n', good).count();
        let last = memchr::memrchr(b'\n', good).map_or(0, |at| at + 1);
        let column = 1 + String::from_utf8_lossy(good.get(last..).unwrap_or_default()).chars().count();
        ExpositionError { line, column, problem: Problem::NotUtf8 }
    })
}
