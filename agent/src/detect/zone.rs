//! Containers from before Linux had namespaces, in kernels of their own: OpenVZ and Linux-VServer.

use super::claim::{ANY, container, role};
use super::finding::Findings;
use crate::machine::Machine;

/// Looks for what these kernels show.
#[derive(Debug)]
pub(super) struct Zones;

impl super::Detector for Zones {
    fn name(&self) -> &'static str {
        "zone"
    }

    fn detect(&self, machine: &Machine, findings: &mut Findings) {
        openvz(machine, findings);
        vserver(machine, findings);
    }
}

/// Host and containers have `/proc/vz`; the beancounters of all are in the host's `/proc/bc`.
fn openvz(machine: &Machine, findings: &mut Findings) {
    if !findings.exists(&machine.fs, "/proc/vz", "whether this is OpenVZ") {
        return;
    }
    let host = findings.exists(&machine.fs, "/proc/bc", "whether this is the host of OpenVZ containers");
    if host {
        findings.support(role("openvz_host"), 0.95, "/proc/bc", "OpenVZ's host");
        findings.oppose(container("openvz"), 0.97, "/proc/bc", "OpenVZ's host");
        findings.oppose(container(ANY), 0.6, "/proc/bc", "OpenVZ's host");
    } else {
        // A container does not see the kernel's threads: who does and lacks `/proc/bc` may be the host all the same.
        let threads = findings
            .text(&machine.fs, "/proc/2/comm", "whether kernel threads are seen")
            .is_some_and(|comm| comm.trim_end() == "kthreadd");
        let weight = if threads { 0.3 } else { 0.97 };
        findings.support(container("openvz"), weight, "/proc/vz", "OpenVZ, and no /proc/bc");
    }
}

/// The kernel shows each process its context; the host is context 0.
fn vserver(machine: &Machine, findings: &mut Findings) {
    let path = "/proc/self/status";
    let Some(status) = findings.text(&machine.fs, path, "whether this is Linux-VServer") else { return };
    let context = status.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        matches!(key, "VxID" | "s_context").then(|| value.trim())
    });
    match context.map(str::parse::<u32>) {
        Some(Ok(0)) => findings.support(role("vserver_host"), 0.9, path, "VxID: 0"),
        Some(Ok(id)) => findings.support(container("vserver"), 0.97, path, &format!("VxID: {id}")),
        _ => {}
    }
}
