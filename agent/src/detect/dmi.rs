//! DMI (SMBIOS): who made the machine, as its firmware says. Whose it is, is `cloud`'s question.
//!
//! `/sys/class/dmi/id/*`: world-readable but for serial numbers and UUIDs, which are not read.

use super::claim::{Claim, MINIMAL, VIRTUAL, hypervisor, machine, vmm};
use super::finding::Findings;
use crate::machine::{Arch, Machine};

const DIRECTORY: &str = "/sys/class/dmi/id";

/// A string that a field begins with.
struct Row {
    field: &'static str,
    prefix: &'static str,
    claim: Claim,
    weight: f64,
}

const fn row(field: &'static str, prefix: &'static str, claim: Claim, weight: f64) -> Row {
    Row { field, prefix, claim, weight }
}

/// QEMU's strings outweigh a clear hypervisor bit: a guest may be told to hide the bit, and no maker of hardware calls
/// itself QEMU.
const ROWS: &[Row] = &[
    row("sys_vendor", "QEMU", vmm("qemu"), 0.985),
    row("product_name", "KVM", hypervisor("kvm"), 0.8),
    row("product_name", "Standard PC (", vmm("qemu"), 0.985),
    row("bios_vendor", "SeaBIOS", vmm("qemu"), 0.6),
    row("sys_vendor", "Cloud Hypervisor", vmm("cloud_hypervisor"), 0.97),
    row("product_name", "cloud-hypervisor", vmm("cloud_hypervisor"), 0.95),
    row("sys_vendor", "VMware", vmm("vmware"), 0.97),
    row("product_name", "VirtualBox", vmm("virtualbox"), 0.97),
    row("sys_vendor", "innotek GmbH", vmm("virtualbox"), 0.97),
    row("sys_vendor", "innotek GmbH", hypervisor("virtualbox"), 0.97),
    row("product_name", "VirtualBox", hypervisor("virtualbox"), 0.97),
    row("product_version", "Hyper-V", vmm("hyperv"), 0.95),
    row("product_name", "Virtual Machine", vmm("hyperv"), 0.8),
    row("sys_vendor", "Xen", hypervisor("xen"), 0.95),
    row("product_name", "HVM domU", vmm("xen"), 0.95),
    row("sys_vendor", "Parallels", vmm("parallels"), 0.97),
    row("sys_vendor", "BHYVE", vmm("bhyve"), 0.95),
    row("product_name", "BHYVE", vmm("bhyve"), 0.95),
    row("sys_vendor", "Apple Virtualization", vmm("apple_vz"), 0.95),
    row("product_name", "Apple Virtualization", vmm("apple_vz"), 0.95),
    row("sys_vendor", "Veertu", vmm("veertu"), 0.95),
    row("product_name", "OpenBSD", vmm("openbsd_vmm"), 0.9),
    row("product_name", "KubeVirt", hypervisor("kvm"), 0.9),
    row("product_name", "OpenStack", hypervisor("kvm"), 0.6),
    row("product_name", "Alibaba Cloud ECS", hypervisor("kvm"), 0.7),
    // These manage QEMU and call it theirs.
    row("sys_vendor", "oVirt", vmm("qemu"), 0.985),
    row("product_name", "oVirt", vmm("qemu"), 0.9),
    row("product_name", "RHEV Hypervisor", vmm("qemu"), 0.985),
    row("sys_vendor", "Red Hat", vmm("qemu"), 0.9),
    row("sys_vendor", "Nutanix", vmm("qemu"), 0.7),
    row("product_name", "AHV", vmm("qemu"), 0.9),
    row("bios_vendor", "Bochs", vmm("bochs"), 0.8),
    row("sys_vendor", "Bochs", vmm("bochs"), 0.9),
];

/// Products of clouds that are virtual machines, with the monitor that they run under.
const CLOUD_MACHINES: &[(&str, &str, Claim)] = &[("sys_vendor", "Amazon EC2", vmm("nitro"))];

/// Makers of hardware. Speaks against a virtual machine where the processor does not tell.
const HARDWARE_MAKERS: &[&str] = &[
    "Dell",
    "HP",
    "Hewlett",
    "Lenovo",
    "Supermicro",
    "ASUS",
    "Gigabyte",
    "GIGABYTE",
    "Intel Corporation",
    "Fujitsu",
    "FUJITSU",
    "Inspur",
    "Huawei",
    "Quanta",
    "Wiwynn",
    "Ampere",
    "Cisco",
    "Oracle Corporation",
    "Apple Inc.",
    "Acer",
    "Micro-Star",
    "IBM",
    "Sun Microsystems",
    "Penguin",
    "ASRock",
    "Foxconn",
    "NVIDIA",
];

/// Reads the fields.
#[derive(Debug)]
pub(super) struct Dmi;

impl super::Detector for Dmi {
    fn name(&self) -> &'static str {
        "dmi"
    }

    fn detect(&self, machine_: &Machine, findings: &mut Findings) {
        let mut field = |name: &str| {
            let path = format!("{DIRECTORY}/{name}");
            findings.text(&machine_.fs, &path, "the maker of the machine").map(|text| (path, text))
        };
        let names = ["sys_vendor", "product_name", "product_version", "bios_vendor", "board_vendor"];
        let fields: Vec<(&str, String, String)> = names
            .into_iter()
            .filter_map(|name| field(name).map(|(path, text)| (name, path, text.trim().to_owned())))
            .collect();
        let starts = |name: &str, prefix: &str| {
            fields.iter().find(|(field, _, text)| *field == name && text.starts_with(prefix))
        };

        for row in ROWS {
            if let Some((_, path, text)) = starts(row.field, row.prefix) {
                findings.support(row.claim, row.weight, path, text);
            }
        }
        // VirtualBox answers CPUID as KVM does, so that Linux guests use KVM's clock.
        let virtualbox =
            starts("product_name", "VirtualBox").or_else(|| starts("sys_vendor", "innotek GmbH"));
        if let Some((_, path, text)) = virtualbox {
            findings.oppose(hypervisor("kvm"), 0.995, path, text);
        }
        let signatures = || machine_.cpuid.iter().flat_map(|cpuid| cpuid.leaves.values());
        let says_hyperv = signatures().any(|signature| signature == "Microsoft Hv");
        // Virtual PC calls itself as Hyper-V does, but does not answer CPUID as Hyper-V does.
        if let Some((_, path, text)) = starts("product_name", "Virtual Machine")
            && starts("sys_vendor", "Microsoft Corporation").is_some()
            && starts("product_version", "Hyper-V").is_none()
            && machine_.cpuid.is_some()
            && !says_hyperv
        {
            findings.support(vmm("virtual_pc"), 0.985, path, text);
        }
        // VirtualBox can show the host's strings instead of its own, but leaves the board its maker's.
        if let Some((_, path, text)) = starts("board_vendor", "Oracle Corporation")
            && machine_.cpuid.as_ref().is_some_and(|cpuid| cpuid.hypervisor_bit)
            && starts("sys_vendor", "Oracle Corporation").is_none()
        {
            findings.support(vmm("virtualbox"), 0.9, path, text);
        }
        // Hitachi's partitions of a server; they do not set the hypervisor bit.
        if let Some((_, path, text)) = starts("product_name", "")
            && text.contains(" LPAR")
            && starts("sys_vendor", "HITACHI").is_some()
        {
            findings.support(hypervisor("virtage"), 0.985, path, text);
        }
        let metal = starts("product_name", "").is_some_and(|(.., product)| is_metal(product));
        for (name, prefix, claim) in CLOUD_MACHINES {
            if let Some((_, path, text)) = starts(name, prefix)
                && !metal
            {
                findings.support(*claim, 0.7, path, text);
            }
        }
        if metal && let Some((_, path, text)) = starts("product_name", "") {
            findings.oppose(machine(VIRTUAL), 0.9, path, text);
        }
        if let Some((_, path, text)) = fields.iter().find(|(name, ..)| *name == "sys_vendor") {
            if HARDWARE_MAKERS.iter().any(|maker| text.starts_with(maker)) {
                findings.oppose(machine(VIRTUAL), 0.8, path, text);
            }
            findings.oppose(machine(MINIMAL), 0.85, path, text);
        } else if fields.is_empty() && lacks_dmi(machine_) {
            findings.support(
                machine(MINIMAL),
                0.7,
                "/sys/class/dmi",
                "absent: the firmware left no DMI tables",
            );
        }
        entry_point(machine_, findings);
    }
}

/// An x86 sysfs that is mounted and has no DMI at all. Every PC has it, and so has every full VMM.
fn lacks_dmi(machine: &Machine) -> bool {
    machine.arch == Arch::X86
        && machine.fs.exists("/sys/class").is_ok_and(|exists| exists)
        && machine.fs.exists("/sys/class/dmi").is_ok_and(|exists| !exists)
}

/// Amazon's names for machines without a hypervisor: `c5.metal`, `m7i.metal-48xl`.
fn is_metal(product: &str) -> bool {
    product.split_once(".metal").is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with('-'))
}

/// SMBIOS structure 0 has a bit by which the firmware says that the system is a virtual machine (DMTF DSP0134,
/// section 7.1.2.2, bit 4 of extension byte 2). Set is proof; clear is nothing: many clouds leave it clear.
fn entry_point(machine_: &Machine, findings: &mut Findings) {
    const EXTENSION_BYTE_2: usize = 0x13;
    const IS_VIRTUAL: u8 = 1 << 4;
    let path = "/sys/firmware/dmi/entries/0-0/raw";
    let Some(raw) = findings.bytes(&machine_.fs, path, "whether the firmware calls itself virtual") else {
        return;
    };
    if raw.get(EXTENSION_BYTE_2).is_some_and(|byte| byte & IS_VIRTUAL != 0) {
        findings.support(machine(VIRTUAL), 0.95, path, "SMBIOS says that the system is virtual");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metal_is_the_end_of_the_name_or_goes_on_with_a_dash() {
        assert!(is_metal("c5.metal"));
        assert!(is_metal("m7i.metal-48xl"));
        assert!(!is_metal("c5.metallic"));
        assert!(!is_metal("c5.large"));
    }
}
