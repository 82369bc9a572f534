//! Places that tests ask: small HTTP servers on ports of their own, with TLS if need be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tierprobe_collector::source::scrape::collect::{Report, Schedule};
use tierprobe_collector::source::{Gathered, Options, Source, gather};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// Method and path.
    pub(crate) line: String,
    /// Names in lower case, and values.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: String,
}

impl Request {
    /// The value of a header, empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }

    /// One of the form's values, unescaped.
    pub(crate) fn form(&self, name: &str) -> String {
        let query = self.line.split_once('?').map_or("", |(_, query)| query.split(' ').next().unwrap());
        let mut pairs = self.body.split('&').chain(query.split('&')).filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| unescaped(key) == name).map_or_else(String::new, |(_, value)| unescaped(value))
    }
}

fn unescaped(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(plain).unwrap()
}

/// Starts a place that answers each request; connections are kept.
pub(crate) fn place<A: AsRef<[u8]>>(
    tls: Option<Arc<ServerConfig>>,
    answer: impl Fn(&Request) -> A + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (answer, tls) = (Arc::clone(&answer), tls.clone());
            std::thread::spawn(move || {
                stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                match tls {
                    Some(tls) => {
                        let connection = ServerConnection::new(tls).unwrap();
                        talk(StreamOwned::new(connection, stream), &*answer);
                    }
                    None => talk(stream, &*answer),
                }
            });
        }
    });
    address
}

fn talk<S: Read + Write, A: AsRef<[u8]>>(stream: S, answer: &dyn Fn(&Request) -> A) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut request = Request::default();
        let mut line = String::new();
        while stream.read_line(&mut line).is_ok_and(|read| read > 0) && line != "\r\n" {
            match line.trim().split_once(": ") {
                Some((name, value)) if !request.line.is_empty() => {
                    request.headers.push((name.to_ascii_lowercase(), value.to_owned()));
                }
                _ => line.trim().clone_into(&mut request.line),
            }
            line.clear();
        }
        if request.line.is_empty() {
            return;
        }
        let length = request.header("content-length").parse().unwrap_or(0);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        request.body = String::from_utf8(body).unwrap();
        if stream.get_mut().write_all(answer(&request).as_ref()).is_err() {
            return;
        }
    }
}

/// An answer of this type.
pub(crate) fn ok(kind: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// An answer without a body.
pub(crate) fn status(line: &str) -> String {
    format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n")
}

/// What an agent shows that has finished one round.
pub(crate) fn agent() -> String {
    ok(
        "text/plain; version=0.0.4",
        "# TYPE tierprobe_tier_info gauge\n\
         tierprobe_tier_info{tier=\"vm\"} 1\n\
         # TYPE tierprobe_probe_last_round_timestamp_seconds gauge\n\
         tierprobe_probe_last_round_timestamp_seconds{probe=\"syscall\"} 1000\n\
         # TYPE tierprobe_syscall_round_seconds summary\n\
         tierprobe_syscall_round_seconds{syscall=\"read\",quantile=\"0.5\"} 1e-7\n",
    )
}

/// Reads sources for as long as this, with short patience.
pub(crate) fn read(sources: &[String], duration: Duration, options: Options) -> Gathered {
    let sources: Vec<Source> = sources.iter().map(|source| source.parse().unwrap()).collect();
    let schedule = Schedule {
        duration,
        interval: Schedule::MIN_INTERVAL,
        timeout: Duration::from_secs(2),
        ..Schedule::default()
    };
    let report: Report = Arc::new(|_, _| {});
    gather(&sources, &Options { schedule, ..options }, &report)
}
