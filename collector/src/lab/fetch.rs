//! Asks an instance for a page, also across the border of its network namespace.
//!
//! An instance with a network of its own has a loopback interface and nothing else. The lab does not lay a cable
//! to it (a pair of virtual interfaces would be a cost that the tier does not have, and its first packet waits for
//! an ARP answer): a thread enters the namespace, connects to the loopback address there, and ends. The
//! connection stays in the namespace where it was made, whoever uses it afterwards. See setns(2).

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

/// The longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: u64 = 16 << 20;

/// Where an instance listens.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    /// The socket address, as seen from inside the namespace.
    pub(crate) socket: SocketAddr,
    /// The instance's network namespace; `None` for the host's own.
    pub(crate) namespace: Option<Arc<File>>,
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// Everything after the headers.
    pub(crate) body: String,
}

impl Address {
    /// An address in the host's own network.
    #[must_use]
    pub(crate) fn host(socket: SocketAddr) -> Self {
        Self { socket, namespace: None }
    }

    /// An address in the network namespace of a process.
    ///
    /// # Errors
    ///
    /// When the process is gone, or may not be looked into.
    pub(crate) fn inside(pid: i32, socket: SocketAddr) -> io::Result<Self> {
        let namespace = File::open(format!("/proc/{pid}/ns/net"))?;
        Ok(Self { socket, namespace: Some(Arc::new(namespace)) })
    }

    fn connect(&self, limit: Duration) -> io::Result<TcpStream> {
        let Some(namespace) = &self.namespace else {
            return TcpStream::connect_timeout(&self.socket, limit);
        };
        let entered = thread::scope(|scope| {
            let inside = || {
                setns(namespace, CloneFlags::CLONE_NEWNET)?;
                TcpStream::connect_timeout(&self.socket, limit)
            };
            scope.spawn(inside).join()
        });
        entered.unwrap_or_else(|_| Err(io::Error::other("the thread in the namespace failed")))
    }
}

/// A TCP port of the loopback interface that nobody uses at this moment.
///
/// # Errors
///
/// When the kernel has none.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Fetches a page, all in all within `limit`.
///
/// # Errors
///
/// When nobody listens, the answer is late, is too long, or is not HTTP.
pub(crate) fn get(address: &Address, path: &str, limit: Duration) -> io::Result<Answer> {
    let end = Instant::now() + limit;
    let mut stream = address.connect(limit)?;
    stream.set_write_timeout(Some(limit))?;
    // Version 1.0: the answer ends where the connection ends, and comes in one piece.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\nAccept: text/plain\r\n\r\n", address.socket);
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let count = stream.read(&mut piece)?;
        bytes.extend(piece.iter().take(count));
        if count == 0 || is_complete(&bytes) {
            return parse(&bytes);
        }
        if u64::try_from(bytes.len()).is_ok_and(|len| len > MAX_ANSWER_BYTES) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too long"));
        }
    }
}

/// Whether the announced length has come: a server may keep the connection although it was not asked to.
fn is_complete(bytes: &[u8]) -> bool {
    let Some(head) = find(bytes, b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(bytes.get(..head).unwrap_or_default()).to_ascii_lowercase();
    text.lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|length| length.trim().parse::<usize>().ok())
        .is_some_and(|length| bytes.len() >= head + 4 + length)
}

fn parse(bytes: &[u8]) -> io::Result<Answer> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP");
    let head = find(bytes, b"\r\n\r\n").ok_or_else(invalid)?;
    let (head, body) = bytes.split_at_checked(head).ok_or_else(invalid)?;
    let head = String::from_utf8_lossy(head);
    let mut line = head.lines().next().unwrap_or_default().split(' ');
    let is_http = line.next().is_some_and(|version| version.starts_with("HTTP/1."));
    let status = line.next().and_then(|code| code.parse().ok()).filter(|_| is_http).ok_or_else(invalid)?;
    Ok(Answer { status, body: String::from_utf8_lossy(body.get(4..).unwrap_or_default()).into_owned() })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve_once(answer: &'static str) -> Address {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = Address::host(listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            stream.write_all(answer.as_bytes()).unwrap();
            // Keeps the connection open: the length alone has to end the answer.
            thread::sleep(Duration::from_millis(300));
        });
        address
    }

    #[test]
    fn an_answer_ends_at_its_length() {
        let address = serve_once("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup");
        let answer = get(&address, "/metrics", Duration::from_millis(250)).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "up"));
    }

    #[test]
    fn silence_is_a_time_out() {
        let address = serve_once("");
        assert!(get(&address, "/", Duration::from_millis(50)).is_err());
    }
}
