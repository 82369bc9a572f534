//! # What is measured
//!
//! Where memory goes, in parts that add up to `MemTotal` of `/proc/meminfo`: slab, kernel stacks, page tables, per-CPU
//! areas, pools of huge pages, anonymous, shared, page cache, free, and the rest that the kernel does not itemise (drivers,
//! vmalloc).
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
//! says whose it is; where it is another one, hardware, reserved memory and upkeep are absent. gVisor itemises little.
//! LXCFS passes the machine's kernel stacks, page tables and per-CPU areas on beside the container's limit, and they are
//! left out. Whatever runs beside the agent counts in upkeep: it is a system's own on a machine without work.
//! Memory blocks are large (128 MiB), and a hole counts with its block; a balloon takes memory without it being
//! reserved. What a whole virtual machine costs its host is not visible from inside.
//!
//! # Cost
//!
//! Five small files and up to a dozen limits, 0.1 to 0.2 ms of CPU time, every 15 s.

mod hardware;
mod meminfo;

use tierprobe_model::{Family, Kind, Tier};

use super::{NO_LABELS, Placement, Probe, ProbeError, Round, Site, Spec};
use crate::cgroup::{Cgroup, Version};
use crate::host::HostFs;
use crate::measure::real;
use hardware::Hardware;
use meminfo::Meminfo;

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
    families: &[&PART, &HARDWARE, &RESERVED, &UPKEEP, &AGENT, &AVAILABLE, &CGROUP, &VIEW],
    prepare: |site| Ok(Box::new(Memory::prepare(site))),
};

const MEMINFO: &str = "/proc/meminfo";

/// The view of a container whose `/proc/meminfo` a file system in user space makes up.
const LXCFS: &str = "lxcfs";

/// A v1 limit of this and more is the kernel's way to say that there is none: the largest number of whole pages.
const NO_LIMIT_V1: u64 = i64::MAX as u64 / (64 << 10) * (64 << 10);

struct Memory {
    fs: HostFs,
    cgroup: Option<Cgroup>,
    view: &'static str,
    /// `None` where it is not asked for: `/proc/meminfo` is about something else.
    hardware: Option<Result<Hardware, String>>,
    /// `MemTotal` when the hardware was looked at: it changes when memory is plugged in or out.
    total: u64,
}

impl Memory {
    fn prepare(site: &Site<'_>) -> Self {
        let lxcfs = site.fs.text("/proc/self/mountinfo").is_ok_and(|mounts| {
            mounts.lines().any(|line| line.contains(" /proc/meminfo ") && line.contains("lxcfs"))
        });
        let view = match (site.tier, lxcfs) {
            (Tier::Sandbox, _) => "sandbox",
            (_, true) => LXCFS,
            _ => "kernel",
        };
        Self { fs: site.fs.clone(), cgroup: Cgroup::of(site.fs, "memory"), view, hardware: None, total: 0 }
    }

    /// What the machine has while `MemTotal` is this, or why that is not known.
    fn hardware(&mut self, total: u64) -> Option<Result<Hardware, String>> {
        if self.total != total {
            self.total = total;
            self.hardware = (self.view == "kernel").then(|| hardware::read(&self.fs));
        }
        // Blocks that were added a moment ago may not be in MemTotal yet, but never the other way round.
        let hardware = self.hardware.clone()?;
        Some(hardware.and_then(|hardware| {
            let error = || format!("{} says {} bytes, less than MemTotal", hardware.source, hardware.bytes);
            if hardware.bytes >= total { Ok(hardware) } else { Err(error()) }
        }))
    }

    fn cgroup(&self, cgroup: &Cgroup, round: &mut Round) {
        let files = match cgroup.version {
            Version::V1 => ["memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.limit_in_bytes"],
            Version::V2 => ["memory.current", "memory.peak", "memory.max"],
        };
        for (value, file) in ["current", "peak", "limit"].into_iter().zip(files) {
            match cgroup.number(&self.fs, file) {
                Ok(Some(bytes)) if bytes < NO_LIMIT_V1 => round.gauge(&CGROUP, [value], real(bytes)),
                Ok(_) => {}
                Err(why) => round.miss("the control group", why),
            }
        }
        match self.effective_limit(cgroup) {
            Ok(Some(bytes)) => round.gauge(&CGROUP, ["effective_limit"], real(bytes)),
            Ok(None) => {}
            Err(why) => round.miss("the smallest limit", why),
        }
    }
}

impl Memory {
    /// The smallest limit of the group and those around it that are visible.
    fn effective_limit(&self, cgroup: &Cgroup) -> Result<Option<u64>, String> {
        if cgroup.version == Version::V1 {
            let limit = cgroup.keyed(&self.fs, "memory.stat", "hierarchical_memory_limit");
            return Ok(limit.filter(|bytes| *bytes < NO_LIMIT_V1));
        }
        let mut smallest = None;
        for group in cgroup.with_ancestors() {
            let limit = group.number(&self.fs, "memory.max")?;
            smallest = [smallest, limit].into_iter().flatten().min();
        }
        Ok(smallest)
    }

    /// Anonymous memory of the agent, or why that is not known; `None` where the files are another machine's.
    fn agent_bytes(&self) -> Option<Result<u64, String>> {
        const STATUS: &str = "/proc/self/status";
        let rss = |status: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
            value.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
        };
        self.fs.is_live().then(|| {
            let status = self.fs.text(STATUS).map_err(|error| format!("{STATUS}: {error}"))?;
            rss(&status).ok_or_else(|| format!("{STATUS}: no RssAnon"))
        })
    }
}

impl Probe for Memory {
    fn measure(&mut self, _: Placement) -> Result<Round, ProbeError> {
        let text = self.fs.text(MEMINFO).map_err(|error| ProbeError::unread(MEMINFO, &error))?;
        let failed = |error: String| ProbeError::failed(MEMINFO, error);
        let memory = Meminfo::parse(&text).map_err(failed)?;
        let mut round = Round::default();
        for (part, bytes) in memory.parts(self.view == LXCFS).map_err(failed)? {
            round.gauge(&PART, [part], real(bytes));
        }
        let mut agent = 0;
        match self.agent_bytes() {
            Some(Ok(bytes)) => {
                agent = bytes;
                round.gauge(&AGENT, NO_LABELS, real(bytes));
            }
            Some(Err(why)) => round.miss("the agent's own memory", why),
            None => {}
        }
        match self.hardware(memory.total) {
            Some(Ok(hardware)) => {
                round.gauge(&HARDWARE, [hardware.source], real(hardware.bytes));
                round.gauge(&RESERVED, NO_LABELS, real(hardware.bytes - memory.total));
                let elsewhere = memory.free + memory.page_cache() + agent;
                round.gauge(&UPKEEP, NO_LABELS, real(hardware.bytes.saturating_sub(elsewhere)));
            }
            Some(Err(why)) => round.miss("what the machine has", why),
            None => {}
        }
        if let Some(available) = memory.available {
            round.gauge(&AVAILABLE, NO_LABELS, real(available));
        }
        round.gauge(&VIEW, [self.view], 1.0);
        match &self.cgroup {
            Some(cgroup) => self.cgroup(cgroup, &mut round),
            None => round.miss("the control group", "none with the controller memory in /sys/fs/cgroup"),
        }
        Ok(round)
    }
}

#[cfg(test)]
mod tests;
