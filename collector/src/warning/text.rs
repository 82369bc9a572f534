//! Warnings in words.

use super::{Changed, Exclusion, Ranked, Warning};
use crate::dataset::group::listed;
use crate::date::utc_minute;
use crate::observation::counted;
use crate::source::Note;

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FewHosts { groups } => {
                let groups: Vec<String> = groups
                    .iter()
                    .map(|(group, hosts)| format!("{group} has {}", counted(*hosts, "host")))
                    .collect();
                write!(
                    f,
                    "{}: hosts of one tier differ, and fewer than four cannot show by how much. Add hosts; more \
                     rounds do not help.",
                    groups.join(" and ")
                )
            }
            Self::FewRounds { instances, are_cut: false } => write!(
                f,
                "Left out of rows for fewer than ten clean rounds: {}. Measure longer.",
                some_of(instances)
            ),
            Self::FewRounds { instances, are_cut: true } => write!(
                f,
                "Left out of rows for fewer than ten clean rounds within the window: {}. Their others lie \
                 outside: let all measure at the same time.",
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
            Self::UnknownKernel { instances } => write!(
                f,
                "{} run on kernels that others may share, and do not say which: {}. Each counts as a host, so there may be \
                 fewer hosts than it seems. Let the agents tell it (label boot_id of tierprobe_kernel_info).",
                counted(instances.len(), "instance"),
                some_of(instances)
            ),
            Self::Unsaid { labels } => {
                let labels: Vec<String> =
                    labels.iter().map(|(label, group)| format!("{label} of {group}")).collect();
                write!(
                    f,
                    "Known of one side only, so nobody can tell whether the sides are alike in it: no instance tells {}. \
                     A part of any difference may be that.",
                    labels.join(" or ")
                )
            }
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
            Self::OutlierHosts { hosts, ranked } => write!(
                f,
                "Stand apart from their group in most rows: {}. They are in{}; find out what is different on them.",
                some_of(hosts),
                match ranked {
                    Ranked::All => ", ranks decide there",
                    Ranked::Some => ", ranks decide in some of these rows and intervals are wide in the others",
                    Ranked::None => ", and the intervals are wide for it",
                }
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
            Self::Store { note: Note { source, text, is_warning: false } } => {
                write!(f, "{source} says: {text}. Verdicts are provisional for it.")
            }
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
                "Means and ranks do not say the same, as where few hosts make the difference or the evidence is just \
                 enough: look at the hosts one by one before believing either.",
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
                if *ranked {
                    "Ranks decide."
                } else {
                    "The interval is wide for it; six pairs would let ranks decide."
                }
            ),
            Self::Bimodal { groups } => write!(
                f,
                "The hosts of {} fall into two camps: find out what tells these apart, and compare within it.",
                groups.join(" and of ")
            ),
            Self::FewReadings { readings } => {
                write!(f, "A host's value rests on {} and not on ten rounds.", counted(*readings, "reading"))
            }
        }
    }
}

impl Warning {
    /// What is true of each of several rows in a way of its own, and what is said of all of them; nothing of its own where
    /// the whole text is.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what has nothing of a row's own needs no line here")]
    pub(crate) fn of_one_row(&self) -> (Option<String>, String) {
        let (own, shared) = match self {
            Self::CoarseClock { tick } => (
                percent(*tick),
                "What is measured moves in steps of so much of the value, and the intervals are wider by them. A finer \
                 clock or more operations a sample would help.",
            ),
            Self::DisturbanceSensitive { ratio_all, verdict_all } => (
                format!("{ratio_all:.2}, {}", verdict_all.as_str()),
                "With the disturbed rounds in them these are the ratios and the verdicts. Measure in a quieter hour.",
            ),
            Self::Outliers { hosts, ranked: true } => (
                some_of(hosts),
                "Ranks decide, as these hosts stand apart from their group. Find out what is different there.",
            ),
            Self::Outliers { hosts, ranked: false } => (
                some_of(hosts),
                "The intervals are wide, as these hosts stand apart from their group. Find out what is different there.",
            ),
            Self::OutlierPairs { pairs, ranked: true } => {
                (some_of(pairs), "These pairs stand apart from the others. Ranks decide.")
            }
            Self::OutlierPairs { pairs, ranked: false } => (
                some_of(pairs),
                "These pairs stand apart from the others. The intervals are wide for it; six pairs would let ranks decide.",
            ),
            Self::FewReadings { readings } => {
                (counted(*readings, "reading"), "A host's value rests on these and not on ten rounds.")
            }
            other => return (None, other.to_string()),
        };
        (Some(own), shared.to_owned())
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

/// A share as per cent, with a decimal where it is small.
pub(crate) fn percent(share: f64) -> String {
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
