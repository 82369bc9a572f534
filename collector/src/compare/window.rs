//! Which rounds are compared: those of the time that both sides share, or of the last complete window of a grid.

use std::time::Duration;

use super::Options;
use crate::dataset::Member;
use crate::dataset::group::{Group, Span};
use crate::error::CompareError;
use crate::observation::track::Cut;
use crate::stats::real;
use crate::warning::Warning;

/// Which rounds count by when they ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Window {
    /// Those of the time that both sides share, as long as that is half of either side's rounds or more.
    #[default]
    Common,
    /// Those of the last complete window of this length, on a grid that begins at the epoch. Repeated looks then
    /// give one verdict a window, and none that waits for the data to please.
    Last(Duration),
    /// All, for sides that took turns.
    Whole,
}

/// From this share of its rounds on, what both sides share stands for a side.
const ENOUGH: f64 = 0.5;

/// The time of one block's rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rounds {
    /// End of the first round, in seconds since the epoch; zero without rounds.
    pub from: f64,
    /// End of the last round.
    pub to: f64,
    /// Rounds outside of it, of the baseline and of the candidate, each instance by its longest series.
    pub dropped: [usize; 2],
}

/// Cuts all groups to the last complete window where the user wants one.
pub(super) fn last(groups: &mut [Group<'_>], options: &Options) -> Result<(), CompareError> {
    let Window::Last(length) = options.window else { return Ok(()) };
    let length = length.as_secs_f64();
    let spans: Vec<(f64, f64)> = groups.iter().filter_map(span).collect();
    // Complete for every group: none begins after its start or ends before its end.
    let first = spans.iter().map(|(first, _)| *first).fold(f64::NEG_INFINITY, f64::max);
    let last = spans.iter().map(|(_, last)| *last).fold(f64::INFINITY, f64::min);
    let until = (last / length).floor() * length;
    let from = until - length;
    if spans.is_empty() || !(length > 0.0 && from >= first) {
        let shared = if last.is_finite() { (last - first).max(0.0) } else { 0.0 };
        return Err(CompareError::NoWindow { length, shared });
    }
    for group in groups {
        group.span = Span { from, until };
    }
    Ok(())
}

/// Cuts two groups to the time that both share; says so where that is too little to stand for them.
pub(super) fn common<'a>(
    baseline: Group<'a>,
    candidate: Group<'a>,
    window: Window,
) -> (Group<'a>, Group<'a>, Option<Warning>) {
    let (Window::Common, Some(a), Some(b)) = (window, span(&baseline), span(&candidate)) else {
        return (baseline, candidate, None);
    };
    let (first, last) = (a.0.max(b.0), a.1.min(b.1));
    let shared = Span { from: first, until: last.next_up() };
    let cut = |group: &Group<'a>| Group { span: shared, ..group.clone() };
    let (cut_baseline, cut_candidate) = (cut(&baseline), cut(&candidate));
    let stands = |cut: &Group<'_>, whole: &Group<'_>| {
        let (kept, all) = (rounds(cut), rounds(whole));
        real(kept) >= ENOUGH * real(all)
    };
    if first <= last && stands(&cut_baseline, &baseline) && stands(&cut_candidate, &candidate) {
        return (cut_baseline, cut_candidate, None);
    }
    let warning = Warning::UnlikeWindows {
        groups: [baseline.value.clone(), candidate.value.clone()],
        shared_seconds: (last - first).max(0.0),
    };
    (baseline, candidate, Some(warning))
}

/// The time of two groups' rounds, and what lies outside; `whole` are the same before they were cut.
pub(super) fn summary(cut: [&Group<'_>; 2], whole: [&Group<'_>; 2]) -> Rounds {
    let mut spans: Vec<(f64, f64)> = cut.iter().filter_map(|group| span(group)).collect();
    if spans.is_empty() {
        // Nothing but gauges.
        spans = cut.iter().filter_map(|group| span_of_gauges(group)).collect();
    }
    let from = spans.iter().map(|(first, _)| *first).reduce(f64::min).unwrap_or(0.0);
    let to = spans.iter().map(|(_, last)| *last).reduce(f64::max).unwrap_or(0.0);
    let [a, b] = cut.map(rounds);
    let [whole_a, whole_b] = whole.map(rounds);
    Rounds { from, to, dropped: [whole_a.saturating_sub(a), whole_b.saturating_sub(b)] }
}

/// From the first to the last round of a group's durations; `None` without any.
fn span(group: &Group<'_>) -> Option<(f64, f64)> {
    enclosing(group.members.iter().flat_map(|member| durations(group, member)).filter_map(|cut| cut.ends()))
}

fn span_of_gauges(group: &Group<'_>) -> Option<(f64, f64)> {
    let readings = group.members.iter().flat_map(|member| group.series_of(member));
    enclosing(readings.filter_map(|(_, _, readings)| readings.ends()))
}

/// From the earliest beginning to the latest end.
fn enclosing(spans: impl Iterator<Item = (f64, f64)>) -> Option<(f64, f64)> {
    spans.reduce(|(from, to), (first, last)| (from.min(first), to.max(last)))
}

/// The rounds of a group, each instance by its longest series of a duration.
fn rounds(group: &Group<'_>) -> usize {
    let of_member = |member: &&Member| durations(group, member).map(|cut| cut.len()).max().unwrap_or(0);
    group.members.iter().map(of_member).sum()
}

/// The rounds of a member's durations within the span of the group: one entry for all series that share their rounds.
fn durations<'a>(group: &Group<'a>, member: &'a Member) -> impl Iterator<Item = Cut<'a>> {
    let Span { from, until } = group.span;
    member.duration_tracks().map(move |track| track.within(from, until))
}
