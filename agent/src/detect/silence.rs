//! Silence: nothing tells of a container, nor against one.
//!
//! A tree of files that somebody picked from a machine often has its processor and its firmware and nothing of
//! `/proc/self`. Containers are seldom what such trees are picked from, and they show themselves in more than one
//! place; but this is the weakest of all evidence, and no verdict that rests on it is sure of itself.

use tierprobe_model::LayerKind;

use super::claim::{ANY, Subject, container};
use super::finding::{Finding, Findings};
use crate::machine::Machine;

/// Just enough for a verdict.
const WEIGHT: f64 = 0.55;

/// Structures of SMBIOS one by one: for root alone, and hidden in what container runtimes start by default.
const STRUCTURES: &str = "/sys/firmware/dmi/entries/0-0/raw";

/// Looks at what the others found: its row is the last.
#[derive(Debug)]
pub(super) struct Silence;

impl super::Detector for Silence {
    fn name(&self) -> &'static str {
        "silence"
    }

    fn detect(&self, machine: &Machine, findings: &mut Findings) {
        let of_container = |finding: &Finding| {
            use LayerKind::{Container, Orchestrator, Sandbox};
            matches!(finding.claim.subject, Subject::Layer(Container | Orchestrator | Sandbox))
        };
        // What was refused might have told.
        let refused = findings.unreadable.iter().any(|gap| gap.source.starts_with("/proc/self"));
        if refused || findings.evidence.iter().any(of_container) {
            return;
        }
        let would_tell = "whether the kernel sees a hypervisor";
        let source = if findings.text(&machine.fs, "/proc/cpuinfo", would_tell).is_some()
            || findings.evidence.iter().any(|finding| finding.source.starts_with("/proc/"))
        {
            "/proc"
        } else if findings.exists(&machine.fs, STRUCTURES, "whether the firmware calls itself virtual") {
            STRUCTURES
        } else {
            return;
        };
        findings.oppose(container(ANY), WEIGHT, source, "there, and nothing in it tells of a container");
    }
}
