//! Xen's own directories.
//!
//! A paravirtual guest executes CPUID on the hardware, so its hypervisor bit may be clear: these files decide.
//! The first domain (dom0) has them too and is the host: it runs on the hardware, under Xen.

use super::claim::{VIRTUAL, hypervisor, machine, role};
use super::finding::Findings;
use crate::machine::Machine;

/// `XENFEAT_dom0` in `/sys/hypervisor/properties/features`.
const FEATURE_DOM0: u64 = 1 << 11;

/// Reads `/sys/hypervisor` and `/proc/xen`.
#[derive(Debug)]
pub(super) struct Xen;

impl super::Detector for Xen {
    fn name(&self) -> &'static str {
        "xen"
    }

    fn detect(&self, machine_: &Machine, findings: &mut Findings) {
        let path = "/sys/hypervisor/type";
        let kind = findings.text(&machine_.fs, path, "which hypervisor this is");
        let is_xen = kind.is_some_and(|kind| kind.trim() == "xen")
            || findings.exists(&machine_.fs, "/proc/xen", "whether this is a Xen domain");
        if !is_xen {
            return;
        }
        let capabilities = "/proc/xen/capabilities";
        let control = findings
            .text(&machine_.fs, capabilities, "whether this is Xen's first domain")
            .is_some_and(|text| text.contains("control_d"));
        let features = "/sys/hypervisor/properties/features";
        let dom0 = findings
            .text(&machine_.fs, features, "whether this is Xen's first domain")
            .and_then(|text| u64::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok())
            .is_some_and(|features| features & FEATURE_DOM0 != 0);
        if control || dom0 {
            let source = if control { capabilities } else { features };
            findings.oppose(machine(VIRTUAL), 0.998, source, "Xen's first domain: it runs on the hardware");
            findings.support(role("xen_dom0"), 0.97, source, "Xen's first domain");
        } else {
            findings.support(machine(VIRTUAL), 0.995, path, "a Xen domain");
            findings.support(hypervisor("xen"), 0.97, path, "xen");
        }
    }
}
