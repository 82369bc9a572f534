//! What clients may take.

use std::time::Duration;

/// What clients may take of connections, bytes and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time and listener; more wait in the kernel's queue. At least 1.
    pub connections: usize,
    /// Longest head of a request, and size of the buffer of a connection, in bytes; at least 8192.
    pub head_bytes: usize,
    /// Time in which a request's head must have come, from the connection's start or the answer before. Short,
    /// because whoever only connects takes a place from the others until then.
    pub head: Duration,
    /// Time for which a client may take nothing of an answer.
    pub stall: Duration,
    /// Longest life of a connection. Longer than any scrape interval, so that scrapers can keep theirs.
    pub connection: Duration,
    /// Time that requests have to end in when the server ends.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 32,
            head_bytes: 16 << 10,
            head: Duration::from_secs(5),
            stall: Duration::from_secs(30),
            connection: Duration::from_secs(600),
            grace: Duration::from_secs(5),
        }
    }
}
