//! The parser of expositions beside those that others trust: the openmetrics-parser crate and promtool.
//!
//! Generated texts are taken by all, with the same values; damaged ones are refused by all. Where they differ, the
//! difference is in a table below, with its reason.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

#[path = "expositions/facts.rs"]
mod facts;
#[path = "expositions/generator.rs"]
mod generator;

use std::io::Write as _;
use std::process::{Command, Stdio};

use facts::{ours, theirs};
use generator::Generator;
use tierprobe_collector::exposition::{Problem, parse};
use tierprobe_tests::fleet::Random;
use tierprobe_tests::need::need;

/// Whether promtool can parse a text; what it says of names does not matter here.
fn promtool(program: &std::path::Path, text: &str) -> Result<(), String> {
    let mut child = Command::new(program)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("error while linting") { Err(said) } else { Ok(()) }
}

#[test]
fn what_is_generated_is_read_alike() {
    let mut generator = Generator(Random::new(1));
    let mut compared = 0;
    for round in 0..400 {
        let is_open = round % 2 == 1;
        let text = generator.text(is_open);
        let read = ours(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        match theirs(&text, is_open) {
            Ok(values) => {
                assert_eq!(read, values, "{text}");
                compared += 1;
            }
            Err(error) => assert!(known_of_the_crate(&text, &error), "{error}\n{text}"),
        }
    }
    assert!(compared > 100, "only {compared} of 400 texts could be compared");
}

/// How many families a generated text has.
fn families(text: &str) -> usize {
    (0..5).filter(|at| text.contains(&format!("family_{at}"))).count()
}

/// Where openmetrics-parser 0.5.1 refuses what the formats allow.
fn known_of_the_crate(text: &str, error: &str) -> bool {
    // A counter may be infinite; it asks for no more than "not NaN" in words, and for finite ones in deed.
    (error.contains("ounter") && text.contains("+Inf"))
        // A family need not say its type; there, its lines are taken for those of the family before it.
        || text.matches("# TYPE").count() < families(text)
        // An empty HELP is a HELP.
        || (text.lines().any(|line| line.starts_with("# HELP") && line.ends_with(' ')) && error.contains("expected"))
}

/// Where it is right to refuse what says nothing wrong of what a comparison needs, and where it is stricter than the
/// format.
fn is_stricter(text: &str, error: &str) -> bool {
    let is_without_digit =
        |line: &str| line.split(' ').any(|word| word.trim_start_matches(['+', '-']).starts_with('.'));
    // Lines of one series at two times: nobody here asks when a line was taken.
    error.contains("Timestamps went backwarts")
        // Series of a family should have the same labels, and need not.
        || error.contains("different label sets")
        // A family need not say its type; there, its lines are taken for those of the family before it.
        || ["Invalid Name in metric family", "Invalid metric name in family", "Found weird metric name"]
            .iter()
            .any(|sign| error.contains(sign))
        || error.contains("Missing mandatory label for metric: quantile")
        // A number may begin with its point.
        || (["expected number", "expected timestamp"].iter().any(|sign| error.contains(sign)) && text.lines().any(is_without_digit))
}

#[test]
fn what_is_damaged_is_refused_alike() {
    let Some(program) = need("promtool") else { return };
    let mut generator = Generator(Random::new(2));
    let mut refused = 0;
    for _ in 0..150 {
        let whole = generator.text(false);
        let text = generator.damaged(&whole);
        match (parse(&text), promtool(&program, &text)) {
            (Ok(_), Ok(())) => {}
            (Err(_), Err(_)) => refused += 1,
            // What Prometheus' own client takes, and what says nothing that could be relied on: a series that is there
            // twice, a family in two places, a bucket without its bound, a label that is there twice. And of a type it
            // leaves out backslashes.
            (Err(error), Ok(())) => assert!(
                matches!(
                    error.problem,
                    Problem::DuplicateSeries(_)
                        | Problem::Split(_)
                        | Problem::MissingLabel { .. }
                        | Problem::DuplicateLabel(_)
                        | Problem::LateHeader { .. }
                ) || matches!(&error.problem, Problem::UnknownType(word) if word.contains('\\')),
                "only promtool takes it: {error}\n{text}"
            ),
            // A blank at the end of a line: Prometheus itself skips it, promtool looks for a time behind it.
            (Ok(_), Err(error)) => assert!(
                error.contains("expected integer as timestamp, got \"\"")
                    && text.lines().any(|line| !line.starts_with('#') && line.ends_with(' ')),
                "only promtool refuses it: {error}\n{text}"
            ),
        }
    }
    assert!(refused > 20, "{refused} texts were refused: the damage does too little");
}

#[test]
fn damaged_open_metrics_is_refused_alike() {
    let mut generator = Generator(Random::new(3));
    let (mut refused, mut alike) = (0, 0);
    let mut differences: Vec<String> = Vec::new();
    for _ in 0..2000 {
        let whole = generator.text(true);
        if theirs(&whole, true).is_err() {
            continue;
        }
        let text = generator.damaged(&whole);
        if !text.ends_with("# EOF\n") {
            continue;
        }
        match (ours(&text), theirs(&text, true)) {
            (Ok(mut ours), Ok(theirs)) => {
                // It has one time for all lines of a series, and takes the last one for it.
                for (family, facts) in &mut ours {
                    let theirs = theirs.get(family);
                    facts.retain(|fact| {
                        let is_time = fact.contains(" at ") && !fact.contains(" such as ");
                        !is_time || theirs.is_some_and(|theirs| theirs.contains(fact))
                    });
                }
                alike += 1;
                if ours != theirs {
                    differences.push(format!("{ours:?}\n{theirs:?}\n{text}"));
                }
            }
            (Err(_), Err(_)) => refused += 1,
            (Err(error), Ok(_)) => differences.push(format!("only the crate takes it: {error}\n{text}")),
            (Ok(_), Err(error)) if known_of_the_crate(&text, &error) || is_stricter(&text, &error) => {}
            (Ok(_), Err(error)) => differences.push(format!("only the crate refuses it: {error}\n{text}")),
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(refused > 200 && alike > 100, "{refused} were refused, {alike} read alike");
}

#[test]
fn the_known_differences_from_promtool_are_still_there() {
    let Some(program) = need("promtool") else { return };
    for (text, taken_by_us, reason) in [
        ("a 1\na 1\n", false, "a series twice says two things"),
        ("# TYPE a summary\na 1\n", false, "a quantile that does not say which"),
        ("# TYPE a histogram\na_bucket 1\n", false, "a bucket that does not say which"),
        ("# TYPE a GAUGE\na 1\n", false, "types are written in lower case"),
        ("# TYPE a ga\\uge\na 1\n", false, "there are no escapes in a type"),
    ] {
        assert_eq!(parse(text).is_ok(), taken_by_us, "{text}: {reason}");
        assert_eq!(promtool(&program, text).is_ok(), !taken_by_us, "{text}: {reason}");
    }
}

/// Names of lines that could be of two families are against OpenMetrics, and the crate does not look for them.
#[test]
fn names_that_clash_are_refused() {
    for text in [
        "# TYPE a counter\na_total 1\n# TYPE a_total gauge\na_total 1\n# EOF\n",
        "# TYPE a_total gauge\na_total 1\n# TYPE a counter\na_total 2\n# EOF\n",
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.line, 4, "{error}");
        assert!(matches!(error.problem, Problem::Clash { .. }), "{error}");
        assert!(theirs(text, true).is_ok(), "the crate has learnt of {text}");
    }
}

#[test]
fn the_agents_own_exposition_is_read_alike() {
    let golden =
        std::fs::read_to_string(tierprobe_tests::repository("tests/golden/exposition.prom")).unwrap();
    // Each number another one, so that none can stand in for another; growing, as buckets must.
    let mut values = 0..;
    let text: String = golden
        .lines()
        .map(|line| match line.strip_suffix(" VALUE") {
            Some(series) => format!("{series} {}\n", values.next().unwrap_or(0)),
            None => format!("{line}\n"),
        })
        .collect();
    assert!(values.start > 300, "{values:?}");
    assert_eq!(ours(&text).unwrap(), theirs(&text, false).unwrap());
    if let Some(program) = need("promtool") {
        promtool(&program, &text).unwrap();
    }
}
