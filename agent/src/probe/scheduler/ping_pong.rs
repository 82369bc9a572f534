//! A byte there and back through pipes.

use std::io::{Error, Result};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use crate::measure::{Plan, Samples, time};
use crate::probe::partner::Partner;
use crate::sys::raw;
use crate::sys::thread::{self, Cpu};

pub(super) const SAME_CPU: Plan = Plan { operations: 1, warm_up: 1, samples: 13 };
pub(super) const CROSS_CPU: Plan = Plan { operations: 1, warm_up: 1, samples: 5 };
const CONTROL: Plan = Plan { operations: 16, warm_up: 1, samples: 7 };

/// Exchanges with `partner` on `cpu`, when both ends have slept for `pause`.
pub(super) fn exchange(partner: &mut Partner, cpu: Cpu, pause: Duration, plan: Plan) -> Result<Samples> {
    let (their_end, to_them) = pipe()?;
    let (our_end, to_us) = pipe()?;
    let answer = move || {
        loop {
            read(their_end.as_fd())?;
            write(to_us.as_fd())?;
        }
    };
    partner.play(cpu, answer, || {
        thread::pause(pause)?;
        let samples = time(plan, || {
            write(to_them.as_fd())?;
            read(our_end.as_fd())
        });
        // The other side reads an end, and is done.
        drop(to_them);
        samples
    })
}

/// Writing and reading by one thread.
pub(super) fn control() -> Result<Samples> {
    let (reader, writer) = pipe()?;
    time(CONTROL, || {
        write(writer.as_fd())?;
        read(reader.as_fd())
    })
}

fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    Ok(pipe2(OFlag::O_CLOEXEC)?)
}

#[inline]
fn write(end: BorrowedFd<'_>) -> Result<()> {
    if raw::write_byte(end) == 1 { Ok(()) } else { Err(Error::last_os_error()) }
}

#[inline]
fn read(end: BorrowedFd<'_>) -> Result<()> {
    match raw::read_byte(end) {
        1 => Ok(()),
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Err(Error::last_os_error()),
    }
}
