//! What agents send each other to time the way: requests, and replies of the same length.
//!
//! | byte | holds |
//! |---|---|
//! | 0 | `tpecho` |
//! | 6 | version, 1 |
//! | 7 | 1: request, 2: reply. A reply is no request, so that two services never talk to each other |
//! | 8 | session, 8 bytes, by who asks |
//! | 16 | number within the session, 8 bytes |
//! | 24 | length of the whole message, 4 bytes |
//! | 28 | reply: the CPU that answered, 4 bytes; all ones: not known |
//! | 32 | reply: which kernel answered, 8 bytes; 0: not known |
//! | 40 | padding |
//!
//! Numbers are in network byte order.

use crate::hash::fnv_1a;

/// Bytes of the shortest message, and of the part that says something.
pub const SHORTEST: usize = 64;

/// Bytes of the longest message: what an Ethernet jumbo frame holds.
pub const LONGEST: usize = 9000;

const MARK: [u8; 7] = *b"tpecho\x01";
const KIND: usize = 7;
const SESSION: usize = 8;
const NUMBER: usize = 16;
const LENGTH: usize = 24;
const CPU: usize = 28;
const KERNEL: usize = 32;

const REQUEST: u8 = 1;
const REPLY: u8 = 2;

/// Which message of whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The session.
    pub session: u64,
    /// The number in it.
    pub number: u64,
}

/// What a reply says beside having come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// Which request it answers.
    pub ticket: Ticket,
    /// The CPU that answered.
    pub cpu: Option<u32>,
    /// The kernel that answered, by [`kernel_tag`].
    pub kernel: Option<u64>,
}

/// A request of `length` bytes, which are made to fit between [`SHORTEST`] and [`LONGEST`].
#[must_use]
pub fn request(ticket: Ticket, length: usize) -> Vec<u8> {
    let mut message = vec![0; length.clamp(SHORTEST, LONGEST)];
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    put(&mut message, 0, MARK);
    put(&mut message, KIND, [REQUEST]);
    put(&mut message, LENGTH, length.to_be_bytes());
    address_to(&mut message, ticket);
    message
}

/// Gives a request another ticket.
pub fn address_to(message: &mut [u8], ticket: Ticket) {
    put(message, SESSION, ticket.session.to_be_bytes());
    put(message, NUMBER, ticket.number.to_be_bytes());
}

/// The length of the message that begins like this; `None` if it is no request.
#[must_use]
pub fn requested_length(head: &[u8]) -> Option<usize> {
    let length = usize::try_from(u32::from_be_bytes(get(head, LENGTH)?)).ok()?;
    let is_request = get(head, 0) == Some(MARK) && get(head, KIND) == Some([REQUEST]);
    (is_request && (SHORTEST..=LONGEST).contains(&length)).then_some(length)
}

/// Makes a request the reply to it, in place: its length stays. `None`, and nothing changed, if it is no request.
#[must_use]
pub fn answer(message: &mut [u8], cpu: Option<u32>, boot_id: &str) -> Option<()> {
    if requested_length(message)? != message.len() {
        return None;
    }
    let session = u64::from_be_bytes(get(message, SESSION)?);
    put(message, KIND, [REPLY]);
    put(message, CPU, cpu.unwrap_or(u32::MAX).to_be_bytes());
    put(message, KERNEL, kernel_tag(boot_id, session).unwrap_or(0).to_be_bytes());
    Some(())
}

/// What a reply of `length` bytes says; `None` if it is none.
#[must_use]
pub fn parse_reply(message: &[u8], length: usize) -> Option<Reply> {
    let is_reply = get(message, 0) == Some(MARK) && get(message, KIND) == Some([REPLY]);
    let said = usize::try_from(u32::from_be_bytes(get(message, LENGTH)?)).ok()?;
    if !is_reply || message.len() != length || said != length {
        return None;
    }
    let cpu = u32::from_be_bytes(get(message, CPU)?);
    let kernel = u64::from_be_bytes(get(message, KERNEL)?);
    let ticket = Ticket {
        session: u64::from_be_bytes(get(message, SESSION)?),
        number: u64::from_be_bytes(get(message, NUMBER)?),
    };
    Some(Reply { ticket, cpu: (cpu != u32::MAX).then_some(cpu), kernel: (kernel != 0).then_some(kernel) })
}

/// A kernel, by its boot's id, for one session: who has the same kernel has the same tag, and nobody else can tell one
/// kernel from another. The FNV-1a hash of both. `None` where the id is not known.
#[must_use]
pub fn kernel_tag(boot_id: &str, session: u64) -> Option<u64> {
    let bytes = session.to_be_bytes().into_iter().chain(boot_id.bytes());
    let hash = fnv_1a(bytes);
    (!boot_id.is_empty() && hash != 0).then_some(hash)
}

fn put<const N: usize>(message: &mut [u8], at: usize, bytes: [u8; N]) {
    if let Some(place) = message.get_mut(at..at + N) {
        place.copy_from_slice(&bytes);
    }
}

fn get<const N: usize>(message: &[u8], at: usize) -> Option<[u8; N]> {
    message.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TICKET: Ticket = Ticket { session: 7, number: 9 };

    #[test]
    fn a_reply_is_as_long_as_its_request_and_says_who_answered() {
        for length in [SHORTEST, 1472, LONGEST] {
            let mut message = request(TICKET, length);
            assert_eq!(message.len(), length);
            answer(&mut message, Some(3), "boot").unwrap();
            let reply = Reply { ticket: TICKET, cpu: Some(3), kernel: kernel_tag("boot", 7) };
            assert_eq!(parse_reply(&message, length), Some(reply));
            assert_ne!(reply.kernel, kernel_tag("another", 7));
            assert_ne!(reply.kernel, kernel_tag("boot", 8), "a tag is good for one session");
        }
    }

    #[test]
    fn a_reply_is_never_answered() {
        let mut message = request(TICKET, SHORTEST);
        answer(&mut message, None, "").unwrap();
        let reply = message.clone();
        assert_eq!(answer(&mut message, None, ""), None);
        assert_eq!(message, reply);
        assert_eq!(parse_reply(&reply, SHORTEST), Some(Reply { ticket: TICKET, cpu: None, kernel: None }));
    }

    #[test]
    fn what_lies_about_its_length_is_no_message() {
        let mut message = request(TICKET, 200);
        message.truncate(100);
        assert_eq!(answer(&mut message, None, ""), None);
        assert_eq!(requested_length(&request(TICKET, 200)[..63]), Some(200), "the head is enough");
        for wrong in [0_u32, 63, 9001, u32::MAX] {
            put(&mut message, LENGTH, wrong.to_be_bytes());
            assert_eq!(requested_length(&message), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), length in 0_usize..300) {
            let before = bytes.clone();
            let answered = answer(&mut bytes, Some(1), "boot").is_some();
            prop_assert_eq!(bytes.len(), before.len());
            prop_assert!(answered || bytes == before);
            let _reply = parse_reply(&before, length);
        }
    }
}
