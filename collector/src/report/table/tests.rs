use super::*;
use crate::compare::window::Rounds;
use crate::compare::{AgainstSeveral, GroupSummary, Here, HodgesLehmann, Secondary, SideSummary, Size};
use crate::dataset::SeriesKey;
use crate::observation::{Labels, Statistic};
use crate::stats::contrast::Basis;
use crate::verdict::{Reason, Tag, Verdict};
use crate::warning::{Share, Warning};
use tierprobe_model::Unit;

/// A row with nothing but its name.
pub(in crate::report) fn row(key: SeriesKey) -> Row {
    let side = SideSummary {
        instances: 1,
        hosts: 1,
        rounds: 40,
        median: Some(1e-7),
        disturbed: Some(0.0),
        host_spread: None,
    };
    Row {
        unit: Unit::of_family(&key.family),
        key,
        group: "container_in_vm".into(),
        baseline: side,
        candidate: side,
        ratio: None,
        ratio_low: None,
        ratio_high: None,
        ratio_low_90: None,
        ratio_high_90: None,
        hodges_lehmann: None,
        quoted: None,
        difference: None,
        basis: None,
        degrees_of_freedom: None,
        pairs: 0,
        strata: 1,
        secondary: None,
        p_value: None,
        q_value: None,
        p_equivalence: None,
        verdict: Verdict::Inconclusive,
        reason: None,
        tags: Vec::new(),
        here: None,
        no_here: None,
        against_several: None,
        detectable_ratio: None,
        largest_not_excluded: None,
        ratio_all: None,
        resolution_allowance: None,
        left_out: Vec::new(),
        warnings: Vec::new(),
    }
}

fn measured(family: &str, label: &str, medians: (f64, f64), ratio: [f64; 3], verdict: Verdict) -> Row {
    let key = SeriesKey {
        family: family.into(),
        labels: Labels::from([("x".into(), label.into())]),
        statistic: Statistic::P50,
    };
    let mut row = row(key);
    row.baseline.median = Some(medians.0);
    row.candidate.median = Some(medians.1);
    row.candidate.rounds = 38;
    let [value, low, high] = ratio;
    (row.ratio, row.ratio_low, row.ratio_high) = (Some(value), Some(low), Some(high));
    row.verdict = verdict;
    row
}

/// A row with everything that a row can have, but for its p values.
pub(in crate::report) fn full_row() -> Row {
    let mut row =
        measured("tierprobe_syscall_seconds", "getppid", (1e-7, 2e-7), [2.0, 1.5, 2.5], Verdict::Slower);
    let here = Here {
        verdict: Verdict::Slower,
        reason: None,
        ratio: 2.0,
        ratio_low: Some(1.9),
        ratio_high: Some(2.1),
        tipping_spread: 0.2,
    };
    row.here = Some(here);
    row.tags = vec![Tag::Provisional, Tag::BeyondThreshold];
    row.secondary =
        Some(Secondary { basis: Basis::Welch, ratio: 2.0, ratio_low: Some(1.0), ratio_high: Some(3.0) });
    row.hodges_lehmann = Some(HodgesLehmann { ratio: 2.0, ratio_low: Some(1.5), ratio_high: Some(2.5) });
    row.against_several =
        Some(AgainstSeveral { hosts: 4, ratio: 2.0, ratio_low: 1.0, ratio_high: 3.0, tipping_spread: 0.2 });
    row
}

pub(in crate::report) fn comparison(rows: Vec<Row>, candidate: &str) -> Comparison {
    let group = |name: &str, hosts| GroupSummary { group: name.into(), instances: hosts, hosts };
    Comparison {
        by: "tier".into(),
        baseline: group("vm", 14),
        threshold: Default::default(),
        blocks: vec![Block {
            candidate: group(candidate, 22),
            compared: Compared {
                baseline: Size { instances: 14, hosts: 14 },
                candidate: Size { instances: 22, hosts: 22 },
            },
            disturbed: [Some(0.0), Some(0.012)],
            window_seconds: 86_400.0,
            rounds: Rounds { from: 0.0, to: 86_400.0, dropped: [0, 0] },
            exclusions: Vec::new(),
            warnings: vec![Warning::UnlikeSeccomp {
                filtered: [
                    Share { group: candidate.into(), count: 19, of: 22 },
                    Share { group: "vm".into(), count: 0, of: 14 },
                ],
            }],
            rows,
        }],
        warnings: Vec::new(),
        help: Default::default(),
        sources: Vec::new(),
        dropped: Vec::new(),
    }
}

fn fits(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= COLUMNS, "{} columns: {line}", line.chars().count());
    }
}

#[test]
fn the_table_reads_like_the_design() {
    let mut open = measured(
        "tierprobe_storage_seconds",
        "fdatasync",
        (98e-6, 131e-6),
        [1.34, 0.97, 1.80],
        Verdict::Inconclusive,
    );
    open.reason = Some(Reason::WideInterval);
    open.largest_not_excluded = Some(1.7);
    open.detectable_ratio = Some(1.45);
    let rows = vec![
        measured(
            "tierprobe_syscall_seconds",
            "getppid",
            (169e-9, 211e-9),
            [1.25, 1.21, 1.29],
            Verdict::Slower,
        ),
        measured(
            "tierprobe_page_fault_seconds",
            "first",
            (1.02e-6, 1.03e-6),
            [1.01, 0.99, 1.03],
            Verdict::NoDifference,
        ),
        open,
    ];
    let text = render(&comparison(rows, "container_in_vm"));
    let expected = "\
vm against container_in_vm: 14 and 22 instances, 24 h, 95 % intervals

cost                n       vm  container_in_vm  ratio
syscall getppid    38   169 ns           211 ns  1.25 [1.21, 1.29] slower
page fault first   38  1.02 µs          1.03 µs  1.01 [0.99, 1.03] no difference
storage fdatasync  38  98.0 µs           131 µs  1.34 [0.97, 1.80] inconclusive

  Disturbed rounds: none of vm, 1.2 % of container_in_vm.
! 19 of 22 container_in_vm instances run under a seccomp filter, 0 of 14 vm:
  this alone makes a system call dearer. Compare like with like: --where
  seccomp=none.
! Inconclusive (the interval holds both no difference and one that matters):
  storage fdatasync (any difference is below 1.70; 1.45 would have been found).

  n: clean rounds of the side with fewer; ratio: candidate to baseline; no
  difference: below 3 %.
";
    assert_eq!(text, expected, "\n{text}");
    fits(&text);
}

#[test]
fn short_names_of_groups_stand_above_their_columns() {
    let row =
        measured("tierprobe_syscall_seconds", "read", (169e-9, 211e-9), [1.25, 1.21, 1.29], Verdict::Slower);
    let text = render(&comparison(vec![row], "container"));
    assert!(text.contains(" n      vm  container  ratio\n"), "{text}");
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    let long =
        "a_label_value_that_is_far_too_long_for_any_terminal_of_eighty_columns_and_still_goes_on_and_on";
    let mut rows: Vec<Row> = ["getppid", "same_cpu cold loopback", long]
        .into_iter()
        .map(|label| {
            let wide = [1234.0, 0.0123, 98_765.0];
            measured(
                "tierprobe_network_round_trip_seconds",
                label,
                (0.123, 4567.8),
                wide,
                Verdict::NoDifference,
            )
        })
        .collect();
    rows[0].here = Some(Here {
        verdict: Verdict::NoDifference,
        reason: None,
        ratio: 0.05,
        ratio_low: Some(0.0412),
        ratio_high: None,
        tipping_spread: 0.1,
    });
    let text = render(&comparison(rows, "container_in_microvm"));
    fits(&text);
    assert!(text.contains("no diff. here"), "{text}");
    assert!(text.contains("here: these two instances only"), "{text}");
}

#[test]
fn a_verdict_with_something_beside_it_is_marked_and_the_mark_is_explained() {
    let mut rows: Vec<Row> = [Verdict::Slower, Verdict::NoDifference, Verdict::Faster, Verdict::Inconclusive]
        .into_iter()
        .map(|verdict| {
            measured("tierprobe_syscall_seconds", verdict.as_str(), (1e-7, 1e-7), [1.0, 0.9, 1.1], verdict)
        })
        .collect();
    rows[0].tags = vec![Tag::Confounded];
    rows[1].tags = vec![Tag::Confounded, Tag::Provisional];
    rows[3].tags = vec![Tag::Confounded, Tag::Provisional];
    let text = render(&comparison(rows, "container"));
    fits(&text);
    for line in [
        "slower*\n",
        "no difference?*\n",
        "faster\n",
        "inconclusive\n",
        "  *: confounded",
        "  ?: provisional",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let plain = render(&comparison(vec![full_row()], "container"));
    assert!(!plain.contains("*:"), "{plain}");
}

#[test]
fn rows_of_one_side_are_named_below_the_table() {
    let mut firmware =
        measured("tierprobe_boot_duration_seconds", "firmware", (1.0, 1.0), [1.0; 3], Verdict::Inconclusive);
    firmware.reason = Some(Reason::NoData);
    firmware.candidate.hosts = 0;
    firmware.candidate.median = None;
    let text = render(&comparison(vec![firmware], "container"));
    assert!(
        text.contains("Not compared, as container has no usable value: boot duration firmware."),
        "{text}"
    );
    assert!(text.contains("(no row has a value on both sides)"), "{text}");
}
