//! Time series: how each tier's cost went over the window.

use maud::{Markup, html};
use tierprobe_model::Unit;

use super::course::{Course, Point};
use super::facts::{Cost, Facts};
use super::scale::Scale;
use super::strips::ticks;
use super::{anchor, share};
use crate::date::utc_minute;
use crate::stats::real;

/// Height of the drawing without its axis, in pixels.
const HEIGHT: usize = 120;
/// Height of the axis below, and of the lane that marks disturbed rounds.
const AXIS: usize = 20;
const LANE: usize = 5;
/// Labels on the axes at most.
const TICKS: usize = 4;
/// Width and height that lines are drawn in before they are stretched.
const DRAWN: f64 = 1000.0;
/// With so many costs or fewer, all are unfolded.
const UNFOLDED: usize = 16;

/// The section.
#[must_use]
pub fn section(facts: &Facts<'_>) -> Markup {
    let topics: Vec<(String, Vec<(&Cost<'_>, Course)>)> = facts
        .topics()
        .into_iter()
        .map(|(title, costs)| {
            let courses = costs.into_iter().filter_map(|cost| Some((cost, Course::of(facts, cost)?)));
            (title, courses.collect::<Vec<_>>())
        })
        .filter(|(_, courses)| !courses.is_empty())
        .collect();
    let several = topics.iter().map(|(_, courses)| courses.len()).sum::<usize>() > UNFOLDED;
    let is_shifted = topics.iter().flat_map(|(_, courses)| courses).any(|(_, course)| course.is_shifted);
    html! {
        section #course aria-labelledby="course-title" {
            h2 #course-title { "Over time" }
            @if topics.is_empty() {
                p.calm { "Too few rounds for a course over time." }
            } @else {
                p.lead {
                    "The median over hosts, from clean rounds. A gap is a time without measurements; marks below the "
                    "line are disturbed rounds, taller where more of them were."
                    @if is_shifted {
                        " The groups were measured at different times: each line begins at its own first round."
                    }
                }
                (legend(facts))
            }
            @for (at, (title, courses)) in topics.iter().enumerate() {
                details.topic open[!several || at < 3] {
                    summary { (title) span.count { (courses.len()) } }
                    div.cards.wide {
                        @for (cost, course) in courses {
                            figure.card { figcaption { (cost.name) } (drawing(facts, cost, course)) }
                        }
                    }
                }
            }
        }
    }
}

fn legend(facts: &Facts<'_>) -> Markup {
    html! {
        ul.legend {
            @for group in &facts.groups {
                li {
                    svg.{ "g" (group.style) } width="34" height="14" aria-hidden="true" {
                        line.course x1="1" x2="33" y1="7" y2="7" {}
                    }
                    (group.name)
                }
            }
        }
    }
}

fn drawing(facts: &Facts<'_>, cost: &Cost<'_>, course: &Course) -> Markup {
    let Some(values) = Scale::of(course.values()) else { return html! { p.absent { "no clean round" } } };
    let time = Scale::between(course.from, course.from + course.length);
    let plot = HEIGHT - LANE * facts.groups.len();
    let ticks = ticks(&values, cost.unit, TICKS);
    html! {
        div.plotted {
            svg.side width="100%" height=(HEIGHT + AXIS) aria-hidden="true" {
                @for (tick, text) in &ticks {
                    @let y = ((1.0 - values.place(*tick)) * real(plot) + 4.0).clamp(11.0, real(plot));
                    text.tick x="100%" y={ (format!("{y:.1}")) } text-anchor="end" { (text) }
                }
            }
            svg.timeline width="100%" height=(HEIGHT + AXIS) role="img" {
                title { (cost.name) " over time" }
                desc { (in_words(facts, cost.unit, course)) }
                @for (tick, _) in &ticks {
                    @let y = (1.0 - values.place(*tick)) * real(plot);
                    line.grid x1="0" x2="100%" y1={ (format!("{y:.1}")) } y2={ (format!("{y:.1}")) } {}
                }
                @for tick in time.time_ticks(TICKS) {
                    @let place = time.place(tick);
                    line.grid x1=(share(place)) x2=(share(place)) y1="0" y2=(HEIGHT) {}
                    text.tick x=(share(place)) y=(HEIGHT + 14) text-anchor=(anchor(place)) {
                        (time_text(tick, course))
                    }
                }
                svg width="100%" height=(plot) viewBox={ "0 0 " (DRAWN) " " (DRAWN) } preserveAspectRatio="none"
                    overflow="visible" {
                    @for (group, line) in facts.groups.iter().zip(&course.lines) {
                        path.course.{ "g" (group.style) } d=(path(line, &values)) {}
                    }
                }
                @for (lane, (group, line)) in facts.groups.iter().zip(&course.lines).enumerate() {
                    (marks(line, plot + LANE * (lane + 1), group.style))
                }
            }
        }
    }
}

/// The line through the points, broken where two parts of the window or more have none.
fn path(line: &[Point], values: &Scale) -> String {
    let mut path = String::new();
    let mut last: Option<usize> = None;
    for (at, value) in line.iter().enumerate().filter_map(|(at, point)| Some((at, point.value?))) {
        let x = (real(at) + 0.5) / real(line.len()) * DRAWN;
        let y = (1.0 - values.place(value)) * DRAWN;
        let is_next = last.is_some_and(|last| at - last <= 2);
        path.push_str(&format!("{}{x:.0} {y:.0}", if is_next { "L" } else { "M" }));
        if !is_next {
            // A point without neighbours is still a point.
            path.push_str("h.1");
        }
        last = Some(at);
    }
    path
}

/// Where rounds of a group were disturbed.
fn marks(line: &[Point], bottom: usize, style: usize) -> Markup {
    html! {
        @for (at, point) in line.iter().enumerate().filter(|(_, point)| point.disturbed > 0.0) {
            rect.disturbed.{ "g" (style) } x=(share(real(at) / real(line.len()))) width=(share(0.7 / real(line.len())))
                y={ (format!("{:.1}", real(bottom) - height(point))) } height={ (format!("{:.1}", height(point))) } {}
        }
    }
}

fn height(point: &Point) -> f64 {
    (point.disturbed * real(LANE)).max(1.5)
}

fn time_text(seconds: f64, course: &Course) -> String {
    if course.is_shifted {
        return crate::report::figure::span(seconds);
    }
    let text = utc_minute(seconds);
    let (date, time) = text.split_once(' ').unwrap_or(("", ""));
    if course.length > 172_800.0 {
        date.get(5..).unwrap_or(date).to_owned()
    } else if course.length < 180.0 {
        format!("{}:{:02.0}", time.trim_end_matches(" UTC"), seconds.rem_euclid(60.0))
    } else {
        time.trim_end_matches(" UTC").to_owned()
    }
}

fn in_words(facts: &Facts<'_>, unit: Unit, course: &Course) -> String {
    let line = |(group, points): (&super::facts::GroupFacts<'_>, &Vec<Point>)| {
        let values: Vec<f64> = points.iter().filter_map(|point| point.value).collect();
        let ends = values.iter().copied().reduce(f64::min).zip(values.iter().copied().reduce(f64::max));
        match ends {
            Some((low, high)) => format!("{}: {} to {}", group.name, unit.human(low), unit.human(high)),
            None => format!("{}: not measured", group.name),
        }
    };
    facts.groups.iter().zip(&course.lines).map(line).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_where_nothing_was_measured() {
        let point = |value: Option<f64>| Point { value, disturbed: 0.0 };
        let line = [Some(1.0), None, Some(1.0), None, None, Some(2.0), None].map(point);
        let path = path(&line, &Scale::of([1.0, 2.0]).unwrap());
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert_eq!(path.matches('L').count(), 1, "{path}");
    }
}
