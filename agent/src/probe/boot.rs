//! # What is measured
//!
//! How long the kernel took until it ran its first program, on a kernel of the agent's own. The method is a label:
//! `kmsg` reads the kernel's line "Run /sbin/init as init process", `starttime` field 22 of `/proc/1/stat`, in ticks of
//! 10 ms. And when the kernel, the container and the agent started, as points in time: when somebody starts a container
//! says nothing about what it costs.
//!
//! # What distorts it
//!
//! Firmware and boot loader come before the kernel's clock starts and are not seen here. The kernel's log may have
//! lost its beginning; then `starttime` answers, on a clock that may differ by some tenths of a second early in boot.
//! Points in time move with the wall clock.
//!
//! # Cost
//!
//! Two small files and the kernel's log, once.

use procfs::FromRead;
use procfs::process::Stat;
use tierprobe_model::{Family, Kernel, Kind};

use super::{Placement, Probe, ProbeError, Round, Spec};
use crate::host::HostFs;
use crate::measure::seconds;
use crate::sys::clock;

const DURATION: Family = Family {
    name: "tierprobe_boot_duration_seconds",
    help: "Time from the start of the kernel to the end of a phase of the boot, by the method that gave it.",
    kind: Kind::Gauge,
    labels: &["phase", "method"],
};
const START: Family = Family {
    name: "tierprobe_boot_start_timestamp_seconds",
    help: "When the kernel, the container's first process and the agent started.",
    kind: Kind::Gauge,
    labels: &["of"],
};

/// Boot time.
pub(super) const SPEC: Spec = Spec {
    name: "boot",
    measures: "time from the kernel's start to its first program; when kernel, container and agent started",
    interval: None,
    operations: None,
    measures_waiting: false,
    pauses_under_pressure: false,
    families: &[&DURATION, &START],
    prepare: |site| Ok(Box::new(Boot { fs: site.fs.clone(), kernel: site.kernel })),
};

struct Boot {
    fs: HostFs,
    kernel: Kernel,
}

impl Probe for Boot {
    fn measure(&mut self, _: Placement) -> Result<Round, ProbeError> {
        let mut round = Round::default();
        let first = since_boot(&self.fs, "/proc/1/stat")?;
        if self.kernel == Kernel::Own {
            if let Some(seconds) = self.fs.kernel_log().ok().and_then(|log| first_program(&log)) {
                round.gauge(&DURATION, ["kernel", "kmsg"], seconds);
            }
            round.gauge(&DURATION, ["kernel", "starttime"], first);
        }
        // Under another root the files are about another boot than the clocks.
        if self.fs.is_live() {
            let booted = clock::realtime_seconds() - seconds(clock::boottime_nanos());
            round.gauge(&START, ["kernel"], booted);
            if self.kernel == Kernel::Shared {
                round.gauge(&START, ["container"], booted + first);
            }
            round.gauge(&START, ["agent"], booted + since_boot(&self.fs, "/proc/self/stat")?);
        }
        Ok(round)
    }
}

/// Seconds from the kernel's start to a process's.
fn since_boot(fs: &HostFs, path: &str) -> Result<f64, ProbeError> {
    let bytes = fs.bytes(path).map_err(|error| ProbeError::unread(path, &error))?;
    let stat = Stat::from_read(bytes.as_slice()).map_err(|error| ProbeError::failed(path, error))?;
    let ticks = u32::try_from(stat.starttime).map_err(|error| ProbeError::failed(path, error))?;
    Ok(f64::from(ticks) / f64::from(clock::ticks_per_second()))
}

/// The time stamp of the kernel's line about its first program, in seconds.
///
/// A record of `/dev/kmsg` is `priority,sequence,microseconds,flags;text` (Documentation/ABI/testing/dev-kmsg).
fn first_program(log: &str) -> Option<f64> {
    let record = log.lines().find(|record| {
        record
            .split_once(';')
            .is_some_and(|(_, text)| text.starts_with("Run ") && text.ends_with(" as init process"))
    })?;
    let micros: u32 = record.split(',').nth(2)?.parse().ok()?;
    Some(f64::from(micros) / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_program_is_stamped_in_microseconds() {
        let log =
            "6,339,448800,-;Freeing unused kernel image memory\n6,340,448812,-;Run /init as init process\n";
        assert_eq!(first_program(log), Some(0.448_812));
        assert_eq!(first_program("6,340,nonsense,-;Run /init as init process\n"), None);
        assert_eq!(first_program(""), None);
    }
}
