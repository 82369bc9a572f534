//! Lists of targets that change under it, and being told to look at them now (SIGHUP).

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tierprobe_tests::collector::Collector;
use tierprobe_tests::fake::Fleet;

use super::{PATIENCE, QUICK};

/// A list of hosts of the fleet, as Prometheus' `file_sd` has it.
fn list(fleet: &Fleet, hosts: std::ops::Range<usize>) -> String {
    let group = |host: usize| {
        let url = fleet.url(host);
        let (authority, path) = url.trim_start_matches("http://").split_once('/').unwrap();
        let labels =
            serde_json::json!({ "__metrics_path__": format!("/{path}"), "instance": format!("host-{host}") });
        serde_json::json!({ "targets": [authority], "labels": labels })
    };
    serde_json::Value::from(hosts.map(group).collect::<Vec<_>>()).to_string()
}

/// As programs exchange a file: never half of it.
fn exchange(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

fn serving(store: &Path, source: &str) -> Collector {
    let mut flags = QUICK.to_vec();
    flags.push(source);
    Collector::start(store, &flags)
}

fn hang_up(collector: &Collector) {
    kill(Pid::from_raw(i32::try_from(collector.id()).unwrap()), Signal::SIGHUP).unwrap();
}

fn up(count: usize) -> impl Fn(&str) -> bool {
    let line = format!("tierprobe_collector_targets{{state=\"up\"}} {count}\n");
    move |text| text.contains(&line)
}

#[test]
fn a_changed_file_brings_new_agents_and_a_broken_one_takes_none() {
    let (fleet, folder) = (Fleet::start(Duration::from_millis(200)), tempfile::tempdir().unwrap());
    let path = folder.path().join("agents.json");
    exchange(&path, &list(&fleet, 0..2));
    let mut collector = serving(&folder.path().join("store"), &format!("file_sd:{}", path.display()));
    collector.wait_for("/metrics", "two agents", up(2));

    exchange(&path, &list(&fleet, 0..4));
    hang_up(&collector);
    collector.wait_for("/metrics", "four agents", up(4));
    collector.wait_for("/api/v1/instances", "the new ones", |text| {
        (0..4).all(|host| text.contains(&format!("\"host-{host}\"")))
    });
    let log = collector.log();
    assert!(log.contains("looking for targets, as told"), "{log}");

    // The file is named with what is wrong in it, and what was scraped goes on being scraped.
    exchange(&path, "[{\"targets\": [\"127.0.0.1:1\"]},\n{\"targets\":");
    hang_up(&collector);
    let page = collector
        .wait_for("/", "the broken list", |text| text.contains("agents.json") && text.contains("line 2"));
    assert!(page.contains("4 of 4"), "{page}");
    let log = collector.log();
    let named = log.lines().any(|line| line.contains("agents.json") && line.contains("line 2"));
    assert!(named && log.contains("its targets stay as they were"), "{log}");
    let rounds = collector.metric("tierprobe_collector_rounds_total").unwrap();
    hang_up(&collector);
    collector.wait_for("/metrics", "more rounds of all four", |text| {
        let line = text.lines().find_map(|line| line.strip_prefix("tierprobe_collector_rounds_total "));
        up(4)(text)
            && line.and_then(|count| count.parse::<f64>().ok()).is_some_and(|count| count > rounds + 12.0)
    });

    exchange(&path, &list(&fleet, 1..4));
    hang_up(&collector);
    collector.wait_for("/metrics", "three agents", up(3));
    assert!(collector.log().contains("can be read again"), "{}", collector.log());
}

#[test]
fn a_page_is_asked_at_once_when_told_and_not_only_in_its_turn() {
    let (fleet, folder) = (Fleet::start(Duration::from_millis(200)), tempfile::tempdir().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let source = format!("http_sd:http://{}/agents", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let (own, text) = (Arc::clone(&asked), list(&fleet, 0..2));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            own.fetch_add(1, Ordering::Relaxed);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
            let _gone = write!(stream, "{head}Content-Length: {}\r\n\r\n{text}", text.len());
        }
    });
    let mut collector = serving(&folder.path().join("store"), &source);
    collector.wait_for("/metrics", "two agents", up(2));
    // It would be its turn every thirty seconds: two or three times in a minute.
    let end = Instant::now() + 2 * PATIENCE;
    let first = asked.load(Ordering::Relaxed);
    for time in 1..=6 {
        hang_up(&collector);
        while asked.load(Ordering::Relaxed) < first + time {
            assert!(
                Instant::now() < end,
                "asked {} times\n{}",
                asked.load(Ordering::Relaxed),
                collector.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
