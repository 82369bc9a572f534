//! One scrape of an agent, as far as comparisons need it.
//!
//! Everything is held back until the whole text has been read: an error may come with its last line, and the ends of
//! the rounds stand in the middle.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;
use tierprobe_model::Family as Named;

use super::identity;
use crate::error::WrongType;
use crate::exposition::{Escaped, Head, Kind, Line, Sink};
use crate::observation::{Labels, SeriesId, SeriesKey, Statistic, Vocabulary};

pub(super) const LAST_ROUND: &str = "tierprobe_probe_last_round_timestamp_seconds";
const LAST_ROUND_DISTURBED: &str = "tierprobe_probe_last_round_disturbed";
const OF_AN_AGENT: &str = "tierprobe_";

/// Which series are kept, and what is known of them from one scrape to the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Keeping {
    pub(super) vocabulary: Vocabulary,
    /// The only number of a duration's rounds that is kept.
    pub(super) only: Option<Statistic>,
    /// Series by the hash of how they are written. The hash has a seed of its own, so that it takes luck and not a
    /// target's wish to make two of them one.
    known: HashMap<u64, SeriesId, RandomState>,
    state: RandomState,
}

/// Most series that are kept of one instance, over all its scrapes: many times what an agent has. A target whose label
/// values are others in each scrape would else take all memory in time.
pub(crate) const MOST_SERIES: usize = 10_000;

impl Keeping {
    /// The place of a series; `None` where there are too many.
    fn id(&mut self, family: &str, line: &Line<'_, '_>, statistic: Statistic) -> Option<SeriesId> {
        let vocabulary = &self.vocabulary;
        let hash = self.state.hash_one(line.series);
        if self.known.len() >= MOST_SERIES {
            return self.known.get(&hash).copied();
        }
        Some(*self.known.entry(hash).or_insert_with(|| {
            let labels =
                line.labels.iter().filter(|label| statistic == Statistic::Value || label.name != "quantile");
            vocabulary.id(&SeriesKey {
                family: family.to_owned(),
                labels: labels
                    .map(|label| (label.name.to_owned(), label.value.text().into_owned()))
                    .collect(),
                statistic,
            })
        }))
    }
}

/// What a scrape says.
pub(super) struct Scrape<'a, 'k> {
    keeping: &'k mut Keeping,
    /// What the lines of the family that is being read are.
    lines: Lines,
    /// Whether anything in it is tierprobe's.
    pub(super) is_of_an_agent: bool,
    /// Whether it has series beyond those that are kept of an instance.
    pub(super) has_too_many: bool,
    /// Whether it has numbers of rounds that nobody asked for.
    pub(super) has_others: bool,
    /// The first family that is not what an agent makes of it.
    pub(super) wrong_type: Option<WrongType>,
    /// What it says of the instance: name, labels, value.
    pub(super) notes: Vec<(&'a str, Labels, f64)>,
    /// When each probe's latest round ended, in seconds since the epoch.
    pub(super) ends: Vec<(Cow<'a, str>, f64)>,
    /// The probes whose latest round was disturbed.
    pub(super) disturbed: Vec<Cow<'a, str>>,
    /// The values that can be compared.
    pub(super) values: Vec<(SeriesId, f64)>,
    /// What the families are.
    pub(super) help: Vec<(String, Escaped<'a>)>,
}

enum Lines {
    OfNoUse,
    Identity,
    Ends,
    Disturbed,
    /// Of a gauge.
    Values(String),
    /// Of a round summary: quantiles.
    Quantiles(String),
}

impl<'k> Scrape<'_, 'k> {
    pub(super) fn new(keeping: &'k mut Keeping) -> Self {
        Self {
            keeping,
            lines: Lines::OfNoUse,
            is_of_an_agent: false,
            has_too_many: false,
            has_others: false,
            wrong_type: None,
            notes: Vec::new(),
            ends: Vec::new(),
            disturbed: Vec::new(),
            values: Vec::new(),
            help: Vec::new(),
        }
    }
}

impl<'a> Sink<'a> for Scrape<'a, '_> {
    fn family(&mut self, head: &Head<'a>) {
        self.is_of_an_agent |= head.name.starts_with(OF_AN_AGENT);
        self.lines = Lines::of(head).unwrap_or_else(|wrong| {
            self.wrong_type.get_or_insert(wrong);
            Lines::OfNoUse
        });
        if let (Lines::Values(family) | Lines::Quantiles(family), Some(help)) = (&self.lines, head.help) {
            self.help.push((family.clone(), help));
        }
    }

    fn line(&mut self, line: &Line<'a, '_>) {
        let probe = || line.label("probe").map(Escaped::text);
        match &self.lines {
            Lines::OfNoUse => {}
            Lines::Identity => {
                let labels = line.labels.iter();
                let labels = labels.map(|label| (label.name.to_owned(), label.value.text().into_owned()));
                self.notes.push((line.name, labels.collect(), line.value));
            }
            Lines::Ends => {
                if line.value.is_finite() && line.value > 0.0 {
                    self.ends.extend(probe().map(|probe| (probe, line.value)));
                }
            }
            Lines::Disturbed => {
                if line.value > 0.0 {
                    self.disturbed.extend(probe());
                }
            }
            Lines::Values(family) => {
                let id = self.keeping.id(family, line, Statistic::Value);
                self.has_too_many |= id.is_none();
                self.values.extend(id.map(|id| (id, line.value)));
            }
            Lines::Quantiles(family) => {
                if !line.suffix.is_empty() {
                    return;
                }
                let statistic = line.label("quantile").and_then(|label| Statistic::of_quantile(label.raw()));
                let Some(statistic) = statistic else { return };
                if self.keeping.only.is_none_or(|only| only == statistic) {
                    let id = self.keeping.id(family, line, statistic);
                    self.has_too_many |= id.is_none();
                    self.values.extend(id.map(|id| (id, line.value)));
                } else {
                    self.has_others = true;
                }
            }
        }
    }
}

impl Lines {
    /// What the lines of a family are.
    ///
    /// A round summary stands for its duration family. The histogram of that family is of no use here: its buckets
    /// cannot show a few per cent, and counters are totals since the agent's start.
    ///
    /// Whoever hands metrics on may have lost the types, as a Prometheus does when it is federated. What names the
    /// instance and its rounds is known without; of anything else without a type nobody knows whether it only goes up.
    ///
    /// # Errors
    ///
    /// Of what is known by its name and said to be something else. Left out or taken as what it is said to be, it would
    /// be a host without its rounds, or rows that nobody measured.
    fn of(head: &Head<'_>) -> Result<Self, WrongType> {
        let wrong = |expected: Kind| WrongType {
            family: head.name.to_owned(),
            is: head.kind.as_str(),
            expected: expected.as_str(),
        };
        let has_type = |expected: Kind| head.kind == expected || head.kind == Kind::Untyped;
        let is_identity = identity::says(head.name);
        if matches!(head.name, LAST_ROUND | LAST_ROUND_DISTURBED) || is_identity {
            // OpenMetrics has a type for what always is 1, and whoever translates may keep the name.
            let is_info = is_identity && head.kind == Kind::Info;
            return match head.name {
                _ if !has_type(Kind::Gauge) && !is_info => Err(wrong(Kind::Gauge)),
                LAST_ROUND => Ok(Self::Ends),
                LAST_ROUND_DISTURBED => Ok(Self::Disturbed),
                _ => Ok(Self::Identity),
            };
        }
        if head.kind == Kind::Info && identity::says(&format!("{}_info", head.name)) {
            return Ok(Self::Identity);
        }
        if identity::is_about_the_agent(head.name) {
            return Ok(Self::OfNoUse);
        }
        match Named::name_of_round(head.name) {
            Some(family) if has_type(Kind::Summary) => Ok(Self::Quantiles(family)),
            Some(_) => Err(wrong(Kind::Summary)),
            None if head.kind == Kind::Gauge => Ok(Self::Values(head.name.to_owned())),
            None => Ok(Self::OfNoUse),
        }
    }
}
