//! One message to another agent's echo service, and its reply.

use std::io::{Error, ErrorKind, Read as _, Result, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use super::tally::{Outcome, Tally};
use crate::echo::message::{self, LONGEST, Reply, Ticket, parse_reply};
use crate::socket;
use crate::sys::clock;

/// A reply that takes longer than this counts as lost.
pub(in crate::probe) const TIMEOUT: Duration = Duration::from_millis(250);
pub(in crate::probe) const TIMEOUT_NANOS: u64 = 250_000_000;

/// A reply that came in time.
#[derive(Debug, Clone, Copy)]
pub(in crate::probe) struct Answered {
    /// What it says.
    pub(in crate::probe) reply: Reply,
    /// When it was there, on the monotonic clock.
    pub(in crate::probe) at: u64,
    /// How long after its request, in nanoseconds.
    pub(in crate::probe) nanos: u64,
}

/// A way to send messages and have them back.
pub(super) trait Exchange {
    /// Sends one message and waits for its reply. `None` where there is none, which `tally` knows more of.
    fn once(&mut self, tally: &mut Tally) -> Option<Answered>;
}

/// Messages that a session has sent, and the next one.
#[derive(Debug)]
struct Session {
    ticket: Ticket,
    request: Vec<u8>,
    reply: Vec<u8>,
}

impl Session {
    fn new(bytes: usize) -> Self {
        // Unlike any session before: late replies to those must not be taken for this one's.
        let ticket = Ticket { session: clock::realtime_nanos(), number: 0 };
        // One byte more than any message: what is longer is noticed.
        Self { ticket, request: message::request(ticket, bytes), reply: vec![0; LONGEST + 1] }
    }

    fn next(&mut self) {
        self.ticket.number += 1;
        message::address_to(&mut self.request, self.ticket);
    }

    /// The reply in the first `length` bytes that came, if it is the one that is waited for.
    fn reply(&self, length: usize, tally: &mut Tally) -> Option<Reply> {
        let reply = parse_reply(self.reply.get(..length)?, self.request.len());
        match reply {
            None => tally.count(Outcome::Garbage),
            Some(reply) if reply.ticket != self.ticket => tally.count(Outcome::Late),
            Some(_) => {}
        }
        reply.filter(|reply| reply.ticket == self.ticket)
    }
}

/// Datagrams.
#[derive(Debug)]
pub(in crate::probe) struct Udp {
    socket: UdpSocket,
    session: Session,
}

impl Udp {
    /// A socket that knows nobody but `address`, for messages of `bytes`.
    ///
    /// # Errors
    ///
    /// What the system said, such as that there is no route.
    pub(in crate::probe) fn open(address: SocketAddr, bytes: usize) -> Result<Self> {
        let any = match address.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
        socket.connect(address)?;
        socket.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { socket, session: Session::new(bytes) })
    }

    /// Sends one message and waits for its reply, whatever else comes meanwhile.
    pub(in crate::probe) fn exchange(&mut self, tally: &mut Tally) -> Option<Answered> {
        self.session.next();
        let sent = clock::monotonic_nanos();
        if let Err(error) = self.socket.send(&self.session.request) {
            tally.failed(&error);
            return None;
        }
        loop {
            let received = self.socket.recv(&mut self.session.reply);
            let at = clock::monotonic_nanos();
            let nanos = at.saturating_sub(sent);
            match received {
                Ok(length) => {
                    if let Some(reply) = self.session.reply(length, tally) {
                        tally.count(Outcome::Answered);
                        return Some(Answered { reply, at, nanos });
                    }
                    // Whoever keeps sending something else does not keep us waiting.
                    if nanos >= TIMEOUT_NANOS {
                        tally.count(Outcome::Lost);
                        return None;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    tally.failed(&error);
                    return None;
                }
            }
        }
    }
}

impl Exchange for Udp {
    fn once(&mut self, tally: &mut Tally) -> Option<Answered> {
        self.exchange(tally)
    }
}

/// Messages on a connection.
#[derive(Debug)]
pub(super) struct Tcp {
    stream: TcpStream,
    session: Session,
    /// A connection on which something else came has no next message.
    is_broken: bool,
}

impl Tcp {
    /// Connects.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub(super) fn open(address: SocketAddr, bytes: usize) -> Result<Self> {
        let stream = socket::connect(address, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { stream, session: Session::new(bytes), is_broken: false })
    }

    /// Reads until `length` bytes are there. A reply that comes in drops takes no longer than one that does not come.
    fn read(&mut self, length: usize, sent: u64) -> Result<u64> {
        let mut filled = 0;
        loop {
            let free = self.session.reply.get_mut(filled..length).unwrap_or_default();
            filled += match self.stream.read(free) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                read => read?,
            };
            let at = clock::monotonic_nanos();
            if filled >= length {
                return Ok(at);
            }
            if at.saturating_sub(sent) >= TIMEOUT_NANOS {
                return Err(ErrorKind::TimedOut.into());
            }
        }
    }
}

impl Exchange for Tcp {
    fn once(&mut self, tally: &mut Tally) -> Option<Answered> {
        if self.is_broken {
            return None;
        }
        self.session.next();
        let length = self.session.request.len();
        let sent = clock::monotonic_nanos();
        let read = self.stream.write_all(&self.session.request).and_then(|()| self.read(length, sent));
        match read {
            Ok(at) => {
                let reply = self.session.reply(length, tally);
                self.is_broken = reply.is_none();
                reply.map(|reply| {
                    tally.count(Outcome::Answered);
                    Answered { reply, at, nanos: at.saturating_sub(sent) }
                })
            }
            Err(error) => {
                self.is_broken = true;
                tally.failed(&error);
                None
            }
        }
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        socket::close_at_once(&self.stream);
    }
}

/// Connections alone.
#[derive(Debug)]
pub(super) struct Connect(pub(super) SocketAddr);

impl Exchange for Connect {
    fn once(&mut self, tally: &mut Tally) -> Option<Answered> {
        let begun = clock::monotonic_nanos();
        let connected: std::result::Result<TcpStream, Error> = socket::connect(self.0, TIMEOUT);
        let at = clock::monotonic_nanos();
        match connected {
            Ok(stream) => {
                socket::close_at_once(&stream);
                tally.count(Outcome::Answered);
                let ticket = Ticket { session: 0, number: 0 };
                // The far kernel answers for itself, wherever it does.
                let reply = Reply { ticket, cpu: None, kernel: None };
                Some(Answered { reply, at, nanos: at.saturating_sub(begun) })
            }
            Err(error) => {
                tally.failed(&error);
                None
            }
        }
    }
}
