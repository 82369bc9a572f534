//! One instance's observations, packed.
//!
//! Ten thousand instances with sixty rounds of sixty series are 36 million values. As a list of [`Observation`]s they
//! would be gigabytes; here a value is eight bytes, or four where they hold it, the ends of rounds are kept once for all series that share them,
//! and a series' key is a place in a [`Vocabulary`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::columns::Columns;
use super::series::{SeriesId, SeriesKey, Vocabulary};
use super::track::{Reading, Readings, Track};
use super::values::Values;
use super::{Collected, Discarded, Instance, Observation, Statistic};

/// One instance with all its observations, in time order, each round once: [`Collected`] in a few bytes a value.
#[derive(Debug, Clone, Default)]
pub struct Packed {
    /// Where they came from, as the user named it.
    pub source: String,
    /// Whose they are.
    pub instance: Instance,
    /// As [`Collected::independent`].
    pub independent: BTreeSet<String>,
    /// What was left out on the way.
    pub discarded: Discarded,
    /// As [`Collected::left_out`].
    pub left_out: Vec<String>,
    /// As [`Collected::stale_seconds`].
    pub stale_seconds: Option<f64>,
    /// Whether nothing but its name says which instance it is, as in a file: one of the same name that says something
    /// else of itself is the same instance at another time. Targets are told apart by whoever scrapes them.
    pub is_known_by_name: bool,
    pub(crate) vocabulary: Vocabulary,
    pub(crate) series: Series,
}

impl Packed {
    /// An instance and its columns.
    pub(crate) fn of(
        source: String,
        instance: Instance,
        discarded: Discarded,
        columns: Columns,
        vocabulary: &Vocabulary,
    ) -> Self {
        let mut packed =
            Self { source, instance, discarded, vocabulary: vocabulary.clone(), ..Self::default() };
        let (series, duplicates) = columns.pack();
        packed.series = series;
        packed.discarded.duplicates += duplicates;
        packed
    }

    /// How many observations it holds.
    #[must_use]
    pub fn observations(&self) -> usize {
        self.series.values.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.observations() == 0
    }

    /// The same with one number of each duration's rounds, and all gauges.
    #[must_use]
    pub fn keeping(mut self, statistic: Statistic) -> Self {
        let vocabulary = &self.vocabulary;
        let is_kept = |id| vocabulary.key(id).is_some_and(|key| key.statistic.is_kept_for(statistic));
        self.series = self.series.retained(is_kept);
        self
    }

    /// The same as a list, for what is not much. Series by series, in time order within.
    #[must_use]
    pub fn unpack(self) -> Collected {
        let mut observations = Vec::with_capacity(self.observations());
        let mut help = BTreeMap::new();
        for (id, readings) in self.series.iter() {
            let Some(key) = self.vocabulary.key(id) else { continue };
            if let Some(text) = self.vocabulary.help(&key.family) {
                help.insert(key.family.clone(), text);
            }
            observations.extend(readings.iter().map(|reading| Observation {
                family: key.family.clone(),
                labels: key.labels.clone(),
                statistic: key.statistic,
                timestamp: reading.timestamp,
                value: reading.value,
                disturbed: reading.disturbed,
            }));
        }
        Collected {
            source: self.source,
            instance: self.instance,
            observations,
            help,
            independent: self.independent,
            discarded: self.discarded,
            left_out: self.left_out,
            stale_seconds: self.stale_seconds,
        }
    }
}

/// Packs one instance, series by series.
#[derive(Debug, Clone)]
pub struct Packer {
    packed: Packed,
    columns: Columns,
    /// Which column each series has; four thousand million do not fit into memory.
    places: HashMap<SeriesId, u32>,
}

impl Packer {
    /// Packs for an instance, with the keys of a vocabulary that others may share.
    #[must_use]
    pub fn new(source: impl Into<String>, instance: Instance, vocabulary: &Vocabulary) -> Self {
        let packed =
            Packed { source: source.into(), instance, vocabulary: vocabulary.clone(), ..Packed::default() };
        Self { packed, columns: Columns::default(), places: HashMap::new() }
    }

    /// Adds readings of a series, in any order; what is not finite is counted and left out.
    pub fn series(&mut self, key: &SeriesKey, readings: impl IntoIterator<Item = Reading>) {
        let id = self.packed.vocabulary.id(key);
        let columns = &mut self.columns;
        let column = *self.places.entry(id).or_insert_with(|| {
            let track = columns.add_track();
            narrow(columns.add_column(track, id))
        }) as usize;
        for reading in readings {
            if reading.value.is_finite() && reading.timestamp.is_finite() {
                self.columns.append(column, reading);
            } else {
                self.packed.discarded.not_finite += 1;
            }
        }
    }

    /// Adds rounds, each with its end in seconds since the epoch and whether it was disturbed, for series to be put
    /// along them.
    pub(crate) fn track(&mut self, rounds: impl IntoIterator<Item = (f64, bool)>) -> usize {
        let track = self.columns.add_track();
        rounds.into_iter().for_each(|(ended, disturbed)| self.columns.round(track, ended, disturbed));
        track
    }

    /// Puts values of a series along a track, each at the place of its round, in their order. Where one was put before,
    /// or after, it stays; what is not finite is counted and left out. Says how many were put that are finite.
    pub(crate) fn along(
        &mut self,
        track: usize,
        id: SeriesId,
        values: impl ExactSizeIterator<Item = (usize, f64)>,
    ) -> usize {
        let columns = &mut self.columns;
        let column = *self.places.entry(id).or_insert_with(|| narrow(columns.add_column(track, id))) as usize;
        let (finite, others) = self.columns.put_along(column, track, values);
        self.packed.discarded.not_finite += others;
        finite
    }

    /// The instance and whatever else is not a reading, for the caller to fill in.
    pub fn about(&mut self) -> &mut Packed {
        &mut self.packed
    }

    /// Done.
    #[must_use]
    pub fn pack(mut self) -> Packed {
        let (series, duplicates) = self.columns.pack();
        self.packed.series = series;
        self.packed.discarded.duplicates += duplicates;
        self.packed
    }
}

fn narrow(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

impl Collected {
    /// The same, packed, with the keys of a vocabulary that others may share.
    #[must_use]
    pub fn pack(self, vocabulary: &Vocabulary) -> Packed {
        let mut packer = Packer::new(self.source, self.instance, vocabulary);
        for one in self.observations {
            let Observation { family, labels, statistic, timestamp, value, disturbed } = one;
            let key = SeriesKey { family, labels, statistic };
            packer.series(&key, [Reading { timestamp, value, disturbed }]);
        }
        let mut packed = packer.pack();
        self.help.iter().for_each(|(family, help)| vocabulary.describe(family, help));
        packed.independent = self.independent;
        packed.left_out = self.left_out;
        packed.stale_seconds = self.stale_seconds;
        packed.discarded.not_finite += self.discarded.not_finite;
        packed.discarded.clock_resets += self.discarded.clock_resets;
        packed.discarded.duplicates += self.discarded.duplicates;
        packed
    }
}

/// Series with their values in one piece, by their places in the vocabulary.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Series {
    pub(super) tracks: Box<[Track]>,
    pub(super) places: Box<[Place]>,
    pub(super) values: Values,
}

/// Where a series is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: SeriesId,
    pub(super) track: u32,
    pub(super) begin: u32,
}

impl Series {
    /// How many values they have.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// All of them, by place in the vocabulary.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SeriesId, Readings<'_>)> {
        self.places.iter().filter_map(|place| Some((place.id, self.at(place)?)))
    }

    /// The places in the vocabulary.
    pub(crate) fn ids(&self) -> impl Iterator<Item = SeriesId> + '_ {
        self.places.iter().map(|place| place.id)
    }

    /// Each series with the number of its track, for what is the same for all series of a track.
    pub(crate) fn places(&self) -> impl Iterator<Item = (SeriesId, usize)> + '_ {
        self.places.iter().map(|place| (place.id, place.track as usize))
    }

    pub(crate) fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// When its rounds ended, over all its series, in time order, each once.
    pub(crate) fn ends(&self) -> Vec<f64> {
        let mut ends: Vec<f64> =
            self.tracks.iter().flat_map(|track| track.timestamps().iter().copied()).collect();
        ends.sort_by(f64::total_cmp);
        ends.dedup();
        ends
    }

    /// The readings of one series, in time order.
    pub(crate) fn get(&self, id: SeriesId) -> Option<Readings<'_>> {
        // In a fleet of like agents that share a vocabulary, a series stands where its place says.
        let place = self.places.get(id.index()).filter(|place| place.id == id).or_else(|| {
            let at = self.places.binary_search_by_key(&id, |place| place.id).ok()?;
            self.places.get(at)
        })?;
        self.at(place)
    }

    fn at(&self, place: &Place) -> Option<Readings<'_>> {
        let track = self.tracks.get(place.track as usize)?;
        let begin = place.begin as usize;
        Readings::new(track, self.values.all().part(begin, begin + track.len())?)
    }

    /// The same under other places.
    pub(crate) fn renumbered(mut self, new: impl Fn(SeriesId) -> Option<SeriesId>) -> Self {
        for place in &mut self.places {
            if let Some(id) = new(place.id) {
                place.id = id;
            }
        }
        self.places.sort_unstable_by_key(|place| place.id);
        self
    }

    /// Several parts of one instance as one, and how many readings came twice.
    pub(crate) fn merged(parts: &[Self]) -> (Self, usize) {
        let mut columns = Columns::default();
        let mut places = HashMap::new();
        for (id, readings) in parts.iter().flat_map(Self::iter) {
            let column = *places.entry(id).or_insert_with(|| {
                let track = columns.add_track();
                columns.add_column(track, id)
            });
            readings.iter().for_each(|reading| columns.append(column, reading));
        }
        columns.pack()
    }

    /// Without the series that `keep` refuses.
    pub(crate) fn retained(self, keep: impl Fn(SeriesId) -> bool) -> Self {
        if self.places.iter().all(|place| keep(place.id)) {
            return self;
        }
        let kept: Vec<Place> = self.places.iter().filter(|place| keep(place.id)).copied().collect();
        let mut columns = Columns::default();
        let mut tracks = HashMap::new();
        for place in kept {
            let (Some(readings), Some(track)) = (self.at(&place), self.tracks.get(place.track as usize))
            else {
                continue;
            };
            let track = *tracks.entry(place.track).or_insert_with(|| columns.add_whole_track(track));
            columns.add_whole_column(track, place.id, &readings.values());
        }
        columns.pack().0
    }
}
