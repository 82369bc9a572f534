//! The comparison for programs: one JSON document.
//!
//! Numbers are finite or null. What a row has beyond the documented fields may grow; no field changes its meaning
//! without a new `schema`.

use std::collections::BTreeMap;

use serde::Serialize;
use tierprobe_model::{SCHEMA, Unit};

use crate::compare::{Block, Comparison, Row, SideSummary, Size};
use crate::dataset::SourceSummary;
use crate::observation::Labels;
use crate::source::Dropped;
use crate::stats::CONFIDENCE;
use crate::warning::{Exclusion, Warning};

/// The document; ends with a line feed.
///
/// # Errors
///
/// Those of `serde_json`, none in practice.
pub fn render(comparison: &Comparison) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(&Document::of(comparison))? + "\n")
}

/// One row as the document has it.
///
/// # Errors
///
/// Those of `serde_json`, none in practice.
pub(super) fn row(row: &Row) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::to_value(JsonRow::of(row))
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    by: &'a str,
    baseline: &'a str,
    confidence: f64,
    threshold: f64,
    groups: Vec<Group<'a>>,
    rows: Vec<JsonRow<'a>>,
    warnings: Vec<JsonWarning>,
    help: &'a BTreeMap<String, String>,
    sources: &'a [SourceSummary],
    dropped: &'a [Dropped],
}

#[derive(Serialize)]
struct Group<'a> {
    group: &'a str,
    instances: usize,
    hosts: usize,
    /// Only of candidates: it is that of the block.
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<Window>,
    /// Of candidates, too: what is compared of both sides.
    #[serde(skip_serializing_if = "Option::is_none")]
    compared: Option<JsonCompared>,
    excluded: Vec<JsonExclusion<'a>>,
    warnings: Vec<JsonWarning>,
}

#[derive(Serialize)]
struct JsonCompared {
    baseline: JsonSize,
    candidate: JsonSize,
}

#[derive(Serialize)]
struct JsonSize {
    instances: usize,
    hosts: usize,
    /// The share of disturbed rounds.
    disturbed_ratio: Option<f64>,
}

#[derive(Serialize)]
struct Window {
    from: f64,
    to: f64,
    dropped_rounds: Dropping,
}

#[derive(Serialize)]
struct Dropping {
    baseline: usize,
    candidate: usize,
}

/// Instances of either side that were left out against this group.
#[derive(Serialize)]
struct JsonExclusion<'a> {
    group: &'a str,
    label: &'a str,
    values: &'a [String],
    instances: usize,
    of: usize,
}

#[derive(Serialize)]
struct JsonRow<'a> {
    family: &'a str,
    labels: &'a Labels,
    statistic: &'a str,
    group: &'a str,
    baseline: Side,
    candidate: Side,
    ratio: Option<f64>,
    ratio_low: Option<f64>,
    ratio_high: Option<f64>,
    ratio_low_90: Option<f64>,
    ratio_high_90: Option<f64>,
    difference: Option<f64>,
    unit: Unit,
    p_value: Option<f64>,
    q_value: Option<f64>,
    p_equivalence: Option<f64>,
    basis: Option<&'static str>,
    degrees_of_freedom: Option<f64>,
    hodges_lehmann: Option<JsonHodgesLehmann>,
    pairs: usize,
    strata: usize,
    secondary: Option<JsonSecondary>,
    verdict: &'static str,
    reason: Option<&'static str>,
    tags: Vec<&'static str>,
    here: Option<JsonHere>,
    no_here_reason: Option<&'static str>,
    against_several: Option<JsonAgainstSeveral>,
    detectable_ratio: Option<f64>,
    largest_not_excluded: Option<f64>,
    ratio_all: Option<f64>,
    resolution_allowance: Option<f64>,
    outlier_hosts: Vec<&'a str>,
    warnings: Vec<JsonWarning>,
}

#[derive(Serialize)]
struct Side {
    instances: usize,
    hosts: usize,
    rounds: usize,
    median: Option<f64>,
    disturbed_ratio: Option<f64>,
    host_spread: Option<f64>,
}

#[derive(Serialize)]
struct JsonHere {
    verdict: &'static str,
    reason: Option<&'static str>,
    ratio: f64,
    ratio_low: Option<f64>,
    ratio_high: Option<f64>,
    tipping_spread: f64,
}

#[derive(Serialize)]
struct JsonSecondary {
    basis: &'static str,
    ratio: f64,
    ratio_low: Option<f64>,
    ratio_high: Option<f64>,
}

#[derive(Serialize)]
struct JsonHodgesLehmann {
    ratio: f64,
    ratio_low: Option<f64>,
    ratio_high: Option<f64>,
}

#[derive(Serialize)]
struct JsonAgainstSeveral {
    hosts: usize,
    ratio: f64,
    ratio_low: f64,
    ratio_high: f64,
    tipping_spread: f64,
}

#[derive(Serialize)]
struct JsonWarning {
    kind: &'static str,
    message: String,
}

impl<'a> Document<'a> {
    fn of(comparison: &'a Comparison) -> Self {
        let baseline = Group {
            group: &comparison.baseline.group,
            instances: comparison.baseline.instances,
            hosts: comparison.baseline.hosts,
            window: None,
            compared: None,
            excluded: Vec::new(),
            warnings: Vec::new(),
        };
        let candidates = comparison.blocks.iter().map(|block| Group {
            group: &block.candidate.group,
            instances: block.candidate.instances,
            hosts: block.candidate.hosts,
            window: Some(window(block)),
            compared: Some(compared(block)),
            excluded: block.exclusions.iter().map(JsonExclusion::of).collect(),
            warnings: warnings(&block.warnings),
        });
        Self {
            schema: SCHEMA,
            by: &comparison.by,
            baseline: &comparison.baseline.group,
            confidence: CONFIDENCE,
            threshold: comparison.threshold.share(),
            groups: std::iter::once(baseline).chain(candidates).collect(),
            rows: comparison.rows().map(JsonRow::of).collect(),
            warnings: warnings(&comparison.warnings),
            help: &comparison.help,
            sources: &comparison.sources,
            dropped: &comparison.dropped,
        }
    }
}

impl<'a> JsonRow<'a> {
    fn of(row: &'a Row) -> Self {
        Self {
            family: &row.key.family,
            labels: &row.key.labels,
            statistic: row.key.statistic.as_str(),
            group: &row.group,
            baseline: side(&row.baseline),
            candidate: side(&row.candidate),
            ratio: row.ratio,
            ratio_low: row.ratio_low,
            ratio_high: row.ratio_high,
            ratio_low_90: row.ratio_low_90,
            ratio_high_90: row.ratio_high_90,
            difference: row.difference,
            unit: row.unit,
            p_value: row.p_value,
            q_value: row.q_value,
            p_equivalence: row.p_equivalence,
            basis: row.basis.map(|basis| basis.as_str()),
            degrees_of_freedom: row.degrees_of_freedom,
            hodges_lehmann: row.hodges_lehmann.map(|ranks| JsonHodgesLehmann {
                ratio: ranks.ratio,
                ratio_low: ranks.ratio_low,
                ratio_high: ranks.ratio_high,
            }),
            pairs: row.pairs,
            strata: row.strata,
            secondary: row.secondary.map(|secondary| JsonSecondary {
                basis: secondary.basis.as_str(),
                ratio: secondary.ratio,
                ratio_low: secondary.ratio_low,
                ratio_high: secondary.ratio_high,
            }),
            verdict: row.verdict.as_str(),
            reason: row.reason.map(|reason| reason.as_str()),
            tags: row.tags.iter().map(|tag| tag.as_str()).collect(),
            here: row.here.map(|here| JsonHere {
                verdict: here.verdict.as_str(),
                reason: here.reason.map(|reason| reason.as_str()),
                ratio: here.ratio,
                ratio_low: here.ratio_low,
                ratio_high: here.ratio_high,
                tipping_spread: here.tipping_spread,
            }),
            no_here_reason: row.no_here.map(|no_here| no_here.as_str()),
            against_several: row.against_several.map(|one| JsonAgainstSeveral {
                hosts: one.hosts,
                ratio: one.ratio,
                ratio_low: one.ratio_low,
                ratio_high: one.ratio_high,
                tipping_spread: one.tipping_spread,
            }),
            detectable_ratio: row.detectable_ratio,
            largest_not_excluded: row.largest_not_excluded,
            ratio_all: row.ratio_all,
            resolution_allowance: row.resolution_allowance,
            outlier_hosts: outlier_hosts(row).collect(),
            warnings: warnings(&row.warnings),
        }
    }
}

fn compared(block: &Block) -> JsonCompared {
    let [baseline, candidate] = block.disturbed;
    let size = |size: Size, disturbed_ratio| {
        let Size { instances, hosts } = size;
        JsonSize { instances, hosts, disturbed_ratio }
    };
    JsonCompared {
        baseline: size(block.compared.baseline, baseline),
        candidate: size(block.compared.candidate, candidate),
    }
}

fn window(block: &Block) -> Window {
    let [baseline, candidate] = block.rounds.dropped;
    Window { from: block.rounds.from, to: block.rounds.to, dropped_rounds: Dropping { baseline, candidate } }
}

impl<'a> JsonExclusion<'a> {
    fn of(one: &'a Exclusion) -> Self {
        Self { group: &one.group, label: &one.label, values: &one.values, instances: one.count, of: one.of }
    }
}

fn side(side: &SideSummary) -> Side {
    Side {
        instances: side.instances,
        hosts: side.hosts,
        rounds: side.rounds,
        median: side.median,
        disturbed_ratio: side.disturbed,
        host_spread: side.host_spread,
    }
}

/// Hosts that stand apart from their group in a row.
fn outlier_hosts(row: &Row) -> impl Iterator<Item = &str> {
    let hosts = row
        .warnings
        .iter()
        .filter_map(|warning| if let Warning::Outliers { hosts, .. } = warning { Some(hosts) } else { None });
    hosts.flatten().map(String::as_str)
}

fn warnings(warnings: &[Warning]) -> Vec<JsonWarning> {
    warnings
        .iter()
        .map(|warning| JsonWarning { kind: warning.kind(), message: warning.to_string() })
        .collect()
}
