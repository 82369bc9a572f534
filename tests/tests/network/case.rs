//! Places where something is missing, and peers that misbehave.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use tierprobe_agent::echo::message::{SHORTEST, answer};
use tierprobe_model::record::{Outcome, Record};
use tierprobe_tests::binary;
use tierprobe_tests::namespace::Namespace;
use tierprobe_tests::need::need;

use crate::said::{agent, alone, gauge, info, outcome, record, rounds};

const ONE_ROUND: &[&str] = &["--rounds=1", "--probe=network", "--probe=netfilter"];

#[test]
fn a_host_with_ipv6_alone_is_measured_over_it() {
    let _alone = alone();
    let Some(namespace) = Namespace::new() else { return };
    namespace.ip(&["addr", "del", "127.0.0.1/8", "dev", "lo"]);
    let record = record(namespace.command(binary::agent().to_str().unwrap()), ONE_ROUND);
    assert_eq!(outcome(&record, "network").0, Outcome::Ok);
    assert_eq!(info(&record, "loopback", "address_family").as_deref(), Some("ipv6"));
    for protocol in ["udp", "tcp"] {
        let labels = [("path", "loopback"), ("protocol", protocol), ("placement", "same_cpu")];
        assert_eq!(rounds(&record, "tierprobe_network_round_trip_seconds", &labels).len(), 1);
        let full = gauge(&record, "tierprobe_network_full_packet_median_seconds", &[("protocol", protocol)]);
        assert!(full.is_some_and(|seconds| (1e-7..1.0).contains(&seconds)), "{full:?}");
    }
}

#[test]
fn without_a_loopback_interface_there_is_none_to_measure_but_peers_are() {
    let _alone = alone();
    let (Some(here), Some(there)) = (Namespace::without_loopback(), Namespace::new()) else { return };
    here.join(&there);
    let program = binary::agent().to_str().unwrap();
    let alone = record(here.command(program), ONE_ROUND);
    let (ended, why) = outcome(&alone, "network");
    assert_eq!(ended, Outcome::Unsupported);
    assert!(why.contains("is the interface lo up?"), "{why}");
    assert!(rounds(&alone, "tierprobe_network_round_trip_seconds", &[]).is_empty());

    let (_echo, _) = there.enter(|| crate::said::echo(agent(), "10.99.0.2:10992"));
    let peer = "--probe.network.peer=pair=10.99.0.2:10992";
    let with = record(here.command(program), &[ONE_ROUND, &[peer]].concat());
    assert_eq!(outcome(&with, "network").0, Outcome::Ok);
    assert!(!rounds(&with, "tierprobe_network_round_trip_seconds", &[("path", "pair")]).is_empty());
    assert!(rounds(&with, "tierprobe_network_round_trip_seconds", &[("path", "loopback")]).is_empty());
    let check = here.command(program).args(["check", peer]).output().unwrap();
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(said.lines().any(|line| line.contains("absent ") && line.contains("over loopback")), "{said}");

    // One that was up keeps its address, and may come up again.
    here.ip(&["link", "set", "lo", "up"]);
    here.ip(&["link", "set", "lo", "down"]);
    let down = record(here.command(program), ONE_ROUND);
    let (ended, why) = outcome(&down, "network");
    assert_eq!(ended, Outcome::Failed);
    assert!(why.contains("is the interface lo up?"), "{why}");
}

#[test]
fn without_the_capability_packet_filters_are_left_alone() {
    let _alone = alone();
    let (Some(setpriv), Some(unshare)) = (need("setpriv"), need("unshare")) else { return };
    let (Some(here), Some(there)) = (Namespace::new(), Namespace::new()) else { return };
    here.join(&there);
    let program = binary::agent().to_str().unwrap();
    let mut command = here.command(setpriv.to_str().unwrap());
    command.args(["--bounding-set=-net_admin", "--inh-caps=-net_admin", program]);
    let flags = [ONE_ROUND, &["--probe.network.peer=pair=10.99.0.2:9"]].concat();
    let without = record(command, &flags);
    let (ended, why) = outcome(&without, "netfilter");
    assert!(ended == Outcome::Unsupported && why.contains("CAP_NET_ADMIN"), "{ended}: {why}");
    assert_eq!(gauge(&without, "tierprobe_netfilter_rewrites_total", &[]), None);
    assert_eq!(outcome(&without, "network").0, Outcome::Ok);
    assert_eq!(info(&without, "pair", "kind").as_deref(), Some("veth"), "this needs no capability");

    // All capabilities, but in a user namespace that the network does not belong to.
    let mut command = here.command(unshare.to_str().unwrap());
    command.args(["-Ur", program]);
    let elsewhere = record(command, ONE_ROUND);
    let (ended, why) = outcome(&elsewhere, "netfilter");
    assert!(ended == Outcome::Unsupported && why.contains("owner"), "{ended}: {why}");
}

/// A peer that does something else than to echo.
fn fake(
    udp: impl Fn(&UdpSocket) + Send + 'static,
    tcp: impl Fn(&TcpListener) + Send + 'static,
) -> SocketAddr {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let Ok(socket) = UdpSocket::bind(address) else { continue };
        // They end with the test's process.
        std::thread::spawn(move || udp(&socket));
        std::thread::spawn(move || tcp(&listener));
        return address;
    }
}

fn count(record: &Record, path: &str, outcome: &str) -> f64 {
    let labels = [("path", path), ("outcome", outcome)];
    gauge(record, "tierprobe_network_exchanges_total", &labels).unwrap_or(0.0)
}

#[test]
fn peers_that_misbehave_cost_a_round_no_more_than_its_time() {
    let _alone = alone();
    let forever = || std::thread::sleep(Duration::from_secs(3600));
    let silent = fake(move |_| forever(), move |_| forever());
    let garbage = fake(
        |socket| {
            while let Ok((_, from)) = socket.recv_from(&mut [0; 9100]) {
                // More than one, of which none is a reply, and more than was asked for.
                for length in [0, 1, SHORTEST, 2000] {
                    let _gone = socket.send_to(&vec![0xa5; length], from);
                }
            }
        },
        |listener| {
            while let Ok((mut stream, _)) = listener.accept() {
                let _gone = stream.write_all(&[0xa5; 9100]);
            }
        },
    );
    // The reply to each message comes when nobody waits for it any more; on connections one byte at a time.
    let late = fake(
        |socket| {
            let mut message = [0; 9100];
            while let Ok((length, from)) = socket.recv_from(&mut message) {
                let mut reply = message[..length].to_vec();
                answer(&mut reply, None, "").unwrap();
                let socket = socket.try_clone().unwrap();
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(300));
                    socket.send_to(&reply, from)
                });
            }
        },
        |listener| {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut message = vec![0; SHORTEST];
                if stream.read_exact(&mut message).is_ok() && answer(&mut message, None, "").is_some() {
                    for byte in message {
                        std::thread::sleep(Duration::from_millis(50));
                        if stream.write_all(&[byte]).is_err() {
                            break;
                        }
                    }
                }
            }
        },
    );
    // Nobody serves tcpmux; a free port that the kernel names would be anybody's a moment later.
    let refusing = SocketAddr::from(([127, 0, 0, 1], 1));
    let mut flags = vec!["--rounds=2".to_owned(), "--probe=network".to_owned(), "--pause=10ms".to_owned()];
    for (name, address) in [("silent", silent), ("garbage", garbage), ("late", late), ("refusing", refusing)]
    {
        flags.push(format!("--probe.network.peer={name}={address}"));
    }
    let begin = Instant::now();
    let record = record(agent(), &flags.iter().map(String::as_str).collect::<Vec<_>>());
    let elapsed = begin.elapsed();
    assert_eq!(outcome(&record, "network").0, Outcome::Ok);
    // Three seconds a round at most, and what the rest of the program takes.
    assert!(elapsed < Duration::from_secs(2 * 3 + 5), "{elapsed:?}");
    for path in ["silent", "refusing", "garbage", "late"] {
        // Those that listen have a kernel that takes connections; that is not the peer.
        assert_eq!(gauge(&record, "tierprobe_network_peer_up", &[("path", path)]), Some(0.0), "{path}");
        let none = rounds(&record, "tierprobe_network_round_trip_seconds", &[("path", path)]);
        assert!(none.is_empty(), "{path}: what was not answered in time is no sample");
    }
    assert!(count(&record, "silent", "lost") > 0.5);
    assert!(count(&record, "refusing", "refused") > 0.5);
    assert!(count(&record, "garbage", "garbage") > 3.5, "{}", count(&record, "garbage", "garbage"));
    assert!(count(&record, "late", "lost") > 0.5);
    let loopback = rounds(&record, "tierprobe_network_round_trip_seconds", &[("path", "loopback")]);
    assert!(!loopback.is_empty(), "the others are measured");
}

#[test]
fn a_reply_that_comes_again_is_not_taken_for_the_next_one() {
    let _alone = alone();
    let twice = fake(
        |socket| {
            let mut message = [0; 9100];
            while let Ok((length, from)) = socket.recv_from(&mut message) {
                let reply = &mut message[..length];
                if answer(reply, None, "").is_some() {
                    let _sent = socket.send_to(reply, from).and_then(|_| socket.send_to(reply, from));
                }
            }
        },
        drop_all,
    );
    let peer = format!("--probe.network.peer=twice={twice}");
    let record = record(agent(), &["--rounds=1", "--probe=network", &peer]);
    let labels = [("path", "twice"), ("protocol", "udp"), ("placement", "remote")];
    assert_eq!(rounds(&record, "tierprobe_network_round_trip_seconds", &labels).len(), 2, "short and long");
    assert!(count(&record, "twice", "late") > 10.0, "{}", count(&record, "twice", "late"));
    assert_eq!(gauge(&record, "tierprobe_network_peer_up", &[("path", "twice")]), Some(1.0));
}

fn drop_all(listener: &TcpListener) {
    while listener.accept().is_ok() {}
}
