//! What the kernel says of a network device.

use std::net::IpAddr;

use super::route;
use crate::host::HostFs;
use crate::sys::failure::Failure;
use crate::sys::netlink::{Extent, Netlink, attributes, int, push_attribute, short, text};

/// A device, by what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Device {
    /// Its number.
    Index(u32),
    /// Its name.
    Name(String),
}

/// The family of the packets that a tunnel makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Outer {
    V4,
    V6,
    /// Not known, or differing from packet to packet.
    #[default]
    Unknown,
}

/// A device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) name: String,
    pub(super) mtu: Option<u32>,
    /// What it was made as; absent for what no user made.
    pub(super) made_as: Option<String>,
    /// `ARPHRD_*`.
    pub(super) hardware_type: Option<u32>,
    /// The device that it is on top of, if that is in this network namespace.
    pub(super) lower: Option<Device>,
    /// The other end, of a tunnel with one.
    pub(super) remote: Option<IpAddr>,
    pub(super) outer: Outer,
    /// The driver of the device behind it.
    pub(super) driver: Option<String>,
    /// Whether there is a device behind it at all.
    pub(super) has_device: bool,
    /// Whether that is a share of another one (SR-IOV).
    pub(super) is_virtual_function: bool,
    pub(super) is_bridge: bool,
    pub(super) is_tun: bool,
    /// Whether it says that it belongs to another device.
    pub(super) has_twin: bool,
}

/// What is known of `device`.
///
/// # Errors
///
/// Why nothing is, for people.
pub(super) fn of(fs: &HostFs, netlink: &mut Option<Netlink>, device: &Device) -> Result<Link, String> {
    let mut link = match (route::ask(netlink, |netlink| by_netlink(netlink, device)), device) {
        (Some(Ok(link)), _) => link.ok_or_else(|| format!("{device:?}: no answer"))?,
        (Some(Err(failure)), _) => return Err(format!("{device:?}: {failure}")),
        (None, Device::Name(name)) => by_files(fs, name)?,
        (None, Device::Index(index)) => by_files(fs, &name_of(fs, *index)?)?,
    };
    add_device(fs, &mut link);
    Ok(link)
}

/// `RTM_GETLINK`, and what is in its answer (`linux/if_link.h`).
const RTM_GETLINK: u16 = 18;
const IFINFOMSG_BYTES: usize = 16;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_LINKINFO: u16 = 18;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
/// Leave the counters out.
const SKIP_STATISTICS: u32 = 8;

fn by_netlink(netlink: &mut Netlink, device: &Device) -> Result<Option<Link>, Failure> {
    let mut link = None;
    netlink.ask(RTM_GETLINK, Extent::One, &request(device), |_, body| {
        link = link.take().or_else(|| parse(body));
        true
    })?;
    Ok(link)
}

fn request(device: &Device) -> Vec<u8> {
    let mut body = vec![0; IFINFOMSG_BYTES];
    match device {
        Device::Index(index) => {
            if let Some(place) = body.get_mut(4..8) {
                place.copy_from_slice(&index.to_ne_bytes());
            }
        }
        Device::Name(name) => push_attribute(&mut body, IFLA_IFNAME, &[name.as_bytes(), b"\0"].concat()),
    }
    push_attribute(&mut body, IFLA_EXT_MASK, &SKIP_STATISTICS.to_ne_bytes());
    body
}

/// The link in an answer.
fn parse(body: &[u8]) -> Option<Link> {
    let own = int(body.get(4..)?)?;
    let mut link = Link { hardware_type: short(body.get(2..)?).map(u32::from), ..Link::default() };
    let (mut below, mut is_elsewhere) = (None, false);
    for (kind, value) in attributes(body.get(IFINFOMSG_BYTES..)?) {
        match kind {
            IFLA_IFNAME => link.name = text(value),
            IFLA_MTU => link.mtu = int(value),
            IFLA_LINK => below = int(value).filter(|below| *below != 0 && *below != own),
            IFLA_LINK_NETNSID => is_elsewhere = true,
            IFLA_LINKINFO => add_info(&mut link, value),
            _ => {}
        }
    }
    // The other end of a pair is not below it.
    let is_pair = matches!(link.made_as.as_deref(), Some("veth" | "netkit"));
    if !is_pair && !is_elsewhere && link.lower.is_none() {
        link.lower = below.map(Device::Index);
    }
    Some(link)
}

/// What a kind of link says of itself: which attribute has the device below, and which the two ends.
struct Tunnel {
    kind: &'static str,
    link: Option<u16>,
    ends_v4: &'static [u16],
    ends_v6: &'static [u16],
    /// Set where each packet brings its own ends.
    collects: Option<u16>,
    /// What it is where no end is said.
    otherwise: Outer,
}

/// `IFLA_VXLAN_*`, `IFLA_GENEVE_*`, `IFLA_IPTUN_*` and `IFLA_GRE_*` (`linux/if_link.h`, `linux/if_tunnel.h`). The far end is first.
const TUNNELS: &[Tunnel] = &[
    Tunnel {
        kind: "vxlan",
        link: Some(3),
        ends_v4: &[2, 4],
        ends_v6: &[16, 17],
        collects: Some(25),
        // The kernel takes IPv4 where the user says nothing.
        otherwise: Outer::V4,
    },
    Tunnel {
        kind: "geneve",
        link: None,
        ends_v4: &[2],
        ends_v6: &[7],
        collects: Some(6),
        otherwise: Outer::Unknown,
    },
    Tunnel { kind: "ipip", link: Some(1), ends_v4: &[3], ends_v6: &[], collects: None, otherwise: Outer::V4 },
    Tunnel { kind: "sit", link: Some(1), ends_v4: &[3], ends_v6: &[], collects: None, otherwise: Outer::V4 },
    Tunnel { kind: "gre", link: Some(1), ends_v4: &[7], ends_v6: &[], collects: None, otherwise: Outer::V4 },
    Tunnel {
        kind: "gretap",
        link: Some(1),
        ends_v4: &[7],
        ends_v6: &[],
        collects: None,
        otherwise: Outer::V4,
    },
];

fn add_info(link: &mut Link, info: &[u8]) {
    let find = |wanted: u16| attributes(info).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    link.made_as = find(IFLA_INFO_KIND).map(text);
    let tunnel = TUNNELS.iter().find(|tunnel| Some(tunnel.kind) == link.made_as.as_deref());
    let Some(tunnel) = tunnel else { return };
    let data: Vec<(u16, &[u8])> = attributes(find(IFLA_INFO_DATA).unwrap_or_default()).collect();
    let value = |wanted: u16| data.iter().find(|(kind, _)| *kind == wanted).map(|(_, value)| *value);
    let end = |wanted: &u16| value(*wanted).and_then(address).filter(|address| !address.is_unspecified());
    let v4 = tunnel.ends_v4.iter().find_map(end);
    let v6 = tunnel.ends_v6.iter().find_map(end);
    link.lower = tunnel.link.and_then(value).and_then(int).filter(|below| *below != 0).map(Device::Index);
    link.remote = tunnel.ends_v4.first().and_then(end).or_else(|| tunnel.ends_v6.first().and_then(end));
    link.remote = link.remote.filter(|remote| !remote.is_multicast());
    // A byte in VXLAN, a flag without a value in Geneve.
    let collects = tunnel.collects.and_then(value).is_some_and(|value| value.first() != Some(&0));
    link.outer = match (collects, v4, v6) {
        (true, ..) => Outer::Unknown,
        (false, Some(_), _) => Outer::V4,
        (false, None, Some(_)) => Outer::V6,
        (false, None, None) => tunnel.otherwise,
    };
}

fn address(value: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(value).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from)).ok()
}

/// The name of the device of this number in `/sys/class/net`.
fn name_of(fs: &HostFs, index: u32) -> Result<String, String> {
    let names = fs.names("/sys/class/net").map_err(|error| format!("/sys/class/net: {error}"))?;
    let is = |name: &String| number(fs, name, "ifindex") == Some(index);
    names.into_iter().find(is).ok_or_else(|| format!("/sys/class/net: no device {index}"))
}

fn number(fs: &HostFs, device: &str, file: &str) -> Option<u32> {
    fs.text(&format!("/sys/class/net/{device}/{file}")).ok()?.trim().parse().ok()
}

fn by_files(fs: &HostFs, name: &str) -> Result<Link, String> {
    let folder = format!("/sys/class/net/{name}");
    let entries = fs.names(&folder).map_err(|error| format!("{folder}: {error}"))?;
    let uevent = fs.text(&format!("{folder}/uevent")).unwrap_or_default();
    let made_as = uevent.lines().find_map(|line| line.strip_prefix("DEVTYPE=")).map(str::to_owned);
    let lower = entries.iter().find_map(|entry| entry.strip_prefix("lower_"));
    let (own, twin) = (number(fs, name, "ifindex"), number(fs, name, "iflink"));
    Ok(Link {
        name: name.to_owned(),
        mtu: number(fs, name, "mtu"),
        made_as,
        hardware_type: number(fs, name, "type"),
        lower: lower.map(|name| Device::Name(name.to_owned())),
        // A tunnel without a device below says zero.
        has_twin: lower.is_none() && own.is_some() && twin.is_some_and(|twin| twin != 0) && own != twin,
        ..Link::default()
    })
}

/// What only `/sys` says: the device behind the link.
fn add_device(fs: &HostFs, link: &mut Link) {
    let folder = format!("/sys/class/net/{}", link.name);
    let exists = |path: &str| fs.exists(&format!("{folder}/{path}")).unwrap_or(false);
    link.has_device = exists("device");
    link.is_virtual_function = exists("device/physfn") || is_mellanox_function(fs, &folder);
    link.is_bridge = exists("bridge");
    link.is_tun = exists("tun_flags");
    let driver = fs.link(&format!("{folder}/device/driver")).ok();
    link.driver = driver.and_then(|target| Some(target.rsplit_once('/')?.1.to_owned()));
}

/// These have one driver for cards and for shares of them; the id tells (pci-ids, "Virtual Function").
fn is_mellanox_function(fs: &HostFs, folder: &str) -> bool {
    const MELLANOX: &str = "0x15b3";
    const FUNCTIONS: &[&str] =
        &["0x1004", "0x1012", "0x1014", "0x1016", "0x1018", "0x101a", "0x101c", "0x101e"];
    let id = |file: &str| fs.text(&format!("{folder}/device/{file}")).unwrap_or_default().trim().to_owned();
    id("vendor") == MELLANOX && FUNCTIONS.contains(&id("device").as_str())
}

#[cfg(test)]
mod tests;
