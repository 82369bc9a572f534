//! Known costs that the agent must report: each is put on one agent and not on another, in turns.
//!
//! What is asserted is a direction, an order, and a band that a busy machine does not break.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

#[path = "injected/cpu.rs"]
mod cpu;
#[path = "injected/hung.rs"]
mod hung;
#[path = "injected/memory.rs"]
mod memory;
#[path = "injected/slow.rs"]
mod slow;
#[path = "injected/storage.rs"]
mod storage;
#[path = "injected/syscall.rs"]
mod syscall;

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tierprobe_tests::binary;
use tierprobe_tests::measured::measuring;

/// Tests of this file disturb one another: one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The agent's `measure` with these flags.
fn agent(flags: &[&str]) -> Command {
    measuring(binary::agent(), flags)
}

/// `hog` with these arguments, to be confined and started.
fn hog(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hog"));
    command.args(arguments);
    command
}
