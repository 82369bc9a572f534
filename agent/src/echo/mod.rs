//! The echo service: answers other agents that time the way to this one. Off unless addresses are configured.
//!
//! It is made so that nobody can use it against somebody else. It answers messages of [`message`] only, each with one
//! of the same length, and never a reply, so that two services cannot be set on each other. It is bound to the
//! addresses that were named and no other. All addresses together answer [`MESSAGES_A_SECOND`] messages and
//! connections a second and keep [`MOST_CONNECTIONS`] connections, each for [`LONGEST_LIFE`] at most and
//! [`LONGEST_SILENCE`] between two messages.
//!
//! One thread of its own answers, by poll(2): a task among those that answer scrapes would wait for an exposition to be
//! encoded. It is not pinned: the kernel wakes it on a CPU that is free, and the reply says on which one it ran.

mod bucket;
mod connection;
pub mod message;
mod service;

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;

/// Messages and connections that are answered a second, on average, and how many of them at once after a pause.
pub const MESSAGES_A_SECOND: u32 = 1000;

/// Connections at a time; more are reset.
pub const MOST_CONNECTIONS: usize = 32;

/// Longest life of a connection.
pub const LONGEST_LIFE: Duration = Duration::from_secs(30);

/// Longest pause of a connection between two messages, and longest time that one message may take.
pub const LONGEST_SILENCE: Duration = Duration::from_secs(2);

/// Stack of the thread: messages are on the heap.
const STACK_BYTES: usize = 64 << 10;

/// What the service has done so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Datagrams, and messages on connections, by what became of them.
    pub udp: Messages,
    /// The same on connections.
    pub tcp: Messages,
    /// Connections that were taken.
    pub accepted: AtomicU64,
    /// Connections that were reset because there were too many.
    pub refused: AtomicU64,
    /// Connections that lived or were silent for too long.
    pub timed_out: AtomicU64,
    /// CPU time of the thread, in nanoseconds.
    pub cpu_nanos: AtomicU64,
}

/// What became of messages.
#[derive(Debug, Default)]
pub struct Messages {
    /// Answered.
    pub answered: AtomicU64,
    /// Dropped above the rate.
    pub over_rate: AtomicU64,
    /// Dropped because they are no request.
    pub malformed: AtomicU64,
}

/// One more.
fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// A running service; it ends with the value.
#[derive(Debug)]
pub struct Echo {
    counts: Arc<Counts>,
    /// The thread ends when its other end is closed.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    /// Answers on `addresses`, UDP and TCP, as the kernel of `boot_id`; `None` where there are none.
    ///
    /// # Errors
    ///
    /// The address, and what the system said about it.
    pub fn start(addresses: &[SocketAddr], boot_id: &str) -> anyhow::Result<Option<Self>> {
        if addresses.is_empty() {
            return Ok(None);
        }
        let mut sockets = Vec::new();
        let mut listeners = Vec::new();
        for address in addresses {
            let told = || {
                format!(
                    "--probe.network.echo-address: cannot listen on {address}; is it this machine's, and free?"
                )
            };
            let listener = TcpListener::bind(address).with_context(told)?;
            // Port 0 is whatever TCP was given, for both.
            let address = listener.local_addr().with_context(told)?;
            let socket = UdpSocket::bind(address).with_context(told)?;
            listener.set_nonblocking(true).and_then(|()| socket.set_nonblocking(true)).with_context(told)?;
            tracing::info!(%address, "answering other agents");
            listeners.push(listener);
            sockets.push(socket);
        }
        let (stop, stopped) = UnixStream::pair().context("cannot start the echo service")?;
        let counts = Arc::new(Counts::default());
        let service =
            service::Service::new(sockets, listeners, stopped, boot_id.to_owned(), Arc::clone(&counts));
        let thread = std::thread::Builder::new()
            .name("echo".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || service.run())
            .context("cannot start the thread of the echo service")?;
        Ok(Some(Self { counts, stop: Some(stop), thread: Some(thread) }))
    }

    /// What it has done so far, which it goes on to count.
    #[must_use]
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _panics_are_aborts = thread.join();
        }
    }
}
