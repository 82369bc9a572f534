//! Device tree: how ARM, POWER and RISC-V machines are described.

use super::claim::{Claim, MINIMAL, VIRTUAL, hypervisor, machine, vmm};
use super::finding::Findings;
use crate::machine::Machine;

/// Where the tree is; the first is a link to the second, and a copy of files may lack either.
const TREES: &[&str] = &["/proc/device-tree", "/sys/firmware/devicetree/base"];

/// What `/proc/device-tree/hypervisor/compatible` says.
const HYPERVISORS: &[(&str, Claim)] =
    &[("linux,kvm", hypervisor("kvm")), ("xen,xen", hypervisor("xen")), ("vmware", hypervisor("vmware"))];

/// What the machine itself is compatible with.
const MACHINES: &[(&str, Claim, f64)] = &[
    ("qemu,", vmm("qemu"), 0.95),
    ("riscv-virtio", vmm("qemu"), 0.9),
    ("xen,xenvm", hypervisor("xen"), 0.97),
];

/// Makers of boards, and POWER without a hypervisor.
const HARDWARE: &[&str] = &[
    "ibm,powernv",
    "raspberrypi,",
    "rockchip,",
    "radxa,",
    "pine64,",
    "apple,",
    "nvidia,",
    "qcom,",
    "fsl,",
    "amlogic,",
    "allwinner,",
    "brcm,",
    "ti,",
    "marvell,",
    "sifive,",
    "starfive,",
];

/// Reads the tree's root and hypervisor node.
#[derive(Debug)]
pub(super) struct DeviceTree;

impl super::Detector for DeviceTree {
    fn name(&self) -> &'static str {
        "device_tree"
    }

    fn detect(&self, machine_: &Machine, findings: &mut Findings) {
        let Some((tree, nodes)) = TREES.iter().find_map(|tree| {
            let nodes = findings.readable(machine_.fs.names(tree), tree, "which devices there are")?;
            Some((*tree, nodes))
        }) else {
            return;
        };
        let path = format!("{tree}/hypervisor/compatible");
        if let Some(text) = findings.text(&machine_.fs, &path, "which hypervisor this is")
            && let Some((_, claim)) = HYPERVISORS.iter().find(|(known, _)| text.starts_with(known))
        {
            findings.support(*claim, 0.97, &path, &text);
        }

        let path = format!("{tree}/compatible");
        let compatible =
            findings.text(&machine_.fs, &path, "which machine this is").unwrap_or_else(|| "".into());
        let has = |node: &str| nodes.iter().any(|name| name == node || name.starts_with(&format!("{node}@")));
        if compatible.starts_with("linux,dummy-virt") {
            findings.support(machine(VIRTUAL), 0.97, &path, &compatible);
            if has("fw-cfg") {
                findings.support(vmm("qemu"), 0.95, tree, "fw-cfg");
            } else {
                findings.support(machine(MINIMAL), 0.8, &path, "linux,dummy-virt without fw-cfg");
            }
            if has("vmgenid") || has("vmclock") {
                findings.support(vmm("firecracker"), 0.9, tree, "nodes vmgenid and vmclock");
            }
        } else if let Some((_, claim, weight)) =
            MACHINES.iter().find(|(start, ..)| compatible.starts_with(start))
        {
            findings.support(*claim, *weight, &path, &compatible);
        } else if HARDWARE.iter().any(|maker| compatible.starts_with(maker)) {
            findings.oppose(machine(VIRTUAL), 0.9, &path, &compatible);
        } else if has("fw-cfg") {
            findings.support(vmm("qemu"), 0.9, tree, "fw-cfg");
        } else if compatible.contains(',') && !compatible.starts_with("IBM,") && !has("hypervisor") {
            // Boards are too many to know them all; machines that no board has are the rows above.
            findings.oppose(machine(VIRTUAL), 0.7, &path, &compatible);
        }
        // A partition of a POWER server, looked after by a management console.
        if has("ibm,partition-name") && has("hmc-managed?") && !compatible.starts_with("qemu,") {
            findings.support(hypervisor("powervm"), 0.97, tree, "ibm,partition-name and hmc-managed?");
        }
    }
}
