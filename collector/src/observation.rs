//! What every source yields: instances, and observations of what things cost there.

use std::collections::BTreeMap;

/// Label names and values.
pub type Labels = BTreeMap<String, String>;

/// Which number of a round an observation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statistic {
    /// The smallest sample of the round.
    Min,
    /// The median of the round.
    P50,
    /// The 90th percentile of the round.
    P90,
    /// The 99th percentile of the round.
    P99,
    /// The largest sample of the round.
    Max,
    /// The value of a gauge at the round.
    Value,
}

impl Statistic {
    /// As reports and JSON write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::Max => "max",
            Self::Value => "value",
        }
    }
}

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

/// One instance with all its observations, in time order, each round once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Collected {
    /// Where they came from, as the user named it.
    pub source: String,
    /// Whose they are.
    pub instance: Instance,
    /// The observations.
    pub observations: Vec<Observation>,
}
