//! The evidence for each tier: why an instance is said to be where it is, as far as its labels carry it.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::facts::{Facts, GroupFacts};
use super::{badge, words};
use crate::dataset::Member;
use crate::report::Input;
use crate::warning::some_of;

/// Below this confidence a tier is not sure.
const SURE: f64 = 0.9;
/// The layers of the stack, from the process outwards.
const LAYERS: [&str; 5] = ["container_runtime", "orchestrator", "vmm", "hypervisor", "cloud"];
/// What else tells hosts apart.
const OTHERS: [(&str, &str); 4] =
    [("release", "kernel"), ("cpu_model", "processor"), ("clocksource", "clock"), ("arch", "architecture")];

/// Instances that say the same of where they are.
struct Kind<'a> {
    stack: Vec<(&'static str, &'a str)>,
    tier: Option<&'a str>,
    kernel: Option<&'a str>,
    others: Vec<(&'static str, &'a str)>,
    members: Vec<&'a Member>,
}

/// The section.
#[must_use]
pub fn section(input: &Input<'_>, facts: &Facts<'_>) -> Markup {
    let by = input.comparison.by.as_str();
    html! {
        section #evidence aria-labelledby="evidence-title" {
            h2 #evidence-title { "Evidence for each " (if by == "tier" { "tier" } else { "group" }) }
            p.lead {
                "What the agents found out about where they run. "
                code { "tierprobe-agent detect" } " on an instance shows every piece of evidence."
            }
            @for group in &facts.groups {
                h3 { (badge(group)) " " span.quiet { (words::counted(group.instances, "instance")) } }
                @let kinds = kinds(group);
                @if kinds.is_empty() { p.absent { "Nothing is known of its instances." } }
                @for kind in &kinds { (shown(kind, by)) }
            }
        }
    }
}

fn shown(kind: &Kind<'_>, by: &str) -> Markup {
    let uncertain: Vec<String> = kind
        .members
        .iter()
        .filter(|member| member.instance.tier_confidence.is_some_and(|sure| sure < SURE))
        .map(|member| member.instance.name.clone())
        .collect();
    let names: Vec<String> = kind.members.iter().map(|member| member.instance.name.clone()).collect();
    html! {
        div.kind-of-host {
            p.stack {
                @if by != "tier" { span.layer { span.what { "tier" } (kind.tier.unwrap_or("unknown")) } }
                @for (layer, name) in &kind.stack {
                    span.layer { span.what { (layer.replace('_', " ")) } (name) }
                }
                @if kind.stack.is_empty() { span.absent { "no layer is named" } }
                @if let Some(kernel) = kind.kernel { span.layer { span.what { "kernel" } (kernel) } }
            }
            dl {
                dt { "sure" }
                dd { (confidence(kind)) }
                @for (name, value) in &kind.others { dt { (name) } dd { (value) } }
                dt { (words::counted(kind.members.len(), "instance")) }
                dd { (some_of(&names)) }
            }
            @if !uncertain.is_empty() {
                p.flag { "Not sure, below " (words::percent(SURE * 100.0)) ": " (some_of(&uncertain)) "." }
            }
        }
    }
}

fn confidence(kind: &Kind<'_>) -> String {
    let known: Vec<f64> = kind.members.iter().filter_map(|member| member.instance.tier_confidence).collect();
    let ends = known.iter().copied().reduce(f64::min).zip(known.iter().copied().reduce(f64::max));
    let percent = |share: f64| format!("{:.0}", share * 100.0);
    match ends {
        Some((low, high)) if percent(low) == percent(high) => format!("{} %", percent(low)),
        Some((low, high)) => format!("{} to {} %", percent(low), percent(high)),
        None => "the source does not say".to_owned(),
    }
}

fn kinds<'a>(group: &GroupFacts<'a>) -> Vec<Kind<'a>> {
    let mut kinds: BTreeMap<Vec<Option<&str>>, Kind<'a>> = BTreeMap::new();
    for member in group.group.members.iter().copied() {
        let label = |name: &str| member.instance.labels.get(name).map(String::as_str);
        let named = |names: &[(&'static str, &'static str)]| -> Vec<(&'static str, &'a str)> {
            names.iter().filter_map(|(name, shown)| Some((*shown, label(name)?))).collect()
        };
        let layers = LAYERS.map(|layer| (layer, layer));
        let identity = LAYERS.into_iter().chain(["tier", "kernel"]).chain(OTHERS.map(|(name, _)| name));
        let kind = kinds.entry(identity.map(label).collect()).or_insert_with(|| Kind {
            stack: named(&layers),
            tier: label("tier"),
            kernel: label("kernel"),
            others: named(&OTHERS),
            members: Vec::new(),
        });
        kind.members.push(member);
    }
    let mut kinds: Vec<Kind<'a>> = kinds.into_values().collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.members.len()));
    kinds
}
