//! An instance's series while they grow.

use super::packed::{Place, Series};
use super::series::SeriesId;
use super::track::{Reading, Track};

/// Series that grow, each along a track of rounds; several may share one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Columns {
    tracks: Vec<Growing>,
    columns: Vec<Column>,
}

/// Rounds in the order in which they came.
#[derive(Debug, Clone, Default)]
struct Growing {
    timestamps: Vec<f64>,
    disturbed: Vec<bool>,
}

/// The values at these rounds, as far as they go; NaN where there is none.
#[derive(Debug, Clone)]
struct Column {
    id: SeriesId,
    track: usize,
    values: Vec<f64>,
    /// The first place of a shared track that is not passed yet, for who puts values along it.
    next: usize,
    /// How many of the values only stand where there is none.
    padded: usize,
}

/// How many places there may be for each value that is there, as places without one take memory too, and of a few it
/// does not matter.
const DENSE: usize = 16;
/// Up to so many rounds there is a place for each, however few of the values are there yet.
const FEW: usize = 64;

impl Column {
    fn new(id: SeriesId, track: usize, values: Vec<f64>) -> Self {
        Self { id, track, values, next: 0, padded: 0 }
    }

    /// Goes on along a track of its own, which has a place for each of its values and no others.
    fn depart(&mut self, tracks: &mut Vec<Growing>) {
        let mut own = Growing::default();
        for at in
            (0..self.values.len()).filter(|at| self.values.get(*at).is_some_and(|value| !value.is_nan()))
        {
            if let Some((timestamp, disturbed)) = tracks.get(self.track).and_then(|track| track.get(at)) {
                own.push(timestamp, disturbed);
            }
        }
        self.values.retain(|value| !value.is_nan());
        self.values.shrink_to_fit();
        self.padded = 0;
        self.track = tracks.len();
        tracks.push(own);
    }
}

impl Growing {
    fn get(&self, at: usize) -> Option<(f64, bool)> {
        Some((*self.timestamps.get(at)?, *self.disturbed.get(at)?))
    }

    fn push(&mut self, timestamp: f64, disturbed: bool) {
        self.timestamps.push(timestamp);
        self.disturbed.push(disturbed);
    }

    fn is_in_time_order(&self) -> bool {
        self.timestamps.is_sorted_by(|a, b| a < b)
    }
}

impl Columns {
    /// A track without rounds.
    pub(crate) fn add_track(&mut self) -> usize {
        self.tracks.push(Growing::default());
        self.tracks.len() - 1
    }

    pub(super) fn add_whole_track(&mut self, track: &Track) -> usize {
        self.tracks.push(Growing {
            timestamps: track.timestamps().to_vec(),
            disturbed: (0..track.len()).map(|at| track.disturbed(at)).collect(),
        });
        self.tracks.len() - 1
    }

    /// A column along a track; the caller adds no second one of a series.
    pub(crate) fn add_column(&mut self, track: usize, id: SeriesId) -> usize {
        self.columns.push(Column::new(id, track, Vec::new()));
        self.columns.len() - 1
    }

    pub(super) fn add_whole_column(&mut self, track: usize, id: SeriesId, values: &[f64]) {
        self.columns.push(Column::new(id, track, values.to_vec()));
    }

    /// Takes out all readings; tracks and columns stay, for the rounds to come.
    pub(crate) fn drain(&mut self, mut take: impl FnMut(SeriesId, Reading)) {
        for column in &mut self.columns {
            let Some(track) = self.tracks.get(column.track) else { continue };
            let rounds = track.timestamps.iter().zip(&track.disturbed).zip(&column.values);
            for ((timestamp, disturbed), value) in rounds.filter(|(_, value)| !value.is_nan()) {
                take(column.id, Reading { timestamp: *timestamp, value: *value, disturbed: *disturbed });
            }
            // A fleet has thousands of them, which would hold on to more than there is in them.
            column.values = Vec::new();
        }
        for track in &mut self.tracks {
            track.timestamps.clear();
            track.disturbed.clear();
        }
    }

    /// Whether there is no value.
    pub(crate) fn is_empty(&self) -> bool {
        self.columns.iter().all(|column| column.values.is_empty())
    }

    /// Begins a round of a track.
    pub(crate) fn round(&mut self, track: usize, timestamp: f64, disturbed: bool) {
        if let Some(track) = self.tracks.get_mut(track) {
            track.push(timestamp, disturbed);
        }
    }

    /// The value of a column at its track's latest round.
    pub(crate) fn put(&mut self, column: usize, value: f64) {
        let Some(column) = self.columns.get_mut(column) else { return };
        let rounds = self.tracks.get(column.track).map_or(0, |track| track.timestamps.len());
        column.values.resize(rounds, f64::NAN);
        if let Some(latest) = column.values.last_mut() {
            *latest = value;
        }
    }

    /// The values of a column at places of a track that lie behind those that have one already; others are passed over.
    /// Says how many were finite, and how many were not and are left out.
    pub(super) fn put_along(
        &mut self,
        column: usize,
        track: usize,
        values: impl ExactSizeIterator<Item = (usize, f64)>,
    ) -> (usize, usize) {
        let (mut finite, mut others) = (0, 0);
        let Some(column) = self.columns.get_mut(column) else { return (finite, others) };
        let rounds = self.tracks.get(track).map_or(0, |track| track.timestamps.len());
        if column.track == track && (rounds <= FEW || rounds <= values.len().saturating_mul(DENSE)) {
            // There will be one at each of them. Fleets have millions of columns, each as large as it has to be.
            column.values.reserve_exact(rounds.saturating_sub(column.values.len()));
        }
        for (at, value) in values {
            if at < column.next || at >= rounds {
                continue;
            }
            column.next = at + 1;
            if !value.is_finite() {
                others += 1;
                continue;
            }
            finite += 1;
            if column.track == track {
                let gap = at - column.values.len();
                if column.padded + gap <= column.values.len() - column.padded + DENSE {
                    column.padded += gap;
                    column.values.resize(at, f64::NAN);
                    column.values.push(value);
                    continue;
                }
                column.depart(&mut self.tracks);
            }
            let round = self.tracks.get(track).and_then(|track| track.get(at));
            if let (Some((timestamp, disturbed)), Some(own)) = (round, self.tracks.get_mut(column.track)) {
                own.push(timestamp, disturbed);
                column.values.push(value);
            }
        }
        (finite, others)
    }

    /// A reading of a column that has its track for itself.
    pub(crate) fn append(&mut self, column: usize, reading: Reading) {
        if let Some(column) = self.columns.get_mut(column)
            && let Some(track) = self.tracks.get_mut(column.track)
        {
            track.push(reading.timestamp, reading.disturbed);
            column.values.push(reading.value);
        }
    }

    /// All in time order, each round once; says how many came twice.
    pub(crate) fn pack(self) -> (Series, usize) {
        let Self { tracks, mut columns } = self;
        columns.retain(|column| column.values.iter().any(|value| !value.is_nan()));
        columns.sort_unstable_by_key(|column| column.id);
        let mut packing = Packing { tracks: Vec::new(), from: vec![None; tracks.len()], duplicates: 0 };
        let mut places = Vec::with_capacity(columns.len());
        let mut values = Vec::with_capacity(columns.iter().map(|column| column.values.len()).sum());
        for column in columns {
            let Some(track) = tracks.get(column.track) else { continue };
            let begin = values.len();
            let is_whole = column.values.len() == track.timestamps.len()
                && !column.values.iter().any(|value| value.is_nan())
                && track.is_in_time_order();
            let at = if is_whole {
                values.extend_from_slice(&column.values);
                packing.whole(column.track, track)
            } else {
                packing.sorted(track, &column.values, &mut values)
            };
            // Both fit: four thousand million values do not fit into memory.
            let (Ok(track), Ok(begin)) = (u32::try_from(at), u32::try_from(begin)) else { break };
            places.push(Place { id: column.id, track, begin });
        }
        let series = Series { tracks: packing.tracks.into(), places: places.into(), values: values.into() };
        (series, packing.duplicates)
    }
}

/// The tracks of a packed instance, each once.
struct Packing {
    tracks: Vec<Track>,
    /// What became of the growing tracks that were taken as they are.
    from: Vec<Option<usize>>,
    duplicates: usize,
}

impl Packing {
    /// A track that needs no sorting.
    fn whole(&mut self, number: usize, track: &Growing) -> usize {
        if let Some(Some(at)) = self.from.get(number) {
            return *at;
        }
        let at = self.place(&track.timestamps, &track.disturbed);
        if let Some(from) = self.from.get_mut(number) {
            *from = Some(at);
        }
        at
    }

    /// The rounds of a column that came out of order, twice, or not at all.
    fn sorted(&mut self, track: &Growing, column: &[f64], values: &mut Vec<f64>) -> usize {
        let rounds = track.timestamps.iter().zip(&track.disturbed).zip(column);
        let mut readings: Vec<Reading> = rounds
            .map(|((timestamp, disturbed), value)| Reading {
                timestamp: *timestamp,
                value: *value,
                disturbed: *disturbed,
            })
            .filter(|reading| !reading.value.is_nan())
            .collect();
        // The value breaks ties so that the order does not depend on that of the sources.
        readings.sort_by(|a, b| a.timestamp.total_cmp(&b.timestamp).then(a.value.total_cmp(&b.value)));
        let before = readings.len();
        readings.dedup_by(|a, b| {
            a.timestamp.to_bits() == b.timestamp.to_bits() && a.value.to_bits() == b.value.to_bits()
        });
        self.duplicates += before - readings.len();
        values.extend(readings.iter().map(|reading| reading.value));
        let timestamps: Vec<f64> = readings.iter().map(|reading| reading.timestamp).collect();
        let disturbed: Vec<bool> = readings.iter().map(|reading| reading.disturbed).collect();
        self.place(&timestamps, &disturbed)
    }

    /// The place of a track with these rounds.
    fn place(&mut self, timestamps: &[f64], disturbed: &[bool]) -> usize {
        // Neighbours are mostly of one probe.
        let known = self.tracks.iter().rposition(|known| known.is(timestamps, disturbed));
        known.unwrap_or_else(|| {
            self.tracks.push(Track::new(timestamps, disturbed));
            self.tracks.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{Labels, SeriesKey, Statistic, Vocabulary};

    fn ids(count: usize) -> Vec<SeriesId> {
        let vocabulary = Vocabulary::default();
        let key = |n: usize| SeriesKey {
            family: n.to_string(),
            labels: Labels::new(),
            statistic: Statistic::Value,
        };
        (0..count).map(|n| vocabulary.id(&key(n))).collect()
    }

    fn read(series: &Series, id: SeriesId) -> Vec<(f64, f64, bool)> {
        let readings = series.get(id).unwrap();
        readings.iter().map(|one| (one.timestamp, one.value, one.disturbed)).collect()
    }

    #[test]
    fn series_of_equal_rounds_share_a_track_however_they_came() {
        let ids = ids(3);
        let mut columns = Columns::default();
        let shared = columns.add_track();
        let (a, b) = (columns.add_column(shared, ids[2]), columns.add_column(shared, ids[0]));
        for (timestamp, disturbed) in [(1.0, false), (2.0, true)] {
            columns.round(shared, timestamp, disturbed);
            columns.put(a, 10.0 + timestamp);
            columns.put(b, 20.0 + timestamp);
        }
        let own = columns.add_track();
        let c = columns.add_column(own, ids[1]);
        columns.append(c, Reading { timestamp: 2.0, value: 32.0, disturbed: true });
        columns.append(c, Reading { timestamp: 1.0, value: 31.0, disturbed: false });
        let (series, duplicates) = columns.pack();
        assert_eq!((series.tracks.len(), duplicates), (1, 0));
        assert_eq!(read(&series, ids[2]), [(1.0, 11.0, false), (2.0, 12.0, true)]);
        assert_eq!(read(&series, ids[0]), [(1.0, 21.0, false), (2.0, 22.0, true)]);
        assert_eq!(read(&series, ids[1]), [(1.0, 31.0, false), (2.0, 32.0, true)]);
    }

    #[test]
    fn rounds_that_a_series_lacks_are_not_there() {
        let ids = ids(2);
        let mut columns = Columns::default();
        let track = columns.add_track();
        let (a, b) = (columns.add_column(track, ids[0]), columns.add_column(track, ids[1]));
        for timestamp in [1.0, 2.0, 3.0] {
            columns.round(track, timestamp, false);
            columns.put(a, timestamp);
        }
        columns.put(b, 9.0);
        let (series, _) = columns.pack();
        assert_eq!(read(&series, ids[0]).len(), 3);
        assert_eq!(read(&series, ids[1]), [(3.0, 9.0, false)]);
    }

    /// Along a track that is there, as one that grows by its own readings would have it.
    fn along(rounds: &[f64], parts: &[Vec<(usize, f64)>]) -> (Series, Series, (usize, usize)) {
        let id = ids(1)[0];
        let (mut shared, mut alone) = (Columns::default(), Columns::default());
        let track = shared.add_track();
        rounds.iter().for_each(|ended| shared.round(track, *ended, *ended > 3.0));
        let column = shared.add_column(track, id);
        let own = alone.add_track();
        let other = alone.add_column(own, id);
        let (mut next, mut put) = (0, (0, 0));
        for part in parts {
            let (finite, others) = shared.put_along(column, track, part.iter().copied());
            put = (put.0 + finite, put.1 + others);
            for (at, value) in part {
                if *at >= next && *at < rounds.len() {
                    next = at + 1;
                    if value.is_finite() {
                        let (timestamp, disturbed) = (rounds[*at], rounds[*at] > 3.0);
                        alone.append(other, Reading { timestamp, value: *value, disturbed });
                    }
                }
            }
        }
        (shared.pack().0, alone.pack().0, put)
    }

    #[test]
    fn values_along_a_track_are_put_once_and_in_order() {
        let parts =
            [vec![(0, 5.0), (2, f64::NAN), (3, 6.0)], vec![(3, 9.0), (1, 9.0), (4, f64::INFINITY), (9, 1.0)]];
        let (shared, alone, put) = along(&[1.0, 2.0, 3.0, 4.0, 5.0], &parts);
        assert_eq!((put, shared.len()), ((2, 2), 2));
        assert_eq!(shared, alone);
    }

    #[test]
    fn places_without_a_value_take_no_memory_to_speak_of() {
        let rounds: Vec<f64> = (0..100_000_u32).map(f64::from).collect();
        let id = ids(1)[0];
        let mut columns = Columns::default();
        let track = columns.add_track();
        rounds.iter().for_each(|ended| columns.round(track, *ended, false));
        let column = columns.add_column(track, id);
        for at in [5, 50_000, 99_999] {
            assert_eq!(columns.put_along(column, track, std::iter::once((at, 1.0))), (1, 0));
            assert!(columns.columns[0].values.capacity() < 1000);
        }
        let ends: Vec<f64> = read(&columns.pack().0, id).iter().map(|(ended, ..)| *ended).collect();
        assert_eq!(ends, [5.0, 50_000.0, 99_999.0]);
    }

    proptest::proptest! {
        #[test]
        fn values_along_a_track_are_those_of_one_that_grows(
            parts in proptest::collection::vec(proptest::collection::vec((0..90_usize, -1.0..1.0_f64), 0..40), 0..4),
        ) {
            let rounds: Vec<f64> = (0..80_u32).map(f64::from).collect();
            let (shared, alone, put) = along(&rounds, &parts);
            proptest::prop_assert_eq!(put.0, shared.len());
            proptest::prop_assert_eq!(shared, alone);
        }
    }

    #[test]
    fn what_comes_twice_counts_once() {
        let ids = ids(1);
        let mut columns = Columns::default();
        let track = columns.add_track();
        let column = columns.add_column(track, ids[0]);
        for (timestamp, value) in [(2.0, 5.0), (1.0, 4.0), (2.0, 5.0), (2.0, 6.0)] {
            columns.append(column, Reading { timestamp, value, disturbed: false });
        }
        let (series, duplicates) = columns.pack();
        assert_eq!(duplicates, 1);
        assert_eq!(read(&series, ids[0]), [(1.0, 4.0, false), (2.0, 5.0, false), (2.0, 6.0, false)]);
        let parts = [series.clone(), series];
        let (merged, duplicates) = Series::merged(&parts);
        assert_eq!((merged, duplicates), (parts[0].clone(), 3));
    }
}
