//! Xen's own directories.
//!
//! A paravirtual guest executes CPUID on the hardware, so its hypervisor bit may be clear: these files decide.
//! The first domain (dom0) has them too and is the host: it runs on what Xen runs on.

use super::below;
use super::claim::{VIRTUAL, hypervisor, machine};
use super::finding::Findings;
use crate::machine::Machine;

/// `XENFEAT_dom0` in `/sys/hypervisor/properties/features`.
const FEATURE_DOM0: u64 = 1 << 11;

/// `XENFEAT_mmu_pt_update_preserve_ad`: page tables are handed to Xen to change, as only paravirtual guests do.
const FEATURE_PARAVIRTUAL: u64 = 1 << 5;

/// `XENFEAT_hvm_callback_vector` and `XENFEAT_hvm_safe_pvclock`: hardware runs the guest, PCI devices or not.
const FEATURES_HARDWARE: u64 = 1 << 8 | 1 << 9;

const BUS: &str = "/sys/bus/xen/devices";

/// Reads `/sys/hypervisor`, `/proc/xen` and the bus.
#[derive(Debug)]
pub(super) struct Xen;

impl super::Detector for Xen {
    fn name(&self) -> &'static str {
        "xen"
    }

    fn detect(&self, machine_: &Machine, findings: &mut Findings) {
        let path = "/sys/hypervisor/type";
        let kind = findings.text(&machine_.fs, path, "which hypervisor this is");
        let would_tell = "whether this is a Xen domain";
        let is_xen = kind.is_some_and(|kind| kind.trim() == "xen")
            || findings.exists(&machine_.fs, "/proc/xen", would_tell);
        // Kernels for Xen have the bus everywhere, and devices on it in domains only.
        let path = if is_xen { path } else { BUS };
        if !is_xen
            && findings.readable(machine_.fs.names(BUS), BUS, would_tell).is_none_or(|names| names.is_empty())
        {
            return;
        }
        let capabilities = "/proc/xen/capabilities";
        let control = findings
            .text(&machine_.fs, capabilities, "whether this is Xen's first domain")
            .is_some_and(|text| text.contains("control_d"));
        let features = "/sys/hypervisor/properties/features";
        let bits = findings
            .text(&machine_.fs, features, "whether this is Xen's first domain")
            .and_then(|text| u64::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok());
        let dom0 = bits.is_some_and(|bits| bits & FEATURE_DOM0 != 0);
        if control || dom0 {
            let source = if control { capabilities } else { features };
            below::note("xen", "xen_dom0", source, "Xen's first domain", findings);
        } else {
            findings.support(machine(VIRTUAL), 0.995, path, "a Xen domain");
            findings.support(hypervisor("xen"), 0.97, path, "xen");
            if let Some(way) = bits.and_then(way_of_running) {
                findings.support(hypervisor("xen"), 0.9, features, way);
            }
        }
    }
}

/// How Xen runs the domain, by its feature bits (xen/include/public/features.h).
fn way_of_running(bits: u64) -> Option<&'static str> {
    if bits & FEATURES_HARDWARE != 0 {
        Some("a domain that the hardware runs (HVM or PVH)")
    } else if bits & FEATURE_PARAVIRTUAL != 0 {
        Some("a paravirtual domain (PV)")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_tell_how_xen_runs_a_domain() {
        assert!(way_of_running(0x2705).unwrap().contains("HVM"));
        assert!(way_of_running(0x20).unwrap().contains("PV"));
        assert_eq!(way_of_running(0), None);
    }
}
