//! What the kernel says of waiting for a CPU: of one thread, and of all tasks together.

use std::time::Duration;

use crate::host::HostFs;

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
