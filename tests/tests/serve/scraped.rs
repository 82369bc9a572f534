//! A real Prometheus scrapes it.

use std::time::Duration;

use tierprobe_tests::fake::Fleet;
use tierprobe_tests::need::need;
use tierprobe_tests::prometheus::{Prometheus, promtool};

use super::answers::decided;

#[test]
fn a_real_prometheus_has_ratio_bounds_and_verdict_of_what_is_served() {
    let (Some(program), Some(tool)) = (need("prometheus"), need("promtool")) else { return };
    let (fleet, folder) = (Fleet::start(Duration::from_millis(200)), tempfile::tempdir().unwrap());
    let mut collector = decided(&fleet, folder.path());
    let address = collector.address().to_owned();
    let mut prometheus = Prometheus::scraping(&program, std::slice::from_ref(&address));

    let up = prometheus.wait_for_samples("up == 1");
    assert_eq!((up.len(), up[0].label("instance")), (1, address.as_str()), "{up:?}");

    // The last scrape of each, so that all three are of one window.
    let series = "{family=\"tierprobe_syscall_seconds\",label_syscall=\"getppid\",statistic=\"p50\",\
                  tier=\"container\",baseline=\"vm\"}";
    let ratios = prometheus.wait_for_samples(&format!("tierprobe_comparison_ratio{series}"));
    let bound = |name: &str| {
        let found = ratios.iter().find(|sample| sample.label("bound") == name);
        found.unwrap_or_else(|| panic!("no {name} in {ratios:?}")).value
    };
    assert_eq!(ratios.len(), 3, "{ratios:?}");
    let (low, point, high) = (bound("low"), bound("point"), bound("high"));
    // 250 ns against 200 ns, and hosts that differ by some per cent.
    assert!(low < point && point < high && (1.2..1.3).contains(&point), "{low} {point} {high}");

    let verdicts = prometheus.wait_for_samples(&format!("tierprobe_comparison_verdict{series} == 1"));
    let named: Vec<&str> = verdicts.iter().map(|sample| sample.label("verdict")).collect();
    assert_eq!(named, ["slower"], "{verdicts:?}");
    let tags = prometheus.wait_for_samples(&format!("tierprobe_comparison_tag{series}"));
    let named: Vec<&str> = tags.iter().map(|sample| sample.label("tag")).collect();
    assert_eq!(named, ["beyond_threshold"], "{tags:?}");
    prometheus.wait_for_samples(
        "tierprobe_comparison_window_end_timestamp_seconds - tierprobe_comparison_window_begin_timestamp_seconds == 5",
    );
    let scrapes = prometheus.wait_for_samples("tierprobe_collector_targets{state=\"up\"} == 8");
    assert_eq!(scrapes[0].label("instance"), address);

    let text = collector.wait_for("/metrics", "metrics", |text| text.contains("verdict=\"slower\"} 1\n"));
    promtool(&tool, &["check", "metrics"], &text).unwrap();
}
