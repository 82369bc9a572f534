//! Finds what looks like an id or an address at the beginning of text. Each gives the length of what it found.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Lengths of a UUID's groups.
const UUID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// Shortest hex number that counts as an id: Docker's short ids.
const MIN_ID_DIGITS: usize = 12;

/// Whether all of it is hex digits.
#[must_use]
pub(super) fn is_hex(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_hexdigit)
}

fn run(bytes: &[u8], is_part: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| is_part(**byte)).count()
}

/// Whether a word ends at `length`.
fn ends(bytes: &[u8], length: usize) -> bool {
    !bytes.get(length).is_some_and(u8::is_ascii_alphanumeric)
}

/// A UUID with dashes, or with underscores as systemd's slices have it.
#[must_use]
pub(super) fn uuid(bytes: &[u8]) -> Option<usize> {
    let separator = *bytes.get(8).filter(|byte| matches!(byte, b'-' | b'_'))?;
    let mut length = 0;
    for (index, group) in UUID_GROUPS.into_iter().enumerate() {
        if index > 0 {
            if bytes.get(length) != Some(&separator) {
                return None;
            }
            length += 1;
        }
        is_hex(bytes.get(length..length + group)?).then_some(())?;
        length += group;
    }
    ends(bytes, length).then_some(length)
}

/// A hardware address of six bytes.
#[must_use]
pub(super) fn mac(bytes: &[u8]) -> Option<usize> {
    let text = bytes.get(..17)?;
    let separator = *text.get(2).filter(|byte| matches!(byte, b':' | b'-'))?;
    let is_mac = text
        .iter()
        .enumerate()
        .all(|(index, byte)| if index % 3 == 2 { *byte == separator } else { byte.is_ascii_hexdigit() });
    (is_mac && ends(bytes, 17) && bytes.get(17) != Some(&separator)).then_some(17)
}

/// A hex number so long that it is an id.
#[must_use]
pub(super) fn long_hex(bytes: &[u8]) -> Option<usize> {
    let length = run(bytes, |byte| byte.is_ascii_hexdigit());
    let has_digit = bytes.iter().take(length).any(u8::is_ascii_digit);
    (length >= MIN_ID_DIGITS && has_digit && ends(bytes, length)).then_some(length)
}

/// An IP address that is neither unspecified nor loopback, and whether it is of version 6.
#[must_use]
pub(super) fn address(bytes: &[u8]) -> Option<(usize, bool)> {
    let text = |length| std::str::from_utf8(bytes.get(..length)?).ok();
    let length = run(bytes, |byte| byte.is_ascii_digit() || byte == b'.');
    if ends(bytes, length)
        && let Some(address) =
            text(length).and_then(|text| text.trim_end_matches('.').parse::<Ipv4Addr>().ok())
    {
        let length = text(length)?.trim_end_matches('.').len();
        return (!address.is_loopback() && !address.is_unspecified()).then_some((length, false));
    }
    let length = run(bytes, |byte| byte.is_ascii_hexdigit() || byte == b':');
    // One group and two colons, as in `0::/init.scope`, is a line of a cgroup file.
    let groups = text(length)?.split(':').filter(|group| !group.is_empty()).count();
    let address: Ipv6Addr = text(length).filter(|_| groups >= 2)?.parse().ok()?;
    (ends(bytes, length) && !address.is_loopback()).then_some((length, true))
}

/// Whether it begins with this word in whatever case; `word` is in lower case.
#[must_use]
pub(super) fn starts_with_word(bytes: &[u8], word: &str) -> bool {
    bytes.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
        && ends(bytes, word.len())
}
