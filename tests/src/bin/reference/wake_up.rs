//! What `cyclictest` does, in a loop of a dozen lines: sleep until an absolute time, look how late it is.

use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

const WAKE_UPS: usize = 150;

/// Neither a divisor nor a multiple of the timer tick.
const INTERVAL: Duration = Duration::from_micros(11_930);

/// The median of how late the thread ran.
pub(super) fn delay() -> anyhow::Result<f64> {
    nix::sys::prctl::set_timerslack(1)?;
    let clock = ClockId::CLOCK_MONOTONIC;
    let mut seconds = Vec::with_capacity(WAKE_UPS);
    let mut due = Duration::from(clock_gettime(clock)?);
    for _ in 0..WAKE_UPS {
        due += INTERVAL;
        clock_nanosleep(clock, ClockNanosleepFlags::TIMER_ABSTIME, &TimeSpec::from_duration(due))?;
        seconds.push(Duration::from(clock_gettime(clock)?).saturating_sub(due).as_secs_f64());
    }
    Ok(super::median(seconds))
}
