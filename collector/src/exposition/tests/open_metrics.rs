//! OpenMetrics: the example of the specification, and each rule broken by itself.

use super::*;

/// A family of each type.
const EXAMPLE: &str = "# TYPE acme_http_router_request_seconds summary\n\
    # UNIT acme_http_router_request_seconds seconds\n\
    # HELP acme_http_router_request_seconds Latency though all of ACME's HTTP request router.\n\
    acme_http_router_request_seconds_sum{path=\"/api/v1\",method=\"GET\"} 9036.32\n\
    acme_http_router_request_seconds_count{path=\"/api/v1\",method=\"GET\"} 807283.0\n\
    acme_http_router_request_seconds_created{path=\"/api/v1\",method=\"GET\"} 1605281325.0\n\
    acme_http_router_request_seconds_sum{path=\"/api/v2\",method=\"POST\"} 479.3\n\
    acme_http_router_request_seconds_count{path=\"/api/v2\",method=\"POST\"} 34.0\n\
    acme_http_router_request_seconds{path=\"/api/v2\",method=\"POST\",quantile=\"0.95\"} 1\n\
    # TYPE go_goroutines gauge\n\
    # HELP go_goroutines Number of \\\"goroutines\\\" that currently exist.\n\
    go_goroutines 69 1605281325.5\n\
    # TYPE process_cpu_seconds counter\n\
    # UNIT process_cpu_seconds seconds\n\
    process_cpu_seconds_total 4.20072246e+06 # {trace_id=\"KOO5S4vxi0o\"} 0.67 1605281325\n\
    # TYPE foo histogram\n\
    foo_bucket{le=\"0.01\"} 0\n\
    foo_bucket{le=\"+Inf\"} 17 # {} 0.3\n\
    foo_count 17\n\
    foo_sum 324789.3\n\
    # TYPE q gaugehistogram\n\
    q_bucket{le=\"+Inf\"} 4\n\
    q_gcount 4\n\
    q_gsum -1.5\n\
    # TYPE build info\n\
    build_info{version=\"8.2.7\"} 1\n\
    # TYPE feature stateset\n\
    feature{feature=\"a\"} 1\n\
    feature{feature=\"b\"} 0\n\
    # TYPE strange unknown\n\
    strange NaN\n\
    # TYPE empty gauge\n\
    bare{label=\"\"} -Inf\n\
    # EOF\n";

fn open(text: &str) -> Result<(), ExpositionError> {
    struct Nobody;
    impl<'a> Sink<'a> for Nobody {
        fn family(&mut self, _: &Head<'a>) {}
        fn line(&mut self, _: &Line<'a, '_>) {}
    }
    read(text, Format::OpenMetrics, &mut Nobody)
}

#[test]
fn the_example_is_read() {
    let families = parse(EXAMPLE).unwrap();
    let names: Vec<(&str, Kind, usize)> =
        families.iter().map(|family| (family.name.as_str(), family.kind, family.samples.len())).collect();
    assert_eq!(
        names,
        [
            ("acme_http_router_request_seconds", Kind::Summary, 6),
            ("go_goroutines", Kind::Gauge, 1),
            ("process_cpu_seconds", Kind::Counter, 1),
            ("foo", Kind::Histogram, 4),
            ("q", Kind::GaugeHistogram, 3),
            ("build", Kind::Info, 1),
            ("feature", Kind::StateSet, 2),
            ("strange", Kind::Untyped, 1),
            ("empty", Kind::Gauge, 0),
            ("bare", Kind::Untyped, 1),
        ]
    );
    assert_eq!(families[1].help.as_deref(), Some("Number of \"goroutines\" that currently exist."));
    assert_eq!(families[1].samples[0].timestamp_ms, Some(1_605_281_325_500));
    assert_eq!(open(EXAMPLE.trim_end()), Ok(()), "the last line feed may be missing");
}

#[test]
fn exemplars_are_told() {
    #[derive(Default)]
    struct Exemplars(Vec<(String, f64, Option<f64>)>);
    impl<'a> Sink<'a> for Exemplars {
        fn family(&mut self, _: &Head<'a>) {}
        fn line(&mut self, line: &Line<'a, '_>) {
            self.0.extend(line.exemplar.map(|one| (line.series.to_owned(), one.value, one.timestamp)));
        }
    }
    let mut found = Exemplars::default();
    read(EXAMPLE, Format::OpenMetrics, &mut found).unwrap();
    let counter = ("process_cpu_seconds_total".to_owned(), 0.67, Some(1_605_281_325.0));
    assert_eq!(found.0, [counter, ("foo_bucket{le=\"+Inf\"}".to_owned(), 0.3, None)]);
}

#[test]
fn the_end_is_the_end() {
    assert_eq!(open("a 1\n").unwrap_err().problem, Problem::NoEnd);
    assert_eq!(open("a 1").unwrap_err().problem, Problem::NoEnd);
    assert_eq!(open("").unwrap_err().problem, Problem::NoEnd);
    assert_eq!(open("# EOF\na 1\n").unwrap_err().problem, Problem::AfterEnd);
    assert_eq!(open("# EOF\n\n").unwrap_err().problem, Problem::AfterEnd);
    assert_eq!(open("# EOF\n"), Ok(()));
}

#[test]
fn the_form_is_strict() {
    for (line, column) in [
        ("a  1", 3),
        ("a\t1", 2),
        (" a 1", 1),
        ("a 1 ", 5),
        ("a{x=\"1\",} 1", 9),
        ("a{ x=\"1\"} 1", 3),
        ("a{x=\"1\"}1", 9),
        ("a 1 2 3", 6),
        ("a 1 NaN", 5),
        ("a 1 # x", 7),
        ("a 1 #{} 1", 4),
        ("a", 2),
        ("", 1),
        ("# a remark", 2),
        ("#TYPE a gauge", 2),
        ("# TYPE a untyped", 10),
        ("# TYPE a", 9),
        ("# HELP a \\", 10),
    ] {
        let error = open(&format!("{line}\n# EOF\n")).expect_err(line);
        assert_eq!((error.line, error.column), (1, column), "{line:?}: {error}");
    }
}

#[test]
fn each_rule_is_one() {
    for (text, said) in [
        ("# TYPE a counter\na_total -1\n", "not negative"),
        ("# TYPE a counter\na_total NaN\n", "not negative"),
        ("# TYPE a histogram\na_bucket{le=\"1\"} 1\na_count 1\n", "+Inf"),
        ("# TYPE a histogram\na_bucket{le=\"1\"} 1\n# TYPE b gauge\n", "+Inf"),
        ("# TYPE a histogram\na_count 1\n", "+Inf"),
        ("# TYPE a histogram\na_bucket{le=\"2\"} 1\na_bucket{le=\"1\"} 1\n", "order"),
        ("# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\n", "cumulative"),
        ("# TYPE a histogram\na_bucket{le=\"+Inf\"} 1.5\n", "whole number"),
        ("# TYPE a histogram\na_bucket 1\n", "le"),
        ("# TYPE a summary\na{quantile=\"1.5\"} 1\n", "0 to 1"),
        ("# TYPE a summary\na 1\n", "quantile"),
        ("# TYPE a info\na_info 2\n", "is 1"),
        ("# TYPE a stateset\na{a=\"x\"} 2\n", "0 or 1"),
        ("# TYPE a stateset\na{b=\"x\"} 1\n", "called as its family"),
        ("# TYPE a gauge\na 1 # {} 1\n", "exemplars"),
        ("# TYPE a gauge\n# UNIT a seconds\na 1\n", "end with"),
        ("# TYPE a_seconds info\n# UNIT a_seconds seconds\n", "no unit"),
        ("# TYPE a summary\na_sum{x=\"1\"} 1\na_sum{x=\"2\"} 1\na_count{x=\"1\"} 1\n", "stand together"),
        ("# TYPE a summary\na_sum 1 5\na_count 1\n", "timestamp"),
    ] {
        let error = open(&format!("{text}# EOF\n")).expect_err(text);
        assert!(error.to_string().contains(said), "{text:?}: {error}");
    }
    let long = format!("# TYPE a counter\na_total 1 # {{x=\"{}\"}} 1\n# EOF\n", "y".repeat(128));
    assert!(open(&long).unwrap_err().to_string().contains("128"));
}

/// Names that two families' lines could share, whichever comes first and whether the line is there or not.
#[test]
fn names_of_lines_do_not_meet() {
    for (one, other, shared) in [
        ("a counter", "a_total gauge", "a_total"),
        ("a counter", "a_created unknown", "a_created"),
        ("a histogram", "a_count unknown", "a_count"),
        ("a histogram", "a_bucket stateset", "a_bucket"),
        ("a histogram", "a_sum summary", "a_sum"),
        ("a summary", "a_sum gauge", "a_sum"),
        ("a gaugehistogram", "a_gsum gauge", "a_gsum"),
        ("a info", "a_info gauge", "a_info"),
        ("a_b_c counter", "a_b_c_total gauge", "a_b_c_total"),
    ] {
        for (first, second) in [(one, other), (other, one)] {
            let error = open(&format!("# TYPE {first}\n# TYPE {second}\n# EOF\n")).expect_err(first);
            let said = format!("line called {shared}");
            assert!(error.to_string().contains(&said), "{first}, {second}: {error}");
        }
    }
    let error = open("# TYPE a counter\na_total 1\n# TYPE b gauge\nb 1\na_total 1\n# EOF\n").unwrap_err();
    assert_eq!(
        (error.line, error.to_string().contains("a_total")),
        (5, true),
        "a line without a type: {error}"
    );
    for (one, other) in [
        ("a counter", "a_count gauge"),
        ("a counter", "a_total counter"),
        ("a gauge", "a_total counter"),
        ("a gauge", "a_count histogram"),
        ("a gauge", "a_sum gauge"),
        ("a info", "a_total gauge"),
    ] {
        for (first, second) in [(one, other), (other, one)] {
            assert_eq!(
                open(&format!("# TYPE {first}\n# TYPE {second}\n# EOF\n")),
                Ok(()),
                "{first}, {second}"
            );
        }
    }
}

#[test]
fn the_format_is_seen_by_its_end() {
    assert_eq!(Format::guess("a 1\n# EOF\n"), Format::OpenMetrics);
    assert_eq!(Format::guess("# EOF"), Format::OpenMetrics);
    for text in ["", "a 1\n", "# EOF\na 1\n", "x# EOF\n"] {
        assert_eq!(Format::guess(text), Format::Text, "{text:?}");
    }
    let of = Format::of_media_type;
    assert_eq!(of("application/openmetrics-text; version=1.0.0; charset=utf-8"), Some(Format::OpenMetrics));
    assert_eq!((of("Text/Plain"), of("text/html")), (Some(Format::Text), None));
}

/// "A single backslash SHOULD NOT be used for undefined escape sequences. As an example, `\\\\a` is equivalent and
/// preferable to `\\a`."
#[test]
fn a_backslash_that_begins_no_escape_stands_for_itself() {
    let text =
        "# TYPE a gauge\n# HELP a C:\\dir\\new and \\\"quoted\\\"\na{path=\"C:\\dir\\äöü\\\\x\"} 1\n# EOF\n";
    let families = parse(text).unwrap();
    assert_eq!(families[0].samples[0].labels["path"], "C:\\dir\\äöü\\x");
    assert_eq!(families[0].help.as_deref(), Some("C:\\dir\new and \"quoted\""));
    // Both ways to write it are one series.
    let twice = "# TYPE a gauge\na{p=\"\\d\"} 1\na{p=\"\\\\d\"} 2\n# EOF\n";
    assert!(matches!(parse(twice).unwrap_err().problem, Problem::DuplicateSeries(_)));
    let point = "# TYPE a summary\na_sum{p=\"\\d\"} 1\na_count{p=\"\\\\d\"} 2\na_sum{p=\"e\"} 1\na{p=\"\\d\",quantile=\"1\"} 1\n# EOF\n";
    assert!(parse(point).unwrap_err().to_string().contains("must stand together"), "{:?}", parse(point));
    assert!(parse("# HELP a x\\\n# EOF\n").is_err() && parse("a{p=\"\\").is_err());
    // The text format knows three escapes and no others, as Prometheus reads it.
    assert!(parse("a{p=\"\\d\"} 1\n").is_err());
}
