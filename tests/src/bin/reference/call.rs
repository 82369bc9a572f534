//! `lat_syscall null`, `read`, `write` and `open`, through the C library.
//!
//! A second thread sleeps beside: a process that shares its file descriptors with nobody is spared the counting of
//! references to each file, some 25 ns a call. The agent has several threads, as nearly every service has.

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, ensure};
use nix::fcntl::{OFlag, open as open_file};
use nix::sys::stat::Mode;
use nix::unistd::getppid;

use super::time;

pub(super) fn null() -> anyhow::Result<f64> {
    time(|| {
        std::hint::black_box(getppid());
        Ok(())
    })
}

/// A thread that does nothing, for the rest of the process.
fn share_descriptors() {
    std::thread::spawn(|| {
        loop {
            std::thread::park()
        }
    });
}

pub(super) fn read() -> anyhow::Result<f64> {
    share_descriptors();
    let zero = File::open("/dev/zero")?;
    let mut byte = [0];
    time(|| {
        ensure!(nix::unistd::read(&zero, &mut byte)? == 1, "/dev/zero has ended");
        Ok(())
    })
}

pub(super) fn write() -> anyhow::Result<f64> {
    share_descriptors();
    let null = File::options().write(true).open("/dev/null")?;
    time(|| {
        ensure!(nix::unistd::write(&null, &[0])? == 1, "/dev/null is full");
        Ok(())
    })
}

/// Opens and closes a file in the current directory, which is made that of the file first: the agent, too, does not
/// walk its path.
pub(super) fn open(path: &str) -> anyhow::Result<f64> {
    share_descriptors();
    let path = Path::new(path);
    std::env::set_current_dir(path.parent().context("a file has a directory")?)?;
    let name = path.file_name().context("a file has a name")?;
    time(|| {
        drop(open_file(name, OFlag::O_RDONLY, Mode::empty())?);
        Ok(())
    })
}
