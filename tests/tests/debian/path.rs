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

fn info(record: &Record, path: &str, label: &str) -> Option<String> {
    let is = |gauge: &&tierprobe_model::record::GaugeRecord| {
        gauge.name == "tierprobe_network_path_info"
            && gauge.labels.get("path").is_some_and(|known| known == path)
    };
    record.gauges.iter().find(is)?.labels.get(label).cloned()
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
            let found = (info(&record, &path, "kind"), overhead("headers"), overhead("mtu"));
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

/// Two cards on one wire that leads nowhere. The kernel of clouds has drivers for no others that QEMU emulates.
pub(super) const CARDS: [&str; 8] = [
    "-netdev",
    "hubport,id=wire0,hubid=0",
    "-device",
    "virtio-net-pci,netdev=wire0",
    "-netdev",
    "hubport,id=wire1,hubid=0",
    "-device",
    "vmxnet3,netdev=wire1",
];

/// By its driver, which is told too; by netlink as by files alone.
pub(super) fn a_card_is_called_what_its_driver_is_for(guest: &mut Guest) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for (number, (driver, expected)) in [("virtio_net", "virtio"), ("vmxnet3", "vmware")].iter().enumerate() {
        guest.output(&format!("modprobe {driver}"))?;
        let find = format!(
            "for card in /sys/class/net/*; do [ \"$(basename \"$(readlink $card/device/driver)\")\" = {driver} ] \
             && basename $card; done; true"
        );
        let card = guest.output(&find)?.trim().to_owned();
        ensure!(!card.is_empty(), "no card of {driver}: {}", guest.output("ls -l /sys/class/net")?);
        guest.output(&format!("ip addr add 10.97.{number}.1/24 dev {card} && ip link set {card} up"))?;
        for more in ["", "--path.rootfs /"] {
            let flags =
                format!("--rounds 1 --probe network --probe.network.peer=card=10.97.{number}.2:9 {more}");
            let record = measure(guest, &flags)?;
            let found = (info(&record, "card", "kind"), info(&record, "card", "driver"));
            if found != (Some((*expected).to_owned()), Some((*driver).to_owned())) {
                wrong.push(format!("{driver} {more}: {found:?}"));
            }
        }
        guest.output(&format!("ip link set {card} down && ip addr flush dev {card}"))?;
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(())
}
