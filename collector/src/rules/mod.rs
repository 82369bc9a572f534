//! Recording rules: the tier joined once, for dashboards, and for stores that keep only what rules record.
//!
//! - [`family`]: what there is to record.
//! - [`render`]: the file, as the rulers of Prometheus, Thanos and Mimir read it.
//!
//! What a rule records of an instance is a sample of the last scrape, unchanged: multiplying by one is exact. With
//! [`RAW`] kept beside it, rounds are told apart and disturbed ones known, so `compare` says the same from recorded
//! series as from raw ones.

pub mod family;

use std::time::Duration;

pub use family::Family;

use crate::observation::Statistic;

/// What a store must keep beside the recorded series for `compare`: rounds and who is who.
pub const RAW: &str = "tierprobe_.+_info|tierprobe_probe_last_round_.+|tierprobe_probe_resolution_seconds\
                       |tierprobe_tier_confidence_ratio";

/// The labels that tell one instance of a single Prometheus from another.
pub const ON: [&str; 2] = ["job", "instance"];

/// Labels by which the agent says what it is, with the metric that has them.
const IDENTITY: &[(&str, &[&str])] = &[
    ("tierprobe_tier_info", &["hypervisor", "vmm", "container_runtime", "orchestrator", "cloud", "kernel"]),
    ("tierprobe_kernel_info", &["release", "boot_id", "clocksource"]),
    ("tierprobe_host_info", &["cpu_model", "arch"]),
    ("tierprobe_isolation_info", &["seccomp", "no_new_privs"]),
];

/// What to record.
#[derive(Debug, Clone)]
pub struct Options {
    /// The families.
    pub families: Vec<Family>,
    /// Which numbers of a duration's rounds.
    pub statistics: Vec<Statistic>,
    /// The label that instances are grouped by.
    pub by: String,
    /// The labels of targets that tell one instance from another.
    pub on: Vec<String>,
    /// How often rules are evaluated; as the ruler does by itself where it is not said.
    pub interval: Option<Duration>,
}

/// The rules.
#[must_use]
pub fn render(options: &Options) -> String {
    let Options { families, statistics, by, on, interval } = options;
    let on = on.join(", ");
    let mut text = head(by, &on);
    text.push_str("\ngroups:\n  - name: tierprobe\n");
    if let Some(interval) = interval {
        text.push_str(&format!("    interval: {}\n", duration(*interval)));
    }
    text.push_str("    rules:\n");
    text.push_str(&identity(by, &on));
    for family in families {
        text.push('\n');
        match &family.rounds {
            Some(rounds) => {
                for statistic in statistics {
                    let Some(quantile) = statistic.quantile_pattern() else { continue };
                    let selector = format!("{rounds}{{quantile=~\"{quantile}\"}}");
                    // Where both ways to write it are the same, an equality finds it sooner.
                    let selector =
                        if quantile.contains('|') { selector } else { selector.replace("=~", "=") };
                    let raw = if quantile.contains('|') {
                        format!("max without (quantile) ({selector})")
                    } else {
                        selector
                    };
                    text.push_str(&pair(family, &statistic.in_a_name(), &raw, by, &on));
                }
            }
            None => text.push_str(&pair(family, Statistic::Value.as_str(), &family.name, by, &on)),
        }
    }
    text
}

fn head(by: &str, on: &str) -> String {
    format!(
        "\
# Recording rules: the tier joined once, for dashboards and alerts over a fleet.
# Written by `tierprobe-collector rules`. Nothing in tierprobe needs them; dashboards/compare.json joins for itself.
#
# instance:tierprobe_X_seconds:pNN   a quantile of each instance's last round, with the label `tier`
# {by}:tierprobe_X_seconds:pNN       its median over the instances of a {by}
#
# An instance without tierprobe_tier_info belongs to no tier and is in none of these series.
# Instances are told apart by these labels: {on}. Where several have the same ones, as over clusters in one Mimir or
# Thanos, nobody knows whose tier is whose: all of them are left out, and instance:tierprobe_ambiguous:info has how many
# they are. Name the labels that tell them apart, too: `tierprobe-collector rules --on job,instance,cluster`.
# The median is over instances, never over rounds: the rounds of one host are not independent of each other.
# Disturbed rounds are in it. `tierprobe-collector compare` leaves them out and says how sure it is; these rules do not.
#
# A store that keeps the series of instances and these beside them answers `compare` as one that keeps everything does,
# as long as rules are evaluated as often as agents are scraped, or oftener:
#   {RAW}
"
    )
}

/// Which instances cannot be told from others.
const AMBIGUOUS: &str = "instance:tierprobe_ambiguous:info";

/// Who is what: the tier, and the label to group by where it is another one of the agent's.
fn identity(by: &str, on: &str) -> String {
    let own = IDENTITY.first().map_or_else(String::new, |(_, labels)| labels.join(", "));
    // The confidence has no labels but the target's, should one of these be called as one of the agent's.
    let ambiguous = format!(
        "count by ({on}) (count without (tier, {own}) (tierprobe_tier_info)) > 1 or count by ({on}) (tierprobe_tier_confidence_ratio) > 1"
    );
    let mut text = format!(
        "      # Whoever shares these labels with another instance would get the tier of either.
{}      # Without a stale marker between them, as over some remote stores, an instance has two tiers for five minutes. A
      # plain join would fail then, for the whole fleet: the one that was heard of last is taken.
{}",
        rule(AMBIGUOUS, &ambiguous),
        rule("instance:tierprobe_tier:info", &latest("tierprobe_tier_info", on))
    );
    if let Some(info) = info_of(by) {
        text.push_str(&rule(&identity_of(by), &latest(info, on)));
        text.push_str(&rule(
            &format!("{by}:tierprobe_instances:count"),
            &format!("count by ({by}) ({})", identity_of(by)),
        ));
    } else {
        let count = format!("count by ({by}) (instance:tierprobe_tier:info)");
        text.push_str(&rule(&format!("{by}:tierprobe_instances:count"), &count));
    }
    text
}

/// What an info metric of each instance said last, where it is known whose it is.
fn latest(info: &str, on: &str) -> String {
    format!("topk by ({on}) (1, timestamp({info})) ^ 0 unless on ({on}) {AMBIGUOUS}")
}

/// The metric that joins a label of the agent's; `None` for the tier, which is joined already, and for labels of
/// targets, which are on every series.
fn info_of(by: &str) -> Option<&'static str> {
    IDENTITY.iter().find(|(_, labels)| labels.contains(&by)).map(|(info, _)| *info)
}

fn identity_of(by: &str) -> String {
    format!("instance:tierprobe_{by}:info")
}

/// A family's rules: of each instance, and of each group.
fn pair(family: &Family, statistic: &str, raw: &str, by: &str, on: &str) -> String {
    let instance = format!("instance:{}:{statistic}", family.name);
    let joined = format!("{raw} * on ({on}) group_left (tier) instance:tierprobe_tier:info");
    let grouped = match info_of(by) {
        Some(_) => format!("{instance} * on ({on}) group_left ({by}) {}", identity_of(by)),
        None => instance.clone(),
    };
    let labels: Vec<&str> = std::iter::once(by).chain(family.labels.iter().map(String::as_str)).collect();
    let median = format!("quantile by ({}) (0.5, {grouped})", labels.join(", "));
    rule(&instance, &joined) + &rule(&format!("{by}:{}:{statistic}", family.name), &median)
}

fn rule(record: &str, expression: &str) -> String {
    format!("      - record: {record}\n        expr: {expression}\n")
}

/// As Prometheus writes spans of time.
fn duration(span: Duration) -> String {
    if span.subsec_millis() == 0 { format!("{}s", span.as_secs()) } else { format!("{}ms", span.as_millis()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(by: &str, families: &[&str], statistics: &[Statistic]) -> String {
        let families = families.iter().map(|family| family.parse().unwrap()).collect();
        render(&Options {
            families,
            statistics: statistics.to_vec(),
            by: by.to_owned(),
            on: ON.map(str::to_owned).to_vec(),
            interval: Some(Duration::from_secs(15)),
        })
    }

    #[test]
    fn the_tier_is_joined_once() {
        let text = rules("tier", &["tierprobe_syscall_seconds"], &[Statistic::P50]);
        assert_eq!(
            text.matches("timestamp(tierprobe_tier_info)").count()
                + text.matches("group_left (tier) tierprobe_tier_info").count(),
            1
        );
        assert!(text.contains("    interval: 15s\n"), "{text}");
        assert!(
            text.contains(
                "expr: quantile by (tier, syscall) (0.5, instance:tierprobe_syscall_seconds:p50)\n"
            )
        );
    }

    #[test]
    fn a_label_of_the_agent_is_joined_and_one_of_the_target_is_there() {
        let seccomp = rules("seccomp", &["tierprobe_memory_upkeep_bytes"], &[Statistic::P50]);
        assert!(seccomp.contains("group_left (seccomp) instance:tierprobe_seccomp:info"), "{seccomp}");
        assert!(seccomp.contains("record: seccomp:tierprobe_memory_upkeep_bytes:value"), "{seccomp}");
        let rack = rules("rack", &["tierprobe_memory_upkeep_bytes"], &[Statistic::P50]);
        assert!(
            rack.contains("quantile by (rack) (0.5, instance:tierprobe_memory_upkeep_bytes:value)"),
            "{rack}"
        );
    }

    #[test]
    fn ends_of_a_round_are_found_however_they_are_written() {
        let text = rules("tier", &["tierprobe_syscall_seconds"], &[Statistic::Max]);
        assert!(
            text.contains("max without (quantile) (tierprobe_syscall_round_seconds{quantile=~\"1|1.0\"})"),
            "{text}"
        );
    }
}
