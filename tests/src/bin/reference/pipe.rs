//! `lat_pipe`: a byte there and back between two processes or threads, on one CPU or with the far end on another; and
//! through a pipe by one thread.
#![expect(unsafe_code, reason = "a fork has no safe form")]

use std::os::fd::{AsRawFd as _, OwnedFd};

use anyhow::ensure;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, pipe};

use super::call::{read_byte, write_byte};
use super::{Far, Rhythm, call, time};

pub(super) fn exchange(far: Far, other_cpu: Option<&String>) -> anyhow::Result<f64> {
    let other = other_cpu.cloned();
    let (their_end, to_them) = pipe()?;
    let (our_end, to_us) = pipe()?;
    let child = match far {
        Far::Process => Some(fork_echo((their_end, to_us), &to_them, other)?),
        Far::Thread => {
            std::thread::spawn(move || echo(&their_end, &to_us, other.as_ref()));
            None
        }
    };
    let seconds = time(|| ask(&to_them, &our_end));
    drop(to_them);
    if let Some(child) = child {
        waitpid(child, None)?;
    }
    seconds
}

/// In the agent's rhythm.
pub(super) fn across_few(other: &str) -> anyhow::Result<f64> {
    let (their_end, to_them) = pipe()?;
    let (our_end, to_us) = pipe()?;
    super::time_across(other, move || echo(&their_end, &to_us, None), || ask(&to_them, &our_end))
}

/// A byte there and back.
fn ask(to: &OwnedFd, from: &OwnedFd) -> anyhow::Result<()> {
    ensure!(write_byte(to) == 1, "the pipe is full");
    ensure!(read_byte(from) == 1, "the other side has ended");
    Ok(())
}

/// A byte into a pipe and out of it again, by one thread, so often at a time.
pub(super) fn alone(times: u32, rhythm: Rhythm) -> anyhow::Result<f64> {
    call::share_descriptors();
    let (reader, writer) = pipe()?;
    let seconds = rhythm.time(|| {
        for _ in 0..times {
            ensure!(write_byte(&writer) == 1, "the pipe is full");
            ensure!(read_byte(&reader) == 1, "the pipe is empty");
        }
        Ok(())
    })?;
    Ok(seconds / f64::from(times))
}

/// A child that answers on these ends; the parent's copies are closed.
fn fork_echo(ends: (OwnedFd, OwnedFd), to_them: &OwnedFd, cpu: Option<String>) -> anyhow::Result<Pid> {
    // SAFETY: this process has one thread.
    match unsafe { fork()? } {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            // Or it would keep open what tells it the end.
            let _closed = nix::unistd::close(to_them.as_raw_fd());
            let status = i32::from(echo(&ends.0, &ends.1, cpu.as_ref()).is_err());
            // SAFETY: ends the process without running anything of the parent's.
            unsafe { nix::libc::_exit(status) }
        }
    }
}

/// Answers until the other side has no more to say.
fn echo(from: &OwnedFd, to: &OwnedFd, cpu: Option<&String>) -> anyhow::Result<()> {
    super::go_to(cpu)?;
    while read_byte(from) == 1 {
        ensure!(write_byte(to) == 1, "the pipe is full");
    }
    Ok(())
}
