//! Which series of a family there were: a table of hashes, compared in full where two are equal.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::Label;
use super::cursor::Cursor;

/// The series of the family that is read. The next family reuses the table.
#[derive(Debug)]
pub(super) struct Seen {
    is_open_metrics: bool,
    /// Seeded at random, so that nobody can write an exposition whose series all have one hash.
    state: RandomState,
    slots: Vec<Slot>,
    /// Slots of other families are free.
    family: u32,
    taken: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    hash: u64,
    /// Where the line begins.
    at: u32,
    /// Zero for a slot that never was taken.
    family: u32,
}

impl Seen {
    pub(super) fn new(is_open_metrics: bool) -> Self {
        let slots = vec![Slot::default(); 64];
        Self { is_open_metrics, state: RandomState::default(), slots, family: 1, taken: 0 }
    }

    /// Forgets all series.
    pub(super) fn begin_family(&mut self) {
        self.family += 1;
        self.taken = 0;
    }

    /// Notes the series of the line that begins at `at`, and says whether it was new.
    pub(super) fn insert(&mut self, text: &str, at: u32, name: &str, labels: &[Label<'_>]) -> bool {
        if (self.taken + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let hash = self.hash(name, labels);
        let mut place = self.first(hash);
        while let Some(slot) = self.slots.get(place).filter(|slot| slot.family == self.family) {
            if slot.hash == hash && self.is(text, slot.at, name, labels) {
                return false;
            }
            place = self.next(place);
        }
        self.fill(place, Slot { hash, at, family: self.family });
        self.taken += 1;
        true
    }

    /// The same whatever the order of the labels.
    fn hash(&self, name: &str, labels: &[Label<'_>]) -> u64 {
        let of_labels = labels.iter().map(|label| self.state.hash_one(label));
        of_labels.fold(self.state.hash_one(name), u64::wrapping_add)
    }

    fn first(&self, hash: u64) -> usize {
        // The lower bits are as good as any.
        usize::try_from(hash & 0xffff_ffff).unwrap_or(0) & (self.slots.len() - 1)
    }

    fn next(&self, place: usize) -> usize {
        (place + 1) & (self.slots.len() - 1)
    }

    fn fill(&mut self, place: usize, slot: Slot) {
        if let Some(free) = self.slots.get_mut(place) {
            *free = slot;
        }
    }

    fn grow(&mut self) {
        let larger = vec![Slot::default(); self.slots.len() * 4];
        let old = std::mem::replace(&mut self.slots, larger);
        let family = self.family;
        for slot in old.into_iter().filter(|slot| slot.family == family) {
            let mut place = self.first(slot.hash);
            while self.slots.get(place).is_some_and(|taken| taken.family == family) {
                place = self.next(place);
            }
            self.fill(place, slot);
        }
    }

    /// Whether the line that begins at `at` is of this series.
    fn is(&self, text: &str, at: u32, name: &str, labels: &[Label<'_>]) -> bool {
        let line = text.get(at as usize..).unwrap_or_default();
        let mut cursor = Cursor::new(line);
        if !self.is_open_metrics {
            cursor.skip_blanks();
        }
        let mut others = Vec::new();
        if cursor.metric_name() != Ok(name) {
            return false;
        }
        if !self.is_open_metrics {
            cursor.skip_blanks();
        }
        // It was read before.
        cursor.labels(&mut others, self.is_open_metrics).is_ok()
            && others.len() == labels.len()
            && others.iter().all(|other| labels.contains(other))
    }
}
