//! `lat_syscall null` through the C library; `read`, `write` and `open` past its wrappers, which in a process with several
//! threads spend some 10 ns on whether the thread is being cancelled; and the same loop around calls that lmbench does not
//! have.
//!
//! A second thread sleeps beside: a process that shares its file descriptors with nobody is spared the counting of
//! references to each file, some 25 ns a call. The agent has several threads, as nearly every service has.
#![expect(unsafe_code, reason = "the kernel's own interface has no safe form")]

use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use anyhow::{Context as _, ensure};
use nix::libc;
use nix::unistd::getppid;

use super::time;

pub(super) fn null() -> anyhow::Result<f64> {
    time(|| {
        std::hint::black_box(getppid());
        Ok(())
    })
}

/// A thread that does nothing, for the rest of the process.
pub(super) fn share_descriptors() {
    std::thread::spawn(|| {
        loop {
            std::thread::park()
        }
    });
}

pub(super) fn read() -> anyhow::Result<f64> {
    share_descriptors();
    let zero = File::open("/dev/zero")?;
    time(|| {
        ensure!(read_byte(&zero) == 1, "/dev/zero has ended");
        Ok(())
    })
}

pub(super) fn write() -> anyhow::Result<f64> {
    share_descriptors();
    let null = File::options().write(true).open("/dev/null")?;
    time(|| {
        ensure!(write_byte(&null) == 1, "/dev/null is full");
        Ok(())
    })
}

/// Reads a byte; how many there were, or a negative number.
#[inline]
pub(super) fn read_byte(file: &impl AsRawFd) -> libc::c_long {
    let mut byte = [0_u8];
    // SAFETY: the kernel writes one byte to a valid, exclusive pointer.
    unsafe { libc::syscall(libc::SYS_read, file.as_raw_fd(), byte.as_mut_ptr(), 1_usize) }
}

/// Writes a byte; how many were taken, or a negative number.
#[inline]
pub(super) fn write_byte(file: &impl AsRawFd) -> libc::c_long {
    let byte = [0_u8];
    // SAFETY: the kernel reads one byte from a valid pointer.
    unsafe { libc::syscall(libc::SYS_write, file.as_raw_fd(), byte.as_ptr(), 1_usize) }
}

/// The time, asked past the vDSO.
pub(super) fn clock() -> anyhow::Result<f64> {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    time(|| {
        let now: *mut libc::timespec = &raw mut now;
        // SAFETY: the kernel writes one timespec to a valid, exclusive pointer.
        let asked = unsafe { libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, now) };
        ensure!(asked == 0, "clock_gettime");
        Ok(())
    })
}

/// The time, asked through the vDSO, as the C library has it.
pub(super) fn vdso() -> anyhow::Result<f64> {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    time(|| {
        // SAFETY: one timespec is written to a valid, exclusive pointer.
        let asked = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
        ensure!(asked == 0, "clock_gettime");
        Ok(())
    })
}

/// Wakes whoever waits on a word, which is nobody.
pub(super) fn futex() -> anyhow::Result<f64> {
    let word = 0_u32;
    time(|| {
        let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the kernel only takes the address, of a word that outlives the call, as a name.
        let woken = unsafe { libc::syscall(libc::SYS_futex, &raw const word, operation, 1) };
        ensure!(woken == 0, "somebody waited");
        Ok(())
    })
}

/// Opens and closes a file by its name in a directory that is open: the agent, too, does not walk its path.
pub(super) fn open(path: &str) -> anyhow::Result<f64> {
    share_descriptors();
    let path = Path::new(path);
    let directory = File::open(path.parent().context("a file has a directory")?)?;
    let name = CString::new(path.file_name().context("a file has a name")?.as_encoded_bytes())?;
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    time(|| {
        // SAFETY: the kernel reads a path that ends with a zero and outlives the call.
        let file = unsafe { libc::syscall(libc::SYS_openat, directory.as_raw_fd(), name.as_ptr(), flags, 0) };
        ensure!(file >= 0, "the file cannot be opened");
        // SAFETY: the descriptor was just made, and nobody else has it.
        let closed = unsafe { libc::syscall(libc::SYS_close, file) };
        ensure!(closed == 0, "the file cannot be closed");
        Ok(())
    })
}
