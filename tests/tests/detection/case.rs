//! A case: a place that the agent was started in, what it must say there, and what was said.

use tierprobe_model::{Detection, Kernel, LayerKind, Tier};
use tierprobe_tests::contained;

use super::kit::Said;

/// What the stack must say of a kind of layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Want {
    /// That there is none.
    Absent,
    /// That there is one, whatever its name.
    Any,
    /// This one.
    Named(String),
    /// This one, or none where the place hides it.
    NamedOrHidden(String),
}

impl Want {
    fn of(detection: &Detection, kind: LayerKind) -> Self {
        detection.layer(kind).map_or(Self::Absent, |name| Self::Named(name.to_owned()))
    }

    fn holds(&self, found: Option<&str>) -> bool {
        match self {
            Self::Absent => found.is_none(),
            Self::Any => found.is_some(),
            Self::Named(name) => found == Some(name),
            Self::NamedOrHidden(name) => found.is_none_or(|found| found == name),
        }
    }
}

/// The truth, as far as the agent can know it there.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) tier: Tier,
    pub(crate) kernel: Kernel,
    pub(crate) layers: Vec<(LayerKind, Want)>,
}

/// Layers below the kernel: a container has those of its host.
const BELOW: [LayerKind; 3] = [LayerKind::Vmm, LayerKind::Hypervisor, LayerKind::Cloud];

impl Expected {
    /// A process of this machine: what holds for the machine.
    pub(crate) fn process(host: &Detection) -> Self {
        let kinds = [LayerKind::Container, LayerKind::Sandbox].into_iter().chain(BELOW);
        let layers = kinds.map(|kind| (kind, Want::of(host, kind))).collect();
        Self { tier: host.tier, kernel: host.kernel, layers }
    }

    /// A container on this machine.
    pub(crate) fn container(host: &Detection, name: Want) -> Self {
        let below = BELOW.into_iter().map(|kind| (kind, Want::of(host, kind)));
        let own = [(LayerKind::Container, name), (LayerKind::Sandbox, Want::Absent)];
        let layers = own.into_iter().chain(below).collect();
        Self { tier: contained(host.tier), kernel: Kernel::Shared, layers }
    }

    /// gVisor: its kernel hides the machine's files. It passes CPUID on unless the processor lets it answer itself (the
    /// flag `cpuid_fault`); its answer has the hypervisor's bit and not its name.
    pub(crate) fn gvisor(host: &Detection) -> Self {
        let hypervisor = match Want::of(host, LayerKind::Hypervisor) {
            Want::Named(name) => Want::NamedOrHidden(name),
            other @ (Want::Absent | Want::Any | Want::NamedOrHidden(_)) => other,
        };
        let layers =
            vec![(LayerKind::Sandbox, Want::Named("gvisor".into())), (LayerKind::Hypervisor, hypervisor)];
        Self { tier: Tier::Sandbox, kernel: Kernel::Emulated, layers }
    }

    /// A guest of QEMU's emulation.
    pub(crate) fn guest(vmm: &str) -> Self {
        let layers = vec![
            (LayerKind::Container, Want::Absent),
            (LayerKind::Sandbox, Want::Absent),
            (LayerKind::Vmm, Want::Named(vmm.to_owned())),
            (LayerKind::Hypervisor, Want::Named("tcg".into())),
            (LayerKind::Cloud, Want::Absent),
        ];
        let tier = if vmm == "qemu_microvm" { Tier::MicroVm } else { Tier::Vm };
        Self { tier, kernel: Kernel::Own, layers }
    }

    /// The same guest, where CPUID does not tell the hypervisor.
    pub(crate) fn without_hypervisor(mut self) -> Self {
        self.layers.retain(|(kind, _)| *kind != LayerKind::Hypervisor);
        self
    }

    /// A container in that guest.
    pub(crate) fn contained(mut self) -> Self {
        for (_, want) in self.layers.iter_mut().filter(|(kind, _)| *kind == LayerKind::Container) {
            *want = Want::Any;
        }
        Self { tier: contained(self.tier), kernel: Kernel::Shared, ..self }
    }

    /// Whether there is a container or a sandbox.
    pub(crate) fn is_contained(&self) -> bool {
        matches!(self.kernel, Kernel::Shared | Kernel::Emulated)
    }

    /// Whether there is a virtual machine; not known below a sandbox.
    pub(crate) fn is_virtual(&self) -> Option<bool> {
        match self.tier {
            Tier::BareMetal | Tier::Container => Some(false),
            Tier::Vm | Tier::MicroVm | Tier::ContainerInVm | Tier::ContainerInMicroVm => Some(true),
            Tier::Sandbox | Tier::Unknown => None,
        }
    }

    /// What the agent got wrong.
    pub(crate) fn differences(&self, found: &Detection) -> Vec<String> {
        let mut wrong = Vec::new();
        if found.tier != self.tier {
            wrong.push(format!("tier is {}, expected {}", found.tier, self.tier));
        }
        if found.kernel != self.kernel {
            wrong.push(format!("kernel is {}, expected {}", found.kernel.as_str(), self.kernel.as_str()));
        }
        for (kind, want) in &self.layers {
            let name = found.layer(*kind);
            if !want.holds(name) {
                let name = name.unwrap_or("absent");
                wrong.push(format!("{} is {name}, expected {want:?}", kind.as_str()));
            }
        }
        wrong
    }
}

/// How a case went.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The agent and its peers spoke.
    Said(Box<Said>),
    /// It cannot be had on this machine, and why. No verdict, and no failure.
    Impossible(String),
    /// It should have worked.
    Failed(String),
}

impl From<Result<Said, String>> for Outcome {
    fn from(result: Result<Said, String>) -> Self {
        result.map_or_else(Self::Failed, |said| Self::Said(Box::new(said)))
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) expected: Expected,
    pub(crate) outcome: Outcome,
}

impl Case {
    /// A case that went this way.
    pub(crate) fn new(name: &'static str, expected: Expected, outcome: impl Into<Outcome>) -> Self {
        Self { name, expected, outcome: outcome.into() }
    }

    /// What is wrong with it, with the evidence; `None` if nothing is.
    pub(crate) fn complaint(&self) -> Option<String> {
        let said = match &self.outcome {
            Outcome::Impossible(_) => return None,
            Outcome::Failed(why) => return Some(format!("{}: {why}", self.name)),
            Outcome::Said(said) => said,
        };
        let mut wrong = self.expected.differences(&said.detection);
        wrong.extend(said.bundle_complaint());
        let evidence: Vec<String> = said.detection.evidence.iter().map(|e| format!("{e:?}")).collect();
        let stack = &said.detection.stack;
        (!wrong.is_empty()).then(|| {
            format!("{}: {}\n  stack {stack:?}\n  {}", self.name, wrong.join("; "), evidence.join("\n  "))
        })
    }
}
