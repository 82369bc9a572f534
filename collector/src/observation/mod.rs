//! What every source yields: instances, and observations of what things cost there.
//!
//! - [`statistic`]: which number of a round an observation is.
//! - [`series`]: which series it is of; the vocabulary that keeps each once.
//! - [`track`]: rounds, and the readings at them.
//! - `change`: what is said of rounds from before an instance changed.
//! - [`packed`]: one instance's observations in a few bytes each; `columns` while they grow, `values` when they are there.

mod change;
mod columns;
pub mod packed;
pub mod series;
pub mod statistic;
pub mod track;
mod values;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use change::{before_change, counted, is_of_before};
pub(crate) use columns::Columns;
pub use packed::{Packed, Packer};
pub use series::{SeriesId, SeriesKey, Vocabulary};
pub use statistic::Statistic;
pub use track::{Reading, Readings};

/// Label names and values.
pub type Labels = BTreeMap<String, String>;

/// One round's number of one series of one instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The family's own name: a round summary `X_round_seconds` is an observation of `X_seconds`.
    pub family: String,
    /// The series' labels, `quantile` left out.
    pub labels: Labels,
    /// Which number of the round.
    pub statistic: Statistic,
    /// When the round ended, in seconds since the epoch.
    ///
    /// It also tells rounds apart: a number that comes twice with the same timestamp counts once.
    pub timestamp: f64,
    /// The number, in the unit that the family's name ends with.
    pub value: f64,
    /// Whether the agent marked the round as disturbed.
    pub disturbed: bool,
}

/// A place that was measured, as far as comparisons need to know it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Instance {
    /// Its name, unique in a comparison.
    pub name: String,
    /// What it can be grouped and kept apart by: `tier`, `hypervisor`, `vmm`, `container_runtime`,
    /// `orchestrator`, `cloud`, `kernel`, `release`, `boot_id`, `clocksource`, `seccomp`, `no_new_privs`,
    /// `cpu_model`, `arch`; `launcher` in the lab; labels that the user gave.
    pub labels: Labels,
    /// How sure the tier is, 0 to 1, where the source says so.
    pub tier_confidence: Option<f64>,
    /// Smallest difference that a sample can show, by probe, in seconds, where the source says so.
    pub resolution_seconds: BTreeMap<String, f64>,
}

/// What a source gave that cannot be used, counted so that nothing is dropped silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Discarded {
    /// Numbers that were not finite.
    pub not_finite: usize,
    /// Rounds that ended before the round that preceded them: the clock was set back.
    pub clock_resets: usize,
    /// Rounds that came a second time.
    pub duplicates: usize,
}

/// One instance with all its observations, in time order, each round once.
///
/// A list that is easy to make and to change, for what is not much: an observation takes hundreds of bytes. Fleets
/// are [`Packed`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Collected {
    /// Where they came from, as the user named it.
    pub source: String,
    /// Whose they are.
    pub instance: Instance,
    /// The observations.
    pub observations: Vec<Observation>,
    /// One sentence on each family, where the source has it.
    pub help: BTreeMap<String, String>,
    /// Families of which every observation is a repetition of its own, such as one start of a container, and no
    /// round of something that runs on.
    ///
    /// Rounds of one instance resemble their neighbours, so an interval over them needs batches and many
    /// rounds. Independent repetitions go into the interval as they are, from five a side.
    pub independent: BTreeSet<String>,
    /// What was left out on the way.
    pub discarded: Discarded,
    /// Rounds from before the instance changed, in words.
    pub left_out: Vec<String>,
    /// How long the target had not answered when the collection ended, in seconds; absent while it answers and
    /// for files.
    pub stale_seconds: Option<f64>,
}

/// The probe whose rounds a family comes in: the longest name `P` among `probes` for which the family is called
/// `tierprobe_P_…`.
#[must_use]
pub fn probe_of<'a>(family: &str, probes: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let rest = family.strip_prefix("tierprobe_")?;
    probes
        .filter(|probe| rest.strip_prefix(*probe).is_some_and(|tail| tail.starts_with('_')))
        .max_by_key(|probe| probe.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_probe_name_wins() {
        let probes = ["page", "page_fault", "vm"];
        assert_eq!(probe_of("tierprobe_page_fault_seconds", probes.into_iter()), Some("page_fault"));
        assert_eq!(probe_of("tierprobe_page_faults_seconds", probes.into_iter()), Some("page"));
        assert_eq!(probe_of("tierprobe_vm_exit_seconds", probes.into_iter()), Some("vm"));
        assert_eq!(probe_of("tierprobe_syscall_seconds", probes.into_iter()), None);
        assert_eq!(probe_of("node_page_fault_seconds", probes.into_iter()), None);
    }
}
