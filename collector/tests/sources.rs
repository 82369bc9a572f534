//! Targets that answer with garbage, a page, nothing, slowly or without end: each is dropped in bounded time with
//! a reason, and takes no other target with it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tierprobe_collector::source::scrape::collect::{Report, Schedule};
use tierprobe_collector::source::{Gathered, Options, Source, gather};

/// A server on a port of its own; `answer` gets each connection once its request is read, and the number of
/// connections before it.
fn serve(answer: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/metrics", listener.local_addr().unwrap());
    let (answer, served) = (Arc::new(answer), AtomicUsize::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let before = served.fetch_add(1, Ordering::Relaxed);
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                answer(stream, before);
            });
        }
    });
    address
}

fn http(kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn says(response: String) -> impl Fn(TcpStream, usize) + Send + Sync + 'static {
    move |mut stream, _| {
        let _ = stream.write_all(response.as_bytes());
    }
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

fn reason(answer: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> String {
    let gathered = gathered(&[serve(answer)], Duration::from_secs(1));
    assert_eq!(gathered.collected.len(), 0);
    gathered.dropped[0].reason.clone()
}

#[track_caller]
fn assert_says(reason: &str, expected: &str) {
    assert!(reason.contains(expected), "{reason:?} does not say {expected:?}");
}

#[test]
fn garbage_is_dropped_with_its_line() {
    let reason = reason(says(http("text/plain", "\u{1}\u{2} not metrics \u{7f}\n")));
    assert_says(&reason, "line 1");
}

#[test]
fn bytes_that_are_no_text_are_dropped() {
    let reason = reason(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\xff\xfe\x00\x01");
    });
    assert_says(&reason, "UTF-8");
}

#[test]
fn a_page_for_people_is_dropped() {
    assert_says(&reason(says(http("text/html", "<html><body>Hello</body></html>\n"))), "text/html");
}

#[test]
fn a_page_that_claims_to_be_plain_text_is_dropped() {
    assert_says(&reason(says(http("text/plain", "<html><body>Hello</body></html>\n"))), "a metric name");
}

#[test]
fn another_exporter_is_dropped() {
    assert_says(&reason(says(http("text/plain", "node_load1 0.5\n"))), "tierprobe_");
}

#[test]
fn an_empty_answer_is_dropped() {
    assert_says(&reason(says(http("text/plain", ""))), "tierprobe_");
}

#[test]
fn an_answer_that_is_cut_off_is_dropped() {
    assert_says(&reason(says(http("text/plain", "tierprobe_x 1\ntierprobe_y 2"))), "cut off");
}

#[test]
fn an_agent_without_a_round_is_dropped() {
    let text = "# TYPE tierprobe_tier_info gauge\ntierprobe_tier_info{tier=\"vm\"} 1\n";
    assert_says(&reason(says(http("text/plain", text))), "no probe has finished a round");
}

#[test]
fn an_error_status_is_named() {
    let response = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned();
    assert_says(&reason(says(response)), "404");
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = serve(says(agent(1)));
    let response = format!("HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n");
    assert_says(&reason(says(response)), "302");
}

#[test]
fn what_is_no_http_is_dropped() {
    reason(says("SSH-2.0-OpenSSH_9.2\r\n".to_owned()));
}

#[test]
fn a_target_that_hangs_up_is_dropped() {
    reason(|stream, _| drop(stream));
}

#[test]
fn a_target_that_says_nothing_runs_into_the_timeout() {
    let reason = reason(|stream, _| {
        std::thread::sleep(Duration::from_secs(10));
        drop(stream);
    });
    assert_says(&reason, "timeout");
}

#[test]
fn a_target_that_trickles_runs_into_the_timeout() {
    let reason = reason(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n");
        while stream.write_all(b"#").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    assert_says(&reason, "timeout");
}

#[test]
fn a_body_without_end_is_cut_at_the_limit() {
    let reason = reason(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n");
        let comment = [b'#'; 65_536];
        while stream.write_all(&comment).is_ok() {}
    });
    // On a slow machine the timeout comes first.
    assert!(reason.contains("16 MiB") || reason.contains("timeout"), "{reason}");
}

/// An answer that says that its body is gzip.
fn packed(body: &[u8]) -> impl Fn(TcpStream, usize) + Send + Sync + 'static {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = [head.as_bytes(), body].concat();
    move |mut stream, _| {
        let _ = stream.write_all(&answer);
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_packed_answer_is_unpacked_and_a_bomb_does_not_go_off() {
    let whole = agent(1);
    let (_, text) = whole.split_once("\r\n\r\n").unwrap();
    let good = serve(packed(&gzip(text.as_bytes())));
    let gathered = gathered(&[good], Duration::from_millis(300));
    assert_eq!(gathered.dropped, []);
    let bomb = gzip(&vec![b'#'; 64 * 1024 * 1024]);
    assert!(bomb.len() < 100_000);
    assert_says(&reason(packed(&bomb)), "16 MiB");
    assert_says(&reason(packed(&gzip(text.as_bytes())[..60])), "gzip");
    assert_says(&reason(packed(text.as_bytes())), "gzip");
}

#[test]
fn a_content_length_that_lies_is_not_believed() {
    let says_more = reason(says("HTTP/1.1 200 OK\r\nContent-Length: 4000000000000\r\n\r\nx 1\n".to_owned()));
    assert!(says_more.contains("timeout") || says_more.contains("no usable HTTP"), "{says_more}");
    let whole = agent(1);
    let (_, text) = whole.split_once("\r\n\r\n").unwrap();
    let says_less = format!("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{text}");
    assert_says(&reason(says(says_less)), "cut off");
}

#[test]
fn an_answer_that_is_packed_as_nobody_asked_is_named() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx";
    assert_says(&reason(says(answer.to_owned())), "\"br\"");
}

#[test]
fn headers_without_end_are_dropped() {
    reason(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"X-Header: more\r\n").is_ok() {}
    });
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
    let address = serve(|mut stream, before| {
        let text = if before < 2 { String::new() } else { agent(before) };
        let _ = stream.write_all(text.as_bytes());
    });
    let gathered = gathered(&[address], Duration::from_millis(1500));
    assert_eq!(gathered.dropped, []);
    let rounds = gathered.collected[0].observations();
    assert!((2..=6).contains(&rounds), "{rounds} rounds");
}

#[test]
fn a_target_that_goes_away_is_stale_and_its_rounds_count() {
    let address = serve(|mut stream, before| {
        if before < 2 {
            let _ = stream.write_all(agent(before).as_bytes());
        }
    });
    let gathered = gathered(&[address], Duration::from_millis(2000));
    assert_eq!(gathered.collected[0].observations(), 2);
    assert!(gathered.collected[0].stale_seconds.is_some_and(|age| age > 0.6), "{gathered:?}");
}

#[test]
fn one_bad_target_does_not_take_the_good_ones_with_it() {
    let good = serve(|mut stream, before| {
        let _ = stream.write_all(agent(before / 2).as_bytes());
    });
    let bad = serve(|stream, _| {
        std::thread::sleep(Duration::from_secs(10));
        drop(stream);
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
