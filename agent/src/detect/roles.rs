//! Roles: what this place is or can do beside being a tier. A host of virtual machines is bare metal all the same.

use super::below;
use super::claim::{Claim, VIRTUAL, machine, role};
use super::finding::Findings;
use crate::cpuid::HypervPartition;
use crate::machine::Machine;

/// A path that says by being there.
struct Row {
    path: &'static str,
    claim: Claim,
    weight: f64,
    would_tell: &'static str,
}

const fn row(path: &'static str, name: &'static str, weight: f64, would_tell: &'static str) -> Row {
    Row { path, claim: role(name), weight, would_tell }
}

const VMS: &str = "whether virtual machines can be started here";
const DOCKER: &str = "whether Docker can be told to start containers";
const CONTAINERD: &str = "whether containerd can be told to start containers";
const PODMAN: &str = "whether Podman can be told to start containers";
const CRIO: &str = "whether CRI-O can be told to start containers";
const OPENVZ: &str = "whether this is a host of OpenVZ containers";

const LDOMS: &str = "which of the domains of a SPARC server this is";

/// Microsoft's driver for hosts.
const MSHV: &str = "/dev/mshv";

const ROWS: &[Row] = &[
    row("/dev/kvm", "can_host_vms", 0.9, VMS),
    // VirtualBox's driver for hosts.
    row("/dev/vboxdrv", "can_host_vms", 0.9, VMS),
    row(MSHV, "can_host_vms", 0.9, VMS),
    // Who reaches one of these is root on the host that listens there.
    row("/run/docker.sock", "docker_socket", 0.9, DOCKER),
    row("/var/run/docker.sock", "docker_socket", 0.9, DOCKER),
    row("/run/containerd/containerd.sock", "containerd_socket", 0.9, CONTAINERD),
    row("/run/podman/podman.sock", "podman_socket", 0.9, PODMAN),
    row("/run/crio/crio.sock", "crio_socket", 0.9, CRIO),
    // The host has beancounters for itself; containers have `/proc/vz` alone.
    row("/proc/bc/0", "openvz_host", 0.95, OPENVZ),
    // Logical Domains: the service that only the control domain has.
    row("/dev/vlds/sp", "ldoms_control", 0.9, LDOMS),
    row("/sys/class/vlds/sp", "ldoms_control", 0.9, LDOMS),
];

/// Looks for the paths.
#[derive(Debug)]
pub(super) struct Roles;

impl super::Detector for Roles {
    fn name(&self) -> &'static str {
        "role"
    }

    fn detect(&self, machine_: &Machine, findings: &mut Findings) {
        for row in ROWS {
            if findings.exists(&machine_.fs, row.path, row.would_tell) {
                findings.support(row.claim, row.weight, row.path, "exists");
                // The root partition has it, under a hypervisor that owns nothing; few virtual machines have.
                if row.path == MSHV && !below::is_virtual(findings) {
                    findings.oppose(machine(VIRTUAL), 0.95, row.path, "Hyper-V's root partition has it");
                }
            }
        }
        // The partition that manages the others sees the hypervisor bit and the signature too.
        if machine_.cpuid.as_ref().and_then(|cpuid| cpuid.hyperv_partition) == Some(HypervPartition::Root) {
            below::note("hyperv", "hyperv_root", "CPUID 0x40000003", "Hyper-V's root partition", findings);
        }
        proot(machine_, findings);
        logical_domain(machine_, findings);
    }
}

/// Which hardware a domain of a SPARC server owns, by the nodes of its description: a whole PCI Express tree, or a
/// function of somebody else's. The names of all nodes and their properties stand in it once, as text.
fn logical_domain(machine: &Machine, findings: &mut Findings) {
    let path = "/dev/mdesc";
    if !matches!(machine.fs.exists(path), Ok(true)) {
        return;
    }
    let description = findings.bytes(&machine.fs, path, LDOMS).unwrap_or_default();
    let has = |word: &[u8]| description.windows(word.len()).any(|window| window == word);
    let is_root = has(b"iodevice\0") && has(b"pciex\0");
    if is_root {
        findings.support(role("ldoms_root"), 0.85, path, "node iodevice of type pciex");
    }
    if is_root || has(b"iov-device\0") {
        findings.support(role("ldoms_io"), 0.85, path, "nodes of input and output devices");
    }
}

/// proot shows its children another root by tracing them. That is no container: namespaces and privileges stay what
/// they are, and only each system call gets dearer.
fn proot(machine: &Machine, findings: &mut Findings) {
    let status = findings.text(&machine.fs, "/proc/self/status", "whether another process traces this one");
    let tracer = status.and_then(|text| {
        let (_, value) =
            text.lines().filter_map(|line| line.split_once(':')).find(|(k, _)| *k == "TracerPid")?;
        value.trim().parse::<u32>().ok().filter(|pid| *pid != 0)
    });
    let Some(tracer) = tracer else { return };
    let path = format!("/proc/{tracer}/comm");
    let comm = findings.text(&machine.fs, &path, "which process traces this one");
    if comm.is_some_and(|comm| comm.trim_end().starts_with("proot")) {
        findings.support(role("traced_by_proot"), 0.95, &path, "proot traces this process");
    }
}
