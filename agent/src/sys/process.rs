//! Children that do nothing, as fast as the kernel makes them.
//!
//! For processes with one thread: in a child of several, locks may be held by threads that do not exist there. The
//! children make raw system calls only.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sched::{CloneFlags, clone};
use nix::sys::signal::Signal;
use nix::unistd::{ForkResult, Pid, fork};

/// How a child ends that did what it was to do. Neither success nor what a shell or a crash gives.
pub const DONE: i32 = 37;

/// Stack of a child that shares our memory: it makes two system calls.
const STACK_BYTES: usize = 16 << 10;

/// Writes the child's mark and ends it.
fn mark_and_exit(mark: BorrowedFd<'_>) -> ! {
    let _unmarked_is_noticed = super::raw::write_byte(mark);
    // SAFETY: ends the process without running anything of ours, which is what a child must do.
    unsafe { libc::_exit(DONE) }
}

/// A child with a copy of our memory, which writes a byte to `mark` and ends with [`DONE`].
///
/// # Errors
///
/// What the kernel said.
pub fn fork_child(mark: BorrowedFd<'_>) -> Result<Pid, Errno> {
    // SAFETY: the process has one thread, and the child makes raw system calls only.
    match unsafe { fork()? } {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => mark_and_exit(mark),
    }
}

/// The same with our memory itself, while we are held: what `vfork` does, on a stack of its own.
///
/// # Errors
///
/// What the kernel said.
pub fn vfork_child(mark: BorrowedFd<'_>) -> Result<Pid, Errno> {
    let mut stack = [0_u8; STACK_BYTES];
    let mark = mark.as_raw_fd();
    let child = Box::new(move || {
        // SAFETY: the caller holds the descriptor open, and is held until the child has ended.
        let mark = unsafe { BorrowedFd::borrow_raw(mark) };
        mark_and_exit(mark)
    });
    let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
    // SAFETY: CLONE_VFORK holds us until the child has ended, so that neither the stack nor what it borrows goes.
    unsafe { clone(child, &mut stack, flags, Some(Signal::SIGCHLD as i32)) }
}
