//! Asks agents, stores and lists of targets over HTTP.
//!
//! Whoever answers may be hostile, broken or slow, and none of that may hang the collector or take its memory: each
//! request has one deadline over everything, from the look-up of the name to the last byte; bodies have a limit,
//! before and after they are unpacked; redirects are not followed, so that no secret goes where nobody sent it; no
//! proxy of the environment is used.
//!
//! - [`address`]: where to ask.
//! - [`access`]: how to be let in: TLS, passwords, tokens, headers. [`rules`] says it by address, which `pattern`
//!   matches; [`secret`] reads it.
//! - [`net`]: what all clients share.
//! - [`client`]: one request after the other over one connection that is kept; `body` is what is answered, `pieces` the
//!   same as it comes.
//! - [`resolve`]: names into addresses, without the C library, which cannot do it in a static binary.

pub mod access;
pub mod address;
pub(crate) mod body;
pub mod client;
pub mod error;
pub mod net;
pub(crate) mod pattern;
pub(crate) mod pieces;
pub mod resolve;
pub mod rules;
pub mod secret;
pub mod tls;

pub use access::Access;
pub use address::Address;
pub use client::{Answer, Client, Limits};
pub use error::HttpError;
pub use net::Net;
pub(crate) use resolve::Names;
pub use rules::{Files, Rules};

/// Raises the number of files that may be open to what the system allows: a connection is one, and shells hand out
/// a thousand.
pub(crate) fn allow_many_connections() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // Where it is refused, connections beyond the number fail and say so.
        let _refused = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Pairs as a form or the query of an address has them: `application/x-www-form-urlencoded`.
#[must_use]
pub fn form(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        encode(name, &mut text);
        text.push('=');
        encode(value, &mut text);
    }
    text
}

fn encode(part: &str, text: &mut String) {
    use std::fmt::Write as _;
    for byte in part.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                text.push(char::from(byte))
            }
            b' ' => text.push('+'),
            other => {
                // Writing to a String cannot fail.
                let _infallible = write!(text, "%{other:02X}");
            }
        }
    }
}
