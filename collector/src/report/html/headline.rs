//! The headline sentences: what a reader should take away, in plain words, and what would be needed to know more.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::facts::{Cost, Facts, GroupFacts};
use super::measures::CRITERIA;
use super::{badge, words};
use crate::compare::{Row, Size};
use crate::report::{Input, note};
use crate::stats::detectable::MIN_HOSTS;
use crate::stats::equivalence::Threshold;
use crate::stats::real;
use crate::verdict::{Reason, Tag, Verdict};
use crate::warning::some_of;

/// Sentences about differences, over all candidates.
const SENTENCES: usize = 16;
/// The fewest of them about one candidate.
const FEWEST: usize = 3;
/// Hosts beyond which more of them is no answer.
const MOST_HOSTS: f64 = 2000.0;

/// The section.
#[must_use]
pub fn section(input: &Input<'_>, facts: &Facts<'_>) -> Markup {
    let most = (SENTENCES / facts.groups.len().max(2)).max(FEWEST);
    let Some((baseline, candidates)) = facts.groups.split_first() else { return html! {} };
    html! {
        section #findings aria-labelledby="findings-title" {
            h2 #findings-title { "Findings" }
            @for (at, group) in candidates.iter().enumerate() {
                h3.versus {
                    (badge(group)) span.quiet { " against " } (badge(baseline))
                    " " span.quiet {
                        @let compared = group.block.map(|block| block.compared);
                        (hosts(compared.map(|compared| compared.candidate), group)) " against "
                        (hosts(compared.map(|compared| compared.baseline), baseline))
                    }
                }
                ul.findings {
                    @for (verdict, text) in sentences(input, facts, at + 1, most) {
                        li class=(verdict) { (super::forest::mark(verdict)) (text) }
                    }
                }
            }
        }
    }
}

/// `6 hosts`, and `2 of 6 hosts` where the others are left out.
fn hosts(compared: Option<Size>, group: &GroupFacts<'_>) -> String {
    let all = words::counted(group.hosts, "host");
    match compared {
        Some(Size { hosts, .. }) if hosts != group.hosts => format!("{hosts} of {all}"),
        _ => all,
    }
}

/// The sentences about one group, each with the verdict that it tells.
fn sentences(input: &Input<'_>, facts: &Facts<'_>, at: usize, most: usize) -> Vec<(&'static str, String)> {
    let baseline = input.comparison.baseline.group.as_str();
    let Some(group) = facts.groups.get(at) else { return Vec::new() };
    let by = &input.comparison.by;
    let rows = in_order(facts, at);
    let mut told = Vec::new();
    let differing: Vec<&(&Cost<'_>, &Row)> = rows
        .iter()
        .filter(|(_, row)| matches!(told_verdict(row), Verdict::Slower | Verdict::Faster))
        .collect();
    for (cost, row) in differing.iter().take(most) {
        told.push((told_verdict(row).as_str(), difference(by, group.name, cost, row)));
    }
    if differing.len() > most {
        let rest: Vec<String> = differing.iter().skip(most).map(|(cost, _)| cost.name.clone()).collect();
        told.push(("slower", format!("It also differs in {}.", some_of(&rest))));
    }
    let alike: Vec<String> = rows
        .iter()
        .filter(|(_, row)| told_verdict(row) == Verdict::NoDifference)
        .map(|(cost, _)| cost.name.clone())
        .collect();
    if !alike.is_empty() {
        let here = rows.iter().all(|(_, row)| row.verdict == Verdict::Inconclusive);
        told.push((
            Verdict::NoDifference.as_str(),
            format!(
                "No difference from {baseline} that matters (below {}{}) in {}.",
                words::percent(input.comparison.threshold.share() * 100.0),
                if here { ", these instances only" } else { "" },
                listed(&alike)
            ),
        ));
    }
    told.extend(undecided(&rows, input.comparison.threshold));
    if told.is_empty() && rows.iter().any(|(_, row)| row.verdict == Verdict::Live) {
        let text = "Not decided yet: the verdicts come when the window is over.";
        told.push((Verdict::Inconclusive.as_str(), text.to_owned()));
    }
    if told.is_empty() {
        told.push((Verdict::Inconclusive.as_str(), "No cost has a value on both sides.".to_owned()));
    }
    told
}

/// The rows of a group with values on both sides: what decisions rest on first, then by the size of the difference.
fn in_order<'f, 'a>(facts: &'f Facts<'a>, at: usize) -> Vec<(&'f Cost<'a>, &'a Row)> {
    let key_costs: Vec<&Cost<'_>> = CRITERIA.iter().flat_map(|criterion| criterion.costs(facts)).collect();
    let place = |cost: &Cost<'_>| key_costs.iter().position(|key| key.key == cost.key).unwrap_or(usize::MAX);
    let mut rows: Vec<(&Cost<'_>, &Row)> = facts
        .costs
        .iter()
        .filter_map(|cost| Some((cost, cost.rows.iter().find(|(group, _)| *group == at)?.1)))
        .filter(|(_, row)| note::is_shown(row))
        .collect();
    let size = |row: &Row| told_ratio(row).map_or(0.0, |(ratio, ..)| ratio.ln().abs());
    rows.sort_by(|(a, row_a), (b, row_b)| place(a).cmp(&place(b)).then(size(row_b).total_cmp(&size(row_a))));
    rows
}

/// What is said: of two hosts where each side is one, else of the tiers.
fn told_verdict(row: &Row) -> Verdict {
    row.here.map_or(row.verdict, |here| here.verdict)
}

fn told_ratio(row: &Row) -> Option<(f64, Option<f64>, Option<f64>)> {
    match row.here {
        Some(here) => Some((here.ratio, here.ratio_low, here.ratio_high)),
        None => Some((row.ratio?, row.ratio_low, row.ratio_high)),
    }
}

/// `In a container in a VM a system call (getppid) takes 25 % longer (21 to 29 %, 95 % sure; 14 and 22 hosts).`
fn difference(by: &str, group: &str, cost: &Cost<'_>, row: &Row) -> String {
    let Some((ratio, _, _)) = told_ratio(row) else { return String::new() };
    let mut certainty = Vec::new();
    if let Some(quoted) = row.quoted {
        certainty.extend(words::range(ratio, quoted.ratio_low, quoted.ratio_high));
        certainty.push(words::sure(quoted.confidence));
    }
    let who = if row.here.is_some() {
        "these two instances only".to_owned()
    } else if row.pairs > 0 && row.basis.is_some_and(|basis| basis.as_str().starts_with("paired")) {
        words::counted(row.pairs, "pair")
    } else {
        format!("{} and {} hosts", row.baseline.hosts, row.candidate.hosts)
    };
    let beside: String = [(Tag::Provisional, "; provisional"), (Tag::Confounded, "; confounded")]
        .into_iter()
        .filter_map(|(tag, words)| row.tags.contains(&tag).then_some(words))
        .collect();
    format!(
        "{} {} {} ({}; {who}{beside}).",
        words::sentence(&words::place(by, group)),
        words::cost(cost.key),
        words::change(ratio, row.unit),
        certainty.join(", ")
    )
}

/// What the data do not decide, by reason, with what would.
fn undecided(rows: &[(&Cost<'_>, &Row)], threshold: Threshold) -> Vec<(&'static str, String)> {
    let mut by_reason: BTreeMap<Reason, Vec<(&Cost<'_>, &Row)>> = BTreeMap::new();
    for (cost, row) in rows.iter().filter(|(_, row)| told_verdict(row) == Verdict::Inconclusive) {
        let reason = row.here.and_then(|here| here.reason).or(row.reason).unwrap_or(Reason::WideInterval);
        by_reason.entry(reason).or_default().push((cost, row));
    }
    let of_reason = |(reason, rows): (Reason, Vec<(&Cost<'_>, &Row)>)| {
        let names: Vec<String> = rows.iter().map(|(cost, _)| cost.name.clone()).collect();
        let needed = needed(reason, &rows, threshold);
        let text = format!("Not decided: {} ({}). {needed}", listed(&names), note::words(reason));
        (Verdict::Inconclusive.as_str(), text.trim_end().to_owned())
    };
    by_reason.into_iter().map(of_reason).collect()
}

/// What would have to be measured for a verdict.
fn needed(reason: Reason, rows: &[(&Cost<'_>, &Row)], threshold: Threshold) -> String {
    match reason {
        Reason::OneHost | Reason::FewHosts => {
            format!("Needed: {MIN_HOSTS} hosts a side or more; more rounds do not help.")
        }
        Reason::WideInterval | Reason::ManyRows => hosts_needed(rows, threshold).unwrap_or_else(|| {
            "Needed: more hosts, or pairs that share a kernel, rack or machine.".to_owned()
        }),
        Reason::CoarseClock | Reason::ZeroVariance => {
            "Needed: a finer clock, or agents that say how fine theirs is.".to_owned()
        }
        Reason::Unlike => {
            "Needed: instances of both that are alike in it; the warnings say in what.".to_owned()
        }
        Reason::Incomplete => "Needed: the whole data; see what the store warns of.".to_owned(),
        Reason::NoData | Reason::NonPositive => String::new(),
    }
}

/// Hosts a side that would find a difference of the threshold, from what this many would have found: the detectable
/// logarithm falls with the square root of their number.
fn hosts_needed(rows: &[(&Cost<'_>, &Row)], threshold: Threshold) -> Option<String> {
    let estimates = rows.iter().filter_map(|(cost, row)| {
        let hosts = real(row.baseline.hosts.min(row.candidate.hosts));
        let needed = hosts * (row.detectable_ratio?.ln() / threshold.log()).powi(2);
        Some((cost.name.as_str(), needed))
    });
    let (name, needed) = estimates.max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    Some(if needed > MOST_HOSTS {
        format!("Needed: pairs or hosts that are more alike; for {name} no fleet is large enough.")
    } else {
        let share = words::percent(threshold.share() * 100.0);
        format!(
            "Needed: about {needed:.0} hosts a side to find {share} in {name}, the most uncertain of them."
        )
    })
}

/// Names of costs: all of a few, the first of many.
fn listed(names: &[String]) -> String {
    some_of(names)
}
