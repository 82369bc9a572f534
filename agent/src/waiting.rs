//! What the kernel says of waiting for a CPU: of one thread, and of all tasks together.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

use crate::host::HostFs;

/// What is known of how the calling thread has waited for a CPU in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// For so long.
    Delay(Duration),
    /// Where the kernel tells no times: so often it was taken off its CPU though it could have run on.
    Switches(i64),
    /// Nothing, or it is not asked for.
    Unknown,
}

impl Waiting {
    /// Of the calling thread.
    pub(crate) fn of_this_thread(fs: &HostFs) -> Self {
        if let Some(delay) = of_this_thread(fs) {
            return Self::Delay(delay);
        }
        let usage = getrusage(UsageWho::RUSAGE_THREAD).ok().filter(|_| fs.is_live());
        usage.map_or(Self::Unknown, |usage| Self::Switches(usage.involuntary_context_switches()))
    }
}

/// How long the calling thread has waited for a CPU while it could have run: the second number of
/// `/proc/thread-self/schedstat` (Documentation/scheduler/sched-stats.rst). `None` on kernels without it.
pub(crate) fn of_this_thread(fs: &HostFs) -> Option<Duration> {
    if !fs.is_live() {
        return None;
    }
    let text = fs.text("/proc/thread-self/schedstat").ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

/// The share of the last ten seconds in which some task waited for a CPU (PSI). `None` where the kernel does not tell.
pub(crate) fn of_all(fs: &HostFs) -> Option<f64> {
    if !fs.is_live() {
        return None;
    }
    recent_pressure(&fs.text("/proc/pressure/cpu").ok()?)
}

/// `avg10` of the line `some`, which is in per cent (Documentation/accounting/psi.rst).
fn recent_pressure(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with("some "))?;
    let percent = line.split_ascii_whitespace().find_map(|word| word.strip_prefix("avg10="))?;
    percent.parse::<f64>().ok().map(|percent| percent / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_is_the_share_of_the_last_ten_seconds() {
        let psi = "some avg10=62.50 avg60=0.44 avg300=3.17 total=143843248\nfull avg10=0.00 total=0\n";
        assert!(recent_pressure(psi).is_some_and(|share| (share - 0.625).abs() < 1e-9));
        for text in ["", "some", "full avg10=90.00", "some avg10=much"] {
            assert_eq!(recent_pressure(text), None, "{text:?}");
        }
    }
}
