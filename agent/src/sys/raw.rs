//! System calls without the C library in between, so that nothing caches or wraps what is measured; and the clock that
//! the C library finds in the vDSO.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc::{self, c_int, c_long};

/// `getppid()`: the shortest system call that nothing answers from memory. Negative where a seccomp filter refuses it.
#[inline]
pub fn getppid() -> c_long {
    // SAFETY: getppid takes no arguments and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_getppid) }
}

/// `clock_gettime(CLOCK_MONOTONIC)` by the kernel, past the vDSO.
#[inline]
pub fn clock_gettime() -> c_long {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec to a valid, exclusive pointer.
    unsafe { libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, &raw mut time) }
}

/// `clock_gettime(CLOCK_MONOTONIC)` through the vDSO, where the clock source allows. 0 when it went well.
#[inline]
pub fn vdso_clock() -> c_int {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: one timespec is written to a valid, exclusive pointer.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) }
}

/// Reads one byte. 1 when there was one; negative on error.
#[inline]
pub fn read_byte(file: BorrowedFd<'_>) -> c_long {
    let mut byte = 0_u8;
    // SAFETY: the kernel writes at most one byte to a valid, exclusive pointer.
    unsafe { libc::syscall(libc::SYS_read, file.as_raw_fd(), &raw mut byte, 1_usize) }
}

/// Writes one byte. 1 when it was taken; negative on error.
#[inline]
pub fn write_byte(file: BorrowedFd<'_>) -> c_long {
    let byte = 0_u8;
    // SAFETY: the kernel reads one byte from a valid pointer.
    unsafe { libc::syscall(libc::SYS_write, file.as_raw_fd(), &raw const byte, 1_usize) }
}

/// Wakes whoever waits on a word of ours: nobody does. 0 when it went well; negative on error.
#[inline]
pub fn futex_wake() -> c_long {
    let word = 0_u32;
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: FUTEX_WAKE only takes the address of the word, which is valid, as a key.
    unsafe { libc::syscall(libc::SYS_futex, &raw const word, operation, 1) }
}

/// Opens a file read-only, relative to `directory`, and closes it again.
///
/// # Errors
///
/// What the kernel said to the open.
#[inline]
pub fn open_close(directory: BorrowedFd<'_>, path: &std::ffi::CStr) -> Result<(), Errno> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: the path is a valid C string; without O_CREAT no mode is read.
    let file = unsafe { libc::syscall(libc::SYS_openat, directory.as_raw_fd(), path.as_ptr(), flags) };
    let file = Errno::result(file)?;
    // SAFETY: the descriptor is ours alone: it was opened in the line above.
    let closed = unsafe { libc::syscall(libc::SYS_close, file) };
    Errno::result(closed).map(|_| ())
}

/// Whether CPUID faults: the kernel then sends a signal, and whoever traces the process answers it in software.
///
/// `None` where the kernel cannot tell: before Linux 4.12, or not on x86.
#[must_use]
pub fn cpuid_faulting() -> Option<bool> {
    #[cfg(target_arch = "x86_64")]
    {
        const ARCH_GET_CPUID: i32 = 0x1011;
        // SAFETY: ARCH_GET_CPUID ignores its argument and only returns a value.
        let enabled = unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_GET_CPUID, 0) };
        match enabled {
            0 => Some(true),
            1 => Some(false),
            _ => None,
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    None
}
