//! Sources that are asked over HTTP, good and bad: who lets one in, where targets are, what stores answer.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails; clippy exempts test functions, but not what they call"
)]

mod access;
mod discovery;
mod limit;
mod packed;
mod place;
mod stores;
