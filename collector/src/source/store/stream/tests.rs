//! Whole answers, pieces of them, and what is none.

use proptest::prelude::*;

use super::*;
use crate::observation::Labels;

/// Series as a tree has them.
#[derive(Debug, Default, PartialEq)]
struct Told {
    series: Vec<(Labels, Vec<(u64, u64)>)>,
    labels: Labels,
    samples: Vec<(u64, u64)>,
}

impl Sink for Told {
    fn series(&mut self, labels: &[Label<'_>]) {
        self.labels = labels.iter().map(|(label, value)| (label.to_string(), value.to_string())).collect();
    }

    fn sample(&mut self, sample: Sample) {
        self.samples.push((sample.at.to_bits(), sample.value.to_bits()));
    }

    fn end(&mut self) {
        self.series.push((std::mem::take(&mut self.labels), std::mem::take(&mut self.samples)));
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    fn held_bytes(&self) -> usize {
        self.samples.len()
    }
}

/// What an answer says that comes in pieces of this length.
fn told(text: &[u8], length: usize) -> Result<(Told, Vec<String>), String> {
    let mut told = Told::default();
    let mut decoder = Decoder::new(&mut told);
    for piece in text.chunks(length.max(1)) {
        if decoder.feed(piece).is_break() {
            break;
        }
    }
    let said = decoder.end().map_err(|error| error.to_string())?;
    Ok((told, said.warnings))
}

fn refused(text: &str) -> String {
    let whole = told(text.as_bytes(), usize::MAX).unwrap_err();
    for length in 1..8 {
        assert!(told(text.as_bytes(), length).is_err(), "in pieces of {length}: {text}");
    }
    whole
}

/// The same by the tree of the whole text.
fn by_tree(text: &[u8]) -> Vec<(Labels, Vec<(u64, u64)>)> {
    let matrix: Matrix = answer::open(text).unwrap().data;
    let bits = |sample: &Sample| (sample.at.to_bits(), sample.value.to_bits());
    matrix.result.into_iter().map(|one| (one.metric, one.values.0.iter().map(bits).collect())).collect()
}

const ODDLY_WRITTEN: &str = r#" {"isPartial":false, "stats" : {"result":[1,{"a":"]}"}]},
    "d\u0061ta":{"a":{"result":[]},"result" : [
      { "metric" : {"__name__":"x","a":"\"]}{\\","b":"\u00e9"}, "histograms":[[1,{"sum":"]"}]], "values" : [ [1700000000.5 , "1e-7"] , [1e3,"+Inf"],
      [ 0.25,"NaN" ] , [1700000001,"-0x"]
      ] } , {"values":[[17,"2"]],"metric":{}},{"metric":{"a":"b"},"value":[3,"4"]}, {"values":[],"metric":{"c":""}} ] , "resultType":"matrix"},
    "warnings":["careful\n]}"],"status":"success"} "#;

#[test]
fn answers_are_read_however_they_are_written_and_cut() {
    let text = ODDLY_WRITTEN.replace("-0x", "-0");
    let (whole, warnings) = told(text.as_bytes(), usize::MAX).unwrap();
    assert_eq!(warnings, ["careful ]}"]);
    assert_eq!(whole.series, by_tree(text.as_bytes()));
    assert_eq!((whole.series.len(), whole.series[0].1.len()), (4, 4));
    for length in 1..text.len() {
        assert_eq!(told(text.as_bytes(), length).unwrap().0, whole, "in pieces of {length}");
    }
    assert!(refused(ODDLY_WRITTEN).contains("is no number"));
}

#[test]
fn what_is_cut_off_is_none() {
    let text = ODDLY_WRITTEN.replace("-0x", "-0");
    let text = text.trim_end();
    for end in 1..text.len() {
        let error = told(&text.as_bytes()[..end], 7).unwrap_err();
        assert!(error.contains(&format!("cut off after {end} bytes")), "{end}: {error}");
    }
}

#[test]
fn what_is_no_answer_is_said_as_soon_as_it_is_known() {
    assert!(refused("<!doctype html>").contains("a page for people"));
    let error = r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#;
    assert!(refused(error).contains("query timed out"));
    let of = |result: &str| format!("{{\"status\":\"success\",\"data\":{{\"result\":{result}}}}}");
    for odd in [
        "[1]",
        "[[]]",
        "{}",
        "null",
        "[{}]",
        "[,]",
        r#"[{"values":[]}]"#,
        r#"[{"metric":[]}]"#,
        r#"[{"metric":{},"metric":{}}]"#,
        r#"[{"metric":{},"values":[],"values":[]}]"#,
        r#"[{"metric":{},"values":[[1,2]]}]"#,
        r#"[{"metric":{},"values":[[1,"2"],]}]"#,
        r#"[{"metric":{},"values":[[1,"2"]"#,
        r#"[{"metric":{},"values":[[1,"2",3]]}]"#,
        r#"[{"metric":{},"values":[[01,"2"]]}]"#,
        r#"[{"metric":{},"values":[[1.,"2"]]}]"#,
        r#"[{"metric":{},"values":[[,"2"]]}]"#,
        r#"[{"metric":{},"values":[[1,"2"][1,"2"]]}]"#,
        r#"[{"metric":{},"values":{}}]"#,
        r#"[{"metric":{}}{"metric":{}}]"#,
        r#"[{"metric":{}},]"#,
        r#"[{"metric" {}}]"#,
        r#"[],"result":[]"#,
    ] {
        assert!(!refused(&of(odd)).is_empty(), "{odd}");
    }
    assert!(refused(&(of("[]") + "more")).contains("check host, port and prefix"));
    assert!(refused(&of(r#"[],"b":]"#)).contains("check host, port and prefix"));
}

#[test]
fn nothing_is_kept_that_has_no_end() {
    let endless = |begin: &str, more: &str| {
        let mut told = Told::default();
        let mut decoder = Decoder::new(&mut told);
        assert!(decoder.feed(begin.as_bytes()).is_continue());
        let more = more.repeat(100);
        let mut kept = 0;
        while decoder.feed(more.as_bytes()).is_continue() && decoder.bytes() < 8 * MOST_BYTES {
            kept = kept.max(decoder.held_bytes());
        }
        (decoder.end().unwrap_err().to_string(), kept)
    };
    let series = r#"{"status":"success","data":{"result":["#;
    for (begin, more, why) in [
        ("{\"a\":\"".to_owned(), "text", "too much beside its series"),
        (format!("{series}{{\"metric\":{{\"a\":\""), "text", "labels without end"),
        (format!("{series}{{\""), "text", "a name without end"),
        (format!("{series}{{\"metric\":{{}},\"values\":[[1,\""), "1111", "a sample without end"),
    ] {
        let (error, kept) = endless(&begin, more);
        assert!(error.contains(why), "{begin}: {error}");
        assert!(kept < 4 * MOST_BYTES, "{begin}: {kept}");
    }
    // What nobody needs, and what is nothing, takes no memory however long it is.
    for (begin, more) in
        [(" ".to_owned(), "    "), (format!("{series}{{\"metric\":{{}},\"histograms\":["), "[1],")]
    {
        let (error, kept) = endless(&begin, more);
        assert!(error.contains("cut off") && kept < 4096, "{error} {kept}");
    }
}

fn samples() -> impl Strategy<Value = Vec<(String, String)>> {
    let time = prop_oneof![
        (0..2_000_000_000_000_u64).prop_map(|time| time.to_string()),
        (0..2_000_000_000_u64, 0..1000_u32).prop_map(|(time, more)| format!("{time}.{more:03}")),
        any::<f64>()
            .prop_filter("JSON has no such numbers", |time| time.is_finite())
            .prop_map(|time| format!("{time:e}")),
    ];
    let value = prop_oneof![
        any::<f64>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| format!("{value:e}")),
        Just("+Inf".to_owned())
    ];
    proptest::collection::vec((time, value), 0..6)
}

proptest! {
    #[test]
    fn any_answer_says_the_same_as_its_tree(
        series in proptest::collection::vec((proptest::collection::btree_map(".*", ".*", 0..4), samples()), 0..5),
        length in 1..200_usize,
    ) {
        let result: Vec<String> = series
            .iter()
            .map(|(labels, samples)| {
                let samples: Vec<String> = samples.iter().map(|(at, value)| format!("[{at},\"{value}\"]")).collect();
                format!("{{\"metric\":{},\"values\":[{}]}}", serde_json::to_string(labels).unwrap(), samples.join(","))
            })
            .collect();
        let text = format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{}]}}}}", result.join(","));
        let (whole, _) = told(text.as_bytes(), length).unwrap();
        prop_assert_eq!(whole.series, by_tree(text.as_bytes()));
    }

    #[test]
    fn any_text_is_read_or_refused(text in r#"[\[\]{}",:0-9a-z\\ ]{0,60}"#, length in 1..9_usize) {
        for text in [text.clone(), format!("{{\"status\":\"success\",\"data\":{{\"result\":[{text}]}}}}")] {
            let (whole, pieces) = (told(text.as_bytes(), usize::MAX), told(text.as_bytes(), length));
            prop_assert_eq!(whole.ok(), pieces.ok());
        }
    }
}
