//! CPUID: the hypervisor bit and the signatures behind it.

use super::claim::{Claim, VIRTUAL, hypervisor, machine, vmm};
use super::finding::Findings;
use crate::cpuid::Leaf;
use crate::machine::Machine;

/// Signatures and what they are evidence of, most telling first.
const SIGNATURES: &[(&str, Claim, f64)] = &[
    ("KVMKVMKVM", hypervisor("kvm"), 0.99),
    ("Linux KVM Hv", hypervisor("kvm"), 0.97),
    ("TCGTCGTCGTCG", hypervisor("tcg"), 0.99),
    ("XenVMMXenVMM", hypervisor("xen"), 0.99),
    ("VMwareVMware", hypervisor("vmware"), 0.99),
    ("VBoxVBoxVBox", hypervisor("virtualbox"), 0.99),
    ("bhyve bhyve", hypervisor("bhyve"), 0.99),
    ("BHyVE BHyVE", hypervisor("bhyve"), 0.99),
    ("OpenBSDVMM58", hypervisor("openbsd_vmm"), 0.99),
    ("LKVMLKVMLKVM", vmm("kvmtool"), 0.99),
    ("Apple VZ", hypervisor("apple_vz"), 0.99),
    ("QNXQVMBSQG", hypervisor("qnx"), 0.99),
    ("ACRNACRNACRN", hypervisor("acrn"), 0.99),
    ("SRESRESRESRE", hypervisor("lmhs_sre"), 0.99),
    ("UnisysSpar64", hypervisor("spar"), 0.99),
    // Parallels writes each register's letters backwards.
    ("lrpepyh  vr", hypervisor("parallels"), 0.99),
    ("prl hyperv", hypervisor("parallels"), 0.99),
    // KVM, VirtualBox and Xen imitate Hyper-V for Windows guests: by itself this convinces little.
    ("Microsoft Hv", hypervisor("hyperv"), 0.7),
];

/// Reads [`crate::cpuid::Cpuid`].
#[derive(Debug)]
pub(super) struct CpuidLeaves;

impl super::Detector for CpuidLeaves {
    fn name(&self) -> &'static str {
        "cpuid"
    }

    fn detect(&self, machine_: &Machine, findings: &mut Findings) {
        let Some(cpuid) = &machine_.cpuid else { return };
        let source = "CPUID 0x1";
        if !cpuid.hypervisor_bit {
            findings.oppose(machine(VIRTUAL), 0.98, source, "hypervisor bit clear");
            return;
        }
        findings.support(machine(VIRTUAL), 0.99, source, "hypervisor bit set");
        for (Leaf(number), signature) in &cpuid.leaves {
            let found = SIGNATURES.iter().find(|(known, ..)| signature.trim() == *known);
            if let Some((_, claim, weight)) = found {
                findings.support(*claim, *weight, &format!("CPUID {number:#x}"), signature);
            }
        }
    }
}
