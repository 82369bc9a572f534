//! Targets that redirect, come late, go away or say nothing: each is scraped or dropped in bounded time, and takes no
//! other target with it. What they may answer beside that is in `bad_input.rs`.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tierprobe_collector::source::scrape::collect::{Report, Schedule};
use tierprobe_collector::source::{Gathered, Options, Source, gather};

mod answering;

use answering::{gzip, serve};

fn http(kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn says(response: String) -> impl Fn(&mut TcpStream, usize) -> std::io::Result<()> + Send + Sync + 'static {
    move |stream, _| stream.write_all(response.as_bytes())
}

/// An agent that has finished `round` rounds of one probe.
fn agent(round: usize) -> String {
    http(
        "text/plain; version=0.0.4; charset=utf-8",
        &format!(
            "# TYPE tierprobe_tier_info gauge\n\
             tierprobe_tier_info{{tier=\"vm\"}} 1\n\
             # TYPE tierprobe_probe_last_round_timestamp_seconds gauge\n\
             tierprobe_probe_last_round_timestamp_seconds{{probe=\"syscall\"}} {}\n\
             # TYPE tierprobe_syscall_round_seconds summary\n\
             tierprobe_syscall_round_seconds{{syscall=\"read\",quantile=\"0.5\"}} 1e-7\n",
            1000 + round
        ),
    )
}

const TIMEOUT: Duration = Duration::from_millis(500);

fn gathered(addresses: &[String], duration: Duration) -> Gathered {
    let sources: Vec<Source> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    let schedule =
        Schedule { duration, interval: Schedule::MIN_INTERVAL, timeout: TIMEOUT, ..Schedule::default() };
    let report: Report = Arc::new(|_, _| {});
    let begin = Instant::now();
    let gathered = gather(&sources, &Options { schedule, ..Options::default() }, &report);
    // The last scrape may begin at the end of the duration and run into its timeout; the rest is slack for a busy
    // machine.
    let limit = duration + TIMEOUT + Duration::from_secs(3);
    assert!(begin.elapsed() < limit, "took {:?}", begin.elapsed());
    gathered
}

#[track_caller]
fn assert_says(reason: &str, expected: &str) {
    assert!(reason.contains(expected), "{reason:?} does not say {expected:?}");
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = serve(says(agent(1)));
    let response = format!("HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n");
    let gathered = gathered(&[serve(says(response))], Duration::from_secs(1));
    assert_eq!(gathered.collected.len(), 0);
    assert_says(&gathered.dropped[0].reason, "302");
}

#[test]
fn a_packed_answer_is_unpacked() {
    let whole = agent(1);
    let (_, text) = whole.split_once("\r\n\r\n").unwrap();
    let body = gzip(text.as_bytes());
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = [head.into_bytes(), body].concat();
    let good = serve(move |stream, _| stream.write_all(&answer));
    let gathered = gathered(&[good], Duration::from_millis(300));
    assert_eq!(gathered.dropped, []);
}

#[test]
fn nobody_listening_is_dropped() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/metrics", listener.local_addr().unwrap());
    drop(listener);
    let gathered = gathered(&[address], Duration::from_millis(300));
    assert_says(&gathered.dropped[0].reason, "efused");
}

#[test]
fn a_target_that_comes_up_late_is_waited_for() {
    let address = serve(|stream, before| {
        let text = if before < 2 { String::new() } else { agent(before) };
        stream.write_all(text.as_bytes())
    });
    let gathered = gathered(&[address], Duration::from_millis(1500));
    assert_eq!(gathered.dropped, []);
    let rounds = gathered.collected[0].observations();
    assert!((2..=6).contains(&rounds), "{rounds} rounds");
}

#[test]
fn a_target_that_goes_away_is_stale_and_its_rounds_count() {
    let address =
        serve(|stream, before| if before < 2 { stream.write_all(agent(before).as_bytes()) } else { Ok(()) });
    let gathered = gathered(&[address], Duration::from_millis(2000));
    assert_eq!(gathered.collected[0].observations(), 2);
    assert!(gathered.collected[0].stale_seconds.is_some_and(|age| age > 0.6), "{gathered:?}");
}

#[test]
fn one_bad_target_does_not_take_the_good_ones_with_it() {
    let good = serve(|stream, before| stream.write_all(agent(before / 2).as_bytes()));
    let bad = serve(|_, _| {
        std::thread::sleep(Duration::from_secs(10));
        Ok(())
    });
    let gathered = gathered(&[bad.clone(), good], Duration::from_secs(1));
    assert_eq!(gathered.dropped.len(), 1);
    assert_eq!(gathered.dropped[0].source, bad);
    let collected = &gathered.collected[0];
    assert_eq!(collected.instance.labels["tier"], "vm");
    // Every round is shown twice and counts once.
    assert!((2..=3).contains(&collected.observations()), "{} rounds", collected.observations());
    assert_eq!(collected.stale_seconds, None);
}
