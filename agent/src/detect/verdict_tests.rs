use proptest::prelude::*;

use super::super::claim::{Claim, cloud, container, hypervisor, machine, orchestrator, sandbox, vmm};
use super::*;

fn finding(detector: &'static str, claim: Claim, weight: f64, supports: bool) -> Finding {
    Finding { detector, source: String::new(), value: String::new(), claim, weight, supports }
}

#[test]
fn no_evidence_is_unknown_and_never_bare_metal() {
    let verdict = decide(&[]);
    assert_eq!((verdict.tier, verdict.kernel), (Tier::Unknown, Kernel::Unknown));
    assert_eq!(verdict.stack, []);
}

#[test]
fn first_namespaces_veto_any_number_of_marker_files() {
    let mut evidence = vec![
        finding("cpuid", machine(VIRTUAL), 0.99, true),
        finding("acpi", vmm("firecracker"), 0.98, true),
        finding("namespace", container(ANY), 0.99, false),
    ];
    for detector in ["marker", "cgroup", "mount", "kernel"] {
        evidence.push(finding(detector, container("docker"), 0.9, true));
    }
    let verdict = decide(&evidence);
    assert_eq!((verdict.tier, verdict.kernel), (Tier::MicroVm, Kernel::Own));
    assert!(verdict.confidence >= 0.9, "{verdict:?}");
    assert!(verdict.stack.iter().all(|layer| layer.kind != LayerKind::Container), "{verdict:?}");
}

#[test]
fn a_clear_hypervisor_bit_vetoes_dmi() {
    let verdict = decide(&[
        finding("namespace", container(ANY), 0.99, false),
        finding("cpuid", machine(VIRTUAL), 0.98, false),
        finding("dmi", vmm("virtualbox"), 0.97, true),
    ]);
    assert_eq!(verdict.tier, Tier::BareMetal);
    assert_eq!(verdict.stack, []);
}

#[test]
fn a_container_on_an_unknown_machine_is_unknown_but_named() {
    let verdict = decide(&[finding("cgroup", container("docker"), 0.95, true)]);
    assert_eq!((verdict.tier, verdict.kernel), (Tier::Unknown, Kernel::Shared));
    assert_eq!(verdict.stack.first().map(|layer| layer.name.as_str()), Some("docker"));
}

#[test]
fn what_is_not_one_runtimes_may_be_anothers() {
    let verdict = decide(&[
        finding("cpuid", machine(VIRTUAL), 0.99, true),
        finding("mount", container("lxd"), 0.85, true),
        finding("marker", container("lxc"), 0.9, true),
        finding("mount", container("lxc"), 0.96, false),
    ]);
    assert_eq!(verdict.tier, Tier::ContainerInVm);
    assert_eq!(verdict.stack.first().map(|layer| layer.name.as_str()), Some("lxd"));
}

const DETECTORS: [&str; 4] = ["namespace", "cgroup", "dmi", "cpuid"];

fn any_claim() -> impl Strategy<Value = Claim> {
    prop_oneof![
        Just(container(ANY)),
        Just(container("docker")),
        Just(container("podman")),
        Just(machine(VIRTUAL)),
        Just(machine(MINIMAL)),
        Just(vmm("qemu")),
        Just(vmm("firecracker")),
        Just(hypervisor("kvm")),
        Just(hypervisor("hyperv")),
        Just(sandbox("gvisor")),
        Just(orchestrator("kubernetes")),
        Just(cloud("aws")),
    ]
}

fn any_finding() -> impl Strategy<Value = Finding> {
    (0..DETECTORS.len(), any_claim(), 0.0..1.0, any::<bool>())
        .prop_map(|(detector, claim, weight, supports)| finding(DETECTORS[detector], claim, weight, supports))
}

proptest! {
    #[test]
    fn the_order_of_the_evidence_does_not_matter(
        evidence in prop::collection::vec(any_finding(), 0..12),
        turn in 0_usize..12,
    ) {
        let mut turned = evidence.clone();
        if !turned.is_empty() {
            let by = turn % turned.len();
            turned.rotate_left(by);
            turned.reverse();
        }
        prop_assert_eq!(decide(&evidence), decide(&turned));
    }

    #[test]
    fn confidence_is_a_share(evidence in prop::collection::vec(any_finding(), 0..12)) {
        let verdict = decide(&evidence);
        prop_assert!((0.0..=1.0).contains(&verdict.confidence), "{:?}", verdict);
        for layer in verdict.stack {
            prop_assert!((0.0..=1.0).contains(&layer.confidence), "{:?}", layer);
        }
    }

    #[test]
    fn more_evidence_for_a_claim_never_lowers_it(
        evidence in prop::collection::vec(any_finding(), 0..12),
        weight in 0.0..1.0,
    ) {
        let before = Belief::from(&evidence, about_container).yes;
        let mut more = evidence;
        more.push(finding("mount", container("docker"), weight, true));
        prop_assert!(Belief::from(&more, about_container).yes >= before - 1e-12);
    }
}
