//! `tierprobe-collector rules`: what is shipped is what it writes, and what it writes passes promtool.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

use std::path::Path;
use std::time::Duration;

use tierprobe_agent::probe::PROBES;
use tierprobe_collector::observation::Statistic;
use tierprobe_collector::rules::{self, Family, Options};
use tierprobe_model::Kind;
use tierprobe_tests::need::need;
use tierprobe_tests::prometheus::promtool;
use tierprobe_tests::repository;

const SHIPPED: &str = "dashboards/rules.yml";

fn options(families: Vec<Family>) -> Options {
    Options {
        families,
        statistics: vec![Statistic::P50, Statistic::P99],
        by: "tier".to_owned(),
        on: rules::ON.map(str::to_owned).to_vec(),
        interval: None,
    }
}

/// Writes rules and their unit tests into a folder, and lets promtool run these.
fn passes(promtool_at: &Path, rules: &str, tests: &str) {
    let folder = tempfile::tempdir().unwrap();
    let [rules_at, tests_at] = ["rules.yml", "tests.yml"].map(|name| folder.path().join(name));
    std::fs::write(&rules_at, rules).unwrap();
    std::fs::write(&tests_at, tests).unwrap();
    promtool(promtool_at, &["check", "rules", rules_at.to_str().unwrap()], "").unwrap();
    promtool(promtool_at, &["test", "rules", tests_at.to_str().unwrap()], "")
        .unwrap_or_else(|error| panic!("{error}\n{rules}"));
}

#[test]
fn what_is_shipped_is_what_the_command_writes() {
    let written = rules::render(&options(Family::durations()));
    if std::env::var_os("TIERPROBE_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(repository(SHIPPED), &written).unwrap();
    }
    let shipped = std::fs::read_to_string(repository(SHIPPED)).unwrap();
    assert!(
        shipped == written,
        "{SHIPPED} is not what `tierprobe-collector rules` writes: run `make golden`"
    );
}

#[test]
fn every_family_of_a_probe_is_known_as_the_agent_has_it() {
    for family in PROBES.iter().flat_map(|spec| spec.families) {
        let known: Result<Family, String> = family.name.parse();
        let rounds = (family.kind == Kind::Duration).then(|| family.round_name());
        if matches!(family.kind, Kind::Duration | Kind::Gauge) {
            let known = known.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((known.name.as_str(), known.rounds), (family.name, rounds));
            assert_eq!(known.labels, family.labels, "{}", family.name);
        } else {
            assert!(known.is_err(), "{} has no value to record", family.name);
        }
    }
}

#[test]
fn what_is_recorded_is_the_sample_itself_with_the_tier() {
    let Some(promtool_at) = need("promtool") else { return };
    let families = ["tierprobe_memory_upkeep_bytes", "tierprobe_new_round_seconds{side}"];
    let families = families.map(|family| family.parse().unwrap()).to_vec();
    let written = rules::render(&Options {
        statistics: vec![Statistic::P50, Statistic::Max, Statistic::of_quantile("0.999").unwrap()],
        interval: Some(Duration::from_secs(15)),
        ..options(families)
    });
    // 0.1 + 0.2 has all its digits: a join that rounds would show.
    let tests = r#"
rule_files: [rules.yml]
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series:
      - series: tierprobe_tier_info{job="j", instance="a", rack="r1", tier="vm"}
        values: 1x4
      - series: tierprobe_memory_upkeep_bytes{job="j", instance="a", rack="r1"}
        values: 157286400x4
      - series: tierprobe_new_round_seconds{job="j", instance="a", rack="r1", side="left", quantile="0.5"}
        values: 0.30000000000000004x4
      - series: tierprobe_new_round_seconds{job="j", instance="a", rack="r1", side="left", quantile="1.0"}
        values: 9x4
      - series: tierprobe_new_round_seconds{job="j", instance="a", rack="r1", side="left", quantile="0.9"}
        values: 5x4
      - series: tierprobe_new_round_seconds{job="j", instance="a", rack="r1", side="left", quantile="0.999"}
        values: 8x4
    promql_expr_test:
      - expr: instance:tierprobe_new_seconds:p50
        eval_time: 1m
        exp_samples:
          - labels: instance:tierprobe_new_seconds:p50{job="j", instance="a", rack="r1", side="left", quantile="0.5", tier="vm"}
            value: 0.30000000000000004
      - expr: instance:tierprobe_new_seconds:max
        eval_time: 1m
        exp_samples:
          - labels: instance:tierprobe_new_seconds:max{job="j", instance="a", rack="r1", side="left", tier="vm"}
            value: 9
      - expr: tier:tierprobe_new_seconds:p99_9
        eval_time: 1m
        exp_samples:
          - labels: tier:tierprobe_new_seconds:p99_9{side="left", tier="vm"}
            value: 8
      - expr: tier:tierprobe_new_seconds:max
        eval_time: 1m
        exp_samples:
          - labels: tier:tierprobe_new_seconds:max{side="left", tier="vm"}
            value: 9
      - expr: instance:tierprobe_memory_upkeep_bytes:value
        eval_time: 1m
        exp_samples:
          - labels: instance:tierprobe_memory_upkeep_bytes:value{job="j", instance="a", rack="r1", tier="vm"}
            value: 157286400
"#;
    passes(&promtool_at, &written, tests);
}

#[test]
fn everything_can_be_recorded_at_every_quantile_that_agents_publish() {
    let Some(promtool_at) = need("promtool") else { return };
    let written =
        rules::render(&Options { statistics: Statistic::OF_DURATIONS.to_vec(), ..options(Family::all()) });
    let folder = tempfile::tempdir().unwrap();
    let rules_at = folder.path().join("rules.yml");
    std::fs::write(&rules_at, &written).unwrap();
    promtool(&promtool_at, &["check", "rules", rules_at.to_str().unwrap()], "").unwrap();
    for record in
        ["syscall_seconds:min", "syscall_seconds:max", "memory_upkeep_bytes:value", "cpu_gaps:value"]
    {
        assert!(written.contains(&format!("record: instance:tierprobe_{record}\n")), "no {record}");
    }
}

#[test]
fn groups_can_be_made_by_any_label() {
    let Some(promtool_at) = need("promtool") else { return };
    let by = |label: &str| {
        let families = vec!["tierprobe_syscall_seconds".parse().unwrap()];
        let statistics = vec![Statistic::P50];
        rules::render(&Options { by: label.to_owned(), statistics, ..options(families) })
    };
    let tests = |label: &str, value: &str| {
        format!(
            r#"
rule_files: [rules.yml]
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series:
      - series: tierprobe_tier_info{{job="j", instance="a", rack="r1", tier="vm"}}
        values: 1x4
      - series: tierprobe_tier_info{{job="j", instance="b", rack="r1", tier="container"}}
        values: 1x4
      - series: tierprobe_isolation_info{{job="j", instance="a", rack="r1", seccomp="none"}}
        values: 1x4
      - series: tierprobe_isolation_info{{job="j", instance="b", rack="r1", seccomp="none"}}
        values: 1x4
      - series: tierprobe_syscall_round_seconds{{job="j", instance="a", rack="r1", syscall="getppid", quantile="0.5"}}
        values: 1x4
      - series: tierprobe_syscall_round_seconds{{job="j", instance="b", rack="r1", syscall="getppid", quantile="0.5"}}
        values: 3x4
    promql_expr_test:
      - expr: {label}:tierprobe_syscall_seconds:p50
        eval_time: 1m
        exp_samples:
          - labels: {label}:tierprobe_syscall_seconds:p50{{{label}="{value}", syscall="getppid"}}
            value: 2
      - expr: {label}:tierprobe_instances:count
        eval_time: 1m
        exp_samples:
          - labels: {label}:tierprobe_instances:count{{{label}="{value}"}}
            value: 2
"#
        )
    };
    passes(&promtool_at, &by("seccomp"), &tests("seccomp", "none"));
    passes(&promtool_at, &by("rack"), &tests("rack", "r1"));
}

/// Two clusters in one store, of which each has a 10.0.0.5, and one instance that the other cluster has not.
const CLUSTERS: &str = r#"
rule_files: [rules.yml]
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series:
      - series: tierprobe_tier_info{job="j", instance="10.0.0.5", cluster="eu", tier="vm", vmm="qemu"}
        values: 1x8
      - series: tierprobe_tier_info{job="j", instance="10.0.0.5", cluster="us", tier="container", vmm=""}
        values: 1x8
      - series: tierprobe_tier_info{job="j", instance="10.0.0.6", cluster="us", tier="container", vmm=""}
        values: 1x8
      - series: tierprobe_isolation_info{job="j", instance="10.0.0.5", cluster="eu", seccomp="none"}
        values: 1x8
      - series: tierprobe_isolation_info{job="j", instance="10.0.0.5", cluster="us", seccomp="filter"}
        values: 1x8
      - series: tierprobe_isolation_info{job="j", instance="10.0.0.6", cluster="us", seccomp="filter"}
        values: 1x8
      - series: tierprobe_syscall_round_seconds{job="j", instance="10.0.0.5", cluster="eu", syscall="read", quantile="0.5"}
        values: 1x8
      - series: tierprobe_syscall_round_seconds{job="j", instance="10.0.0.5", cluster="us", syscall="read", quantile="0.5"}
        values: 3x8
      - series: tierprobe_syscall_round_seconds{job="j", instance="10.0.0.6", cluster="us", syscall="read", quantile="0.5"}
        values: 5x8
    promql_expr_test:
"#;

/// Rules for one duration, of instances that these labels tell apart.
fn rules_on(on: &[&str], by: &str) -> String {
    rules::render(&Options {
        statistics: vec![Statistic::P50],
        on: on.iter().map(|label| (*label).to_owned()).collect(),
        by: by.to_owned(),
        ..options(vec!["tierprobe_syscall_seconds".parse().unwrap()])
    })
}

#[test]
fn instances_that_cannot_be_told_apart_are_left_out_and_counted() {
    let Some(promtool_at) = need("promtool") else { return };
    let expected = r#"
      - expr: instance:tierprobe_ambiguous:info
        eval_time: 1m
        exp_samples:
          - labels: instance:tierprobe_ambiguous:info{job="j", instance="10.0.0.5"}
            value: 2
      - expr: instance:tierprobe_syscall_seconds:p50
        eval_time: 1m
        exp_samples:
          - labels: instance:tierprobe_syscall_seconds:p50{job="j", instance="10.0.0.6", cluster="us", syscall="read", quantile="0.5", tier="container"}
            value: 5
"#;
    passes(&promtool_at, &rules_on(&rules::ON, "tier"), &format!("{CLUSTERS}{expected}"));
    let of_filters = r#"
      - expr: seccomp:tierprobe_syscall_seconds:p50
        eval_time: 1m
        exp_samples:
          - labels: seccomp:tierprobe_syscall_seconds:p50{seccomp="filter", syscall="read"}
            value: 5
"#;
    passes(&promtool_at, &rules_on(&rules::ON, "seccomp"), &format!("{CLUSTERS}{of_filters}"));
}

#[test]
fn a_label_of_the_targets_may_tell_instances_apart() {
    let Some(promtool_at) = need("promtool") else { return };
    let expected = r#"
      - expr: instance:tierprobe_ambiguous:info
        eval_time: 1m
        exp_samples: []
      - expr: instance:tierprobe_syscall_seconds:p50
        eval_time: 1m
        exp_samples:
          - labels: instance:tierprobe_syscall_seconds:p50{job="j", instance="10.0.0.5", cluster="eu", syscall="read", quantile="0.5", tier="vm"}
            value: 1
          - labels: instance:tierprobe_syscall_seconds:p50{job="j", instance="10.0.0.5", cluster="us", syscall="read", quantile="0.5", tier="container"}
            value: 3
          - labels: instance:tierprobe_syscall_seconds:p50{job="j", instance="10.0.0.6", cluster="us", syscall="read", quantile="0.5", tier="container"}
            value: 5
      - expr: tier:tierprobe_syscall_seconds:p50
        eval_time: 1m
        exp_samples:
          - labels: tier:tierprobe_syscall_seconds:p50{tier="vm", syscall="read"}
            value: 1
          - labels: tier:tierprobe_syscall_seconds:p50{tier="container", syscall="read"}
            value: 4
"#;
    let on = ["job", "instance", "cluster"];
    passes(&promtool_at, &rules_on(&on, "tier"), &format!("{CLUSTERS}{expected}"));
    let of_filters = r#"
      - expr: seccomp:tierprobe_instances:count
        eval_time: 1m
        exp_samples:
          - labels: seccomp:tierprobe_instances:count{seccomp="none"}
            value: 1
          - labels: seccomp:tierprobe_instances:count{seccomp="filter"}
            value: 2
"#;
    passes(&promtool_at, &rules_on(&on, "seccomp"), &format!("{CLUSTERS}{of_filters}"));
}

#[test]
fn a_label_called_as_one_of_the_agents_tells_no_less() {
    let Some(promtool_at) = need("promtool") else { return };
    // Only the target's label `cloud` tells these two apart; the agent's own is renamed.
    let tests = r#"
rule_files: [rules.yml]
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series:
      - series: tierprobe_tier_info{job="j", instance="a", cloud="left", exported_cloud="aws", tier="vm"}
        values: 1x8
      - series: tierprobe_tier_info{job="j", instance="a", cloud="right", exported_cloud="aws", tier="vm"}
        values: 1x8
      - series: tierprobe_tier_confidence_ratio{job="j", instance="a", cloud="left"}
        values: 0.9x8
      - series: tierprobe_tier_confidence_ratio{job="j", instance="a", cloud="right"}
        values: 0.9x8
    promql_expr_test:
      - expr: instance:tierprobe_tier:info
        eval_time: 1m
        exp_samples: []
"#;
    passes(&promtool_at, &rules_on(&rules::ON, "tier"), tests);
}
