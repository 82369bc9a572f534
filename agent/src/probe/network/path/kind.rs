//! From what the kernel says of a device to what kind it is. Pure.

use super::link::{Link, Outer};

/// What a way's device is: a closed set of label values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Loopback,
    Veth,
    Netkit,
    Bridge,
    Openvswitch,
    Vxlan,
    Geneve,
    Ipip,
    Sit,
    Gre,
    Wireguard,
    Macvlan,
    Ipvlan,
    Vlan,
    Bond,
    Tun,
    Dummy,
    Virtio,
    SrIov,
    Xen,
    Hyperv,
    Vmware,
    Physical,
    Other,
}

impl Kind {
    /// The label value.
    pub(in super::super) const fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Veth => "veth",
            Self::Netkit => "netkit",
            Self::Bridge => "bridge",
            Self::Openvswitch => "openvswitch",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Ipip => "ipip",
            Self::Sit => "sit",
            Self::Gre => "gre",
            Self::Wireguard => "wireguard",
            Self::Macvlan => "macvlan",
            Self::Ipvlan => "ipvlan",
            Self::Vlan => "vlan",
            Self::Bond => "bond",
            Self::Tun => "tun",
            Self::Dummy => "dummy",
            Self::Virtio => "virtio",
            Self::SrIov => "sr_iov",
            Self::Xen => "xen",
            Self::Hyperv => "hyperv",
            Self::Vmware => "vmware",
            Self::Physical => "physical",
            Self::Other => "other",
        }
    }

    /// What a link is: by the kind that it was made as, by its hardware type, by its driver.
    pub(super) fn of(link: &Link) -> Self {
        let made = link.made_as.as_deref().and_then(made_as);
        made.or_else(|| by_hardware_type(link.hardware_type)).unwrap_or_else(|| by_device(link))
    }
}

/// `IFLA_INFO_KIND` as in `ip link add … type KIND`, and `DEVTYPE` of `uevent`, which are the same words. `None` for
/// other words, some of which are about hardware.
fn made_as(kind: &str) -> Option<Kind> {
    Some(match kind {
        "veth" => Kind::Veth,
        "netkit" => Kind::Netkit,
        "bridge" => Kind::Bridge,
        "openvswitch" => Kind::Openvswitch,
        "vxlan" => Kind::Vxlan,
        "geneve" => Kind::Geneve,
        "ipip" => Kind::Ipip,
        "sit" => Kind::Sit,
        "gre" | "gretap" | "ip6gre" | "ip6gretap" | "erspan" | "ip6erspan" => Kind::Gre,
        "wireguard" => Kind::Wireguard,
        "macvlan" | "macvtap" => Kind::Macvlan,
        "ipvlan" | "ipvtap" => Kind::Ipvlan,
        "vlan" => Kind::Vlan,
        "bond" | "team" => Kind::Bond,
        "tun" => Kind::Tun,
        "dummy" => Kind::Dummy,
        _ => return None,
    })
}

/// `ARPHRD_*` (`linux/if_arp.h`), where it says enough.
const fn by_hardware_type(hardware_type: Option<u32>) -> Option<Kind> {
    match hardware_type {
        Some(772) => Some(Kind::Loopback),
        Some(768) => Some(Kind::Ipip),
        Some(776) => Some(Kind::Sit),
        Some(778 | 823) => Some(Kind::Gre),
        _ => None,
    }
}

/// Drivers of virtual functions alone: their devices are a share of a card even where nothing else shows it, as in a
/// guest that was given one.
const OF_VIRTUAL_FUNCTIONS: &[&str] =
    &["iavf", "i40evf", "igbvf", "ixgbevf", "fm10k_vf", "hinicvf", "nicvf", "ena"];

fn by_device(link: &Link) -> Kind {
    match link.driver.as_deref() {
        _ if link.is_virtual_function => Kind::SrIov,
        Some(driver) if OF_VIRTUAL_FUNCTIONS.contains(&driver) => Kind::SrIov,
        Some("virtio_net") => Kind::Virtio,
        Some("vif" | "xen_netfront" | "netfront") => Kind::Xen,
        Some("hv_netvsc") => Kind::Hyperv,
        Some("vmxnet3") => Kind::Vmware,
        Some("tun") => Kind::Tun,
        Some(_) => Kind::Physical,
        None if link.is_tun => Kind::Tun,
        None if link.is_bridge => Kind::Bridge,
        None if link.has_device => Kind::Physical,
        // Its other end has another index, and nothing is below it.
        None if link.has_twin && link.made_as.is_none() => Kind::Veth,
        None => Kind::Other,
    }
}

/// Bytes that a device of this kind puts in front of each packet, with an outer packet of this family. Zero where it
/// puts nothing in front.
pub(super) const fn header_bytes(kind: Kind, outer: Outer) -> Option<u32> {
    /// UDP, the tunnel's own header, and the inner Ethernet header.
    const UDP_TUNNEL: u32 = 8 + 8 + 14;
    /// UDP, WireGuard's header and its tag; packets are padded to 16 bytes besides.
    const WIREGUARD: u32 = 8 + 16 + 16;
    let ip = match outer {
        Outer::V4 => Some(20),
        Outer::V6 => Some(40),
        Outer::Unknown => None,
    };
    match (kind, ip) {
        // Options of Geneve come on top, and differ from packet to packet.
        (Kind::Vxlan | Kind::Geneve, Some(ip)) => Some(ip + UDP_TUNNEL),
        (Kind::Wireguard, Some(ip)) => Some(ip + WIREGUARD),
        // Both only go over IPv4.
        (Kind::Ipip | Kind::Sit, _) => Some(20),
        (Kind::Vlan, _) => Some(4),
        (Kind::Vxlan | Kind::Geneve | Kind::Wireguard, None) | (Kind::Gre | Kind::Tun | Kind::Other, _) => {
            None
        }
        _ => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tunnel_costs_its_headers() {
        for (kind, outer, bytes) in [
            (Kind::Vxlan, Outer::V4, Some(50)),
            (Kind::Vxlan, Outer::V6, Some(70)),
            (Kind::Vxlan, Outer::Unknown, None),
            (Kind::Geneve, Outer::V4, Some(50)),
            (Kind::Ipip, Outer::V4, Some(20)),
            (Kind::Wireguard, Outer::V4, Some(60)),
            (Kind::Wireguard, Outer::V6, Some(80)),
            (Kind::Vlan, Outer::Unknown, Some(4)),
            (Kind::Veth, Outer::Unknown, Some(0)),
            (Kind::Gre, Outer::V4, None),
        ] {
            assert_eq!(header_bytes(kind, outer), bytes, "{kind:?}");
        }
    }
}
