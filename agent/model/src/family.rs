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

/// Upper bounds of the histogram buckets of every duration family, in seconds: powers of four from 16 ns.
///
/// The same on every host and in every release, so that histograms of a fleet can be added up. Changing them is
/// a breaking change.
pub const BUCKETS: [f64; 15] = [
    1.6e-8, 6.4e-8, 2.56e-7, 1.024e-6, 4.096e-6, 1.6384e-5, 6.5536e-5, 2.62144e-4, 1.048576e-3, 4.194304e-3,
    1.6777216e-2, 6.7108864e-2, 2.68435456e-1, 1.073741824, 4.294967296,
];

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
        for pair in BUCKETS.windows(2) {
            assert!((pair[1] / pair[0] - 4.0).abs() < 1e-9, "{pair:?}");
        }
    }
}
