//! Which rounds count by when they ended, and what changed while they were measured.

use std::time::Duration;

use super::*;

fn shifted(mut collected: Collected, seconds: f64) -> Collected {
    collected.observations.iter_mut().for_each(|observation| observation.timestamp += seconds);
    collected
}

fn long_tier(name: &str, hosts: usize, centre: f64, rounds: usize) -> Vec<Collected> {
    let luck = |i: usize| 1.0 + 0.01 * (crate::stats::real(i * 5 % 7) - 3.0);
    (0..hosts)
        .map(|i| instance(&format!("{name}-{i}"), name, &around(centre * luck(i), rounds), &[]))
        .collect()
}

#[test]
fn rounds_outside_the_time_that_both_share_are_dropped_and_counted() {
    let late = tier("sandbox", 4, 2.0).into_iter().map(|one| shifted(one, 75.0)).collect();
    let block = block([tier("vm", 4, 1.0), late].concat(), &Options::default());
    assert_eq!(block.rounds.dropped, [20, 20]);
    assert_eq!((block.rows[0].baseline.rounds, block.rows[0].candidate.rounds), (60, 60));
    assert_eq!((block.rounds.from, block.rounds.to, block.window_seconds), (1075.0, 1285.0, 210.0));
    let dropped = Warning::OutsideWindow { groups: [("vm".into(), 20), ("sandbox".into(), 20)] };
    assert!(block.warnings.contains(&dropped), "{:?}", block.warnings);
}

#[test]
fn sides_measured_one_after_the_other_keep_their_rounds_and_say_so() {
    let late: Vec<Collected> = tier("sandbox", 4, 2.0).into_iter().map(|one| shifted(one, 1e5)).collect();
    let fleet = [tier("vm", 4, 1.0), late].concat();
    let common = block(fleet.clone(), &Options::default());
    assert_eq!((common.rounds.dropped, common.rows[0].verdict), ([0, 0], Verdict::Slower));
    let unlike = Warning::UnlikeWindows { groups: ["vm".into(), "sandbox".into()], shared_seconds: 0.0 };
    assert!(common.warnings.contains(&unlike), "{:?}", common.warnings);
    assert!(common.rows[0].tags.contains(&Tag::Confounded), "what changed between may be the difference");
    // Sides that are said to have taken turns are not confounded by it.
    let whole = block(fleet, &Options { window: Window::Whole, ..Options::default() });
    assert_eq!(
        (whole.rows[0].verdict, whole.rows[0].tags.contains(&Tag::Confounded)),
        (Verdict::Slower, false)
    );
    let shared = block([tier("vm", 4, 1.0), tier("sandbox", 4, 2.0)].concat(), &Options::default());
    assert!(!shared.rows[0].tags.contains(&Tag::Confounded));
}

/// Rounds end at 1000, 1015 and so on: 94 of them end before 2400, 95 behind it.
#[test]
fn the_last_complete_window_is_compared_and_later_rounds_change_nothing() {
    let options = Options { window: Window::Last(Duration::from_secs(600)), ..Options::default() };
    let look = |rounds| {
        let fleet = [long_tier("vm", 4, 1.0, rounds), long_tier("sandbox", 4, 2.0, rounds)].concat();
        block(fleet, &options)
    };
    let before = look(94);
    assert_eq!((before.rounds.from, before.rounds.to), (1210.0, 1795.0));
    let first = look(95);
    assert_eq!((first.rounds.from, first.rounds.to, first.rows[0].baseline.rounds), (1810.0, 2395.0, 4 * 40));
    for rounds in [96, 110, 134] {
        assert_eq!(look(rounds).rows, first.rows, "{rounds}");
    }
    assert_eq!(look(135).rounds.from.to_bits(), 2410.0_f64.to_bits());
}

#[test]
fn without_a_complete_window_there_is_no_comparison() {
    let fleet = [tier("vm", 4, 1.0), tier("sandbox", 4, 2.0)].concat();
    let options = Options { window: Window::Last(Duration::from_secs(3600)), ..Options::default() };
    let error = compare(&Dataset::new(fleet), &options).unwrap_err();
    assert_eq!(error, CompareError::NoWindow { length: 3600.0, shared: 285.0 });
}

#[test]
fn a_gauge_that_was_read_once_holds_in_any_window() {
    let once = |name: &str, tier: &str| {
        let mut one =
            with_family(name, tier, ("tierprobe_boot_duration_seconds", Statistic::Value), &[1.0], &[]);
        let rounds = instance(name, tier, &around(1.0, 100), &[]);
        one.observations.extend(rounds.observations);
        one
    };
    let fleet = vec![once("a", "vm"), once("b", "vm"), once("c", "sandbox"), once("d", "sandbox")];
    let options = Options { window: Window::Last(Duration::from_secs(600)), ..Options::default() };
    let rows = block(fleet, &options).rows;
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.baseline.hosts == 2), "{rows:?}");
}

#[test]
fn a_host_that_changed_is_named_with_the_time() {
    let mut fleet = [long_tier("vm", 4, 1.0, 100), long_tier("sandbox", 4, 1.0, 100)].concat();
    let plain = compare(&Dataset::new(fleet.clone()), &Options::default()).unwrap();
    assert!(plain.warnings.iter().all(|warning| warning.kind() != "changed"), "{:?}", plain.warnings);
    for observation in
        fleet.iter_mut().filter(|one| one.instance.name == "vm-2").flat_map(|one| &mut one.observations)
    {
        if observation.timestamp >= 1000.0 + 15.0 * 60.0 {
            observation.value *= 1.3;
        }
    }
    let comparison = compare(&Dataset::new(fleet), &Options::default()).unwrap();
    let Some(Warning::Changed { changes }) =
        comparison.warnings.iter().find(|warning| warning.kind() == "changed")
    else {
        panic!("{:?}", comparison.warnings)
    };
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].instance.as_str(), changes[0].others), ("vm-2", 0));
    assert!(
        (changes[0].timestamp - 1900.0).abs() <= 75.0 && (1.28..1.32).contains(&changes[0].ratio),
        "{changes:?}"
    );
    let text = comparison.warnings[0].to_string();
    assert!(text.contains("vm-2 at about 1970-01-01 00:31 UTC (tierprobe_syscall_seconds 1.30"), "{text}");
}

#[test]
fn a_change_below_the_threshold_is_none() {
    let mut fleet = [long_tier("vm", 4, 1.0, 100), long_tier("sandbox", 4, 1.0, 100)].concat();
    for observation in &mut fleet[0].observations {
        if observation.timestamp >= 1900.0 {
            observation.value *= 1.02;
        }
    }
    let comparison = compare(&Dataset::new(fleet), &Options::default()).unwrap();
    assert!(
        comparison.warnings.iter().all(|warning| warning.kind() != "changed"),
        "{:?}",
        comparison.warnings
    );
}
