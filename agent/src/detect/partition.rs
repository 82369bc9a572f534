//! Partitions of IBM's machines: POWER (`/proc/ppc64/lparcfg`) and Z (`/proc/sysinfo`).

use super::claim::{VIRTUAL, hypervisor, machine, vmm};
use super::finding::Findings;
use crate::machine::Machine;

/// Reads both files.
#[derive(Debug)]
pub(super) struct Partitions;

impl super::Detector for Partitions {
    fn name(&self) -> &'static str {
        "partition"
    }

    fn detect(&self, machine_: &Machine, findings: &mut Findings) {
        let path = "/proc/ppc64/lparcfg";
        if let Some(text) = findings.text(&machine_.fs, path, "whether this is a partition of a server") {
            let mode = text.lines().find_map(|line| line.strip_prefix("shared_processor_mode="));
            let is_qemu = text.contains("KVM") || text.contains("qemu");
            if let Some(mode) = mode.filter(|_| !is_qemu) {
                let kind = if mode.trim() == "1" { "shared" } else { "dedicated" };
                findings.support(hypervisor("powervm"), 0.9, path, &format!("{kind} processors"));
            }
        }
        let path = "/proc/sysinfo";
        if let Some(text) = findings.text(&machine_.fs, path, "how many hypervisors lie below") {
            system_z(path, &text, findings);
        }
    }
}

/// Every level describes itself: the machine, its partitions (LPAR), the virtual machines in them (VM00). The one
/// that the process runs under is the last.
fn system_z(path: &str, sysinfo: &str, findings: &mut Findings) {
    let line = |start: &str| sysinfo.lines().find(|line| line.starts_with(start));
    if let Some(program) = line("VM00 Control Program:") {
        if program.contains("KVM") {
            findings.support(hypervisor("kvm"), 0.98, path, program);
            // Nothing else runs guests there.
            findings.support(vmm("qemu"), 0.85, path, program);
        } else if program.contains("z/VM") {
            findings.support(hypervisor("zvm"), 0.98, path, program);
        } else {
            findings.support(machine(VIRTUAL), 0.9, path, program);
        }
    } else if let Some(partition) = line("LPAR Number:").or_else(|| line("LPAR Name:")) {
        findings.support(hypervisor("lpar"), 0.95, path, partition);
    } else if let Some(maker) = line("Manufacturer:") {
        findings.oppose(machine(VIRTUAL), 0.85, path, &format!("{maker}, and no partition"));
    }
}
