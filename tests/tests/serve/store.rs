//! What it keeps, whatever ends it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tierprobe_collector::dataset::Span;
use tierprobe_collector::observation::{Instance, Reading, SeriesKey, Statistic, Vocabulary};
use tierprobe_collector::store::read::Query;
use tierprobe_collector::store::{self, FILE, Point, Reader, Scrape, Writer};
use tierprobe_tests::collector::{Collector, command, refused};
use tierprobe_tests::fake::{Fleet, now};
use tierprobe_tests::fleet::Random;
use tierprobe_tests::need::need;

use super::collector;

/// The ends of the rounds of the host at `url` in the store, in milliseconds since the epoch, and how many came twice.
fn kept(store: &Path, url: &str) -> (BTreeSet<u64>, usize) {
    let query = Query {
        span: Span { from: 0.0, until: 1e10 },
        statistic: Statistic::P50,
        filters: &[],
        limit: 10_000_000,
        stale_seconds: 1e9,
    };
    let dataset = Reader::new(&store.join(FILE)).dataset(&query).unwrap();
    let port_and_host = url.split('/').nth(3).unwrap();
    let member = dataset.members().iter().find(|member| member.instance.labels["boot_id"] == port_and_host);
    let ends = member.unwrap().series().flat_map(|(_, readings)| readings.iter().collect::<Vec<_>>());
    (ends.map(|reading| milliseconds(reading.timestamp)).collect(), dataset.discarded().duplicates)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds since the epoch")]
fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}

#[test]
fn a_kill_loses_at_most_the_last_interval() {
    let (fleet, folder) = (Fleet::start(Duration::from_millis(100)), tempfile::tempdir().unwrap());
    let urls: Vec<String> = (0..3).map(|host| fleet.url(host)).collect();
    let mut safe: Vec<BTreeSet<u64>> = vec![BTreeSet::new(); 3];
    for turn in 0..5 {
        let mut collector = collector(folder.path(), &fleet, 3, &[]);
        let begin = now();
        collector.wait_for("/metrics", "a transaction", |text| {
            text.lines().any(|line| {
                let write = line.strip_prefix("tierprobe_collector_store_last_write_timestamp_seconds ");
                write.and_then(|at| at.parse::<f64>().ok()).is_some_and(|at| at > begin + 1.8)
            })
        });
        let write = collector.metric("tierprobe_collector_store_last_write_timestamp_seconds").unwrap();
        let took = collector.metric("tierprobe_collector_store_write_duration_seconds").unwrap();
        // Somewhere in an interval: now and then in the middle of a transaction.
        std::thread::sleep(Duration::from_millis(37 * turn));
        collector.kill();
        for (host, safe) in safe.iter_mut().enumerate() {
            // What was shown well before the transaction began is in it; half a second is for a busy machine.
            let shown = fleet.shown(host);
            let before = shown.iter().filter(|(_, at)| **at > begin && **at < write - took - 0.5);
            safe.extend(before.map(|(round, _)| milliseconds(fleet.end_of(*round))));
        }
    }
    // A last start checks the store, and takes in what is in its log.
    let mut collector = collector(folder.path(), &fleet, 3, &[]);
    collector.wait_until_ready();
    assert_eq!(collector.metric("tierprobe_collector_store_set_aside"), Some(0.0), "{}", collector.log());
    drop(collector);
    for (url, safe) in urls.iter().zip(&safe) {
        let (kept, twice) = kept(folder.path(), url);
        let lost: Vec<&u64> = safe.difference(&kept).collect();
        assert!(lost.is_empty(), "{url}: of {} rounds these are lost: {lost:?}", safe.len());
        assert!(safe.len() > 15, "{url}: only {} rounds were shown", safe.len());
        assert_eq!(twice, 0, "{url}");
    }
    assert_eq!(tierprobe_collector::store::open::check(folder.path()).unwrap(), Vec::<String>::new());
}

#[test]
fn history_outlives_an_orderly_end_and_is_forgotten_in_time() {
    let (fleet, folder) = (Fleet::start(Duration::from_millis(100)), tempfile::tempdir().unwrap());
    let mut first = collector(folder.path(), &fleet, 2, &[]);
    first.wait_for("/api/v1/instances", "rounds of both", |text| text.matches("\"tier\": \"").count() == 4);
    std::thread::sleep(Duration::from_secs(1));
    let shown = fleet.shown(0);
    let end = now();
    drop(first);
    let (kept_then, _) = kept(folder.path(), &fleet.url(0));
    // An orderly end writes what has come in, up to what was under way.
    let settled =
        shown.iter().filter(|(_, at)| **at < end - 0.5).map(|(round, _)| milliseconds(fleet.end_of(*round)));
    let lost: Vec<u64> = settled.filter(|round| !kept_then.contains(round)).collect();
    assert!(lost.is_empty() && kept_then.len() >= 5, "{lost:?} of {kept_then:?}");

    // One target less, and a memory of six seconds.
    let mut second = collector(folder.path(), &fleet, 1, &["--storage.retention.time=6s"]);
    second.wait_for("/api/v1/instances", "the target that was", |text| text.contains("\"up\": null"));
    let oldest =
        |collector: &Collector| collector.metric("tierprobe_collector_store_oldest_timestamp_seconds");
    let before = oldest(&second).unwrap();
    assert!(before < end, "{before}");
    second.wait_for("/metrics", "forgetting", |text| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("tierprobe_collector_store_oldest_timestamp_seconds "));
        line.and_then(|at| at.parse::<f64>().ok()).is_some_and(|at| at > end)
    });
    drop(second);
    let (kept_now, _) = kept(folder.path(), &fleet.url(0));
    assert!(kept_now.is_disjoint(&kept_then) && !kept_now.is_empty());
}

/// The value of a metric without labels in a page of them.
fn metric(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn what_is_too_much_is_forgotten_from_the_oldest_on() {
    const LIMIT: u64 = 1 << 20;
    const SERIES: u32 = 1000;
    let (fleet, folder) = (Fleet::start(Duration::from_millis(200)), tempfile::tempdir().unwrap());
    // An hour of history, up to ten minutes ago, that is a third too much. One turn of forgetting ends with it.
    let begin = now() - 3600.0;
    let vocabulary = Vocabulary::default();
    let mut writer = Writer::new(store::open(folder.path()).unwrap(), vocabulary.clone()).unwrap();
    let instance = Arc::new(Instance {
        name: "history".to_owned(),
        labels: [("tier", "vm"), ("boot_id", "history")]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        ..Instance::default()
    });
    let ids: Vec<_> = (0..SERIES)
        .map(|n| {
            let labels = [("syscall".to_owned(), n.to_string())].into();
            let family = "tierprobe_syscall_seconds".to_owned();
            vocabulary.id(&SeriesKey { family, labels, statistic: Statistic::P50 })
        })
        .collect();
    let mut random = Random::new(1);
    let mut at = begin;
    while writer.size().unwrap().used < LIMIT * 4 / 3 {
        let scrapes: Vec<Scrape> = (0..10)
            .map(|_| {
                at += 7.0;
                let mut point = |series| {
                    let value = 1e-7 * (1.0 + random.uniform());
                    Point { series, reading: Reading { timestamp: at - 0.1, value, disturbed: false } }
                };
                let points = ids.iter().map(|series| point(*series)).collect();
                Scrape { source: "history".into(), instance: Arc::clone(&instance), points, at }
            })
            .collect();
        writer.write(&scrapes).unwrap();
    }
    assert!(at < begin + 3500.0, "{at}");
    drop(writer);

    let mut collector = collector(folder.path(), &fleet, 2, &["--storage.retention.size=1MiB"]);
    collector.wait_for("/metrics", "forgetting", |text| {
        metric(text, "tierprobe_collector_store_forgotten_scrapes_total").is_some_and(|count| count > 0.0)
    });
    let bytes = collector.metric("tierprobe_collector_store_bytes").unwrap();
    // What came in since may have taken a page or two.
    #[expect(clippy::cast_precision_loss, reason = "a MiB")]
    let limit = (LIMIT + (64 << 10)) as f64;
    assert!(bytes <= limit, "{bytes} bytes\n{}", collector.log());
    let oldest = collector.metric("tierprobe_collector_store_oldest_timestamp_seconds").unwrap();
    assert!(oldest > begin + 100.0 && oldest < at, "{oldest}");
    collector
        .wait_for("/api/v1/instances", "rounds of both", |text| text.matches("\"up\": true").count() == 2);
    drop(collector);
    let size = fs::metadata(folder.path().join(FILE)).unwrap().len();
    assert!(size <= LIMIT + (64 << 10), "{size} bytes");
    // The latest of the history is there, whole.
    let query = Query {
        span: Span { from: oldest - 1.0, until: at + 1.0 },
        statistic: Statistic::P50,
        filters: &[],
        limit: 10_000_000,
        stale_seconds: 1e9,
    };
    let dataset = Reader::new(&folder.path().join(FILE)).dataset(&query).unwrap();
    let member = dataset.members().iter().find(|member| member.instance.name == "history").unwrap();
    assert_eq!(member.series().count(), SERIES as usize);
    let ends: BTreeSet<usize> = member.series().map(|(_, readings)| readings.len()).collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
    let last = member.series().filter_map(|(_, readings)| readings.iter().last()).map(|one| one.timestamp);
    assert!(last.fold(0.0, f64::max) > at - 0.5);
    assert!(!kept(folder.path(), &fleet.url(0)).0.is_empty());
}

#[test]
fn a_broken_store_is_named_wherever_somebody_may_look() {
    let (fleet, folder) = (Fleet::start(Duration::from_millis(200)), tempfile::tempdir().unwrap());
    fs::write(folder.path().join(FILE), "no database\n".repeat(1000)).unwrap();
    let mut collector = collector(folder.path(), &fleet, 2, &[]);
    collector.wait_until_ready();
    assert_eq!(collector.metric("tierprobe_collector_store_set_aside"), Some(1.0));
    let name = format!("{FILE}.broken-2");
    assert!(collector.log().contains(&name), "{}", collector.log());
    collector.wait_for("/", "the warning on the page", |text| text.contains(&name));
    collector.wait_for("/api/v1/comparison?window=live", "the warning in the document", |text| {
        text.contains(&name)
    });
}

#[test]
fn a_store_that_cannot_be_used_is_an_error_that_says_so() {
    let (fleet, folder) = (Fleet::start(Duration::from_millis(200)), tempfile::tempdir().unwrap());
    let mut first = collector(folder.path(), &fleet, 1, &[]);
    first.wait_until_ready();
    let url = fleet.url(0);
    let output = refused(folder.path(), &[&url]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("in use by another collector"), "{text}");
    // The first one goes on.
    let rounds = first.metric("tierprobe_collector_rounds_total");
    first.wait_for("/metrics", "more rounds", |_| true);
    assert!(rounds.is_some());
    let occupied = first.address().to_owned();
    let other = tempfile::tempdir().unwrap();
    let mut command = Command::new(tierprobe_tests::binary::collector());
    command.args(["serve", &format!("--web.listen-address={occupied}"), &url]);
    let output = command.arg(format!("--storage.path={}", other.path().display())).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("another collector running there"), "{text}");
}

#[test]
fn a_full_disk_is_said_and_survived() {
    let Some(unshare) = need("unshare") else { return };
    let (fleet, folder) = (Fleet::start(Duration::from_millis(100)), tempfile::tempdir().unwrap());
    let urls: Vec<String> = (0..4).map(|host| fleet.url(host)).collect();
    let mut flags = super::QUICK.to_vec();
    flags.extend(urls.iter().map(String::as_str));
    let inner = command(folder.path(), &flags);
    let mut command = Command::new(unshare);
    // A file system of its own for the store, in a namespace that ends with the collector.
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    command.arg("mount -t tmpfs -o size=400k none \"$0\" && exec \"$@\"").arg(folder.path());
    command.arg(inner.get_program()).args(inner.get_args());
    let mut collector = Collector::start_as(command);
    collector.wait_until_ready();
    collector.wait_for("/metrics", "a full disk", |text| text.contains("tierprobe_collector_store_up 0\n"));
    let document = collector
        .wait_for("/api/v1/comparison?window=live", "the warning", |text| text.contains("disk is full"));
    assert!(document.contains("\"verdict\": \"live\""), "{document}");
    assert!(collector.log().contains("observations cannot be written"), "{}", collector.log());
    collector.wait_for("/-/healthy", "health", |text| text.contains("healthy"));
}
