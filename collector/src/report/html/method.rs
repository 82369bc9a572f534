//! Footnotes: how the numbers come about.

use maud::{Markup, html};

use super::words;
use crate::compare::Window;
use crate::report::Input;
use crate::stats::CONFIDENCE;

/// The section.
#[must_use]
pub fn section(input: &Input<'_>) -> Markup {
    let comparison = input.comparison;
    let threshold = words::percent(comparison.threshold.share() * 100.0);
    html! {
        section #method aria-labelledby="method-title" {
            h2 #method-title { "Method" }
            ol.method {
                li {
                    "The unit of evidence is the host. Its value is the median of its clean rounds; instances on one "
                    "kernel are one host. More rounds never make up for few hosts."
                }
                li {
                    "A ratio compares geometric means over hosts, candidate to " (comparison.baseline.group)
                    ". Its " (words::percent(CONFIDENCE * 100.0)) " interval is Welch's; where a host stands apart, "
                    "ranks decide (Hodges and Lehmann); where instances share a kernel or what --pair names, pairs do."
                }
                li {
                    "Verdicts are corrected for the number of rows (Benjamini and Hochberg). "
                    em { "No difference" } " is claimed only where the whole 90 % interval is within "
                    (threshold) ", never because a difference was not found."
                }
                li {
                    "Sentences quote intervals of rows because these differ, so they are surer and wider than the 95 % of "
                    "the charts: of all that are quoted, 5 % are wrong and no more (Benjamini and Yekutieli)."
                }
                li {
                    "Rounds that something else had a part in are marked by the agent, by cause and not by what they "
                    "measured, and are out of verdicts; the share of them is in the JSON report."
                }
                li {
                    @match input.options.window {
                        Window::Common => { "Rounds of the time that both sides share are compared." }
                        Window::Last(length) => {
                            "Rounds of the last complete window of "
                            (crate::report::figure::span(length.as_secs_f64())) " are compared."
                        }
                        Window::Whole => { "All rounds are compared, as the sides took turns." }
                    }
                    @if !input.options.filters.is_empty() {
                        " Only instances with "
                        (input.options.filters.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
                        " are in it."
                    }
                    @if !input.options.allow_mixed.is_empty() {
                        " Sides may be unlike in " (input.options.allow_mixed.join(", ")) "."
                    }
                }
                li {
                    em { "Here" } " is said of two instances alone, in this window, from batches of their rounds. One "
                    "host cannot stand for its tier."
                }
            }
        }
    }
}
