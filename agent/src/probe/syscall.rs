//! # What is measured
//!
//! The time of one system call, without the C library in between: `getppid` (the call itself), `read` of a byte of
//! `/dev/zero`, `write` of a byte to `/dev/null`, `futex` waking nobody, `clock_gettime` past the vDSO. The same clock
//! through the vDSO is the control: it enters no kernel. `openat`+`close` twice: of the agent's own file, on whatever
//! file system it lies (`openat_close`: the root's, a container's overlay), and of `/dev/null`, whose directory is a
//! tmpfs nearly everywhere (`openat_close_tmpfs`: absent where it is not). Both relative to the directory, so that the
//! depth of the path does not count.
//! Batches of 64 between two clock reads, 8 of them after one of warm-up; of `openat`+`close` 3 after one.
//! A call that a filter refuses has no series, and `check` says so: the time of a refusal is not the call's.
//!
//! # What distorts it
//!
//! A seccomp filter costs 40 to 100 ns and more in every call: compare like with like by `tierprobe_isolation_info`.
//! Mitigations of CPU vulnerabilities, the clock frequency and a busy sibling thread move it by tens of per cent:
//! compare the minimum and the median over many rounds, never one value.
//!
//! # Cost
//!
//! About 4,000 calls, 1 to 1.5 ms of CPU time, every 15 s.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc::c_long;
use nix::sys::stat::Mode;
use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};
use tierprobe_model::{Family, Kind};

use super::{NO_LABELS, Placement, Probe, ProbeError, Round, Spec};
use crate::measure::{Plan, Samples, time};
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
    prepare: |_| Ok(Box::new(Syscall::prepare())),
};

const PLAN: Plan = Plan { operations: 64, warm_up: 1, samples: 8 };
const OPEN_PLAN: Plan = Plan { operations: 64, warm_up: 1, samples: 3 };

/// A file that a call is made on, or why there is none.
type Found<T> = Result<T, String>;

/// A directory, and the name of a file in it.
type Entry = (OwnedFd, CString);

struct Syscall {
    zero: Found<File>,
    null: Found<File>,
    own_file: Found<Entry>,
    /// `None` where `/dev` is no tmpfs.
    tmpfs_file: Found<Option<Entry>>,
}

impl Syscall {
    fn prepare() -> Self {
        let device = |path: &str, write: bool| {
            let file = File::options().read(!write).write(write).open(path);
            file.map_err(|error| format!("{path}: {error}"))
        };
        Self {
            zero: device("/dev/zero", false),
            null: device("/dev/null", true),
            own_file: own_file(),
            tmpfs_file: tmpfs_file(),
        }
    }
}

/// The directory of the agent's executable, and its name in it.
fn own_file() -> Found<Entry> {
    in_directory(&std::env::current_exe().map_err(|error| format!("the agent's own file: {error}"))?)
}

/// `/dev` and `null`, where `/dev` is a tmpfs; so is what the kernel itself mounts there (`devtmpfs`).
fn tmpfs_file() -> Found<Option<Entry>> {
    let (directory, name) = in_directory(Path::new("/dev/null"))?;
    let kind = fstatfs(&directory).map_err(|errno| format!("/dev: statfs: {errno}"))?.filesystem_type();
    Ok((kind == TMPFS_MAGIC).then_some((directory, name)))
}

/// The directory of a file that can be opened, and its name in it.
fn in_directory(path: &Path) -> Found<Entry> {
    let failed = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(failed(&"not a file"));
    };
    let name = CString::new(name.as_encoded_bytes()).map_err(|error| failed(&error))?;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let directory = open(parent, flags, Mode::empty()).map_err(|errno| failed(&errno))?;
    raw::open_close(directory.as_fd(), &name).map_err(|errno| failed(&errno))?;
    Ok((directory, name))
}

/// A call that returns what it returns when it went well.
fn expect(returned: c_long, expected: c_long) -> Result<(), Errno> {
    if returned == expected { Ok(()) } else { Err(Errno::last()) }
}

/// `getppid`. Without a filter it cannot fail; with one, a refusal would be timed in its place.
pub(super) fn getppid() -> Result<(), Errno> {
    if raw::getppid() >= 0 { Ok(()) } else { Err(Errno::last()) }
}

impl Probe for Syscall {
    fn measure(&mut self, _: Placement) -> Result<Round, ProbeError> {
        let mut round = Round::default();
        // A call that is refused leaves the others as they are.
        let mut add = |call: &'static str, samples: Found<Result<Samples, Errno>>| match samples {
            Ok(Ok(samples)) => round.add(&CALL, Some(&COLD), [call], samples),
            Ok(Err(errno)) => round.miss(call, errno),
            Err(why) => round.miss(call, why),
        };
        add("getppid", Ok(time(PLAN, getppid)));
        let zero = self.zero.as_ref().map_err(Clone::clone);
        add("read", zero.map(|file| time(PLAN, || expect(raw::read_byte(file.as_fd()), 1))));
        let null = self.null.as_ref().map_err(Clone::clone);
        add("write", null.map(|file| time(PLAN, || expect(raw::write_byte(file.as_fd()), 1))));
        let open = |(directory, name): &Entry| time(OPEN_PLAN, || raw::open_close(directory.as_fd(), name));
        add("openat_close", self.own_file.as_ref().map(open).map_err(Clone::clone));
        match &self.tmpfs_file {
            Ok(None) => {}
            Ok(Some(entry)) => add("openat_close_tmpfs", Ok(open(entry))),
            Err(why) => add("openat_close_tmpfs", Err(why.clone())),
        }
        add("futex", Ok(time(PLAN, || expect(raw::futex_wake(), 0))));
        add("clock_gettime", Ok(time(PLAN, || expect(raw::clock_gettime(), 0))));
        let vdso = time(PLAN, || {
            std::hint::black_box(clock::monotonic_nanos());
            Ok::<(), ProbeError>(())
        })?;
        round.add(&VDSO, None, NO_LABELS, vdso);
        round.complete()
    }
}
