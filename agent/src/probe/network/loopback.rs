//! Round trips within the machine: the probe's own two threads, each pinned.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use super::answer;
use crate::measure::{Plan, Samples, time};
use crate::probe::partner::Partner;
use crate::socket::{close_at_once, connect as connect_within};
use crate::sys::thread::{self, Cpu};

/// An answer that takes longer than this is not coming.
const TIMEOUT: Duration = Duration::from_secs(2);

const CONNECTIONS: Plan = Plan { operations: 1, warm_up: 1, samples: 5 };

/// The address of the loopback interface: IPv4's, or IPv6's on a host that has no other.
///
/// # Errors
///
/// What the kernel said where it has neither.
pub(in crate::probe) fn address() -> Result<IpAddr> {
    let v4 = IpAddr::V4(Ipv4Addr::LOCALHOST);
    match UdpSocket::bind(SocketAddr::new(v4, 0)) {
        Ok(_) => Ok(v4),
        Err(first) => {
            let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
            UdpSocket::bind(SocketAddr::new(v6, 0)).map(|_| v6).map_err(|_| first)
        }
    }
}

/// Two sockets that know nobody but each other: strangers' datagrams are refused by the kernel, and routes are looked
/// up once.
pub(in crate::probe) fn pair(address: IpAddr) -> Result<(UdpSocket, UdpSocket)> {
    let any_port = SocketAddr::new(address, 0);
    let (ours, theirs) = (UdpSocket::bind(any_port)?, UdpSocket::bind(any_port)?);
    ours.connect(theirs.local_addr()?)?;
    theirs.connect(ours.local_addr()?)?;
    ours.set_read_timeout(Some(TIMEOUT))?;
    theirs.set_read_timeout(Some(TIMEOUT))?;
    Ok((ours, theirs))
}

/// How messages go to and fro.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    /// Of the thread that answers.
    pub(super) cpu: Cpu,
    /// How long both ends sleep before the first message.
    pub(super) pause: Duration,
    pub(super) plan: Plan,
}

/// Datagrams of so many bytes.
pub(super) fn udp(partner: &mut Partner, address: IpAddr, course: Course, bytes: usize) -> Result<Samples> {
    let (ours, theirs) = pair(address)?;
    let Course { cpu, pause, plan } = course;
    partner.play(
        cpu,
        move || answer::udp(&theirs, bytes),
        || {
            let mut message = vec![0; bytes];
            thread::pause(pause)?;
            let samples = time(plan, || {
                ours.send(&message)?;
                let length = ours.recv(&mut message)?;
                if length == bytes { Ok(()) } else { Err(Error::from(ErrorKind::UnexpectedEof)) }
            });
            // An empty datagram ends the echo; should it be lost, the time limit does.
            ours.send(&[])?;
            samples
        },
    )
}

/// Messages of so many bytes on one connection.
pub(super) fn tcp(partner: &mut Partner, address: IpAddr, course: Course, bytes: usize) -> Result<Samples> {
    let Course { cpu, pause, plan } = course;
    let listener = TcpListener::bind(SocketAddr::new(address, 0))?;
    let mut ours = TcpStream::connect(listener.local_addr()?)?;
    let (theirs, _) = listener.accept()?;
    for end in [&ours, &theirs] {
        end.set_nodelay(true)?;
        end.set_read_timeout(Some(TIMEOUT))?;
    }
    partner.play(
        cpu,
        move || answer::tcp(theirs, bytes),
        || {
            let mut message = vec![0; bytes];
            thread::pause(pause)?;
            let samples = time(plan, || {
                ours.write_all(&message)?;
                ours.read_exact(&mut message)
            });
            close_at_once(&ours);
            drop(ours);
            samples
        },
    )
}

pub(super) fn connect(address: IpAddr) -> Result<Samples> {
    let listener = TcpListener::bind(SocketAddr::new(address, 0))?;
    let address = listener.local_addr()?;
    let mut samples = Samples::default();
    for number in 0..=(CONNECTIONS.warm_up + CONNECTIONS.samples) {
        // Both ends are closed after the clock has stopped. The kernel completes the handshake by itself: the
        // far end waits in the queue until then.
        let mut ours = None;
        let one = time(Plan { operations: 1, warm_up: 0, samples: 0 }, || {
            ours = Some(connect_within(address, TIMEOUT)?);
            Ok::<(), Error>(())
        })?;
        let (theirs, _) = listener.accept()?;
        close_at_once(&theirs);
        drop(ours);
        match number {
            0 => samples.cold = one.cold,
            warm_up if warm_up <= CONNECTIONS.warm_up => {}
            _ => samples.warm.extend(one.cold),
        }
    }
    Ok(samples)
}
