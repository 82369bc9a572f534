//! Unlike things are not mixed unless the user says so, and what that costs is said.

use super::*;
use crate::stats::contrast::Basis;

fn with(collected: Vec<Collected>, label: &str, values: &[&str]) -> Vec<Collected> {
    collected.into_iter().zip(values.iter().cycle()).map(|(one, value)| labelled(one, label, value)).collect()
}

fn allowing(label: &str) -> Options {
    Options { allow_mixed: vec![label.into()], ..Options::default() }
}

#[test]
fn sides_without_anything_alike_have_an_interval_and_no_verdict() {
    for label in ["seccomp", "cpu_model", "release", "clocksource"] {
        let fleet =
            [with(tier("vm", 5, 1.0), label, &["a"]), with(tier("sandbox", 5, 2.0), label, &["b"])].concat();
        let refused = block(fleet.clone(), &Options::default());
        let row = &refused.rows[0];
        assert_eq!((row.verdict, row.reason), (Verdict::Inconclusive, Some(Reason::Unlike)), "{label}");
        assert_eq!(row.tags, [Tag::Confounded]);
        assert!(row.ratio_low.is_some() && row.q_value.is_none());
        assert_eq!(refused.warnings[0], Warning::Refused { labels: vec![label.into()] });
        for told in [label, like::ALL] {
            let allowed = block(fleet.clone(), &allowing(told));
            assert_eq!(allowed.rows[0].verdict, Verdict::Slower, "{label}");
            assert!(allowed.rows[0].tags.contains(&Tag::Confounded), "{label}");
        }
        // Who groups by it is told.
        let by = Options { by: label.into(), ..Options::default() };
        assert_eq!(block(fleet, &by).rows[0].verdict, Verdict::Slower, "{label}");
    }
}

#[test]
fn sides_in_racks_of_their_own_are_told_that_the_rack_may_be_the_difference() {
    let racks = |label: &str, a: &[&str], b: &[&str]| {
        let fleet = [with(tier("vm", 4, 1.0), label, a), with(tier("sandbox", 4, 2.0), label, b)].concat();
        let block = block(fleet, &Options::default());
        assert_eq!(block.rows[0].verdict, Verdict::Slower);
        let warning = block.warnings.into_iter().find(|warning| warning.kind() == "shared_place");
        assert_eq!(block.rows[0].tags.contains(&Tag::Confounded), warning.is_some());
        warning
    };
    for label in ["rack", "machine_type"] {
        let values = [vec!["r1".into()], vec!["r2".into()]];
        let apart = Warning::SharedPlace { label: label.into(), values };
        assert_eq!(racks(label, &["r1"], &["r2"]), Some(apart));
        assert_eq!(racks(label, &["r1", "r2"], &["r1", "r2"]), None);
        assert_eq!(racks(label, &["r1", "r2"], &["r2", "r3"]), None, "one in common");
        assert_eq!(
            racks(label, &["r1", "r2", "r3", "r4"], &["r5", "r6", "r7", "r8"]),
            None,
            "one for each host"
        );
    }
}

#[test]
fn who_groups_by_a_place_is_told_what_it_costs() {
    let fleet =
        [with(tier("vm", 4, 1.0), "rack", &["r1"]), with(tier("sandbox", 4, 2.0), "rack", &["r2"])].concat();
    let block = block(fleet, &Options { by: "rack".into(), ..Options::default() });
    assert!(!block.rows[0].tags.contains(&Tag::Confounded), "{:?}", block.warnings);
}

#[test]
fn instances_that_may_share_a_kernel_and_do_not_say_which_confound() {
    let of = |side: Vec<Collected>| {
        let block = block([tier("vm", 4, 1.0), side].concat(), &Options::default());
        let warning = block.warnings.into_iter().find(|warning| warning.kind() == "unknown_kernel");
        assert_eq!(block.rows[0].tags.contains(&Tag::Confounded), warning.is_some());
        warning.map(|warning| warning.to_string())
    };
    let containers = || tier("container", 6, 2.0);
    let text = of(containers()).unwrap();
    assert!(
        text.starts_with("6 instances run") && text.contains("container-0, ") && text.contains("and 2 more"),
        "{text}"
    );
    assert_eq!(of(with(containers(), "boot_id", &[""])).unwrap(), text, "an empty one is none");
    let kernels = ["a", "b", "c", "d", "e", "f"];
    assert_eq!(of(with(containers(), "boot_id", &kernels)), None);
    let mut one = with(containers(), "boot_id", &kernels);
    one[3].instance.labels.remove("boot_id");
    assert_eq!(of(one), None, "one is a host of its own");
    // What the kernel says of itself counts more than the tier.
    assert_eq!(of(with(containers(), "kernel", &["own"])), None);
    assert_eq!(of(tier("sandbox", 6, 2.0)), None);
    assert!(of(with(tier("sandbox", 6, 2.0), "kernel", &["emulated"])).is_some());
}

#[test]
fn what_one_side_alone_says_confounds() {
    let of = |baseline: Vec<Collected>, candidate: Vec<Collected>, options: &Options| {
        let block = block([baseline, candidate].concat(), options);
        assert_eq!(block.rows[0].verdict, Verdict::Slower);
        let warning = block.warnings.into_iter().find(|warning| warning.kind() == "unsaid");
        assert_eq!(block.rows[0].tags.contains(&Tag::Confounded), warning.is_some());
        warning
    };
    let (vms, sandboxes) = (|| tier("vm", 5, 1.0), || tier("sandbox", 5, 2.0));
    for label in ["seccomp", "cpu_model", "release", "clocksource"] {
        let silent = |group: &str| Some(Warning::Unsaid { labels: vec![(label.into(), group.into())] });
        let said = |side| with(side, label, &["a"]);
        assert_eq!(of(said(vms()), sandboxes(), &Options::default()), silent("sandbox"));
        assert_eq!(of(vms(), said(sandboxes()), &Options::default()), silent("vm"));
        assert_eq!(of(said(vms()), said(sandboxes()), &Options::default()), None);
        assert_eq!(of(vms(), sandboxes(), &Options::default()), None);
    }
    let alike = Options { alike: vec!["firmware".into()], ..Options::default() };
    let told = of(with(vms(), "firmware", &["1"]), sandboxes(), &alike).unwrap().to_string();
    assert!(told.contains("no instance tells firmware of sandbox."), "{told}");
}

#[test]
fn emulated_machines_are_not_compared_with_those_on_hardware() {
    let emulated = with(tier("sandbox", 5, 9.0), "hypervisor", &["tcg"]);
    let fleet = [with(tier("vm", 5, 1.0), "hypervisor", &["kvm"]), emulated].concat();
    let refused = block(fleet.clone(), &Options::default());
    assert_eq!(refused.rows[0].reason, Some(Reason::Unlike));
    assert_eq!(refused.warnings[0], Warning::Refused { labels: vec!["emulated".into()] });
    assert_eq!(block(fleet.clone(), &allowing("emulated")).rows[0].verdict, Verdict::Slower);
    let by = Options { by: "hypervisor".into(), ..Options::default() };
    assert_eq!(block(fleet, &by).rows[0].reason, None);
}

#[test]
fn what_the_other_side_lacks_is_left_out_and_counted() {
    let filters = ["filter", "filter", "filter", "none"];
    let fleet =
        [with(tier("vm", 4, 1.0), "seccomp", &["none"]), with(tier("sandbox", 16, 2.0), "seccomp", &filters)]
            .concat();
    let block = block(fleet, &Options::default());
    let exclusion = Exclusion {
        group: "sandbox".into(),
        label: "seccomp".into(),
        values: vec!["filter".into()],
        count: 12,
        of: 16,
    };
    assert_eq!(block.exclusions, [exclusion]);
    assert_eq!((block.rows[0].candidate.hosts, block.rows[0].verdict), (4, Verdict::Slower));
    let text = block.warnings.iter().find(|warning| warning.kind() == "excluded").unwrap().to_string();
    assert_eq!(
        text,
        "Left out as the other side has none like them: 12 of 16 sandbox (seccomp filter). To keep them all the \
         same: --allow-mixed seccomp."
    );
}

#[test]
fn processor_models_are_compared_within_themselves_and_combined() {
    // The second model takes three times as long, and the sides have it in unlike shares.
    let of_model = |tier: &str, model: &str, centre: f64, hosts: usize| {
        let name = |one: Collected| Collected {
            instance: Instance { name: format!("{}-{model}", one.instance.name), ..one.instance },
            ..one
        };
        let hosts: Vec<Collected> = super::tier(tier, hosts, centre).into_iter().map(name).collect();
        with(hosts, "cpu_model", &[model])
    };
    let fleet = [
        of_model("vm", "fast", 1.0, 6),
        of_model("vm", "slow", 3.0, 2),
        of_model("sandbox", "fast", 1.1, 3),
        of_model("sandbox", "slow", 3.3, 5),
        of_model("sandbox", "other", 7.0, 4),
    ]
    .concat();
    let stratified = block(fleet.clone(), &Options::default());
    let row = &stratified.rows[0];
    assert_eq!((row.basis, row.strata), (Some(Basis::Stratified), 2));
    assert!((1.08..1.12).contains(&row.ratio.unwrap()), "{row:?}");
    assert_eq!(row.verdict, Verdict::Slower);
    assert_eq!(stratified.exclusions[0].count, 4);
    let mixed = block(fleet, &allowing("cpu_model"));
    assert!(mixed.rows[0].ratio.unwrap() > 1.5, "{:?}", mixed.rows[0].ratio);
}

#[test]
fn strata_of_one_host_decide_nothing() {
    let models = ["a", "b", "c", "d"];
    let fleet =
        [with(tier("vm", 4, 1.0), "cpu_model", &models), with(tier("sandbox", 4, 2.0), "cpu_model", &models)]
            .concat();
    let block = block(fleet.clone(), &Options::default());
    assert_eq!(block.rows[0].reason, Some(Reason::Unlike));
    // As pairs they do, once these are not all equal.
    let mut fleet = fleet;
    for (i, one) in fleet.iter_mut().enumerate() {
        let own = 1.0 + 0.001 * crate::stats::real(i * i);
        one.observations.iter_mut().for_each(|observation| observation.value *= own);
    }
    let pairs = Options { pair: "cpu_model".into(), ..Options::default() };
    let row = super::block(fleet, &pairs).rows.remove(0);
    assert_eq!((row.basis, row.pairs, row.verdict), (Some(Basis::Paired), 4, Verdict::Slower));
}

#[test]
fn a_stratum_of_one_host_is_left_out_of_rows_and_named() {
    let models = ["a", "a", "a", "b"];
    let fleet =
        [with(tier("vm", 8, 1.0), "cpu_model", &models), with(tier("sandbox", 4, 2.0), "cpu_model", &models)]
            .concat();
    let block = block(fleet, &Options::default());
    assert_eq!((block.rows[0].baseline.hosts, block.rows[0].candidate.hosts), (6, 3));
    let few = Warning::FewAlike { hosts: vec!["sandbox-3".into(), "vm-3".into(), "vm-7".into()] };
    assert!(block.warnings.contains(&few), "{:?}", block.warnings);
}

#[test]
fn two_unlike_hosts_still_have_a_statement_on_themselves() {
    let one = |name: &str, centre: f64, state: &str| {
        labelled(instance(name, name, &around(centre, 60), &[]), "seccomp", state)
    };
    let row = block(vec![one("vm", 1.0, "none"), one("sandbox", 2.0, "filter")], &Options::default())
        .rows
        .remove(0);
    assert_eq!(row.reason, Some(Reason::OneHost));
    assert_eq!(row.here.map(|here| here.verdict), Some(Verdict::Slower));
}

#[test]
fn more_labels_can_be_asked_to_be_alike() {
    let fleet = [
        with(tier("vm", 4, 1.0), "machine", &["m1"]),
        with(tier("sandbox", 8, 2.0), "machine", &["m1", "m2"]),
    ]
    .concat();
    let options = Options { alike: vec!["machine".into()], ..Options::default() };
    assert_eq!(block(fleet.clone(), &options).rows[0].candidate.hosts, 4);
    assert_eq!(block(fleet, &Options::default()).rows[0].candidate.hosts, 8);
}

#[test]
fn a_store_that_warns_takes_the_verdicts_back_and_one_that_informs_makes_them_provisional() {
    let note = |is_warning| crate::source::Note {
        source: "prometheus+http://store".into(),
        text: "slow block".into(),
        is_warning,
    };
    let of = |note| {
        let collected = [tier("vm", 6, 100.0), tier("container", 6, 150.0)].concat();
        let dataset = Dataset::new(collected).with_notes(vec![note]);
        compare(&dataset, &Options::default()).unwrap()
    };
    let informed = of(note(false));
    assert!(
        informed.rows().all(|row| row.verdict == Verdict::Slower && row.tags.contains(&Tag::Provisional))
    );
    assert_eq!(informed.warnings[0].kind(), "store");
    assert!(informed.warnings[0].to_string().contains("provisional"));
    let warned = of(note(true));
    assert!(warned.rows().all(|row| row.reason == Some(Reason::Incomplete) && row.ratio.is_some()));
    assert!(warned.warnings[0].to_string().contains("slow block"));
}

#[test]
fn a_label_that_nobody_has_cannot_be_asked_to_be_alike() {
    let fleet = || with([tier("vm", 4, 1.0), tier("sandbox", 4, 2.0)].concat(), "machine", &["m1"]);
    let asked = |label: &str| {
        let options = Options { alike: vec![label.into()], ..Options::default() };
        compare(&Dataset::new(fleet()), &options).map(drop)
    };
    let error = asked("zzz").unwrap_err().to_string();
    assert_eq!(error, "no instance has the label \"zzz\"; there are: machine, tier");
    assert_eq!((asked("machine"), asked("emulated")), (Ok(()), Ok(())));
}

#[test]
fn a_number_that_nobody_publishes_cannot_be_compared() {
    let fleet = || [tier("vm", 4, 1.0), tier("sandbox", 4, 2.0)].concat();
    let with_gauge = || {
        let gauge = |i: usize| {
            let tier = if i < 4 { "vm" } else { "sandbox" };
            with_family(
                &format!("g{i}"),
                tier,
                ("tierprobe_memory_footprint_bytes", Statistic::Value),
                &[1.0],
                &[],
            )
        };
        (0..8).map(gauge).collect::<Vec<_>>()
    };
    let of = |fleet: Vec<Collected>, statistic| {
        let options = Options { statistic, ..Options::default() };
        compare(&Dataset::new(fleet), &options).map(drop)
    };
    let error = of([fleet(), with_gauge()].concat(), Statistic::Max).unwrap_err().to_string();
    assert_eq!(error, "no instance publishes max of its rounds; there are: p50");
    assert_eq!(of(fleet(), Statistic::P50), Ok(()));
    assert_eq!(of(with_gauge(), Statistic::P50), Ok(()), "gauges have one number only");
}

#[test]
fn an_error_that_names_labels_of_strangers_has_one_line() {
    let fleet =
        with([tier("vm", 4, 1.0), tier("sandbox", 4, 2.0)].concat(), "rack", &["r\nerror: all is lost"]);
    let filters = vec!["rack=r2".parse().unwrap()];
    let error = compare(&Dataset::new(fleet), &Options { filters, ..Options::default() }).unwrap_err();
    assert_eq!(error.to_string(), r"no instance has rack=r2; there are: r\u{a}error: all is lost");
}
