//! One scrape over a new connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::ensure;

/// What a scrape took and gave.
#[derive(Debug)]
pub(crate) struct Scrape {
    /// From before the connection to the last byte.
    pub(crate) seconds: f64,
    /// The answer, head and body.
    pub(crate) bytes: f64,
}

/// Scrapes once.
pub(crate) fn scrape(address: SocketAddr) -> anyhow::Result<Scrape> {
    let begin = Instant::now();
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_nodelay(true)?;
    stream.write_all(
        format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = Vec::with_capacity(128 << 10);
    stream.read_to_end(&mut answer)?;
    let seconds = begin.elapsed().as_secs_f64();
    ensure!(answer.starts_with(b"HTTP/1.1 200"), "the answer is not 200");
    Ok(Scrape { seconds, bytes: f64::from(u32::try_from(answer.len())?) })
}
