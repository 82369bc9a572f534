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

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use openmetrics_parser::{MetricNumber, OpenMetricsValue, PrometheusValue};
use tierprobe_collector::exposition::{Family, Problem, parse};
use tierprobe_tests::fleet::Random;
use tierprobe_tests::need::need;

/// The values of each family, sorted, bit by bit.
type Values = BTreeMap<String, Vec<u64>>;

fn sorted(values: impl IntoIterator<Item = (String, Vec<f64>)>) -> Values {
    let sorted = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.into_iter().map(f64::to_bits).collect::<Vec<u64>>()
    };
    values
        .into_iter()
        .map(|(name, values)| (name, sorted(values)))
        .filter(|(_, values)| !values.is_empty())
        .collect()
}

fn ours(families: &[Family]) -> Values {
    let values = |family: &Family| family.samples.iter().map(|sample| sample.value).collect();
    sorted(families.iter().map(|family| (family.name.clone(), values(family))))
}

/// What openmetrics-parser reads.
fn theirs(text: &str, is_open: bool) -> Result<Values, String> {
    let number = MetricNumber::as_f64;
    if is_open {
        let parsed =
            openmetrics_parser::openmetrics::parse_openmetrics(text).map_err(|error| error.to_string())?;
        let values = |value: &OpenMetricsValue| match value {
            OpenMetricsValue::Unknown(value) | OpenMetricsValue::Gauge(value) => vec![number(value)],
            OpenMetricsValue::Counter(counter) => vec![number(&counter.value)],
            OpenMetricsValue::Histogram(histogram) => {
                let mut all: Vec<f64> =
                    histogram.buckets.iter().map(|bucket| number(&bucket.count)).collect();
                all.extend(histogram.sum.iter().map(number));
                #[expect(clippy::cast_precision_loss, reason = "generated counts are small")]
                all.extend(histogram.count.iter().map(|count| *count as f64));
                all
            }
            other => panic!("not generated: {other:?}"),
        };
        return Ok(sorted(parsed.families.iter().map(|(name, family)| {
            (name.clone(), family.iter_samples().flat_map(|sample| values(&sample.value)).collect())
        })));
    }
    let parsed = openmetrics_parser::prometheus::parse_prometheus(text).map_err(|error| error.to_string())?;
    let values = |value: &PrometheusValue| match value {
        PrometheusValue::Unknown(value) | PrometheusValue::Gauge(value) => vec![number(value)],
        PrometheusValue::Counter(counter) => vec![number(&counter.value)],
        PrometheusValue::Histogram(histogram) => {
            let mut all: Vec<f64> = histogram.buckets.iter().map(|bucket| number(&bucket.count)).collect();
            all.extend(histogram.sum.iter().map(number));
            #[expect(clippy::cast_precision_loss, reason = "generated counts are small")]
            all.extend(histogram.count.iter().map(|count| *count as f64));
            all
        }
        other => panic!("not generated: {other:?}"),
    };
    Ok(sorted(parsed.families.iter().map(|(name, family)| {
        (name.clone(), family.iter_samples().flat_map(|sample| values(&sample.value)).collect())
    })))
}

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

struct Generator(Random);

impl Generator {
    fn below(&mut self, limit: u32) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to below the limit"
        )]
        let number = (self.0.uniform() * f64::from(limit)) as u32;
        number
    }

    fn one_of<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(u32::try_from(of.len()).unwrap()) as usize]
    }

    /// An exposition of gauges, counters, histograms and what has no type.
    fn text(&mut self, is_open: bool) -> String {
        let mut text = String::new();
        for at in 0..1 + self.below(5) {
            let kind = self.one_of(&["gauge", "counter", "histogram", ""]);
            let name = format!("family_{at}");
            let help = self.one_of(&["", "What it is.", "With \\\\ and \\n in it."]);
            if !kind.is_empty() {
                let _infallible = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            }
            for series in 0..1 + self.below(4) {
                let value = self.one_of(&["0", "1", "17", "0.1", "2.5e-7", "123456789.125", "+Inf"]);
                let label =
                    self.one_of(&["", "a", "b c", "\\\"quoted\\\"", "line\\nfeed", "back\\\\slash", "ä"]);
                let labels = format!("series=\"{series}\",label=\"{label}\"");
                let _infallible = match kind {
                    "histogram" => writeln!(
                        text,
                        "{name}_bucket{{{labels},le=\"0.5\"}} 1\n{name}_bucket{{{labels},le=\"+Inf\"}} 3\n\
                         {name}_sum{{{labels}}} 2.5\n{name}_count{{{labels}}} 3"
                    ),
                    "counter" if is_open => writeln!(text, "{name}_total{{{labels}}} {value}"),
                    _ => writeln!(text, "{name}{{{labels}}} {value}"),
                };
            }
        }
        text + if is_open { "# EOF\n" } else { "" }
    }

    /// The same with one character changed, taken away, or put in.
    fn damaged(&mut self, text: &str) -> String {
        let mut characters: Vec<char> = text.chars().collect();
        let at = self.below(u32::try_from(characters.len()).unwrap()) as usize;
        let new = self
            .one_of(&["\"", "\\", "{", "}", ",", "=", " ", "\n", "#", "x", "1", ".", "-"])
            .chars()
            .next()
            .unwrap();
        match self.below(3) {
            0 => characters[at] = new,
            1 => {
                characters.remove(at);
            }
            _ => characters.insert(at, new),
        }
        characters.into_iter().collect()
    }
}

#[test]
fn what_is_generated_is_read_alike() {
    let mut generator = Generator(Random::new(1));
    let mut compared = 0;
    for round in 0..400 {
        let is_open = round % 2 == 1;
        let text = generator.text(is_open);
        let read = ours(&parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}")));
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
            // twice, a family in two places, a bucket without its bound, a label that is there twice.
            (Err(error), Ok(())) => assert!(
                matches!(
                    error.problem,
                    Problem::DuplicateSeries(_)
                        | Problem::Split(_)
                        | Problem::MissingLabel { .. }
                        | Problem::DuplicateLabel(_)
                        | Problem::LateHeader { .. }
                ),
                "only promtool takes it: {error}\n{text}"
            ),
            (Ok(_), Err(error)) => panic!("only promtool refuses it: {error}\n{text}"),
        }
    }
    assert!(refused > 20, "{refused} texts were refused: the damage does too little");
}

#[test]
fn the_known_differences_from_promtool_are_still_there() {
    let Some(program) = need("promtool") else { return };
    for (text, taken_by_us, reason) in [
        ("a 1\na 1\n", false, "a series twice says two things"),
        ("# TYPE a summary\na 1\n", false, "a quantile that does not say which"),
        ("# TYPE a histogram\na_bucket 1\n", false, "a bucket that does not say which"),
        ("# TYPE a GAUGE\na 1\n", false, "types are written in lower case"),
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
    let text = golden.replace(" VALUE\n", " 17\n");
    let families = parse(&text).unwrap();
    let parsed = openmetrics_parser::prometheus::parse_prometheus(&text).unwrap();
    assert_eq!(parsed.families.len(), families.len());
    if let Some(program) = need("promtool") {
        promtool(&program, &text).unwrap();
    }
}
