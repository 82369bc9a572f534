//! Through which device packets to an address leave.

use std::net::IpAddr;

use nix::errno::Errno;

use super::link::Device;
use crate::host::HostFs;
use crate::sys::failure::Failure;
use crate::sys::netlink::{Extent, Netlink, attributes, int, push_attribute};

/// Where packets go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// Nowhere: the address is this network namespace's own.
    Local,
    /// Out through this device.
    Through(Device),
}

/// The route to `address`.
///
/// # Errors
///
/// Why there is none, for people.
pub(super) fn to(fs: &HostFs, netlink: &mut Option<Netlink>, address: IpAddr) -> Result<Route, String> {
    if address.is_loopback() {
        return Ok(Route::Local);
    }
    match ask(netlink, |netlink| by_netlink(netlink, address)) {
        Some(Ok(route)) => route.ok_or_else(|| format!("no route to {address}")),
        Some(Err(failure)) => Err(format!("no route to {address}: {failure}")),
        None => by_files(fs, address),
    }
}

/// What netlink answers. `None` where it cannot be asked, or not any more: a filter may let sockets be made and nothing
/// be sent, and sandboxes do not know every question.
pub(super) fn ask<T>(
    netlink: &mut Option<Netlink>,
    question: impl FnOnce(&mut Netlink) -> Result<T, Failure>,
) -> Option<Result<T, Failure>> {
    let answer = question(netlink.as_mut()?);
    let is_unasked = |failure: &Failure| failure.call.is_some() || failure.errno == Errno::EOPNOTSUPP;
    if answer.as_ref().is_err_and(is_unasked) {
        *netlink = None;
        return None;
    }
    Some(answer)
}

/// Address families, as the kernel numbers them.
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// `RTM_GETROUTE`, and what is in its answer (`linux/rtnetlink.h`).
const RTM_GETROUTE: u16 = 26;
const RTMSG_BYTES: usize = 12;
const RTMSG_TYPE: usize = 7;
const RTN_LOCAL: u8 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;

fn by_netlink(netlink: &mut Netlink, address: IpAddr) -> Result<Option<Route>, Failure> {
    let mut found = None;
    netlink.ask(RTM_GETROUTE, Extent::One, &request(address), |_, body| {
        found = found.take().or_else(|| parse(body));
        true
    })?;
    Ok(found)
}

fn request(address: IpAddr) -> Vec<u8> {
    let (family, bits, bytes) = match address {
        IpAddr::V4(address) => (AF_INET, 32, address.octets().to_vec()),
        IpAddr::V6(address) => (AF_INET6, 128, address.octets().to_vec()),
    };
    let mut body = vec![family, bits];
    body.resize(RTMSG_BYTES, 0);
    push_attribute(&mut body, RTA_DST, &bytes);
    body
}

/// The route in an answer.
fn parse(body: &[u8]) -> Option<Route> {
    if *body.get(RTMSG_TYPE)? == RTN_LOCAL {
        return Some(Route::Local);
    }
    let device = attributes(body.get(RTMSG_BYTES..)?).find(|(kind, _)| *kind == RTA_OIF)?;
    Some(Route::Through(Device::Index(int(device.1)?)))
}

/// The main table alone: rules and other tables are not in these files.
fn by_files(fs: &HostFs, address: IpAddr) -> Result<Route, String> {
    let (path, find): (_, fn(&str, IpAddr) -> Option<String>) = match address {
        IpAddr::V4(_) => ("/proc/net/route", device_v4),
        IpAddr::V6(_) => ("/proc/net/ipv6_route", device_v6),
    };
    let text = fs.text(path).map_err(|error| format!("{path}: {error}"))?;
    let device = find(&text, address).ok_or_else(|| format!("{path}: no route to {address}"))?;
    // The IPv6 table has the own addresses, as routes through lo.
    Ok(if device == "lo" { Route::Local } else { Route::Through(Device::Name(device)) })
}

/// `RTF_UP` and `RTF_REJECT` of the flags in both files.
const UP: u32 = 0x1;
const REJECT: u32 = 0x200;

/// The device of the longest matching prefix, of the smallest metric where two are as long.
fn device_v4(text: &str, address: IpAddr) -> Option<String> {
    let IpAddr::V4(address) = address else { return None };
    // The addresses are printed as numbers of the machine's byte order.
    let address = u32::from_ne_bytes(address.octets());
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
        let (destination, flags, mask) = (number(1)?, number(3)?, number(7)?);
        let metric: u32 = fields.get(6)?.parse().ok()?;
        let fits = address & mask == destination && flags & UP != 0 && flags & REJECT == 0;
        fits.then(|| {
            (mask.count_ones(), std::cmp::Reverse(metric), fields.first().map(|name| (*name).to_owned()))
        })
    };
    text.lines().skip(1).filter_map(route).max_by_key(|(bits, metric, _)| (*bits, *metric))?.2
}

fn device_v6(text: &str, address: IpAddr) -> Option<String> {
    let IpAddr::V6(address) = address else { return None };
    let address = u128::from(address);
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let destination = u128::from_str_radix(fields.first()?, 16).ok()?;
        let bits = u32::from_str_radix(fields.get(1)?, 16).ok()?.min(128);
        let metric = u32::from_str_radix(fields.get(5)?, 16).ok()?;
        let flags = u32::from_str_radix(fields.get(8)?, 16).ok()?;
        let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
        let fits = address & mask == destination && flags & UP != 0 && flags & REJECT == 0;
        fits.then(|| (bits, std::cmp::Reverse(metric), fields.get(9).map(|name| (*name).to_owned())))
    };
    text.lines().filter_map(route).max_by_key(|(bits, metric, _)| (*bits, *metric))?.2
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
        eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
        wlan0\t00000000\t0100000A\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
        flannel.1\t0002F40A\t0002F40A\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
        cni0\t0001F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";

    #[test]
    #[cfg(target_endian = "little")]
    fn the_longest_prefix_decides_and_then_the_metric() {
        for (address, device) in [("10.244.2.9", "flannel.1"), ("10.244.1.2", "cni0"), ("192.0.2.1", "eth0")]
        {
            assert_eq!(device_v4(ROUTES, address.parse().unwrap()).as_deref(), Some(device), "{address}");
        }
        assert_eq!(device_v4("Iface\n", "10.0.0.1".parse().unwrap()), None);
    }

    #[test]
    fn a_prefix_of_ipv6_is_a_hundred_and_twenty_eight_bits() {
        let line = |destination: &str, bits: &str, flags: &str, device: &str| {
            let zero = "0".repeat(32);
            format!("{destination} {bits} {zero} 00 {zero} 00000400 00000001 00000000 {flags} {device}\n")
        };
        let net = format!("fd00{}", "0".repeat(28));
        let text = line(&"0".repeat(32), "00", "00000003", "eth0")
            + &line(&net, "40", "00000001", "wg0")
            + &line(&"0".repeat(32), "00", "00200200", "lo");
        for (address, device) in [("fd00::7", "wg0"), ("2001:db8::1", "eth0")] {
            assert_eq!(device_v6(&text, address.parse().unwrap()).as_deref(), Some(device), "{address}");
        }
    }

    #[test]
    fn whoever_cannot_be_asked_is_not_asked_again() {
        use crate::sys::netlink::Subject;
        let open = || Some(Netlink::open(Subject::Route).unwrap());
        for failure in [
            Failure { call: Some("sendto"), errno: Errno::EPERM },
            Failure { call: Some("recvfrom"), errno: Errno::EAGAIN },
            Failure::answer(Errno::EOPNOTSUPP),
        ] {
            let mut netlink = open();
            assert_eq!(ask(&mut netlink, |_| Err::<(), _>(failure)), None, "{failure:?}");
            assert!(netlink.is_none(), "{failure:?}");
        }
        // That a way is prohibited, or that there is none, is an answer.
        for errno in [Errno::EACCES, Errno::ENETUNREACH] {
            let failure = Failure::answer(errno);
            let mut netlink = open();
            assert_eq!(ask(&mut netlink, |_| Err::<(), _>(failure)), Some(Err(failure)));
            assert!(netlink.is_some());
        }
    }

    #[test]
    fn the_kernel_knows_the_way_to_itself() {
        let mut netlink = Netlink::open(crate::sys::netlink::Subject::Route).unwrap();
        assert_eq!(by_netlink(&mut netlink, "127.0.0.2".parse().unwrap()), Ok(Some(Route::Local)));
    }
}
