//! The comparison as one page: nothing outside of it is needed or asked for.
//!
//! - [`page`]: the whole document.
//! - [`caution`], [`headline`], [`matrix`], [`forest`], [`strips`], [`timeline`], [`evidence`], [`excluded`],
//!   [`method`]: its sections, in this order.
//! - [`facts`]: what they show, gathered once; [`measures`] which costs speak to a decision; [`course`] a cost over
//!   time.
//! - [`sources`]: what each source gave, so that a fleet does not fill the page.
//! - [`scale`] and [`words`]: places on axes, and plain words. Pure.
//!
//! There is no script: what is chosen is chosen with radio buttons that the style sheet listens to. Text from
//! agents is escaped by the templates, and the policy in the head lets a page that was tampered with load nothing.
//! Charts are as wide as the page is: places on them are shares, and only strokes and letters have sizes.

pub mod caution;
pub mod course;
pub mod evidence;
pub mod excluded;
pub mod facts;
pub mod forest;
pub mod headline;
pub mod matrix;
pub mod measures;
pub mod method;
pub mod scale;
pub mod sources;
pub mod strips;
pub mod timeline;
pub mod words;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Input, figure};
use crate::date::utc_minute;
use facts::{Facts, GroupFacts, STYLES};

/// The style sheet.
const STYLE: &str = include_str!("page.css");
/// Its SHA-256 in base64: the policy lets in this sheet and no other.
const STYLE_HASH: &str = "DCpMXye24y/KrPqu/XBtxlQCCYBQFsHQgCCJVxeSVqo=";

/// The sections that the page can jump to.
const SECTIONS: [(&str, &str); 9] = [
    ("warnings", "Warnings"),
    ("findings", "Findings"),
    ("decision", "Decision"),
    ("ratios", "Ratios"),
    ("distributions", "Hosts"),
    ("course", "Over time"),
    ("evidence", "Evidence"),
    ("excluded", "Left out"),
    ("method", "Method"),
];

/// The page; ends with a line feed. The same input gives the same page.
#[must_use]
pub fn page(input: &Input<'_>) -> String {
    let facts = Facts::of(input);
    let title = title(input);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content={
                    "default-src 'none'; style-src 'sha256-" (STYLE_HASH) "'; base-uri 'none'; form-action 'none'"
                };
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                @if let Some(seconds) = input.refresh_seconds { meta http-equiv="refresh" content=(seconds); }
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#warnings" { "Skip to the report" }
                (header(input, &facts, &title))
                main {
                    (caution::section(input, &facts))
                    (headline::section(input, &facts))
                    (matrix::section(input, &facts))
                    (forest::section(input, &facts))
                    (strips::section(input, &facts))
                    (timeline::section(&facts))
                    (evidence::section(input, &facts))
                    (excluded::section(input, &facts))
                    (method::section(input))
                }
                footer { p { "tierprobe-collector " (env!("CARGO_PKG_VERSION")) ". This page loads nothing." } }
            }
        }
    };
    page.into_string() + "\n"
}

fn title(input: &Input<'_>) -> String {
    let candidates: Vec<&str> =
        input.comparison.blocks.iter().map(|block| block.candidate.group.as_str()).collect();
    let baseline = &input.comparison.baseline.group;
    match candidates.as_slice() {
        [] | [_] | [_, _] => format!("{} against {baseline}", candidates.join(" and ")),
        several => format!("{} groups against {baseline}", several.len()),
    }
}

fn header(input: &Input<'_>, facts: &Facts<'_>, title: &str) -> Markup {
    html! {
        header {
            div.bar {
                p.brand { "tierprobe" }
                fieldset.choice.theme {
                    legend { "Theme" }
                    @for (id, text) in [("auto", "Auto"), ("light", "Light"), ("dark", "Dark")] {
                        label {
                            input type="radio" name="theme" id={ "theme-" (id) } checked[id == "auto"];
                            span { (text) }
                        }
                    }
                }
            }
            h1 { (title) }
            dl.about {
                @for group in &facts.groups {
                    div {
                        dt { (badge(group)) }
                        dd {
                            (words::counted(group.instances, "instance"))
                            @if group.hosts != group.instances { " on " (words::counted(group.hosts, "host")) }
                            @if group.block.is_none() { span.quiet { " baseline" } }
                        }
                    }
                }
                @if let Some((from, to)) = window(input) {
                    div { dt { "Rounds" } dd { (utc_minute(from)) " to " (utc_minute(to)) " (" (figure::span(to - from)) ")" } }
                }
            }
            nav aria-label="Sections" {
                ul { @for (id, text) in SECTIONS { li { a href={ "#" (id) } { (text) } } } }
            }
        }
    }
}

/// From the first to the last round of all blocks; `None` without rounds.
fn window(input: &Input<'_>) -> Option<(f64, f64)> {
    let rounds = input.comparison.blocks.iter().map(|block| (block.rounds.from, block.rounds.to));
    rounds.filter(|(_, to)| *to > 0.0).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// A group with its colour and shape.
fn badge(group: &GroupFacts<'_>) -> Markup {
    html! {
        span.badge {
            svg.{ "g" (group.style) } width="12" height="12" viewBox="-6 -6 12 12" aria-hidden="true" {
                (shape(group.style))
            }
            (breakable(group.name))
        }
    }
}

/// A name that a narrow column breaks behind one of its underscores, not in the middle of a word.
fn breakable(name: &str) -> Markup {
    html! {
        @for (at, word) in name.split_inclusive('_').enumerate() { @if at > 0 { wbr; } (word) }
    }
}

/// The shape of a group, so that none is told by its colour alone.
fn shape(style: usize) -> Markup {
    match style % STYLES {
        0 => html! { circle r="4" {} },
        1 => html! { path d="M0 -5 L5 0 L0 5 L-5 0 Z" {} },
        2 => html! { rect x="-3.5" y="-3.5" width="7" height="7" {} },
        3 => html! { path d="M0 -4.5 L4.5 4 L-4.5 4 Z" {} },
        4 => html! { path d="M0 4.5 L4.5 -4 L-4.5 -4 Z" {} },
        5 => html! { path d="M-1.5 -5 H1.5 V-1.5 H5 V1.5 H1.5 V5 H-1.5 V1.5 H-5 V-1.5 H-1.5 Z" {} },
        6 => html! { path d="M0 -5 L4.8 -1.5 L3 4.2 L-3 4.2 L-4.8 -1.5 Z" {} },
        _ => html! { path d="M-4.5 -2 H4.5 V2 H-4.5 Z" {} },
    }
}

/// A place on an axis as SVG writes it.
fn share(place: f64) -> String {
    format!("{:.2}%", place * 100.0)
}

/// On which side of its place a text stands, so that none leaves the drawing.
fn anchor(place: f64) -> &'static str {
    if place < 0.12 {
        "start"
    } else if place > 0.88 {
        "end"
    } else {
        "middle"
    }
}

#[cfg(test)]
mod tests;
