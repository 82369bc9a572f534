//! Tiers: the closed set of places that costs are compared between.

use crate::label_values;

/// Where a workload runs, as far as cost and isolation go.
///
/// Derived from the stack of layers, never guessed: where the evidence does not decide it is
/// [`Tier::Unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// A kernel of its own on hardware.
    BareMetal,
    /// A kernel of its own under a hypervisor.
    Vm,
    /// A kernel of its own under a minimal virtual machine monitor, such as Firecracker.
    MicroVm,
    /// Shares the kernel of a bare-metal host.
    Container,
    /// Shares the kernel of a virtual machine.
    ContainerInVm,
    /// Shares the kernel of a microVM.
    ContainerInMicroVm,
    /// A kernel emulated in user space (gVisor), whatever lies below.
    Sandbox,
    /// The evidence does not decide.
    Unknown,
}

label_values!(Tier {
    BareMetal = "bare_metal",
    Vm = "vm",
    MicroVm = "microvm",
    Container = "container",
    ContainerInVm = "container_in_vm",
    ContainerInMicroVm = "container_in_microvm",
    Sandbox = "sandbox",
    Unknown = "unknown",
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_reads_back_from_its_label_value() {
        for tier in Tier::ALL {
            assert_eq!(tier.as_str().parse(), Ok(*tier));
        }
        assert_eq!(
            "metal".parse::<Tier>().map_err(|e| e.to_string()),
            Err("\"metal\" is no Tier".to_owned())
        );
    }
}
