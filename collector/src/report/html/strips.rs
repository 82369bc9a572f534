//! Distributions: the value of each host, by tier, on one axis a cost.

use maud::{Markup, html};
use tierprobe_model::Unit;

use super::facts::{Cost, Facts, GroupFacts};
use super::scale::Scale;
use super::{share, words};
use crate::dataset::Host;
use crate::report::Input;
use crate::stats::{real, summary};

/// Labels on an axis at most.
const TICKS: usize = 4;
/// Height of a group's lane, and where in it the hosts lie, in pixels.
const LANE: usize = 38;
const HOSTS_AT: usize = 26;
/// Height of the axis below.
const AXIS: usize = 20;
/// With more hosts than this they are drawn as thin strokes.
const FEW: usize = 40;
/// With more than this, only as many of them as this: evenly chosen by rank, so that the shape stays.
const MANY: usize = 120;
/// A box needs so many hosts to have quarters.
const BOX: usize = 5;
/// With so many costs or fewer, all are unfolded.
const UNFOLDED: usize = 16;

/// The section.
#[must_use]
pub fn section(input: &Input<'_>, facts: &Facts<'_>) -> Markup {
    let several = facts.costs.len() > UNFOLDED;
    html! {
        section #distributions aria-labelledby="distributions-title" {
            h2 #distributions-title { "Hosts" }
            p.lead {
                "Each mark is one host: the median of its clean rounds. The box holds the middle half of them, the "
                "upright line is their median. Axes do not start at zero."
            }
            @for (at, (title, costs)) in facts.topics().into_iter().enumerate() {
                details.topic open[!several || at < 3] {
                    summary { (title) span.count { (costs.len()) } }
                    div.cards {
                        @for cost in costs { (card(input, facts, cost)) }
                    }
                }
            }
        }
    }
}

fn card(input: &Input<'_>, facts: &Facts<'_>, cost: &Cost<'_>) -> Markup {
    let scale = Scale::of(cost.hosts.iter().flatten().map(|host| host.value));
    html! {
        figure.card {
            figcaption title=[input.comparison.help.get(&cost.key.family)] { (cost.name) }
            @match scale {
                Some(scale) => { (drawing(facts, cost, &scale)) }
                None => { p.absent { "no host has a value" } }
            }
        }
    }
}

fn drawing(facts: &Facts<'_>, cost: &Cost<'_>, scale: &Scale) -> Markup {
    let lanes: Vec<(&GroupFacts<'_>, &Vec<Host<'_>>)> = facts.groups.iter().zip(&cost.hosts).collect();
    let height = lanes.len() * LANE;
    let described: Vec<String> =
        lanes.iter().map(|(group, hosts)| in_words(group, hosts, cost.unit)).collect();
    html! {
        svg.strips width="100%" height=(height + AXIS) role="img" {
            title { (cost.name) ": the value of each host" }
            desc { (described.join("; ")) }
            (axis(scale, cost.unit, height))
            @for (lane, (group, hosts)) in lanes.iter().enumerate() {
                svg y=(lane * LANE) width="100%" height=(LANE) overflow="visible" {
                    (self::lane(group, hosts, scale, cost.unit))
                }
            }
        }
    }
}

fn in_words(group: &GroupFacts<'_>, hosts: &[Host<'_>], unit: Unit) -> String {
    let values: Vec<f64> = hosts.iter().map(|host| host.value).collect();
    match summary::median(&values) {
        Some(median) => {
            format!(
                "{}: median {} over {}",
                group.name,
                unit.human(median),
                words::counted(hosts.len(), "host")
            )
        }
        None => format!("{}: not measured", group.name),
    }
}

fn lane(group: &GroupFacts<'_>, hosts: &[Host<'_>], scale: &Scale, unit: Unit) -> Markup {
    let mut values: Vec<f64> = hosts.iter().map(|host| host.value).collect();
    values.sort_by(f64::total_cmp);
    let median = summary::median(&values);
    html! {
        text.label x="0" y="12" { (group.name) }
        text.value x="100%" y="12" text-anchor="end" {
            @match median {
                Some(median) => { (unit.human(median)) }
                None => { "not measured" }
            }
        }
        line.rail x1="0" x2="100%" y1=(HOSTS_AT) y2=(HOSTS_AT) {}
        g.{ "g" (group.style) } {
            @if values.len() >= BOX {
                @let (low, high) = (quantile(&values, 0.25), quantile(&values, 0.75));
                rect.box x=(share(scale.place(low))) width=(share(scale.place(high) - scale.place(low)))
                    y=(HOSTS_AT - 8) height="16" rx="2" {}
            }
            @if values.len() <= FEW {
                @for host in hosts {
                    svg x=(share(scale.place(host.value))) y=(HOSTS_AT) overflow="visible" {
                        g.point { title { (host.name) ": " (unit.human(host.value)) } (super::shape(group.style)) }
                    }
                }
            } @else {
                @for value in thinned(&values) {
                    line.host x1=(share(scale.place(value))) x2=(share(scale.place(value)))
                        y1=(HOSTS_AT - 6) y2=(HOSTS_AT + 6) {}
                }
            }
            @if let Some(median) = median {
                line.median x1=(share(scale.place(median))) x2=(share(scale.place(median)))
                    y1=(HOSTS_AT - 10) y2=(HOSTS_AT + 10) {}
            }
        }
    }
}

fn axis(scale: &Scale, unit: Unit, height: usize) -> Markup {
    html! {
        @for (tick, text) in ticks(scale, unit, TICKS) {
            @let place = scale.place(tick);
            line.grid x1=(share(place)) x2=(share(place)) y1="16" y2=(height) {}
            text.tick x=(share(place)) y=(height + 14) text-anchor=(super::anchor(place)) { (text) }
        }
    }
}

/// Round values along an axis, and how they are written. Where rounding makes two the same, the second says nothing.
pub(super) fn ticks(scale: &Scale, unit: Unit, most: usize) -> Vec<(f64, String)> {
    let values = if unit == Unit::Bytes { scale.byte_ticks(most) } else { scale.ticks(most) };
    let mut ticks: Vec<(f64, String)> =
        values.into_iter().map(|tick| (tick, tick_text(tick, unit))).collect();
    ticks.dedup_by(|(_, text), (_, before)| text == before);
    ticks
}

/// A round value without the zeros that a measured one would have.
fn tick_text(tick: f64, unit: Unit) -> String {
    let text = unit.human(tick);
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
        }
        None if text.contains('.') => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        Some(_) | None => text,
    }
}

/// The value at a share of sorted ones, between neighbours where it falls between.
fn quantile(sorted: &[f64], at: f64) -> f64 {
    let place = at * real(sorted.len().saturating_sub(1));
    let (below, part) = (place.floor(), place.fract());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the list")]
    let below = below as usize;
    let value = |at: usize| sorted.get(at).or_else(|| sorted.last()).copied().unwrap_or(f64::NAN);
    value(below) + (value(below + 1) - value(below)) * part
}

/// All of few values; of many an even choice, the ends with them.
fn thinned(sorted: &[f64]) -> Vec<f64> {
    if sorted.len() <= MANY {
        return sorted.to_vec();
    }
    let step = |at: usize| at * (sorted.len() - 1) / (MANY - 1);
    (0..MANY).filter_map(|at| sorted.get(step(at)).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarters_lie_between_values() {
        assert_eq!(
            [0.0, 0.25, 0.5, 1.0].map(|at| format!("{}", quantile(&[1.0, 2.0, 3.0, 4.0], at))),
            ["1", "1.75", "2.5", "4"]
        );
    }

    #[test]
    fn many_hosts_are_thinned_but_keep_their_ends() {
        let values: Vec<f64> = (0..10_000).map(f64::from).collect();
        let thinned = thinned(&values);
        assert_eq!((thinned.len(), thinned[0], thinned[MANY - 1]), (MANY, 0.0, 9999.0));
    }

    #[test]
    fn ticks_have_no_digits_that_say_nothing() {
        assert_eq!(tick_text(2e-7, Unit::Seconds), "200 ns");
        assert_eq!(tick_text(1.5e-6, Unit::Seconds), "1.5 µs");
        assert_eq!(tick_text(2.0, Unit::Count), "2");
    }

    #[test]
    fn no_two_ticks_read_the_same() {
        let texts = |values: [f64; 2], unit| -> Vec<String> {
            ticks(&Scale::of(values).unwrap(), unit, 4).into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(texts([0.0, 1e-6], Unit::Ratio), ["0 %"]);
        assert_eq!(texts([4.3e6, 4.9e6], Unit::Bytes), ["4.25 MiB", "4.5 MiB", "4.75 MiB"]);
    }
}
