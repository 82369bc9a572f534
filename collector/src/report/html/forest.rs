//! The forest plot: the ratio of each cost with its interval, on a logarithmic axis, with the band in which a
//! difference does not matter.

use maud::{Markup, html};

use super::facts::{Cost, Facts};
use super::scale::Scale;
use super::{badge, breakable, share};
use crate::compare::Row;
use crate::report::{Input, figure, name, note};
use crate::verdict::Verdict;

/// The smallest axis shows ratios up to this one.
const AROUND: f64 = 1.1;
/// Beyond this ratio an interval leaves the axis, so that one wide row does not flatten the others.
const FARTHEST: f64 = 1e4;
/// Labels on the axis at most.
const TICKS: usize = 5;
/// Height of a row's drawing, in pixels.
const HEIGHT: usize = 24;

/// The section.
#[must_use]
pub fn section(input: &Input<'_>, facts: &Facts<'_>) -> Markup {
    html! {
        section #ratios aria-labelledby="ratios-title" {
            h2 #ratios-title { "Ratios" }
            p.lead {
                "Each line is a cost, candidate to baseline: right of 1 it is dearer. The bar is the 95 % interval, "
                "the band is below " (super::words::percent(input.comparison.threshold.share() * 100.0))
                ", where a difference does not matter."
            }
            @if !input.comparison.is_live() { (filter(facts)) }
            @for (title, costs) in facts.topics() { (topic(input, facts, &title, &costs)) }
            (notes(input, facts))
            (by_ranks(facts))
        }
    }
}

/// Which rows are shown: radio buttons that the style sheet listens to, so that it needs no script.
fn filter(facts: &Facts<'_>) -> Markup {
    let count = |wanted: &[&str]| {
        let rows = facts.costs.iter().flat_map(|cost| &cost.rows).filter(|(_, row)| note::is_shown(row));
        rows.filter(|(_, row)| wanted.is_empty() || wanted.contains(&shown_verdict(row))).count()
    };
    let choices: [(&str, &str, &[&str]); 4] = [
        ("all", "All", &[]),
        ("differences", "Differences", &["slower", "faster"]),
        ("alike", "No difference", &["no_difference"]),
        ("open", "Not decided", &["inconclusive"]),
    ];
    html! {
        fieldset.choice {
            legend { "Show" }
            @for (id, text, verdicts) in choices {
                label {
                    input type="radio" name="rows" id={ "rows-" (id) } checked[id == "all"];
                    span { (text) " " span.quiet { (count(verdicts)) } }
                }
            }
        }
    }
}

fn topic(input: &Input<'_>, facts: &Facts<'_>, title: &str, costs: &[&Cost<'_>]) -> Markup {
    let shown = |cost: &&&Cost<'_>| cost.rows.iter().any(|(_, row)| note::is_shown(row));
    let costs: Vec<&Cost<'_>> = costs.iter().filter(shown).copied().collect();
    if costs.is_empty() {
        return html! {};
    }
    let scale = axis(&costs);
    let names = names(&costs);
    html! {
        table.forest {
            caption { (title) }
            thead {
                tr {
                    th scope="col" { "Cost" }
                    th.plot scope="col" { span.hidden { "Ratio, drawn" } (axis_drawing(&scale)) }
                    th.number scope="col" { (breakable(&input.comparison.baseline.group)) }
                    th.number scope="col" {
                        @if facts.has_several() { "candidate" } @else {
                            (breakable(facts.groups.get(1).map(|group| group.name).unwrap_or_default()))
                        }
                    }
                    th scope="col" { "Ratio [95 %]" }
                    th scope="col" { "Verdict" }
                }
            }
            @for (cost, name) in costs.iter().zip(&names) {
                tbody { (rows(input, facts, cost, name, &scale)) }
            }
        }
    }
}

fn rows(input: &Input<'_>, facts: &Facts<'_>, cost: &Cost<'_>, name: &str, scale: &Scale) -> Markup {
    let several = facts.has_several();
    html! {
        @if several { tr.cost { th scope="rowgroup" colspan="6" title=(cost.name) { (name) } } }
        @for (at, row) in cost.rows.iter().filter(|(_, row)| note::is_shown(row)) {
            tr.row.(shown_verdict(row)) {
                th scope="row" title=(cost.name) {
                    @match facts.groups.get(*at).filter(|_| several) {
                        Some(group) => { (badge(group)) }
                        None => { (name) }
                    }
                }
                td.plot { (drawing(row, scale, input.comparison.threshold.share())) }
                td.number { (figure::median(row, row.baseline.median)) }
                td.number { (figure::median(row, row.candidate.median)) }
                td.ratio { (effect(row)) }
                td.verdict { (mark(shown_verdict(row))) (figure::verdict(row)) }
            }
        }
    }
}

/// Short names of the costs of a topic, which its title makes plain.
fn names(costs: &[&Cost<'_>]) -> Vec<String> {
    let rows: Vec<Row> = costs.iter().filter_map(|cost| Some(cost.rows.first()?.1.clone())).collect();
    name::of_rows(&rows, 30)
}

fn effect(row: &Row) -> Markup {
    match ratio(row) {
        Some((value, low, high)) => html! {
            strong { (figure::ratio(value)) }
            " " span.quiet { (figure::interval(low, high).unwrap_or_default()) }
        },
        None => html! { span.absent { "–" } },
    }
}

/// The verdict that a row shows: of two hosts where each side is one, else of the tiers. While a window grows it is open.
#[must_use]
pub fn shown_verdict(row: &Row) -> &'static str {
    let verdict = row.here.map_or(row.verdict, |here| here.verdict);
    if verdict == Verdict::Live { Verdict::Inconclusive.as_str() } else { verdict.as_str() }
}

/// The ratio that goes with it, with its interval.
#[must_use]
pub fn ratio(row: &Row) -> Option<(f64, Option<f64>, Option<f64>)> {
    let found = match row.here {
        Some(here) => (here.ratio, here.ratio_low, here.ratio_high),
        None => (row.ratio?, row.ratio_low, row.ratio_high),
    };
    (found.0.is_finite() && found.0 > 0.0).then_some(found)
}

/// A shape for each verdict, so that none is told by its colour alone.
#[must_use]
pub fn mark(verdict: &str) -> Markup {
    html! {
        svg.mark.(verdict) width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true" { (shape(verdict)) }
    }
}

fn shape(verdict: &str) -> Markup {
    match verdict {
        "slower" => html! { path d="M-5 -5 L6 0 L-5 5 Z" {} },
        "faster" => html! { path d="M5 -5 L-6 0 L5 5 Z" {} },
        "no_difference" => html! { rect x="-4" y="-4" width="8" height="8" {} },
        _ => html! { circle r="4" {} },
    }
}

fn axis(costs: &[&Cost<'_>]) -> Scale {
    let ratios = costs.iter().flat_map(|cost| &cost.rows).filter_map(|(_, row)| ratio(row));
    let values = ratios.flat_map(|(value, low, high)| {
        let near = |end: &f64| *end <= value * 30.0 && *end >= value / 30.0;
        [Some(value), low.filter(near), high.filter(near)]
    });
    let inside = |value: &f64| (1.0 / FARTHEST..=FARTHEST).contains(value);
    Scale::of_ratios(values.flatten().filter(inside), AROUND)
}

fn axis_drawing(scale: &Scale) -> Markup {
    html! {
        svg.axis width="100%" height="18" aria-hidden="true" {
            @for tick in scale.ticks(TICKS) {
                text x=(share(scale.place(tick))) y="13" text-anchor=(super::anchor(scale.place(tick))) { (tick_text(tick)) }
            }
        }
    }
}

fn tick_text(tick: f64) -> String {
    if (0.0995..1000.0).contains(&tick) {
        let text = format!("{tick:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        figure::ratio(tick)
    }
}

/// One row's drawing.
fn drawing(row: &Row, scale: &Scale, threshold: f64) -> Markup {
    let Some((value, low, high)) = ratio(row) else { return html! {} };
    let middle = HEIGHT / 2;
    let (from, to) = (low.unwrap_or(0.0), high.unwrap_or(f64::INFINITY));
    let has_interval = low.is_some() || high.is_some();
    let place = |value: f64| share(if value.is_infinite() { 1.0 } else { scale.place(value) });
    let (band_low, band_high) = (scale.place(1.0 / (1.0 + threshold)), scale.place(1.0 + threshold));
    let verdict = shown_verdict(row);
    let described = match figure::interval(low, high) {
        Some(interval) => format!("95 % interval {interval}; {}", figure::verdict(row)),
        None => figure::verdict(row),
    };
    html! {
        svg.ratio-plot width="100%" height=(HEIGHT) role="img" {
            title { "Ratio " (figure::ratio(value)) }
            desc { (described) }
            rect.band x=(share(band_low)) width=(share(band_high - band_low)) y="0" height=(HEIGHT) {}
            @for tick in scale.ticks(TICKS) {
                line.grid x1=(place(tick)) x2=(place(tick)) y1="0" y2=(HEIGHT) {}
            }
            line.one x1=(place(1.0)) x2=(place(1.0)) y1="0" y2=(HEIGHT) {}
            g.(verdict) {
                @if has_interval {
                    line.interval x1=(place(from)) x2=(place(to)) y1=(middle) y2=(middle) {}
                    (end(scale, from, -1)) (end(scale, to, 1))
                }
                svg.point x=(place(value)) y=(middle) overflow="visible" {
                    @if scale.holds(value) { (shape(verdict)) } @else { (arrow(if value > 1.0 { 1 } else { -1 })) }
                }
            }
        }
    }
}

/// The end of an interval: a stop, or an arrow where it goes on beyond the axis.
fn end(scale: &Scale, value: f64, direction: i8) -> Markup {
    let place = share(if value.is_infinite() { 1.0 } else { scale.place(value) });
    let middle = HEIGHT / 2;
    html! {
        svg x=(place) y=(middle) overflow="visible" {
            @if scale.holds(value) { line.interval y1="-4" y2="4" {} } @else { (arrow(direction)) }
        }
    }
}

fn arrow(direction: i8) -> Markup {
    let path = if direction > 0 { "M-6 -4 L0 0 L-6 4" } else { "M6 -4 L0 0 L6 4" };
    html! { path.arrow d=(path) {} }
}

/// Which method decided what, what luck alone explains, and what a row with no verdict excludes.
fn notes(input: &Input<'_>, facts: &Facts<'_>) -> Markup {
    let notes: Vec<(&str, Vec<String>)> = input
        .comparison
        .blocks
        .iter()
        .map(|block| {
            let names: Vec<String> = block.rows.iter().map(|row| name::full(&row.key)).collect();
            (block.candidate.group.as_str(), note::of_methods(block, &names))
        })
        .filter(|(_, notes)| !notes.is_empty())
        .collect();
    let marks: Vec<&str> = note::marks(input.comparison).collect();
    html! {
        @if !notes.is_empty() || !marks.is_empty() {
            details.notes open {
                summary { "Notes on these rows" }
                ul {
                    @for (group, notes) in &notes {
                        @for note in notes {
                            li { @if facts.has_several() { strong { (group) ": " } } (note) }
                        }
                    }
                    @for mark in marks { li { (mark) } }
                }
            }
        }
    }
}

/// The ratios by ranks, whichever method decides: close to the others, unless a few hosts make the mean.
fn by_ranks(facts: &Facts<'_>) -> Markup {
    let rows = facts.costs.iter().flat_map(|cost| cost.rows.iter().map(move |(at, row)| (cost, at, row)));
    let lines: Vec<String> = rows
        .filter_map(|(cost, at, row)| {
            let ranks = row.hodges_lehmann?;
            let group = facts.groups.get(*at).filter(|_| facts.has_several());
            let whose = group.map(|group| format!(" ({})", group.name)).unwrap_or_default();
            let interval = figure::interval(ranks.ratio_low, ranks.ratio_high).unwrap_or_default();
            Some(format!("{}{whose}: {} {interval}", cost.name, figure::ratio(ranks.ratio)))
        })
        .collect();
    html! {
        @if !lines.is_empty() {
            details.notes {
                summary { "The same by ranks (Hodges and Lehmann)" }
                ul { @for line in &lines { li { (line) } } }
            }
        }
    }
}
