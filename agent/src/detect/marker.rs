//! Marker files and environment variables that runtimes leave.
//!
//! Anyone can leave them: an image that was made from a container keeps `/.dockerenv`. They convince only where
//! namespaces do not prove the contrary.

use super::claim::{ANY, Claim, container, hypervisor, orchestrator, vmm};
use super::finding::Findings;
use crate::machine::Machine;

/// Files that say by being there.
const FILES: &[(&str, Claim, f64)] = &[
    ("/.dockerenv", container("docker"), 0.8),
    ("/.dockerinit", container("docker"), 0.7),
    ("/run/.containerenv", container("podman"), 0.85),
    ("/.singularity.d", container("apptainer"), 0.8),
    ("/.apptainer.d", container("apptainer"), 0.85),
    ("/.flatpak-info", container("flatpak"), 0.98),
    ("/dev/lxd/sock", container("lxd"), 0.85),
    ("/dev/incus/sock", container("incus"), 0.85),
    ("/run/kata-containers/sandbox", container("kata"), 0.8),
    ("/WEIRD_AL_YANKOVIC", container("charliecloud"), 0.8),
    // LXD's and Incus's virtual machines have a channel to their host; the monitor is QEMU.
    ("/dev/virtio-ports/com.canonical.lxd", vmm("qemu"), 0.9),
    ("/dev/virtio-ports/org.linuxcontainers.lxd", vmm("qemu"), 0.9),
    ("/dev/mdesc", hypervisor("ldoms"), 0.85),
];

/// Environment variables that a runtime gives what it starts.
const VARIABLES: &[(&str, Claim, f64)] = &[
    ("KUBERNETES_SERVICE_HOST", orchestrator("kubernetes"), 0.9),
    ("NOMAD_ALLOC_ID", orchestrator("nomad"), 0.85),
    ("ECS_CONTAINER_METADATA_URI_V4", orchestrator("ecs"), 0.85),
    ("CH_RUNNING", container("charliecloud"), 0.9),
    ("APPTAINER_CONTAINER", container("apptainer"), 0.9),
    ("SINGULARITY_CONTAINER", container("apptainer"), 0.85),
    ("FLATPAK_ID", container("flatpak"), 0.8),
    ("SNAP_INSTANCE_NAME", container("snap"), 0.85),
];

/// The environment variables that count, by name.
pub(crate) fn variables() -> impl Iterator<Item = &'static str> {
    VARIABLES.iter().map(|(name, ..)| *name)
}

/// Files and environments that hold the runtime's own word for itself, `container=…`.
const WORDS: &[(&str, Claim, f64)] = &[
    ("docker", container("docker"), 0.85),
    ("podman", container("podman"), 0.9),
    ("crio", container("crio"), 0.9),
    ("cri-o", container("crio"), 0.9),
    ("lxc", container("lxc"), 0.9),
    ("lxc-libvirt", container("lxc_libvirt"), 0.9),
    ("lxd", container("lxd"), 0.9),
    ("incus", container("incus"), 0.9),
    ("systemd-nspawn", container("nspawn"), 0.9),
    ("flatpak", container("flatpak"), 0.9),
    ("bubblewrap", container("bubblewrap"), 0.9),
    ("kata", container("kata"), 0.9),
    ("rkt", container("rkt"), 0.9),
    ("pouch", container("pouch"), 0.9),
    ("firejail", container("firejail"), 0.9),
    ("edera", container("edera"), 0.9),
    ("oci", container(ANY), 0.8),
];

/// Looks for marker files and `container=` variables.
#[derive(Debug)]
pub(super) struct Markers;

impl super::Detector for Markers {
    fn name(&self) -> &'static str {
        "marker"
    }

    fn detect(&self, machine: &Machine, findings: &mut Findings) {
        let name = "the name of a container runtime";
        for (path, claim, weight) in FILES {
            if findings.exists(&machine.fs, path, name) {
                findings.support(*claim, *weight, path, "exists");
                above_lxc(*claim, path, "exists", findings);
            }
        }
        for path in ["/run/host/container-manager", "/run/systemd/container"] {
            if let Some(text) = findings.text(&machine.fs, path, name) {
                word(path, text.trim(), findings);
            }
        }
        for path in ["/proc/1/environ", "/proc/self/environ"] {
            let Some(text) = findings.text(&machine.fs, path, name) else { continue };
            for variable in text.split('\0') {
                match variable.split_once('=') {
                    Some(("container", value)) => word(path, value, findings),
                    Some((name, _)) => {
                        if let Some((_, claim, weight)) = VARIABLES.iter().find(|(known, ..)| *known == name)
                        {
                            findings.support(*claim, *weight, path, name);
                        }
                    }
                    None => {}
                }
            }
        }
        // A WSL distribution has namespaces of its own in WSL's virtual machine, which nothing else uses.
        if findings.exists(&machine.fs, "/run/WSL", "whether this is a WSL distribution") {
            findings.oppose(container(ANY), 0.98, "/run/WSL", "a WSL distribution, not a container");
        }
        if let Some(comm) = findings.text(&machine.fs, "/proc/1/comm", "the first process")
            && comm.trim_end() == "bwrap"
        {
            findings.support(container("bubblewrap"), 0.93, "/proc/1/comm", "bwrap");
        }
    }
}

/// LXD and Incus start their containers by LXC's library, which says everywhere that they are LXC's.
pub(super) fn above_lxc(claim: Claim, source: &str, value: &str, findings: &mut Findings) {
    if claim == container("lxd") || claim == container("incus") {
        findings.oppose(container("lxc"), 0.96, source, value);
    }
    if claim == container("incus") {
        // It was made of LXD, and still answers to the name.
        findings.oppose(container("lxd"), 0.96, source, value);
    }
}

/// A runtime's word for itself.
fn word(source: &str, word: &str, findings: &mut Findings) {
    let value = format!("container={word}");
    match WORDS.iter().find(|(known, ..)| *known == word) {
        Some((_, claim, weight)) => findings.support(*claim, *weight, source, &value),
        // WSL says so of itself, and is a virtual machine.
        None if word.is_empty() || word == "wsl" => {}
        None => findings.support(container(ANY), 0.7, source, &value),
    }
}
