//! The probes of the network against truths that the tests make: messages held up for a known time, devices of a known
//! kind, a known number of packet filter rules, peers that misbehave in a known way.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

#[path = "network/case.rs"]
mod case;
#[path = "network/delay.rs"]
mod delay;
#[path = "network/filter.rs"]
mod filter;
#[path = "network/path.rs"]
mod path;
#[path = "network/said.rs"]
mod said;
