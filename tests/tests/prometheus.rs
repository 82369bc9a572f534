//! The real agent, scraped by a real Prometheus with the configuration and the rules that are shipped.

use tierprobe_tests::agent::{self, Agent};
use tierprobe_tests::need::need;
use tierprobe_tests::prometheus::{Prometheus, promtool};

/// Rounds as often as scrapes, so that a test need not wait for 15 s.
const OFTEN: &[&str] = &["--probe.interval=1s", "--probe.budget=0.5", "--probe.pressure=1"];

/// How many system calls the agent measures.
fn calls(agent: &Agent) -> usize {
    let metrics = agent.metrics();
    let calls = metrics.lines().filter(|line| line.starts_with("tierprobe_syscall_seconds_count")).count();
    assert!(calls >= 5, "{metrics}");
    calls
}

#[test]
fn prometheus_reads_what_the_agent_measures() {
    let Some(program) = need("prometheus") else { return };
    let agent = Agent::start(OFTEN);
    let address = agent.address().to_owned();
    let agents = [agent];
    let mut prometheus = Prometheus::start(&program, &agents);

    let up = prometheus.wait_for_samples("up == 1");
    assert_eq!(up.len(), 1);
    assert_eq!(up[0].label("instance"), address);

    let detection: serde_json::Value =
        serde_json::from_str(&agent::output(&["detect", "--format", "json"])).unwrap();
    let info = prometheus.wait_for_samples("tierprobe_tier_info");
    assert_eq!(info.len(), 1, "{info:?}");
    assert_eq!(info[0].label("tier"), detection["tier"].as_str().unwrap());
    assert_eq!(info[0].label("kernel"), detection["kernel"].as_str().unwrap());

    let quantiles = prometheus.wait_for_samples("tierprobe_syscall_round_seconds{syscall=\"getppid\"}");
    let mut ranks: Vec<&str> = quantiles.iter().map(|sample| sample.label("quantile")).collect();
    ranks.sort_unstable();
    assert_eq!(ranks, ["0", "0.5", "0.9", "0.99", "1"]);
    assert!(quantiles.iter().all(|sample| sample.value > 0.0 && sample.value < 1e-3), "{quantiles:?}");

    // A histogram and a summary of the same samples: the median is in the bucket where half of them are.
    let buckets = prometheus
        .wait_for_samples("histogram_quantile(0.5, tierprobe_syscall_seconds_bucket{syscall=\"getppid\"})");
    assert_eq!(buckets.len(), 1, "{buckets:?}");
    let median = quantiles.iter().find(|sample| sample.label("quantile") == "0.5").unwrap().value;
    let factor = buckets[0].value / median;
    assert!((0.2..5.0).contains(&factor), "{median} by the summary, {} by the histogram", buckets[0].value);

    let counts = "tierprobe_syscall_seconds_count == tierprobe_syscall_round_seconds_count";
    assert_eq!(prometheus.wait_for_samples(counts).len(), calls(&agents[0]));
    prometheus.wait_for_samples("rate(tierprobe_syscall_seconds_count[5s]) > 0");
}

#[test]
fn the_rules_record_each_tier_of_a_live_agent() {
    let Some(program) = need("prometheus") else { return };
    let agents = [Agent::start(OFTEN)];
    let mut prometheus = Prometheus::start(&program, &agents);
    let tier = prometheus.wait_for_samples("tierprobe_tier_info")[0].label("tier").to_owned();

    for statistic in ["p50", "p99"] {
        let recorded = prometheus.wait_for_samples(&format!("tier:tierprobe_syscall_seconds:{statistic}"));
        assert_eq!(recorded.len(), calls(&agents[0]), "one series a system call: {recorded:?}");
        assert!(recorded.iter().all(|sample| sample.label("tier") == tier), "{recorded:?}");
        prometheus
            .wait_for_samples(&format!("instance:tierprobe_syscall_seconds:{statistic}{{tier={tier:?}}}"));
    }
    let count = prometheus.wait_for_samples("tier:tierprobe_instances:count");
    assert_eq!(count.len(), 1);
    assert!((count[0].value - 1.0).abs() < 1e-9, "{count:?}");
}

#[test]
fn promtool_finds_no_fault_with_the_metrics() {
    let Some(program) = need("promtool") else { return };
    let agent = Agent::start(OFTEN);
    promtool(&program, &["check", "metrics"], &agent.metrics()).unwrap();
}
