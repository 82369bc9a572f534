//! The processor as the kernel describes it: the hypervisor bit where CPUID cannot be executed, names that only
//! emulators give, and on architectures without DMI the machine itself.
//!
//! `/proc/cpuinfo` has lines `key : value`; which keys there are depends on the architecture.

use super::claim::{Claim, VIRTUAL, hypervisor, machine, vmm};
use super::finding::Findings;
use crate::machine::Machine;

const FILE: &str = "/proc/cpuinfo";

/// Key, what its value contains, what that is evidence of. Each row is tried on each architecture: no key means two
/// things.
const ROWS: &[(&str, &str, Claim, f64)] = &[
    // QEMU's own models: ohai. Other monitors of KVM let the processor's name through. They outweigh a clear
    // hypervisor bit, which QEMU did not set once and may be told to hide: no maker sells such a processor.
    ("model name", "QEMU Virtual CPU", vmm("qemu"), 0.985),
    ("model name", "Common KVM processor", vmm("qemu"), 0.985),
    ("model name", "Common 32-bit KVM processor", vmm("qemu"), 0.985),
    ("vendor_id", "User Mode Linux", hypervisor("uml"), 0.99),
    ("model name", "UML", hypervisor("uml"), 0.97),
    // POWER's translator of x86 programs executes CPUID as it likes.
    ("model name", "PowerVM Lx86", hypervisor("powervm_lx86"), 0.985),
    ("vendor_id", "PowerVM Lx86", hypervisor("powervm_lx86"), 0.985),
    // SPARC, where a hypervisor is part of the machine.
    ("type", "sun4v", hypervisor("ldoms"), 0.9),
    // POWER: what firmware calls the machine.
    ("machine", "emulated by qemu", vmm("qemu"), 0.97),
    // 32-bit Arm under KVM, and the emulator of Android's developers.
    ("Hardware", "Dummy Virtual Machine", machine(VIRTUAL), 0.95),
    ("Hardware", "ranchu", vmm("qemu"), 0.95),
    ("Hardware", "Goldfish", vmm("qemu"), 0.95),
];

/// The same, of machines without a hypervisor below. Speaks against a virtual one.
const HARDWARE: &[(&str, &str, f64)] = &[
    // POWER: the firmware of hosts, and the kernel's name for machines with it.
    ("firmware", "OPAL", 0.9),
    ("platform", "PowerNV", 0.9),
    // Arm on 64 bits, where the kernel of this board names it.
    ("Model", "Raspberry Pi", 0.9),
];

/// Values of `Hardware` on Arm that any machine with a device tree may have, or that QEMU emulates.
const ANY_HARDWARE: &[&str] = &["Generic", "ARM-Versatile", "ARM-RealView", "ARM-Integrator"];

/// Reads the file.
#[derive(Debug)]
pub(super) struct Processor;

impl super::Detector for Processor {
    fn name(&self) -> &'static str {
        "processor"
    }

    fn detect(&self, machine_: &Machine, findings: &mut Findings) {
        let Some(text) = findings.text(&machine_.fs, FILE, "whether the kernel sees a hypervisor") else {
            return;
        };
        // All processors are alike: the first line of each key is enough, and hundreds of processors cost nothing.
        let value = |key: &str| lines(&text).find(|(k, _)| *k == key).map(|(_, value)| value);
        for (key, part, claim, weight) in ROWS {
            if let Some(found) = value(key).filter(|value| value.contains(part)) {
                findings.support(*claim, *weight, FILE, &format!("{key}: {found}"));
            }
        }
        for (key, part, weight) in HARDWARE {
            if let Some(found) = value(key).filter(|value| value.contains(part)) {
                findings.oppose(machine(VIRTUAL), *weight, FILE, &format!("{key}: {found}"));
            }
        }
        hypervisor_flag(&text, findings);
        // A partition of a POWER server: the firmware is that of the server, the platform that of a guest.
        if value("platform") == Some("pSeries")
            && let Some(name) = value("machine").filter(|name| name.starts_with("CHRP IBM,"))
        {
            findings.support(hypervisor("powervm"), 0.9, FILE, name);
        }
        if let Some(name) = value("Hardware").filter(|name| is_board(name)) {
            findings.oppose(machine(VIRTUAL), 0.8, FILE, &format!("Hardware: {name}"));
        }
        // IBM Z: z/VM and KVM give their processors this version.
        let first = lines(&text).find(|(key, _)| key.starts_with("processor 0"));
        if let Some((_, value)) = first.filter(|(_, value)| value.starts_with("version = FF")) {
            findings.support(machine(VIRTUAL), 0.9, FILE, value);
        }
    }
}

/// Keys and values.
fn lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.split_once(':')).map(|(key, value)| (key.trim_end(), value.trim()))
}

fn is_board(name: &str) -> bool {
    let is_row = ROWS.iter().any(|(key, part, ..)| *key == "Hardware" && name.contains(part));
    !name.is_empty() && !is_row && !ANY_HARDWARE.iter().any(|start| name.starts_with(start))
}

/// The kernel's own reading of CPUID's hypervisor bit, which reaches where CPUID cannot be executed.
fn hypervisor_flag(cpuinfo: &str, findings: &mut Findings) {
    // User Mode Linux shows the flags of the processor below, which say nothing about it.
    if cpuinfo.contains("User Mode Linux") {
        return;
    }
    match has_hypervisor_flag(cpuinfo) {
        Some(true) => findings.support(machine(VIRTUAL), 0.95, FILE, "flag `hypervisor`"),
        Some(false) => findings.oppose(machine(VIRTUAL), 0.9, FILE, "no flag `hypervisor`"),
        None => {}
    }
}

/// Whether the kernel saw the hypervisor bit; `None` where the text has no flags.
pub(super) fn has_hypervisor_flag(cpuinfo: &str) -> Option<bool> {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"))?;
    Some(flags.split_ascii_whitespace().any(|flag| flag == "hypervisor"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_what_is_neither_generic_nor_emulated() {
        assert!(is_board("BCM2835"));
        assert!(!is_board("Generic DT based system"));
        assert!(!is_board("Dummy Virtual Machine"));
        assert!(!is_board(""));
    }

    #[test]
    fn the_flag_is_a_word_of_the_line() {
        assert_eq!(has_hypervisor_flag("flags\t\t: fpu hypervisor vme\n"), Some(true));
        assert_eq!(has_hypervisor_flag("flags\t\t: fpu hypervisors\n"), Some(false));
        assert_eq!(has_hypervisor_flag("Features\t: fp\n"), None);
    }
}
