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

const RELEASE: &str = "/proc/sys/kernel/osrelease";
const VERSION: &str = "/proc/version";

const ROWS: &[Row] = &[
    // The build stamp that gVisor has shown unchanged since its first release.
    Row {
        file: VERSION,
        text: "#1 SMP Sun Jan 10 15:06:54 PST 2016",
        claim: sandbox("gvisor"),
        weight: 0.97,
    },
    Row { file: "/proc/cmdline", text: "-gvisor quiet", claim: sandbox("gvisor"), weight: 0.95 },
    // The release of newer builds; older ones call themselves 4.4.0.
    Row { file: RELEASE, text: "-gvisor", claim: sandbox("gvisor"), weight: 0.95 },
    Row { file: VERSION, text: "-gvisor ", claim: sandbox("gvisor"), weight: 0.95 },
    // WSL 2 runs a kernel of Microsoft's own in a Hyper-V virtual machine.
    // Until 4.19 without `-WSL2`; kernels that users build keep that.
    Row { file: RELEASE, text: "microsoft-standard", claim: vmm("wsl"), weight: 0.95 },
    Row { file: RELEASE, text: "microsoft-standard", claim: hypervisor("hyperv"), weight: 0.9 },
    Row { file: RELEASE, text: "-WSL2", claim: vmm("wsl"), weight: 0.95 },
    Row { file: RELEASE, text: "-WSL2", claim: hypervisor("hyperv"), weight: 0.9 },
    Row { file: VERSION, text: "microsoft-standard", claim: vmm("wsl"), weight: 0.9 },
    Row { file: VERSION, text: "microsoft-standard", claim: hypervisor("hyperv"), weight: 0.85 },
    Row {
        file: "/proc/cmdline",
        text: "systemd.unit=kata-containers.target",
        claim: container("kata"),
        weight: 0.99,
    },
    Row { file: "/proc/cmdline", text: "agent.debug_console", claim: container("kata"), weight: 0.7 },
    // The level of its agent's log, of which no other kernel is told.
    Row { file: "/proc/cmdline", text: " agent.log=", claim: container("kata"), weight: 0.99 },
    // WSL 1 has no kernel of Linux's at all: Windows answers its system calls.
    Row { file: RELEASE, text: "-Microsoft", claim: sandbox("wsl"), weight: 0.95 },
    Row { file: VERSION, text: "-Microsoft (Microsoft@Microsoft.com)", claim: sandbox("wsl"), weight: 0.95 },
    // So does illumos for its Linux zones.
    Row { file: VERSION, text: "BrandZ virtual linux", claim: container("illumos_lx"), weight: 0.97 },
    Row { file: "/proc/cmdline", text: "init=/init.krun", claim: vmm("libkrun"), weight: 0.97 },
    // How monitors without ACPI tell of their devices: the size of a window is each one's own.
    Row { file: "/proc/cmdline", text: "virtio_mmio.device=4K@", claim: vmm("firecracker"), weight: 0.85 },
    Row { file: "/proc/cmdline", text: "virtio_mmio.device=512@", claim: vmm("qemu_microvm"), weight: 0.9 },
    // LinuxKit is made for virtual machines, Docker Desktop's above all.
    Row { file: RELEASE, text: "-linuxkit", claim: machine(VIRTUAL), weight: 0.95 },
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
