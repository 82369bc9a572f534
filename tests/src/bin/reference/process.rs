//! `lat_proc fork` and `exec`, and the same by vfork: a child that ends at once, waited for; and the same as the agent's helper has it.
#![expect(unsafe_code, reason = "a fork has no safe form")]

use std::fs::File;
use std::os::fd::{AsRawFd as _, RawFd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork as fork_process, pipe};

use super::time;

/// Anonymous pages that the agent's helper has more than this program with the stack of a child: 43 and 28, by
/// `/proc/PID/status`. One of them is far from all others, in a page table of its own, which a fork copies, too.
const MORE_PAGES: usize = 14;
const FAR_PAGES: usize = 1;
const PAGE: usize = 4096;
/// More than one page table is for: what the allocator maps by itself.
const FAR_BYTES: usize = 4 << 20;

/// Processes that fork four times each, and the pause before each process.
const PROCESSES: usize = 21;
const FORKS: usize = 4;
const PAUSE: Duration = Duration::from_millis(20);

pub(super) fn fork() -> anyhow::Result<f64> {
    time(|| child_that(|| {}))
}

/// A child that borrows this process's memory until it ends, waited for.
pub(super) fn vfork() -> anyhow::Result<f64> {
    let mut stack = vec![0_u8; STACK];
    time(|| borrower_that(&mut stack, None))
}

const STACK: usize = 4 * PAGE;

/// Such a child that writes a mark to a file, if there is one.
fn borrower_that(stack: &mut [u8], mut mark: Option<RawFd>) -> anyhow::Result<()> {
    let flags = nix::libc::CLONE_VM | nix::libc::CLONE_VFORK | nix::libc::SIGCHLD;
    let top = stack.as_mut_ptr_range().end.cast::<nix::libc::c_void>();
    // SAFETY: stack and mark outlive the child, as this thread is held until the child has ended; it only writes and ends.
    let child = unsafe { nix::libc::clone(mark_and_end, top, flags, (&raw mut mark).cast()) };
    ensure!(child > 0, "clone: {}", std::io::Error::last_os_error());
    let child = nix::unistd::Pid::from_raw(child);
    ensure!(waitpid(child, None)? == WaitStatus::Exited(child, 0), "the child did not end well");
    Ok(())
}

extern "C" fn mark_and_end(mark: *mut nix::libc::c_void) -> nix::libc::c_int {
    // SAFETY: the parent passes one, which lives until this has ended.
    let mark: Option<RawFd> = unsafe { *mark.cast() };
    if let Some(mark) = mark {
        leave(mark);
    }
    // SAFETY: ends the child without running anything of the parent's.
    unsafe { nix::libc::_exit(0) }
}

/// Leaves a mark, by the system call alone: the code of a wrapper would be one more page that a child has to find.
#[inline]
fn leave(mark: RawFd) {
    // SAFETY: a byte that is there.
    let _nobody_reads = unsafe { nix::libc::write(mark, [1_u8].as_ptr().cast(), 1) };
}

/// A child that does this and ends, waited for.
fn child_that(does: impl FnOnce()) -> anyhow::Result<()> {
    // SAFETY: this process has one thread, and the child does no more than a system call and end.
    match unsafe { fork_process()? } {
        ForkResult::Child => {
            does();
            // SAFETY: ends the process without running anything of ours.
            unsafe { nix::libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            ensure!(waitpid(child, None)? == WaitStatus::Exited(child, 0), "the child did not end well");
            Ok(())
        }
    }
}

/// What processes of the helper's size find that are new and fork but a few times, by their median.
pub(super) fn fork_few() -> anyhow::Result<f64> {
    few("proc_fork_once")
}

pub(super) fn vfork_few() -> anyhow::Result<f64> {
    few("proc_vfork_once")
}

fn few(name: &str) -> anyhow::Result<f64> {
    super::turns(PROCESSES, || {
        std::thread::sleep(PAUSE);
        let output = Command::new(std::env::current_exe()?).arg(name).output()?;
        ensure!(output.status.success(), "{name}: {}", output.status);
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    })
}

/// The median of all forks but the first, of one such process, which starts as many by vfork before, as the helper does.
pub(super) fn fork_once() -> anyhow::Result<f64> {
    let size = helpers_size();
    let mut stack = vec![0_u8; STACK];
    once(|mark| borrower_that(&mut stack, Some(mark)))?;
    let seconds = once(|mark| child_that(|| leave(mark)))?;
    drop(size);
    Ok(seconds)
}

pub(super) fn vfork_once() -> anyhow::Result<f64> {
    let size = helpers_size();
    let mut stack = vec![0_u8; STACK];
    let seconds = once(|mark| borrower_that(&mut stack, Some(mark)))?;
    drop(size);
    Ok(seconds)
}

/// What makes this process as large as the helper.
fn helpers_size() -> [Vec<u8>; 2] {
    let mut far = Vec::with_capacity(FAR_BYTES);
    // Other than zero, or the pages would be no memory.
    far.resize(FAR_PAGES * PAGE, 1_u8);
    std::hint::black_box([vec![1_u8; MORE_PAGES * PAGE], far])
}

fn once(mut start: impl FnMut(RawFd) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut seconds = Vec::with_capacity(FORKS);
    for _ in 0..FORKS {
        let (_reader, writer) = pipe()?;
        let begin = Instant::now();
        start(writer.as_raw_fd())?;
        seconds.push(begin.elapsed().as_secs_f64());
    }
    Ok(super::median(seconds.split_off(1)))
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
