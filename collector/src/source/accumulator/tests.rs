//! What of scrapes is taken in, and whose it is.

use super::*;
use crate::error::WrongType;

fn scrape(timestamp: f64, disturbed: u8, getppid: &str) -> String {
    format!(
        "# TYPE tierprobe_tier_info gauge\n\
         tierprobe_tier_info{{tier=\"vm\",hypervisor=\"kvm\",vmm=\"\"}} 1\n\
         # TYPE tierprobe_tier_confidence_ratio gauge\n\
         tierprobe_tier_confidence_ratio 0.97\n\
         # TYPE tierprobe_probe_resolution_seconds gauge\n\
         tierprobe_probe_resolution_seconds{{probe=\"syscall\"}} 1e-11\n\
         # TYPE tierprobe_probe_last_round_timestamp_seconds gauge\n\
         tierprobe_probe_last_round_timestamp_seconds{{probe=\"syscall\"}} {timestamp}\n\
         # TYPE tierprobe_probe_last_round_disturbed gauge\n\
         tierprobe_probe_last_round_disturbed{{probe=\"syscall\"}} {disturbed}\n\
         # TYPE tierprobe_syscall_seconds histogram\n\
         tierprobe_syscall_seconds_bucket{{syscall=\"getppid\",le=\"+Inf\"}} 3\n\
         tierprobe_syscall_seconds_sum{{syscall=\"getppid\"}} 3\n\
         tierprobe_syscall_seconds_count{{syscall=\"getppid\"}} 3\n\
         # HELP tierprobe_syscall_round_seconds Time of one system call.\n\
         # TYPE tierprobe_syscall_round_seconds summary\n\
         tierprobe_syscall_round_seconds{{syscall=\"getppid\",quantile=\"0.5\"}} {getppid}\n\
         tierprobe_syscall_round_seconds_sum{{syscall=\"getppid\"}} 3\n\
         tierprobe_syscall_round_seconds_count{{syscall=\"getppid\"}} 3\n\
         # TYPE tierprobe_syscall_cold_seconds gauge\n\
         tierprobe_syscall_cold_seconds{{syscall=\"getppid\"}} 2e-6\n\
         # TYPE process_resident_memory_bytes gauge\n\
         process_resident_memory_bytes 1e6\n"
    )
}

fn taken(scrapes: &[String]) -> Collected {
    let mut accumulator = Accumulator::new("http://h:1/metrics", "h:1");
    for scrape in scrapes {
        accumulator.take(scrape).unwrap();
    }
    accumulator.finish()
}

#[test]
fn a_round_counts_once_however_often_it_is_scraped() {
    let collected = taken(&[scrape(100.0, 0, "1e-7"), scrape(100.0, 0, "1e-7"), scrape(115.0, 1, "2e-7")]);
    let p50: Vec<_> = collected.observations.iter().filter(|one| one.statistic == Statistic::P50).collect();
    assert_eq!(p50.len(), 2);
    assert_eq!(p50[0].family, "tierprobe_syscall_seconds");
    assert_eq!(p50[0].labels, Labels::from([("syscall".into(), "getppid".into())]));
    assert_eq!((p50[0].value, p50[0].disturbed), (1e-7, false));
    assert_eq!((p50[1].value, p50[1].disturbed), (2e-7, true));
    let families: Vec<_> = collected.observations.iter().map(|one| one.family.as_str()).collect();
    assert!(families.contains(&"tierprobe_syscall_cold_seconds"), "{families:?}");
    assert!(!families.iter().any(|family| family.contains("process") || family.contains("probe_probe")));
    assert_eq!(collected.help["tierprobe_syscall_seconds"], "Time of one system call.");
}

#[test]
fn identity_comes_from_the_info_metrics() {
    let collected = taken(&[scrape(100.0, 0, "1e-7")]);
    assert_eq!(collected.instance.labels["tier"], "vm");
    assert!(!collected.instance.labels.contains_key("vmm"));
    assert_eq!(collected.instance.tier_confidence, Some(0.97));
    assert_eq!(collected.instance.resolution_seconds.get("syscall"), Some(&1e-11));
}

/// A scrape of a target that says this of itself.
fn of(identity: &str, timestamp: f64) -> String {
    scrape(timestamp, 0, "1e-7").replace("tier=\"vm\",hypervisor=\"kvm\"", identity)
}

#[test]
fn what_it_says_no_more_of_itself_is_gone() {
    let (guest, metal) = ("tier=\"vm\",hypervisor=\"tcg\"", "tier=\"bare_metal\"");
    let collected =
        taken(&[of(guest, 100.0), of(metal, 115.0).replace("probe=\"syscall\"} 1e-11", "probe=\"cpu\"} 1")]);
    assert_eq!(collected.instance.labels, Labels::from([("tier".into(), "bare_metal".into())]));
    assert!(collected.instance.resolution_seconds.keys().eq(["cpu"]), "{collected:?}");
}

#[test]
fn a_target_that_became_another_counts_as_what_it_is_now() {
    let (one, two) = ("tier=\"vm\",boot_id=\"1\"", "tier=\"vm\",boot_id=\"2\"");
    let times = |collected: &Collected| {
        let p50 = collected.observations.iter().filter(|one| one.statistic == Statistic::P50);
        p50.map(|one| one.timestamp).collect::<Vec<_>>()
    };
    // Another machine's clock may be behind.
    let collected = taken(&[of(one, 100.0), of(one, 115.0), of(two, 90.0), of(two, 105.0), of(two, 120.0)]);
    assert_eq!(times(&collected), [90.0, 105.0, 120.0]);
    assert_eq!(collected.instance.labels["boot_id"], "2");
    assert_eq!(collected.discarded.clock_resets, 0);
    let [left_out] = collected.left_out.as_slice() else { panic!("{collected:?}") };
    assert!(left_out.contains("2 rounds") && left_out.contains("(boot_id)"), "{left_out}");
    // Who comes back is the same again, and who has had no round yet is nobody.
    let three = "tier=\"vm\",boot_id=\"3\"";
    let back = taken(&[of(one, 100.0), of(two, 90.0), of(one, 115.0), of(three, 0.0)]);
    assert_eq!(times(&back), [100.0, 115.0]);
    assert!(back.left_out.len() == 1 && back.left_out[0].contains("1 round "), "{back:?}");
}

#[test]
fn labels_that_were_given_hold_whatever_it_says() {
    let mut accumulator = Accumulator::new("s", "i")
        .labelled(&Labels::from([("tier".into(), "mine".into()), ("instance".into(), "x".into())]));
    for at in [100.0, 115.0] {
        accumulator.take(&of(&format!("tier=\"{at}\""), at)).unwrap();
    }
    let collected = accumulator.finish();
    assert_eq!(collected.instance.labels, Labels::from([("tier".into(), "mine".into())]));
    assert_eq!((collected.left_out.len(), collected.instance.name.as_str()), (0, "i"));
}

#[test]
fn a_target_that_is_another_in_each_scrape_is_bounded() {
    let scrapes: Vec<String> =
        (0..100_u8).map(|n| of(&format!("tier=\"{n}\""), f64::from(n) + 1.0)).collect();
    let mut accumulator = Accumulator::new("s", "i");
    for scrape in &scrapes {
        accumulator.take(scrape).unwrap();
    }
    assert_eq!(accumulator.earlier.len(), MOST_EARLIER);
    let left_out = accumulator.finish().left_out;
    assert!(left_out.len() == MOST_EARLIER + 1 && left_out[0].starts_with("91 rounds"), "{left_out:?}");
}

#[test]
fn what_is_no_number_is_dropped_and_counted() {
    let collected = taken(&[scrape(100.0, 0, "NaN"), scrape(115.0, 0, "+Inf")]);
    assert_eq!(collected.discarded.not_finite, 2);
    assert!(collected.observations.iter().all(|one| one.statistic == Statistic::Value));
}

#[test]
fn a_clock_that_is_set_back_costs_one_round() {
    let rounds = [100.0, 115.0, 50.0, 65.0].map(|at| scrape(at, 0, "1e-7"));
    let collected = taken(&rounds);
    assert_eq!(collected.discarded.clock_resets, 1);
    let times: Vec<f64> = collected
        .observations
        .iter()
        .filter(|one| one.statistic == Statistic::P50)
        .map(|one| one.timestamp)
        .collect();
    assert_eq!(times, [65.0, 100.0, 115.0]);
}

#[test]
fn what_is_not_an_agent_is_refused() {
    let mut accumulator = Accumulator::new("s", "i");
    assert_eq!(accumulator.take("node_load1 3\n"), Err(TakeError::NotAnAgent));
    assert_eq!(accumulator.take(""), Err(TakeError::NotAnAgent));
    assert!(matches!(accumulator.take("<html>\n"), Err(TakeError::Exposition(_))));
    assert_eq!(accumulator.finish().observations, []);
}

#[test]
fn what_is_of_another_type_is_refused_by_name() {
    let text = scrape(100.0, 0, "1e-7");
    for (family, expected) in [
        ("tierprobe_tier_info", "gauge"),
        ("tierprobe_tier_confidence_ratio", "gauge"),
        ("tierprobe_probe_resolution_seconds", "gauge"),
        ("tierprobe_probe_last_round_timestamp_seconds", "gauge"),
        ("tierprobe_probe_last_round_disturbed", "gauge"),
        ("tierprobe_syscall_round_seconds", "summary"),
    ] {
        let typed = |kind: &str| {
            text.replace(&format!("# TYPE {family} {expected}"), &format!("# TYPE {family} {kind}"))
        };
        let wrong = if expected == "gauge" { ["counter", "counter"] } else { ["gauge", "counter"] };
        for is in wrong {
            let mut accumulator = Accumulator::new("s", "i");
            let error = accumulator.take(&typed(is)).unwrap_err();
            assert_eq!(error, TakeError::WrongType(WrongType { family: family.to_owned(), is, expected }));
            assert!(error.to_string().contains(&format!("{family} is of the type {is}")), "{error}");
            assert_eq!(accumulator.finish().observations, []);
        }
        // Where types were lost, names and quantiles say enough.
        let known = taken(std::slice::from_ref(&text)).observations;
        assert_eq!(taken(&[typed("untyped")]).observations, known, "{family}");
        let without = text.replace(&format!("# TYPE {family} {expected}\n"), "");
        assert_eq!(taken(&[without]).observations, known, "{family}");
    }
}

#[test]
fn open_metrics_says_the_same() {
    let text = scrape(100.0, 0, "1e-7")
        .replace("# TYPE tierprobe_tier_info gauge", "# TYPE tierprobe_tier info")
        .replace("quantile=\"0.5\"", "quantile=\"0.50\"");
    let (plain, open) = (taken(&[scrape(100.0, 0, "1e-7")]), taken(&[text + "# EOF\n"]));
    assert_eq!(plain, open);
}

#[test]
fn what_is_not_asked_for_is_not_kept() {
    let quantile = |label: &str| format!("tierprobe_syscall_round_seconds{{quantile=\"{label}\"}} 1e-7\n");
    let text = format!(
        "# TYPE tierprobe_probe_last_round_timestamp_seconds gauge\n\
         tierprobe_probe_last_round_timestamp_seconds{{probe=\"syscall\"}} 100\n\
         # TYPE tierprobe_syscall_round_seconds summary\n{}{}{}\
         # TYPE tierprobe_syscall_cold_seconds gauge\n\
         tierprobe_syscall_cold_seconds 2e-6\n",
        quantile("0.5"),
        quantile("0.95"),
        quantile("1")
    );
    let kept = |accumulator: Accumulator| -> Vec<String> {
        let mut accumulator = accumulator;
        accumulator.take(&text).unwrap();
        let collected = accumulator.finish();
        collected.observations.iter().map(|one| one.statistic.to_string()).collect()
    };
    assert_eq!(kept(Accumulator::new("s", "i")), ["p50", "p95", "max", "value"]);
    let p95 = Statistic::of_quantile("0.95").unwrap();
    assert_eq!(kept(Accumulator::new("s", "i").keeping(p95)), ["p95", "value"]);
    // That what was measured was not asked for is no reason to measure longer.
    let measured = |text: &str| {
        let p94 = Statistic::of_quantile("0.94").unwrap();
        let mut accumulator = Accumulator::new("s", "i").keeping(p94);
        accumulator.take(text).unwrap();
        accumulator.measured()
    };
    let durations = text.split("# TYPE tierprobe_syscall_cold").next().unwrap();
    assert!(measured(durations).is_ok_and(|packed| packed.is_empty()));
    let timestamp_alone = durations.split("# TYPE tierprobe_syscall").next().unwrap();
    assert!(matches!(measured(timestamp_alone), Err(SourceError::NoRounds)));
}

#[test]
fn accumulators_that_share_a_vocabulary_agree_on_places() {
    let vocabulary = Vocabulary::default();
    let packed = |text: &str| {
        let mut accumulator = Accumulator::new("s", "i").sharing(&vocabulary);
        accumulator.take(text).unwrap();
        accumulator.pack()
    };
    let (a, b) = (packed(&scrape(100.0, 0, "1e-7")), packed(&scrape(100.0, 0, "1e-7")));
    assert_eq!(a.unpack(), b.unpack());
}

#[test]
fn a_scrape_that_breaks_off_leaves_nothing() {
    let mut accumulator = Accumulator::new("s", "i");
    let text = scrape(100.0, 0, "1e-7");
    assert!(accumulator.take(&text[..text.len() - 1]).is_err());
    assert_eq!((accumulator.rounds(), accumulator.clone().finish().instance.labels.len()), (0, 0));
    assert_eq!(accumulator.take(&text), Ok(1));
}
