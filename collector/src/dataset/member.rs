//! One instance of a dataset, with its readings.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::observation::packed::Series;
use crate::observation::series::Keys;
use crate::observation::track::Track;
use crate::observation::{Instance, Readings, SeriesId, SeriesKey, Statistic};

/// One instance with its readings.
#[derive(Debug, Clone)]
pub struct Member {
    /// Whose they are.
    pub instance: Instance,
    /// Families whose readings are independent repetitions; see [`crate::observation::Collected::independent`].
    pub independent: BTreeSet<String>,
    /// How long the target had not answered at the end, in seconds.
    pub stale_seconds: Option<f64>,
    /// Its host: the same number for instances on one kernel, in the order of their first names.
    pub(super) host: u32,
    /// The place of its name among those of all members, in order.
    pub(super) place: u32,
    /// How many series are along each of its tracks.
    pub(super) uses: Box<[Uses]>,
    pub(super) keys: Arc<Keys>,
    pub(super) series: Series,
}

/// How many series are along a track.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Uses {
    /// Durations.
    pub(crate) durations: u32,
    /// Gauges.
    pub(crate) gauges: u32,
}

impl Member {
    /// Which series it has.
    pub fn keys(&self) -> impl Iterator<Item = &SeriesKey> {
        self.series.ids().filter_map(|id| self.keys.get(id))
    }

    /// Its series, each with its readings.
    pub fn series(&self) -> impl Iterator<Item = (&SeriesKey, Readings<'_>)> {
        self.identified().map(|(_, key, readings)| (key, readings))
    }

    /// The same with the keys' places in the dataset.
    pub(crate) fn identified(&self) -> impl Iterator<Item = (SeriesId, &SeriesKey, Readings<'_>)> {
        self.series.iter().filter_map(|(id, readings)| Some((id, self.keys.get(id)?, readings)))
    }

    /// The readings of a series, in time order, each round once; `None` for one that it does not have.
    #[must_use]
    pub fn readings(&self, key: &SeriesKey) -> Option<Readings<'_>> {
        self.series.get(self.keys.id(key)?)
    }

    /// The same by the key's place in the dataset.
    pub(crate) fn readings_of(&self, id: SeriesId) -> Option<Readings<'_>> {
        self.series.get(id)
    }

    /// Its host: the same number for instances on one kernel. One whose source does not say its kernel is a host of
    /// its own.
    #[must_use]
    pub(crate) const fn host(&self) -> u32 {
        self.host
    }

    /// The place of its name among those of all members of the dataset, in order: numbers are compared sooner than
    /// names.
    #[must_use]
    pub(crate) const fn place(&self) -> u32 {
        self.place
    }

    pub(crate) fn dataset_keys(&self) -> &Keys {
        &self.keys
    }

    /// Its series' places in the dataset.
    pub(crate) fn ids(&self) -> impl Iterator<Item = SeriesId> + '_ {
        self.series.ids()
    }

    /// Its tracks, each with how many series are along it.
    pub(crate) fn tracks(&self) -> impl Iterator<Item = (&Track, Uses)> {
        self.series.tracks().iter().zip(self.uses.iter().copied())
    }

    /// The rounds of its durations: one entry for all series that share them.
    pub(crate) fn duration_tracks(&self) -> impl Iterator<Item = &Track> {
        self.tracks().filter(|(_, uses)| uses.durations > 0).map(|(track, _)| track)
    }

    pub(super) fn count_uses(&mut self) {
        let mut uses = vec![Uses::default(); self.series.tracks().len()];
        for (id, track) in self.series.places() {
            let Some(uses) = uses.get_mut(track) else { continue };
            match self.keys.get(id).map(|key| key.statistic) {
                Some(Statistic::Value) | None => uses.gauges += 1,
                Some(_) => uses.durations += 1,
            }
        }
        self.uses = uses.into();
    }
}
