//! `lat_proc fork` and `exec`: a child that ends at once, waited for.
#![expect(unsafe_code, reason = "a fork has no safe form")]

use std::fs::File;
use std::process::{Command, Stdio};

use anyhow::ensure;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork as fork_process};

use super::time;

pub(super) fn fork() -> anyhow::Result<f64> {
    time(|| {
        // SAFETY: this process has one thread, and the child does nothing but end.
        match unsafe { fork_process()? } {
            ForkResult::Child => {
                // SAFETY: ends the process without running anything of ours.
                unsafe { nix::libc::_exit(0) }
            }
            ForkResult::Parent { child } => {
                ensure!(waitpid(child, None)? == WaitStatus::Exited(child, 0), "the child did not end well");
                Ok(())
            }
        }
    })
}

/// The agent's program, by the standard library, which takes `posix_spawn` where it can.
pub(super) fn exec(agent: &str) -> anyhow::Result<f64> {
    let null = File::options().write(true).open("/dev/null")?;
    time(|| {
        let mut command = Command::new(agent);
        // What the agent's spawn probe has its children do: write a mark and end with this status.
        command.arg("spawn-child").env_clear().stdout(Stdio::from(null.try_clone()?));
        let status = command.status()?;
        ensure!(status.code() == Some(37), "{agent} spawn-child: {status}");
        Ok(())
    })
}
