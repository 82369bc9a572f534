//! Where to ask: `http://HOST:PORT/PATH`.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;

/// An address over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Whether over TLS.
    pub secure: bool,
    /// The host name or IP address; IPv6 without brackets.
    pub host: String,
    /// The port, where the address names one.
    pub port: Option<u16>,
    /// What comes behind: begins with `/`, parameters included.
    pub path: String,
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither `http://` nor `https://`, or without a usable host and port.
    #[error("{0:?} names no host and port: write http://HOST:PORT/PATH or https://HOST:PORT/PATH")]
    Unusable(String),
    /// A secret that others on this machine could see, and that reports would show.
    #[error(
        "an address with a user name in it ({0}): secrets are read from files, say which with --source.config"
    )]
    Secret(String),
}

impl Address {
    /// The port, also where the scheme says it.
    #[must_use]
    pub const fn port(&self) -> u16 {
        match (self.port, self.secure) {
            (Some(port), _) => port,
            (None, true) => 443,
            (None, false) => 80,
        }
    }

    /// `HOST` or `HOST:PORT`, as a `Host` header has it and as instances are called.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }

    /// Whether it is on this machine, by the look of it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    }

    /// The same place with another path below this one.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        Self { path: format!("{}/{path}", self.path.trim_end_matches('/')), ..self.clone() }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let unusable = || AddressError::Unusable(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| unusable())?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) | None => return Err(unusable()),
        };
        let authority = uri.authority().ok_or_else(unusable)?;
        if let Some((_, place)) = authority.as_str().rsplit_once('@') {
            return Err(AddressError::Secret(place.to_owned()));
        }
        let bracketed = authority.host();
        let rest = authority.as_str().strip_prefix(bracketed).ok_or_else(unusable)?;
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(port.parse().map_err(|_| unusable())?),
            None => None,
        };
        let host = bracketed.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() || port == Some(0) {
            return Err(unusable());
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { secure, host, port, path })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        f.pad(&format!("{scheme}://{}{}", self.authority(), self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_was_read() {
        for text in ["http://host:10990/metrics", "https://[::1]:9/a?b=c", "http://10.0.0.1/"] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        assert_eq!("https://host".parse::<Address>().unwrap().port(), 443);
        assert_eq!("http://host/x".parse::<Address>().unwrap().port(), 80);
        assert_eq!("http://[::1]:9/".parse::<Address>().unwrap().host, "::1");
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "host:1",
            "ftp://host/",
            "http://",
            "http://host:99999/",
            "http://host:0/",
            "http:///x",
            "/x",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_secret_in_an_address_is_refused_and_not_repeated() {
        let error = "https://user:hunter2@host:1/".parse::<Address>().unwrap_err().to_string();
        assert!(error.contains("host:1") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn paths_are_joined_below_a_prefix() {
        let joined = |text: &str| text.parse::<Address>().unwrap().join("api/v1/query").to_string();
        assert_eq!(joined("http://h:1"), "http://h:1/api/v1/query");
        assert_eq!(joined("http://h:1/select/0/prometheus/"), "http://h:1/select/0/prometheus/api/v1/query");
    }
}
