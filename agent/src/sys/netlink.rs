//! Netlink: asking the kernel about routes, links and packet filters (netlink(7), rtnetlink(7)).
//!
//! Four kinds of request are all that the agent makes, so that this is the format itself and no library for it: a
//! header, a body, attributes. Everything is in the byte order of the machine unless a kind says otherwise.

use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt,
    socket,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

use super::failure::Failure;

/// Bytes of a message's header: length, type, flags, sequence number, port.
const HEADER_BYTES: usize = 16;

/// Bytes of an attribute's header: length, type.
const ATTRIBUTE_HEADER_BYTES: usize = 4;

/// The two upper bits of an attribute's type are flags.
const ATTRIBUTE_TYPE: u16 = 0x3fff;

/// Most that the kernel puts into one answer to a dump.
const BUFFER_BYTES: usize = 32 << 10;

/// Time in which the kernel must answer: it does so before `send` returns.
const TIMEOUT_MILLIS: i64 = 500;

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;
/// Set on what was read while it was changed.
const NLM_F_DUMP_INTR: u16 = 0x10;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Routes and links: nobody needs a privilege to ask.
    Route,
    /// Packet filters: needs `CAP_NET_ADMIN`.
    Netfilter,
}

/// Whether one thing is asked for, or all of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// One.
    One,
    /// All, as far as the reader goes on.
    All,
}

/// A socket to the kernel.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    /// Opens one.
    ///
    /// # Errors
    ///
    /// Which call failed and with what, such as `EAFNOSUPPORT` where a filter forbids the address family.
    pub fn open(subject: Subject) -> Result<Self, Failure> {
        let protocol = match subject {
            Subject::Route => SockProtocol::NetlinkRoute,
            Subject::Netfilter => SockProtocol::NetlinkNetFilter,
        };
        let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)
            .map_err(Failure::of("socket"))?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0)).map_err(Failure::of("bind"))?;
        setsockopt(&socket, ReceiveTimeout, &TimeVal::milliseconds(TIMEOUT_MILLIS))
            .map_err(Failure::of("setsockopt"))?;
        Ok(Self { socket, sequence: 0, buffer: Vec::new() })
    }

    /// Asks for `kind` with `body`, and gives type and body of each answer to `each` as long as that says to go on.
    ///
    /// # Errors
    ///
    /// The call that failed, or what the kernel answered; `EINTR` where it changed while it was read; `EOVERFLOW` where
    /// `each` has stopped. After an error answers may still be on their way, and the socket is not to be used again.
    pub fn ask(
        &mut self,
        kind: u16,
        extent: Extent,
        body: &[u8],
        mut each: impl FnMut(u16, &[u8]) -> bool,
    ) -> Result<(), Failure> {
        self.sequence = self.sequence.wrapping_add(1);
        let flags = NLM_F_REQUEST | if extent == Extent::All { NLM_F_DUMP } else { NLM_F_ACK };
        let request = message(kind, flags, self.sequence, body).map_err(Failure::answer)?;
        send(self.socket.as_raw_fd(), &request, MsgFlags::empty()).map_err(Failure::of("sendto"))?;
        self.buffer.resize(BUFFER_BYTES, 0);
        loop {
            let length = match recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                received => received.map_err(Failure::of("recvfrom"))?,
            };
            for answer in messages(self.buffer.get(..length).unwrap_or_default()) {
                if answer.sequence != self.sequence {
                    continue;
                }
                if answer.flags & NLM_F_DUMP_INTR != 0 {
                    return Err(Failure::answer(Errno::EINTR));
                }
                match answer.kind {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => return verdict(answer.body).map_err(Failure::answer),
                    kind if each(kind, answer.body) => {}
                    _ => return Err(Failure::answer(Errno::EOVERFLOW)),
                }
            }
        }
    }
}

/// What an error message says; zero is an acknowledgement.
fn verdict(body: &[u8]) -> Result<(), Errno> {
    match int(body).map(u32::cast_signed) {
        Some(0) => Ok(()),
        Some(code) => Err(Errno::from_raw(code.saturating_neg())),
        None => Err(Errno::EBADMSG),
    }
}

/// A whole message.
fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Result<Vec<u8>, Errno> {
    let length = u32::try_from(HEADER_BYTES + body.len()).map_err(|_| Errno::EMSGSIZE)?;
    let mut message = Vec::with_capacity(HEADER_BYTES + body.len());
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(body);
    Ok(message)
}

struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    body: &'a [u8],
}

/// The messages in what was received, up to the first that is not whole.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(int(bytes)?).ok()?;
        let body = bytes.get(HEADER_BYTES..length)?;
        let message = Message {
            kind: short(bytes.get(4..)?)?,
            flags: short(bytes.get(6..)?)?,
            sequence: int(bytes.get(8..)?)?,
            body,
        };
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some(message)
    })
}

/// Type and value of the attributes in `bytes`, up to the first that is not whole.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(short(bytes)?);
        let kind = short(bytes.get(2..)?)? & ATTRIBUTE_TYPE;
        let value = bytes.get(ATTRIBUTE_HEADER_BYTES..length)?;
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// Adds an attribute to the body of a request.
pub fn push_attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(ATTRIBUTE_HEADER_BYTES + value.len()).unwrap_or(u16::MAX);
    body.extend(length.to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
    body.resize(aligned(body.len()), 0);
}

/// The first two bytes as a number.
#[must_use]
pub fn short(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().copied().map(u16::from_ne_bytes)
}

/// The first four bytes as a number.
#[must_use]
pub fn int(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().copied().map(u32::from_ne_bytes)
}

/// A value that is a C string, or one without its end.
#[must_use]
pub fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_end_matches('\0').to_owned()
}

const fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `RTM_GETLINK` and `struct ifinfomsg` for interface 1, which is `lo` in every network namespace.
    const GETLINK: u16 = 18;
    const NEWLINK: u16 = 16;

    fn of_interface(index: u32) -> Vec<u8> {
        let mut body = vec![0; 16];
        body[4..8].copy_from_slice(&index.to_ne_bytes());
        body
    }

    #[test]
    fn the_kernel_names_the_first_interface() {
        let mut netlink = Netlink::open(Subject::Route).unwrap();
        for _ in 0..2 {
            let mut names = Vec::new();
            netlink
                .ask(GETLINK, Extent::One, &of_interface(1), |kind, body| {
                    assert_eq!(kind, NEWLINK);
                    let found = attributes(&body[16..]).find(|(kind, _)| *kind == 3);
                    names.extend(found.map(|(_, name)| text(name)));
                    true
                })
                .unwrap();
            assert_eq!(names, ["lo"]);
        }
    }

    #[test]
    fn what_the_kernel_refuses_is_an_error_by_its_name() {
        let mut netlink = Netlink::open(Subject::Route).unwrap();
        let refused = netlink.ask(GETLINK, Extent::One, &of_interface(0x7fff_fff0), |_, _| true);
        assert_eq!(refused, Err(Failure::answer(Errno::ENODEV)));
    }

    #[test]
    fn whoever_has_enough_stops() {
        let mut netlink = Netlink::open(Subject::Route).unwrap();
        let stopped = netlink.ask(GETLINK, Extent::All, &of_interface(0), |_, _| false);
        assert_eq!(stopped, Err(Failure::answer(Errno::EOVERFLOW)));
    }

    proptest! {
        #[test]
        fn attributes_are_read_as_they_were_written(values in proptest::collection::vec((0_u16..0x3fff, proptest::collection::vec(any::<u8>(), 0..40)), 0..8)) {
            let mut body = Vec::new();
            for (kind, value) in &values {
                push_attribute(&mut body, *kind, value);
            }
            let read: Vec<_> = attributes(&body).map(|(kind, value)| (kind, value.to_vec())).collect();
            prop_assert_eq!(read, values);
        }

        #[test]
        fn any_bytes_come_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(messages(&bytes).count() <= 200 / HEADER_BYTES);
            prop_assert!(attributes(&bytes).count() <= 200 / ATTRIBUTE_HEADER_BYTES);
        }
    }
}
