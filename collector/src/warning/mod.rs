//! What a reader must know before believing a row: what is wrong, and what to do.

mod text;

use crate::dataset::SeriesKey;
use crate::source::Note;
use crate::verdict::Verdict;

pub(crate) use text::{percent, some_of};

/// How many of a group's instances something is true of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The group.
    pub group: String,
    /// Instances of which it is true.
    pub count: usize,
    /// All its instances.
    pub of: usize,
}

/// Instances of one group that were left out for being unlike every instance of the other group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// Their group.
    pub group: String,
    /// In what they are unlike; several labels where only the combination is.
    pub label: String,
    /// Their values of it.
    pub values: Vec<String>,
    /// How many they are.
    pub count: usize,
    /// All instances of the group.
    pub of: usize,
}

/// An instance that changed while it was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// Its name.
    pub instance: String,
    /// The series that changed most.
    pub series: SeriesKey,
    /// When, in seconds since the epoch.
    pub timestamp: f64,
    /// What it cost after that, compared with before.
    pub ratio: f64,
    /// How many more of its series changed.
    pub others: usize,
}

/// In which of the rows where hosts stand apart ranks decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranked {
    /// In each.
    All,
    /// In some; means do in the others.
    Some,
    /// In none.
    None,
}

/// A warning; its `Display` is one or two sentences.
#[derive(Debug, Clone, PartialEq)]
pub enum Warning {
    /// Groups have fewer hosts than a tier verdict needs.
    FewHosts {
        /// Groups, with the hosts that they have.
        groups: Vec<(String, usize)>,
    },
    /// Instances have too few clean rounds for some rows.
    FewRounds {
        /// Whose.
        instances: Vec<String>,
        /// Whether they have enough, and the window cuts them off.
        are_cut: bool,
    },
    /// Instances were disturbed for most of some probe's rounds.
    MostlyDisturbed {
        /// Which.
        instances: Vec<String>,
    },
    /// One side was disturbed far more often.
    UnlikeDisturbance {
        /// Each group and the share of its rounds, 0 to 1.
        shares: [(String, f64); 2],
    },
    /// Seccomp filters run in unlike shares of the two groups.
    UnlikeSeccomp {
        /// Under a filter, candidate first.
        filtered: [Share; 2],
    },
    /// The groups run unlike kernels.
    UnlikeKernels {
        /// Releases of the baseline and of the candidate.
        releases: [Vec<String>; 2],
    },
    /// The groups run on unlike processors.
    UnlikeProcessors {
        /// Models of the baseline and of the candidate.
        models: [Vec<String>; 2],
    },
    /// The groups read the time from unlike clocks.
    UnlikeClocks {
        /// Clock sources of the baseline and of the candidate.
        sources: [Vec<String>; 2],
    },
    /// Hosts stand in places that none of the other side shares.
    SharedPlace {
        /// The label that says where.
        label: String,
        /// Its values on the baseline's side and on the candidate's.
        values: [Vec<String>; 2],
    },
    /// Instances share a kernel and do not say which, so that there may be fewer hosts than it seems.
    UnknownKernel {
        /// Their names.
        instances: Vec<String>,
    },
    /// One side says what the other is silent of, so that nobody knows whether they are alike in it.
    Unsaid {
        /// The labels, each with the group that is silent.
        labels: Vec<(String, String)>,
    },
    /// The groups have nothing alike to compare, so there is no verdict.
    Refused {
        /// The labels in which they are unlike.
        labels: Vec<String>,
    },
    /// Instances were left out because the other group has none that is like them.
    Excluded {
        /// What each label cost.
        exclusions: Vec<Exclusion>,
    },
    /// Hosts were left out of rows because fewer than two a side are like them.
    FewAlike {
        /// Their names.
        hosts: Vec<String>,
    },
    /// The groups were measured at unlike times.
    UnlikeWindows {
        /// The groups.
        groups: [String; 2],
        /// What their times have in common, in seconds.
        shared_seconds: f64,
    },
    /// Rounds outside of the window were dropped.
    OutsideWindow {
        /// Each group and its rounds that were dropped.
        groups: [(String, usize); 2],
    },
    /// Instances changed while they were measured.
    Changed {
        /// What changed, and when.
        changes: Vec<Changed>,
    },
    /// Virtual machines run without the processor's help.
    Emulated {
        /// Emulated instances.
        share: Share,
    },
    /// The tier of instances is not sure.
    UncertainTier {
        /// Names, with the confidence from 0 to 1.
        instances: Vec<(String, f64)>,
    },
    /// Targets stopped answering.
    Stale {
        /// Names, with the seconds since their last answer.
        instances: Vec<(String, f64)>,
    },
    /// Instances lack the label that groups are made by.
    WithoutLabel {
        /// The label.
        by: String,
        /// Their names.
        instances: Vec<String>,
    },
    /// Instances lack the label that pairs share.
    Unpaired {
        /// The label.
        by: String,
        /// Their names.
        instances: Vec<String>,
    },
    /// Hosts stand apart from their group in most rows.
    OutlierHosts {
        /// Their names.
        hosts: Vec<String>,
        /// In which of these rows ranks decide.
        ranked: Ranked,
    },
    /// Values were dropped before comparing.
    Discarded {
        /// Values that were not finite.
        not_finite: usize,
        /// Rounds lost to clocks that were set back.
        clock_resets: usize,
    },
    /// A store had something to say of its data.
    Store {
        /// What.
        note: Note,
    },
    /// Of a row: the clock's tick shows in the value.
    CoarseClock {
        /// The larger of the sides' ticks, as a share of the value.
        tick: f64,
    },
    /// Of a row: with the disturbed rounds in it, it would say something else.
    DisturbanceSensitive {
        /// The ratio over all rounds.
        ratio_all: f64,
        /// The verdict over all rounds.
        verdict_all: Verdict,
    },
    /// Of a row: means and ranks point in opposite directions or come to different verdicts.
    MethodsDisagree,
    /// Of a row: hosts stand apart.
    Outliers {
        /// Their names.
        hosts: Vec<String>,
        /// Whether ranks decide; they do not within strata and where they would be unsafe.
        ranked: bool,
    },
    /// Of a row: pairs stand apart.
    OutlierPairs {
        /// What they share.
        pairs: Vec<String>,
        /// Whether there are enough pairs for ranks to decide.
        ranked: bool,
    },
    /// Of a row: the hosts of a group fall into two camps.
    Bimodal {
        /// The groups.
        groups: Vec<String>,
    },
    /// Of a row: the value of a host rests on few readings of a gauge.
    FewReadings {
        /// The fewest.
        readings: usize,
    },
}

impl Warning {
    /// A name for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::FewHosts { .. } => "few_hosts",
            Self::FewRounds { .. } => "few_rounds",
            Self::MostlyDisturbed { .. } => "mostly_disturbed",
            Self::UnlikeDisturbance { .. } => "unlike_disturbance",
            Self::UnlikeSeccomp { .. } => "unlike_seccomp",
            Self::UnlikeKernels { .. } => "unlike_kernels",
            Self::UnlikeProcessors { .. } => "unlike_processors",
            Self::UnlikeClocks { .. } => "unlike_clocks",
            Self::SharedPlace { .. } => "shared_place",
            Self::UnknownKernel { .. } => "unknown_kernel",
            Self::Unsaid { .. } => "unsaid",
            Self::Refused { .. } => "refused",
            Self::Excluded { .. } => "excluded",
            Self::FewAlike { .. } => "few_alike",
            Self::UnlikeWindows { .. } => "unlike_windows",
            Self::OutsideWindow { .. } => "outside_window",
            Self::Changed { .. } => "changed",
            Self::Emulated { .. } => "emulated",
            Self::UncertainTier { .. } => "uncertain_tier",
            Self::Stale { .. } => "stale",
            Self::WithoutLabel { .. } => "without_label",
            Self::Unpaired { .. } => "unpaired",
            Self::OutlierHosts { .. } => "outlier_hosts",
            Self::Discarded { .. } => "discarded",
            Self::Store { .. } => "store",
            Self::CoarseClock { .. } => "coarse_clock",
            Self::DisturbanceSensitive { .. } => "disturbance_sensitive",
            Self::MethodsDisagree => "methods_disagree",
            Self::Outliers { .. } => "outliers",
            Self::OutlierPairs { .. } => "outlier_pairs",
            Self::Bimodal { .. } => "bimodal",
            Self::FewReadings { .. } => "few_readings",
        }
    }
}
