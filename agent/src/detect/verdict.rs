//! From evidence to a verdict. Pure: the same evidence, in any order, gives the same verdict.
//!
//! Evidence for and against a claim is combined by Dempster's rule (Shafer, *A Mathematical Theory of Evidence*,
//! 1976): what is neither supported nor opposed stays undecided instead of being shared out, and with that an
//! absence of evidence stays `unknown`. Pieces of one detector say much the same, so only its strongest counts.
//! A piece of at least [`DECISIVE`] weight sets aside all weaker ones that speak against it: a marker file does
//! not outweigh the namespaces, however many there are.

use tierprobe_model::layer::UNNAMED;
use tierprobe_model::{Kernel, Layer, LayerKind, Tier};

use super::claim::{ANY, MINIMAL, Subject, VIRTUAL, is_minimal_vmm};
use super::finding::Finding;

/// From this weight on, a piece of evidence sets aside weaker ones against it.
const DECISIVE: f64 = 0.95;

/// More undecided than this, and there is no verdict.
const MOST_UNDECIDED: f64 = 0.5;

/// Of virtual machines that neither name their monitor nor lack anything, the share that is no microVM.
const FULL_VM_PRIOR: f64 = 0.6;

/// Hypervisors that only come with a full virtual machine monitor of their own.
const FULL_HYPERVISORS: &[&str] = &[
    "vmware",
    "virtualbox",
    "hyperv",
    "virtual_pc",
    "xen",
    "parallels",
    "bhyve",
    "openbsd_vmm",
    "apple_vz",
    "uml",
    "virtage",
    "zvm",
    "lpar",
    "powervm",
    "powervm_lx86",
    "ldoms",
    "spar",
];

/// What the evidence amounts to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verdict {
    pub tier: Tier,
    pub confidence: f64,
    pub kernel: Kernel,
    pub stack: Vec<Layer>,
}

/// How far something is believed, and the opposite; what is left is undecided. Sums to at most 1.
#[derive(Debug, Clone, Copy)]
struct Belief {
    yes: f64,
    no: f64,
}

impl Belief {
    /// From evidence that `relation` calls for (`Some(true)`), against (`Some(false)`), or neither.
    fn from(evidence: &[Finding], relation: impl Fn(&Finding) -> Option<bool>) -> Self {
        let strongest = |side: bool| {
            let weights = evidence.iter().filter(|finding| relation(finding) == Some(side)).map(|f| f.weight);
            weights.fold(0.0, f64::max)
        };
        let (strongest_for, strongest_against) = (strongest(true), strongest(false));
        let total = |side: bool, opposite: f64| {
            let floor = if opposite >= DECISIVE { opposite } else { 0.0 };
            combine(
                evidence.iter().filter(|finding| relation(finding) == Some(side) && finding.weight >= floor),
            )
        };
        let (support, opposition) = (total(true, strongest_against), total(false, strongest_for));
        // Both at 1 would contradict each other without end; `combine` keeps them below.
        let agreement = 1.0 - support * opposition;
        Self { yes: support * (1.0 - opposition) / agreement, no: opposition * (1.0 - support) / agreement }
    }

    fn undecided(self) -> f64 {
        1.0 - self.yes - self.no
    }

    /// Yes or no, with the probability of it when what is undecided is split evenly; `None` when too much is.
    fn decide(self) -> Option<(bool, f64)> {
        let yes = self.yes + self.undecided() / 2.0;
        match self.undecided() > MOST_UNDECIDED || (yes - 0.5).abs() < 1e-9 {
            true => None,
            false if yes > 0.5 => Some((true, yes)),
            false => Some((false, 1.0 - yes)),
        }
    }
}

/// The joint weight of pieces that point the same way: 1 - product of (1 - weight), one piece a detector.
fn combine<'a>(findings: impl Iterator<Item = &'a Finding>) -> f64 {
    let mut strongest: Vec<(&str, f64)> = Vec::new();
    for finding in findings {
        match strongest.iter_mut().find(|(detector, _)| *detector == finding.detector) {
            Some((_, weight)) => *weight = weight.max(finding.weight),
            None => strongest.push((finding.detector, finding.weight)),
        }
    }
    // Multiplying in a fixed order keeps the last bit independent of the order of the evidence.
    let mut doubts: Vec<f64> = strongest.into_iter().map(|(_, weight)| 1.0 - weight).collect();
    doubts.sort_by(f64::total_cmp);
    (1.0 - doubts.into_iter().product::<f64>()).clamp(0.0, 0.9999)
}

/// Decides.
pub(super) fn decide(evidence: &[Finding]) -> Verdict {
    let container = Belief::from(evidence, about_container).decide();
    let is_virtual = Belief::from(evidence, about_virtual).decide();
    let sandbox = named(evidence, LayerKind::Sandbox);

    let mut stack = Vec::new();
    if let Some((true, sure)) = container {
        let (name, share) = named(evidence, LayerKind::Container).unwrap_or((UNNAMED, 1.0));
        stack.push(layer(LayerKind::Container, name, share * sure));
    }
    let is_contained = sandbox.is_some() || matches!(container, Some((true, _)));
    // What speaks for a virtual machine was set aside where the machine is a physical one.
    let may_be_virtual = !matches!(is_virtual, Some((false, _)));
    let below = [
        (LayerKind::Orchestrator, is_contained),
        (LayerKind::Sandbox, true),
        (LayerKind::Vmm, may_be_virtual),
        (LayerKind::Hypervisor, may_be_virtual),
        (LayerKind::Cloud, true),
    ];
    for (kind, _) in below.into_iter().filter(|(_, possible)| *possible) {
        stack.extend(named(evidence, kind).map(|(name, share)| layer(kind, name, share)));
    }

    let (tier, confidence) = match sandbox {
        Some((_, share)) => (Tier::Sandbox, share),
        None => tier(evidence, container, is_virtual),
    };
    let kernel = match (sandbox, container) {
        (Some(_), _) => Kernel::Emulated,
        (None, Some((true, _))) => Kernel::Shared,
        (None, Some((false, _))) => Kernel::Own,
        (None, None) => Kernel::Unknown,
    };
    Verdict { tier, confidence: two_digits(confidence), kernel, stack }
}

fn tier(
    evidence: &[Finding],
    container: Option<(bool, f64)>,
    is_virtual: Option<(bool, f64)>,
) -> (Tier, f64) {
    let (Some((contained, sure_of_container)), Some((is_virtual, sure_of_machine))) = (container, is_virtual)
    else {
        return (Tier::Unknown, 0.0);
    };
    let sure = sure_of_container * sure_of_machine;
    if !is_virtual {
        return (if contained { Tier::Container } else { Tier::BareMetal }, sure);
    }
    let minimal = Belief::from(evidence, about_minimal);
    let full = minimal.no + minimal.undecided() * FULL_VM_PRIOR;
    match (minimal.yes > full, contained) {
        (true, true) => (Tier::ContainerInMicroVm, sure * (1.0 - full)),
        (true, false) => (Tier::MicroVm, sure * (1.0 - full)),
        (false, true) => (Tier::ContainerInVm, sure * full),
        (false, false) => (Tier::Vm, sure * full),
    }
}

/// What this place is or can do, whichever tier it is, sorted: `xen_dom0`, `confidential_tdx`.
pub(super) fn roles(evidence: &[Finding]) -> Vec<String> {
    let mut roles: Vec<String> = evidence
        .iter()
        .filter(|finding| finding.supports && finding.weight >= 0.5)
        .filter_map(|finding| match finding.claim.subject {
            Subject::Role => Some(finding.claim.name.to_owned()),
            Subject::Confidential => Some(format!("confidential_{}", finding.claim.name)),
            Subject::Layer(_) | Subject::Machine => None,
        })
        .collect();
    roles.sort_unstable();
    roles.dedup();
    roles
}

/// Whatever names a runtime says that there is a container; that it is not this runtime's says nothing of another's.
fn about_container(finding: &Finding) -> Option<bool> {
    let is_about = finding.claim.subject == Subject::Layer(LayerKind::Container);
    (is_about && (finding.supports || finding.claim.name == ANY)).then_some(finding.supports)
}

/// Whatever names a monitor or a hypervisor says that there is one.
fn about_virtual(finding: &Finding) -> Option<bool> {
    match finding.claim.subject {
        Subject::Machine => (finding.claim.name == VIRTUAL).then_some(finding.supports),
        Subject::Layer(LayerKind::Vmm | LayerKind::Hypervisor) => finding.supports.then_some(true),
        Subject::Layer(_) | Subject::Confidential | Subject::Role => None,
    }
}

/// Whether the monitor is a minimal one, by its name or by what the machine lacks.
fn about_minimal(finding: &Finding) -> Option<bool> {
    let name = finding.claim.name;
    match finding.claim.subject {
        Subject::Machine => (name == MINIMAL).then_some(finding.supports),
        Subject::Layer(_) if !finding.supports => None,
        Subject::Layer(LayerKind::Vmm) => Some(is_minimal_vmm(name)),
        Subject::Layer(LayerKind::Hypervisor) => FULL_HYPERVISORS.contains(&name).then_some(false),
        // Kata starts a virtual machine for each pod, with whichever monitor.
        Subject::Layer(LayerKind::Container) => (name == "kata").then_some(true),
        Subject::Layer(_) | Subject::Confidential | Subject::Role => None,
    }
}

/// The name that the evidence favours, and its share of the odds of all names; `None` below even odds.
fn named(evidence: &[Finding], kind: LayerKind) -> Option<(&'static str, f64)> {
    let subject = Subject::Layer(kind);
    let of_subject = |finding: &&Finding| finding.claim.subject == subject && finding.claim.name != ANY;
    let mut names: Vec<&'static str> = evidence.iter().filter(of_subject).map(|f| f.claim.name).collect();
    names.sort_unstable();
    names.dedup();
    let odds: Vec<(&'static str, f64)> = names
        .into_iter()
        .map(|name| {
            let belief = Belief::from(evidence, |finding| {
                (finding.claim.subject == subject && finding.claim.name == name).then_some(finding.supports)
            });
            (name, belief.yes / (1.0 - belief.yes))
        })
        .collect();
    let all: f64 = 1.0 + odds.iter().map(|(_, odds)| odds).sum::<f64>();
    odds.into_iter()
        .map(|(name, odds)| (name, odds / all))
        .max_by(|(_, one), (_, other)| one.total_cmp(other))
        .filter(|(_, share)| *share >= 0.5)
}

fn layer(kind: LayerKind, name: &str, confidence: f64) -> Layer {
    Layer { kind, name: name.to_owned(), confidence: two_digits(confidence), id: None, id_source: None }
}

/// More digits would claim to know more than the weights do. Rounds down, so that nothing becomes certain.
fn two_digits(confidence: f64) -> f64 {
    // A tiny amount keeps 0.29 from becoming 0.28 by its representation.
    (confidence * 100.0 + 1e-9).floor() / 100.0
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
