//! Which addresses a rule is for.

use super::Address;

/// An address of which the host may have stars in it. A star stands for anything within the host; the host is
/// compared whole, so that a secret for `example.org` does not go to `example.org.elsewhere.net`.
#[derive(Debug)]
pub(super) struct Pattern {
    secure: bool,
    host: String,
    port: Option<u16>,
    path: String,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        // A star is no character of a host, so another stands in for it while the text is read.
        const STAR: &str = "-star-";
        let address: Address = text.replace('*', STAR).parse().map_err(|_| {
            format!(
                "match: {text:?} is no address; write https://HOST:PORT/PATH, with stars in HOST for anything"
            )
        })?;
        if address.path.contains(STAR) {
            return Err(format!(
                "match: {text:?} has a star outside of the host; a path matches all below it"
            ));
        }
        let host = address.host.replace(STAR, "*");
        Ok(Self { secure: address.secure, host, port: address.port, path: address.path })
    }

    pub(super) fn matches(&self, address: &Address) -> bool {
        self.secure == address.secure
            && self.port.is_none_or(|port| port == address.port())
            && glob(self.host.as_bytes(), address.host.as_bytes())
            && below(&self.path, &address.path)
    }
}

/// Whether `path` is `prefix` or below it.
fn below(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// Whether a text is as a pattern says, in which `*` stands for any number of any bytes.
pub(crate) fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let mut parts = pattern.split(|byte| *byte == b'*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&[u8]> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        // The leftmost place leaves the most for the parts behind.
        let found = (0..=rest.len()).find(|at| rest.get(*at..).is_some_and(|tail| tail.starts_with(part)));
        let Some(tail) = found.and_then(|at| rest.get(at + part.len()..)) else { return false };
        rest = tail;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*.example.org", "a.b.example.org", true),
            ("*.example.org", "example.org", false),
            ("10.1.*", "10.1.2.3", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXc", false),
            ("abc", "abcd", false),
            ("ab*bc", "abc", false),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_rule_does_not_match_beyond_its_host_port_and_path() {
        let matches =
            |pattern: &str, address: &str| Pattern::new(pattern).unwrap().matches(&address.parse().unwrap());
        assert!(matches("https://example.org", "https://example.org:8443/metrics"));
        assert!(matches("https://*:8443/", "https://example.org:8443/metrics"));
        assert!(matches("http://h/a", "http://h/a?b=c") && matches("http://h/a/", "http://h/a/b"));
        assert!(!matches("https://example.org", "https://example.org.elsewhere.net/"));
        assert!(!matches("https://example.org", "http://example.org/"));
        assert!(!matches("https://example.org:1", "https://example.org/"));
        assert!(!matches("http://h/a", "http://h/ab"));
        assert!(Pattern::new("example.org").is_err());
        assert!(Pattern::new("https://h/*/x").is_err());
    }
}
