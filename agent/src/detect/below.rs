//! What lies below a hypervisor that this place runs itself.
//!
//! Xen's first domain and Hyper-V's root partition have the hardware, or what their hypervisor takes for it: it may run
//! in a virtual machine. They see the firmware and the devices of the machine below, and CPUID as their own hypervisor
//! shows it, so that these alone tell.

use tierprobe_model::LayerKind;

use super::claim::{Subject, VIRTUAL, hypervisor, machine, role};
use super::finding::Findings;

/// Detectors of firmware and devices.
const OF_THE_MACHINE: &[&str] = &["dmi", "acpi", "pci"];

/// What tells of a monitor less surely than this may be wrong: some network cards speak virtio.
const SURE: f64 = 0.8;

/// What firmware and devices say of a virtual machine below: the names of its monitor and hypervisor, or only that
/// there is one. Empty where the machine is hardware.
fn names(findings: &Findings) -> Vec<&'static str> {
    let tells = findings.evidence.iter().filter(|finding| {
        let is_virtual = match finding.claim.subject {
            Subject::Layer(LayerKind::Vmm | LayerKind::Hypervisor) => true,
            Subject::Machine => finding.claim.name == VIRTUAL,
            Subject::Layer(_) | Subject::Confidential | Subject::Role => false,
        };
        let is_sure = finding.supports && finding.weight >= SURE;
        is_virtual && is_sure && OF_THE_MACHINE.contains(&finding.detector)
    });
    tells.map(|finding| finding.claim.name).collect()
}

/// Whether the machine below is a virtual one.
pub(super) fn is_virtual(findings: &Findings) -> bool {
    !names(findings).is_empty()
}

/// Notes that this place is the one which its `own` hypervisor leaves the machine to.
pub(super) fn note(
    own: &'static str,
    role_name: &'static str,
    source: &str,
    value: &str,
    findings: &mut Findings,
) {
    let names = names(findings);
    if names.is_empty() {
        findings.oppose(machine(VIRTUAL), 0.998, source, &format!("{value}: it runs on the hardware"));
    } else if !names.contains(&own) {
        // Another of the same name below would be set aside with it.
        let value = format!("{value}: its hypervisor runs in the machine, not below");
        findings.oppose(hypervisor(own), 0.995, source, &value);
    }
    findings.support(role(role_name), 0.97, source, value);
}
