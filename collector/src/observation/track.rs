//! When rounds ended and which were disturbed, and the readings of one series at them.

use super::values::Slice;

/// One number at one round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// When the round ended, in seconds since the epoch.
    pub timestamp: f64,
    /// The number, in the family's unit.
    pub value: f64,
    /// Whether the agent marked the round as disturbed.
    pub disturbed: bool,
}

/// The rounds that some series of an instance share, in time order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Track {
    timestamps: Box<[f64]>,
    /// The first and the last of them, as nearly all spans hold either all or none: whoever asks a fleet of thousands
    /// for a span then need not fetch the timestamps.
    ends: Ends,
    /// One bit a round; nothing where no round was disturbed.
    marks: Box<[u64]>,
    /// How many bits are set, for the same reason.
    disturbed: usize,
}

/// When the first and the last round of a track ended.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ends {
    first: f64,
    last: f64,
}

impl Default for Ends {
    /// Those of no rounds, which lie in any span.
    fn default() -> Self {
        Self { first: f64::INFINITY, last: f64::NEG_INFINITY }
    }
}

const BITS: usize = 64;

impl Track {
    pub(super) fn new(timestamps: &[f64], disturbed: &[bool]) -> Self {
        let mut marks = vec![0; if disturbed.contains(&true) { disturbed.len().div_ceil(BITS) } else { 0 }];
        for (word, rounds) in marks.iter_mut().zip(disturbed.chunks(BITS)) {
            for (bit, _) in rounds.iter().enumerate().filter(|(_, disturbed)| **disturbed) {
                *word |= 1 << bit;
            }
        }
        let ends = timestamps.first().zip(timestamps.last());
        Self {
            timestamps: timestamps.into(),
            ends: ends.map_or_else(Ends::default, |(first, last)| Ends { first: *first, last: *last }),
            marks: marks.into(),
            disturbed: disturbed.iter().filter(|disturbed| **disturbed).count(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.timestamps.len()
    }

    pub(crate) fn timestamps(&self) -> &[f64] {
        &self.timestamps
    }

    /// The rounds that ended from `from` on and before `until`.
    pub(crate) fn within(&self, from: f64, until: f64) -> Cut<'_> {
        if from <= self.ends.first && self.ends.last < until {
            return self.whole();
        }
        let begin = self.timestamps.partition_point(|timestamp| *timestamp < from);
        let end = self.timestamps.partition_point(|timestamp| *timestamp < until);
        Cut { track: self, begin, end: end.max(begin) }
    }

    /// All rounds.
    pub(crate) fn whole(&self) -> Cut<'_> {
        Cut { track: self, begin: 0, end: self.len() }
    }

    pub(super) fn disturbed(&self, at: usize) -> bool {
        self.marks.get(at / BITS).is_some_and(|word| word >> (at % BITS) & 1 == 1)
    }

    /// Whether both have the same rounds.
    pub(super) fn is(&self, timestamps: &[f64], disturbed: &[bool]) -> bool {
        *self.timestamps == *timestamps
            && (0..self.len()).all(|at| disturbed.get(at) == Some(&self.disturbed(at)))
    }
}

/// Rounds of a track next to one another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut<'a> {
    track: &'a Track,
    begin: usize,
    /// Behind the last; not before `begin`, and within the track.
    end: usize,
}

impl<'a> Cut<'a> {
    pub(crate) const fn len(&self) -> usize {
        self.end - self.begin
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    const fn is_whole(&self) -> bool {
        self.len() == self.track.timestamps.len()
    }

    fn timestamps(&self) -> &'a [f64] {
        self.track.timestamps.get(self.begin..self.end).unwrap_or_default()
    }

    /// When the first and the last of them ended; `None` without rounds.
    pub(crate) fn ends(&self) -> Option<(f64, f64)> {
        if self.is_whole() {
            let Ends { first, last } = self.track.ends;
            return (first <= last).then_some((first, last));
        }
        let timestamps = self.timestamps();
        Some((*timestamps.first()?, *timestamps.last()?))
    }

    /// How many of them were disturbed.
    pub(crate) fn disturbed(&self) -> usize {
        if self.track.disturbed == 0 || self.is_whole() {
            return self.track.disturbed;
        }
        (self.begin..self.end).filter(|at| self.track.disturbed(*at)).count()
    }
}

/// The readings of one series of one instance, in time order, each round once.
#[derive(Debug, Clone, Copy)]
pub struct Readings<'a> {
    rounds: Cut<'a>,
    /// One of each round.
    values: Slice<'a>,
}

impl<'a> Readings<'a> {
    /// `None` unless there is a value for each round of the track.
    pub(crate) fn new(track: &'a Track, values: Slice<'a>) -> Option<Self> {
        (values.len() == track.len()).then(|| Self { rounds: track.whole(), values })
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.values.len() == 0
    }

    /// The numbers, in the family's unit.
    #[must_use]
    pub fn values(&self) -> Vec<f64> {
        let mut values = Vec::new();
        self.append_to(&mut values);
        values
    }

    /// Appends the numbers to a list.
    pub(crate) fn append_to(&self, list: &mut Vec<f64>) {
        self.values.append_to(list);
    }

    /// When their rounds ended, in seconds since the epoch.
    #[must_use]
    pub fn timestamps(&self) -> &'a [f64] {
        self.rounds.timestamps()
    }

    /// When the first and the last of their rounds ended; `None` without readings.
    pub(crate) fn ends(&self) -> Option<(f64, f64)> {
        self.rounds.ends()
    }

    /// How many of their rounds were disturbed.
    #[must_use]
    pub fn disturbed(&self) -> usize {
        self.rounds.disturbed()
    }

    /// The reading at a place.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<Reading> {
        let Cut { track, begin, .. } = self.rounds;
        let place = begin + at;
        Some(Reading {
            value: self.values.at(at)?,
            timestamp: *track.timestamps.get(place)?,
            disturbed: track.disturbed(place),
        })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Reading> + use<'a> {
        let this = *self;
        (0..self.len()).filter_map(move |at| this.get(at))
    }

    /// Those whose rounds ended from `from` on and before `until`.
    #[must_use]
    pub fn within(&self, from: f64, until: f64) -> Self {
        self.on(self.rounds.track.within(from, until))
    }

    /// What its rounds are some of, or all.
    pub(crate) const fn track(&self) -> &'a Track {
        self.rounds.track
    }

    /// Those on these rounds, which are of the same track.
    pub(crate) fn on(&self, rounds: Cut<'a>) -> Self {
        let Cut { track, begin: first, end: behind } = self.rounds;
        let begin = rounds.begin.clamp(first, behind);
        let end = rounds.end.clamp(begin, behind);
        let values = self.values.part(begin - first, end - first).unwrap_or(Slice::Single(&[]));
        Self { rounds: Cut { track, begin, end }, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_where_they_were_put() {
        let timestamps: Vec<f64> = (0..200_u32).map(f64::from).collect();
        let disturbed: Vec<bool> = (0..200).map(|at| at % 7 == 3).collect();
        let track = Track::new(&timestamps, &disturbed);
        assert!((0..200).all(|at| track.disturbed(at) == disturbed[at]) && !track.disturbed(200));
        assert!(track.is(&timestamps, &disturbed) && !track.is(&timestamps, &[false; 200]));
        let readings = Readings::new(&track, Slice::Whole(&timestamps)).unwrap();
        assert_eq!(readings.disturbed(), 29);
        let within = readings.within(10.0, 17.0);
        assert_eq!((within.len(), within.disturbed()), (7, 1));
        assert_eq!(within.get(0), Some(Reading { timestamp: 10.0, value: 10.0, disturbed: true }));
        assert_eq!(within.within(12.0, 13.0).timestamps(), [12.0]);
        assert!(readings.within(17.0, 10.0).is_empty());
    }

    proptest::proptest! {
        /// What the track knows beforehand is what its rounds say.
        #[test]
        fn a_span_within_a_span_is_what_a_filter_finds(
            rounds in proptest::collection::vec((0..20_u32, proptest::bool::ANY), 0..12),
            (a, b, c, d) in (0..22_u32, 0..22_u32, 0..22_u32, 0..22_u32),
        ) {
            let (mut timestamps, disturbed): (Vec<f64>, Vec<bool>) =
                rounds.into_iter().map(|(ended, disturbed)| (f64::from(ended), disturbed)).unzip();
            timestamps.sort_by(f64::total_cmp);
            let track = Track::new(&timestamps, &disturbed);
            let all = Readings::new(&track, Slice::Whole(&timestamps)).unwrap();
            let [a, b, c, d] = [a, b, c, d].map(f64::from);
            let cut = all.within(a, b).within(c, d);
            let is_in = |reading: &Reading| {
                (a..b).contains(&reading.timestamp) && (c..d).contains(&reading.timestamp)
            };
            let expected: Vec<Reading> = all.iter().filter(is_in).collect();
            proptest::prop_assert_eq!(cut.disturbed(), expected.iter().filter(|one| one.disturbed).count());
            let ends = expected.first().zip(expected.last());
            proptest::prop_assert_eq!(cut.ends(), ends.map(|(first, last)| (first.timestamp, last.timestamp)));
            proptest::prop_assert_eq!(cut.iter().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn without_a_disturbed_round_there_are_no_marks() {
        let track = Track::new(&[1.0, 2.0], &[false, false]);
        assert!(track.marks.is_empty() && !track.disturbed(0));
    }
}
