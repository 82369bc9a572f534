//! `tierprobe-collector serve` with real and simulated agents: what it answers, what it keeps, what it survives.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

#[path = "serve/answers.rs"]
mod answers;
#[path = "serve/clients.rs"]
mod clients;
#[path = "serve/lists.rs"]
mod lists;
#[path = "serve/page.rs"]
mod page;
#[path = "serve/scraped.rs"]
mod scraped;
#[path = "serve/store.rs"]
mod store;
#[path = "serve/window.rs"]
mod window;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use tierprobe_tests::collector::Collector;
use tierprobe_tests::fake::Fleet;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Flags of a collector that is quick enough to be waited for.
const QUICK: [&str; 3] = ["--scrape-interval=200ms", "--window=5s", "--log.level=debug"];

/// A collector of these hosts of a fleet.
fn collector(store: &std::path::Path, fleet: &Fleet, hosts: usize, flags: &[&str]) -> Collector {
    let urls: Vec<String> = (0..hosts).map(|host| fleet.url(host)).collect();
    let mut all = QUICK.to_vec();
    all.extend(flags);
    all.extend(urls.iter().map(String::as_str));
    Collector::start(store, &all)
}

/// Head and body of the answer to these bytes.
fn send(collector: &Collector, request: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(collector.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(answer.len());
    let body = answer.split_off((end + 4).min(answer.len()));
    (String::from_utf8_lossy(&answer).into_owned(), body)
}

/// The same for a path, by GET, with these header lines.
fn ask(collector: &Collector, path: &str, headers: &str) -> (String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    let (head, body) = send(collector, &request);
    (head, String::from_utf8_lossy(&body).into_owned())
}
