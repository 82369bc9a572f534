//! Masks what tells one machine or its owner from another.
//!
//! A secret becomes a pseudo value of the same length and shape: hex digits stay hex digits, letters letters. It follows
//! from the order in which secrets are met, not from the secret, so that nobody can find it by trying; the same secret
//! has the same one throughout a bundle.

use std::collections::BTreeMap;

use super::scan;
use super::word::is_public;

/// Longest number that is kept where words are masked: a user's, a port's, a year, no serial number.
const MAX_NUMBER_DIGITS: usize = 6;

/// Shortest host name that is looked for everywhere: shorter ones stand in too many words.
const MIN_NAME_CHARS: usize = 3;

/// Parts of a key whose value is a secret, whatever it looks like.
const SECRET_KEYS: &[&str] = &[
    "serial",
    "uuid",
    "guid",
    "token",
    "passw",
    "secret",
    "key",
    "auth",
    "cred",
    "hostname",
    "machine-id",
    "label",
];

/// Masks, and remembers what it has masked.
#[derive(Debug, Default)]
pub(super) struct Masker {
    known: BTreeMap<String, u64>,
    addresses: BTreeMap<String, usize>,
    host_names: Vec<String>,
}

impl Masker {
    /// Masks these names of the host wherever they stand, beside what looks like a secret.
    #[must_use]
    pub(super) fn new(host_names: &[String]) -> Self {
        let parts = host_names.iter().flat_map(|name| name.split('.').chain([name.as_str()]));
        let mut host_names: Vec<String> = parts
            .map(str::to_ascii_lowercase)
            .filter(|name| name.len() >= MIN_NAME_CHARS && !is_public(name))
            .collect();
        // The full name before its parts.
        host_names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        Self { host_names, ..Self::default() }
    }

    /// Text or bytes without UUIDs, hardware and IP addresses, long hex numbers, host names, and the values of keys that
    /// stand for secrets.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut masked = Vec::with_capacity(bytes.len());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let value_at =
                line.iter().position(|byte| matches!(byte, b':' | b'=')).map(|separator| separator + 1);
            let (key, value) = line.split_at(value_at.unwrap_or(0));
            if is_secret_key(&String::from_utf8_lossy(key)) {
                masked.extend_from_slice(key);
                masked.extend_from_slice(self.whole(&String::from_utf8_lossy(value)).as_bytes());
            } else {
                self.tokens(line, &mut masked);
            }
        }
        masked
    }

    /// As [`Masker::bytes`], of text.
    pub(super) fn text(&mut self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    fn tokens(&mut self, mut rest: &[u8], masked: &mut Vec<u8>) {
        let mut before = None;
        while let Some(first) = rest.first() {
            let at_start = !before.is_some_and(|byte: u8| byte.is_ascii_alphanumeric());
            let name = self.host_names.iter().find(|name| at_start && scan::starts_with_word(rest, name));
            let (length, replacement) = if let Some(length) = scan::uuid(rest) {
                (length, self.pseudo(rest, length))
            } else if let Some(length) = name.map(String::len) {
                (length, self.pseudo(rest, length))
            } else if let Some(length) =
                at_start.then(|| scan::mac(rest).or_else(|| scan::long_hex(rest))).flatten()
            {
                (length, self.pseudo(rest, length))
            } else if let Some((length, is_v6)) = at_start.then(|| scan::address(rest)).flatten() {
                (length, self.address(rest, length, is_v6))
            } else {
                (1, vec![*first])
            };
            masked.extend_from_slice(&replacement);
            before = rest.get(length.saturating_sub(1)).copied();
            rest = rest.get(length..).unwrap_or_default();
        }
    }

    /// An address that RFC 5737 and RFC 3849 keep for documentation.
    fn address(&mut self, bytes: &[u8], length: usize, is_v6: bool) -> Vec<u8> {
        let address = String::from_utf8_lossy(bytes.get(..length).unwrap_or_default()).to_ascii_lowercase();
        let number = self.addresses.len() + 1;
        let number = *self.addresses.entry(address).or_insert(number);
        if is_v6 { format!("2001:db8::{number:x}") } else { format!("192.0.2.{}", number % 255) }.into_bytes()
    }

    /// The words that anyone may know, and pseudo values for all others.
    pub(super) fn words(&mut self, text: &str) -> String {
        self.each_word(text, |word| {
            word.len() <= 1
                || is_public(word)
                || (word.len() <= MAX_NUMBER_DIGITS && word.bytes().all(|byte| byte.is_ascii_digit()))
        })
    }

    /// Pseudo values for all words.
    pub(super) fn whole(&mut self, text: &str) -> String {
        self.each_word(text, |_| false)
    }

    fn each_word(&mut self, text: &str, keep: impl Fn(&str) -> bool) -> String {
        let mut masked = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let is_word = first.is_alphanumeric();
            let end = rest.find(|c: char| c.is_alphanumeric() != is_word).unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            rest = after;
            // `pod` and the pod's id, which begins with eight hex digits.
            let id = part.strip_prefix("pod").filter(|id| id.len() >= 8 && scan::is_hex(id.as_bytes()));
            if !is_word || keep(part) {
                masked.push_str(part);
            } else if let Some(id) = id {
                masked.push_str("pod");
                masked.push_str(&self.pseudo_text(id));
            } else {
                masked.push_str(&self.pseudo_text(part));
            }
        }
        masked
    }

    fn pseudo(&mut self, bytes: &[u8], length: usize) -> Vec<u8> {
        let text = String::from_utf8_lossy(bytes.get(..length).unwrap_or_default()).into_owned();
        self.pseudo_text(&text).into_bytes()
    }

    /// The pseudo value of a secret.
    fn pseudo_text(&mut self, secret: &str) -> String {
        // All zeros is what stands where there is no id.
        if secret.chars().all(|c| matches!(c, '0' | '-' | ':' | '_')) {
            return secret.to_owned();
        }
        let next = u64::try_from(self.known.len()).unwrap_or(0) + 1;
        // systemd keeps the dash for its own hierarchy, so that a pod's id comes with either.
        let number = *self.known.entry(secret.to_lowercase().replace('_', "-")).or_insert(next);
        let hex = secret.bytes().all(|byte| byte.is_ascii_hexdigit() || !byte.is_ascii_alphanumeric())
            && secret.bytes().any(|byte| byte.is_ascii_digit())
            && secret.bytes().any(|byte| byte.is_ascii_alphabetic());
        (0..)
            .map(|salt| shaped(secret, hex, number.wrapping_add(salt << 32)))
            .find(|pseudo| pseudo != secret)
            .unwrap_or_default()
    }
}

/// Text of the same shape, from a sequence of digits that `seed` begins.
fn shaped(secret: &str, hex: bool, seed: u64) -> String {
    let mut state = seed;
    let mut digit = |base: u32| {
        // SplitMix64 (Steele, Lea, Flood 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed ^ (mixed >> 31)) % u64::from(base)).unwrap_or(0)
    };
    let mut shape = |c: char| match c {
        _ if hex && c.is_ascii_hexdigit() => {
            let hex = char::from_digit(digit(16), 16).unwrap_or('0');
            if c.is_ascii_uppercase() { hex.to_ascii_uppercase() } else { hex }
        }
        '0'..='9' => char::from_digit(digit(10), 10).unwrap_or('0'),
        'A'..='Z' => char::from_digit(10 + digit(26), 36).unwrap_or('x').to_ascii_uppercase(),
        _ if c.is_alphanumeric() => char::from_digit(10 + digit(26), 36).unwrap_or('x'),
        other => other,
    };
    secret.chars().map(&mut shape).collect()
}

/// Whether what stands behind this key is a secret.
#[must_use]
pub(super) fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_KEYS.iter().any(|part| key.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_keeps_its_length_and_shape_and_nothing_else() {
        let secrets = [
            "4c4c4544-0051-3510-8052-b4c04f4a3132",
            "02:42:ac:11:00:02",
            "2a759f8fac4d817ff2bc28c224d51c5030f915c0c14997110517984ca9aa8d0f",
        ];
        let mut masker = Masker::new(&["db7.corp.example".to_owned()]);
        for secret in secrets {
            let masked = masker.text(&format!("x={secret} {secret}"));
            let (one, two) = masked.strip_prefix("x=").unwrap().split_once(' ').unwrap();
            assert_eq!((one, one.len()), (two, secret.len()));
            assert!(
                one != secret && one.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-' || b == b':'),
                "{one}"
            );
        }
        let masked =
            masker.text("on DB7 at 10.1.2.3, fe80::42:acff:fe11:2 by db7.corp.example\nSerial\t: 00000A12\n");
        for secret in ["DB7", "10.1.2.3", "fe80", "db7", "corp", "A12"] {
            assert!(!masked.contains(secret), "{masked}");
        }
    }

    #[test]
    fn what_only_looks_like_a_secret_stays() {
        let mut masker = Masker::default();
        for text in [
            "0::/init.scope",
            "pid:[4026531836]",
            "PNP0A08:00",
            "#1 SMP Sun Jan 10 15:06:54 PST 2016",
            "127.0.0.1 0.0.0.0 ::1",
            "00000000-0000-0000-0000-000000000000",
            "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw",
        ] {
            assert_eq!(masker.text(text), text);
        }
    }

    #[test]
    fn only_public_words_stay_where_words_are_masked() {
        let mut masker = Masker::default();
        let masked = masker.words("/kubepods/burstable/podf7a3b1c9_5d20/acme-payments@1000.service");
        assert!(masked.starts_with("/kubepods/burstable/pod"), "{masked}");
        assert!(masked.ends_with("@1000.service"), "{masked}");
        assert!(
            !masked.contains("acme") && !masked.contains("payments") && !masked.contains("f7a3"),
            "{masked}"
        );
    }
}
