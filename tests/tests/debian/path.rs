//! Kinds of network device that development machines' kernels often lack, made in a kernel that has them all.

use anyhow::ensure;
use tierprobe_model::record::Record;
use tierprobe_tests::guest::Guest;

use super::{gauge, measure};

/// A kind, how `ip link add NAME …` makes it, and what it adds to a packet: by its headers, and by its MTU.
type Device = (&'static str, &'static str, Option<f64>, Option<f64>);

/// As many at a time as the agent takes peers.
const DEVICES: [[Device; 4]; 2] = [
    [
        ("geneve", "type geneve id 42 remote 10.99.0.2", Some(50.0), Some(50.0)),
        ("ipip", "type ipip local 10.99.0.1 remote 10.99.0.2", Some(20.0), Some(20.0)),
        ("gre", "type gre local 10.99.0.1 remote 10.99.0.2", None, Some(24.0)),
        ("wireguard", "type wireguard", None, None),
    ],
    [
        ("geneve", "type geneve id 43 remote fd99::2", Some(70.0), Some(70.0)),
        ("ipvlan", "link veth0 type ipvlan", Some(0.0), Some(0.0)),
        ("vlan", "link veth0 type vlan id 7", Some(4.0), Some(0.0)),
        ("dummy", "type dummy", Some(0.0), None),
    ],
];

const PAIR: &str = "ip link add veth0 type veth peer name veth1 && ip link set veth1 up && ip link set veth0 up \
    && ip addr add 10.99.0.1/24 dev veth0 && ip addr add fd99::1/64 dev veth0 nodad";

fn kind(record: &Record, path: &str) -> Option<String> {
    let is = |gauge: &&tierprobe_model::record::GaugeRecord| {
        gauge.name == "tierprobe_network_path_info"
            && gauge.labels.get("path").is_some_and(|label| label == path)
    };
    record.gauges.iter().find(is)?.labels.get("kind").cloned()
}

/// Each is called what it was made as, and costs what it adds.
pub(super) fn is_called_what_it_is(guest: &mut Guest) -> anyhow::Result<()> {
    guest.output(PAIR)?;
    let mut wrong = Vec::new();
    for devices in DEVICES {
        let mut flags = "--rounds 1 --probe network".to_owned();
        for (number, (_, made, _, _)) in devices.iter().enumerate() {
            guest.output(&format!(
                "ip link add dev{number} {made} && ip addr add 10.98.{number}.1/24 dev dev{number} \
                 && ip link set dev{number} up"
            ))?;
            flags.push_str(&format!(" --probe.network.peer=way_{number}=10.98.{number}.2:9"));
        }
        let record = measure(guest, &flags)?;
        for (number, (made_as, made, headers, mtu)) in devices.iter().enumerate() {
            let path = format!("way_{number}");
            let overhead =
                |by| gauge(&record, "tierprobe_network_path_overhead_bytes", &[("path", &path), ("by", by)]);
            let found = (kind(&record, &path), overhead("headers"), overhead("mtu"));
            if found != (Some((*made_as).to_owned()), *headers, *mtu) {
                wrong.push(format!("{made_as} {made}: {found:?}"));
            }
            guest.output(&format!("ip link del dev{number}"))?;
        }
    }
    guest.output("ip link del veth0")?;
    ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(())
}
