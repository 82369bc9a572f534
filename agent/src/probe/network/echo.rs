//! The thread at the other end of a round trip.

use std::io::{Read, Result, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::sys::clock;
use crate::sys::thread::{self, Cpu};

/// Stack of the thread: it holds one message.
const STACK_BYTES: usize = 64 << 10;

/// What the thread answers on until the other side ends it.
#[derive(Debug)]
pub(super) enum Peer {
    /// Until an empty datagram.
    Udp(UdpSocket),
    /// Until the connection is closed.
    Tcp(TcpStream),
}

/// An echoing thread. It sleeps between sessions; with the value it ends.
#[derive(Debug)]
pub(super) struct Echo {
    sessions: Option<SyncSender<(Cpu, Peer)>>,
    /// One message when a session begins and one when it has ended, with the CPU time that it cost.
    steps: Receiver<Duration>,
    /// CPU time of sessions since it was last asked for.
    cpu: Duration,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub(super) fn start() -> Result<Self> {
        let (sessions, requests) = sync_channel::<(Cpu, Peer)>(0);
        let (step, steps) = sync_channel(2);
        let thread =
            std::thread::Builder::new().name("echo".to_owned()).stack_size(STACK_BYTES).spawn(move || {
                while let Ok((cpu, peer)) = requests.recv() {
                    // Where it may not run, the round trip still works; the round is marked as migrated
                    // by whoever measures, who has the same CPUs.
                    let _pinned = thread::pin(&[cpu]);
                    let before = clock::thread_cpu();
                    if step.send(Duration::ZERO).is_err() {
                        return;
                    }
                    // An end that came too early shows at the other side.
                    let _ended = answer(peer);
                    if step.send(clock::thread_cpu().saturating_sub(before)).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self { sessions: Some(sessions), steps, cpu: Duration::ZERO, thread: Some(thread) })
    }

    /// Answers on `peer`, pinned to `cpu`, while `measure` runs.
    ///
    /// # Errors
    ///
    /// Those of `measure`, and of a thread that has died.
    pub(super) fn serve<T>(
        &mut self,
        cpu: Cpu,
        peer: Peer,
        measure: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let died = || std::io::Error::other("the echoing thread has died");
        let sessions = self.sessions.as_ref().ok_or_else(died)?;
        sessions.send((cpu, peer)).map_err(|_| died())?;
        self.steps.recv().map_err(|_| died())?;
        let measured = measure();
        self.cpu += self.steps.recv().map_err(|_| died())?;
        measured
    }

    /// CPU time that sessions have cost since this was last asked.
    pub(super) const fn take_cpu(&mut self) -> Duration {
        std::mem::replace(&mut self.cpu, Duration::ZERO)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.sessions = None;
        if let Some(thread) = self.thread.take() {
            let _panics_are_aborts = thread.join();
        }
    }
}

fn answer(peer: Peer) -> Result<()> {
    let mut message = [0; super::MESSAGE_BYTES];
    match peer {
        Peer::Udp(socket) => loop {
            match socket.recv(&mut message)? {
                0 => return Ok(()),
                length => socket.send(message.get(..length).unwrap_or_default())?,
            };
        },
        Peer::Tcp(mut stream) => loop {
            stream.read_exact(&mut message)?;
            stream.write_all(&message)?;
        },
    }
}
