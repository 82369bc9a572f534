//! Limits of control groups: CPU time, memory, processes.
//!
//! A limit holds for all groups below it, so the tightest one on the way up counts. `cpu.max`, `memory.max` and
//! `pids.max` of cgroup v2; `cpu.cfs_quota_us` over `cpu.cfs_period_us`, `memory.limit_in_bytes` and `pids.max` of v1
//! (cgroups(7), `admin-guide/cgroup-v2.rst`). The root of a hierarchy has no limit files.

use tierprobe_model::Isolation;
use tierprobe_model::isolation::Limit;

use super::Reader;
use crate::cgroup::{Cgroup, Version};

/// A v1 memory limit of this and more is the kernel's way to say that there is none: the largest number of whole pages
/// below 2^63, which is more than 2^62 whatever a page is.
const NO_LIMIT_V1: f64 = 4_611_686_018_427_387_904.0;

/// More levels than any hierarchy has.
const MOST_LEVELS: usize = 64;

/// Reads the limits of the agent's groups and of those around them.
pub(super) fn read(reader: &mut Reader<'_>, isolation: &mut Isolation) {
    isolation.limits.cpus = tightest(reader, "cpu", |reader, directory, version| match version {
        Version::V2 => parse_cpu_max(&reader.text(&format!("{directory}/cpu.max"))?),
        Version::V1 => parse_cfs(
            &reader.text(&format!("{directory}/cpu.cfs_quota_us"))?,
            &reader.text(&format!("{directory}/cpu.cfs_period_us"))?,
        ),
    });
    isolation.limits.memory_bytes = tightest(reader, "memory", |reader, directory, version| {
        let file = match version {
            Version::V2 => "memory.max",
            Version::V1 => "memory.limit_in_bytes",
        };
        parse_count(&reader.text(&format!("{directory}/{file}"))?)
    });
    isolation.limits.processes = tightest(reader, "pids", |reader, directory, _| {
        parse_count(&reader.text(&format!("{directory}/pids.max"))?)
    });
}

/// The tightest limit from the agent's group up to where the hierarchy is mounted.
fn tightest(
    reader: &mut Reader<'_>,
    controller: &str,
    limit: impl Fn(&mut Reader<'_>, &str, Version) -> Option<Limit>,
) -> Option<Limit> {
    let groups = reader.text("/proc/self/cgroup")?;
    let group = Cgroup::listed(reader.fs, &groups, controller)?;
    let mut directory = group.directory.as_str();
    let mut found = None;
    for _ in 0..MOST_LEVELS {
        found = match (found, limit(reader, directory, group.version)) {
            (Some(Limit::At(one)), Some(Limit::At(other))) => Some(Limit::At(one.min(other))),
            (Some(Limit::At(one)), _) | (_, Some(Limit::At(one))) => Some(Limit::At(one)),
            (one, other) => one.or(other),
        };
        let Some((parent, _)) = directory.rsplit_once('/') else { break };
        // Only groups have this file: above the mount it ends.
        if !reader.fs.exists(&format!("{parent}/cgroup.procs")).is_ok_and(|exists| exists) {
            break;
        }
        directory = parent;
    }
    found
}

/// `max 100000`, `150000 100000`.
fn parse_cpu_max(text: &str) -> Option<Limit> {
    let (quota, period) = text.trim().split_once(' ')?;
    if quota == "max" { Some(Limit::Unlimited) } else { parse_cfs(quota, period) }
}

/// Quota and period in microseconds; a negative quota is none.
fn parse_cfs(quota: &str, period: &str) -> Option<Limit> {
    let (quota, period): (i32, i32) = (quota.trim().parse().ok()?, period.trim().parse().ok()?);
    match (quota, period) {
        (..0, _) => Some(Limit::Unlimited),
        (_, 1..) => Some(Limit::At(f64::from(quota) / f64::from(period))),
        _ => None,
    }
}

/// `max` or a number; numbers of bytes are exact up to 2^53.
fn parse_count(text: &str) -> Option<Limit> {
    let text = text.trim();
    if text == "max" {
        return Some(Limit::Unlimited);
    }
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    Some(if number >= NO_LIMIT_V1 { Limit::Unlimited } else { Limit::At(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_a_number_of_cpus() {
        assert_eq!(parse_cpu_max("150000 100000\n"), Some(Limit::At(1.5)));
        assert_eq!(parse_cpu_max("max 100000\n"), Some(Limit::Unlimited));
        assert_eq!(parse_cfs("-1\n", "100000\n"), Some(Limit::Unlimited));
        assert_eq!(parse_cfs("50000\n", "0\n"), None);
        assert_eq!(parse_cpu_max(""), None);
    }

    #[test]
    fn the_largest_number_of_pages_is_no_limit() {
        assert_eq!(parse_count("9223372036854771712\n"), Some(Limit::Unlimited));
        assert_eq!(parse_count("536870912\n"), Some(Limit::At(536_870_912.0)));
        assert_eq!(parse_count("max\n"), Some(Limit::Unlimited));
        assert_eq!(parse_count("inf"), None);
        assert_eq!(parse_count("-1"), None);
    }
}
