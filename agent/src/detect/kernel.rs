//! What the kernel says of itself: version, release, command line.

use super::claim::{Claim, VIRTUAL, container, hypervisor, machine, sandbox, vmm};
use super::finding::Findings;
use crate::machine::Machine;

/// A text that stands in a file.
struct Row {
    file: &'static str,
    text: &'static str,
    claim: Claim,
    weight: f64,
}

const ROWS: &[Row] = &[
    // The build stamp that gVisor has shown unchanged since its first release.
    Row {
        file: "/proc/version",
        text: "#1 SMP Sun Jan 10 15:06:54 PST 2016",
        claim: sandbox("gvisor"),
        weight: 0.97,
    },
    Row { file: "/proc/cmdline", text: "-gvisor quiet", claim: sandbox("gvisor"), weight: 0.95 },
    // WSL 2 runs a kernel of Microsoft's own in a Hyper-V virtual machine.
    Row {
        file: "/proc/sys/kernel/osrelease",
        text: "microsoft-standard-WSL2",
        claim: vmm("wsl"),
        weight: 0.95,
    },
    Row {
        file: "/proc/sys/kernel/osrelease",
        text: "microsoft-standard-WSL2",
        claim: hypervisor("hyperv"),
        weight: 0.9,
    },
    Row {
        file: "/proc/cmdline",
        text: "systemd.unit=kata-containers.target",
        claim: container("kata"),
        weight: 0.99,
    },
    Row { file: "/proc/cmdline", text: "agent.debug_console", claim: container("kata"), weight: 0.7 },
    // WSL 1 has no kernel of Linux's at all: Windows answers its system calls.
    Row { file: "/proc/sys/kernel/osrelease", text: "-Microsoft", claim: sandbox("wsl"), weight: 0.95 },
    Row {
        file: "/proc/version",
        text: "-Microsoft (Microsoft@Microsoft.com)",
        claim: sandbox("wsl"),
        weight: 0.95,
    },
    // So does illumos for its Linux zones.
    Row { file: "/proc/version", text: "BrandZ virtual linux", claim: container("illumos_lx"), weight: 0.97 },
    Row { file: "/proc/cmdline", text: "init=/init.krun", claim: vmm("libkrun"), weight: 0.97 },
    // POWER's translator of x86 programs, and SPARC, where a hypervisor is part of the machine.
    Row { file: "/proc/cpuinfo", text: "PowerVM Lx86", claim: hypervisor("powervm_lx86"), weight: 0.97 },
    Row { file: "/proc/cpuinfo", text: "sun4v", claim: hypervisor("ldoms"), weight: 0.9 },
    // LinuxKit is made for virtual machines, Docker Desktop's above all.
    Row { file: "/proc/sys/kernel/osrelease", text: "-linuxkit", claim: machine(VIRTUAL), weight: 0.95 },
    Row { file: "/proc/cpuinfo", text: "User Mode Linux", claim: hypervisor("uml"), weight: 0.99 },
];

/// Words of the command line that Firecracker gives a kernel by default, beside `reboot=k panic=1`.
const FIRECRACKER_WORDS: &[&str] = &["nomodule", "8250.nr_uarts=0", "i8042.noaux", "swiotlb=noforce"];

/// Reads the kernel's descriptions of itself.
#[derive(Debug)]
pub(super) struct KernelStrings;

impl super::Detector for KernelStrings {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn detect(&self, machine: &Machine, findings: &mut Findings) {
        for row in ROWS {
            if let Some(text) = findings.text(&machine.fs, row.file, "which kernel this is")
                && let Some(line) = text.lines().find(|line| line.contains(row.text))
            {
                findings.support(row.claim, row.weight, row.file, line);
            }
        }
        if let Some(cmdline) = findings.text(&machine.fs, "/proc/cmdline", "how the kernel was started") {
            firecracker(&cmdline, findings);
            user_mode_linux(&cmdline, findings);
        }
        if let Some(cpuinfo) =
            findings.text(&machine.fs, "/proc/cpuinfo", "whether the kernel sees a hypervisor")
        {
            hypervisor_flag(&cpuinfo, findings);
        }
    }
}

/// Block devices of User Mode Linux have a name of their own.
fn user_mode_linux(cmdline: &str, findings: &mut Findings) {
    if let Some(word) = cmdline.split_ascii_whitespace().find(|word| word.starts_with("ubd")) {
        findings.support(hypervisor("uml"), 0.985, "/proc/cmdline", word);
    }
}

fn firecracker(cmdline: &str, findings: &mut Findings) {
    let has = |word: &str| cmdline.split_ascii_whitespace().any(|part| part == word);
    let words: Vec<&str> = FIRECRACKER_WORDS.iter().copied().filter(|word| has(word)).collect();
    if has("reboot=k") && has("panic=1") && words.len() >= 2 {
        let value = format!("reboot=k panic=1 {}", words.join(" "));
        findings.support(vmm("firecracker"), 0.7, "/proc/cmdline", &value);
    }
}

/// The kernel's own reading of CPUID's hypervisor bit, which reaches where CPUID cannot be executed.
fn hypervisor_flag(cpuinfo: &str, findings: &mut Findings) {
    // User Mode Linux shows the flags of the processor below, which say nothing about it.
    if cpuinfo.contains("User Mode Linux") {
        return;
    }
    let Some(flags) = cpuinfo.lines().find(|line| line.starts_with("flags")) else { return };
    let source = "/proc/cpuinfo";
    if flags.split_ascii_whitespace().any(|flag| flag == "hypervisor") {
        findings.support(machine(VIRTUAL), 0.95, source, "flag `hypervisor`");
    } else {
        findings.oppose(machine(VIRTUAL), 0.9, source, "no flag `hypervisor`");
    }
}
