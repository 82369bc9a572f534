//! DMI (SMBIOS): who made the machine, as its firmware says. Whose it is, is `cloud`'s question.
//!
//! `/sys/class/dmi/id/*`: world-readable but for serial numbers and UUIDs, which are not read.

use tierprobe_model::LayerKind;

use super::claim::{Claim, MINIMAL, Subject, VIRTUAL, hypervisor, machine, vmm};
use super::finding::Findings;
use super::hardware;
use super::processor::has_hypervisor_flag;
use crate::machine::{Arch, Machine};

const DIRECTORY: &str = "/sys/class/dmi/id";

/// A string that a field begins with, as a whole word: XENON is no Xen.
struct Row {
    field: &'static str,
    prefix: &'static str,
    claim: Claim,
    weight: f64,
}

const fn row(field: &'static str, prefix: &'static str, claim: Claim, weight: f64) -> Row {
    Row { field, prefix, claim, weight }
}

/// What only QEMU, VMware, VirtualBox and Parallels write outweighs a clear hypervisor bit: a guest may be told to hide
/// the bit, and no maker of hardware calls itself so. Oracle makes hardware too: the maker of VirtualBox's boards does
/// not count here.
const ROWS: &[Row] = &[
    // Their own sources, and systemd, virt-what, Facter and ohai, which agree on these.
    row("sys_vendor", "QEMU", vmm("qemu"), 0.985),
    row("product_name", "KVM", hypervisor("kvm"), 0.8),
    row("product_name", "Standard PC (", vmm("qemu"), 0.985),
    row("sys_vendor", "Cloud Hypervisor", vmm("cloud_hypervisor"), 0.97),
    row("product_name", "cloud-hypervisor", vmm("cloud_hypervisor"), 0.95),
    row("product_name", "crosvm", vmm("crosvm"), 0.97),
    row("bios_vendor", "crosvm", vmm("crosvm"), 0.97),
    row("sys_vendor", "ChromiumOS", vmm("crosvm"), 0.8),
    row("sys_vendor", "VMware", vmm("vmware"), 0.985),
    row("product_name", "VirtualBox", vmm("virtualbox"), 0.985),
    row("sys_vendor", "innotek GmbH", vmm("virtualbox"), 0.985),
    row("sys_vendor", "innotek GmbH", hypervisor("virtualbox"), 0.97),
    row("product_name", "VirtualBox", hypervisor("virtualbox"), 0.97),
    // Microsoft: virt-what, ohai; the version is systemd's.
    row("product_version", "Hyper-V", vmm("hyperv"), 0.96),
    row("product_name", "Virtual Machine", vmm("hyperv"), 0.8),
    // Xen's hvmloader; Facter for the product.
    row("sys_vendor", "Xen", hypervisor("xen"), 0.95),
    row("product_name", "HVM domU", vmm("xen"), 0.95),
    // systemd; bhyve also virt-what, OpenBSD's vmm Facter and vmd's own source, Veertu ohai.
    row("sys_vendor", "Parallels", vmm("parallels"), 0.985),
    row("sys_vendor", "Parallels", hypervisor("parallels"), 0.97),
    row("sys_vendor", "BHYVE", vmm("bhyve"), 0.95),
    row("product_name", "BHYVE", vmm("bhyve"), 0.95),
    row("sys_vendor", "Apple Virtualization", vmm("apple_vz"), 0.95),
    row("product_name", "Apple Virtualization", vmm("apple_vz"), 0.95),
    row("sys_vendor", "Veertu", vmm("veertu"), 0.95),
    row("product_name", "OpenBSD", vmm("openbsd_vmm"), 0.9),
    row("sys_vendor", "OpenBSD", vmm("openbsd_vmm"), 0.95),
    // Software that starts virtual machines of KVM and calls them its own: systemd.
    row("product_name", "KubeVirt", hypervisor("kvm"), 0.9),
    row("product_name", "OpenStack", hypervisor("kvm"), 0.6),
    row("product_name", "Alibaba Cloud ECS", hypervisor("kvm"), 0.7),
    // The same, of QEMU: virt-what.
    row("sys_vendor", "oVirt", vmm("qemu"), 0.985),
    row("product_name", "oVirt", vmm("qemu"), 0.9),
    row("product_name", "RHEV Hypervisor", vmm("qemu"), 0.985),
    row("sys_vendor", "Red Hat", vmm("qemu"), 0.9),
    row("product_name", "AHV", vmm("qemu"), 0.9),
    row("sys_vendor", "Virtuozzo", vmm("qemu"), 0.9),
];

/// What clouds and their software call machines that are virtual, whatever runs them. A clear hypervisor bit outweighs
/// it: some of them rent out hardware too.
const CLOUD_MACHINES: &[(&str, &str, Claim, f64)] = &[
    // Amazon (systemd); OpenStack, CloudStack, Joyent (cloud-init); DigitalOcean, Hetzner, Tencent and Linode
    // by what their instances show; the tags cloud-init's.
    ("sys_vendor", "Amazon EC2", vmm("nitro"), 0.7),
    ("product_name", "OpenStack", machine(VIRTUAL), 0.9),
    ("product_name", "CloudStack", machine(VIRTUAL), 0.95),
    ("product_name", "Droplet", machine(VIRTUAL), 0.9),
    ("product_name", "vServer", machine(VIRTUAL), 0.9),
    ("product_name", "SmartDC HVM", machine(VIRTUAL), 0.9),
    ("product_name", "CVM", machine(VIRTUAL), 0.7),
    ("product_name", "Compute Instance", machine(VIRTUAL), 0.8),
    ("sys_vendor", "UpCloud", machine(VIRTUAL), 0.85),
    ("sys_vendor", "NWCS", machine(VIRTUAL), 0.8),
    ("sys_vendor", "e24cloud", machine(VIRTUAL), 0.8),
    ("sys_vendor", "Tilaa", machine(VIRTUAL), 0.8),
    ("chassis_asset_tag", "HUAWEICLOUD", machine(VIRTUAL), 0.7),
    ("chassis_asset_tag", "OpenTelekomCloud", machine(VIRTUAL), 0.7),
];

/// Firmware that is built for virtual machines: TianoCore's OVMF and its builds, and the monitors' own. TianoCore by
/// itself is the firmware of boards too: `EFI Development Kit II / NXP`.
const VIRTUAL_FIRMWARE: &[&str] = &[
    "EFI Development Kit II / OVMF",
    "EDK II",
    "Debian distribution of EDK II",
    "Proxmox distribution of EDK II",
    "Ubuntu distribution of EDK II",
    "SeaBIOS",
    "Xen",
    "Hyper-V UEFI",
    "innotek GmbH",
    "Parallels",
    "BHYVE",
    "QEMU",
];

/// Reads the fields.
#[derive(Debug)]
pub(super) struct Dmi;

impl super::Detector for Dmi {
    fn name(&self) -> &'static str {
        "dmi"
    }

    fn detect(&self, machine_: &Machine, findings: &mut Findings) {
        let fields = Fields::read(machine_, findings);
        let mut names_another = false;
        for row in ROWS {
            if let Some((path, text)) = fields.starts(row.field, row.prefix) {
                findings.support(row.claim, row.weight, path, text);
                names_another |=
                    row.claim.subject == Subject::Layer(LayerKind::Vmm) && row.claim != vmm("qemu");
            }
        }
        // QEMU's firmware, which others have borrowed.
        if let Some((path, text)) = fields.starts("bios_vendor", "SeaBIOS").filter(|_| !names_another) {
            findings.support(vmm("qemu"), 0.6, path, text);
        }
        relatives(machine_, &fields, findings);
        // Hitachi's partitions of a server; they do not set the hypervisor bit.
        if let Some((path, text)) = fields.get("product_name")
            && text.contains(" LPAR")
            && fields.starts("sys_vendor", "HITACHI").is_some()
        {
            findings.support(hypervisor("virtage"), 0.985, path, text);
        }
        let metal = fields.get("product_name").filter(|(_, product)| is_metal(product));
        if let Some((path, text)) = metal {
            findings.oppose(machine(VIRTUAL), 0.9, path, text);
        } else {
            for (field, prefix, claim, weight) in CLOUD_MACHINES {
                if let Some((path, text)) = fields.starts(field, prefix) {
                    findings.support(*claim, *weight, path, text);
                }
            }
        }
        if let Some((path, text)) = fields.starts("product_name", "Google Compute Engine") {
            // Google calls its machines without a hypervisor so, too. Of those only x86 has CPUID to say it: elsewhere
            // something else must tell of a virtual machine.
            let weight = if machine_.arch == Arch::X86 { 0.7 } else { 0.3 };
            findings.support(hypervisor("kvm"), weight, path, text);
        }
        for prefix in VIRTUAL_FIRMWARE {
            if let Some((path, text)) = fields.starts("bios_vendor", prefix) {
                findings.support(machine(VIRTUAL), 0.8, path, text);
            }
        }
        let identity = |name: &str| fields.get(name).map(|(_, text)| text);
        if let Some((name, weight)) = hardware::told_by(identity)
            && let Some((path, text)) = fields.get(name)
        {
            findings.oppose(machine(VIRTUAL), weight, path, text);
        }
        if let Some((path, text)) = fields.get("sys_vendor") {
            findings.oppose(machine(MINIMAL), 0.85, path, text);
        } else if fields.0.is_empty() && lacks_dmi(machine_) {
            let value = "absent: the firmware left no DMI tables";
            findings.support(machine(MINIMAL), 0.7, "/sys/class/dmi", value);
        }
        entry_point(machine_, &fields, findings);
    }
}

/// Fields that there are: name, path, text.
struct Fields(Vec<(&'static str, String, String)>);

impl Fields {
    fn read(machine: &Machine, findings: &mut Findings) -> Self {
        let names = [
            "sys_vendor",
            "product_name",
            "product_version",
            "bios_vendor",
            "board_vendor",
            "chassis_type",
            "chassis_asset_tag",
        ];
        let mut field = |name: &'static str| {
            let path = format!("{DIRECTORY}/{name}");
            let text = findings.text(&machine.fs, &path, "the maker of the machine")?;
            Some((name, path, text.trim().to_owned()))
        };
        Self(names.into_iter().filter_map(&mut field).collect())
    }

    /// Path and text of a field.
    fn get(&self, name: &str) -> Option<(&str, &str)> {
        let found = self.0.iter().find(|(field, ..)| *field == name);
        found.map(|(_, path, text)| (path.as_str(), text.as_str()))
    }

    /// The same, if the text begins with this word or these.
    fn starts(&self, name: &str, prefix: &str) -> Option<(&str, &str)> {
        self.get(name).filter(|(_, text)| hardware::starts_with_words(text, prefix))
    }
}

/// Monitors that answer in each other's name, so that one string is not enough.
fn relatives(machine_: &Machine, fields: &Fields, findings: &mut Findings) {
    let cpuinfo = findings.text(&machine_.fs, "/proc/cpuinfo", "whether the kernel sees a hypervisor");
    let signatures = || machine_.cpuid.iter().flat_map(|cpuid| cpuid.leaves.values());
    let is_hyperv = |signature: &String| signature == "Microsoft Hv";
    let flag = cpuinfo.as_deref().and_then(has_hypervisor_flag);
    let bit = machine_.cpuid.as_ref().map(|cpuid| cpuid.hypervisor_bit).or(flag);
    // VirtualBox and Parallels answer CPUID as KVM does, so that Linux guests use KVM's clock.
    let own = [("product_name", "VirtualBox"), ("sys_vendor", "innotek GmbH"), ("sys_vendor", "Parallels")];
    if let Some((path, text)) = own.into_iter().find_map(|(name, prefix)| fields.starts(name, prefix)) {
        findings.oppose(hypervisor("kvm"), 0.995, path, text);
    }
    if let Some((path, text)) = fields.starts("product_name", "Virtual Machine")
        && fields.starts("sys_vendor", "Microsoft Corporation").is_some()
    {
        // Virtual PC calls itself as Hyper-V does, but does not answer CPUID as Hyper-V does.
        if fields.starts("product_version", "Hyper-V").is_none()
            && machine_.cpuid.is_some()
            && !signatures().any(is_hyperv)
        {
            findings.support(vmm("virtual_pc"), 0.985, path, text);
        } else {
            findings.support(vmm("hyperv"), 0.96, path, text);
        }
    }
    // VirtualBox can show the host's strings instead of its own, but leaves the board its maker's.
    if let Some((path, text)) = fields.starts("board_vendor", "Oracle Corporation")
        && bit == Some(true)
        && fields.starts("sys_vendor", "Oracle Corporation").is_none()
    {
        findings.support(vmm("virtualbox"), 0.9, path, text);
        findings.support(hypervisor("virtualbox"), 0.9, path, text);
        findings.oppose(hypervisor("kvm"), 0.995, path, text);
    }
    // QEMU shows Hyper-V's signature in KVM's place to guests that are not to see KVM.
    if let Some((path, text)) = fields.starts("sys_vendor", "QEMU")
        && signatures().any(is_hyperv)
        && signatures().all(is_hyperv)
    {
        findings.oppose(hypervisor("hyperv"), 0.96, path, text);
        findings.support(hypervisor("kvm"), 0.6, path, text);
    }
    // QEMU used to come with the firmware of Bochs, but has processors of its own, or KVM's signature.
    let bochs = fields.starts("sys_vendor", "Bochs").or_else(|| fields.starts("bios_vendor", "Bochs"));
    if let Some((path, text)) = bochs {
        let is_qemu = cpuinfo.is_some_and(|text| text.contains("QEMU") || text.contains("KVM"))
            || signatures().any(|signature| signature.starts_with("KVM") || signature.starts_with("TCG"));
        findings.support(vmm(if is_qemu { "qemu" } else { "bochs" }), 0.9, path, text);
    }
}

/// An x86 sysfs that is mounted and has no DMI at all. Every PC has it, and so has every full VMM. That the directory
/// of terminals is there, as in any kernel, says that somebody did not just pick a few files.
fn lacks_dmi(machine: &Machine) -> bool {
    machine.arch == Arch::X86
        && machine.fs.exists("/sys/class/tty").is_ok_and(|exists| exists)
        && machine.fs.exists("/sys/class/dmi").is_ok_and(|exists| !exists)
}

/// Amazon's names for machines without a hypervisor: `c5.metal`, `m7i.metal-48xl`.
fn is_metal(product: &str) -> bool {
    product.split_once(".metal").is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with('-'))
}

/// SMBIOS structure 0 has a bit by which the firmware says that the system is a virtual machine (DMTF DSP0134,
/// section 7.1.2.2, bit 4 of extension byte 2). Set is proof; clear is nothing, as many clouds leave it clear, but for
/// Amazon, whose virtual machines set it and whose metal does not.
fn entry_point(machine_: &Machine, fields: &Fields, findings: &mut Findings) {
    const EXTENSION_BYTE_2: usize = 0x13;
    const IS_VIRTUAL: u8 = 1 << 4;
    let path = "/sys/firmware/dmi/entries/0-0/raw";
    let Some(raw) = findings.bytes(&machine_.fs, path, "whether the firmware calls itself virtual") else {
        return;
    };
    // Type, which is 0, and length; whatever else it is, it is no structure 0.
    if raw.first() != Some(&0) || raw.get(1).is_none_or(|length| usize::from(*length) <= EXTENSION_BYTE_2) {
        return;
    }
    if raw.get(EXTENSION_BYTE_2).is_some_and(|byte| byte & IS_VIRTUAL != 0) {
        findings.support(machine(VIRTUAL), 0.95, path, "SMBIOS says that the system is virtual");
    } else if fields.starts("sys_vendor", "Amazon EC2").is_some() && raw.len() > EXTENSION_BYTE_2 {
        findings.oppose(
            machine(VIRTUAL),
            0.8,
            path,
            "SMBIOS of EC2, and does not say that the system is virtual",
        );
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
