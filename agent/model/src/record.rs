//! The record: the JSON of `tierprobe-agent measure`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Cause, Detection, Quantiles, Unit, label_values};

/// Label names and values of one series.
pub type Labels = BTreeMap<String, String>;

/// Everything that one run of `measure` found on one instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this document, [`crate::SCHEMA`].
    pub schema: u32,
    /// The instance's name: the host name, unless the user gave another.
    pub instance: String,
    /// Where it ran.
    pub detection: Detection,
    /// What became of each probe.
    pub probes: Vec<ProbeOutcome>,
    /// Durations, round by round.
    pub families: Vec<FamilyRecord>,
    /// Everything that is one value at a time.
    pub gauges: Vec<GaugeRecord>,
}

/// How a probe's run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It measured.
    Ok,
    /// What it measures does not exist here.
    Unsupported,
    /// It should have worked.
    Failed,
}

label_values!(Outcome { Ok = "ok", Unsupported = "unsupported", Failed = "failed" });

/// What became of one probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeOutcome {
    /// The probe.
    pub name: String,
    /// How its last run ended.
    pub outcome: Outcome,
    /// Why it is not `ok`; where it is, which part has no numbers, and why. Empty where there is nothing to say.
    #[serde(default)]
    pub reason: String,
}

/// A duration family with all rounds of all its series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FamilyRecord {
    /// The family's name.
    pub name: String,
    /// The unit of every value.
    pub unit: Unit,
    /// One entry per set of labels.
    pub series: Vec<SeriesRecord>,
}

/// The rounds of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesRecord {
    /// Which series.
    pub labels: Labels,
    /// Its rounds, in time order.
    pub rounds: Vec<RoundRecord>,
}

/// One round of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundRecord {
    /// When it ended, in seconds since the epoch.
    pub timestamp: f64,
    /// What it measured, in the family's unit.
    #[serde(flatten)]
    pub quantiles: Quantiles,
    /// How many samples it took.
    pub samples: u64,
    /// What disturbed it; empty for a clean round.
    #[serde(default)]
    pub disturbed: Vec<Cause>,
}

/// A gauge: its last value, and its value at each round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GaugeRecord {
    /// The family's name.
    pub name: String,
    /// Which series.
    pub labels: Labels,
    /// The last value.
    pub value: f64,
    /// The value at each round, in time order.
    #[serde(default)]
    pub rounds: Vec<GaugeRound>,
}

/// A gauge's value at one round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GaugeRound {
    /// When the round ended, in seconds since the epoch.
    pub timestamp: f64,
    /// The value, in the unit that the family's name says.
    pub value: f64,
    /// What disturbed the round; empty for a clean round.
    #[serde(default)]
    pub disturbed: Vec<Cause>,
}
