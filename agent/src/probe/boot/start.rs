//! When the kernel, the container and the agent started.

use super::super::{ProbeError, Round};
use super::{Kernel, START, kernel};
use crate::host::{HostFs, ReadError};
use crate::measure::seconds;
use crate::sys::clock;

/// The kernel's first namespace of process ids, by the number that it has in every kernel (`PROC_PID_INIT_INO`).
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Adds the points in time, in seconds since the epoch. Under another root the files are about another boot than the
/// clocks, and there are none.
pub(super) fn read(fs: &HostFs, whose: Kernel, round: &mut Round) -> Result<(), ProbeError> {
    if !fs.is_live() {
        return Ok(());
    }
    let up = clock::boottime_nanos();
    if up == 0 {
        round.miss("when kernel and agent started", "CLOCK_BOOTTIME is not to be had");
        return Ok(());
    }
    // As this time namespace counts; start times of processes count alike.
    let zero = clock::realtime_seconds() - seconds(up);
    match offset(fs) {
        Ok(offset) => round.gauge(&START, ["kernel"], zero + offset),
        Err(why) => round.miss("when the kernel started", why),
    }
    // With the host's processes in sight the first of them is the host's.
    let is_own = fs.link("/proc/self/ns/pid").is_ok_and(|namespace| namespace != FIRST_PID_NAMESPACE);
    let container = (whose == Kernel::Shared && is_own).then_some(("container", "/proc/1/stat"));
    for (of, path) in container.into_iter().chain([("agent", "/proc/self/stat")]) {
        match kernel::started(fs, path)? {
            Ok(started) => round.gauge(&START, [of], zero + started.as_secs_f64()),
            Err(why) => round.miss(&format!("when the {of} started"), why),
        }
    }
    Ok(())
}

/// By how many seconds `CLOCK_BOOTTIME` is ahead of the kernel's in the agent's time namespace (time_namespaces(7)).
///
/// # Errors
///
/// Why that is not known.
fn offset(fs: &HostFs) -> Result<f64, String> {
    const OFFSETS: &str = "/proc/self/timens_offsets";
    let text = match fs.text(OFFSETS) {
        Ok(text) => text,
        // Kernels before 5.6, and those without the option, have no such namespaces.
        Err(ReadError::NotFound) if fs.exists("/proc/self") == Ok(true) => return Ok(0.0),
        Err(error) => return Err(format!("{OFFSETS}: {error}")),
    };
    // The file is about the namespace of the children.
    let namespace = |path: &str| fs.link(path).map_err(|error| format!("{path}: {error}"));
    if namespace("/proc/self/ns/time")? != namespace("/proc/self/ns/time_for_children")? {
        return Err("the agent's time namespace is not that of its children".to_owned());
    }
    parse_offset(&text).ok_or_else(|| format!("{OFFSETS}: no offset"))
}

/// `boottime SECONDS NANOSECONDS`; only the seconds may be negative.
fn parse_offset(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("boottime"))?;
    let mut words = line.split_ascii_whitespace();
    let (whole, nanos): (i64, u32) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    // Beyond that a clock would not count any more (KTIME_SEC_MAX / 2).
    let whole = i32::try_from(whole).ok()?;
    Some(f64::from(whole) + f64::from(nanos) / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_has_signed_seconds_and_nanoseconds() {
        let text = "monotonic           0         0\nboottime       -86400 500000000\n";
        assert!(parse_offset(text).is_some_and(|offset| (offset + 86_399.5).abs() < 1e-9));
        for wrong in ["", "boottime", "boottime 1", "boottime x 0", "boottime 99999999999999 0"] {
            assert_eq!(parse_offset(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_kernel_started_before_the_agent() {
        let mut round = Round::default();
        read(&HostFs::live(), Kernel::Own, &mut round).unwrap();
        let of =
            |name: &str| round.gauges.iter().find(|gauge| gauge.labels == [name]).map(|gauge| gauge.value);
        assert!(of("kernel").unwrap() < of("agent").unwrap(), "{round:?}");
        assert!(of("agent").unwrap() <= clock::realtime_seconds() + 0.02, "{round:?}");
        assert_eq!(of("container"), None);
    }
}
