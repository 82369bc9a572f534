//! Scrapes of one instance into its observations, each round once.
//!
//! Knows nothing of where the text came from: the caller fetches, the accumulator takes in. What it keeps is packed: a
//! value takes eight bytes, and a line that it knows from an earlier scrape allocates nothing.

use std::collections::{BTreeMap, HashMap};

use super::identity;
use super::intake::{Keeping, Scrape};
use crate::error::{SourceError, TakeError};
use crate::exposition::{self, Format};
use crate::observation::{
    Collected, Columns, Discarded, Instance, Labels, Packed, Reading, SeriesId, Statistic, Vocabulary,
    before_change, probe_of,
};

/// Scrapes of one target, taken in one after the other.
///
/// A target may become another one: it starts anew, is migrated, or its address is given to another. It counts as what
/// it was last; what it measured before is kept apart, as it may be the same again.
#[derive(Debug, Clone)]
pub struct Accumulator {
    source: String,
    name: String,
    /// Labels that hold whatever it says of itself.
    said: Labels,
    era: Era,
    earlier: Vec<Era>,
    /// What it was before those, last, and the rounds of all that time.
    forgotten: (Labels, usize),
    discarded: Discarded,
    readings: usize,
    /// Whether it had numbers of rounds that are not kept.
    has_others: bool,
    keeping: Keeping,
}

/// The time for which it says the same of itself.
#[derive(Debug, Clone, Default)]
struct Era {
    instance: Instance,
    probes: Vec<Probe>,
    columns: Columns,
    /// Where the values of a series go, once its probe has had a round.
    places: HashMap<SeriesId, Place, foldhash::fast::RandomState>,
}

/// Most earlier eras that are kept. A target that is another one in each scrape would else take all memory in time.
const MOST_EARLIER: usize = 8;

/// A probe that has had a round.
#[derive(Debug, Clone)]
struct Probe {
    name: String,
    track: usize,
    /// When its latest round ended, in seconds since the epoch.
    timestamp: f64,
    rounds: usize,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    // A fleet has one for each series of each agent.
    probe: u32,
    column: u32,
}

impl Accumulator {
    /// An accumulator for one instance.
    ///
    /// `source` is where it comes from as the user named it, `instance` its name.
    #[must_use]
    pub fn new(source: impl Into<String>, instance: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            name: instance.into(),
            said: Labels::new(),
            era: Era::default(),
            earlier: Vec::new(),
            forgotten: (Labels::new(), 0),
            discarded: Discarded::default(),
            readings: 0,
            has_others: false,
            keeping: Keeping::default(),
        }
    }

    /// Gives the instance labels that hold whatever it says of itself. To be said before the first scrape.
    #[must_use]
    pub fn labelled(mut self, labels: &Labels) -> Self {
        let labels = labels.iter().filter(|(label, _)| *label != "instance");
        self.said = labels.map(|(label, value)| (label.clone(), value.clone())).collect();
        self
    }

    /// Keeps series by their places in a vocabulary that others share. To be said before the first scrape.
    #[must_use]
    pub fn sharing(mut self, vocabulary: &Vocabulary) -> Self {
        self.keeping.vocabulary = vocabulary.clone();
        self
    }

    /// Keeps one number of each duration's rounds, and all gauges.
    #[must_use]
    pub fn keeping(mut self, statistic: Statistic) -> Self {
        self.keeping.only = Some(statistic);
        self
    }

    /// Takes in one scrape and says how many rounds were new in it, over all probes.
    ///
    /// A round that an earlier scrape already showed is not counted again.
    ///
    /// # Errors
    ///
    /// When the text is no exposition, not an agent's, or not as an agent writes it. Nothing of it is taken in then.
    pub fn take(&mut self, text: &str) -> Result<usize, TakeError> {
        self.take_as(text, Format::guess(text))
    }

    /// The same of a text whose format is known, as from its media type.
    ///
    /// # Errors
    ///
    /// As [`Accumulator::take`].
    pub fn take_as(&mut self, text: &str, format: Format) -> Result<usize, TakeError> {
        let mut scrape = Scrape::new(&mut self.keeping);
        exposition::read(text, format, &mut scrape)?;
        if !scrape.is_of_an_agent {
            return Err(TakeError::NotAnAgent);
        }
        if scrape.has_too_many {
            return Err(TakeError::TooManySeries);
        }
        if let Some(wrong) = scrape.wrong_type {
            return Err(wrong.into());
        }
        let Scrape { notes, ends, disturbed, values, help, has_others, .. } = scrape;
        self.has_others |= has_others;
        for (family, help) in help {
            self.keeping.vocabulary.describe(&family, &help.text());
        }
        let mut instance = Instance { name: self.name.clone(), ..Instance::default() };
        for (name, labels, value) in &notes {
            identity::note(&mut instance, name, labels, *value);
        }
        self.turn_into(instance);
        let mut new = vec![false; self.era.probes.len()];
        let mut rounds = 0;
        // A probe has one latest round, whatever a target says in two lines.
        let mut latest: BTreeMap<&str, f64> = BTreeMap::new();
        for (probe, timestamp) in &ends {
            let of_probe = latest.entry(probe).or_insert(*timestamp);
            *of_probe = of_probe.max(*timestamp);
        }
        for (probe, timestamp) in latest {
            let is_disturbed = disturbed.iter().any(|disturbed| disturbed == probe);
            if let Some(at) = self.round(probe, timestamp, is_disturbed) {
                new.resize(self.era.probes.len(), false);
                if let Some(new) = new.get_mut(at) {
                    *new = true;
                    rounds += 1;
                }
            }
        }
        for (id, value) in values {
            let Some(place) = self.place(id) else { continue };
            if !new.get(place.probe as usize).is_some_and(|new| *new) {
                continue;
            }
            if value.is_finite() {
                self.era.columns.put(place.column as usize, value);
                self.readings += 1;
            } else {
                self.discarded.not_finite += 1;
            }
        }
        Ok(rounds)
    }

    /// What it says of itself, as of the latest scrape.
    #[must_use]
    pub const fn instance(&self) -> &Instance {
        &self.era.instance
    }

    /// Takes out what was taken in since this was last asked for, for whoever keeps it elsewhere.
    pub fn drain(&mut self, take: impl FnMut(SeriesId, Reading)) {
        self.era.columns.drain(take);
    }

    /// Everything taken in so far, in time order.
    #[must_use]
    pub fn finish(self) -> Collected {
        let mut collected = self.pack().unpack();
        collected.observations.sort_by(|a, b| a.timestamp.total_cmp(&b.timestamp));
        collected
    }

    /// The same, packed.
    #[must_use]
    pub fn pack(mut self) -> Packed {
        // What it has become need not have had a round yet.
        if self.era.probes.is_empty()
            && let Some(before) = self.earlier.pop()
        {
            self.era = before;
        }
        let Era { instance, columns, .. } = self.era;
        let (labels, rounds) = &self.forgotten;
        let forgotten = (*rounds > 0).then_some((labels, *rounds));
        let earlier = self.earlier.iter().map(|era| (&era.instance.labels, era.rounds()));
        let left_out = forgotten.into_iter().chain(earlier);
        let left_out =
            left_out.map(|(before, rounds)| before_change(rounds, before, &instance.labels)).collect();
        let mut packed = Packed::of(self.source, instance, self.discarded, columns, &self.keeping.vocabulary);
        packed.left_out = left_out;
        packed
    }

    /// The same, where it measured anything. That may be nothing of what is kept.
    ///
    /// # Errors
    ///
    /// [`SourceError::NoRounds`].
    pub fn measured(self) -> Result<Packed, SourceError> {
        let is_unasked = self.has_others && self.discarded.not_finite == 0;
        let has_rounds = self.era.rounds() > 0 || !self.earlier.is_empty();
        let packed = self.pack();
        let is_good = !packed.is_empty() || (is_unasked && has_rounds);
        if is_good { Ok(packed) } else { Err(SourceError::NoRounds) }
    }

    /// The most rounds of any one probe so far; for showing progress.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.era.probes.iter().map(|probe| probe.rounds).max().unwrap_or(0)
    }

    /// How many readings were taken in so far.
    #[must_use]
    pub const fn readings(&self) -> usize {
        self.readings
    }

    /// It says of itself that it is this.
    fn turn_into(&mut self, mut instance: Instance) {
        instance.labels.extend(self.said.iter().map(|(label, value)| (label.clone(), value.clone())));
        if self.era.instance.labels != instance.labels {
            let again = self.earlier.iter().position(|era| era.instance.labels == instance.labels);
            let next = again.map(|at| self.earlier.remove(at)).unwrap_or_default();
            let before = std::mem::replace(&mut self.era, next);
            // Of what was taken out, nothing has to be named.
            if !before.columns.is_empty() {
                self.earlier.push(before);
            }
            if self.earlier.len() > MOST_EARLIER {
                let oldest = self.earlier.remove(0);
                let rounds = self.forgotten.1 + oldest.rounds();
                self.forgotten = (oldest.instance.labels, rounds);
            }
        }
        self.era.instance = instance;
    }

    /// Notes the latest round of a probe. The probe's place if no earlier scrape showed the round.
    fn round(&mut self, name: &str, timestamp: f64, disturbed: bool) -> Option<usize> {
        let Era { probes, columns, .. } = &mut self.era;
        let at = probes.iter().position(|probe| probe.name == name).unwrap_or_else(|| {
            let (name, track) = (name.to_owned(), columns.add_track());
            probes.push(Probe { name, track, timestamp: f64::NEG_INFINITY, rounds: 0 });
            probes.len() - 1
        });
        let probe = probes.get_mut(at)?;
        let before = std::mem::replace(&mut probe.timestamp, timestamp);
        if timestamp < before {
            // The clock was set back, so when this round ran is unknown. The next ones count again.
            self.discarded.clock_resets += 1;
            return None;
        }
        if timestamp <= before {
            return None;
        }
        probe.rounds += 1;
        columns.round(probe.track, timestamp, disturbed);
        Some(at)
    }

    /// Where the values of a series go; `None` as long as its probe has not had a round.
    fn place(&mut self, id: SeriesId) -> Option<Place> {
        let Era { probes, columns, places, .. } = &mut self.era;
        if let Some(place) = places.get(&id) {
            return Some(*place);
        }
        let key = self.keeping.vocabulary.key(id)?;
        let name = probe_of(&key.family, probes.iter().map(|probe| probe.name.as_str()))?;
        let probe = probes.iter().position(|probe| probe.name == name)?;
        let column = columns.add_column(probes.get(probe)?.track, id);
        let place = Place { probe: u32::try_from(probe).ok()?, column: u32::try_from(column).ok()? };
        places.insert(id, place);
        Some(place)
    }
}

impl Era {
    /// Rounds of all probes.
    fn rounds(&self) -> usize {
        self.probes.iter().map(|probe| probe.rounds).sum()
    }
}

#[cfg(test)]
mod tests;
