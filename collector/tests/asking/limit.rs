//! More than may be read, from whatever source: the reading ends, and says so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::place::{agent, ok, place, read};
use crate::stores::{JSON, options, sound};
use tierprobe_collector::source::{Options, Quota};

/// What is read of these sources for as long as this where so many readings may be, and whether that was enough.
fn read_within(limit: usize, sources: &[String], duration: Duration) -> (usize, bool) {
    let quota = Arc::new(Quota::new(limit));
    let options = Options { quota: Arc::clone(&quota), ..options(Duration::from_secs(5)) };
    let gathered = read(sources, duration, options);
    let readings = gathered.collected.iter().map(|one| one.observations()).sum();
    (readings, quota.check().is_ok())
}

/// A store with two readings, an agent and a file with one each.
#[test]
fn readings_of_all_sources_are_counted_together() {
    let store = place(None, |request| ok(JSON, &sound(request)));
    let (one, folder) = (place(None, |_| agent()), tempfile::tempdir().unwrap());
    let file = folder.path().join("a.prom");
    std::fs::write(&file, agent().split_once("\r\n\r\n").unwrap().1).unwrap();
    let store = format!("prometheus+http://{store}/prefix");
    let (one, file) = (format!("http://{one}/metrics"), file.display().to_string());
    let all = [store.clone(), one.clone(), file.clone()];
    assert_eq!(read_within(4, &all, Duration::ZERO), (4, true));
    assert!(!read_within(3, &all, Duration::ZERO).1);
    for (limit, source) in [(1, store), (0, one), (0, file)] {
        assert!(!read_within(limit, std::slice::from_ref(&source), Duration::ZERO).1, "{source}");
        assert!(read_within(limit + 2, std::slice::from_ref(&source), Duration::ZERO).1, "{source}");
    }
}

/// The list may change as long as it is looked at, so that it is not for want of targets that it ends.
#[test]
fn scraping_ends_with_the_reading_that_is_too_much() {
    let (one, folder) = (place(None, |_| agent()), tempfile::tempdir().unwrap());
    let list = folder.path().join("agents.json");
    std::fs::write(&list, format!("[{{\"targets\":[\"{one}\"]}}]")).unwrap();
    let duration = Duration::from_secs(600);
    let begin = Instant::now();
    assert!(!read_within(0, &[format!("file_sd:{}", list.display())], duration).1);
    assert!(begin.elapsed() < duration / 2, "it went on to the end");
}
