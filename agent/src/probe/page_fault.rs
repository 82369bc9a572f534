//! # What is measured
//!
//! The time until the kernel has provided a 4 KiB page of anonymous memory. `first_touch`: pages of a new mapping,
//! with the page tables that they need. `retouch`: the same pages after `MADV_DONTNEED`, their page tables still
//! there. Batches of 16 pages, 9 of them; huge pages are off for the mapping.
//! A huge page of 2 MiB, one a round, a mapping of its own and timed alone, is a gauge; absent where the kernel gives
//! none, which is looked at each time. Clearing 2 MiB is the larger part of it.
//! Fresh memory: a quarter of a MiB that the agent has not had in this round, while it holds the pages before, each page timed alone:
//! the median, and the longest, which is where the host had to provide memory for the guest (a balloon, nested paging).
//! The ratio of the smallest first touch to the smallest `getppid`, taken at once on the same CPU, is a gauge.
//! Under nested paging each fault may cost a second one in the hypervisor; with shadow paging each costs exits. The
//! ratio of a fault to a system call shows it without a reference machine.
//!
//! # What distorts it
//!
//! Memory that the host has not given the guest yet (balloon, first use of a guest page) makes single faults dear:
//! they show in the longest of fresh memory, in p99 and in the maximum. The kernel hands out first what was given back
//! last, so that fresh memory is often new to the agent alone. Memory pressure makes the kernel reclaim in the fault. A seccomp filter makes
//! `getppid` dearer and with that the ratio smaller.
//!
//! # Cost
//!
//! 350 faults and a huge one, 1 to 2 ms of CPU time, and up to 2 MiB of memory during the round, every 15 s.

use nix::errno::Errno;
use tierprobe_model::{Family, Kind};

use super::syscall::getppid;
use super::{NO_LABELS, Placement, Probe, ProbeError, Round, Spec};
use crate::host::HostFs;
use crate::measure::{Plan, Samples, Summary, time};
use crate::sys::memory::{HugePage, Pages};

const FAULT: Family = Family {
    name: "tierprobe_page_fault_seconds",
    help: "Time until the kernel has provided one small page of anonymous memory, from batches.",
    kind: Kind::Duration,
    labels: &["touch"],
};
const COLD: Family = Family {
    name: "tierprobe_page_fault_cold_seconds",
    help: "Time of the first page fault of the round, with one clock read.",
    kind: Kind::Gauge,
    labels: &["touch"],
};

const FRESH: Family = Family {
    name: "tierprobe_page_fault_fresh_median_seconds",
    help: "Time until the kernel has provided one page that the agent had not had in the round, timed alone; median.",
    kind: Kind::Gauge,
    labels: &[],
};
const FRESH_LONGEST: Family = Family {
    name: "tierprobe_page_fault_fresh_longest_seconds",
    help: "The longest of them: where the host has to provide memory for the guest, it is that.",
    kind: Kind::Gauge,
    labels: &[],
};

const HUGE: Family = Family {
    name: "tierprobe_page_fault_huge_seconds",
    help: "Time until the kernel has provided one huge page of 2 MiB of anonymous memory, one a round.",
    kind: Kind::Gauge,
    labels: &[],
};

const RATIO: Family = Family {
    name: "tierprobe_page_fault_syscall_ratio",
    help: "Smallest first touch over smallest getppid, both of this round; high where faults cost exits to a hypervisor.",
    kind: Kind::Gauge,
    labels: &[],
};

/// Page faults.
pub(super) const SPEC: Spec = Spec {
    name: "page_fault",
    measures: "page faults on anonymous memory: first touch, again after MADV_DONTNEED, huge pages",
    interval: super::USUAL_INTERVAL,
    operations: Some(PLAN.operations),
    measures_waiting: false,
    families: &[&FAULT, &COLD, &FRESH, &FRESH_LONGEST, &HUGE, &RATIO],
    prepare: |site| Ok(Box::new(PageFault { huge_bytes: huge_bytes(site.fs) })),
};

const PLAN: Plan = Plan { operations: 16, warm_up: 0, samples: 9 };

/// Pages that one pass touches: the cold one and all batches.
const PAGES: usize = 1 + 16 * 9;

/// Fresh pages: the first is thrown away, with the page table that it needs.
const FRESH_PAGES: u32 = 64;

/// The calls that a fault is compared with.
const CALLS: Plan = Plan { operations: 64, warm_up: 1, samples: 4 };

struct PageFault {
    /// Bytes in a transparent huge page; `None` where the kernel gives none.
    huge_bytes: Option<usize>,
}

/// Bytes in a transparent huge page, where the kernel gives them to who asks
/// (Documentation/admin-guide/mm/transhuge.rst).
fn huge_bytes(fs: &HostFs) -> Option<usize> {
    let folder = "/sys/kernel/mm/transparent_hugepage";
    let enabled = fs.text(&format!("{folder}/enabled")).ok()?;
    let bytes = fs.text(&format!("{folder}/hpage_pmd_size")).ok()?.trim().parse().ok()?;
    // Larger ones, as with pages of 64 KiB on Arm, are no use to anybody's working set.
    (!enabled.contains("[never]") && bytes <= LARGEST_HUGE_PAGE).then_some(bytes)
}

/// Two MiB on all common machines.
const LARGEST_HUGE_PAGE: usize = 2 << 20;

impl Probe for PageFault {
    fn measure(&mut self, _: Placement) -> Result<Round, ProbeError> {
        let pages = Pages::map(PAGES).map_err(|error| ProbeError::failed("mapping memory", error))?;
        let mut round = Round::default();
        let first = touch_all(&pages)?;
        let smallest = |samples: &Samples| samples.warm.iter().copied().reduce(f64::min);
        match time(CALLS, getppid) {
            Ok(calls) => {
                let call = smallest(&calls).filter(|call| *call > 0.0);
                if let (Some(fault), Some(call)) = (smallest(&first), call) {
                    round.gauge(&RATIO, NO_LABELS, fault / call);
                }
            }
            Err(errno) => round.miss("the ratio to getppid", errno),
        }
        round.add(&FAULT, Some(&COLD), ["first_touch"], first);
        pages.discard().map_err(|error| ProbeError::failed("madvise", error))?;
        let retouch = touch_all(&pages)?;
        // The pass before has warmed everything: its first touch is not a cold one.
        round.add(&FAULT, None, ["retouch"], retouch);
        if let Some(fresh) = Summary::of(touch_fresh()?) {
            round.gauge(&FRESH, NO_LABELS, fresh.quantiles.p50);
            round.gauge(&FRESH_LONGEST, NO_LABELS, fresh.quantiles.max);
        }
        drop(pages);
        match self.huge_bytes.map(touch_huge) {
            Some(Ok(Some(seconds))) => round.gauge(&HUGE, NO_LABELS, seconds),
            Some(Err(errno)) => round.miss("huge pages", errno),
            Some(Ok(None)) | None => {}
        }
        round.complete()
    }
}

/// Touches every page once, in order.
fn touch_all(pages: &Pages) -> Result<Samples, ProbeError> {
    let mut next = 0;
    time(PLAN, || {
        pages.touch(next);
        next += 1;
        Ok(())
    })
}

/// Touches pages of a mapping of their own, each alone. Those before are still held, or the kernel would give the same
/// ones again.
fn touch_fresh() -> Result<Samples, ProbeError> {
    let pages = usize::try_from(FRESH_PAGES).unwrap_or(0);
    let fresh = Pages::map(pages).map_err(|error| ProbeError::failed("mapping memory", error))?;
    let mut next = 0;
    time(Plan { operations: 1, warm_up: 0, samples: FRESH_PAGES - 1 }, || {
        fresh.touch(next);
        next += 1;
        Ok(())
    })
}

/// Seconds that touching a huge page of `bytes` takes. `None` where the kernel has none to give at the moment: a small page
/// in its place would look like a very cheap one.
fn touch_huge(bytes: usize) -> Result<Option<f64>, Errno> {
    let page = HugePage::map(bytes)?;
    let one = time(Plan { operations: 1, warm_up: 0, samples: 0 }, || {
        page.touch();
        Ok::<(), Errno>(())
    })?;
    let is_huge = page.present()? == page.count();
    Ok(one.cold.filter(|_| is_huge))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_touches_every_page_once() {
        let operations = usize::try_from(PLAN.operations * PLAN.samples).unwrap();
        assert_eq!(PAGES, 1 + operations, "a page that is touched twice faults once");
    }
}
