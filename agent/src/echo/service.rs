//! The thread of the echo service.

use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::bucket::Bucket;
use super::connection::{Connection, Fate};
use super::message::{LONGEST, answer};
use super::{Counts, MESSAGES_A_SECOND, MOST_CONNECTIONS, count};
use crate::socket::close_at_once;
use crate::sys::{clock, thread};

/// Pause after the rate was reached or the system refused a connection. What comes meanwhile waits in the kernel, which
/// drops what is too much: a flood costs no more CPU than the rate does.
const PAUSE_NANOS: u64 = 50_000_000;

/// Datagrams that are thrown away before such a pause.
const MOST_THROWN_AWAY: usize = 512;

/// Everything that the thread has.
#[derive(Debug)]
pub(super) struct Service {
    sockets: Vec<UdpSocket>,
    listeners: Vec<TcpListener>,
    stopped: UnixStream,
    boot_id: String,
    counts: Arc<Counts>,
    connections: Vec<Connection>,
    bucket: Bucket,
    /// Until when only the end is listened for.
    paused: u64,
    /// Holds one datagram, and notices one that is longer.
    datagram: Vec<u8>,
}

impl Service {
    pub(super) fn new(
        sockets: Vec<UdpSocket>,
        listeners: Vec<TcpListener>,
        stopped: UnixStream,
        boot_id: String,
        counts: Arc<Counts>,
    ) -> Self {
        Self {
            sockets,
            listeners,
            stopped,
            boot_id,
            counts,
            connections: Vec::new(),
            bucket: Bucket::new(MESSAGES_A_SECOND, clock::monotonic_nanos()),
            paused: 0,
            datagram: vec![0; LONGEST + 1],
        }
    }

    /// Answers until the other end of `stopped` is closed.
    pub(super) fn run(mut self) {
        loop {
            let now = clock::monotonic_nanos();
            self.drop_overdue(now);
            let is_paused = now < self.paused;
            let Some(ready) = self.wait(now, is_paused) else { return };
            let (sockets, rest) = ready.split_at(self.sockets.len().min(ready.len()));
            let (listeners, connections) = rest.split_at(self.listeners.len().min(rest.len()));
            // Before anything is accepted: these are of the connections that there were.
            self.serve_connections(connections);
            for (index, _) in sockets.iter().enumerate().filter(|(_, ready)| **ready) {
                self.datagram(index);
            }
            for (index, _) in listeners.iter().enumerate().filter(|(_, ready)| **ready) {
                self.accept(index);
            }
            let cpu = clock::thread_cpu().as_nanos();
            self.counts.cpu_nanos.store(u64::try_from(cpu).unwrap_or(u64::MAX), Relaxed);
        }
    }

    /// Waits for something to do: of each socket, listener and connection, in this order, whether it is ready. `None`
    /// at the end.
    fn wait(&self, now: u64, is_paused: bool) -> Option<Vec<bool>> {
        let descriptors = std::iter::once(self.stopped.as_fd());
        let of_service = (self.sockets.iter().map(|socket| socket.as_fd()))
            .chain(self.listeners.iter().map(|listener| listener.as_fd()))
            .chain(self.connections.iter().map(|connection| connection.stream.as_fd()));
        let listening = of_service.take(if is_paused { 0 } else { usize::MAX });
        let mut descriptors: Vec<PollFd<'_>> =
            descriptors.chain(listening).map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let pause = is_paused.then_some(self.paused);
        let next = self.connections.iter().map(Connection::deadline).chain(pause).min();
        let timeout = next.map_or(PollTimeout::NONE, |next| thread::poll_timeout(next.saturating_sub(now)));
        match poll(&mut descriptors, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            // Out of memory, of which there may be more later; where there is no sleep either, there is no service.
            Err(_) => thread::sleep_until(clock::monotonic_nanos() + PAUSE_NANOS).ok()?,
        }
        let mut ready = descriptors.iter().map(|fd| fd.any().unwrap_or(false));
        if ready.next().unwrap_or(true) {
            return None;
        }
        Some(ready.collect())
    }

    fn drop_overdue(&mut self, now: u64) {
        let counts = &self.counts;
        self.connections.retain(|connection| {
            let lives = now < connection.deadline();
            if !lives {
                count(&counts.timed_out);
            }
            lives
        });
    }

    fn serve_connections(&mut self, ready: &[bool]) {
        let Self { connections, counts, bucket, boot_id, paused, .. } = self;
        let mut ready = ready.iter();
        connections.retain_mut(|connection| {
            if !ready.next().copied().unwrap_or(false) {
                return true;
            }
            let now = clock::monotonic_nanos();
            let may_answer = || {
                let may = bucket.take(now);
                if !may {
                    *paused = now + PAUSE_NANOS;
                }
                may
            };
            connection.serve(boot_id, now, &counts.tcp, may_answer) == Fate::Stays
        });
    }

    fn datagram(&mut self, index: usize) {
        let Some(socket) = self.sockets.get(index) else { return };
        // What is refused here is an error of an earlier answer, such as that nobody waits for it any more.
        let Ok((length, from)) = socket.recv_from(&mut self.datagram) else { return };
        let now = clock::monotonic_nanos();
        if !self.bucket.take(now) {
            count(&self.counts.udp.over_rate);
            self.paused = now + PAUSE_NANOS;
            for _ in 0..MOST_THROWN_AWAY {
                match socket.recv_from(&mut self.datagram) {
                    Ok(_) => count(&self.counts.udp.over_rate),
                    Err(_) => return,
                }
            }
            return;
        }
        let message = self.datagram.get_mut(..length).unwrap_or_default();
        let cpu = thread::current_cpu().ok().and_then(|cpu| u32::try_from(cpu).ok());
        if answer(message, cpu, &self.boot_id).is_none() {
            count(&self.counts.udp.malformed);
        } else if socket.send_to(message, from).is_ok() {
            count(&self.counts.udp.answered);
        }
    }

    fn accept(&mut self, index: usize) {
        let Some(listener) = self.listeners.get(index) else { return };
        let now = clock::monotonic_nanos();
        match listener.accept() {
            Ok((stream, _)) if !self.bucket.take(now) => {
                count(&self.counts.refused);
                close_at_once(&stream);
                self.paused = now + PAUSE_NANOS;
            }
            Ok((stream, _)) if self.connections.len() >= MOST_CONNECTIONS => {
                count(&self.counts.refused);
                close_at_once(&stream);
            }
            Ok((stream, _)) => {
                if let Ok(connection) = Connection::new(stream, now) {
                    count(&self.counts.accepted);
                    self.connections.push(connection);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // Such as no file descriptor left: poll would say at once that there still is somebody.
            Err(_) => self.paused = now + PAUSE_NANOS,
        }
    }
}
