//! Which agents to time the way to, and where to answer those that time the way to this one.

use std::net::{SocketAddr, ToSocketAddrs};

use serde::Deserialize;

use crate::error::ConfigError;

/// Most peers: each has up to [`super::MOST_SERIES_OF_A_PEER`] series.
pub const MOST_PEERS: usize = 4;

/// Most addresses to answer on.
const MOST_ECHO_ADDRESSES: usize = 4;

/// Longest name of a peer.
const LONGEST_NAME: usize = 32;

const PEER: &str = "--probe.network.peer";
const ECHO_ADDRESS: &str = "--probe.network.echo-address";

/// Another agent's echo service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// What the way to it is called: a label value.
    pub name: String,
    /// Where it is.
    pub address: SocketAddr,
}

/// What the probe needs to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The peers, in the order in which they were given.
    pub peers: Vec<Peer>,
    /// Where to answer, UDP and TCP; nowhere unless told to.
    pub echo_addresses: Vec<SocketAddr>,
}

/// The same as the user wrote it.
#[derive(Debug, Default, Clone, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
// The other probe's are called the same.
#[group(skip)]
pub struct Wishes {
    /// Time the way to another agent's echo service, under this name (peer_1 and so on without one); up to four times
    #[arg(id = "probe.network.peer", long = "probe.network.peer", value_name = "[NAME=]HOST:PORT")]
    peers: Vec<String>,
    /// Answer other agents' messages and connections on this address; up to four times [default: nowhere]
    #[arg(id = "probe.network.echo-address", long = "probe.network.echo-address", value_name = "ADDR:PORT")]
    echo_addresses: Vec<String>,
}

impl Wishes {
    /// These, and `other` where these say nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let first = |ours: Vec<String>, theirs| if ours.is_empty() { theirs } else { ours };
        Self {
            peers: first(self.peers, other.peers),
            echo_addresses: first(self.echo_addresses, other.echo_addresses),
        }
    }

    /// Checks them and fills in names.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the flag.
    pub fn settings(self) -> Result<Settings, ConfigError> {
        let mut peers: Vec<Peer> = Vec::new();
        for (index, text) in self.peers.iter().enumerate() {
            let peer = peer(text, index + 1).map_err(|message| ConfigError::value(PEER, message))?;
            if peers.iter().any(|other| other.name == peer.name) {
                let message = format!("two peers are called {:?}; write NAME=HOST:PORT", peer.name);
                return Err(ConfigError::value(PEER, message));
            }
            peers.push(peer);
        }
        if peers.len() > MOST_PEERS {
            let message = format!("{} peers are too many; name at most {MOST_PEERS}", peers.len());
            return Err(ConfigError::value(PEER, message));
        }
        let mut echo_addresses = Vec::new();
        for text in &self.echo_addresses {
            let address: Result<SocketAddr, _> = text.parse();
            echo_addresses.push(address.map_err(|_| {
                let message = format!(
                    "{text:?} is no address; write ADDR:PORT, for example 10.0.0.7:10992 or [fd00::7]:10992"
                );
                ConfigError::value(ECHO_ADDRESS, message)
            })?);
        }
        if echo_addresses.len() > MOST_ECHO_ADDRESSES {
            let message = format!(
                "{} addresses are too many; name at most {MOST_ECHO_ADDRESSES}",
                echo_addresses.len()
            );
            return Err(ConfigError::value(ECHO_ADDRESS, message));
        }
        Ok(Settings { peers, echo_addresses })
    }
}

/// The peer that `text` names, which is the one of this `number`.
fn peer(text: &str, number: usize) -> Result<Peer, String> {
    let (name, address) = match text.split_once('=') {
        Some((name, address)) => (name.to_owned(), address),
        None => (format!("peer_{number}"), text),
    };
    let is_usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_usual) || name == super::LOOPBACK
    {
        return Err(format!(
            "{name:?} cannot be the name of a peer; write up to {LONGEST_NAME} of a-z, 0-9 and _, but not {}",
            super::LOOPBACK
        ));
    }
    // A name is looked up once, here: looking it up may take seconds, which a round does not have.
    let found = address.parse().ok().or_else(|| address.to_socket_addrs().ok()?.next());
    match found {
        Some(address) if address.port() != 0 => Ok(Peer { name, address }),
        Some(_) => Err(format!("{address:?} has no port to connect to; write HOST:PORT")),
        None => Err(format!(
            "{address:?} is no address, or no host of this name is known; write HOST:PORT, for example 10.0.0.7:10992"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(peers: &[&str], echo: &[&str]) -> Result<Settings, String> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let wishes = Wishes { peers: owned(peers), echo_addresses: owned(echo) };
        wishes.settings().map_err(|error| error.to_string())
    }

    #[test]
    fn a_peer_has_the_name_it_was_given_or_its_number() {
        let settings = settings(&["rack=127.0.0.1:9", "[::1]:10"], &["127.0.0.1:0"]).unwrap();
        let names: Vec<&str> = settings.peers.iter().map(|peer| peer.name.as_str()).collect();
        assert_eq!(names, ["rack", "peer_2"]);
        assert!(settings.peers[1].address.is_ipv6());
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_to_write() {
        let five = ["127.0.0.1:1"; 5];
        for (peers, echo, expected) in [
            (&["127.0.0.1"][..], &[][..], "HOST:PORT"),
            (&["127.0.0.1:0"], &[], "no port"),
            (&["Rack=127.0.0.1:9"], &[], "a-z"),
            (&["loopback=127.0.0.1:9"], &[], "not loopback"),
            (&["a=127.0.0.1:9", "a=127.0.0.1:10"], &[], "two peers"),
            (&five, &[], "at most 4"),
            (&[], &[":10992"], "ADDR:PORT"),
            (&[], &["localhost:1"], "ADDR:PORT"),
            (&[], &five, "at most 4"),
        ] {
            let message = settings(peers, echo).unwrap_err();
            assert!(message.starts_with("--probe.network.") && message.contains(expected), "{message}");
        }
    }

    #[test]
    fn flags_win_over_the_file() {
        let file: Wishes =
            toml::from_str("peers = [\"a=127.0.0.1:1\"]\necho-addresses = [\"127.0.0.1:0\"]").unwrap();
        let flags = Wishes { peers: vec!["b=127.0.0.1:2".to_owned()], ..Wishes::default() };
        let settings = flags.or(file).settings().unwrap();
        assert_eq!(settings.peers[0].name, "b");
        assert_eq!(settings.echo_addresses.len(), 1);
    }
}
