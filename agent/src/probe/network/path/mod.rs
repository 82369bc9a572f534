//! What kind of way leads to an address: the device that its route goes through, and what is below that.
//!
//! The route and the link are asked for by netlink, which needs no privilege. Where that is forbidden, or the host is
//! a tree of files, `/proc/net/route`, `/proc/net/ipv6_route` and `/sys/class/net` say nearly the same.

mod kind;
mod link;
mod route;

use std::net::IpAddr;

use crate::host::HostFs;
use crate::sys::netlink::{Netlink, Subject};

pub(super) use kind::Kind;
use link::Link;
use route::Route;

/// A way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    /// What the first device is.
    pub(super) kind: Kind,
    /// What the device below it is, where it is one on top of another.
    pub(super) lower: Option<Kind>,
    /// The driver of the first device that has one.
    pub(super) driver: String,
    /// Bytes of the largest packet that the first device takes.
    pub(super) mtu: Option<u32>,
    /// Bytes that its headers add to each packet, by what it puts in front of it. Absent where the outer packet's
    /// address family is not known or options vary.
    pub(super) headers: Option<u32>,
    /// The same by how much smaller its packets are than those of the device below.
    pub(super) mtu_difference: Option<u32>,
}

/// The way to `address`.
///
/// # Errors
///
/// Why there is none, for people.
pub(super) fn find(fs: &HostFs, address: IpAddr) -> Result<Path, String> {
    let mut netlink = if fs.is_live() { Netlink::open(Subject::Route).ok() } else { None };
    find_with(fs, &mut netlink, address)
}

fn find_with(fs: &HostFs, netlink: &mut Option<Netlink>, address: IpAddr) -> Result<Path, String> {
    let route = route::to(fs, netlink, address)?;
    let device = match &route {
        Route::Local => None,
        Route::Through(device) => Some(link::of(fs, netlink, device)?),
    };
    let Some(device) = device else {
        let loopback = link::of(fs, netlink, &link::Device::Name("lo".to_owned())).ok();
        let mtu = loopback.and_then(|link| link.mtu);
        let driver = String::new();
        return Ok(Path {
            kind: Kind::Loopback,
            lower: None,
            driver,
            mtu,
            headers: Some(0),
            mtu_difference: None,
        });
    };
    let lower = below(fs, netlink, &device);
    let driver =
        lower.iter().fold(device.driver.clone(), |first, lower| first.or_else(|| lower.driver.clone()));
    let mtu_difference = device
        .mtu
        .zip(lower.as_ref().and_then(|lower| lower.mtu))
        .and_then(|(own, lower)| lower.checked_sub(own));
    Ok(Path {
        kind: Kind::of(&device),
        lower: lower.as_ref().map(Kind::of),
        driver: driver.unwrap_or_default(),
        mtu: device.mtu,
        headers: kind::header_bytes(Kind::of(&device), device.outer),
        mtu_difference,
    })
}

/// The device below `device`: the one that it names, or else the one that leads to the other end of the tunnel.
fn below(fs: &HostFs, netlink: &mut Option<Netlink>, device: &Link) -> Option<Link> {
    let lower = match (&device.lower, device.remote) {
        (Some(lower), _) => lower.clone(),
        (None, Some(remote)) => match route::to(fs, netlink, remote).ok()? {
            Route::Through(lower) => lower,
            Route::Local => return None,
        },
        (None, None) => return None,
    };
    link::of(fs, netlink, &lower).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_of_this_machine_is_found_without_sending_anything() {
        // TEST-NET-2: nobody's. By netlink and by files it is the same device, or there is none by either.
        let (fs, address) = (HostFs::live(), "198.51.100.1".parse().unwrap());
        let by_files = find_with(&fs, &mut None, address);
        let path = match find(&fs, address) {
            Ok(path) => path,
            Err(why) => {
                assert!(
                    why.starts_with("no route to 198.51.100.1") && by_files.is_err(),
                    "{why}: {by_files:?}"
                );
                return;
            }
        };
        let by_files = by_files.unwrap();
        assert!(path.mtu.is_some_and(|mtu| mtu >= 68), "{path:?}");
        assert_eq!((path.mtu, &path.driver), (by_files.mtu, &by_files.driver));
        // Some kinds have nothing of their own in the files.
        assert!(path.kind != Kind::Loopback, "{path:?}");
        assert!(
            by_files.kind == path.kind || by_files.kind == Kind::Other,
            "{path:?}, by files {by_files:?}"
        );
    }

    #[test]
    fn a_tree_of_files_is_asked_and_not_the_kernel() {
        let tree = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = tree.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let routes = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
            flannel.1\t00000000\t00000000\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
        write("proc/net/route", routes);
        write("sys/class/net/flannel.1/uevent", "DEVTYPE=vxlan\n");
        write("sys/class/net/flannel.1/mtu", "1450\n");
        write("sys/class/net/flannel.1/lower_eth0/mtu", "1500\n");
        write("sys/class/net/eth0/mtu", "1500\n");
        std::fs::create_dir_all(tree.path().join("sys/class/net/eth0/device")).unwrap();
        std::os::unix::fs::symlink(
            "../../x/virtio_net",
            tree.path().join("sys/class/net/eth0/device/driver"),
        )
        .unwrap();
        let path = find(&HostFs::fixture(tree.path()), "198.51.100.1".parse().unwrap()).unwrap();
        let expected = Path {
            kind: Kind::Vxlan,
            lower: Some(Kind::Virtio),
            driver: "virtio_net".to_owned(),
            mtu: Some(1450),
            headers: None,
            mtu_difference: Some(50),
        };
        assert_eq!(path, expected);
    }
}
