//! Detection: which tier is this, and why.
//!
//! Detectors turn kernel files and CPUID into evidence (`finding`); `verdict` turns evidence into a tier,
//! purely. The order of the table is the order in which evidence is shown.

mod acpi;
mod below;
mod cgroup;
mod claim;
mod cloud;
mod confidential;
mod cpuid;
mod device_tree;
mod dmi;
mod finding;
mod hardware;
mod identity;
mod kernel;
mod kubernetes;
mod marker;
mod mount;
mod namespace;
mod nesting;
mod partition;
mod pci;
mod processor;
mod roles;
mod silence;
pub mod text;
mod verdict;
mod xen;
mod zone;

use tierprobe_model::{Detection, SCHEMA};

use crate::isolation;
use crate::machine::Machine;
use finding::Findings;

pub(crate) use marker::variables;
pub(crate) use mount::is_of_an_image;

/// A reader of one kind of evidence.
trait Detector: Sync {
    /// What it is called in the evidence it gives.
    fn name(&self) -> &'static str;

    /// Reads what it knows of and reports what it finds. Never fails: what cannot be read is reported too.
    fn detect(&self, machine: &Machine, findings: &mut Findings);
}

/// All detectors.
const DETECTORS: &[&dyn Detector] = &[
    &namespace::Namespaces,
    &cgroup::Cgroups,
    &marker::Markers,
    &mount::Mounts,
    &kubernetes::Kubernetes,
    &kernel::KernelStrings,
    &processor::Processor,
    &cpuid::CpuidLeaves,
    &dmi::Dmi,
    &acpi::Acpi,
    &device_tree::DeviceTree,
    &partition::Partitions,
    &zone::Zones,
    &pci::Pci,
    &xen::Xen,
    &cloud::Clouds,
    &confidential::Confidential,
    &roles::Roles,
    &silence::Silence,
];

/// Names of all detectors, in the order of their evidence.
pub fn names() -> impl Iterator<Item = &'static str> {
    DETECTORS.iter().map(|detector| detector.name())
}

/// Finds out where this machine is.
#[must_use]
pub fn detect(machine: &Machine) -> Detection {
    let mut findings = Findings::default();
    for detector in DETECTORS {
        findings.speaker(detector.name());
        detector.detect(machine, &mut findings);
    }
    let mut verdict = verdict::decide(&findings.evidence);
    let cgroup = findings.text(&machine.fs, "/proc/self/cgroup", "the container's id");
    let mounts = findings.text(&machine.fs, "/proc/self/mountinfo", "the container's id");
    identity::name(&mut verdict.stack, cgroup.as_deref(), mounts.as_deref());
    nesting::add_outer(&mut verdict.stack, cgroup.as_deref());
    let isolation = isolation::read(&machine.fs, verdict.kernel);
    let roles = verdict::roles(&findings.evidence);
    let evidence = findings.evidence.into_iter().map(finding::Finding::into_evidence).collect();
    Detection {
        schema: SCHEMA,
        tier: verdict.tier,
        confidence: verdict.confidence,
        kernel: verdict.kernel,
        stack: verdict.stack,
        evidence,
        unreadable: findings.unreadable,
        isolation,
        roles,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_tree_is_unknown_and_says_nothing() {
        let tree = tempfile::tempdir().unwrap();
        let detection = detect(&Machine::fixture(tree.path(), None, None).unwrap());
        assert_eq!(detection.tier, tierprobe_model::Tier::Unknown);
        assert_eq!(detection.evidence, []);
        assert_eq!(detection.stack, []);
    }
}
