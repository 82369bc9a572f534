//! What must hold in every form of a report, from observations on.

use super::*;
use crate::compare::tests::{around, instance, labelled, tier};
use crate::compare::{Row, compare};
use crate::observation::{Collected, Observation};

const FORMATS: [Format; 5] = [Format::Table, Format::Markdown, Format::Html, Format::Json, Format::Csv];

fn compared(collected: Vec<Collected>, options: &Options) -> (Comparison, Dataset) {
    let dataset = Dataset::new(collected);
    (compare(&dataset, options).unwrap(), dataset)
}

/// The report without line breaks, so that where a sentence is broken does not matter.
fn told(collected: Vec<Collected>, format: Format) -> String {
    let options = Options::default();
    let (comparison, dataset) = compared(collected, &options);
    let text = render(&Input::new(&comparison, &dataset, &options), format).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Sandboxes of which every second round is disturbed and takes twice as long.
fn noisy(hosts: usize) -> Vec<Collected> {
    let disturbed: Vec<usize> = (0..10).collect();
    let host = |i: usize| {
        let mut values = around(1.0, 20);
        disturbed.iter().for_each(|round| values[*round] *= 2.0);
        instance(&format!("noisy-{i}"), "sandbox", &values, &disturbed)
    };
    (0..hosts).map(host).collect()
}

/// Hosts of which means and ranks say different things, against those of [`tier`].
fn two_of_six_dearer() -> Vec<Collected> {
    let host =
        |(i, centre): (usize, f64)| instance(&format!("micro-{i}"), "microvm", &around(centre, 20), &[]);
    [1.04, 1.042, 1.044, 1.046, 1.38, 1.39].into_iter().enumerate().map(host).collect()
}

/// What a page shows: without its style sheet, its markup, and the section that explains the method.
fn shown(page: &str) -> String {
    let mut text = String::new();
    let cut = |text: &str, from: &str, to: &str| match text.split_once(from) {
        Some((before, rest)) => before.to_owned() + rest.split_once(to).map_or("", |(_, after)| after),
        None => text.to_owned(),
    };
    let page = cut(&cut(page, "<style>", "</style>"), "<section id=\"method\"", "</section>");
    for piece in page.split('<') {
        text.push_str(piece.split_once('>').map_or(piece, |(_, text)| text));
        text.push(' ');
    }
    text
}

#[test]
fn nothing_in_a_live_report_is_a_verdict() {
    let short = instance("short", "container", &around(2.0, 20), &[]);
    let fleet = [tier("vm", 6, 1.0), noisy(4), two_of_six_dearer(), vec![short]].concat();
    let options = Options::default();
    let (comparison, dataset) = compared(fleet, &options);
    let kinds: Vec<&str> =
        comparison.rows().flat_map(|row| &row.warnings).map(crate::warning::Warning::kind).collect();
    assert!(kinds.contains(&"disturbance_sensitive") && kinds.contains(&"methods_disagree"), "{kinds:?}");
    let live = comparison.without_verdicts();
    for format in FORMATS {
        let text = render(&Input::new(&live, &dataset, &options), format).unwrap();
        let text = if format == Format::Html { shown(&text) } else { text }.to_lowercase();
        for word in ["slower", "faster", "no difference", "no_difference", "inconclusive", "means and ranks"]
        {
            assert!(!text.contains(word), "{word} in {format:?}: {text}");
        }
        assert!(text.contains("live"), "{format:?}: {text}");
    }
}

#[test]
fn nothing_is_said_of_verdicts_that_a_store_takes_back() {
    let note = crate::source::Note { source: "s".into(), text: "slow block".into(), is_warning: true };
    let dataset = Dataset::new([tier("vm", 6, 1.0), noisy(4), two_of_six_dearer()].concat());
    let options = Options::default();
    let comparison = compare(&dataset.with_notes(vec![note]), &options).unwrap();
    for row in comparison.rows() {
        let kinds: Vec<&str> = row.warnings.iter().map(crate::warning::Warning::kind).collect();
        assert!(!kinds.contains(&"disturbance_sensitive") && !kinds.contains(&"methods_disagree"), "{row:?}");
        let tags: Vec<&str> = row.tags.iter().map(|tag| tag.as_str()).collect();
        assert!(!tags.contains(&"disturbance_sensitive") && !tags.contains(&"methods_disagree"), "{tags:?}");
    }
}

/// Hosts that are far apart, with as many system calls as asked for.
fn open(name: &str, calls: usize) -> Vec<Collected> {
    let mut hosts = tier(name, 5, 1.0);
    for (i, host) in hosts.iter_mut().enumerate() {
        let rounds = std::mem::take(&mut host.observations);
        for call in 0..calls {
            let apart = 1.0 + 0.02 * crate::stats::real((i * (call + 3)) % 5);
            host.observations.extend(rounds.iter().map(|round| Observation {
                labels: [("syscall".into(), format!("call{call}"))].into(),
                value: round.value * if name == "vm" { 1.0 } else { apart },
                ..round.clone()
            }));
        }
    }
    hosts
}

/// One more system call, which takes sandboxes nine times as long.
fn with_dear_call(host: &mut Collected) {
    let times = if host.instance.labels["tier"] == "vm" { 1.0 } else { 9.0 };
    let dear = |round: &Observation| Observation {
        labels: [("syscall".into(), "dear".into())].into(),
        value: round.value * times,
        ..round.clone()
    };
    let rounds: Vec<Observation> = host.observations.iter().take(20).map(dear).collect();
    host.observations.extend(rounds);
}

#[test]
fn what_is_open_has_its_bounds_however_many_rows_are() {
    for (calls, is_all) in [(9, true), (9, false), (2, true)] {
        let mut fleet = [open("vm", calls), open("sandbox", calls)].concat();
        if !is_all {
            fleet.iter_mut().for_each(with_dear_call);
        }
        let (comparison, _) = compared(fleet.clone(), &Options::default());
        let open: Vec<&Row> = comparison.rows().filter(|row| row.reason.is_some()).collect();
        let ends = |number: fn(&Row) -> Option<f64>| {
            let mut numbers: Vec<f64> = open.iter().filter_map(|row| number(row)).collect();
            numbers.sort_by(f64::total_cmp);
            assert_eq!(numbers.len(), calls);
            [numbers[0], numbers[calls - 1]].map(figure::ratio)
        };
        let (largest, found) = (ends(|row| row.largest_not_excluded), ends(|row| row.detectable_ratio));
        for format in [Format::Table, Format::Markdown] {
            let text = told(fleet.clone(), format);
            if calls == 2 {
                for [largest, found] in [[&largest[0], &found[0]], [&largest[1], &found[1]]] {
                    let words = format!("(any difference is below {largest}; {found} would have been found)");
                    assert!(text.contains(&words), "{words}: {text}");
                }
                continue;
            }
            let who = if is_all { "all rows" } else { "and 5 more" };
            let words = format!(
                "{who} (any difference is below {}; {} would have been found)",
                largest.join(" to "),
                found.join(" to ")
            );
            assert!(text.contains(&words), "{words}: {text}");
        }
    }
}

#[test]
fn many_rows_of_one_side_are_not_all_named() {
    let mut fleet = [open("vm", 9), open("sandbox", 1)].concat();
    fleet.truncate(10);
    let text = told(fleet, Format::Table);
    assert!(text.contains("sandbox has no usable value: ") && text.contains(" and 4 more."), "{text}");
}

fn with_model(collected: Vec<Collected>, models: &[&str]) -> Vec<Collected> {
    collected
        .into_iter()
        .zip(models.iter().cycle())
        .map(|(one, model)| labelled(one, "cpu_model", model))
        .collect()
}

#[test]
fn ranks_are_not_said_to_decide_where_they_do_not() {
    let apart = |mut fleet: Vec<Collected>| {
        fleet[2].observations.iter_mut().for_each(|round| round.value *= 4.0);
        fleet
    };
    let sides = || (apart(tier("vm", 12, 1.0)), tier("sandbox", 12, 1.2));
    let (vm, sandbox) = sides();
    let ranked = told([vm, sandbox].concat(), Format::Table);
    assert!(ranked.contains("most rows: vm-2. They are in, ranks decide there"), "{ranked}");
    let (vm, sandbox) = sides();
    let models = ["a", "b"];
    let stratified = told([with_model(vm, &models), with_model(sandbox, &models)].concat(), Format::Table);
    assert!(stratified.contains("kinds of hosts that are alike"), "{stratified}");
    assert!(stratified.contains("most rows: vm-2. They are in, and the intervals are wide"), "{stratified}");
    assert!(!stratified.contains("ranks decide"), "{stratified}");
}

#[test]
fn the_heading_counts_what_is_compared() {
    let sides = || (tier("vm", 6, 1.0), tier("sandbox", 6, 2.0));
    let (vm, sandbox) = sides();
    let vm = with_model(vm, &["a", "b", "b"]);
    let sandbox = with_model(sandbox, &["a", "c", "c"]);
    for format in [Format::Table, Format::Markdown] {
        let text = told([vm.clone(), sandbox.clone()].concat(), format);
        assert!(text.contains("vm against sandbox: 2 of 6 and 2 of 6 instances, "), "{text}");
    }
    let page = told([vm.clone(), sandbox.clone()].concat(), Format::Html);
    assert!(page.contains("2 of 6 hosts against 2 of 6 hosts"), "{page}");
    let json = told([vm, sandbox].concat(), Format::Json);
    assert!(json.contains(r#""compared": { "baseline": { "instances": 2, "hosts": 2,"#), "{json}");
    let (vm, sandbox) = sides();
    let all = told([vm, sandbox].concat(), Format::Table);
    assert!(all.contains("vm against sandbox: 6 and 6 instances, "), "{all}");
}

#[test]
fn the_share_of_disturbed_rounds_is_always_told() {
    for format in [Format::Table, Format::Markdown] {
        let some = told([tier("vm", 4, 1.0), noisy(4)].concat(), format);
        assert!(some.contains("Disturbed rounds: none of vm, 50 % of sandbox"), "{some}");
        let none = told([tier("vm", 4, 1.0), tier("sandbox", 4, 1.0)].concat(), format);
        assert!(none.contains("Disturbed rounds: none of vm, none of sandbox"), "{none}");
    }
}

#[test]
fn who_has_few_rounds_because_of_the_window_is_not_told_to_measure_longer() {
    let mut vm = tier("vm", 4, 1.0);
    vm[0].observations.iter_mut().for_each(|round| round.timestamp -= 180.0);
    let short = instance("short", "sandbox", &around(2.0, 9), &[]);
    let text = told([vm, tier("sandbox", 4, 2.0), vec![short]].concat(), Format::Table);
    // The sandboxes begin later than this one, whose rounds the window cuts to eight.
    assert!(text.contains("clean rounds: short. Measure longer."), "{text}");
    let words =
        "Left out of rows for fewer than ten clean rounds within the window: vm-0. Their others lie outside";
    assert!(text.contains(words), "{text}");
}

#[test]
fn what_targets_call_themselves_is_shown_and_not_obeyed() {
    let evil = "vm\u{1b}]0;pwn\u{7}";
    let mut fleet = [tier(evil, 2, 1.0), tier("sandbox", 2, 2.0)].concat();
    for host in &mut fleet {
        let labels: crate::observation::Labels =
            [("syscall".into(), "a\u{1b}[2J\n|\u{202e}\u{9b}".into())].into();
        host.observations.iter_mut().for_each(|round| round.labels = labels.clone());
    }
    let options = Options::default();
    let (comparison, dataset) = compared(fleet, &options);
    for format in [Format::Table, Format::Markdown] {
        let text = render(&Input::new(&comparison, &dataset, &options), format).unwrap();
        let raw: Vec<char> =
            text.chars().filter(|c| *c != '\n' && (c.is_control() || *c == '\u{202e}')).collect();
        assert!(raw.is_empty(), "{raw:?}: {text:?}");
        let name = r"a\u{1b}[2J\u{a}|\u{202e}\u{9b}";
        let name = if format == Format::Markdown {
            name.replace('\\', r"\\").replace('[', r"\[").replace('|', r"\|")
        } else {
            name.to_owned()
        };
        assert!(text.lines().any(|line| line.contains(&name)), "{name}: {text}");
    }
}
