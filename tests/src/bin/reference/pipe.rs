//! `lat_pipe`: a byte there and back between two processes, on one CPU or with the child on another.
#![expect(unsafe_code, reason = "a fork has no safe form")]

use std::os::fd::OwnedFd;

use anyhow::{Context as _, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, pipe, read, write};

use super::time;

pub(super) fn exchange(other_cpu: Option<&String>) -> anyhow::Result<f64> {
    let other: Option<usize> = other_cpu.map(|cpu| cpu.parse()).transpose().context("no CPU")?;
    let (their_end, to_them) = pipe()?;
    let (our_end, to_us) = pipe()?;
    // SAFETY: this process has one thread.
    let child = match unsafe { fork()? } {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            drop(to_them);
            let status = i32::from(echo(&their_end, &to_us, other).is_err());
            // SAFETY: ends the process without running anything of the parent's.
            unsafe { nix::libc::_exit(status) }
        }
    };
    drop((their_end, to_us));
    let mut byte = [0];
    let seconds = time(|| {
        ensure!(write(&to_them, &[0])? == 1, "the pipe is full");
        ensure!(read(&our_end, &mut byte)? == 1, "the other side has ended");
        Ok(())
    });
    drop(to_them);
    waitpid(child, None)?;
    seconds
}

/// Answers until the other side has no more to say.
fn echo(from: &OwnedFd, to: &OwnedFd, cpu: Option<usize>) -> nix::Result<()> {
    if let Some(cpu) = cpu {
        let mut set = CpuSet::new();
        set.set(cpu)?;
        sched_setaffinity(Pid::this(), &set)?;
    }
    let mut byte = [0];
    while read(from, &mut byte)? == 1 {
        write(to, &byte)?;
    }
    Ok(())
}
