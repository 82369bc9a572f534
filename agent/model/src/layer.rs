//! The stack between a process and the hardware.

use serde::{Deserialize, Serialize};

use crate::label_values;

/// What a layer of the stack is, from the process outwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LayerKind {
    /// A container runtime: namespaces and cgroups on a shared kernel.
    Container,
    /// What placed the container: Kubernetes, Nomad.
    Orchestrator,
    /// A kernel emulated in user space.
    Sandbox,
    /// A virtual machine monitor: the user-space half of a virtual machine.
    Vmm,
    /// The hypervisor: what executes guest code.
    Hypervisor,
    /// Whose machine it is.
    Cloud,
}

label_values!(LayerKind {
    Container = "container",
    Orchestrator = "orchestrator",
    Sandbox = "sandbox",
    Vmm = "vmm",
    Hypervisor = "hypervisor",
    Cloud = "cloud",
});

/// One layer that the evidence names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// What it is.
    #[serde(rename = "layer")]
    pub kind: LayerKind,
    /// Which one, in lower snake case: `docker`, `qemu`, `kvm`. `unnamed` where the layer is certain and its
    /// name is not.
    pub name: String,
    /// How sure the name is, 0 to 1.
    pub confidence: f64,
    /// Which one of its kind: of a container the runtime's id, of Kubernetes the pod's uid. Absent where nothing
    /// shows it for certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where `id` was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_source: Option<String>,
}

/// The name of a layer that is there but does not say what it is.
pub const UNNAMED: &str = "unnamed";

/// Whose kernel answers the process's system calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// The first namespaces of this kernel are ours.
    Own,
    /// Ours is a container among others on this kernel.
    Shared,
    /// A user-space program answers (gVisor).
    Emulated,
    /// The evidence does not decide.
    Unknown,
}

label_values!(Kernel { Own = "own", Shared = "shared", Emulated = "emulated", Unknown = "unknown" });
