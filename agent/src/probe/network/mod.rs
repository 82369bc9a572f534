//! # What is measured
//!
//! Over the loopback interface: the full round trip of a 64-byte UDP datagram and of 64 bytes on an open TCP
//! connection, and the time of a TCP `connect`. Two threads play it, each pinned: on one CPU (`same_cpu`: the cost of
//! the network stack) and on two (`cross_cpu`: with the wake-up of an idle CPU). Each round trip is timed alone; the
//! first one of a round is the cold one, four more are thrown away.
//!
//! # What distorts it
//!
//! Unpinned, the same test swings fourfold from run to run: it is not published. Firewall rules cost each packet;
//! connection tracking and NAT rules cost new connections only, which `connect` shows. Loopback passes no virtual
//! network device: it is the floor below every other path.
//!
//! # Cost
//!
//! 37 round trips a protocol on one CPU, 17 across, 17 connections: 1.5 to 4 ms of CPU time, every 15 s.

mod answer;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use tierprobe_model::{Family, Kind};

use super::partner::Partner;
use super::{Placement, Probe, ProbeError, Round, Spec};
use crate::measure::{Plan, Samples, time};
use crate::sys::thread::Cpu;

const ROUND_TRIP: Family = Family {
    name: "tierprobe_network_round_trip_seconds",
    help: "Time from sending 64 bytes to having them back from an echoing thread, warmed up.",
    kind: Kind::Duration,
    labels: &["protocol", "path", "placement"],
};
const ROUND_TRIP_COLD: Family = Family {
    name: "tierprobe_network_round_trip_cold_seconds",
    help: "Time of the first round trip after the pause since the last round.",
    kind: Kind::Gauge,
    labels: &["protocol", "path", "placement"],
};
const CONNECT: Family = Family {
    name: "tierprobe_network_connect_seconds",
    help: "Time of a TCP connect, warmed up.",
    kind: Kind::Duration,
    labels: &["path", "placement"],
};
const CONNECT_COLD: Family = Family {
    name: "tierprobe_network_connect_cold_seconds",
    help: "Time of the first TCP connect after the pause since the last round.",
    kind: Kind::Gauge,
    labels: &["path", "placement"],
};

/// Network round trips.
pub(super) const SPEC: Spec = Spec {
    name: "network",
    measures: "UDP and TCP round trip and TCP connect over loopback, on one CPU and across two",
    interval: super::USUAL_INTERVAL,
    operations: Some(1),
    measures_waiting: false,
    pauses_under_pressure: true,
    families: &[&ROUND_TRIP, &ROUND_TRIP_COLD, &CONNECT, &CONNECT_COLD],
    prepare: |_| Ok(Box::new(Network { partner: None })),
};

const PATH: &str = "loopback";
const MESSAGE_BYTES: usize = 64;
const SAME_CPU: Plan = Plan { operations: 1, warm_up: 4, samples: 32 };
const CROSS_CPU: Plan = Plan { operations: 1, warm_up: 4, samples: 12 };
const CONNECTIONS: Plan = Plan { operations: 1, warm_up: 4, samples: 12 };

/// An answer that takes longer than this is not coming.
const TIMEOUT: Duration = Duration::from_secs(2);

struct Network {
    /// The thread at the other end; started by the first round, ended with the probe.
    partner: Option<Partner>,
}

impl Probe for Network {
    fn measure(&mut self, placement: Placement) -> Result<Round, ProbeError> {
        let partner = Partner::in_place(&mut self.partner)?;
        let mut round = Round::default();
        let mut places = vec![("same_cpu", placement.cpu, SAME_CPU)];
        places.extend(placement.other.map(|other| ("cross_cpu", other, CROSS_CPU)));
        for (name, cpu, plan) in places {
            let udp = udp(partner, cpu, plan).map_err(|error| explain("UDP", &error))?;
            round.add(&ROUND_TRIP, Some(&ROUND_TRIP_COLD), ["udp", PATH, name], udp);
            let tcp = tcp(partner, cpu, plan).map_err(|error| explain("TCP", &error))?;
            round.add(&ROUND_TRIP, Some(&ROUND_TRIP_COLD), ["tcp", PATH, name], tcp);
        }
        round.own_helpers_cpu = partner.take_cpu();
        let connect = connect().map_err(|error| explain("TCP connect", &error))?;
        round.add(&CONNECT, Some(&CONNECT_COLD), [PATH, "same_cpu"], connect);
        Ok(round)
    }
}

/// A network namespace whose loopback interface is down is a place without loopback, not a failure.
fn explain(what: &str, error: &std::io::Error) -> ProbeError {
    if matches!(error.kind(), ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable) {
        return ProbeError::unsupported(format!("{what} over loopback: {error}; is the interface lo up?"));
    }
    ProbeError::failed(&format!("{what} over loopback"), error)
}

const fn any_port() -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}

fn udp(partner: &mut Partner, cpu: Cpu, plan: Plan) -> std::io::Result<Samples> {
    let (ours, theirs) = (UdpSocket::bind(any_port())?, UdpSocket::bind(any_port())?);
    // Connected: strangers' datagrams are refused by the kernel, and routes are looked up once.
    ours.connect(theirs.local_addr()?)?;
    theirs.connect(ours.local_addr()?)?;
    ours.set_read_timeout(Some(TIMEOUT))?;
    theirs.set_read_timeout(Some(TIMEOUT))?;
    partner.play(
        cpu,
        move || answer::udp(&theirs),
        || {
            let mut message = [0; MESSAGE_BYTES];
            let samples = time(plan, || {
                ours.send(&message)?;
                let length = ours.recv(&mut message)?;
                if length == MESSAGE_BYTES { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
            });
            // An empty datagram ends the echo; should it be lost, the time limit does.
            ours.send(&[])?;
            samples
        },
    )
}

fn tcp(partner: &mut Partner, cpu: Cpu, plan: Plan) -> std::io::Result<Samples> {
    let listener = TcpListener::bind(any_port())?;
    let mut ours = TcpStream::connect(listener.local_addr()?)?;
    let (theirs, _) = listener.accept()?;
    for end in [&ours, &theirs] {
        end.set_nodelay(true)?;
        end.set_read_timeout(Some(TIMEOUT))?;
    }
    partner.play(
        cpu,
        move || answer::tcp(theirs),
        || {
            let mut message = [0; MESSAGE_BYTES];
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

fn connect() -> std::io::Result<Samples> {
    let listener = TcpListener::bind(any_port())?;
    let address = listener.local_addr()?;
    let mut samples = Samples::default();
    for number in 0..=(CONNECTIONS.warm_up + CONNECTIONS.samples) {
        // Both ends are closed after the clock has stopped. The kernel completes the handshake by itself: the
        // far end waits in the queue until then.
        let mut ours = None;
        let one = time(Plan { operations: 1, warm_up: 0, samples: 0 }, || {
            ours = Some(TcpStream::connect(address)?);
            Ok::<(), std::io::Error>(())
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

/// Closes with a reset, which leaves no connection behind in TIME_WAIT. Where the kernel does not want to, the
/// connection ends by itself.
fn close_at_once(stream: &TcpStream) {
    let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    let _may_be_refused = nix::sys::socket::setsockopt(stream, nix::sys::socket::sockopt::Linger, &linger);
}
