//! Numbers as people read them.

use crate::compare::Row;
use crate::verdict::{Tag, Verdict};

/// What an interval's end without bound looks like.
const UNBOUNDED: &str = "∞";

/// A ratio: two decimals around 1, three digits elsewhere.
#[must_use]
pub fn ratio(value: f64) -> String {
    if value >= 9999.5 || (value > 0.0 && value < 0.001) {
        format!("{value:.1e}")
    } else if value >= 99.95 {
        format!("{value:.0}")
    } else if value >= 9.995 {
        format!("{value:.1}")
    } else if value >= 0.0995 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

/// An interval of a ratio, without bounds where they are absent; `None` when both are.
#[must_use]
pub fn interval(low: Option<f64>, high: Option<f64>) -> Option<String> {
    let low_text = low.map_or_else(|| "0".to_owned(), ratio);
    let high_text = high.map_or_else(|| UNBOUNDED.to_owned(), ratio);
    low.or(high).map(|_| format!("[{low_text}, {high_text}]"))
}

/// The ratio that a row shows, with its interval: that of the two hosts where it has one, else that of the tiers.
#[must_use]
pub fn effect(row: &Row) -> String {
    let (value, low, high) = match row.here {
        Some(here) => (Some(here.ratio), here.ratio_low, here.ratio_high),
        None => (row.ratio, row.ratio_low, row.ratio_high),
    };
    match (value, interval(low, high)) {
        (Some(value), Some(interval)) => format!("{} {interval}", ratio(value)),
        (Some(value), None) => ratio(value),
        (None, _) => "-".to_owned(),
    }
}

/// The verdict that a row shows: that on the two hosts, said to be of these, where it has one. A mark behind it says
/// that there is something to know beside it; [`super::note::legend`] says what.
#[must_use]
pub fn verdict(row: &Row) -> String {
    let words = match row.here.map(|here| here.verdict) {
        Some(Verdict::NoDifference) => "no diff. here".to_owned(),
        Some(verdict @ (Verdict::Slower | Verdict::Faster)) => format!("{} here", verdict.words(row.unit)),
        Some(verdict @ (Verdict::Inconclusive | Verdict::Live)) => verdict.words(row.unit).to_owned(),
        None => row.verdict.words(row.unit).to_owned(),
    };
    let marks = MARKS.into_iter().filter(|(tag, _)| is_marked(row, *tag)).map(|(_, mark)| mark);
    marks.fold(words, |text, mark| text + mark)
}

/// Tags that are marked behind a verdict.
const MARKS: [(Tag, &str); 2] = [(Tag::Provisional, "?"), (Tag::Confounded, "*")];

/// Whether a row shows a verdict that has this tag.
#[must_use]
pub fn is_marked(row: &Row, tag: Tag) -> bool {
    let verdict = row.here.map_or(row.verdict, |here| here.verdict);
    row.tags.contains(&tag) && !matches!(verdict, Verdict::Inconclusive | Verdict::Live)
}

/// A side's median, or a dash.
#[must_use]
pub fn median(row: &Row, median: Option<f64>) -> String {
    median.map_or_else(|| "-".to_owned(), |median| row.unit.human(median))
}

/// Clean rounds of the side that has fewer: the narrow form.
#[must_use]
pub fn fewest_rounds(row: &Row) -> String {
    thousands(row.baseline.rounds.min(row.candidate.rounds))
}

/// Clean rounds, baseline and candidate; once where they are the same.
#[must_use]
pub fn rounds(row: &Row) -> String {
    let (a, b) = (row.baseline.rounds, row.candidate.rounds);
    if a == b { thousands(a) } else { format!("{}/{}", thousands(a), thousands(b)) }
}

fn thousands(count: usize) -> String {
    if count < 10_000 { count.to_string() } else { format!("{}k", (count + 500) / 1000) }
}

/// How many of how many: `6`, and `2 of 6` where the others do not take part.
#[must_use]
pub fn of(count: usize, all: usize) -> String {
    if count == all { count.to_string() } else { format!("{count} of {all}") }
}

/// A span of time: `24 h`, `10 min`, `45 s`.
#[must_use]
pub fn span(seconds: f64) -> String {
    if seconds >= 172_800.0 {
        format!("{:.0} d", seconds / 86_400.0)
    } else if seconds >= 7200.0 {
        format!("{:.0} h", seconds / 3600.0)
    } else if seconds >= 120.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{seconds:.0} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_keep_three_digits() {
        let shown = [0.0004, 0.053, 0.999, 1.0, 1.2345, 9.999, 12.34, 123.4, 12_345.0].map(ratio);
        assert_eq!(shown, ["4.0e-4", "0.053", "1.00", "1.00", "1.23", "10.0", "12.3", "123", "1.2e4"]);
    }

    #[test]
    fn an_end_without_bound_is_infinite() {
        assert_eq!(interval(Some(1.2), None).as_deref(), Some("[1.20, ∞]"));
        assert_eq!(interval(None, Some(2.0)).as_deref(), Some("[0, 2.00]"));
        assert_eq!(interval(None, None), None);
    }

    #[test]
    fn spans_have_the_unit_that_people_use() {
        assert_eq!([45.0, 600.0, 86_400.0, 604_800.0].map(span), ["45 s", "10 min", "24 h", "7 d"]);
    }
}
