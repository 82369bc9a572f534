//! Device tree: how ARM, POWER and RISC-V machines are described.

use super::claim::{Claim, MINIMAL, VIRTUAL, hypervisor, machine, vmm};
use super::finding::Findings;
use crate::machine::Machine;

const TREE: &str = "/proc/device-tree";

/// What `/proc/device-tree/hypervisor/compatible` says.
const HYPERVISORS: &[(&str, Claim)] =
    &[("linux,kvm", hypervisor("kvm")), ("xen,xen", hypervisor("xen")), ("vmware", hypervisor("vmware"))];

/// Reads the tree's root and hypervisor node.
#[derive(Debug)]
pub(super) struct DeviceTree;

impl super::Detector for DeviceTree {
    fn name(&self) -> &'static str {
        "device_tree"
    }

    fn detect(&self, machine_: &Machine, findings: &mut Findings) {
        let path = format!("{TREE}/hypervisor/compatible");
        if let Some(text) = findings.text(&machine_.fs, &path, "which hypervisor this is")
            && let Some((_, claim)) = HYPERVISORS.iter().find(|(known, _)| text.starts_with(known))
        {
            findings.support(*claim, 0.97, &path, &text);
        }

        let path = format!("{TREE}/compatible");
        let compatible =
            findings.text(&machine_.fs, &path, "which machine this is").unwrap_or_else(|| "".into());
        let nodes =
            findings.readable(machine_.fs.names(TREE), TREE, "which devices there are").unwrap_or_default();
        let has = |node: &str| nodes.iter().any(|name| name == node || name.starts_with(&format!("{node}@")));
        if compatible.starts_with("linux,dummy-virt") {
            findings.support(machine(VIRTUAL), 0.97, &path, &compatible);
            if has("fw-cfg") {
                findings.support(vmm("qemu"), 0.95, TREE, "fw-cfg");
            } else {
                findings.support(machine(MINIMAL), 0.8, &path, "linux,dummy-virt without fw-cfg");
            }
            if has("vmgenid") || has("vmclock") {
                findings.support(vmm("firecracker"), 0.9, TREE, "nodes vmgenid and vmclock");
            }
        } else if compatible.starts_with("qemu,") {
            findings.support(vmm("qemu"), 0.95, &path, &compatible);
        }
    }
}
