//! Messages that are held up for a known time.

use std::net::SocketAddr;
use std::time::Duration;

use tierprobe_tests::relay::Relay;

use crate::said::{agent, alone, echo, median, record, rounds, smallest};

const ROUND_TRIP: &str = "tierprobe_network_round_trip_seconds";

/// How long messages to each peer are held up.
const DELAYS: [(&str, Duration); 4] = [
    ("at_once", Duration::ZERO),
    ("hundred_micros", Duration::from_micros(100)),
    ("one_milli", Duration::from_millis(1)),
    ("five_millis", Duration::from_millis(5)),
];

/// What the relay's own waking up may add to the smallest of many round trips, and to the median of medians, on a machine
/// that others use, too. What it cannot do is take something away.
const MOST_ADDED_TO_SMALLEST: f64 = 400e-6;
const MOST_ADDED_TO_MEDIAN: f64 = 2e-3;

#[test]
fn a_round_trip_takes_longer_by_what_was_added() {
    let _alone = alone();
    let (_echo, server) = echo(agent(), "127.0.0.1:0");
    let server: SocketAddr = server.parse().unwrap();
    let relays = DELAYS.map(|(name, delay)| (name, Relay::start(server, delay)));
    let peers: Vec<String> = relays
        .iter()
        .map(|(name, relay)| format!("--probe.network.peer={name}={}", relay.address()))
        .collect();
    let flags = ["--probe", "network", "--rounds", "12", "--pause", "10ms"];
    // All four in each round, in turns: what the machine does besides meets them alike.
    let flags = [&flags[..], &peers.iter().map(String::as_str).collect::<Vec<_>>()].concat();
    let record = record(agent(), &flags);
    for protocol in ["udp", "tcp"] {
        for size in ["64", "mtu"] {
            let of = |name: &str| {
                rounds(&record, ROUND_TRIP, &[("path", name), ("protocol", protocol), ("size", size)])
            };
            let (no_delay, usual) = (smallest(&of("at_once")), median(&of("at_once")));
            let mut before = 0.0;
            for (name, delay) in DELAYS {
                let (least, middle) = (smallest(&of(name)), median(&of(name)));
                println!("{protocol} {size} {name}: min {:.1} µs, p50 {:.1} µs", least * 1e6, middle * 1e6);
                let added = delay.as_secs_f64();
                let said = format!(
                    "{protocol} {size} {name}: min {least}, p50 {middle}; without {no_delay}, {usual}"
                );
                assert!(least >= added && middle >= added, "less than was added: {said}");
                assert!(least <= added + no_delay + MOST_ADDED_TO_SMALLEST, "{said}");
                assert!(middle <= added + usual + MOST_ADDED_TO_MEDIAN, "{said}");
                assert!(least > before, "out of order: {said}");
                before = least;
            }
        }
    }
}
