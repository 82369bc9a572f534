//! Ends processes, each by a handle on that very process.
//!
//! A pid alone is not enough: between reading it and sending the signal it may have come to name another process.
//! A pidfd opened first, with the start time compared afterwards, cannot hit the wrong one. See pidfd_open(2).

use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::process_table::{self, Stat};

/// How often the end of a process is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// How long the kernel may take to end a process that was killed.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// Ends a process: SIGTERM, after `grace` SIGKILL. Without grace SIGKILL at once.
///
/// A process that is gone already, or whose pid names another process by now, is left alone.
///
/// # Errors
///
/// When it is still there ten seconds after SIGKILL, or may not be signalled.
pub(crate) fn end(pid: i32, started: u64, grace: Duration) -> anyhow::Result<()> {
    let Some(handle) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        reap(pid);
        return Ok(());
    };
    let is_ours = |stat: &Stat| stat.started == started;
    if !process_table::stat(pid).is_some_and(|stat| is_ours(&stat)) {
        return Ok(());
    }
    if !grace.is_zero() {
        // An error means that it is gone, which the wait finds out.
        let _ = pidfd_send_signal(&handle, Signal::TERM);
        if is_gone_within(pid, started, grace) {
            return Ok(());
        }
    }
    let sent = pidfd_send_signal(&handle, Signal::KILL);
    if is_gone_within(pid, started, KILL_LIMIT) {
        return Ok(());
    }
    let name = process_table::name(pid);
    match sent {
        Ok(()) => anyhow::bail!("process {pid} ({name}) does not end after SIGKILL"),
        Err(error) => anyhow::bail!("process {pid} ({name}) cannot be ended: {error}"),
    }
}

/// Whether the process ends, and is reaped where it is ours to reap, within the limit.
#[must_use]
pub(crate) fn is_gone_within(pid: i32, started: u64, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    loop {
        reap(pid);
        let there = process_table::stat(pid).filter(|stat| stat.started == started);
        // Somebody else's zombie is their parent's business: it holds nothing any more.
        if there.is_none_or(|stat| stat.is_zombie && stat.parent != own_pid()) {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Takes the exit status of our own child, if it has ended.
pub(crate) fn reap(pid: i32) {
    let pid = nix::unistd::Pid::from_raw(pid);
    while matches!(waitpid(pid, Some(WaitPidFlag::WNOHANG)), Err(Errno::EINTR)) {}
}

/// Takes the exit status of every child that has ended: with the lab as subreaper, the orphans of launchers
/// become its children.
pub(crate) fn reap_all() {
    loop {
        let anyone = nix::unistd::Pid::from_raw(-1);
        match waitpid(anyone, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

fn own_pid() -> i32 {
    nix::unistd::getpid().as_raw()
}

/// Ends every process of the run, except `spared`.
///
/// # Errors
///
/// Names the processes that did not end.
pub(crate) fn end_marked(run: &str, spared: i32) -> anyhow::Result<()> {
    let mut errors = Vec::new();
    // What one of them started while it was being ended is found in the next pass.
    for _ in 0..10 {
        let found: Vec<i32> = process_table::marked(run).into_iter().filter(|pid| *pid != spared).collect();
        if found.is_empty() {
            return Ok(());
        }
        errors.clear();
        for pid in found {
            if let Some(stat) = process_table::stat(pid)
                && let Err(error) = end(pid, stat.started, Duration::ZERO)
            {
                errors.push(error.to_string());
            }
        }
    }
    if errors.is_empty() { Ok(()) } else { anyhow::bail!("{}", errors.join("; ")) }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_ended_and_reaped() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let started = process_table::stat(pid).unwrap().started;
        end(pid, started, Duration::from_secs(1)).unwrap();
        assert_eq!(process_table::stat(pid), None);
        assert!(child.wait().is_err(), "its status should have been taken");
    }

    #[test]
    fn a_process_with_another_start_time_is_left_alone() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        end(pid, 1, Duration::ZERO).unwrap();
        assert!(child.try_wait().unwrap().is_none(), "the process should still run");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
