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
    /// One bit a round; nothing where no round was disturbed.
    marks: Box<[u64]>,
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
        Self { timestamps: timestamps.into(), marks: marks.into() }
    }

    pub(crate) fn len(&self) -> usize {
        self.timestamps.len()
    }

    pub(crate) fn timestamps(&self) -> &[f64] {
        &self.timestamps
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

/// The readings of one series of one instance, in time order, each round once.
#[derive(Debug, Clone, Copy)]
pub struct Readings<'a> {
    track: &'a Track,
    /// Where `values` begin in the track.
    begin: usize,
    values: Slice<'a>,
}

impl<'a> Readings<'a> {
    pub(crate) const fn new(track: &'a Track, values: Slice<'a>) -> Self {
        Self { track, begin: 0, values }
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
        self.track.timestamps.get(self.begin..self.begin + self.len()).unwrap_or_default()
    }

    /// How many of their rounds were disturbed.
    #[must_use]
    pub fn disturbed(&self) -> usize {
        if self.track.marks.is_empty() {
            return 0;
        }
        (self.begin..self.begin + self.len()).filter(|at| self.track.disturbed(*at)).count()
    }

    /// The reading at a place.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<Reading> {
        let place = self.begin + at;
        Some(Reading {
            value: self.values.at(at)?,
            timestamp: *self.track.timestamps.get(place)?,
            disturbed: self.track.disturbed(place),
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
        let timestamps = self.timestamps();
        let begin = timestamps.partition_point(|timestamp| *timestamp < from);
        let end = timestamps.partition_point(|timestamp| *timestamp < until).max(begin);
        let none = Slice::Single(&[]);
        Self { begin: self.begin + begin, values: self.values.part(begin, end).unwrap_or(none), ..*self }
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
        let readings = Readings::new(&track, Slice::Whole(&timestamps));
        assert_eq!(readings.disturbed(), 29);
        let within = readings.within(10.0, 17.0);
        assert_eq!((within.len(), within.disturbed()), (7, 1));
        assert_eq!(within.get(0), Some(Reading { timestamp: 10.0, value: 10.0, disturbed: true }));
        assert_eq!(within.within(12.0, 13.0).timestamps(), [12.0]);
        assert!(readings.within(17.0, 10.0).is_empty());
    }

    #[test]
    fn without_a_disturbed_round_there_are_no_marks() {
        let track = Track::new(&[1.0, 2.0], &[false, false]);
        assert!(track.marks.is_empty() && !track.disturbed(0));
    }
}
