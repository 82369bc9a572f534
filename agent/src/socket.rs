//! What the standard library's sockets cannot do.

use std::io::{Error, ErrorKind, Result};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd as _};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::sockopt::{Linger, SendTimeout};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, setsockopt, socket};
use nix::sys::time::TimeVal;

/// Connects within `timeout`, in three system calls: what an ordinary program's connect takes, and the limit.
///
/// # Errors
///
/// What the system said; `TimedOut` after the timeout (tcp(7): a connect that runs into `SO_SNDTIMEO` gives `EINPROGRESS`).
pub(crate) fn connect(address: SocketAddr, timeout: Duration) -> Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, SendTimeout, &time_value(timeout))?;
    match nix::sys::socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) => Ok(TcpStream::from(socket)),
        Err(Errno::EINPROGRESS | Errno::EAGAIN) => Err(Error::from(ErrorKind::TimedOut)),
        Err(errno) => Err(errno.into()),
    }
}

fn time_value(time: Duration) -> TimeVal {
    let seconds = libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX);
    TimeVal::new(seconds, libc::suseconds_t::from(time.subsec_micros().cast_signed()))
}

/// Closes with a reset, which leaves no connection behind in TIME_WAIT. Where the kernel does not want to, the
/// connection ends by itself.
pub(crate) fn close_at_once(stream: &impl AsFd) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let _may_be_refused = setsockopt(&stream.as_fd(), Linger, &linger);
}
