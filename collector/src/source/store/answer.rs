//! Answers of the HTTP API of Prometheus: JSON into samples.
//!
//! <https://prometheus.io/docs/prometheus/latest/querying/api/>

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, de::DeserializeOwned};

use crate::observation::Labels;

use super::StoreError;

/// Longest text of a store that is shown.
const SHOWN: usize = 300;

/// What every answer is wrapped in.
#[derive(Debug, Deserialize)]
struct Envelope<T> {
    status: String,
    data: Option<T>,
    #[serde(default, rename = "errorType")]
    error_type: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Option<Vec<String>>,
    #[serde(default)]
    infos: Option<Vec<String>>,
    /// VictoriaMetrics says so when a part of a cluster does not answer.
    #[serde(default, rename = "isPartial")]
    is_partial: Option<bool>,
}

/// An answer, and what the store has to say about it.
#[derive(Debug)]
pub struct Said<T> {
    /// What was asked for.
    pub data: T,
    /// What makes it less than certain.
    pub warnings: Vec<String>,
    /// What is to be known.
    pub infos: Vec<String>,
}

/// What a store said beside what it was asked for, in all its answers.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// What it warned of.
    pub warnings: BTreeSet<String>,
    /// What else it said.
    pub infos: BTreeSet<String>,
}

impl Notes {
    /// Takes what an answer holds, and notes what else was said.
    pub(super) fn note<T>(&mut self, said: Said<T>) -> T {
        self.warnings.extend(said.warnings);
        self.infos.extend(said.infos);
        said.data
    }
}

/// The result of a query.
#[derive(Debug, Deserialize)]
pub struct Matrix {
    /// One entry a series.
    pub result: Vec<Series>,
}

/// One series.
#[derive(Debug, Deserialize)]
pub struct Series {
    /// Its labels; the name is `__name__`.
    pub metric: Labels,
    /// Its samples in time order. Native histograms have none.
    #[serde(default)]
    pub values: Samples,
    /// The sample of an instant vector.
    #[serde(default)]
    pub value: Option<Sample>,
}

/// When, in seconds since the epoch, and what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When it was scraped, in seconds since the epoch.
    pub at: f64,
    /// The value; may be NaN or infinite.
    pub value: f64,
}

/// Samples of one series.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Samples(pub Vec<Sample>);

impl<'de> Deserialize<'de> for Sample {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pair;
        impl<'de> Visitor<'de> for Pair {
            type Value = Sample;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time and a value")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Sample, A::Error> {
                let missing = || Error::invalid_length(1, &"a time and a value");
                let at = pair.next_element()?.ok_or_else(missing)?;
                let Number(value) = pair.next_element()?.ok_or_else(missing)?;
                Ok(Sample { at, value })
            }
        }
        deserializer.deserialize_seq(Pair)
    }
}

/// A number as Prometheus writes it: in a string, as JSON has no NaN.
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number in a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                number(text).map(Number).ok_or_else(|| E::custom(format!("{text:?} is no number")))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// The number that a text is.
pub(super) fn number(text: &str) -> Option<f64> {
    text.trim_start_matches('+').parse().ok()
}

/// Takes an answer out of its envelope.
///
/// # Errors
///
/// When it is no answer of the API, a refusal, or a part of the data only.
pub fn open<T: DeserializeOwned>(body: &[u8]) -> Result<Said<T>, StoreError> {
    open_of(body, body.len())
}

/// The same for what is left of an answer of so many bytes.
pub(super) fn open_of<T: DeserializeOwned>(body: &[u8], bytes: usize) -> Result<Said<T>, StoreError> {
    let answer: Envelope<T> =
        serde_json::from_slice(body).map_err(|error| StoreError::NoApi { why: odd(body, bytes, &error) })?;
    let warnings = answer.warnings.unwrap_or_default();
    if answer.is_partial == Some(true) {
        return Err(StoreError::Partial("isPartial".to_owned()));
    }
    // Of Thanos: "partial response"; of Prometheus' remote read: "remote_read: …".
    if let Some(partial) = warnings.iter().find(|text| is_partial(text)) {
        return Err(StoreError::Partial(shown(partial)));
    }
    match answer.data {
        Some(data) if answer.status == "success" => Ok(Said {
            data,
            warnings: warnings.iter().map(|text| shown(text)).collect(),
            infos: answer.infos.unwrap_or_default().iter().map(|text| shown(text)).collect(),
        }),
        Some(_) | None => Err(refusal(&answer.error_type, &answer.error, &answer.status)),
    }
}

fn is_partial(warning: &str) -> bool {
    let warning = warning.to_ascii_lowercase();
    ["partial", "remote_read", "remote read", "no storeapis"].iter().any(|sign| warning.contains(sign))
}

/// What a store says with a status that is no success, if it says it as the API does.
pub(super) fn refused(body: &[u8]) -> Option<StoreError> {
    let answer: Envelope<serde::de::IgnoredAny> = serde_json::from_slice(body).ok()?;
    (!answer.error.is_empty()).then(|| refusal(&answer.error_type, &answer.error, &answer.status))
}

fn refusal(kind: &str, why: &str, status: &str) -> StoreError {
    let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { shown(text) };
    StoreError::Refused { kind: or(kind, status), why: or(why, "it does not say why") }
}

/// What is said of an answer that is made to be read by people.
pub(super) const PAGE: &str = "a page for people";

fn odd(body: &[u8], bytes: usize, error: &serde_json::Error) -> String {
    let text = String::from_utf8_lossy(body.get(..body.len().min(4096)).unwrap_or_default());
    let begin = text.trim_start();
    if begin.starts_with('<') {
        PAGE.to_owned()
    } else if error.is_eof() {
        format!("cut off after {bytes} bytes")
    } else if !begin.starts_with('{') {
        "it is no JSON object".to_owned()
    } else {
        error.to_string()
    }
}

/// One line of bounded length, whatever a store says.
pub(super) fn shown(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(json: &str) -> Result<Said<Matrix>, String> {
        open(json.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn samples_are_read_with_their_times() {
        let said = matrix(
            r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"x","a":"b\"c"},
            "values":[[1700000000.5,"1e-7"],[1700000001,"NaN"],[1700000002,"+Inf"]]},
            {"metric":{},"histograms":[[1,{"count":"1"}]]},{"metric":{},"value":[3,"4"]}]},"infos":null,
            "warnings":["careful\nplease"]}"#,
        )
        .unwrap();
        let values = &said.data.result[0].values.0;
        assert_eq!(values[0], Sample { at: 1_700_000_000.5, value: 1e-7 });
        assert!(values[1].value.is_nan() && values[2].value.is_infinite());
        assert_eq!(said.data.result[0].metric["a"], "b\"c");
        assert_eq!(said.data.result[1].values.0, []);
        assert_eq!(said.data.result[2].value, Some(Sample { at: 3.0, value: 4.0 }));
        assert_eq!(said.warnings, ["careful please"]);
    }

    #[test]
    fn a_success_that_is_none_is_refused() {
        let error = matrix(r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#).unwrap_err();
        assert!(error.contains("bad_data") && error.contains("parse error"), "{error}");
        assert!(matrix(r#"{"status":"success"}"#).unwrap_err().contains("does not say why"));
        let partial =
            r#"{"status":"success","data":{"result":[]},"warnings":["No StoreAPIs matched for this query"]}"#;
        assert!(matrix(partial).unwrap_err().contains("a part of the data only"));
        assert!(
            matrix(r#"{"status":"success","isPartial":true,"data":{"result":[]}}"#)
                .unwrap_err()
                .contains("part")
        );
    }

    #[test]
    fn what_is_no_answer_of_the_api_is_said() {
        assert!(matrix("<!doctype html><html>").unwrap_err().contains("a page for people"));
        assert!(
            matrix(r#"{"status":"success","data":{"result":[{"met"#).unwrap_err().contains("cut off after")
        );
        assert!(
            matrix(r#"{"status":"success","data":{"result":[{"metric":{},"values":[[1,2]]}]}}"#)
                .unwrap_err()
                .contains("a number in a string")
        );
        for odd in ["[]", "null", "ok"] {
            assert!(matrix(odd).unwrap_err().contains("(it is no JSON object): check"), "{odd}");
        }
    }
}
