//! # What is measured
//!
//! The full round trip of a message over UDP and on an open TCP connection, and the time of a TCP `connect`.
//!
//! Over the loopback interface (`path="loopback"`) two threads play it, each pinned: on one CPU (`same_cpu`: the cost of
//! the network stack) and on two (`cross_cpu`: with the wake-up of an idle CPU), with 64 bytes. Each round trip is
//! timed alone; the first one of a round is the cold one, the second is thrown away, eleven more count, five across CPUs.
//! On one CPU messages that fill a packet of 1500 bytes follow, of which the median of five is told: what only copying
//! costs, and the control of what longer messages to a peer cost. Across CPUs it would drown in the wake-ups.
//! A host without IPv4 is measured over `::1`.
//!
//! To each configured peer, the echo service of another agent, with 64 bytes and with as many as fit into one packet
//! of the path (`size="mtu"`, 9000 bytes of packet at most). The reply says which kernel and which CPU answered: a peer on
//! another kernel is `remote`; on this one each sample is `same_cpu` or `cross_cpu` by where it was answered, because
//! the echoing thread goes where the scheduler wants it. Seven samples of each kind after the cold one and two of
//! warm-up, none of warm-up where the way takes longer than 2 ms.
//! A reply later than 250 ms is lost; replies to earlier messages, and what is no reply, are counted and waited past.
//! A peer has three quarters of a second a round, all of them two seconds; one that does not answer is left alone
//! for one, three, then seven rounds. The peers' addresses are looked up once, when the agent starts.
//!
//! What leads to each: the kind of the first device of the route (by netlink, or `/proc/net` and `/sys` where that is
//! forbidden), the one below it, its MTU, and how many bytes a tunnel adds: by its headers, and by how much smaller
//! its packets are than those of the device below.
//!
//! # What distorts it
//!
//! Unpinned, the same test swings fourfold from run to run: it is not published. Firewall rules cost each packet;
//! connection tracking and NAT rules cost new connections only, which `connect` shows. Loopback passes no virtual
//! network device: it is the floor below every other path.
//! Both CPUs have been left alone for 60 ms before messages go across: the round trip is that of an idle machine. Where
//! the kernel is still freeing what was closed before, an idle CPU keeps its timer tick and wakes sooner; without the
//! pause a round trip took a quarter less on one virtual machine.
//! The far end is part of a peer's round trip: its load, its idle states, and the wake-up of its echoing thread, which
//! is not pinned. What is lost is in no quantile, so that a way that loses much looks faster than it is: read
//! `tierprobe_network_exchanges_total` beside it. An own kernel on the far side is only recognised by its boot id.
//! By files alone, macvlan, ipvlan, dummy and a pair whose ends have the same number are `other`. Only the first device of a route shows: from within a pod a whole overlay looks like `veth`. Options of Geneve and
//! GRE are in no header length. Policy routing by mark or port is not followed.
//!
//! # Cost
//!
//! Over loopback 20 round trips a protocol on one CPU, 7 across, 7 connections: 2 to 4 ms of CPU time, every 15 s.
//! A peer costs 40 round trips and 10 connections: 1 to 1.5 ms of CPU time, and up to 220 series on the same kernel, 125 on
//! another one. Four peers at most.

pub(super) mod answer;
pub(super) mod loopback;
mod path;
pub(super) mod peer;
pub mod settings;

use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::Duration;

use tierprobe_model::{Family, Kind};

use super::partner::{IDLE, Partner};
use super::{Helpers, Placement, Probe, ProbeError, Round, Site, Spec};
use crate::host::HostFs;
use crate::measure::{Plan, Samples, Summary};
use crate::sys::clock;
use loopback::Course;
use path::Path;
use peer::State;

const ROUND_TRIP: Family = Family {
    name: "tierprobe_network_round_trip_seconds",
    help: "Time from sending a message to having it back from whoever echoes it, warmed up.",
    kind: Kind::Duration,
    labels: &["protocol", "path", "placement", "size"],
};
const ROUND_TRIP_COLD: Family = Family {
    name: "tierprobe_network_round_trip_cold_seconds",
    help: "Time of the first round trip of its kind in the round; UDP on one CPU comes first.",
    kind: Kind::Gauge,
    labels: &["protocol", "path", "placement", "size"],
};
const FULL_PACKET: Family = Family {
    name: "tierprobe_network_full_packet_median_seconds",
    help: "Round trip over loopback on one CPU of a message that fills a packet of 1500 bytes; median.",
    kind: Kind::Gauge,
    labels: &["protocol"],
};
const CONNECT: Family = Family {
    name: "tierprobe_network_connect_seconds",
    help: "Time of a TCP connect, warmed up.",
    kind: Kind::Duration,
    labels: &["path", "placement"],
};
const CONNECT_COLD: Family = Family {
    name: "tierprobe_network_connect_cold_seconds",
    help: "Time of the first TCP connect of the round, after the round trips.",
    kind: Kind::Gauge,
    labels: &["path", "placement"],
};
const EXCHANGES: Family = Family {
    name: "tierprobe_network_exchanges_total",
    help: "Messages and connections to a peer by what became of them; outcomes that have not occurred are absent.",
    kind: Kind::Counter,
    labels: &["path", "outcome"],
};
const PEER_UP: Family = Family {
    name: "tierprobe_network_peer_up",
    help: "Whether the peer answered a message in the last round that asked it.",
    kind: Kind::Gauge,
    labels: &["path"],
};
const PATH_INFO: Family = Family {
    name: "tierprobe_network_path_info",
    help: "What the route's first device is, what is below it, and the driver; always 1.",
    kind: Kind::Info,
    labels: &["path", "kind", "lower", "driver", "address_family"],
};
const PATH_MTU: Family = Family {
    name: "tierprobe_network_path_mtu_bytes",
    help: "Largest packet that the route's first device takes.",
    kind: Kind::Gauge,
    labels: &["path"],
};
const PATH_OVERHEAD: Family = Family {
    name: "tierprobe_network_path_overhead_bytes",
    help: "What a tunnel adds to each packet: by its headers, and by its MTU against that of the device below.",
    kind: Kind::Gauge,
    labels: &["path", "by"],
};

/// Network round trips.
pub(super) const SPEC: Spec = Spec {
    name: "network",
    measures: "UDP and TCP round trip and TCP connect over loopback and to peers; the kind of path to them",
    interval: super::USUAL_INTERVAL,
    operations: Some(1),
    measures_waiting: false,
    families: &[
        &ROUND_TRIP,
        &ROUND_TRIP_COLD,
        &FULL_PACKET,
        &CONNECT,
        &CONNECT_COLD,
        &EXCHANGES,
        &PEER_UP,
        &PATH_INFO,
        &PATH_MTU,
        &PATH_OVERHEAD,
    ],
    prepare,
};

/// Most series that a peer adds: eight round trips and a connect, of 22 series and a cold one each, and a few more.
pub const MOST_SERIES_OF_A_PEER: usize = 220;

/// What the path within the machine is called.
const LOOPBACK: &str = "loopback";

const SAME_CPU: Plan = Plan { operations: 1, warm_up: 1, samples: 11 };
const CROSS_CPU: Plan = Plan { operations: 1, warm_up: 1, samples: 5 };
/// Of the messages that fill a packet.
const FULL: Plan = Plan { operations: 1, warm_up: 1, samples: 5 };

/// Bytes of the short message.
pub(super) const SHORT_BYTES: usize = 64;

/// The largest packet that is sent to a peer, and over loopback.
const LARGEST_PACKET: u32 = 9000;
const LARGEST_LOOPBACK_PACKET: u32 = 1500;

/// Time in which a peer's turn may begin, so that all of them take two seconds a round at most: the last one has its own
/// time, and may wait for one more reply at the end of it.
const PEERS_TIME_NANOS: u64 = 2_000_000_000 - peer::TIME_NANOS - peer::exchange::TIMEOUT_NANOS;

/// Bytes of a message that fill one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sizes {
    udp: usize,
    tcp: usize,
}

impl Sizes {
    /// Those of a packet of `mtu` bytes to `address`, headers included.
    fn of(address: IpAddr, mtu: u32) -> Self {
        let ip = if address.is_ipv4() { 20 } else { 40 };
        let packet = usize::try_from(mtu.min(LARGEST_PACKET)).unwrap_or(0);
        // TCP has twelve bytes of options, for its timestamps.
        let of = |headers: usize| packet.saturating_sub(ip + headers).max(SHORT_BYTES);
        Self { udp: of(8), tcp: of(20 + 12) }
    }
}

fn prepare(site: &Site<'_>) -> Result<Box<dyn Probe>, ProbeError> {
    let boot_id = site.fs.text("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Ok(Box::new(Network {
        fs: site.fs.clone(),
        boot_id: boot_id.trim().to_owned(),
        partner: None,
        peers: site.settings.network.peers.iter().cloned().map(State::new).collect(),
        rounds: 0,
    }))
}

struct Network {
    fs: HostFs,
    boot_id: String,
    /// The thread at the other end; started by the first round, ended with the probe.
    partner: Option<Partner>,
    peers: Vec<State>,
    rounds: usize,
}

impl Probe for Network {
    fn measure(&mut self, placement: Placement) -> Result<Round, ProbeError> {
        let mut round = Round::default();
        match self.loopback(placement, &mut round) {
            Ok(()) => {}
            Err(error) if self.peers.is_empty() => return Err(error),
            // The peers are there nevertheless.
            Err(error) => round.absent.push(error.to_string()),
        }
        self.peers(placement, &mut round);
        Ok(round)
    }

    fn feels_pressure(&mut self) -> bool {
        true
    }

    fn take_helpers(&mut self) -> Helpers {
        self.partner.as_mut().map_or_else(Helpers::default, Partner::take)
    }
}

impl Network {
    fn loopback(&mut self, placement: Placement, round: &mut Round) -> Result<(), ProbeError> {
        let address = loopback::address().map_err(|error| explain("a socket", &error))?;
        let partner = Partner::in_place(&mut self.partner)?;
        let short = Sizes { udp: SHORT_BYTES, tcp: SHORT_BYTES };
        let here = Course { cpu: placement.cpu, pause: Duration::ZERO, plan: SAME_CPU };
        let across = placement.other.map(|cpu| Course { cpu, pause: IDLE, plan: CROSS_CPU });
        add_round_trips(round, "same_cpu", exchange(partner, address, here, short)?);
        let full = Sizes::of(address, LARGEST_LOOPBACK_PACKET);
        for (protocol, samples) in exchange(partner, address, Course { plan: FULL, ..here }, full)? {
            if let Some(summary) = Summary::of(samples) {
                round.gauge(&FULL_PACKET, [protocol.to_owned()], summary.quantiles.p50);
            }
        }
        if let Some(across) = across {
            add_round_trips(round, "cross_cpu", exchange(partner, address, across, short)?);
        }
        let connect = loopback::connect(address).map_err(|error| explain("TCP connect", &error))?;
        round.add(&CONNECT, Some(&CONNECT_COLD), [LOOPBACK, "same_cpu"], connect);
        match path::find(&self.fs, address) {
            Ok(path) => add_path(round, LOOPBACK, &path, address),
            Err(reason) => round.absent.push(format!("path to loopback: {reason}")),
        }
        Ok(())
    }

    /// Each peer in turn; who is first changes from round to round, so that slow ones do not always crowd out the same.
    fn peers(&mut self, placement: Placement, round: &mut Round) {
        let end = clock::monotonic_nanos() + PEERS_TIME_NANOS;
        let count = self.peers.len();
        self.rounds = self.rounds.wrapping_add(1);
        for turn in 0..count {
            let Some(peer) = self.peers.get_mut((self.rounds + turn) % count) else { continue };
            let may_ask = clock::monotonic_nanos() < end;
            peer.measure(&self.fs, &self.boot_id, placement, may_ask, round);
        }
    }
}

/// Messages over loopback, by protocol.
fn exchange(
    partner: &mut Partner,
    address: IpAddr,
    course: Course,
    bytes: Sizes,
) -> Result<[(&'static str, Samples); 2], ProbeError> {
    let udp = loopback::udp(partner, address, course, bytes.udp).map_err(|error| explain("UDP", &error))?;
    let tcp = loopback::tcp(partner, address, course, bytes.tcp).map_err(|error| explain("TCP", &error))?;
    Ok([("udp", udp), ("tcp", tcp)])
}

/// Adds short messages over loopback.
fn add_round_trips(round: &mut Round, placement: &'static str, both: [(&'static str, Samples); 2]) {
    for (protocol, samples) in both {
        round.add(&ROUND_TRIP, Some(&ROUND_TRIP_COLD), [protocol, LOOPBACK, placement, "64"], samples);
    }
}

/// Adds what a path is.
fn add_path(round: &mut Round, name: &str, path: &Path, address: IpAddr) {
    let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
    let lower = path.lower.map_or("", path::Kind::as_str);
    let labels = [name, path.kind.as_str(), lower, &path.driver, family].map(str::to_owned);
    round.gauge(&PATH_INFO, labels, 1.0);
    if let Some(mtu) = path.mtu {
        round.gauge(&PATH_MTU, [name.to_owned()], f64::from(mtu));
    }
    // That loopback adds nothing goes without saying.
    let headers = path.headers.filter(|_| path.kind != path::Kind::Loopback);
    for (by, bytes) in [("headers", headers), ("mtu", path.mtu_difference)] {
        if let Some(bytes) = bytes {
            round.gauge(&PATH_OVERHEAD, [name.to_owned(), by.to_owned()], f64::from(bytes));
        }
    }
}

/// A network namespace whose loopback interface is down is a place without loopback, not a failure.
fn explain(what: &str, error: &std::io::Error) -> ProbeError {
    if matches!(error.kind(), ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable) {
        return ProbeError::unsupported(format!("{what} over loopback: {error}; is the interface lo up?"));
    }
    // One that was up before keeps its address and loses all packets.
    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
        return ProbeError::failed(what, "no answer over loopback in time; is the interface lo up?");
    }
    ProbeError::failed(&format!("{what} over loopback"), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_fills_one_packet_and_no_more() {
        let (v4, v6) = ("10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap());
        assert_eq!(Sizes::of(v4, 1500), Sizes { udp: 1472, tcp: 1448 });
        assert_eq!(Sizes::of(v6, 1500), Sizes { udp: 1452, tcp: 1428 });
        assert_eq!(Sizes::of(v4, 65_536), Sizes { udp: 8972, tcp: 8948 });
        assert_eq!(Sizes::of(v6, 68), Sizes { udp: SHORT_BYTES, tcp: SHORT_BYTES });
    }
}
