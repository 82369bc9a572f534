//! The agent's own process, for the standard `process_*` metrics.
//!
//! About the agent itself, not about the host it looks at: always read from the live `/proc`.

use procfs::FromRead;
use procfs::process::Stat;

use crate::host::HostFs;
use crate::measure::real;
use crate::sys::{clock, memory};

/// What the process uses; absent where the kernel does not tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProcessStats {
    /// CPU time in user space and kernel, in seconds.
    pub cpu_seconds: Option<f64>,
    /// Resident memory in bytes.
    pub resident_bytes: Option<f64>,
    /// Virtual memory in bytes.
    pub virtual_bytes: Option<f64>,
    /// Start time in seconds since the epoch.
    pub start_seconds: Option<f64>,
    /// Threads.
    pub threads: Option<f64>,
    /// Open file descriptors.
    pub open_files: Option<f64>,
    /// How many file descriptors it may open.
    pub max_files: Option<f64>,
}

impl ProcessStats {
    /// Reads them.
    #[must_use]
    pub fn read() -> Self {
        let fs = HostFs::live();
        let stat = fs.bytes("/proc/self/stat").ok().and_then(|bytes| Stat::from_read(bytes.as_slice()).ok());
        let seconds = |ticks: u64| real(ticks) / f64::from(clock::ticks_per_second());
        let booted = clock::realtime_seconds() - crate::measure::seconds(clock::boottime_nanos());
        Self {
            cpu_seconds: stat.as_ref().map(|stat| seconds(stat.utime + stat.stime)),
            resident_bytes: stat.as_ref().map(|stat| real(stat.rss) * page_bytes()),
            virtual_bytes: stat.as_ref().map(|stat| real(stat.vsize)),
            start_seconds: stat.as_ref().map(|stat| booted + seconds(stat.starttime)),
            threads: stat.as_ref().and_then(|stat| u32::try_from(stat.num_threads).ok()).map(f64::from),
            open_files: fs.names("/proc/self/fd").ok().and_then(|names| u32::try_from(names.len()).ok()).map(
                // Listing the directory opens it.
                |open| f64::from(open) - 1.0,
            ),
            max_files: nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
                .ok()
                .map(|(soft, _)| real(soft)),
        }
    }
}

fn page_bytes() -> f64 {
    u32::try_from(memory::page_size()).map_or(4096.0, f64::from)
}
