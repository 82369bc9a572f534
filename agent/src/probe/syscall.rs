//! # What is measured
//!
//! The time of one system call, without the C library in between: `getppid` (the call itself), `read` of a byte of
//! `/dev/zero`, `write` of a byte to `/dev/null`, `futex` waking nobody, `clock_gettime` past the vDSO. The same clock
//! through the vDSO is the control: it enters no kernel. `openat`+`close` twice: of the agent's own file, on whatever
//! file system it lies (`openat_close`: the root's, a container's overlay), and of `/dev/null`, whose directory is a
//! tmpfs nearly everywhere (`openat_close_tmpfs`: absent where it is not). Both relative to the directory, so that the
//! depth of the path does not count.
//! Batches of 64 between two clock reads, 12 of them after four of warm-up; of `openat`+`close` 5 after one.
//!
//! # What distorts it
//!
//! A seccomp filter costs 40 to 100 ns and more in every call: compare like with like by `tierprobe_isolation_info`.
//! Mitigations of CPU vulnerabilities, the clock frequency and a busy sibling thread move it by tens of per cent:
//! compare the minimum and the median over many rounds, never one value.
//!
//! # Cost
//!
//! About 7,000 calls, 1.5 to 2 ms of CPU time, every 15 s.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};
use tierprobe_model::{Family, Kind};

use super::{NO_LABELS, Placement, Probe, ProbeError, Round, Spec};
use crate::measure::{Plan, time};
use crate::sys::{clock, raw};

const CALL: Family = Family {
    name: "tierprobe_syscall_seconds",
    help: "Time of one system call, warmed up, from batches between two clock reads.",
    kind: Kind::Duration,
    labels: &["syscall"],
};
const COLD: Family = Family {
    name: "tierprobe_syscall_cold_seconds",
    help: "Time of the first system call after the pause since the last round, with one clock read.",
    kind: Kind::Gauge,
    labels: &["syscall"],
};
const VDSO: Family = Family {
    name: "tierprobe_syscall_vdso_seconds",
    help: "Time of clock_gettime through the vDSO, the control that enters no kernel where the clock source allows.",
    kind: Kind::Duration,
    labels: &[],
};

/// System calls.
pub(super) const SPEC: Spec = Spec {
    name: "syscall",
    measures: "system calls: getppid, read, write, openat+close, futex, clock_gettime; the vDSO clock as control",
    interval: super::USUAL_INTERVAL,
    operations: Some(PLAN.operations),
    measures_waiting: false,
    pauses_under_pressure: false,
    families: &[&CALL, &COLD, &VDSO],
    prepare: |_| Ok(Box::new(Syscall::prepare()?)),
};

const PLAN: Plan = Plan { operations: 64, warm_up: 4, samples: 12 };
const OPEN_PLAN: Plan = Plan { operations: 64, warm_up: 1, samples: 5 };

struct Syscall {
    zero: Option<File>,
    null: Option<File>,
    own_file: Option<(OwnedFd, CString)>,
    tmpfs_file: Option<(OwnedFd, CString)>,
}

impl Syscall {
    fn prepare() -> Result<Self, ProbeError> {
        let device = |path: &str, write: bool| File::options().read(!write).write(write).open(path).ok();
        Ok(Self {
            zero: device("/dev/zero", false),
            null: device("/dev/null", true),
            own_file: own_file(),
            tmpfs_file: tmpfs_file(),
        })
    }
}

/// The directory of the agent's executable, and its name in it.
fn own_file() -> Option<(OwnedFd, CString)> {
    in_directory(&std::env::current_exe().ok()?)
}

/// `/dev` and `null`, where `/dev` is a tmpfs; so is what the kernel itself mounts there (`devtmpfs`).
fn tmpfs_file() -> Option<(OwnedFd, CString)> {
    let (directory, name) = in_directory(Path::new("/dev/null"))?;
    (fstatfs(&directory).ok()?.filesystem_type() == TMPFS_MAGIC).then_some((directory, name))
}

/// The directory of a file that can be opened, and its name in it.
fn in_directory(path: &Path) -> Option<(OwnedFd, CString)> {
    let name = CString::new(path.file_name()?.as_encoded_bytes()).ok()?;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let directory = open(path.parent()?, flags, Mode::empty()).ok()?;
    raw::open_close(directory.as_fd(), &name).ok()?;
    Some((directory, name))
}

/// A call that returns what it returns when it went well.
fn expect(returned: nix::libc::c_long, expected: nix::libc::c_long) -> Result<(), nix::errno::Errno> {
    if returned == expected { Ok(()) } else { Err(nix::errno::Errno::last()) }
}

impl Probe for Syscall {
    fn measure(&mut self, _: Placement) -> Result<Round, ProbeError> {
        let mut round = Round::default();
        let mut add = |call: &'static str, samples| match samples {
            Ok(samples) => {
                round.add(&CALL, Some(&COLD), [call], samples);
                Ok(())
            }
            Err(error) => Err(ProbeError::failed(call, error)),
        };
        add(
            "getppid",
            time(PLAN, || {
                raw::getppid();
                Ok::<(), nix::errno::Errno>(())
            }),
        )?;
        if let Some(zero) = &self.zero {
            add("read", time(PLAN, || expect(raw::read_byte(zero.as_fd()), 1)))?;
        }
        if let Some(null) = &self.null {
            add("write", time(PLAN, || expect(raw::write_byte(null.as_fd()), 1)))?;
        }
        for (call, file) in [("openat_close", &self.own_file), ("openat_close_tmpfs", &self.tmpfs_file)] {
            if let Some((directory, name)) = file {
                add(call, time(OPEN_PLAN, || raw::open_close(directory.as_fd(), name)))?;
            }
        }
        add("futex", time(PLAN, || expect(raw::futex_wake(), 0)))?;
        add("clock_gettime", time(PLAN, || expect(raw::clock_gettime(), 0)))?;
        let vdso = time(PLAN, || {
            std::hint::black_box(clock::monotonic_nanos());
            Ok::<(), ProbeError>(())
        })?;
        round.add(&VDSO, None, NO_LABELS, vdso);
        Ok(round)
    }
}
