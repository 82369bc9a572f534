//! # What is measured
//!
//! Where memory goes, in parts that add up to `MemTotal` of `/proc/meminfo`: slab, kernel stacks, page tables, per-CPU
//! areas, anonymous, shared, page cache, free, and the rest that the kernel does not itemise (drivers, vmalloc).
//! Before that, what the machine has: the firmware's map, or the kernel's memory blocks; the difference to `MemTotal` is
//! what firmware and kernel keep for good (`reserved`: the kernel's text, the table of all pages, crash kernels).
//! `upkeep` is the cost of staying alive: all the machine has, less what is free, the page cache, and the anonymous memory
//! of the agent itself, each of which is published too.
//! Beside it what the agent's own control group is charged, its peak, its limit, and the smallest limit of it and the groups
//! around it, as far as they are visible.
//!
//! # What distorts it
//!
//! In a container `/proc/meminfo` is the host's unless LXCFS or gVisor shows another: `tierprobe_memory_view_info`
//! says whose it is; where it is another one, hardware, reserved memory and upkeep are absent. Memory blocks are large
//! (128 MiB), and a hole counts with its block; a balloon takes memory without it being reserved. What a whole virtual
//! machine costs its host is not visible from inside.
//!
//! # Cost
//!
//! Five small files and up to a dozen limits, 0.1 to 0.2 ms of CPU time, every 15 s.

mod hardware;

use procfs::{FromRead, Meminfo};
use tierprobe_model::{Family, Kind, Tier};

use super::{NO_LABELS, Placement, Probe, ProbeError, Round, Site, Spec};
use crate::cgroup::{Cgroup, Version};
use crate::host::HostFs;
use crate::measure::real;
use hardware::Hardware;

const PART: Family = Family {
    name: "tierprobe_memory_footprint_bytes",
    help: "Memory by what holds it, from /proc/meminfo; the parts add up to its MemTotal.",
    kind: Kind::Gauge,
    labels: &["part"],
};
const HARDWARE: Family = Family {
    name: "tierprobe_memory_hardware_bytes",
    help: "Memory that the machine has, by its firmware's map or the kernel's memory blocks.",
    kind: Kind::Gauge,
    labels: &["source"],
};
const RESERVED: Family = Family {
    name: "tierprobe_memory_reserved_bytes",
    help: "Memory that firmware and kernel keep for good: what the machine has less MemTotal.",
    kind: Kind::Gauge,
    labels: &[],
};
const AGENT: Family = Family {
    name: "tierprobe_memory_agent_bytes",
    help: "Anonymous memory of the agent itself, RssAnon of /proc/self/status.",
    kind: Kind::Gauge,
    labels: &[],
};
const UPKEEP: Family = Family {
    name: "tierprobe_memory_upkeep_bytes",
    help: "Memory that the system takes to stay alive: what the machine has less free memory, page cache and the agent.",
    kind: Kind::Gauge,
    labels: &[],
};
const AVAILABLE: Family = Family {
    name: "tierprobe_memory_available_bytes",
    help: "Memory that new work could have without swapping, MemAvailable of /proc/meminfo.",
    kind: Kind::Gauge,
    labels: &[],
};
const CGROUP: Family = Family {
    name: "tierprobe_memory_cgroup_bytes",
    help: "Memory of the agent's own control group: charged now, at most so far, its limit, the smallest one around it.",
    kind: Kind::Gauge,
    labels: &["value"],
};
const VIEW: Family = Family {
    name: "tierprobe_memory_view_info",
    help: "Whose memory /proc/meminfo shows: the kernel's, one that LXCFS made up, or a sandbox's; always 1.",
    kind: Kind::Info,
    labels: &["view"],
};

/// Memory.
pub(super) const SPEC: Spec = Spec {
    name: "memory",
    measures: "where memory goes, in parts that add up; the control group's usage, peak and limit",
    interval: super::USUAL_INTERVAL,
    operations: None,
    measures_waiting: false,
    pauses_under_pressure: false,
    families: &[&PART, &HARDWARE, &RESERVED, &UPKEEP, &AGENT, &AVAILABLE, &CGROUP, &VIEW],
    prepare: |site| Ok(Box::new(Memory::prepare(site))),
};

const MEMINFO: &str = "/proc/meminfo";

/// A v1 limit of this and more is the kernel's way to say that there is none: the largest number of whole pages.
const NO_LIMIT_V1: u64 = i64::MAX as u64 / (64 << 10) * (64 << 10);

struct Memory {
    fs: HostFs,
    cgroup: Option<Cgroup>,
    view: &'static str,
    hardware: Option<Hardware>,
}

impl Memory {
    fn prepare(site: &Site<'_>) -> Self {
        let lxcfs = site.fs.text("/proc/self/mountinfo").is_ok_and(|mounts| {
            mounts.lines().any(|line| line.contains(" /proc/meminfo ") && line.contains("lxcfs"))
        });
        let view = match (site.tier, lxcfs) {
            (Tier::Sandbox, _) => "sandbox",
            (_, true) => "lxcfs",
            _ => "kernel",
        };
        let hardware = if view == "kernel" { hardware::read(site.fs) } else { None };
        Self { fs: site.fs.clone(), cgroup: Cgroup::of(site.fs, "memory"), view, hardware }
    }

    fn cgroup(&self, cgroup: &Cgroup, round: &mut Round) -> Result<(), ProbeError> {
        let files = match cgroup.version {
            Version::V1 => ["memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.limit_in_bytes"],
            Version::V2 => ["memory.current", "memory.peak", "memory.max"],
        };
        for (value, file) in ["current", "peak", "limit"].into_iter().zip(files) {
            let bytes = cgroup.number(&self.fs, file).map_err(ProbeError::Failed)?;
            if let Some(bytes) = bytes.filter(|bytes| *bytes < NO_LIMIT_V1) {
                round.gauge(&CGROUP, [value], real(bytes));
            }
        }
        if let Some(bytes) = self.effective_limit(cgroup)? {
            round.gauge(&CGROUP, ["effective_limit"], real(bytes));
        }
        Ok(())
    }
}

impl Memory {
    /// The smallest limit of the group and those around it that are visible.
    fn effective_limit(&self, cgroup: &Cgroup) -> Result<Option<u64>, ProbeError> {
        if cgroup.version == Version::V1 {
            let limit = cgroup.keyed(&self.fs, "memory.stat", "hierarchical_memory_limit");
            return Ok(limit.filter(|bytes| *bytes < NO_LIMIT_V1));
        }
        let mut smallest = None;
        for group in cgroup.with_ancestors() {
            let limit = group.number(&self.fs, "memory.max").map_err(ProbeError::Failed)?;
            smallest = [smallest, limit].into_iter().flatten().min();
        }
        Ok(smallest)
    }

    /// Anonymous memory of the agent; `None` where the files are another machine's.
    fn agent_bytes(&self) -> Option<u64> {
        if !self.fs.is_live() {
            return None;
        }
        let status = self.fs.text("/proc/self/status").ok()?;
        let value = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
        value.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    }
}

impl Probe for Memory {
    fn measure(&mut self, _: Placement) -> Result<Round, ProbeError> {
        let text = self.fs.bytes(MEMINFO).map_err(|error| ProbeError::unread(MEMINFO, &error))?;
        let memory =
            Meminfo::from_read(text.as_slice()).map_err(|error| ProbeError::failed(MEMINFO, error))?;
        let mut round = Round::default();
        for (part, bytes) in parts(&memory).map_err(ProbeError::Failed)? {
            round.gauge(&PART, [part], real(bytes));
        }
        let agent = self.agent_bytes();
        if let Some(agent) = agent {
            round.gauge(&AGENT, NO_LABELS, real(agent));
        }
        // Blocks that were added a moment ago may not be in MemTotal yet, but never the other way round.
        if let Some(hardware) = self.hardware.filter(|hardware| hardware.bytes >= memory.mem_total) {
            round.gauge(&HARDWARE, [hardware.source], real(hardware.bytes));
            round.gauge(&RESERVED, NO_LABELS, real(hardware.bytes - memory.mem_total));
            let elsewhere = memory.mem_free + page_cache(&memory) + agent.unwrap_or(0);
            round.gauge(&UPKEEP, NO_LABELS, real(hardware.bytes.saturating_sub(elsewhere)));
        }
        if let Some(available) = memory.mem_available {
            round.gauge(&AVAILABLE, NO_LABELS, real(available));
        }
        round.gauge(&VIEW, [self.view], 1.0);
        if let Some(cgroup) = &self.cgroup {
            self.cgroup(cgroup, &mut round)?;
        }
        Ok(round)
    }
}

/// Cached counts shared memory too; buffers are page cache of block devices.
fn page_cache(memory: &Meminfo) -> u64 {
    (memory.cached + memory.buffers).saturating_sub(memory.shmem.unwrap_or(0))
}

/// The parts that this kernel itemises, and the rest.
fn parts(memory: &Meminfo) -> Result<Vec<(&'static str, u64)>, String> {
    let itemised = [
        ("free", Some(memory.mem_free)),
        ("slab", Some(memory.slab)),
        ("kernel_stack", memory.kernel_stack),
        ("page_tables", memory.page_tables),
        ("per_cpu", memory.per_cpu),
        ("anonymous", memory.anon_pages),
        ("shared", memory.shmem),
        ("page_cache", Some(page_cache(memory))),
    ];
    let mut parts: Vec<(&'static str, u64)> =
        itemised.into_iter().filter_map(|(part, bytes)| Some((part, bytes?))).collect();
    let sum: u64 = parts.iter().map(|(_, bytes)| bytes).sum();
    // The kernel counts while it runs: the sum may pass the total by a few pages, never by more.
    let rest = memory.mem_total.saturating_sub(sum);
    if sum > memory.mem_total + memory.mem_total / 100 {
        return Err(format!(
            "{MEMINFO}: its parts add up to {sum} bytes, more than MemTotal, {}",
            memory.mem_total
        ));
    }
    parts.push(("other", rest));
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meminfo(text: &str) -> Meminfo {
        Meminfo::from_read(text.as_bytes()).unwrap()
    }

    const REQUIRED: &str = "MemFree: 400 kB\nBuffers: 10 kB\nCached: 200 kB\nSwapCached: 0 kB\nActive: 0 kB\n\
        Inactive: 0 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\nDirty: 0 kB\nWriteback: 0 kB\nMapped: 0 kB\n\
        Slab: 100 kB\nCommitted_AS: 0 kB\nVmallocTotal: 0 kB\nVmallocUsed: 0 kB\nVmallocChunk: 0 kB\n";

    #[test]
    fn the_parts_add_up_to_the_total() {
        let memory = meminfo(&format!("MemTotal: 1000 kB\nShmem: 50 kB\nAnonPages: 90 kB\n{REQUIRED}"));
        let parts = parts(&memory).unwrap();
        assert_eq!(parts.iter().map(|(_, bytes)| bytes).sum::<u64>(), 1000 << 10);
        assert!(parts.contains(&("page_cache", 160 << 10)), "{parts:?}");
        assert!(parts.contains(&("other", 200 << 10)), "{parts:?}");
    }

    #[test]
    fn parts_that_exceed_the_total_are_refused() {
        let error = parts(&meminfo(&format!("MemTotal: 500 kB\n{REQUIRED}"))).unwrap_err();
        assert!(error.contains("/proc/meminfo"), "{error}");
    }
}
