use proptest::prelude::*;

use super::*;

mod open_metrics;

/// Writes families as the format wants them: the inverse of [`parse`].
fn print(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families {
        if let Some(help) = &family.help {
            let help = help.replace('\\', "\\\\").replace('\n', "\\n");
            text += &format!("# HELP {} {help}\n", family.name);
        }
        let kind = format!("{:?}", family.kind).to_lowercase();
        text += &format!("# TYPE {} {kind}\n", family.name);
        for sample in &family.samples {
            let labels: Vec<String> = sample
                .labels
                .iter()
                .map(|(name, value)| {
                    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                    format!("{name}=\"{value}\"")
                })
                .collect();
            text += &sample.name;
            if !labels.is_empty() {
                text += &format!("{{{}}}", labels.join(","));
            }
            text += &match sample.value {
                value if value == f64::INFINITY => " +Inf".to_owned(),
                value if value == f64::NEG_INFINITY => " -Inf".to_owned(),
                value => format!(" {value:?}"),
            };
            if let Some(timestamp) = sample.timestamp_ms {
                text += &format!(" {timestamp}");
            }
            text.push('\n');
        }
    }
    text
}

fn problem(text: &str) -> (usize, Problem) {
    let error = parse(text).expect_err(text);
    (error.line, error.problem)
}

#[test]
fn the_example_of_the_format_is_read() {
    let text = "# HELP http_requests_total The total number of HTTP requests.\n\
                # TYPE http_requests_total counter\n\
                http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n\
                http_requests_total{method=\"post\",code=\"400\"}    3 1395066363000\n\
                \n\
                # Escaping in label values:\n\
                msdos_file_access_time_seconds{path=\"C:\\\\DIR\\\\FILE.TXT\",error=\"Cannot find file:\\n\\\"FILE.TXT\\\"\"} 1.458255915e9\n\
                # Minimalistic line:\n\
                metric_without_timestamp_and_labels 12.47\n\
                # A weird metric from before the epoch:\n\
                something_weird{problem=\"division by zero\"} +Inf -3982045\n\
                # TYPE http_request_duration_seconds histogram\n\
                http_request_duration_seconds_bucket{le=\"0.05\"} 24054\n\
                http_request_duration_seconds_bucket{le=\"+Inf\",} 144320\n\
                http_request_duration_seconds_sum 53423\n\
                http_request_duration_seconds_count 144320\n\
                # TYPE rpc_duration_seconds summary\n\
                rpc_duration_seconds{quantile=\"0.01\"} 3102\n\
                rpc_duration_seconds{quantile=\"0.99\"} NaN\n\
                rpc_duration_seconds_sum 1.7560473e+07\n\
                rpc_duration_seconds_count 2693\n";
    let families = parse(text).unwrap();
    let names: Vec<&str> = families.iter().map(|family| family.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "http_requests_total",
            "msdos_file_access_time_seconds",
            "metric_without_timestamp_and_labels",
            "something_weird",
            "http_request_duration_seconds",
            "rpc_duration_seconds",
        ]
    );
    assert_eq!(families[0].help.as_deref(), Some("The total number of HTTP requests."));
    assert_eq!(families[0].samples[1].timestamp_ms, Some(1_395_066_363_000));
    assert_eq!(families[1].samples[0].labels["error"], "Cannot find file:\n\"FILE.TXT\"");
    assert!(families[3].samples[0].value.is_infinite());
    assert_eq!(families[4].samples.len(), 4);
    assert!(families[5].samples[1].value.is_nan());
}

#[test]
fn an_empty_text_has_no_families() {
    assert_eq!(parse(""), Ok(vec![]));
    assert_eq!(parse("\n  \n# only a remark\n"), Ok(vec![]));
}

#[test]
fn a_text_that_is_cut_off_is_refused() {
    assert_eq!(problem("a 1\nb 2"), (2, Problem::CutOff));
}

#[test]
fn a_series_may_have_one_line_only() {
    let (line, error) = problem("a{x=\"1\"} 1\na{x=\"2\"} 1\na{x=\"1\"} 2\n");
    assert_eq!(line, 3);
    assert!(matches!(error, Problem::DuplicateSeries(_)), "{error}");
}

#[test]
fn a_label_may_appear_once_only() {
    assert_eq!(problem("a{x=\"1\",x=\"2\"} 1\n").1, Problem::DuplicateLabel("x".into()));
}

#[test]
fn families_stand_together() {
    assert_eq!(problem("a{x=\"1\"} 1\nb 1\na{x=\"2\"} 1\n"), (3, Problem::Split("a".into())));
    assert_eq!(problem("a 1\nb 1\n# TYPE a gauge\n"), (3, Problem::Split("a".into())));
}

#[test]
fn headers_come_once_and_first() {
    assert!(matches!(problem("# TYPE a gauge\n# TYPE a gauge\n").1, Problem::DuplicateHeader { .. }));
    assert!(matches!(problem("# HELP a x\n# HELP a x\n").1, Problem::DuplicateHeader { .. }));
    assert!(matches!(problem("a 1\n# TYPE a gauge\n").1, Problem::LateHeader { .. }));
    assert!(matches!(problem("# TYPE a thing\n").1, Problem::UnknownType(_)));
}

#[test]
fn buckets_and_quantiles_say_which_they_are() {
    for text in [
        "# TYPE a summary\na 1\n",
        "# TYPE a summary\na{quantile=\"half\"} 1\n",
        "# TYPE a histogram\na_bucket 1\n",
    ] {
        assert!(matches!(problem(text), (2, Problem::MissingLabel { .. })), "{text}");
    }
}

#[test]
fn broken_lines_are_refused_with_their_number() {
    for text in [
        "good 1\n1bad 2\n",
        "good 1\nname\n",
        "good 1\nname one\n",
        "good 1\nname 1 2.5\n",
        "good 1\nname 1 2 3\n",
        "good 1\nname{x=1} 1\n",
        "good 1\nname{x=\"1\" 1\n",
        "good 1\nname{x=\"1} 1\n",
        "good 1\nname{x=\"\\t\"} 1\n",
        "good 1\nname{=\"1\"} 1\n",
        "good 1\nname{x=\"1\"y=\"2\"} 1\n",
        "good 1\nname{,} 1\n",
        "good 1\nname 1e999\n",
        "good 1\nname 1\r\n",
        "good 1\n# HELP name a\\tb\n",
        "good 1\n<html>\n",
        "good 1\n{\"json\": true}\n",
    ] {
        assert_eq!(problem(text).0, 2, "{text:?}");
    }
}

#[test]
fn an_error_says_where() {
    let place = |text: &str| parse(text).map_err(|error| (error.line, error.column)).unwrap_err();
    assert_eq!(place("good 1\nname one\n"), (2, 6));
    assert_eq!(place("näme 1\n"), (1, 2));
    assert_eq!(place("name{x=\"ä\"y=\"2\"} 1\n"), (1, 11));
    assert_eq!(place("name{x=\"1\",x=\"2\"} 1\n"), (1, 12));
    let error = decode(b"a 1\nb\xc3\xa4 \xff\n").unwrap_err();
    assert_eq!(error.to_string(), "line 2, column 4: not UTF-8: this is not the Prometheus text format");
}

#[test]
fn series_are_the_same_whatever_the_order_of_their_labels() {
    let problem = problem("a{x=\"1\",y=\"2\"} 1\na{x=\"2\",y=\"1\"} 1\na{y=\"2\" , x=\"1\"} 1\n");
    assert_eq!(problem, (3, Problem::DuplicateSeries("a{y=\"2\" , x=\"1\"}".into())));
}

#[test]
fn limits_hold() {
    let labels: String = (0..=MAX_LABELS).map(|i| format!("l{i}=\"\",")).collect();
    assert_eq!(problem(&format!("a{{{labels}}} 1\n")), (1, Problem::TooManyLabels));
    let long = format!("a{{x=\"{}\"}} 1\n", "y".repeat(MAX_LINE_BYTES));
    assert_eq!(problem(&long), (1, Problem::LineTooLong));
    let huge = "a 1\n".repeat(MAX_BYTES / 4 + 1);
    assert_eq!(problem(&huge).1, Problem::TooLong);
    let many: String = (0..=MAX_SERIES).map(|i| format!("a{{i=\"{i}\"}} 1\n")).collect();
    assert_eq!(problem(&many), (MAX_SERIES + 1, Problem::TooManySeries));
}

#[test]
fn bytes_that_are_no_text_have_a_line() {
    let error = decode(b"a 1\nb \xff\n").unwrap_err();
    assert_eq!((error.line, error.column, error.problem), (2, 3, Problem::NotUtf8));
}

fn families() -> impl Strategy<Value = Vec<Family>> {
    let label = "[a-zA-Z_][a-zA-Z0-9_]{0,5}";
    let labels = || proptest::collection::btree_map(label, any::<String>(), 0..4);
    let value =
        prop_oneof![any::<i32>().prop_map(f64::from), any::<f64>().prop_filter("no NaN", |v| !v.is_nan())];
    let sample = (labels(), value, any::<Option<i64>>());
    let kind = prop_oneof![
        Just(Kind::Counter),
        Just(Kind::Gauge),
        Just(Kind::Untyped),
        Just(Kind::Summary),
        Just(Kind::Histogram)
    ];
    let family = (any::<Option<String>>(), kind, proptest::collection::vec(sample, 0..5));
    proptest::collection::vec(family, 0..5).prop_map(|families| {
        families
            .into_iter()
            .enumerate()
            .map(|(n, (help, kind, samples))| {
                let name = format!("family_{n}:x");
                let line_name = if kind == Kind::Histogram { format!("{name}_bucket") } else { name.clone() };
                let samples =
                    samples.into_iter().enumerate().map(|(i, (mut labels, value, timestamp_ms))| {
                        // Makes each series a series of its own, and gives these types what they need.
                        labels.insert("quantile".into(), format!("0.{i}1"));
                        labels.insert("le".into(), format!("{i}"));
                        Sample { name: line_name.clone(), labels, value, timestamp_ms }
                    });
                // A blank before the text belongs to the separator, so it cannot come back.
                let help = help.map(|help| help.trim_start_matches([' ', '\t']).to_owned());
                Family { samples: samples.collect(), name, help, kind }
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(families in families()) {
        prop_assert_eq!(parse(&print(&families)), Ok(families));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(text) = decode(&bytes) {
            let _ = parse(text);
        }
    }

    #[test]
    fn nothing_that_looks_like_it_makes_it_panic(text in "([#a{}=\",\\\\0-9 .\n]|HELP |TYPE |quantile=|summary|NaN){0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_part_of_a_text_is_read_or_refused(families in families(), cut in any::<proptest::sample::Index>()) {
        let text = print(&families);
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let _ = parse(&text[..*cut.get(&ends)]);
    }
}
