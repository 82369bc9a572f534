//! Devices of a known kind.

use std::process::Command;

use nix::errno::Errno;
use nix::libc;
use tierprobe_model::record::Record;
use tierprobe_tests::binary;
use tierprobe_tests::confine::seccomp::{self, Refusal};
use tierprobe_tests::namespace::Namespace;

use crate::said::{alone, gauge, info, outcome, record};

/// A device: its kind, how it is made, what it adds to a packet by its headers and by its MTU, what is below it.
struct Device {
    kind: &'static str,
    /// For `ip link add dev0 …`.
    made: &'static str,
    headers: Option<f64>,
    mtu: Option<f64>,
    lower: &'static str,
}

const DEVICES: &[Device] = &[
    Device { kind: "bridge", made: "type bridge", headers: Some(0.0), mtu: None, lower: "" },
    Device {
        kind: "vxlan",
        made: "type vxlan id 42 dstport 4789 local 10.99.0.1 remote 10.99.0.2 dev veth0",
        headers: Some(50.0),
        mtu: Some(50.0),
        lower: "veth",
    },
    Device {
        kind: "vxlan",
        made: "type vxlan id 43 dstport 4790 local fd99::1 remote fd99::2 dev veth0",
        headers: Some(70.0),
        mtu: Some(70.0),
        lower: "veth",
    },
    // Without a device of its own: the route to the other end leads to what is below.
    Device {
        kind: "vxlan",
        made: "mtu 1400 type vxlan id 44 dstport 4791 local 10.99.0.1 remote 10.99.0.2",
        headers: Some(50.0),
        mtu: Some(100.0),
        lower: "veth",
    },
    Device { kind: "vxlan", made: "type vxlan external dstport 4792", headers: None, mtu: None, lower: "" },
    Device {
        kind: "macvlan",
        made: "link veth0 type macvlan mode bridge",
        headers: Some(0.0),
        mtu: Some(0.0),
        lower: "veth",
    },
    Device {
        kind: "ipvlan",
        made: "link veth0 type ipvlan",
        headers: Some(0.0),
        mtu: Some(0.0),
        lower: "veth",
    },
    Device {
        kind: "vlan",
        made: "link veth0 type vlan id 7",
        headers: Some(4.0),
        mtu: Some(0.0),
        lower: "veth",
    },
    Device {
        kind: "geneve",
        made: "type geneve id 42 remote 10.99.0.2",
        headers: Some(50.0),
        mtu: Some(50.0),
        lower: "veth",
    },
    Device {
        kind: "ipip",
        made: "type ipip local 10.99.0.1 remote 10.99.0.2",
        headers: Some(20.0),
        mtu: Some(20.0),
        lower: "veth",
    },
    Device {
        kind: "sit",
        made: "type sit local 10.99.0.1 remote 10.99.0.2",
        headers: Some(20.0),
        mtu: Some(20.0),
        lower: "veth",
    },
    Device {
        kind: "gre",
        made: "type gre local 10.99.0.1 remote 10.99.0.2",
        headers: None,
        mtu: Some(24.0),
        lower: "veth",
    },
    Device { kind: "wireguard", made: "type wireguard", headers: None, mtu: None, lower: "" },
    Device { kind: "dummy", made: "type dummy", headers: Some(0.0), mtu: None, lower: "" },
    Device { kind: "tun", made: "", headers: None, mtu: None, lower: "" },
];

/// Makes the device and a way through it to 10.98.0.2, or says what `ip` does.
fn make(namespace: &Namespace, device: &Device) -> Result<(), String> {
    let made: Vec<&str> = device.made.split(' ').collect();
    if device.kind == "tun" {
        namespace.try_ip(&["tuntap", "add", "dev0", "mode", "tun"])?;
    } else {
        namespace.try_ip(&[&["link", "add", "dev0"], &made[..]].concat())?;
    }
    namespace.ip(&["addr", "add", "10.98.0.1/24", "dev", "dev0"]);
    namespace.ip(&["link", "set", "dev0", "up"]);
    Ok(())
}

/// Whether it is the kernel that has no such devices: `ip` itself knows all of them. Without the module of tun and tap
/// their file is missing.
fn lacks_kind(said: &str) -> bool {
    let without = ["Unknown device type", "Operation not supported", "open: No such file or directory"];
    without.iter().any(|why| said.contains(why))
}

#[test]
fn only_the_kernel_may_lack_a_kind_of_device() {
    let Some(here) = Namespace::new() else { return };
    let refused = |made: &str| {
        let words: Vec<&str> = made.split(' ').collect();
        here.try_ip(&words).unwrap_err()
    };
    assert!(lacks_kind(&refused("link add dev0 type no_such_kind")));
    for mistake in
        ["link add dev0 type vxlan id x", "link add dev0 link nothing type vlan id 7", "link ad dev0"]
    {
        let said = refused(mistake);
        assert!(!lacks_kind(&said), "{mistake}: {said}");
    }
}

/// What the agent says of the way to 10.98.0.2, by netlink, or by files alone.
fn way(namespace: &Namespace, by_files: bool) -> Record {
    let flags = ["--probe", "network", "--rounds", "1", "--probe.network.peer=way=10.98.0.2:9"];
    let more: &[&str] = if by_files { &["--path.rootfs=/"] } else { &[] };
    record(namespace.command(binary::agent().to_str().unwrap()), &[&flags[..], more].concat())
}

#[test]
fn a_way_is_called_what_it_is() {
    let _alone = alone();
    let (Some(here), Some(there)) = (Namespace::new(), Namespace::new()) else { return };
    here.join(&there);
    let mut complaints = Vec::new();
    for device in DEVICES {
        if let Err(said) = make(&here, device) {
            assert!(lacks_kind(&said), "{} {}: {said}", device.kind, device.made);
            println!("this kernel has no {}: {said}", device.kind);
            continue;
        }
        let record = way(&here, false);
        let headers =
            gauge(&record, "tierprobe_network_path_overhead_bytes", &[("path", "way"), ("by", "headers")]);
        let mtu = gauge(&record, "tierprobe_network_path_overhead_bytes", &[("path", "way"), ("by", "mtu")]);
        let found = (info(&record, "way", "kind"), info(&record, "way", "lower"), headers, mtu);
        let lower = Some(device.lower.to_owned());
        let expected = (Some(device.kind.to_owned()), lower, device.headers, device.mtu);
        if found != expected {
            complaints.push(format!("{} {}: {found:?}, not {expected:?}", device.kind, device.made));
        }
        let by_files = info(&way(&here, true), "way", "kind");
        // These have nothing of their own in /sys.
        let expected =
            if ["dummy", "ipvlan", "macvlan"].contains(&device.kind) { "other" } else { device.kind };
        if by_files.as_deref() != Some(expected) {
            complaints.push(format!("{} by files alone: {by_files:?}", device.kind));
        }
        here.ip(&["link", "del", "dev0"]);
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_way_is_found_by_files_where_the_kernel_may_not_be_asked() {
    let _alone = alone();
    let (Some(here), Some(there)) = (Namespace::new(), Namespace::new()) else { return };
    here.join(&there);
    make(&here, &DEVICES[1]).unwrap();
    for errno in [Errno::EPERM, Errno::EACCES] {
        let mut command = here.command(binary::agent().to_str().unwrap());
        // Sockets may be made, to the kernel too, and nothing sent through them.
        let refusal = Refusal { call: libc::SYS_sendto, argument: None, errno };
        seccomp::confine(&mut command, seccomp::refusing(&[refusal]));
        let flags = ["--probe=network", "--rounds=1", "--probe.network.peer=way=10.98.0.2:9"];
        let record = record(command, &flags);
        let kind = info(&record, "way", "kind");
        assert_eq!(kind.as_deref(), Some("vxlan"), "{:?}", outcome(&record, "network"));
        assert_eq!(gauge(&record, "tierprobe_network_path_mtu_bytes", &[("path", "way")]), Some(1450.0));
    }
}

#[test]
fn messages_arrive_through_what_is_made_of_pairs_and_tunnels() {
    let _alone = alone();
    let (Some(here), Some(there)) = (Namespace::new(), Namespace::new()) else { return };
    here.join(&there);
    for (namespace, own, other) in [(&here, 1, 2), (&there, 2, 1)] {
        let made = format!(
            "link add vx0 type vxlan id 42 dstport 4789 local 10.99.0.{own} remote 10.99.0.{other} dev veth0"
        );
        namespace.ip(&made.split(' ').collect::<Vec<_>>());
        namespace.ip(&["addr", "add", &format!("10.97.0.{own}/24"), "dev", "vx0"]);
        namespace.ip(&["link", "set", "vx0", "up"]);
    }
    let addresses = ["10.99.0.2:10992", "[fd99::2]:10992", "10.97.0.2:10992"];
    let start = |address: &str| {
        let agent = || Command::new(binary::agent());
        there.enter(|| crate::said::echo(agent(), address))
    };
    let _echoes = addresses.map(start);
    let flags = [
        "--probe=network",
        "--rounds=3",
        "--probe.network.peer=pair=10.99.0.2:10992",
        "--probe.network.peer=pair_v6=[fd99::2]:10992",
        "--probe.network.peer=tunnel=10.97.0.2:10992",
    ];
    let record = record(here.command(binary::agent().to_str().unwrap()), &flags);
    for (path, kind, family, mtu) in [
        ("pair", "veth", "ipv4", 1500.0),
        ("pair_v6", "veth", "ipv6", 1500.0),
        ("tunnel", "vxlan", "ipv4", 1450.0),
    ] {
        assert_eq!(info(&record, path, "kind").as_deref(), Some(kind));
        assert_eq!(info(&record, path, "address_family").as_deref(), Some(family));
        assert_eq!(gauge(&record, "tierprobe_network_path_mtu_bytes", &[("path", path)]), Some(mtu));
        assert_eq!(gauge(&record, "tierprobe_network_peer_up", &[("path", path)]), Some(1.0));
        // Three rounds of four kinds of round trip and the connects: eight of each, the cold one, and two of warm-up
        // unless that one took long. None is lost.
        let answered =
            gauge(&record, "tierprobe_network_exchanges_total", &[("path", path), ("outcome", "answered")]);
        assert!(answered >= Some(3.0 * 5.0 * 9.0), "{path}: {answered:?}");
        let all: f64 = ["answered", "lost", "refused", "failed", "late", "garbage"]
            .iter()
            .filter_map(|outcome| {
                gauge(&record, "tierprobe_network_exchanges_total", &[("path", path), ("outcome", outcome)])
            })
            .sum();
        assert_eq!(answered, Some(all), "{path}");
        let labels = |placement| [("path", path), ("placement", placement)];
        let elsewhere =
            crate::said::rounds(&record, "tierprobe_network_round_trip_seconds", &labels("remote"));
        assert!(elsewhere.is_empty(), "the kernel is the same");
        let connects = crate::said::rounds(&record, "tierprobe_network_connect_seconds", &labels("same_cpu"));
        assert_eq!(connects.len(), 3);
    }
}
