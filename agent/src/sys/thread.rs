//! The measuring thread: where it runs, how exactly it wakes, what happened to it.

use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollTimeout, poll};
use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};
use nix::unistd::Pid;

use super::clock;

/// A CPU number, as the kernel counts them.
pub type Cpu = usize;

/// The CPUs that the process may run on: the affinity of its first thread, which is never pinned and which the kernel
/// keeps within the cpuset.
///
/// # Errors
///
/// What the kernel said; also for more CPUs than `CpuSet` can hold.
pub fn allowed_cpus() -> Result<Vec<Cpu>, Errno> {
    let set = sched_getaffinity(Pid::this())?;
    Ok((0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect())
}

/// Lets the calling thread run on these CPUs only.
///
/// # Errors
///
/// What the kernel said, such as `EINVAL` when the cpuset has none of them any more.
pub fn pin(cpus: &[Cpu]) -> Result<(), Errno> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu)?;
    }
    sched_setaffinity(Pid::from_raw(0), &set)
}

/// The CPU that the calling thread is on.
///
/// # Errors
///
/// `ENOSYS` on kernels that do not tell.
pub fn current_cpu() -> Result<Cpu, Errno> {
    sched_getcpu()
}

/// Sets the timer slack of the calling thread to 1 ns.
///
/// With the default of 50 µs the kernel may put off each wake-up by as much, and every tier looks alike.
///
/// # Errors
///
/// What the kernel said.
pub fn set_smallest_timer_slack() -> Result<(), Errno> {
    nix::sys::prctl::set_timerslack(1)
}

/// By how many nanoseconds the kernel may put off a wake-up of the calling thread; 0 for real-time ones.
///
/// # Errors
///
/// What the kernel said.
pub fn timer_slack_nanos() -> Result<i32, Errno> {
    nix::sys::prctl::get_timerslack()
}

/// Sleeps until `CLOCK_MONOTONIC` shows `deadline_nanos`.
///
/// # Errors
///
/// What the kernel said, if it refused to: the call has returned at once then.
pub fn sleep_until(deadline_nanos: u64) -> Result<(), Errno> {
    let deadline = TimeSpec::from_duration(Duration::from_nanos(deadline_nanos));
    let absolute = ClockNanosleepFlags::TIMER_ABSTIME;
    loop {
        match clock_nanosleep(ClockId::CLOCK_MONOTONIC, absolute, &deadline) {
            Err(Errno::EINTR) => {}
            other => return other.map(|_| ()),
        }
    }
}

/// So many nanoseconds as a time for poll(2), rounded up to milliseconds: rounded down, it would return for nothing.
#[must_use]
pub fn poll_timeout(nanos: u64) -> PollTimeout {
    let millis = i32::try_from(nanos.div_ceil(1_000_000)).ok();
    millis.and_then(|millis| PollTimeout::try_from(millis).ok()).unwrap_or(PollTimeout::MAX)
}

/// Leaves the CPU for a while, rounded up to milliseconds.
///
/// Not by the standard library, which panics where a filter of system calls refuses its way to sleep.
///
/// # Errors
///
/// What the kernel said, where it refuses poll(2) and clock_nanosleep(2).
pub fn pause(length: Duration) -> Result<(), Errno> {
    let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    let end = clock::monotonic_nanos().saturating_add(nanos);
    loop {
        let left = end.saturating_sub(clock::monotonic_nanos());
        if left == 0 {
            return Ok(());
        }
        match poll(&mut [], poll_timeout(left)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return sleep_until(end),
        }
    }
}
