//! What evidence can be about.

use std::fmt;

use tierprobe_model::LayerKind;

/// What a claim says something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Subject {
    /// Which layer of this kind there is.
    Layer(LayerKind),
    /// What kind of machine it is: [`VIRTUAL`] or [`MINIMAL`].
    Machine,
    /// Of a virtual machine: what keeps its memory from its host. Changes no tier.
    Confidential,
    /// What this place is or can do beside being a tier.
    Role,
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
        let subject = match self.subject {
            Subject::Layer(kind) => kind.as_str(),
            Subject::Machine => "machine",
            Subject::Confidential => "confidential",
            Subject::Role => "role",
        };
        write!(f, "{subject}={}", self.name)
    }
}

/// A claim about a container runtime.
pub(super) const fn container(name: &'static str) -> Claim {
    Claim { subject: Subject::Layer(LayerKind::Container), name }
}

/// A claim about an orchestrator.
pub(super) const fn orchestrator(name: &'static str) -> Claim {
    Claim { subject: Subject::Layer(LayerKind::Orchestrator), name }
}

/// A claim about a sandbox.
pub(super) const fn sandbox(name: &'static str) -> Claim {
    Claim { subject: Subject::Layer(LayerKind::Sandbox), name }
}

/// A claim about a virtual machine monitor.
pub(super) const fn vmm(name: &'static str) -> Claim {
    Claim { subject: Subject::Layer(LayerKind::Vmm), name }
}

/// A claim about a hypervisor.
pub(super) const fn hypervisor(name: &'static str) -> Claim {
    Claim { subject: Subject::Layer(LayerKind::Hypervisor), name }
}

/// A claim about a cloud.
pub(super) const fn cloud(name: &'static str) -> Claim {
    Claim { subject: Subject::Layer(LayerKind::Cloud), name }
}

/// A claim about what keeps the machine's memory from its host.
pub(super) const fn confidential(name: &'static str) -> Claim {
    Claim { subject: Subject::Confidential, name }
}

/// A claim about what this place can do.
pub(super) const fn role(name: &'static str) -> Claim {
    Claim { subject: Subject::Role, name }
}

/// A claim about the kind of machine.
pub(super) const fn machine(name: &'static str) -> Claim {
    Claim { subject: Subject::Machine, name }
}
