//! ACPI: who wrote the tables, and which devices they describe.
//!
//! The table headers name their maker (ACPI specification, section 5.2.6: OEM id at offset 10, OEM table id at
//! 16, creator at 28) but are readable by root alone; the ids of the devices are readable by all.

use super::claim::{Claim, VIRTUAL, hypervisor, machine, vmm};
use super::finding::Findings;
use crate::machine::{Arch, Machine};

const TABLES: &str = "/sys/firmware/acpi/tables";
const DEVICES: &str = "/sys/bus/acpi/devices";

/// The tables that every maker writes.
const TABLE_NAMES: &[&str] = &["FACP", "DSDT", "APIC"];

/// OEM ids of virtual machine monitors.
const OEM_IDS: &[(&str, Claim, f64)] = &[
    ("FIRECK", vmm("firecracker"), 0.98),
    ("CLOUDH", vmm("cloud_hypervisor"), 0.98),
    ("CROSVM", vmm("crosvm"), 0.97),
    ("BHYVE", vmm("bhyve"), 0.9),
    ("VBOX", vmm("virtualbox"), 0.95),
    ("VRTUAL", vmm("hyperv"), 0.8),
    ("PRLS", vmm("parallels"), 0.9),
];

/// FADT flag 20: the platform has no legacy hardware. QEMU sets it for its microvm machine only.
const FADT_FLAGS: usize = 112;
const HARDWARE_REDUCED: u32 = 1 << 20;

/// Reads table headers and device ids.
#[derive(Debug)]
pub(super) struct Acpi;

impl super::Detector for Acpi {
    fn name(&self) -> &'static str {
        "acpi"
    }

    fn detect(&self, machine: &Machine, findings: &mut Findings) {
        tables(machine, findings);
        devices(machine, findings);
    }
}

fn tables(machine_: &Machine, findings: &mut Findings) {
    let mut seen: Vec<Claim> = Vec::new();
    for name in TABLE_NAMES {
        let path = format!("{TABLES}/{name}");
        let Some(table) = findings.bytes(&machine_.fs, &path, "who wrote the ACPI tables") else { continue };
        let (Some(oem), Some(table_id), Some(creator)) =
            (text(&table, 10, 6), text(&table, 16, 8), text(&table, 28, 4))
        else {
            continue;
        };
        let value = format!("OEM {oem}, table {table_id}, creator {creator}");
        if let Some((_, claim, weight)) = OEM_IDS.iter().find(|(known, ..)| oem == *known) {
            // Further tables of the same maker add nothing.
            if !seen.contains(claim) {
                findings.support(*claim, *weight, &path, &value);
                seen.push(*claim);
                // VirtualBox answers CPUID as KVM does, so that Linux guests use KVM's clock.
                if oem == "VBOX" {
                    findings.support(hypervisor("virtualbox"), 0.95, &path, &value);
                    findings.oppose(hypervisor("kvm"), 0.995, &path, &value);
                }
                // Hyper-V and Virtual PC alike; the latter without a hypervisor bit.
                if oem == "VRTUAL" {
                    findings.support(machine(VIRTUAL), 0.985, &path, &value);
                }
            }
        } else if oem == "BOCHS" && *name == "FACP" {
            let claim = if is_hardware_reduced(&table) && lacks_dmi(machine_) {
                vmm("qemu_microvm")
            } else {
                vmm("qemu")
            };
            // Surer than SMBIOS, whose strings QEMU writes as it is told: others' stand there for a disguise.
            findings.support(claim, 0.99, &path, &value);
        } else if oem == "BOCHS" && *name == "DSDT" && lacks_dmi(machine_) {
            findings.support(vmm("qemu_microvm"), 0.8, &path, &value);
        }
    }
}

fn lacks_dmi(machine: &Machine) -> bool {
    machine.arch == Arch::X86 && machine.fs.exists("/sys/class/dmi").is_ok_and(|exists| !exists)
}

fn devices(machine: &Machine, findings: &mut Findings) {
    let names = findings.readable(machine.fs.names(DEVICES), DEVICES, "which devices ACPI describes");
    let has = |id: &str| names.iter().flatten().find(|name| name.split(':').next() == Some(id));
    // Amazon's clock device. EC2 has it too, on a PC with a DMI; Firecracker has no DMI, and hands its events to a
    // generic event device for want of a PC's.
    if let Some(name) = has("AMZNC10C")
        && has("ACPI0013").is_some()
        && lacks_dmi(machine)
    {
        findings.support(
            vmm("firecracker"),
            0.95,
            &format!("{DEVICES}/{name}"),
            "Amazon's clock, and no DMI",
        );
    }
    if let Some(name) = has("QEMU0002")
        && !lacks_dmi(machine)
    {
        findings.support(vmm("qemu"), 0.8, &format!("{DEVICES}/{name}"), "QEMU's configuration device");
    }
}

/// Printable text at an offset, blanks and NULs at the end left out.
fn text(table: &[u8], offset: usize, length: usize) -> Option<String> {
    let bytes = table.get(offset..offset.checked_add(length)?)?;
    let text = String::from_utf8_lossy(bytes);
    Some(text.trim_end_matches([' ', '\0']).to_owned())
}

fn is_hardware_reduced(fadt: &[u8]) -> bool {
    fadt.get(FADT_FLAGS..FADT_FLAGS + 4)
        .and_then(|bytes| bytes.try_into().ok())
        .is_some_and(|bytes| u32::from_le_bytes(bytes) & HARDWARE_REDUCED != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_cut_off_has_no_maker() {
        assert_eq!(text(b"FACP", 10, 6), None);
        assert_eq!(text(b"0123456789FIRECKFCVMFADT", 10, 6).as_deref(), Some("FIRECK"));
        assert!(!is_hardware_reduced(b"FACP"));
    }
}
