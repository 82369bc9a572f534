//! What the collector itself uses, for the standard `process_*` metrics.

use procfs::WithCurrentSystemInfo as _;
use procfs::process::{LimitValue, Process};

use crate::stats::real;

/// What the process uses; absent where the kernel does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// CPU time in user space and kernel, in seconds.
    pub cpu_seconds: Option<f64>,
    /// Resident memory, in bytes.
    pub resident_bytes: Option<f64>,
    /// Virtual memory, in bytes.
    pub virtual_bytes: Option<f64>,
    /// Threads.
    pub threads: Option<f64>,
    /// Open file descriptors.
    pub open_files: Option<f64>,
    /// How many it may open.
    pub max_files: Option<f64>,
}

/// Reads it.
#[must_use]
pub fn usage() -> Usage {
    let Ok(process) = Process::myself() else { return Usage::default() };
    let stat = process.stat().ok();
    let count = |number: u64| usize::try_from(number).ok().map(real);
    let max_files = process.limits().ok().and_then(|limits| match limits.max_open_files.soft_limit {
        LimitValue::Value(limit) => count(limit),
        LimitValue::Unlimited => None,
    });
    Usage {
        cpu_seconds: stat
            .as_ref()
            .and_then(|stat| Some(count(stat.utime + stat.stime)? / count(procfs::ticks_per_second())?)),
        resident_bytes: stat.as_ref().and_then(|stat| count(stat.rss_bytes().get())),
        virtual_bytes: stat.as_ref().and_then(|stat| count(stat.vsize)),
        threads: stat.as_ref().and_then(|stat| count(u64::try_from(stat.num_threads).ok()?)),
        open_files: process.fd_count().ok().map(real),
        max_files,
    }
}
