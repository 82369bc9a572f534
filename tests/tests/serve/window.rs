//! Windows that were observed in part only.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tierprobe_tests::collector::Collector;
use tierprobe_tests::fake::{Fleet, now};

const WINDOW: f64 = 10.0;

/// Waits until so many seconds of a window are over.
fn wait_for_phase(wanted: std::ops::Range<f64>) {
    while !wanted.contains(&now().rem_euclid(WINDOW)) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn comparison(collector: &mut Collector, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let text = collector.wait_for("/api/v1/comparison", what, |text| {
        serde_json::from_str(text).is_ok_and(|document| wanted(&document))
    });
    serde_json::from_str(&text).unwrap()
}

/// Compares windows of ten seconds of the whole fleet.
fn serving(storage: &Path, fleet: &Fleet) -> Collector {
    let urls: Vec<String> = (0..8).map(|host| fleet.url(host)).collect();
    let mut flags = vec!["--scrape-interval=200ms", "--window=10s"];
    flags.extend(urls.iter().map(String::as_str));
    Collector::start(storage, &flags)
}

#[test]
fn a_window_that_began_before_the_start_has_numbers_and_no_verdict_and_the_next_one_has() {
    let (fleet, folder) = (Fleet::start(Duration::from_millis(200)), tempfile::tempdir().unwrap());
    // More than a fifth of it is missing then, and the rest is enough for ten rounds.
    wait_for_phase(3.0..4.0);
    let mut collector = serving(folder.path(), &fleet);

    let first = comparison(&mut collector, "the first window", |_| true);
    let window = &first["window"];
    assert_eq!(
        (first["live"].as_bool(), window["complete"].as_bool()),
        (Some(false), Some(false)),
        "{window}"
    );
    let of = |name: &str| window[name].as_f64().unwrap();
    let observed = |name: &str| window["observed"][name].as_f64().unwrap();
    assert!(observed("from") > of("from") + 2.0 && observed("until") <= of("until"), "{window}");
    assert!(of("longest_gap_seconds") > 2.0, "{window}");
    let row = &first["rows"][0];
    assert_eq!(
        (row["verdict"].as_str(), row["reason"].as_str()),
        (Some("inconclusive"), Some("incomplete")),
        "{row}"
    );
    // What there is is shown.
    assert!((1.2..1.3).contains(&row["ratio"].as_f64().unwrap()) && row["ratio_low"].is_number(), "{row}");
    let warnings = first["warnings"].to_string();
    assert!(warnings.contains("of the window at one go") && warnings.contains("no verdict"), "{warnings}");
    collector
        .wait_for("/metrics", "the mark", |text| text.contains("tierprobe_comparison_window_complete 0\n"));
    let page = collector.wait_for("/", "the page", |page| page.contains("<main"));
    for words in ["id=\"observed\"", "incomplete", "of the window at one go"] {
        assert!(page.contains(words), "no {words:?} in\n{page}");
    }

    let whole =
        comparison(&mut collector, "a whole window", |document| document["window"]["complete"] == true);
    assert_eq!(whole["rows"][0]["verdict"], "slower", "{whole:#}");
    collector.wait_for("/metrics", "a verdict", |text| {
        text.contains("verdict=\"slower\"} 1\n") && text.contains("tierprobe_comparison_window_complete 1\n")
    });
    let page = collector.wait_for("/", "the page", |page| page.contains("slower"));
    assert!(!page.contains("id=\"observed\""), "{page}");
}

#[test]
fn a_short_stop_within_a_window_costs_no_verdict() {
    let (fleet, folder) = (Fleet::start(Duration::from_millis(200)), tempfile::tempdir().unwrap());
    let mut collector = serving(folder.path(), &fleet);
    let first = comparison(&mut collector, "a window", |_| true);
    let until = first["window"]["until"].as_f64().unwrap();
    // Whatever the machine does meanwhile, some stop is a short one.
    for _ in 0..3 {
        drop(collector);
        collector = serving(folder.path(), &fleet);
        let later = comparison(&mut collector, "a later window", |document| {
            document["window"]["until"].as_f64() > Some(until)
        });
        if later["window"]["complete"] == true {
            assert_eq!(later["rows"][0]["verdict"], "slower", "{later:#}");
            return;
        }
    }
    panic!("no stop was short: {}", collector.log());
}
