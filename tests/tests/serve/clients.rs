//! What clients may not do to it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use tierprobe_tests::fake::Fleet;

use super::{PATIENCE, ask, collector};

#[test]
fn clients_that_are_slow_many_or_endless_keep_nobody_waiting() {
    let (fleet, folder) = (Fleet::start(Duration::from_millis(200)), tempfile::tempdir().unwrap());
    let mut collector = collector(folder.path(), &fleet, 2, &[]);
    collector.wait_until_ready();
    // More than it serves at a time, all of them silent, or in the middle of a head.
    let idle: Vec<TcpStream> = (0..100)
        .map(|n| {
            let mut stream = TcpStream::connect(collector.address()).unwrap();
            if n % 2 == 0 {
                stream.write_all(b"GET /metrics HTTP/1.1\r\nHost:").unwrap();
            }
            stream
        })
        .collect();
    assert!(ask(&collector, "/-/healthy", "").0.contains(" 200 "));
    drop(idle);

    let mut long = TcpStream::connect(collector.address()).unwrap();
    long.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may hang up in the middle.
    let _refused = long.write_all(format!("GET /?where={} HTTP/1.1\r\n", "a".repeat(1 << 20)).as_bytes());
    let mut answer = Vec::new();
    let _reset = long.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    let query = format!("/api/v1/comparison?where=a%3D{}", "b".repeat(5000));
    let (head, body) = ask(&collector, &query, "");
    assert!(head.starts_with("HTTP/1.1 400 ") && body.contains("4096"), "{head}\n{body}");

    // Many different questions at once: each is answered or told to wait, and scraping goes on.
    let before = collector.metric("tierprobe_collector_rounds_total").unwrap();
    std::thread::scope(|scope| {
        for n in 0..20 {
            let collector = &collector;
            scope.spawn(move || {
                let (head, _) =
                    ask(collector, &format!("/api/v1/comparison?window={}m&where=boot_id%3D{n}", n + 1), "");
                assert!(head.starts_with("HTTP/1.1 "), "{head}");
            });
        }
    });
    collector.wait_for("/metrics", "more rounds", |text| {
        let line = text
            .lines()
            .find(|line| line.starts_with("tierprobe_collector_rounds_total "))
            .unwrap_or_default();
        line.rsplit(' ')
            .next()
            .and_then(|count| count.parse::<f64>().ok())
            .is_some_and(|count| count > before + 2.0)
    });
}
