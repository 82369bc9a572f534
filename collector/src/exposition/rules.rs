//! What OpenMetrics asks of a family and of its lines, beyond their form.

use std::collections::HashSet;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::error::{Problem, shortened};
use super::number::number;
use super::{Head, Kind, Line, Timestamp};

/// Most characters in the labels of an exemplar.
const MOST_EXEMPLAR: usize = 128;

/// The rules, and what they need to know of earlier lines of the family.
#[derive(Debug, Default)]
pub(super) struct Rules<'a> {
    state: RandomState,
    /// The lines with the same labels, `le` and `quantile` apart: a point of the family.
    point: Option<Point<'a>>,
    /// Points that are complete.
    earlier: HashSet<u64>,
}

#[derive(Debug)]
struct Point<'a> {
    hash: u64,
    line: &'a str,
    /// The last bucket's bound and count.
    bucket: Option<(f64, f64)>,
    timestamp: Option<f64>,
}

impl<'a> Rules<'a> {
    /// A family begins.
    pub(super) fn begin(&mut self, head: &Head<'a>, is_open_metrics: bool) -> Result<(), Problem> {
        self.point = None;
        self.earlier.clear();
        let Some(unit) = head.unit.filter(|unit| is_open_metrics && !unit.is_empty()) else { return Ok(()) };
        let has_unit = head.name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'));
        let rule = if matches!(head.kind, Kind::Info | Kind::StateSet) {
            "an info or a stateset has no unit"
        } else if has_unit {
            return Ok(());
        } else {
            "the name must end with _ and the unit"
        };
        Err(Problem::Rule { line_name: shortened(head.name), rule })
    }

    /// A line of the family.
    pub(super) fn check(&mut self, head: &Head<'a>, line: &Line<'a, '_>) -> Result<(), Problem> {
        let broken = |rule| Err(Problem::Rule { line_name: shortened(line.series), rule });
        if let Some(rule) = value_rule(head, line) {
            return broken(rule);
        }
        let has_exemplars = matches!(
            (head.kind, line.suffix),
            (Kind::Counter, "_total") | (Kind::Histogram | Kind::GaugeHistogram, "_bucket")
        );
        if let Some(exemplar) = line.exemplar {
            let length: usize = exemplar
                .labels
                .iter()
                .map(|label| label.name.chars().count() + label.value.characters().count())
                .sum();
            if !has_exemplars {
                return broken("only buckets and the _total of a counter have exemplars");
            }
            if length > MOST_EXEMPLAR {
                return broken("the labels of an exemplar have at most 128 characters");
            }
        }
        match self.point(head, line) {
            Some(rule) => broken(rule),
            None => Ok(()),
        }
    }

    /// The family is complete.
    pub(super) fn end(&mut self, head: &Head<'a>) -> Result<(), Problem> {
        self.end_point(head)
            .map_or(Ok(()), |(line, rule)| Err(Problem::Rule { line_name: shortened(line), rule }))
    }

    fn end_point(&mut self, head: &Head<'a>) -> Option<(&'a str, &'static str)> {
        let point = self.point.take()?;
        self.earlier.insert(point.hash);
        let has_buckets = matches!(head.kind, Kind::Histogram | Kind::GaugeHistogram);
        let is_complete = point.bucket.is_some_and(|(bound, _)| bound == f64::INFINITY);
        (has_buckets && !is_complete).then_some((point.line, "the last bucket must be le=\"+Inf\""))
    }

    /// Takes the line into its point; the rule that it breaks.
    fn point(&mut self, head: &Head<'a>, line: &Line<'a, '_>) -> Option<&'static str> {
        let own = match head.kind {
            Kind::Histogram | Kind::GaugeHistogram => "le",
            Kind::Summary => "quantile",
            Kind::StateSet => head.name,
            Kind::Counter | Kind::Gauge | Kind::Info | Kind::Untyped => "",
        };
        let labels = line.labels.iter().filter(|label| label.name != own);
        let of_labels = labels.map(|label| self.state.hash_one(label));
        let hash = of_labels.fold(0, u64::wrapping_add);
        let timestamp = line.timestamp.map(|timestamp| match timestamp {
            Timestamp::Seconds(seconds) => seconds,
            #[expect(clippy::cast_precision_loss, reason = "not in OpenMetrics")]
            Timestamp::Milliseconds(milliseconds) => milliseconds as f64 / 1e3,
        });
        if self.point.as_ref().is_none_or(|point| point.hash != hash) {
            if let Some((_, rule)) = self.end_point(head) {
                return Some(rule);
            }
            if self.earlier.contains(&hash) {
                return Some("the lines of one metric must stand together");
            }
            self.point = Some(Point { hash, line: line.series, bucket: None, timestamp });
        }
        let point = self.point.as_mut()?;
        if point.timestamp.is_some() != timestamp.is_some() {
            return Some("either all lines of a metric have a timestamp or none has");
        }
        if line.suffix == "_bucket" {
            let bound = number(line.label("le")?.raw()).ok()?;
            if bound.is_nan() {
                return Some("the bound of a bucket must be a number");
            }
            if let Some((last, count)) = point.bucket.replace((bound, line.value)) {
                if bound <= last {
                    return Some("buckets must stand in the order of their bounds");
                }
                if line.value < count {
                    return Some("buckets are cumulative: none is smaller than the one before it");
                }
            }
        }
        None
    }
}

/// The rule that a line's value breaks.
fn value_rule(head: &Head<'_>, line: &Line<'_, '_>) -> Option<&'static str> {
    let value = line.value;
    let is_negative = value.is_nan() || value < 0.0;
    match (head.kind, line.suffix) {
        (Kind::Counter, "_total") if is_negative => Some("a counter is a number that is not negative"),
        (Kind::Histogram | Kind::GaugeHistogram, "_bucket")
        | (Kind::Histogram | Kind::Summary, "_count")
        | (Kind::GaugeHistogram, "_gcount")
            if is_negative || value.fract().abs() > 0.0 =>
        {
            Some("a count is a whole number that is not negative")
        }
        (Kind::Histogram | Kind::Summary, "_sum") if value < 0.0 && head.kind == Kind::Summary => {
            Some("the sum of a summary is not negative")
        }
        (Kind::Summary, "") => {
            let quantile = line.label("quantile").and_then(|label| number(label.raw()).ok())?;
            (!(0.0..=1.0).contains(&quantile)).then_some("a quantile is from 0 to 1")
        }
        (Kind::Info, _) if value.to_bits() != 1.0_f64.to_bits() => Some("the value of an info is 1"),
        (Kind::StateSet, _) if ![0.0_f64.to_bits(), 1.0_f64.to_bits()].contains(&value.to_bits()) => {
            Some("a state is 0 or 1")
        }
        (Kind::StateSet, _) if line.label(head.name).is_none() => {
            Some("a state is named by a label that is called as its family")
        }
        _ => None,
    }
}
