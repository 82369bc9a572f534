//! What evidence can be about.

use std::fmt;

/// What a claim says something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Subject {
    /// Whether, and under which runtime, the process is in a container.
    Container,
    /// What placed the container.
    Orchestrator,
    /// Which user-space kernel answers.
    Sandbox,
    /// Which virtual machine monitor the machine has.
    Vmm,
    /// Which hypervisor executes it.
    Hypervisor,
    /// Whose machine it is.
    Cloud,
    /// What kind of machine it is: [`VIRTUAL`] or [`MINIMAL`].
    Machine,
}

impl Subject {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Orchestrator => "orchestrator",
            Self::Sandbox => "sandbox",
            Self::Vmm => "vmm",
            Self::Hypervisor => "hypervisor",
            Self::Cloud => "cloud",
            Self::Machine => "machine",
        }
    }
}

/// Of a container: some container, whichever.
pub(super) const ANY: &str = "any";
/// Of the machine: it is a virtual one. Evidence against it speaks for hardware.
pub(super) const VIRTUAL: &str = "virtual";
/// Of the machine: it lacks what every PC and every full VMM has.
pub(super) const MINIMAL: &str = "minimal";

/// Virtual machine monitors that leave out what a guest can do without: the tier of their guests is `microvm`.
const MINIMAL_VMMS: &[&str] =
    &["firecracker", "cloud_hypervisor", "qemu_microvm", "crosvm", "kvmtool", "libkrun"];

/// Whether guests of this virtual machine monitor are microVMs.
pub(super) fn is_minimal_vmm(name: &str) -> bool {
    MINIMAL_VMMS.contains(&name)
}

/// Something that may be true of the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Claim {
    /// What about.
    pub subject: Subject,
    /// Which value of it.
    pub name: &'static str,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.subject.as_str(), self.name)
    }
}

/// A claim about a container runtime.
pub(super) const fn container(name: &'static str) -> Claim {
    Claim { subject: Subject::Container, name }
}

/// A claim about an orchestrator.
pub(super) const fn orchestrator(name: &'static str) -> Claim {
    Claim { subject: Subject::Orchestrator, name }
}

/// A claim about a sandbox.
pub(super) const fn sandbox(name: &'static str) -> Claim {
    Claim { subject: Subject::Sandbox, name }
}

/// A claim about a virtual machine monitor.
pub(super) const fn vmm(name: &'static str) -> Claim {
    Claim { subject: Subject::Vmm, name }
}

/// A claim about a hypervisor.
pub(super) const fn hypervisor(name: &'static str) -> Claim {
    Claim { subject: Subject::Hypervisor, name }
}

/// A claim about a cloud.
pub(super) const fn cloud(name: &'static str) -> Claim {
    Claim { subject: Subject::Cloud, name }
}

/// A claim about the kind of machine.
pub(super) const fn machine(name: &'static str) -> Claim {
    Claim { subject: Subject::Machine, name }
}
