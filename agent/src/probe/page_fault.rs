//! # What is measured
//!
//! The time until the kernel has provided a 4 KiB page of anonymous memory. `first_touch`: pages of a new mapping,
//! with the page tables that they need. `retouch`: the same pages after `MADV_DONTNEED`, their page tables still
//! there. Batches of 16 pages, 16 of them; huge pages are off for the mapping.
//! Under nested paging each fault may cost a second one in the hypervisor; with shadow paging each costs exits. The
//! ratio of a fault to a system call shows it without a reference machine.
//!
//! # What distorts it
//!
//! Memory that the host has not given the guest yet (balloon, first use of a guest page) makes single batches dear:
//! they show in p99 and the maximum. Memory pressure makes the kernel reclaim in the fault.
//!
//! # Cost
//!
//! 544 faults, 0.2 to 0.7 ms of CPU time, and 1 MiB of memory during the round, every 15 s.

use tierprobe_model::{Family, Kind};

use super::{Placement, Probe, ProbeError, Round, Spec};
use crate::measure::{Plan, Samples, time};
use crate::sys::memory::Pages;

const FAULT: Family = Family {
    name: "tierprobe_page_fault_seconds",
    help: "Time until the kernel has provided one small page of anonymous memory, from batches.",
    kind: Kind::Duration,
    labels: &["touch"],
};
const COLD: Family = Family {
    name: "tierprobe_page_fault_cold_seconds",
    help: "Time of the first page fault after the pause since the last round, with one clock read.",
    kind: Kind::Gauge,
    labels: &["touch"],
};

/// Page faults.
pub(super) const SPEC: Spec = Spec {
    name: "page_fault",
    measures: "page faults on anonymous memory: first touch, and again after MADV_DONTNEED",
    interval: super::USUAL_INTERVAL,
    operations: Some(PLAN.operations),
    measures_waiting: false,
    families: &[&FAULT, &COLD],
    prepare: |_| Ok(Box::new(PageFault)),
};

const PLAN: Plan = Plan { operations: 16, warm_up: 0, samples: 16 };

/// Pages that one pass touches: the cold one and all batches.
const PAGES: usize = 1 + 16 * 16;

struct PageFault;

impl Probe for PageFault {
    fn measure(&mut self, _: Placement) -> Result<Round, ProbeError> {
        let pages = Pages::map(PAGES).map_err(|error| ProbeError::failed("mmap", error))?;
        let mut round = Round::default();
        round.add(&FAULT, Some(&COLD), ["first_touch"], touch_all(&pages)?);
        pages.discard().map_err(|error| ProbeError::failed("madvise", error))?;
        let retouch = touch_all(&pages)?;
        // The pass before has warmed everything: its first touch is not a cold one.
        round.add(&FAULT, None, ["retouch"], retouch);
        Ok(round)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_touches_every_page_once() {
        let operations = usize::try_from(PLAN.operations * PLAN.samples).unwrap();
        assert_eq!(PAGES, 1 + operations, "a page that is touched twice faults once");
    }
}
