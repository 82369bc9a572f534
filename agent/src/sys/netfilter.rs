//! The tables of legacy iptables, by the socket option that tells their size without their rules.

use std::mem::size_of_val;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::errno::Errno;
use nix::libc;

use super::failure::Failure;

/// `IPT_SO_GET_INFO` and `IP6T_SO_GET_INFO` (`linux/netfilter_ipv4/ip_tables.h`, `…ipv6/ip6_tables.h`).
const GET_INFO: libc::c_int = 64;

/// Bytes of `struct ipt_getinfo` and of the name in it.
const INFO_BYTES: usize = 84;
const NAME_BYTES: usize = 32;

/// Where in it the mask of hooks is, the number of entries, and their bytes.
const HOOKS: usize = 32;
const ENTRIES: usize = 76;
const SIZE: usize = 80;

/// What the kernel says of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableInfo {
    /// How many hooks it has, each with a chain of its own and a policy.
    pub hooks: u32,
    /// Entries: rules, a policy a hook, two for each chain that a user made, and one at the end.
    pub entries: u32,
    /// Bytes of them.
    pub bytes: u32,
}

/// Asks about `table`, through any IPv4 socket, or IPv6 socket for `is_ipv6`.
///
/// Only for tables that are there: asking for another one makes it, and each packet would pass it from then on.
///
/// # Errors
///
/// What getsockopt(2) said: `EPERM` without `CAP_NET_ADMIN`, `ENOENT` for no such table.
pub fn table_info(socket: BorrowedFd<'_>, is_ipv6: bool, table: &str) -> Result<TableInfo, Failure> {
    let mut info = [0_u8; INFO_BYTES];
    let name = info.get_mut(..NAME_BYTES - 1).and_then(|name| name.get_mut(..table.len()));
    name.ok_or(Failure::answer(Errno::ENAMETOOLONG))?.copy_from_slice(table.as_bytes());
    let level = if is_ipv6 { libc::IPPROTO_IPV6 } else { libc::IPPROTO_IP };
    let mut length = libc::socklen_t::try_from(size_of_val(&info)).unwrap_or(0);
    // SAFETY: the kernel reads and writes at most `length` bytes of the array, which is that long.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, GET_INFO, info.as_mut_ptr().cast(), &raw mut length)
    };
    Errno::result(result).map_err(Failure::of("getsockopt"))?;
    let number =
        |at: usize| info.get(at..).and_then(super::netlink::int).ok_or(Failure::answer(Errno::EBADMSG));
    Ok(TableInfo { hooks: number(HOOKS)?.count_ones(), entries: number(ENTRIES)?, bytes: number(SIZE)? })
}
