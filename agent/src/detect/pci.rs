//! PCI: devices that no board has, readable by all where CPUID and SMBIOS are silent.
//!
//! A device of a host can be passed to a guest, but a guest's device never shows on a host.

use super::claim::{Claim, VIRTUAL, hypervisor, machine, vmm};
use super::finding::Findings;
use crate::machine::Machine;

const DEVICES: &str = "/sys/bus/pci/devices";

/// The guests' devices come first; a large server has hundreds of its own.
const MOST_DEVICES: usize = 16;

/// Makers of devices that exist in software, by the PCI SIG's numbers.
const MAKERS: &[(&str, Claim, f64)] = &[
    ("0x15ad", vmm("vmware"), 0.9),
    ("0x80ee", vmm("virtualbox"), 0.96),
    ("0x1ab8", vmm("parallels"), 0.9),
    ("0x5853", hypervisor("xen"), 0.9),
    ("0x1414", machine(VIRTUAL), 0.7),
    // Red Hat's numbers: QEMU's bridges, and virtio, which some network cards speak too.
    ("0x1b36", vmm("qemu"), 0.8),
    ("0x1af4", machine(VIRTUAL), 0.7),
];

/// Reads who made the devices.
#[derive(Debug)]
pub(super) struct Pci;

impl super::Detector for Pci {
    fn name(&self) -> &'static str {
        "pci"
    }

    fn detect(&self, machine_: &Machine, findings: &mut Findings) {
        let would_tell = "which devices there are";
        let names = findings.readable(machine_.fs.names(DEVICES), DEVICES, would_tell).unwrap_or_default();
        let mut seen: Vec<Claim> = Vec::new();
        for name in names.iter().take(MOST_DEVICES) {
            let path = format!("{DEVICES}/{name}/vendor");
            let Some(text) = findings.text(&machine_.fs, &path, would_tell) else { continue };
            let found = MAKERS.iter().find(|(maker, ..)| text.trim() == *maker);
            if let Some((maker, claim, weight)) = found
                && !seen.contains(claim)
            {
                findings.support(*claim, *weight, &path, maker);
                seen.push(*claim);
            }
        }
    }
}
