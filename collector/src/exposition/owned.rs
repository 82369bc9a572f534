//! Expositions as values, for what is not much.

use std::collections::BTreeMap;

use super::{ExpositionError, Format, Head, Kind, Line, Sink, Timestamp, read};

/// One line with a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name as it stands on the line, `_bucket`, `_sum` or `_count` included.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value; NaN and infinities are values, too.
    pub value: f64,
    /// Milliseconds since the epoch, where the line has them; in OpenMetrics to the nearest.
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

/// Reads a whole exposition, in the format that its end tells.
///
/// An empty text has no families. Lines of a family that say nothing more than the format needs are kept as they
/// are.
///
/// # Errors
///
/// At the first line that breaks the format or a limit of this module.
pub fn parse(text: &str) -> Result<Vec<Family>, ExpositionError> {
    let mut families = Families(Vec::new());
    read(text, Format::guess(text), &mut families)?;
    Ok(families.0)
}

struct Families(Vec<Family>);

impl<'a> Sink<'a> for Families {
    fn family(&mut self, head: &Head<'a>) {
        self.0.push(Family {
            name: head.name.to_owned(),
            help: head.help.map(|help| help.text().into_owned()),
            kind: head.kind,
            samples: Vec::new(),
        });
    }

    fn line(&mut self, line: &Line<'a, '_>) {
        let labels = line.labels.iter().map(|label| (label.name.to_owned(), label.value.text().into_owned()));
        let sample = Sample {
            name: line.name.to_owned(),
            labels: labels.collect(),
            value: line.value,
            timestamp_ms: line.timestamp.map(milliseconds),
        };
        if let Some(family) = self.0.last_mut() {
            family.samples.push(sample);
        }
    }
}

fn milliseconds(timestamp: Timestamp) -> i64 {
    match timestamp {
        Timestamp::Milliseconds(milliseconds) => milliseconds,
        #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
        Timestamp::Seconds(seconds) => (seconds * 1e3).round() as i64,
    }
}
