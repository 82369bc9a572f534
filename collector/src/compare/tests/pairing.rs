//! Pairs, one host against several, and hosts that fall into camps.

use super::*;
use crate::stats::contrast::Basis;

/// A machine of each tier on kernels that differ by half, `step` apart.
fn on_kernels(kernels: usize, step: f64, rounds: usize) -> Vec<Collected> {
    (0..kernels)
        .flat_map(|i| {
            let luck = 1.0 + 0.5 * (crate::stats::real(i * 5 % 7) / 6.0);
            let own = 1.0 + 0.002 * crate::stats::real(i * 3 % 5);
            let one = |tier: &str, centre: f64| {
                on_kernel(
                    instance(&format!("{tier}-{i}"), tier, &around(centre, rounds), &[]),
                    &format!("k{i}"),
                )
            };
            [one("vm", luck), one("container_in_vm", luck * own * step)]
        })
        .collect()
}

#[test]
fn four_pairs_decide_and_hosts_are_secondary() {
    let row = row(on_kernels(5, 1.1, 20));
    assert_eq!((row.basis, row.pairs, row.verdict), (Some(Basis::Paired), 5, Verdict::Slower));
    assert!((1.09..1.12).contains(&row.ratio.unwrap()), "{row:?}");
    let (low, high) = (row.ratio_low.unwrap(), row.ratio_high.unwrap());
    let unpaired = row.secondary.unwrap();
    assert_eq!(unpaired.basis, Basis::Welch);
    assert!(unpaired.ratio_high.unwrap() - unpaired.ratio_low.unwrap() > 5.0 * (high - low), "{unpaired:?}");
}

#[test]
fn three_pairs_are_secondary() {
    let row = row(on_kernels(3, 1.1, 20));
    assert_eq!((row.basis, row.pairs), (Some(Basis::Welch), 3));
    assert_eq!(row.secondary.map(|other| other.basis), Some(Basis::Paired));
}

#[test]
fn rounds_that_match_in_time_cancel_what_both_see() {
    // Both sides see the same weather; the medians alone would differ by which rounds were disturbed.
    let weather = |i: usize| 1.0 + crate::stats::real(i);
    let one = |tier: &str, kernel: usize, step: f64, disturbed: &[usize]| {
        let values: Vec<f64> = (0..20).map(|i| weather(i) * step).collect();
        on_kernel(instance(&format!("{tier}-{kernel}"), tier, &values, disturbed), &format!("k{kernel}"))
    };
    let fleet: Vec<Collected> = (0..4)
        .flat_map(|kernel| [one("vm", kernel, 1.0, &[0, 1, 2]), one("container_in_vm", kernel, 1.1, &[])])
        .collect();
    let row = row(fleet);
    assert_eq!(row.basis, Some(Basis::Paired));
    assert!((row.ratio.unwrap() - 1.1).abs() < 1e-9, "{:?}", row.ratio);
}

#[test]
fn rounds_that_do_not_match_fall_back_to_medians() {
    let mut fleet = on_kernels(4, 1.1, 20);
    for one in fleet.iter_mut().filter(|one| one.instance.labels["tier"] == "vm") {
        one.observations.iter_mut().for_each(|observation| observation.timestamp += 1e5);
    }
    let row = row(fleet);
    assert_eq!((row.basis, row.pairs), (Some(Basis::Paired), 4));
    assert!((1.09..1.12).contains(&row.ratio.unwrap()), "{row:?}");
}

#[test]
fn several_containers_of_a_kernel_are_one_pair() {
    let mut fleet = on_kernels(4, 1.1, 20);
    let beside = on_kernel(instance("beside", "container_in_vm", &around(1.0 * 1.3, 20), &[]), "k0");
    fleet.push(beside);
    let row = row(fleet);
    assert_eq!((row.pairs, row.candidate.instances, row.candidate.hosts), (4, 5, 4));
}

#[test]
fn pairs_can_share_any_label_and_hold_several_hosts() {
    let fleet: Vec<Collected> = (0..5)
        .flat_map(|rack| {
            let slow = 1.0 + crate::stats::real(rack);
            let one = |tier: &str, name: usize, centre: f64| {
                let collected = instance(&format!("{tier}-{rack}-{name}"), tier, &around(centre, 20), &[]);
                labelled(collected, "rack", &format!("r{rack}"))
            };
            [
                one("vm", 0, slow),
                one("vm", 1, slow * 1.01),
                one("sandbox", 0, slow * 1.2 * (1.0 + 0.001 * slow)),
            ]
        })
        .collect();
    let plain = row(fleet.clone());
    assert_eq!((plain.pairs, plain.reason), (0, Some(Reason::WideInterval)));
    let options = Options { pair: "rack".into(), ..Options::default() };
    let paired = block(fleet.clone(), &options).rows.remove(0);
    let unknown = Options { pair: "racks".into(), ..Options::default() };
    let warnings = compare(&Dataset::new(fleet), &unknown).unwrap().warnings;
    assert!(
        matches!(&warnings[0], Warning::Unpaired { instances, .. } if instances.len() == 15),
        "{warnings:?}"
    );
    assert_eq!((paired.pairs, paired.verdict), (5, Verdict::Slower));
}

#[test]
fn a_pair_that_stands_apart_is_named_and_ranks_decide() {
    let mut fleet = on_kernels(7, 1.1, 20);
    for one in fleet.iter_mut().filter(|one| one.instance.name == "container_in_vm-3") {
        one.observations.iter_mut().for_each(|observation| observation.value *= 3.0);
    }
    let row = row(fleet);
    assert_eq!(row.basis, Some(Basis::PairedRobust));
    assert!((1.08..1.15).contains(&row.ratio.unwrap()), "{row:?}");
    let apart = Warning::OutlierPairs { pairs: vec!["k3".into()], ranked: true };
    assert!(row.warnings.contains(&apart), "{:?}", row.warnings);
}

#[test]
fn one_host_against_several_has_an_interval_and_no_verdict() {
    let row = row([tier("vm", 5, 1.0), vec![instance("odd", "sandbox", &around(1.5, 20), &[])]].concat());
    assert_eq!((row.verdict, row.reason), (Verdict::Inconclusive, Some(Reason::OneHost)));
    let one = row.against_several.unwrap();
    assert_eq!(one.hosts, 5);
    assert!(one.ratio_low > 1.2 && one.ratio_high < 1.8 && (1.4..1.6).contains(&one.ratio), "{one:?}");
    let unlike = |one: Collected| {
        let model = if one.instance.name == "odd" { "m1" } else { "m2" };
        labelled(one, "cpu_model", model)
    };
    let fleet = [tier("vm", 5, 1.0), vec![instance("odd", "sandbox", &around(1.5, 20), &[])]].concat();
    let refused = super::row(fleet.into_iter().map(unlike).collect());
    assert_eq!((refused.reason, refused.against_several), (Some(Reason::OneHost), None));
    let swapped =
        super::row([vec![instance("odd", "vm", &around(1.5, 20), &[])], tier("sandbox", 5, 1.0)].concat());
    let other = swapped.against_several.unwrap();
    assert!(
        (other.ratio * one.ratio - 1.0).abs() < 1e-9 && (other.ratio_low * one.ratio_high - 1.0).abs() < 1e-9
    );
}

#[test]
fn hosts_in_two_camps_are_noted() {
    let camps = [tier("vm", 5, 1.0), tier("sandbox", 3, 1.0), {
        let rename = |one: Collected| Collected {
            instance: Instance { name: format!("far-{}", one.instance.name), ..one.instance },
            ..one
        };
        tier("sandbox", 3, 1.3).into_iter().map(rename).collect()
    }]
    .concat();
    let row = row(camps);
    assert!(
        row.warnings.contains(&Warning::Bimodal { groups: vec!["sandbox".into()] }),
        "{:?}",
        row.warnings
    );
}
