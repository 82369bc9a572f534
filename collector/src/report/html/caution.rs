//! What to know before believing a number: warnings, worst first.

use maud::{Markup, html};

use super::facts::Facts;
use crate::report::{Input, name, note};
use crate::warning::Warning;

/// One warning as the page shows it.
struct Shown {
    /// A name for whoever looks it up.
    kind: &'static str,
    /// What it is about; empty for all data.
    about: String,
    text: String,
}

/// The section.
#[must_use]
pub fn section(input: &Input<'_>, facts: &Facts<'_>) -> Markup {
    let warnings = gathered(input, facts);
    html! {
        section #warnings aria-labelledby="warnings-title" {
            h2 #warnings-title {
                "Before you believe a number"
                @if !warnings.is_empty() { span.count { (warnings.len()) } }
            }
            @if warnings.is_empty() {
                p.calm { "Nothing speaks against the numbers below." }
            } @else {
                ul.warnings {
                    @for warning in &warnings {
                        li {
                            span.kind { (warning.kind.replace('_', " ")) }
                            div {
                                @if !warning.about.is_empty() { strong { (warning.about) ": " } }
                                (warning.text)
                            }
                        }
                    }
                }
            }
        }
    }
}

fn gathered(input: &Input<'_>, facts: &Facts<'_>) -> Vec<Shown> {
    let mut shown = Vec::new();
    let of = |warning: &Warning, about: &str| Shown {
        kind: warning.kind(),
        about: about.to_owned(),
        text: warning.to_string(),
    };
    shown.extend(input.notes.iter().map(|note| Shown {
        kind: "note",
        about: String::new(),
        text: note.clone(),
    }));
    shown.extend(note::dropped(input.comparison).into_iter().map(|(who, why)| Shown {
        kind: "no_data",
        about: who,
        text: format!("{why}."),
    }));
    shown.extend(input.comparison.warnings.iter().map(|warning| of(warning, "")));
    for block in &input.comparison.blocks {
        // With one candidate everything is about it.
        let about = if facts.has_several() { block.candidate.group.as_str() } else { "" };
        shown.extend(block.warnings.iter().map(|warning| of(warning, about)));
        let names: Vec<String> = block.rows.iter().map(|row| name::full(&row.key)).collect();
        let of_rows = note::of_rows(block, &names);
        for text in of_rows {
            // What is true of several candidates alike is said once.
            match shown.iter_mut().find(|warning: &&mut Shown| warning.kind == "rows" && warning.text == text)
            {
                Some(same) => same.about.push_str(&format!(", {about}")),
                None => shown.push(Shown { kind: "rows", about: about.to_owned(), text }),
            }
        }
    }
    // What takes verdicts away or makes them worthless comes first; the order within stays.
    shown.sort_by_key(|warning| match warning.kind {
        "refused" | "no_data" | "emulated" => 0,
        "uncertain_tier" | "stale" | "unlike_seccomp" | "few_hosts" => 1,
        "rows" | "outside_window" => 3,
        _ => 2,
    });
    shown
}
