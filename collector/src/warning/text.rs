//! Warnings in words.

use super::{Changed, Warning};
use crate::compare::Exclusion;
use crate::dataset::group::listed;
use crate::date::utc_minute;
<<<<<<< HEAD:collector/src/warning/text.rs
=======
use crate::source::Note;
use crate::verdict::Verdict;

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
    /// Of a row: means and ranks point in opposite directions.
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
>>>>>>> fe15dd2 (collector: stores with the HTTP API of Prometheus are read):collector/src/warning.rs

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FewHosts { groups } => {
                let groups: Vec<String> =
                    groups.iter().map(|(group, hosts)| format!("{group} has {}", counted(*hosts, "host"))).collect();
                write!(
                    f,
                    "{}: hosts of one tier differ, and fewer than four cannot show by how much. Add hosts; more \
                     rounds do not help.",
                    groups.join(" and ")
                )
            }
            Self::FewRounds { instances } => write!(
                f,
                "Left out of rows for fewer than ten clean rounds: {}. Measure longer.",
                some_of(instances)
            ),
            Self::MostlyDisturbed { instances } => write!(
                f,
                "Left out of rows because most rounds were disturbed: {}. Find what disturbs them: \
                 tierprobe_probe_disturbed_rounds_total names the causes.",
                some_of(instances)
            ),
            Self::UnlikeDisturbance { shares: [(a, share_a), (b, share_b)] } => write!(
                f,
                "{} of the rounds of {a} were disturbed and {} of those of {b}. Verdicts use clean rounds: they \
                 describe the mechanism. What a tenant lives with is all rounds.",
                percent(*share_a),
                percent(*share_b)
            ),
            Self::UnlikeSeccomp { filtered: [a, b] } => write!(
                f,
                "{} of {} {} {} under a seccomp filter, {} of {} {}: this alone makes a system call dearer. \
                 Compare like with like: --where seccomp=none{}",
                a.count,
                a.of,
                a.group,
                if a.of == 1 { "instances runs" } else { "instances run" },
                b.count,
                b.of,
                b.group,
                if a.count == a.of || b.count == b.of {
                    ", once both have instances without one (docker: --security-opt seccomp=unconfined)."
                } else {
                    "."
                }
            ),
            Self::UnlikeKernels { releases: [a, b] } => write!(
                f,
                "The kernels differ ({} against {}), so a part of any difference may be the kernel's and not the \
                 tier's. Compare one release: --where release=RELEASE.",
                some_of(a),
                some_of(b)
            ),
            Self::UnlikeProcessors { models: [a, b] } => write!(
                f,
                "The processors differ ({} against {}), so a part of any difference may be theirs and not the \
                 tier's. Compare one model: --where cpu_model=MODEL.",
                some_of(a),
                some_of(b)
            ),
            Self::UnlikeClocks { sources: [a, b] } => write!(
                f,
                "The clock sources differ ({} against {}), and reading the time is a part of what is measured. \
                 Compare one source: --where clocksource=SOURCE.",
                some_of(a),
                some_of(b)
            ),
            Self::SharedPlace { label, values: [a, b] } => write!(
                f,
                "The sides share no {label} ({} against {}), and hosts of one {label} may be alike: a difference may \
                 be the {label}'s and not the tier's. Measure both sides in each and compare within it: --pair {label}.",
                some_of(a),
                some_of(b)
            ),
            Self::Refused { labels } => write!(
                f,
                "No verdict: no instance of one side is like any of the other in {}. Measure what is alike, or \
                 take what differs for a part of the tier: --allow-mixed {}.",
                labels.join(" and "),
                labels.join(",")
            ),
            Self::Excluded { exclusions } => {
                let costs: Vec<String> = exclusions.iter().map(cost).collect();
                let labels: std::collections::BTreeSet<&str> =
                    exclusions.iter().flat_map(|one| one.label.split(" with ")).collect();
                let labels: Vec<&str> = labels.into_iter().filter(|label| *label != "boot_id").collect();
                write!(f, "Left out as the other side has none like them: {}.", some_of(&costs))?;
                if labels.is_empty() {
                    return Ok(());
                }
                write!(f, " To keep them all the same: --allow-mixed {}.", labels.join(","))
            }
            Self::FewAlike { hosts } => write!(
                f,
                "Left out of rows as fewer than two hosts a side are like them: {}. Add hosts of their kind.",
                some_of(hosts)
            ),
            Self::UnlikeWindows { groups: [a, b], shared_seconds } => write!(
                f,
                "{a} and {b} were measured at different times ({shared_seconds:.0} s in common), so all rounds \
                 are in: what changed between may look like a difference. Measure both at once."
            ),
            Self::OutsideWindow { groups } => {
                let dropped: Vec<String> = groups
                    .iter()
                    .filter(|(_, rounds)| *rounds > 0)
                    .map(|(group, rounds)| format!("{} of {group}", counted(*rounds, "round")))
                    .collect();
                write!(f, "Dropped as they lie outside the window: {}.", dropped.join(" and "))
            }
            Self::Changed { changes } => {
                let changes: Vec<String> = changes.iter().map(changed).collect();
                write!(
                    f,
                    "Changed while they were measured: {}. Find out what happened then; a ratio over both states \
                     describes neither.",
                    some_of(&changes)
                )
            }
            Self::Emulated { share } => write!(
                f,
                "{} of {} {} instances run under emulation (tcg), without the processor's virtualization: their \
                 numbers say nothing about virtual machines in production. Use a host with /dev/kvm.",
                share.count, share.of, share.group
            ),
            Self::UncertainTier { instances } => write!(
                f,
                "The tier is not sure: {}. See why with tierprobe-agent detect on these instances.",
                some_of(&labelled(instances, |sure| format!("{} sure", percent(sure))))
            ),
            Self::Stale { instances } => write!(
                f,
                "Stopped answering before the end: {}. Their earlier rounds are in; check that the agents run.",
                some_of(&labelled(instances, |seconds| format!("{seconds:.0} s ago")))
            ),
            Self::WithoutLabel { by, instances } => {
                write!(f, "Left out for want of a label {by:?}: {}.", some_of(instances))
            }
            Self::Unpaired { by, instances } => {
                write!(f, "In no pair for want of a label {by:?}: {}.", some_of(instances))
            }
            Self::OutlierHosts { hosts } => write!(
                f,
                "Stand apart from their group in most rows: {}. They are in, ranks decide there; find out what is \
                 different on them.",
                some_of(hosts)
            ),
            Self::Discarded { not_finite, clock_resets } => write!(
                f,
                "Dropped: {} that were no finite numbers and {} after a clock was set back.",
                counted(*not_finite, "value"),
                counted(*clock_resets, "round")
            ),
            Self::Store { note: Note { source, text, is_warning: true } } => {
                write!(f, "{source} warns: {text}. Some of its data may be missing, so there is no verdict.")
            }
            Self::Store { note: Note { source, text, is_warning: false } } => write!(f, "{source} says: {text}."),
            Self::CoarseClock { tick } => write!(
                f,
                "What is measured moves in steps of {} of the value, and the interval is wider by them. A finer \
                 clock or more operations a sample would help.",
                percent(*tick)
            ),
            Self::DisturbanceSensitive { ratio_all, verdict_all } => write!(
                f,
                "With the disturbed rounds in it the ratio is {ratio_all:.2} and the verdict {}. Measure in a \
                 quieter hour.",
                verdict_all.as_str()
            ),
            Self::MethodsDisagree => f.write_str(
                "Means and ranks point in opposite directions: look at the hosts one by one before believing either.",
            ),
            Self::Outliers { hosts, ranked } => write!(
                f,
                "{} stand apart from their group: {}. Find out what is different there.",
                if *ranked { "Ranks decide, as hosts" } else { "The interval is wide, as hosts" },
                some_of(hosts)
            ),
            Self::OutlierPairs { pairs, ranked } => write!(
                f,
                "Pairs stand apart from the others: {}. {}",
                some_of(pairs),
                if *ranked { "Ranks decide." } else { "The interval is wide for it; six pairs would let ranks decide." }
            ),
            Self::Bimodal { groups } => write!(
                f,
                "The hosts of {} fall into two camps: find out what tells these apart, and compare within it.",
                groups.join(" and of ")
            ),
            Self::FewReadings { readings } => write!(
                f,
                "A host's value rests on {} and not on ten rounds.",
                counted(*readings, "reading")
            ),
        }
    }
}

/// What one label cost a group.
fn cost(one: &Exclusion) -> String {
    let Exclusion { group, label, values, count, of } = one;
    format!("{count} of {of} {group} ({label} {})", some_of(values))
}

/// What changed on one instance.
fn changed(one: &Changed) -> String {
    let labels: Vec<String> =
        one.series.labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
    let labels = if labels.is_empty() { String::new() } else { format!(" {}", labels.join(" ")) };
    let others = match one.others {
        0 => String::new(),
        1 => " and 1 more series".to_owned(),
        others => format!(" and {others} more series"),
    };
    format!(
        "{} at about {} ({}{labels} {:.2} times what it was{others})",
        one.instance,
        utc_minute(one.timestamp),
        one.series.family,
        one.ratio
    )
}

/// `1 host`, `2 hosts`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn percent(share: f64) -> String {
    if share < 0.1 { format!("{:.1} %", share * 100.0) } else { format!("{:.0} %", share * 100.0) }
}

fn labelled(instances: &[(String, f64)], words: impl Fn(f64) -> String) -> Vec<String> {
    instances.iter().map(|(name, value)| format!("{name} ({})", words(*value))).collect()
}

/// The first few names, and how many more there are.
pub(crate) fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let text = listed(names.iter().take(SHOWN).map(String::as_str));
    match names.len().saturating_sub(SHOWN) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}
