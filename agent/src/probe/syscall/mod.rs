//! # What is measured
//!
//! The time of one system call, without the C library in between: `getppid` (the call itself), `read` of a byte of
//! `/dev/zero`, `write` of a byte to `/dev/null`, `futex` waking nobody, `clock_gettime` past the vDSO. The same clock
//! through the vDSO is the control: it enters no kernel. `openat`+`close` twice: of a regular file on the file system of
//! `/` (`openat_close`: a container's overlay, say; the agent's own file where it lies there), and of an empty one that
//! the agent keeps on a tmpfs as long as it runs (`openat_close_tmpfs`: in the unit's runtime directory, `/dev/shm`,
//! `/run` or `/tmp`; absent where none of them is a tmpfs). Both relative to the directory, so that the depth of the
//! path does not count.
//! Batches of 64 between two clock reads, 9 of them after one of warm-up; of `openat`+`close` 7 batches of 8.
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
//! About 4,000 calls, 0.9 to 1.5 ms of CPU time, every 15 s.

mod file;

use std::fs::File;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::libc::c_long;
use tierprobe_model::{Family, Kind};

use super::{NO_LABELS, Placement, Probe, ProbeError, Round, Spec};
use crate::measure::{Plan, Samples, time};
use crate::sys::raw;
use file::Entry;

const CALL: Family = Family {
    name: "tierprobe_syscall_seconds",
    help: "Time of one system call, warmed up, from batches between two clock reads.",
    kind: Kind::Duration,
    labels: &["syscall"],
};
const COLD: Family = Family {
    name: "tierprobe_syscall_cold_seconds",
    help: "Time of the first of these calls in the round, with one clock read; only getppid's meets an idle CPU.",
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
    families: &[&CALL, &COLD, &VDSO],
    prepare: |_| Ok(Box::new(Syscall::prepare())),
};

const PLAN: Plan = Plan { operations: 64, warm_up: 1, samples: 9 };
/// Long calls: the clock is a small share of fewer of them.
const OPEN_PLAN: Plan = Plan { operations: 8, warm_up: 1, samples: 7 };

/// A file that a call is made on, or why there is none.
type Found<T> = Result<T, String>;

struct Syscall {
    zero: Found<File>,
    null: Found<File>,
    root_file: Found<Entry>,
    /// `None` where there is no tmpfs.
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
            root_file: file::on_root(),
            tmpfs_file: file::on_tmpfs(),
        }
    }
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
        let open = |entry: &Entry| time(OPEN_PLAN, || entry.open_close());
        add("openat_close", self.root_file.as_ref().map(open).map_err(Clone::clone));
        let on_tmpfs = |file: &Found<Option<Entry>>| {
            file.as_ref().map(|entry| entry.as_ref().map(open)).map_err(Clone::clone).transpose()
        };
        let mut samples = on_tmpfs(&self.tmpfs_file);
        if matches!(samples, Some(Ok(Err(Errno::ENOENT)))) {
            // Another agent of this user has ended, and taken it along. This one's must be dropped first: it has the
            // same name.
            self.tmpfs_file = Ok(None);
            self.tmpfs_file = file::on_tmpfs();
            samples = on_tmpfs(&self.tmpfs_file);
        }
        if let Some(samples) = samples {
            add("openat_close_tmpfs", samples);
        }
        add("futex", Ok(time(PLAN, || expect(raw::futex_wake(), 0))));
        add("clock_gettime", Ok(time(PLAN, || expect(raw::clock_gettime(), 0))));
        match time(PLAN, || expect(raw::vdso_clock().into(), 0)) {
            Ok(samples) => round.add(&VDSO, None, NO_LABELS, samples),
            Err(errno) => round.miss("the clock by the vDSO", errno),
        }
        round.complete()
    }
}
