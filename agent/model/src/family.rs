//! Metric families: what is published under which name.

use crate::Unit;

/// How a family's values come about, and with that how they are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Samples of a duration: a histogram under the family's own name and a summary of the last round under
    /// [`Family::round_name`].
    Duration,
    /// A value that goes up and down.
    Gauge,
    /// A value that only goes up.
    Counter,
    /// Labels about identity; the value is always 1.
    Info,
}

/// A metric family: everything about it but its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// The full name, with prefix and unit: `tierprobe_syscall_seconds`.
    ///
    /// What a probe measures is named `tierprobe_<probe>_…`, so that a reader of the wire knows whose rounds
    /// the values come in.
    pub name: &'static str,
    /// One sentence: what it is and how it was obtained.
    pub help: &'static str,
    /// How it is published.
    pub kind: Kind,
    /// The label names, in the order in which series give their values.
    pub labels: &'static [&'static str],
}

/// What a duration family's name ends with, and its round summary's.
const DURATION_SUFFIX: &str = "_seconds";
const ROUND_SUFFIX: &str = "_round_seconds";

impl Family {
    /// The unit that the name says.
    #[must_use]
    pub fn unit(&self) -> Unit {
        Unit::of_family(self.name)
    }

    /// The name of the summary that a [`Kind::Duration`] family publishes its last round under.
    #[must_use]
    pub fn round_name(&self) -> String {
        let stem = self.name.strip_suffix(DURATION_SUFFIX).unwrap_or(self.name);
        format!("{stem}{ROUND_SUFFIX}")
    }

    /// The family whose round summary is called `name`, if it is one's name: the inverse of
    /// [`Family::round_name`].
    #[must_use]
    pub fn name_of_round(name: &str) -> Option<String> {
        name.strip_suffix(ROUND_SUFFIX).map(|stem| format!("{stem}{DURATION_SUFFIX}"))
    }
}

/// Upper bounds of the histogram buckets of every duration family, in seconds: powers of four from 64 ns to a
/// quarter of a second. What lies beyond is in the last round's maximum.
///
/// The same on every host and in every release, so that histograms of a fleet can be added up. Changing them is
/// a breaking change.
#[expect(clippy::indexing_slicing, reason = "a constant: an index out of bounds would not compile")]
pub const BUCKETS: [f64; 12] = {
    let mut bounds = [64e-9; 12];
    let mut index = 1;
    while index < bounds.len() {
        // Times four is exact in binary: each bound is the double nearest to its decimal.
        bounds[index] = bounds[index - 1] * 4.0;
        index += 1;
    }
    bounds
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_published_beside_its_family() {
        let family =
            Family { name: "tierprobe_syscall_seconds", help: "", kind: Kind::Duration, labels: &[] };
        assert_eq!(family.round_name(), "tierprobe_syscall_round_seconds");
        assert_eq!(Family::name_of_round(&family.round_name()).as_deref(), Some(family.name));
        assert_eq!(Family::name_of_round(family.name), None);
    }

    #[test]
    fn buckets_are_powers_of_four() {
        let printed = BUCKETS.map(|bound| bound.to_string());
        assert_eq!(printed.first().map(String::as_str), Some("0.000000064"));
        assert_eq!(printed.get(4).map(String::as_str), Some("0.000016384"));
        assert_eq!(printed.last().map(String::as_str), Some("0.268435456"));
    }
}
