//! Ports for programs that cannot say which one the kernel gave them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which the kernel takes ports for whoever does not care (32768 and up), and above the known ones.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// A port of the loopback interface that nobody listens on, and that neither the kernel nor this function gives away again.
///
/// # Panics
///
/// If all are taken.
#[must_use]
#[expect(clippy::expect_used, reason = "a test fails by panicking")]
pub fn unused() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Programs that run at once begin apart, by their process ids.
    let begin = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap_or_default();
    (0..COUNT)
        .map(|_| begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT + FIRST)
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("a port of loopback is free")
}
