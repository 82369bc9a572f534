//! PCI and virtio: devices that no board has, readable by all where CPUID and SMBIOS are silent.
//!
//! A device of a host can be passed to a guest, but a guest's device never shows on a host.

use super::claim::{Claim, VIRTUAL, hypervisor, machine, vmm};
use super::finding::Findings;
use crate::machine::Machine;

/// All of them in one file.
const ALL: &str = "/proc/bus/pci/devices";

/// A folder for each, where the file is not shown.
const DEVICES: &str = "/sys/bus/pci/devices";

/// Devices of virtio, whether on PCI or not.
const VIRTIO: &str = "/sys/bus/virtio/devices";

/// The first of them is enough but on boards, which have a few of another kind.
const MOST_VIRTIO_DEVICES: usize = 4;

/// Not a device of a virtual machine: messages to another processor of the same board (virtio specification, 5: rpmsg).
const REMOTE_PROCESSOR: &str = "0x0007";

/// The guests' devices come first; a large server has hundreds of its own.
const MOST_DEVICES: usize = 16;

/// Makers of devices that exist in software, by the PCI SIG's numbers (`pci.ids`); lscpu knows the first four.
/// Those of one monitor alone outweigh a clear hypervisor bit, which a guest may be told to hide.
const MAKERS: &[(&str, Claim, f64)] = &[
    ("15ad", vmm("vmware"), 0.985),
    ("80ee", vmm("virtualbox"), 0.985),
    ("1ab8", vmm("parallels"), 0.985),
    ("5853", hypervisor("xen"), 0.96),
    ("1414", machine(VIRTUAL), 0.7),
    // Red Hat's numbers: QEMU's bridges, and virtio, which some network cards speak too.
    ("1b36", vmm("qemu"), 0.8),
    ("1af4", machine(VIRTUAL), 0.7),
];

/// Reads who made the devices.
#[derive(Debug)]
pub(super) struct Pci;

impl super::Detector for Pci {
    fn name(&self) -> &'static str {
        "pci"
    }

    fn detect(&self, machine_: &Machine, findings: &mut Findings) {
        let mut seen: Vec<Claim> = Vec::new();
        for (path, maker) in makers(machine_, findings) {
            let found = MAKERS.iter().find(|(known, ..)| maker == *known);
            if let Some((_, claim, weight)) = found
                && !seen.contains(claim)
            {
                let value = format!("0x{maker}");
                findings.support(*claim, *weight, &path, &value);
                seen.push(*claim);
                // VirtualBox answers CPUID as KVM does, so that Linux guests use KVM's clock.
                if *claim == vmm("virtualbox") {
                    findings.support(hypervisor("virtualbox"), 0.96, &path, &value);
                    findings.oppose(hypervisor("kvm"), 0.995, &path, &value);
                }
            }
        }
        virtio(machine_, findings);
    }
}

/// The bus of virtio, where its devices are without PCI, too.
fn virtio(machine_: &Machine, findings: &mut Findings) {
    let would_tell = "whether there are devices that exist in software alone";
    let names = findings.readable(machine_.fs.names(VIRTIO), VIRTIO, would_tell).unwrap_or_default();
    let device = names.iter().take(MOST_VIRTIO_DEVICES).find_map(|name| {
        let path = format!("{VIRTIO}/{name}/device");
        let kind = findings.text(&machine_.fs, &path, would_tell)?;
        (!kind.trim().is_empty() && kind.trim() != REMOTE_PROCESSOR).then_some((path, kind))
    });
    if let Some((path, kind)) = device {
        findings.support(machine(VIRTUAL), 0.7, &path, &format!("virtio device {}", kind.trim()));
    }
}

/// Who made each device, in four hex digits, and where that stands.
fn makers(machine: &Machine, findings: &mut Findings) -> Vec<(String, String)> {
    let would_tell = "which devices there are";
    if let Some(text) = findings.text(&machine.fs, ALL, would_tell) {
        // Bus and slot, then maker and model in eight digits.
        let ids = text.lines().filter_map(|line| line.split('\t').nth(1)?.get(..4));
        return ids.map(|maker| (ALL.to_owned(), maker.to_owned())).collect();
    }
    let names = findings.readable(machine.fs.names(DEVICES), DEVICES, would_tell).unwrap_or_default();
    let mut makers = Vec::new();
    for name in names.iter().take(MOST_DEVICES) {
        let path = format!("{DEVICES}/{name}/vendor");
        if let Some(text) = findings.text(&machine.fs, &path, would_tell) {
            makers.push((path, text.trim().trim_start_matches("0x").to_owned()));
        }
    }
    makers
}
