//! A baseline against each other group, row by row.
//!
//! - [`row`]: what a row holds, and how its numbers come about.
//! - [`here`]: what can be said of two hosts alone.
//! - `live`: while a window is not over.
//! - [`like`]: which instances may be compared at all.
//! - [`window`]: which rounds count by when they ended.
//! - `pairs`, `evidence`, `draft`: from two groups to a row.
//! - `drift`: which instances changed while they were measured.
//! - `published`: whether the number that is asked for exists.
//! - `place`: whether the sides stand in places of their own.
//! - `caution`: what a reader must know of the groups before believing a row.

mod caution;
mod draft;
mod drift;
mod evidence;
pub mod here;
pub mod like;
mod live;
mod pairs;
mod place;
mod published;
pub mod row;
#[cfg(test)]
pub(crate) mod tests;
pub mod window;

use std::collections::{BTreeMap, BTreeSet};

use tierprobe_model::Unit;

use evidence::Groups;
pub use here::{Here, NoHere};
pub use row::{AgainstSeveral, HodgesLehmann, Quoted, Row, Secondary, SideSummary};
pub use window::Window;

use crate::dataset::group::{self, Filter, Group, listed};
use crate::dataset::{Dataset, SeriesKey, SourceSummary};
use crate::error::CompareError;
use crate::observation::Statistic;
use crate::source::Dropped;
use crate::stats::equivalence::Threshold;
use crate::stats::real;
use crate::warning::{Exclusion, Warning};

/// What pairs share unless the user says otherwise: the kernel.
pub const PAIR: &str = "boot_id";

/// How to compare.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The label that groups are made by.
    pub by: String,
    /// The group that the others are compared with; by default the first one, in the order of
    /// [`tierprobe_model::Tier::ALL`].
    pub baseline: Option<String>,
    /// Groups in the order in which they are compared; those it does not name come behind.
    pub order: Vec<String>,
    /// Only instances that all of these keep.
    pub filters: Vec<Filter>,
    /// Which number of a duration's rounds; gauges have one only.
    pub statistic: Statistic,
    /// Below which a difference does not matter.
    pub threshold: Threshold,
    /// The label that hosts of both sides share in pairs.
    pub pair: String,
    /// Labels of [`like::LABELS`] that may be unlike all the same; [`like::ALL`] stands for each.
    pub allow_mixed: Vec<String>,
    /// Labels beside those of [`like::LABELS`] that must be alike.
    pub alike: Vec<String>,
    /// Which rounds count.
    pub window: Window,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            by: "tier".to_owned(),
            baseline: None,
            order: Vec::new(),
            filters: Vec::new(),
            statistic: Statistic::P50,
            threshold: Threshold::default(),
            pair: PAIR.to_owned(),
            allow_mixed: Vec::new(),
            alike: Vec::new(),
            window: Window::default(),
        }
    }
}

/// How large a group is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSummary {
    /// Its value of the grouping label.
    pub group: String,
    /// Its instances.
    pub instances: usize,
    /// Its hosts: instances on one kernel are one.
    pub hosts: usize,
}

/// How many of two groups are compared with one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// Of the baseline.
    pub baseline: Size,
    /// Of the candidate.
    pub candidate: Size,
}

/// Instances, and the hosts that they are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Instances.
    pub instances: usize,
    /// Hosts: instances on one kernel are one.
    pub hosts: usize,
}

/// One candidate group against the baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// The candidate.
    pub candidate: GroupSummary,
    /// What is compared of both, without those that were left out for being unlike.
    pub compared: Compared,
    /// The share of disturbed rounds of both within the window, baseline first, 0 to 1; `None` without rounds.
    pub disturbed: [Option<f64>; 2],
    /// From the first to the last round of both groups, in seconds.
    pub window_seconds: f64,
    /// The same as points in time, and what lies outside.
    pub rounds: window::Rounds,
    /// Instances that were left out for being unlike.
    pub exclusions: Vec<Exclusion>,
    /// What is to be known of the two groups.
    pub warnings: Vec<Warning>,
    /// The rows: durations first, then bytes, then the rest; by name within.
    pub rows: Vec<Row>,
}

/// A whole comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The label that groups are made by.
    pub by: String,
    /// The baseline.
    pub baseline: GroupSummary,
    /// Below which a difference does not matter.
    pub threshold: Threshold,
    /// One entry per candidate group.
    pub blocks: Vec<Block>,
    /// What is to be known of the data as a whole.
    pub warnings: Vec<Warning>,
    /// One sentence on each family in the rows, where a source had it.
    pub help: BTreeMap<String, String>,
    /// What each source gave.
    pub sources: Vec<SourceSummary>,
    /// Sources that gave nothing.
    pub dropped: Vec<Dropped>,
}

impl Comparison {
    /// All rows of all blocks.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.blocks.iter().flat_map(|block| &block.rows)
    }
}

/// Compares the groups of a dataset.
///
/// # Errors
///
/// When there are not two groups to compare, the baseline is none of them, or there is no complete window.
pub fn compare(dataset: &Dataset, options: &Options) -> Result<Comparison, CompareError> {
    let mut grouped = group::group(dataset, &options.by, &options.filters)?;
    let place = |group: &Group<'_>| {
        options.order.iter().position(|value| *value == group.value).unwrap_or(options.order.len())
    };
    grouped.groups.sort_by_key(place);
    like::check(&grouped.groups, options)?;
    published::check(&grouped.groups, options.statistic)?;
    window::last(&mut grouped.groups, options)?;
    let baseline = baseline(&grouped.groups, options)?;
    let candidates: Vec<&Group<'_>> =
        grouped.groups.iter().filter(|group| group.value != baseline.value).collect();
    if candidates.is_empty() {
        return Err(CompareError::OneGroup { by: options.by.clone(), only: baseline.value.clone() });
    }

    let mut drafts = Vec::new();
    let mut matches = Vec::new();
    for candidate in &candidates {
        let matched = Match::of(baseline, candidate, options);
        let keys = keys(baseline, candidate, options.statistic);
        let groups = Groups::of(&matched.alike, &keys, options);
        let rows = keys.into_iter().enumerate();
        let is_confounded = matched.is_confounded();
        drafts.extend(rows.map(|row| draft::Draft::of(&groups, row, is_confounded, options)));
        matches.push(matched);
    }
    let mut rows = draft::decide_all(drafts, options.threshold);
    if dataset.notes().iter().any(|note| note.is_warning) {
        rows.iter_mut().for_each(Row::lower);
    } else if !dataset.notes().is_empty() {
        rows.iter_mut().for_each(Row::hedge);
    }

    let mut blocks = Vec::new();
    for (candidate, matched) in candidates.into_iter().zip(matches) {
        let (own, others) = rows.into_iter().partition(|row: &Row| row.group == candidate.value);
        rows = others;
        blocks.push(matched.block(candidate, own));
    }
    let families: BTreeSet<&str> =
        blocks.iter().flat_map(|block| &block.rows).map(|row| row.key.family.as_str()).collect();
    let help = dataset.help().iter().filter(|(family, _)| families.contains(family.as_str()));
    Ok(Comparison {
        by: options.by.clone(),
        baseline: summary(baseline),
        threshold: options.threshold,
        warnings: caution::of_data(dataset, &grouped, options),
        help: help.map(|(family, help)| (family.clone(), help.clone())).collect(),
        blocks,
        sources: dataset.sources().to_vec(),
        dropped: dataset.dropped().to_vec(),
    })
}

fn baseline<'g, 'a>(groups: &'g [Group<'a>], options: &Options) -> Result<&'g Group<'a>, CompareError> {
    let found = match &options.baseline {
        Some(wanted) => groups.iter().find(|group| group.value == *wanted),
        None => groups.first(),
    };
    found.ok_or_else(|| CompareError::NoBaseline {
        by: options.by.clone(),
        baseline: options.baseline.clone().unwrap_or_default(),
        known: listed(groups.iter().map(|group| group.value.as_str())),
    })
}

/// The rows of two groups, in the order in which they are shown.
fn keys(baseline: &Group<'_>, candidate: &Group<'_>, statistic: Statistic) -> Vec<SeriesKey> {
    let Some(all) = baseline.keys() else { return Vec::new() };
    let mut ids = baseline.ids();
    ids.extend(candidate.ids());
    let mut keys: Vec<SeriesKey> = ids
        .into_iter()
        .filter_map(|id| all.get(id))
        .filter(|key| key.statistic == statistic || key.statistic == Statistic::Value)
        .cloned()
        .collect();
    keys.sort();
    keys.sort_by_key(|key| match Unit::of_family(&key.family) {
        Unit::Seconds => 0,
        Unit::Bytes => 1,
        Unit::Ratio | Unit::Count => 2,
    });
    keys
}

fn summary(group: &Group<'_>) -> GroupSummary {
    let Size { instances, hosts } = size(group);
    GroupSummary { group: group.value.clone(), instances, hosts }
}

fn size(group: &Group<'_>) -> Size {
    let hosts: BTreeSet<u32> = group.members.iter().map(|member| member.host()).collect();
    Size { instances: group.members.len(), hosts: hosts.len() }
}

fn disturbed(group: &Group<'_>) -> Option<f64> {
    let (disturbed, all) = group.disturbed();
    (all > 0).then(|| real(disturbed) / real(all))
}

/// Two groups, cut to what may be compared of them.
struct Match<'a> {
    alike: like::Alike<'a>,
    rounds: window::Rounds,
    unlike_windows: Option<Warning>,
    /// In what else the sides differ, or may differ, so that a difference may be that.
    confounders: Vec<Warning>,
}

impl<'a> Match<'a> {
    fn of(baseline: &Group<'a>, candidate: &Group<'a>, options: &Options) -> Self {
        let alike = like::of(baseline, candidate, options);
        let whole = [alike.baseline.clone(), alike.candidate.clone()].map(Group::whole);
        let like::Alike { baseline, candidate, exclusions, refused, unsaid, is_mixed } = alike;
        let (baseline, candidate, unlike_windows) = window::common(baseline, candidate, options.window);
        let [whole_baseline, whole_candidate] = &whole;
        let rounds = window::summary([&baseline, &candidate], [whole_baseline, whole_candidate]);
        let confounders = caution::confounders(&baseline, &candidate, &unsaid, options);
        let alike = like::Alike { baseline, candidate, exclusions, refused, unsaid, is_mixed };
        Self { alike, rounds, unlike_windows, confounders }
    }

    fn is_confounded(&self) -> bool {
        let Self { alike, unlike_windows, confounders, .. } = self;
        alike.is_mixed || !alike.refused.is_empty() || unlike_windows.is_some() || !confounders.is_empty()
    }

    fn block(self, candidate: &Group<'_>, rows: Vec<Row>) -> Block {
        let Self { alike, rounds, unlike_windows, confounders } = self;
        let disturbed = [&alike.baseline, &alike.candidate].map(disturbed);
        let compared = Compared { baseline: size(&alike.baseline), candidate: size(&alike.candidate) };
        let mut warnings = caution::of_likeness(&alike);
        warnings.extend(caution::of_groups(&alike.baseline, &alike.candidate, disturbed, &rows));
        warnings.extend(confounders);
        warnings.extend(unlike_windows);
        warnings.extend(caution::outside_window(&alike, rounds.dropped));
        Block {
            candidate: summary(candidate),
            compared,
            disturbed,
            window_seconds: rounds.to - rounds.from,
            rounds,
            exclusions: alike.exclusions,
            warnings,
            rows,
        }
    }
}
