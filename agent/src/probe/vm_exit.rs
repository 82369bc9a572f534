//! # What is measured
//!
//! The time of the CPUID instruction (x86). Under a hypervisor it leaves the guest, always; on hardware it takes 30
//! to 100 ns. So it is the cheapest look at what a trip to the hypervisor and back costs, and at whether there is
//! one more hypervisor below: nested, the same trip takes several times as long.
//! Batches of 8, 9 of them after one of warm-up.
//!
//! # What distorts it
//!
//! Where CPUID is made to fault and a tracer answers it (`arch_prctl(ARCH_SET_CPUID)`), the fault would be measured and
//! not the exit: the probe is then unsupported. gVisor may have it fault, too, and does not say so: in a sandbox that does not deny it the
//! probe is unsupported. A long time says "leaves the guest", not which hypervisor: that is
//! detection's to say.
//!
//! # Cost
//!
//! About 80 exits, up to 0.6 ms of CPU time, every 15 s.

use tierprobe_model::{Family, Kind, Tier};

use super::{Placement, Probe, ProbeError, Round, Spec};
use crate::measure::{Plan, time};
use crate::sys::{cpuid, raw};

const EXIT: Family = Family {
    name: "tierprobe_vm_exit_seconds",
    help: "Time of one instruction that leaves the guest under a hypervisor, warmed up, from batches.",
    kind: Kind::Duration,
    labels: &["instruction"],
};
const COLD: Family = Family {
    name: "tierprobe_vm_exit_cold_seconds",
    help: "Time of the first such instruction of the round, with one clock read.",
    kind: Kind::Gauge,
    labels: &["instruction"],
};

/// VM exits.
pub(super) const SPEC: Spec = Spec {
    name: "vm_exit",
    measures: "the cpuid instruction, which leaves the guest under a hypervisor (x86)",
    interval: super::USUAL_INTERVAL,
    operations: Some(PLAN.operations),
    measures_waiting: false,
    families: &[&EXIT, &COLD],
    prepare: |site| prepare(site.tier),
};

const PLAN: Plan = Plan { operations: 8, warm_up: 1, samples: 9 };

struct VmExit;

fn prepare(tier: Tier) -> Result<Box<dyn Probe>, ProbeError> {
    if !cfg!(target_arch = "x86_64") {
        return Err(ProbeError::unsupported(
            "no unprivileged instruction leaves the guest on this architecture",
        ));
    }
    match (raw::cpuid_faulting(), tier) {
        (Some(true), _) => Err(ProbeError::unsupported("CPUID faults here, and a tracer answers it")),
        (None, Tier::Sandbox) => Err(ProbeError::unsupported(
            "the sandbox may have CPUID fault, and does not tell whether it does",
        )),
        (None | Some(false), _) => Ok(Box::new(VmExit)),
    }
}

impl Probe for VmExit {
    fn measure(&mut self, _: Placement) -> Result<Round, ProbeError> {
        let samples = time(PLAN, || {
            cpuid::execute();
            Ok::<(), ProbeError>(())
        })?;
        let mut round = Round::default();
        round.add(&EXIT, Some(&COLD), ["cpuid"], samples);
        Ok(round)
    }
}
