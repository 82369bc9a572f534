//! What the page shows, gathered once: groups, costs, and the value of each host in each cost.

use std::collections::HashMap;

use crate::compare::{Block, Row};
use crate::dataset::group::{self, Group};
use crate::dataset::{Cells, Host, Member, Rounds, SeriesKey, Span};
use crate::report::{Input, name};
use tierprobe_model::Unit;

/// How many groups have a colour and a shape of their own.
pub const STYLES: usize = 8;

/// Everything.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The baseline first, then the candidates in the order of the comparison.
    pub groups: Vec<GroupFacts<'a>>,
    /// What is compared, in the order of the rows.
    pub costs: Vec<Cost<'a>>,
}

/// One group.
#[derive(Debug)]
pub struct GroupFacts<'a> {
    /// Its value of the grouping label.
    pub name: &'a str,
    /// Its instances.
    pub instances: usize,
    /// Its hosts.
    pub hosts: usize,
    /// Its colour and shape, below [`STYLES`].
    pub style: usize,
    /// Its instances and the time that counts; empty where the dataset is not the comparison's.
    pub group: Group<'a>,
    /// Its comparison with the baseline; `None` for the baseline.
    pub block: Option<&'a Block>,
}

/// One cost: a row in one or more blocks.
#[derive(Debug)]
pub struct Cost<'a> {
    /// Which.
    pub key: &'a SeriesKey,
    /// What it is called.
    pub name: String,
    /// Its unit.
    pub unit: Unit,
    /// The rows, each with the place of its group in [`Facts::groups`].
    pub rows: Vec<(usize, &'a Row)>,
    /// The hosts of each group, in the order of [`Facts::groups`].
    pub hosts: Vec<Vec<Host<'a>>>,
}

impl<'a> Facts<'a> {
    /// Gathers them.
    #[must_use]
    pub fn of(input: &Input<'a>) -> Self {
        let comparison = input.comparison;
        let grouped = group::group(input.dataset, &comparison.by, &input.options.filters);
        let found = grouped.map(|grouped| grouped.groups).unwrap_or_default();
        let group = |name: &str, span: Span| {
            let members = found.iter().find(|group| group.value == name).map(|group| group.members.clone());
            Group { value: name.to_owned(), members: members.unwrap_or_default(), span, strata: Vec::new() }
        };
        let spans = || comparison.blocks.iter().map(span);
        let all = spans().reduce(|a, b| Span { from: a.from.min(b.from), until: a.until.max(b.until) });
        let baseline = GroupFacts {
            name: &comparison.baseline.group,
            instances: comparison.baseline.instances,
            hosts: comparison.baseline.hosts,
            style: 0,
            group: group(&comparison.baseline.group, all.unwrap_or(Span::WHOLE)),
            block: None,
        };
        let candidates =
            comparison.blocks.iter().zip(spans()).enumerate().map(|(at, (block, span))| GroupFacts {
                name: &block.candidate.group,
                instances: block.candidate.instances,
                hosts: block.candidate.hosts,
                style: 1 + at % (STYLES - 1),
                group: group(&block.candidate.group, span),
                block: Some(block),
            });
        let groups: Vec<GroupFacts<'a>> = std::iter::once(baseline).chain(candidates).collect();
        let costs = costs(&groups);
        Self { groups, costs }
    }

    /// Whether there are several candidates, so that a row must say which it is about.
    #[must_use]
    pub fn has_several(&self) -> bool {
        self.groups.len() > 2
    }

    /// The costs by what they have to do with: those whose families begin with the same word, with their title.
    #[must_use]
    pub fn topics(&self) -> Vec<(String, Vec<&Cost<'a>>)> {
        let mut topics: Vec<(&str, Vec<&Cost<'a>>)> = Vec::new();
        for cost in &self.costs {
            let word = words(&cost.key.family).next().unwrap_or_default();
            match topics.iter_mut().find(|(topic, _)| *topic == word) {
                Some((_, costs)) => costs.push(cost),
                None => topics.push((word, vec![cost])),
            }
        }
        topics.into_iter().map(|(_, costs)| (title(&costs), costs)).collect()
    }
}

impl<'a> GroupFacts<'a> {
    /// The readings of an instance in a cost, of the time that counts, and of disturbed rounds too.
    pub fn readings(&self, member: &'a Member, key: &SeriesKey) -> Vec<crate::dataset::Reading> {
        self.group.readings(member, key).map(|readings| readings.iter().collect()).unwrap_or_default()
    }
}

fn span(block: &Block) -> Span {
    if block.rounds.to > 0.0 {
        Span { from: block.rounds.from, until: block.rounds.to.next_up() }
    } else {
        Span::WHOLE
    }
}

fn costs<'a>(groups: &[GroupFacts<'a>]) -> Vec<Cost<'a>> {
    let mut costs: Vec<Cost<'a>> = Vec::new();
    let mut places: HashMap<&'a SeriesKey, usize> = HashMap::new();
    for (at, block) in groups.iter().enumerate().filter_map(|(at, group)| Some((at, group.block?))) {
        for row in &block.rows {
            let place = *places.entry(&row.key).or_insert(costs.len());
            match costs.get_mut(place) {
                Some(cost) => cost.rows.push((at, row)),
                None => costs.push(Cost {
                    key: &row.key,
                    name: name::full(&row.key),
                    unit: row.unit,
                    rows: vec![(at, row)],
                    hosts: Vec::with_capacity(groups.len()),
                }),
            }
        }
    }
    let keys: Vec<SeriesKey> = costs.iter().map(|cost| cost.key.clone()).collect();
    for group in groups {
        let cells = Cells::of(&group.group, &keys);
        for (row, cost) in costs.iter_mut().enumerate() {
            cost.hosts.push(cells.side(row, Rounds::Clean).hosts);
        }
    }
    costs
}

fn words(family: &str) -> impl Iterator<Item = &str> {
    family.strip_prefix("tierprobe_").unwrap_or(family).split('_')
}

/// The words that all families of a topic begin with: `page fault`, `network`.
fn title(costs: &[&Cost<'_>]) -> String {
    let mut families = costs.iter().map(|cost| words(&cost.key.family).collect::<Vec<_>>());
    let mut shared = families.next().unwrap_or_default();
    if let Some(last) = shared.last()
        && ["seconds", "bytes", "ratio", "total"].contains(last)
        && shared.len() > 1
    {
        shared.pop();
    }
    for family in families {
        let same = shared.iter().zip(&family).take_while(|(a, b)| a == b).count();
        shared.truncate(same);
    }
    super::words::title(&shared.join(" "))
}
