//! What the kernel's own counters say has happened since the last round, as shares of that time.

use tierprobe_model::{Family, Kind};

use crate::cgroup::{Cgroup, Version};
use crate::host::HostFs;
use crate::measure::{real, seconds};
use crate::probe::{LabelValue, Round};
use crate::sys::clock;

pub(super) const STEAL: Family = Family {
    name: "tierprobe_cpu_steal_ratio",
    help: "CPU time since the last round that the hypervisor gave to others, by what it reports; of all CPUs, 1 is one CPU.",
    kind: Kind::Gauge,
    labels: &[],
};
pub(super) const WAITING: Family = Family {
    name: "tierprobe_cpu_waiting_ratio",
    help: "Time since the last round that tasks have waited for a CPU while they could have run; 1 is one task all the time.",
    kind: Kind::Gauge,
    labels: &[],
};
pub(super) const THROTTLED: Family = Family {
    name: "tierprobe_cpu_throttled_ratio",
    help: "Time since the last round that quotas of the agent's control group and of those around it held tasks.",
    kind: Kind::Gauge,
    labels: &[],
};
pub(super) const PRESSURE: Family = Family {
    name: "tierprobe_cpu_pressure_ratio",
    help: "Share of the time since the last round in which some task waited for the resource (PSI).",
    kind: Kind::Gauge,
    labels: &["resource", "scope"],
};

/// Resources that PSI knows.
const RESOURCES: [&str; 3] = ["cpu", "memory", "io"];

/// A counter, and what one of its steps is.
struct Counter {
    family: &'static Family,
    labels: Vec<&'static str>,
    /// In seconds.
    total: f64,
}

/// Reads counters, and knows what they showed in the last round.
pub(super) struct Shares {
    group: Option<Cgroup>,
    last: Option<(u64, Vec<Counter>)>,
}

impl Shares {
    pub(super) fn new(fs: &HostFs) -> Self {
        Self { group: Cgroup::of(fs, "cpu"), last: None }
    }

    /// Adds the shares since the last round; the first round has none.
    pub(super) fn add(&mut self, fs: &HostFs, round: &mut Round) {
        let now = clock::monotonic_nanos();
        let counters = read(fs, self.group.as_ref(), round);
        if let Some((then, before)) = &self.last {
            let elapsed = seconds(now.saturating_sub(*then));
            for counter in &counters {
                let same = before
                    .iter()
                    .find(|other| other.family.name == counter.family.name && other.labels == counter.labels);
                // A counter that went back belongs to another machine or group by now.
                if let Some(growth) = same.map(|before| counter.total - before.total).filter(|g| *g >= 0.0)
                    && elapsed > 0.0
                {
                    let labels = counter.labels.iter().map(|label| LabelValue::from(*label));
                    round.gauge(counter.family, labels, growth / elapsed);
                }
            }
        }
        self.last = Some((now, counters));
    }
}

/// The counters as they are now; what cannot be read is told to `round`.
fn read(fs: &HostFs, group: Option<&Cgroup>, round: &mut Round) -> Vec<Counter> {
    let mut counters = Vec::new();
    let mut add = |family, labels: &[&'static str], total: Option<f64>| {
        if let Some(total) = total {
            counters.push(Counter { family, labels: labels.to_vec(), total });
        }
    };
    let mut text = |what: &str, path: &str| match fs.text(path) {
        Ok(text) => Some(text),
        Err(error) => {
            round.miss(what, format_args!("{path}: {error}"));
            None
        }
    };
    add(&STEAL, &[], text("steal", "/proc/stat").as_deref().and_then(steal_seconds));
    add(&WAITING, &[], text("waiting", "/proc/schedstat").as_deref().and_then(waited_seconds));
    for resource in RESOURCES {
        let path = format!("/proc/pressure/{resource}");
        add(&PRESSURE, &[resource, "system"], text("pressure", &path).as_deref().and_then(some_seconds));
    }
    if let Some(group) = group {
        let (key, unit) = match group.version {
            Version::V1 => ("throttled_time", 1e-9),
            Version::V2 => ("throttled_usec", 1e-6),
        };
        add(&THROTTLED, &[], group.keyed_around(fs, "cpu.stat", key).map(|total| real(total) * unit));
        // The root's has none, and neither has any under version 1.
        for resource in RESOURCES.into_iter().filter(|_| group.version == Version::V2) {
            let pressure = fs.text(&format!("{}/{resource}.pressure", group.directory)).ok();
            add(&PRESSURE, &[resource, "cgroup"], pressure.as_deref().and_then(some_seconds));
        }
    }
    counters
}

/// Field 8 of the first line of `/proc/stat` (proc(5)).
fn steal_seconds(stat: &str) -> Option<f64> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: u64 = line.split_ascii_whitespace().nth(7)?.parse().ok()?;
    Some(real(ticks) / f64::from(clock::ticks_per_second()))
}

/// The eighth number of each CPU's line in `/proc/schedstat`, in nanoseconds
/// (Documentation/scheduler/sched-stats.rst); the same in versions 15 to 17.
fn waited_seconds(schedstat: &str) -> Option<f64> {
    let lines: Vec<&str> = schedstat.lines().filter(|line| line.starts_with("cpu")).collect();
    let waited = |line: &&str| line.split_ascii_whitespace().nth(8)?.parse().ok().map(seconds);
    let waited: Vec<f64> = lines.iter().filter_map(waited).collect();
    (!lines.is_empty() && waited.len() == lines.len()).then(|| waited.iter().sum())
}

/// `total` of the line `some` (Documentation/accounting/psi.rst), in microseconds there.
fn some_seconds(pressure: &str) -> Option<f64> {
    let line = pressure.lines().find(|line| line.starts_with("some "))?;
    let total: u64 = line.split_once("total=")?.1.trim().parse().ok()?;
    Some(real(total) * 1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: Option<f64>, expected: f64) {
        assert!(found.is_some_and(|found| (found - expected).abs() < 1e-9), "{found:?}, not {expected}");
    }

    #[test]
    fn counters_are_read_as_the_kernel_writes_them() {
        close(steal_seconds("cpu  1 2 3 4 5 6 7 80 9 10\ncpu0 1 2 3 4 5 6 7 80 9 10\n"), 0.8);
        let schedstat = "version 17\ntimestamp 4\ncpu0 0 0 0 0 0 0 5 2000000000 7\ndomain0 3 1 2\n\
                         cpu1 0 0 0 0 0 0 5 500000000 7\n";
        close(waited_seconds(schedstat), 2.5);
        let psi = "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\nfull avg10=0.00 total=7\n";
        close(some_seconds(psi), 1.5);
    }

    #[test]
    fn what_is_not_there_is_no_zero() {
        for text in ["", "cpu", "garbage\n", "cpu  1 2 3"] {
            assert_eq!(steal_seconds(text), None, "{text:?}");
        }
        assert_eq!(waited_seconds("version 17\n"), None);
        assert_eq!(waited_seconds("cpu0 1 2\n"), None);
        assert_eq!(some_seconds("full avg10=0.00 total=7\n"), None);
    }
}
