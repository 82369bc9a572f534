//! One CPU of those that a test may use.
#![expect(unsafe_code, reason = "there is no safe way to set what a child inherits")]

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The last of the CPUs that this process may use.
///
/// # Errors
///
/// What the kernel said.
pub fn last() -> nix::Result<usize> {
    let allowed = sched_getaffinity(Pid::this())?;
    (0..CpuSet::count())
        .rev()
        .find(|cpu| allowed.is_set(*cpu).unwrap_or(false))
        .ok_or(nix::errno::Errno::EINVAL)
}

/// Keeps what `command` will start on one CPU.
pub fn pin(command: &mut Command, cpu: usize) {
    let pin = move || {
        let mut set = CpuSet::new();
        set.set(cpu)?;
        Ok(sched_setaffinity(Pid::this(), &set)?)
    };
    // SAFETY: between fork and exec one system call is made, on memory of the closure's own.
    unsafe { command.pre_exec(pin) };
}
